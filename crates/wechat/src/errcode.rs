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

    /// True when the code of a login is of no more use: invalid, used before, or too old. Nobody can repair it; the visitor
    /// has to go through WeChat's page again and brings a new one.
    #[must_use]
    pub fn is_spent_code(self) -> bool {
        matches!(self.0, 40029 | 40163 | 42003)
    }

    /// One sentence for the operator on what to do, for the codes that the proxy's own calls can meet.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        self.account_advice().or_else(|| self.sending_advice()).or_else(|| self.login_advice())
    }

    /// About the account: secrets, addresses, quotas, rights.
    fn account_advice(self) -> Option<&'static str> {
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

    /// About a message that was sent to a user.
    fn sending_advice(self) -> Option<&'static str> {
        Some(match self.0 {
            45015 => {
                "WeChat allows no message to this user now: the user has not written, tapped or scanned lately, or no \
                 longer follows; answer sooner, within WeChat's 5 seconds if possible"
            }
            45047 => {
                "all messages that WeChat allows after one action of the user are used up: send fewer, or wait for the \
                 user's next message"
            }
            43004 => "the user does not follow the account: only followers can be sent messages",
            48002 => {
                "the user has switched the account's messages off; in WeCom: a token of this kind may not call this API, \
                 register the app's own secret"
            }
            40003 => "no such openid in this account: openids of one account mean nothing in another",
            40007 => {
                "no such media_id: temporary media end after 3 days and belong to one account; upload it again with the \
                 token of this account"
            }
            40008 => {
                "WeChat has no messages of this type for this account; mini programs take fewer than official accounts"
            }
            44004 => "the text is empty: send one that is not",
            45002 => "the text is too long: WeChat takes 2,048 bytes in one message",
            45008 => "too many articles: a customer-service message takes exactly one",
            61451 => "a parameter of the customer-service message is invalid: see kf_account",
            61452 => "no such customer-service agent: compare kf_account with the account's console",
            40056 => "no such agentid for this secret: each WeCom app has its own pair, register those of one app",
            81013 => {
                "none of the recipients can get this: see whether the member is in the visible range of the WeCom app, in \
                 its console"
            }
            _ => return None,
        })
    }

    /// About a visitor who logs in ("web authorization" of official accounts, "OAuth" of WeCom).
    fn login_advice(self) -> Option<&'static str> {
        Some(match self.0 {
            40029 => {
                "the code of this login is unknown, too old, or of another account: open the link again; if it happens every \
                 time, compare the appid of the link with the registered one"
            }
            40163 => {
                "the code of this login was used before (the page was reloaded, or Back was pressed): open the link again"
            }
            42003 => "the code of this login is older than WeChat's 5 minutes: open the link again",
            41008 => "there was no code in this login: open the link again, and see that nothing removes it on the way",
            40226 => {
                "WeChat counts this visitor as a high risk and lets nobody log in for him: only WeChat can change that"
            }
            50001 => {
                "the visitor has not agreed, or the host of the page is not registered: ask for consent again; in WeCom, add \
                 host and port to the app's trusted domain"
            }
            50002 => "WeChat has limited this visitor's account: only WeChat can change that",
            84014 | 84015 => "the user_ticket of this login is invalid or older than 30 minutes: open the link again",
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
