//! WeChat's error codes: what they mean for a caller, whether asking again helps, and what a person can do.
//!
//! The classes follow the "global return codes" page of the official account documents and the error tables of the
//! token pages (`getAccessToken`, `getStableAccessToken`) and of WeCom's `gettoken`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The `errcode` of an answer. 0 is success; WeChat's own are -1 or positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Errcode(pub i64);

/// What a caller has to do about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The access_token in the request is no longer good: get a new one, ask again once.
    TokenDead,
    /// WeChat is busy or a limit of the minute is reached: the same request succeeds a little later.
    Transient,
    /// Asking again changes nothing until a person changes something or a daily quota is reset.
    Permanent,
}

impl Errcode {
    /// System busy.
    pub const BUSY: Self = Self(-1);
    /// Invalid credential: a dead access_token, or (older) a wrong secret when a token is fetched.
    pub const INVALID_CREDENTIAL: Self = Self(40001);
    /// Unknown appid.
    pub const INVALID_APPID: Self = Self(40013);
    /// Malformed or foreign access_token.
    pub const INVALID_ACCESS_TOKEN: Self = Self(40014);
    /// Wrong AppSecret.
    pub const INVALID_SECRET: Self = Self(40125);
    /// The caller's address is not in the account's IP allow list.
    pub const IP_NOT_ALLOWED: Self = Self(40164);
    /// access_token past its lifetime.
    pub const TOKEN_EXPIRED: Self = Self(42001);
    /// Daily quota used up.
    pub const DAILY_QUOTA: Self = Self(45009);
    /// Quota of the minute used up.
    pub const MINUTE_QUOTA: Self = Self(45011);
    /// WeCom: the caller's address is not allowed.
    pub const WECOM_IP_NOT_ALLOWED: Self = Self(60020);

    /// True for 0.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// What a caller has to do about this code. Codes that are not known count as [`ErrorClass::Permanent`]:
    /// asking WeChat again at full speed is never the right answer to an unknown refusal.
    #[must_use]
    pub fn class(self) -> ErrorClass {
        match self.0 {
            40001 | 40014 | 42001 => ErrorClass::TokenDead,
            -1 | 45011 | 45033 | 50000 => ErrorClass::Transient,
            _ => ErrorClass::Permanent,
        }
    }

    /// One sentence for the operator on what to do, for the codes that fetching a token can meet.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        Some(match self.0 {
            -1 => "WeChat is busy; wechat-proxy asks again by itself",
            40001 | 40125 | 40091 => {
                "the secret is wrong or was reset: copy it again from the account's console and register it"
            }
            40013 | 41002 => "no such account: compare the appid with the account's console, its case matters",
            40164 | 60020 | 61004 => {
                "add this machine's outgoing address to the IP allow list in the account's console"
            }
            40243 => "the AppSecret is frozen: unfreeze it in the account's console",
            45009 => "the daily quota is used up: it is reset at midnight (UTC+8), or once by clear_quota",
            45011 | 45033 => "too many calls in this minute; wechat-proxy asks again by itself",
            48001 => "the account has no right to this API: see its permissions in the account's console",
            50004 => "the token API is switched off for this account: see the account's console",
            50007 => "the account is frozen: see the account's console",
            89501 | 89503 => "an administrator of the account has to confirm this machine's address in WeChat",
            89506 => "an administrator refused this machine's address twice: it is blocked for 24 hours",
            89507 => "an administrator refused this machine's address: it is blocked for 1 hour",
            _ => return None,
        })
    }
}

impl fmt::Display for Errcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A refusal in WeChat's own shape: `{"errcode":40013,"errmsg":"invalid appid"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("WeChat answered errcode {errcode}: {errmsg}")]
pub struct ApiError {
    /// The code; decide by this one only.
    pub errcode: Errcode,
    /// WeChat's text; its wording changes, and it ends with an id of the request (`rid: …`).
    #[serde(default)]
    pub errmsg: String,
}

impl ApiError {
    /// The address that WeChat saw, when it refused a caller for it
    /// (40164 `invalid ip 1.2.3.4 ipv6 …, not in whitelist`; WeCom's 60020 `…, from ip: 1.2.3.4, …`).
    #[must_use]
    pub fn refused_address(&self) -> Option<&str> {
        let marker = match self.errcode {
            Errcode::IP_NOT_ALLOWED => "invalid ip ",
            Errcode::WECOM_IP_NOT_ALLOWED => "from ip: ",
            _ => return None,
        };
        let (_, rest) = self.errmsg.split_once(marker)?;
        rest.split([' ', ',']).next().filter(|address| !address.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_tokens_are_told_from_busy_servers_and_from_refusals() {
        for code in [40001, 40014, 42001] {
            assert_eq!(Errcode(code).class(), ErrorClass::TokenDead);
        }
        for code in [-1, 45011] {
            assert_eq!(Errcode(code).class(), ErrorClass::Transient);
        }
        for code in [40013, 40125, 40164, 45009, 48001, 987_654] {
            assert_eq!(Errcode(code).class(), ErrorClass::Permanent);
        }
    }

    #[test]
    fn the_refused_address_is_read_from_both_platforms_texts() {
        let official = ApiError {
            errcode: Errcode(40164),
            errmsg:
                "invalid ip 120.244.112.8 ipv6 ::ffff:120.244.112.8, not in whitelist rid: 5fa26c60-1a0ebdd5-32fd1cd0"
                    .into(),
        };
        assert_eq!(official.refused_address(), Some("120.244.112.8"));
        let wecom = ApiError {
            errcode: Errcode(60020),
            errmsg: "not allow to access from your ip, hint: [1], from ip: 114.132.235.244, more info at …".into(),
        };
        assert_eq!(wecom.refused_address(), Some("114.132.235.244"));
        assert_eq!(ApiError { errcode: Errcode(40013), errmsg: "invalid ip 1.1.1.1".into() }.refused_address(), None);
    }
}
