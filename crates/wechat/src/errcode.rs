//! WeChat's error codes: what they mean for a caller, whether asking again helps, and what a person can do.
//!
//! The classes follow the "global return codes" page of the official account documents and the error tables of the
//! token pages (`getAccessToken`, `getStableAccessToken`) and of WeCom's `gettoken`.

mod advice;

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
    /// The account has no right to this API.
    pub const API_UNAUTHORIZED: Self = Self(48001);
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

    /// True when a quota is used up, that of the day or that of the minute: only waiting helps.
    #[must_use]
    pub fn is_quota(self) -> bool {
        matches!(self, Self::DAILY_QUOTA | Self::MINUTE_QUOTA)
    }

    /// True when the code of a login is of no more use: invalid, used before, or too old. Nobody can repair it; the visitor
    /// has to go through WeChat's page again and brings a new one.
    #[must_use]
    pub fn is_spent_code(self) -> bool {
        matches!(self.0, 40029 | 40163 | 42003)
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
    fn used_up_quotas_are_told_from_other_refusals() {
        for code in [45009, 45011] {
            assert!(Errcode(code).is_quota(), "{code}");
        }
        for code in [0, -1, 45015, 45047, 48001] {
            assert!(!Errcode(code).is_quota(), "{code}");
        }
    }

    #[test]
    fn what_callers_of_any_api_meet_has_an_advice() {
        let codes = [
            40035, 40037, 40066, 40097, 41001, 41009, 43001, 43002, 43003, 43019, 43101, 44002, 47001, 47003, 48004,
            48006, 61007, 87014,
        ];
        for code in codes {
            assert!(Errcode(code).advice().is_some(), "{code}");
        }
    }

    #[test]
    fn whatever_sending_a_message_can_meet_has_an_advice() {
        let codes = [
            45015, 45047, 45008, 40003, 40007, 40008, 44004, 45002, 48001, 48002, 61451, 61452, 43004, 81013, 60020,
            40056,
        ];
        for code in codes {
            assert!(Errcode(code).advice().is_some(), "{code}");
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
