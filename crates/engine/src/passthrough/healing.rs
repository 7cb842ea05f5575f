//! Where a new token does not help: APIs that go on to refuse it. Without this memory a script that calls such an API in a
//! loop would replace the account's token each time, and use up the 20 forced refreshes of the day.

use std::time::Duration;

use papaya::HashMap;
use store::Timestamp;

use crate::slot::SlotId;

/// How long an API that refused a new token as well is not healed again.
const NOT_AGAIN_FOR: Duration = Duration::from_secs(60);

/// So many are remembered at most; when there are more, all begin anew.
const MOST: usize = 10_000;

/// The APIs that refused a new token as well, by account.
#[derive(Default)]
pub(super) struct Unhealed(HashMap<String, Timestamp>);

impl Unhealed {
    /// Whether a new token may help this API.
    pub(super) fn may_help(&self, account: &SlotId, api: &str, now: Timestamp) -> bool {
        let unhealed = self.0.pin();
        unhealed.is_empty() || unhealed.get(&name(account, api)).is_none_or(|until| *until <= now)
    }

    /// It did not.
    pub(super) fn did_not_help(&self, account: &SlotId, api: &str, now: Timestamp) {
        let unhealed = self.0.pin();
        if unhealed.len() >= MOST {
            unhealed.clear();
        }
        unhealed.insert(name(account, api), now + NOT_AGAIN_FOR);
    }

    /// It did.
    pub(super) fn helped(&self, account: &SlotId, api: &str) {
        let unhealed = self.0.pin();
        if !unhealed.is_empty() {
            unhealed.remove(&name(account, api));
        }
    }
}

fn name(account: &SlotId, api: &str) -> String {
    format!("{account} {api}")
}
