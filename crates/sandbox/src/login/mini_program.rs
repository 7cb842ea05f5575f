//! Logins of a mini program's users: the codes of `wx.login()` and of `getPhoneNumber`, and the session keys.
//!
//! Source: "Mini program login" and "Get phone number" of the mini program docs: both codes work once, for 5 minutes; a
//! login may renew the session key, and here each does. A code gives the key of its own login, so that a server that
//! exchanges an old one after a newer login has a key that is not current any more.

use super::codes::{CODE_SECS, Code};
use super::{Grant, Logins, Scope, Spent};
use crate::chance;
use crate::clock::Time;

/// A code of `wx.login()`.
#[derive(Clone, Debug)]
pub(super) struct LoginCode {
    pub(super) code: Code,
    session_key: String,
}

/// The user of a mini program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) appid: String,
    pub(crate) openid: String,
    pub(crate) session_key: String,
}

impl Logins {
    /// A user logs in: a code, and a session key that is the current one from now on.
    pub(crate) fn log_in(&mut self, appid: &str, openid: &str, now: Time) -> String {
        let (text, session_key) = (chance::code(), self.renew_session(appid, openid));
        self.login_codes.keep(text.clone(), LoginCode { code: Code::new(grant(appid, openid), now), session_key });
        text
    }

    /// What the code of a login stands for; it is not used up by this.
    ///
    /// # Errors
    /// [`Spent`] when it gives nothing to this mini program.
    pub(crate) fn look_up_login(&self, text: &str, appid: &str, now: Time) -> Result<Session, Spent> {
        let login = self.login_codes.get(text).ok_or(Spent::Unknown)?;
        let Grant { appid, openid, .. } = login.code.judged(appid, CODE_SECS, now)?;
        Ok(Session { appid, openid, session_key: login.session_key.clone() })
    }

    /// Uses the code of a login up.
    pub(crate) fn use_login_up(&mut self, text: &str) {
        if let Some(login) = self.login_codes.get_mut(text) {
            login.code.used = true;
        }
    }

    /// The current session key of a user who has logged in.
    pub(crate) fn session_key(&self, appid: &str, openid: &str) -> Option<&str> {
        self.sessions.get(&name(appid, openid)).map(|session| session.session_key.as_str())
    }

    /// A new session key in place of the current one.
    pub(crate) fn renew_session(&mut self, appid: &str, openid: &str) -> String {
        let (name, session_key) = (name(appid, openid), chance::session_key());
        match self.sessions.get_mut(&name) {
            Some(session) => session.session_key.clone_from(&session_key),
            None => {
                let (appid, openid) = (appid.to_owned(), openid.to_owned());
                self.sessions.keep(name, Session { appid, openid, session_key: session_key.clone() });
            }
        }
        session_key
    }

    /// A user gives the telephone number.
    pub(crate) fn issue_phone_code(&mut self, appid: &str, openid: &str, now: Time) -> String {
        let text = chance::phone_code();
        self.phone_codes.keep(text.clone(), Code::new(grant(appid, openid), now));
        text
    }

    /// Whose telephone number a code gives; it is not used up by this.
    ///
    /// # Errors
    /// [`Spent`] when it gives none to this mini program.
    pub(crate) fn look_up_phone(&self, text: &str, appid: &str, now: Time) -> Result<Grant, Spent> {
        self.phone_codes.get(text).ok_or(Spent::Unknown)?.judged(appid, CODE_SECS, now)
    }

    /// Uses the code of a telephone number up.
    pub(crate) fn use_phone_up(&mut self, text: &str) {
        if let Some(code) = self.phone_codes.get_mut(text) {
            code.used = true;
        }
    }
}

fn grant(appid: &str, openid: &str) -> Grant {
    Grant { appid: appid.to_owned(), openid: openid.to_owned(), scope: Scope::Base }
}

/// The name of a session; neither id has a slash in it.
fn name(appid: &str, openid: &str) -> String {
    format!("{appid}/{openid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn a_code_gives_the_key_of_its_own_login() {
        let mut logins = Logins::default();
        let (first, second) = (logins.log_in("wx1", "o1", NOW), logins.log_in("wx1", "o1", NOW));
        let key = |code: &str| logins.look_up_login(code, "wx1", NOW).map(|session| session.session_key);
        assert_ne!(key(&first), key(&second));
        assert_eq!(key(&second).ok().as_deref(), logins.session_key("wx1", "o1"));
        assert_eq!(logins.look_up_login(&first, "wx2", NOW), Err(Spent::Unknown));
        assert_eq!(logins.look_up_login(&first, "wx1", NOW.plus_secs(300)), Err(Spent::TooOld));
        logins.use_login_up(&first);
        assert_eq!(logins.look_up_login(&first, "wx1", NOW), Err(Spent::Used));
        let phone = logins.issue_phone_code("wx1", "o1", NOW);
        assert_eq!(logins.look_up_login(&phone, "wx1", NOW), Err(Spent::Unknown), "another kind of code");
        assert_eq!(logins.look_up_phone(&phone, "wx1", NOW).map(|grant| grant.openid).as_deref(), Ok("o1"));
        logins.forget("wx1");
        assert_eq!(logins.session_key("wx1", "o1"), None);
        assert_eq!(logins.look_up_phone(&phone, "wx1", NOW), Err(Spent::Unknown));
    }
}
