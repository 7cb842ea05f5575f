//! What the control API can change about an account: frozen things, address list, rights, lifetimes.
//!
//! [`Patch`] is the body of `PATCH /sandbox/accounts/{appid}`; a field that is absent stays as it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::account::AccountKind;
use crate::allow_list::AllowList;
use crate::domains::Domains;

/// What WeChat gives tokens and tickets, in seconds.
pub(crate) const LIFETIME_SECS: u64 = 7200;
/// Followers that WeChat lists in one answer ("Get user list" of the official account docs).
const FOLLOWERS_PAGE: usize = 10_000;
/// A token or ticket with less than this left is replaced, in seconds, for the real lifetime.
const RENEWAL_SECS: u64 = 300;
/// The longest lifetime that can be set, in seconds.
const LONGEST_LIFETIME_SECS: u64 = 30 * 86_400;

/// What is set about an account.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settings {
    /// No tokens for the AppSecret: 40243.
    pub(crate) secret_frozen: bool,
    /// No tokens for the account: 50007, WeCom 50003.
    pub(crate) frozen: bool,
    /// No classic tokens: 50004.
    pub(crate) token_api_disabled: bool,
    /// 200 classic tokens a day instead of 2000.
    pub(crate) test_account: bool,
    /// From where tokens can be fetched (40164) or, for WeCom, APIs called (60020); empty: from everywhere.
    pub(crate) ip_allow_list: AllowList,
    /// Hosts that a login may lead back to (网页授权域名, WeCom: 可信域名); empty: all.
    pub(crate) web_domains: Domains,
    /// Hosts of pages on which the JSSDK works (JS接口安全域名); empty: all.
    pub(crate) js_domains: Domains,
    /// Bound to the open platform account that all accounts of the sandbox share: then there is a unionid.
    pub(crate) open_platform: bool,
    pub(crate) rights: Rights,
    /// Seconds that a new token lives.
    pub(crate) token_lifetime: u64,
    /// Seconds that a new ticket lives.
    pub(crate) ticket_lifetime: u64,
    /// Followers that one call lists at most.
    pub(crate) followers_page: usize,
}

/// What the account may do; without the right, 48001.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Rights {
    /// jsapi tickets.
    pub(crate) jssdk: bool,
    /// Card tickets.
    pub(crate) cards: bool,
    /// Customer-service messages.
    pub(crate) customer_service: bool,
    /// Logins of visitors of web pages.
    pub(crate) web_login: bool,
}

impl Settings {
    pub(crate) fn new(kind: AccountKind, test_account: bool) -> Settings {
        let rights = Rights {
            jssdk: matches!(kind, AccountKind::Official | AccountKind::Wecom),
            cards: kind == AccountKind::Official,
            customer_service: kind != AccountKind::Website,
            web_login: kind != AccountKind::MiniProgram,
        };
        Settings {
            secret_frozen: false,
            frozen: false,
            token_api_disabled: false,
            test_account,
            ip_allow_list: AllowList::default(),
            web_domains: Domains::default(),
            js_domains: Domains::default(),
            open_platform: kind != AccountKind::Wecom,
            rights,
            token_lifetime: LIFETIME_SECS,
            ticket_lifetime: LIFETIME_SECS,
            followers_page: FOLLOWERS_PAGE,
        }
    }

    /// Takes over what a patch says.
    pub(crate) fn apply(&mut self, patch: &Patch) {
        replace(&mut self.secret_frozen, patch.secret_frozen);
        replace(&mut self.frozen, patch.frozen);
        replace(&mut self.token_api_disabled, patch.token_api_disabled);
        replace(&mut self.test_account, patch.test_account);
        replace(&mut self.token_lifetime, patch.token_lifetime);
        replace(&mut self.ticket_lifetime, patch.ticket_lifetime);
        replace(&mut self.followers_page, patch.followers_page);
        if let Some(list) = &patch.ip_allow_list {
            self.ip_allow_list = list.clone();
        }
        if let Some(domains) = &patch.web_domains {
            self.web_domains = domains.clone();
        }
        if let Some(domains) = &patch.js_domains {
            self.js_domains = domains.clone();
        }
        replace(&mut self.open_platform, patch.open_platform);
        if let Some(rights) = &patch.rights {
            replace(&mut self.rights.jssdk, rights.jssdk);
            replace(&mut self.rights.cards, rights.cards);
            replace(&mut self.rights.customer_service, rights.customer_service);
            replace(&mut self.rights.web_login, rights.web_login);
        }
    }
}

