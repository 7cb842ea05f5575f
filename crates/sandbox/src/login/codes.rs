//! Codes: what a page is led back with after a login. Each works once, for its own account, and not for long.
//!
//! Source: "Web page authorization" (5 minutes), "Website application login" (10 minutes), and of the WeCom docs
//! "Get the visitor's identity" (5 minutes) and "Get sensitive information" (`user_ticket`, 1800 s).

use super::{Grant, Logins, Scope, is_over};
use crate::chance;
use crate::clock::Time;

/// Seconds that a code works.
pub(super) const CODE_SECS: u64 = 300;
/// Seconds that a code of a website works.
const WEBSITE_CODE_SECS: u64 = 600;
/// Seconds that WeCom's `user_ticket` works.
const MEMBER_TICKET_SECS: u64 = 1_800;

/// A code, or a ticket that is like one.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) grant: Grant,
    made: Time,
    pub(super) used: bool,
}

impl Code {
    pub(super) fn new(grant: Grant, now: Time) -> Code {
        Code { grant, made: now, used: false }
    }

    /// What it stands for, if it is this account's, was not used, and is younger than this many seconds.
    pub(super) fn judged(&self, appid: &str, secs: u64, now: Time) -> Result<Grant, Spent> {
        if self.grant.appid != appid {
            return Err(Spent::Unknown);
        }
        if self.used {
            return Err(Spent::Used);
        }
        if is_over(self.made, secs, now) { Err(Spent::TooOld) } else { Ok(self.grant.clone()) }
    }
}

/// Why a code gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spent {
    /// Never issued, or for another account.
    Unknown,
    Used,
    TooOld,
}

impl Logins {
    /// A new code.
    pub(crate) fn issue_code(&mut self, grant: Grant, now: Time) -> String {
        let text = chance::code();
        self.codes.keep(text.clone(), Code::new(grant, now));
        text
    }

    /// What a code stands for; it is not used up by this.
    ///
    /// # Errors
    /// [`Spent`] when it gives nothing to this account.
    pub(crate) fn look_up(&self, text: &str, appid: &str, now: Time) -> Result<Grant, Spent> {
        let code = self.codes.get(text).ok_or(Spent::Unknown)?;
        let secs = if code.grant.scope == Scope::Login { WEBSITE_CODE_SECS } else { CODE_SECS };
        code.judged(appid, secs, now)
    }

    /// Uses a code up.
    pub(crate) fn use_up(&mut self, text: &str) {
        if let Some(code) = self.codes.get_mut(text) {
            code.used = true;
        }
    }

    /// A ticket for the sensitive data of a member.
    pub(crate) fn issue_member_ticket(&mut self, grant: Grant, now: Time) -> String {
        let text = chance::member_ticket();
        self.member_tickets.keep(text.clone(), Code::new(grant, now));
        text
    }

    /// What a member ticket stands for. It may be shown more than once (unconfirmed).
    ///
    /// # Errors
    /// [`Spent`] when it gives nothing to this corp.
    pub(crate) fn look_up_member(&self, text: &str, corpid: &str, now: Time) -> Result<Grant, Spent> {
        self.member_tickets.get(text).ok_or(Spent::Unknown)?.judged(corpid, MEMBER_TICKET_SECS, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn a_code_works_once_for_its_account_and_not_for_long() {
        let mut logins = Logins::default();
        let grant = |scope| Grant { appid: "wx1".into(), openid: "o1".into(), scope };
        let code = logins.issue_code(grant(Scope::Base), NOW);
        assert_eq!(logins.look_up(&code, "wx2", NOW), Err(Spent::Unknown));
        assert_eq!(logins.look_up("x", "wx1", NOW), Err(Spent::Unknown));
        assert_eq!(logins.look_up(&code, "wx1", NOW.plus_secs(299)), Ok(grant(Scope::Base)));
        assert_eq!(logins.look_up(&code, "wx1", NOW.plus_secs(300)), Err(Spent::TooOld));
        logins.use_up(&code);
        assert_eq!(logins.look_up(&code, "wx1", NOW.plus_secs(300)), Err(Spent::Used));
        let code = logins.issue_code(grant(Scope::Login), NOW);
        assert_eq!(logins.look_up(&code, "wx1", NOW.plus_secs(599)), Ok(grant(Scope::Login)));
        assert_eq!(logins.look_up(&code, "wx1", NOW.plus_secs(600)), Err(Spent::TooOld));
        logins.forget("wx1");
        assert_eq!(logins.look_up(&code, "wx1", NOW), Err(Spent::Unknown));
    }
}
