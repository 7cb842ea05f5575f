//! APIs whose quota is used up: until it is there again, calls are answered here with what WeChat said, so that no script in a
//! loop makes it worse, and none waits for a refusal that is known.
//!
//! Each node learns by itself, from one call. A quota that somebody clears (in WeChat's console, or by `clear_quota` through
//! here) is noticed: `clear_quota` closes what is open, and from time to time one call is let through to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use papaya::HashMap;
use store::Timestamp;
use wechat::ApiError;
use wechat::calls::Host;

use super::limit;
use crate::slot::SlotId;

/// When one call is let through to see whether the quota is there again: soon at first, because some APIs say "day" and mean a
/// minute (`getwxacodeunlimit` answers 45009 for 5,000 calls a minute); then after twice the time, up to the second.
const FIRST_LOOK: Duration = Duration::from_secs(60);
const LOOK_AT_MOST: Duration = Duration::from_secs(600);

/// So many are open at most; when there are more, all are closed.
const MOST: usize = 10_000;

/// A quota that is used up.
#[derive(Debug)]
pub struct Open {
    /// The account: its appid, for WeCom with a mark of the agent.
    pub account: String,
    /// The API's path.
    pub api: String,
    /// What WeChat said.
    pub error: ApiError,
    /// Until then calls are held back.
    pub until: Timestamp,
    /// WeChat's body, as it came.
    pub body: Bytes,
    /// And its type.
    pub content_type: Option<HeaderValue>,
    /// When WeChat refused, and how long after it one call may look.
    since: Timestamp,
    look_after: Duration,
    /// When it may (Unix milliseconds).
    next_look: AtomicI64,
}

/// The quotas that are used up, as far as this node knows.
#[derive(Default)]
pub struct Circuits(HashMap<String, Arc<Open>>);

impl Circuits {
    /// What WeChat said of this API, while calls are held back.
    pub(crate) fn held_back(&self, account: &SlotId, api: &str, now: Timestamp) -> Option<Arc<Open>> {
        let circuits = self.0.pin();
        if circuits.is_empty() {
            return None;
        }
        let name = name(account, api);
        let open = circuits.get(&name)?;
        if open.until <= now {
            circuits.remove(&name);
            return None;
        }
        let look = open.next_look.load(Ordering::Relaxed);
        // Until then the one that looks has its answer, which counts anew.
        let next = (now + FIRST_LOOK).as_millis();
        let may_look = look <= now.as_millis();
        let looks =
            may_look && open.next_look.compare_exchange(look, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        (!looks).then(|| Arc::clone(open))
    }

    /// WeChat refused a call: if a quota is the reason, those after it are held back.
    pub(crate) fn refused(&self, call: (&SlotId, Host, &str), refusal: Refusal<'_>, now: Timestamp) {
        let (account, host, api) = call;
        let Some(until) = limit::over_at(refusal.error.errcode, host, now) else { return };
        let circuits = self.0.pin();
        if circuits.len() >= MOST {
            circuits.clear();
        }
        let name = name(account, api);
        let look_after = match circuits.get(&name) {
            // Of many calls at once that WeChat refused, one is enough.
            Some(open) if now < open.since + open.look_after && now < open.until => return,
            Some(open) => (2 * open.look_after).min(LOOK_AT_MOST),
            None => FIRST_LOOK,
        };
        let open = Open {
            account: account_name(account),
            api: api.to_owned(),
            error: refusal.error.clone(),
            until,
            body: refusal.body,
            content_type: refusal.content_type,
            since: now,
            look_after,
            next_look: AtomicI64::new((now + look_after).as_millis()),
        };
        if circuits.insert(name, Arc::new(open)).is_none() {
            tracing::warn!(
                account = account_name(account),
                api,
                errcode = refusal.error.errcode.0,
                held_back_for_s = until.since(now).as_secs(),
                advice = refusal.error.errcode.advice(),
                "WeChat's quota of this API is used up: calls are answered here with WeChat's words until it is there again"
            );
        }
    }

    /// WeChat took a call of this API.
    pub(crate) fn taken(&self, account: &SlotId, api: &str) {
        let circuits = self.0.pin();
        if !circuits.is_empty() && circuits.remove(&name(account, api)).is_some() {
            tracing::info!(account = account_name(account), api, "WeChat takes calls of this API again");
        }
    }

    /// The account's quotas were cleared.
    pub(crate) fn cleared(&self, account: &SlotId) {
        let account = account_name(account);
        self.0.pin().retain(|_, open| open.account != account);
    }

    /// All that are open.
    #[must_use]
    pub fn open(&self, now: Timestamp) -> Vec<Arc<Open>> {
        let mut open: Vec<_> = self.0.pin().values().filter(|open| now < open.until).cloned().collect();
        open.sort_by(|a, b| (&a.account, &a.api).cmp(&(&b.account, &b.api)));
        open
    }
}

/// WeChat's refusal, as it came.
pub(crate) struct Refusal<'a> {
    pub(crate) error: &'a ApiError,
    pub(crate) body: Bytes,
    pub(crate) content_type: Option<HeaderValue>,
}

/// Quotas belong to the account, whichever of its tokens is used.
fn account_name(account: &SlotId) -> String {
    let appid = account.appid.as_str();
    account.agent.as_ref().map_or_else(|| appid.to_owned(), |agent| format!("{appid}:{agent}"))
}

fn name(account: &SlotId, api: &str) -> String {
    format!("{} {api}", account_name(account))
}

#[cfg(test)]
mod tests {
    use wechat::Errcode;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const API: &str = "/cgi-bin/user/info";

    fn account() -> SlotId {
        SlotId::parse("stable_token:wx1").unwrap()
    }

    fn refuse(circuits: &Circuits, errcode: i64) {
        let error = ApiError { errcode: Errcode(errcode), errmsg: "reach max".to_owned() };
        let refusal = Refusal { error: &error, body: Bytes::from_static(b"{}"), content_type: None };
        circuits.refused((&account(), Host::Api, API), refusal, NOW);
    }

    #[test]
    fn a_used_up_quota_holds_back_its_api_only_and_one_call_looks_now_and_then() {
        let circuits = Circuits::default();
        refuse(&circuits, 48001);
        assert!(circuits.held_back(&account(), API, NOW).is_none());
        refuse(&circuits, 45009);
        assert!(circuits.held_back(&account(), API, NOW).is_some());
        assert!(circuits.held_back(&SlotId::parse("token:wx1").unwrap(), API, NOW).is_some(), "the same account");
        assert!(circuits.held_back(&account(), "/cgi-bin/user/get", NOW).is_none());
        // Many at once that saw the same: the first look is not later for that.
        (0..64).for_each(|_| refuse(&circuits, 45009));
        let later = NOW + FIRST_LOOK;
        assert!(circuits.held_back(&account(), API, later).is_none(), "one looks");
        assert!(circuits.held_back(&account(), API, later).is_some(), "the others wait");
        circuits.taken(&account(), API);
        assert!(circuits.held_back(&account(), API, later).is_none());
    }

    #[test]
    fn it_ends_with_the_limit_or_when_the_quota_is_cleared() {
        let circuits = Circuits::default();
        refuse(&circuits, 45011);
        assert!(circuits.held_back(&account(), API, NOW + Duration::from_secs(60)).is_none());
        refuse(&circuits, 45009);
        circuits.cleared(&account());
        assert!(circuits.open(NOW).is_empty());
    }
}