/// With how little left a token or ticket is replaced, in seconds: 5 minutes, or in proportion when the lifetime was
/// set shorter than WeChat's.
pub(crate) fn renewal_secs(lifetime: u64) -> u64 {
    RENEWAL_SECS.min(lifetime / (LIFETIME_SECS / RENEWAL_SECS))
}

/// A change of an account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Patch {
    pub(crate) name: Option<String>,
    /// A new secret, given; all tokens die.
    pub(crate) secret: Option<String>,
    /// A new secret, made up; all tokens die.
    pub(crate) reset_secret: bool,
    pub(crate) secret_frozen: Option<bool>,
    pub(crate) frozen: Option<bool>,
    pub(crate) token_api_disabled: Option<bool>,
    pub(crate) test_account: Option<bool>,
    pub(crate) ip_allow_list: Option<AllowList>,
    pub(crate) web_domains: Option<Domains>,
    pub(crate) js_domains: Option<Domains>,
    pub(crate) open_platform: Option<bool>,
    /// Daily limits by path; null takes the override away.
    pub(crate) daily_quota: BTreeMap<String, Option<u64>>,
    /// Limits a minute by path, in the same way.
    pub(crate) minute_quota: BTreeMap<String, Option<u64>>,
    pub(crate) followers_page: Option<usize>,
    pub(crate) rights: Option<RightsPatch>,
    pub(crate) token_lifetime: Option<u64>,
    pub(crate) ticket_lifetime: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RightsPatch {
    pub(crate) jssdk: Option<bool>,
    pub(crate) cards: Option<bool>,
    pub(crate) customer_service: Option<bool>,
    pub(crate) web_login: Option<bool>,
}

impl Patch {
    /// What cannot be set, as a text that says what to do about it.
    pub(crate) fn problem(&self) -> Option<String> {
        let wrong = |lifetime: Option<u64>| lifetime.is_some_and(|secs| !(1..=LONGEST_LIFETIME_SECS).contains(&secs));
        if wrong(self.token_lifetime) || wrong(self.ticket_lifetime) {
            return Some(format!("a lifetime is given in seconds, from 1 to {LONGEST_LIFETIME_SECS}"));
        }
        if self.secret.is_some() && self.reset_secret {
            return Some("give secret (a new one of your own) or reset_secret (a made-up one), not both".into());
        }
        if self.followers_page.is_some_and(|page| !(1..=FOLLOWERS_PAGE).contains(&page)) {
            return Some(format!("followers_page is from 1 to {FOLLOWERS_PAGE}"));
        }
        let mut paths = self.daily_quota.keys().chain(self.minute_quota.keys());
        let path = paths.find(|path| !path.starts_with('/') || path.len() > 256)?;
        Some(format!("daily_quota or minute_quota names {path:?}; give a path such as /cgi-bin/token"))
    }
}

fn replace<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_shrinks_with_the_lifetime() {
        assert_eq!(renewal_secs(7200), 300);
        assert_eq!(renewal_secs(72_000), 300);
        assert_eq!(renewal_secs(48), 2);
        assert_eq!(renewal_secs(1), 0);
    }

    #[test]
    fn a_patch_that_cannot_be_is_named() {
        let patch = |text: &str| serde_json::from_str::<Patch>(text).expect("a patch").problem();
        assert_eq!(patch(r#"{"frozen":true}"#), None);
        assert!(patch(r#"{"token_lifetime":0}"#).is_some());
        assert!(patch(r#"{"secret":"a","reset_secret":true}"#).is_some());
        assert!(patch(r#"{"daily_quota":{"cgi-bin/token":1}}"#).is_some());
        assert!(serde_json::from_str::<Patch>(r#"{"frozzen":true}"#).is_err());
    }
}
