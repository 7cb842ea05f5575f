//! Where a new token does not help. Without this memory a script that calls an API which refuses every token would replace
//! the account's each time, and use up the 20 forced refreshes of the day.
//!
//! An API that refused a new token as well is not healed for a minute. And after each heal that was in vain, whatever the API,
//! the account's next token is forced only after a pause that grows; WeChat is still asked, normally, for the one it has.

use std::time::Duration;

use papaya::HashMap;
use store::Timestamp;

use crate::slot::SlotId;

/// How long an API that refused a new token as well is not healed again.
const NOT_AGAIN_FOR: Duration = Duration::from_secs(60);

/// The pause before an account's next forced refresh, after the first heal in vain; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause: 20 forced refreshes are more than a day of such pauses uses.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 3600);

/// So many are remembered at most; when there are more, all begin anew.
const MOST: usize = 10_000;

/// What was healed in vain.
#[derive(Default)]
pub(super) struct Unhealed {
    /// APIs, until when.
    apis: HashMap<String, Timestamp>,
    accounts: HashMap<SlotId, Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Timestamp,
    length: Duration,
}

impl Unhealed {
    /// Whether a new token may help this API.
    pub(super) fn may_help(&self, account: &SlotId, api: &str, now: Timestamp) -> bool {
        let apis = self.apis.pin();
        apis.is_empty() || apis.get(&name(account, api)).is_none_or(|until| *until <= now)
    }

    /// Whether WeChat may be made to give the account a new token, if it insists on the old one.
    pub(super) fn may_force(&self, account: &SlotId, now: Timestamp) -> bool {
        self.accounts.pin().get(account).is_none_or(|pause| pause.until <= now)
    }

    /// A heal was in vain.
    pub(super) fn did_not_help(&self, account: &SlotId, api: &str, now: Timestamp) {
        let (apis, accounts) = (self.apis.pin(), self.accounts.pin());
        if apis.len() >= MOST {
            apis.clear();
        }
        apis.insert(name(account, api), now + NOT_AGAIN_FOR);
        if accounts.len() >= MOST {
            accounts.clear();
        }
        let length = match accounts.get(account) {
            // Of many calls at once that one new token did not help, one is enough.
            Some(pause) if now < pause.until => return,
            Some(pause) => (2 * pause.length).min(LONGEST_PAUSE),
            None => FIRST_PAUSE,
        };
        accounts.insert(account.clone(), Pause { until: now + length, length });
    }

    /// A heal helped.
    pub(super) fn helped(&self, account: &SlotId, api: &str) {
        self.apis.pin().remove(&name(account, api));
        self.accounts.pin().remove(account);
    }
}

fn name(account: &SlotId, api: &str) -> String {
    format!("{account} {api}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heals_in_vain_make_forcing_rare_and_one_that_helps_ends_that() {
        let (unhealed, account) = (Unhealed::default(), SlotId::parse("stable_token:wx1").unwrap());
        let start = Timestamp::from_seconds(1_700_000_000);
        let (mut now, mut forced) = (start, 0);
        while now.since(start) < Duration::from_secs(24 * 3600) {
            if unhealed.may_force(&account, now) {
                forced += 1;
                let path = format!("/made/up{forced}");
                // Many at once count as one.
                (0..64).for_each(|_| unhealed.did_not_help(&account, &path, now));
                assert!(!unhealed.may_help(&account, &path, now));
                assert!(forced > 1 || unhealed.may_force(&account, now + FIRST_PAUSE));
            }
            now = now + Duration::from_secs(1);
        }
        assert!(forced <= 20, "{forced} of the 20 a day");
        unhealed.helped(&account, "/x");
        assert!(unhealed.may_force(&account, now));
    }
}
