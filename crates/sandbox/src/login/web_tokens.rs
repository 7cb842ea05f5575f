//! Web tokens: the access_tokens and refresh_tokens of `/sns/…`. They are not those of `/cgi-bin/…`, and neither is
//! accepted in place of the other.
//!
//! Source: "Web page authorization" of the official account docs: 7200 s, refreshed for 30 days from the consent. A
//! refresh keeps a token that is still good and gives it its whole lifetime again.

use super::{Grant, Logins, is_over};
use crate::chance;
use crate::clock::Time;

/// Seconds that a web token lives.
pub(crate) const WEB_TOKEN_SECS: u64 = 7_200;
/// Seconds that it can be refreshed for.
const REFRESH_SECS: u64 = 30 * 86_400;

/// An access_token of `/sns/…`.
#[derive(Clone, Debug)]
pub(super) struct WebToken {
    pub(super) grant: Grant,
    expires: Time,
    revoked: bool,
}

/// A refresh_token.
#[derive(Clone, Debug)]
pub(super) struct RefreshToken {
    pub(super) grant: Grant,
    made: Time,
    token: String,
}

/// How a web token is judged when it is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Never issued, though it looks like a token, or revoked.
    Invalid,
    Expired,
    /// No token at all.
    Garbage,
}

/// Why nothing is refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapsed {
    /// Never issued, or for another account.
    Unknown,
    /// 30 days are over.
    TooOld,
}

impl Logins {
    /// New tokens for what was granted: access_token and refresh_token.
    pub(crate) fn issue_tokens(&mut self, grant: Grant, now: Time) -> (String, String) {
        let (token, refresh) = (chance::token(), chance::token());
        let made = RefreshToken { grant: grant.clone(), made: now, token: token.clone() };
        self.refresh_tokens.keep(refresh.clone(), made);
        self.keep_token(token.clone(), grant, now);
        (token, refresh)
    }

    /// What a web token stands for.
    ///
    /// # Errors
    /// [`Judged`] when it is no good.
    pub(crate) fn judge(&self, text: &str, now: Time) -> Result<&Grant, Judged> {
        match self.tokens.get(text) {
            Some(token) if token.revoked => Err(Judged::Invalid),
            Some(token) if token.expires <= now => Err(Judged::Expired),
            Some(token) => Ok(&token.grant),
            None if chance::looks_like_token(text) => Err(Judged::Invalid),
            None => Err(Judged::Garbage),
        }
    }

    /// The access_token that a refresh_token gives, and what it stands for.
    ///
    /// # Errors
    /// [`Lapsed`] when the visitor has to consent again.
    pub(crate) fn refresh(&mut self, text: &str, appid: &str, now: Time) -> Result<(String, Grant), Lapsed> {
        let known = self.refresh_tokens.get(text).filter(|known| known.grant.appid == appid).ok_or(Lapsed::Unknown)?;
        if is_over(known.made, REFRESH_SECS, now) {
            return Err(Lapsed::TooOld);
        }
        let RefreshToken { grant, token, .. } = known.clone();
        let token = if self.judge(&token, now).is_ok() { token } else { chance::token() };
        if let Some(known) = self.refresh_tokens.get_mut(text) {
            known.token.clone_from(&token);
        }
        match self.tokens.get_mut(&token) {
            Some(kept) => kept.expires = now.plus_secs(WEB_TOKEN_SECS),
            None => self.keep_token(token.clone(), grant.clone(), now),
        }
        Ok((token, grant))
    }

    /// Revokes a web token. Answers whether it is known.
    pub(crate) fn revoke(&mut self, text: &str) -> bool {
        self.tokens.get_mut(text).map(|token| token.revoked = true).is_some()
    }

    /// Lets a web token's lifetime be over. Answers whether it is known.
    pub(crate) fn expire(&mut self, text: &str, now: Time) -> bool {
        self.tokens.get_mut(text).map(|token| token.expires = token.expires.min(now)).is_some()
    }

    fn keep_token(&mut self, text: String, grant: Grant, now: Time) {
        self.tokens.keep(text, WebToken { grant, expires: now.plus_secs(WEB_TOKEN_SECS), revoked: false });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn a_token_is_refreshed_for_thirty_days() {
        let mut logins = Logins::default();
        let grant = Grant { appid: "wx1".into(), openid: "o1".into(), scope: Scope::UserInfo };
        let (token, refresh) = logins.issue_tokens(grant.clone(), NOW);
        assert_eq!(logins.judge(&token, NOW), Ok(&grant));
        assert_eq!(logins.judge(&refresh, NOW), Err(Judged::Invalid));
        assert_eq!(logins.judge("x", NOW), Err(Judged::Garbage));
        let later = NOW.plus_secs(7_199);
        assert_eq!(logins.refresh(&refresh, "wx1", later), Ok((token.clone(), grant.clone())));
        assert_eq!(logins.judge(&token, later.plus_secs(7_199)), Ok(&grant));
        let later = later.plus_secs(7_200);
        assert_eq!(logins.judge(&token, later), Err(Judged::Expired));
        let (second, _) = logins.refresh(&refresh, "wx1", later).unwrap();
        assert_ne!(second, token);
        assert_eq!(logins.refresh(&refresh, "wx2", later), Err(Lapsed::Unknown));
        assert_eq!(logins.refresh(&token, "wx1", later), Err(Lapsed::Unknown));
        assert_eq!(logins.refresh(&refresh, "wx1", NOW.plus_secs(REFRESH_SECS)), Err(Lapsed::TooOld));
        assert!(logins.revoke(&second));
        assert_eq!(logins.judge(&second, later), Err(Judged::Invalid));
        let (third, _) = logins.refresh(&refresh, "wx1", later).unwrap();
        assert_ne!(third, second);
    }
}
