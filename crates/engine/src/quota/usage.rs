//! Calls to WeChat's API by registration and API: counted in memory, written down every few seconds, so that all nodes together
//! and the day before can be looked at.
//!
//! What must stay true: counting takes no lock on a path that was seen before, and what a caller makes up (paths that are
//! no API) does not grow without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use papaya::HashMap;
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use store::{ApiUse, MAX_API_BYTES, Store, StoreError, Timestamp};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use wechat::Errcode;
use wechat::pay::time::spaced;

use crate::clock::Clock;
use crate::metrics::Metrics;

/// How often counts are written down.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// How many days counts are kept, and how often older ones are removed.
const KEEP_DAYS: i64 = 100;
const REMOVE_OLD_EVERY: Duration = Duration::from_secs(3600);

/// So many APIs of one registration are counted by name.
const MOST_APIS: usize = 300;

/// The name of all others.
const OTHERS: &str = "others";

/// All counts of this node.
pub struct Usage {
    store: Store,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    by_key: HashMap<String, Arc<Apis>>,
    saving: Mutex<()>,
}

type Apis = HashMap<String, Arc<Count>>;

/// The calls of one registration to one API.
#[derive(Debug, Default)]
pub struct Count {
    /// The API, as it is counted.
    api: String,
    calls: Counter,
    refused: Counter,
    saved_calls: AtomicU64,
    saved_refused: AtomicU64,
}

/// A line of `/admin/usage`.
#[derive(Debug, Serialize)]
pub struct UsageLine {
    /// WeChat's day (UTC+8), `2026-11-22`.
    pub day: String,
    /// The registration.
    pub key: String,
    /// The API's path.
    pub api: String,
    /// Calls that were sent to WeChat.
    pub calls: u64,
    /// Those that it answered with an errcode.
    pub refused: u64,
}

impl Usage {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { store, clock, metrics, by_key: HashMap::new(), saving: Mutex::default() }
    }

    /// Counts a call of the registration `key`, and what WeChat said.
    pub(crate) fn count(&self, key: &str, api: &str, refusal: Option<Errcode>) {
        let by_key = self.by_key.pin();
        let apis = match by_key.get(key) {
            Some(apis) => apis,
            None => by_key.get_or_insert_with(key.to_owned(), Arc::default),
        };
        let apis = apis.pin();
        let count = match apis.get(api) {
            Some(count) => count,
            None => {
                let has_room = apis.len() < MOST_APIS && api.len() <= MAX_API_BYTES;
                let api = if has_room { api } else { OTHERS };
                apis.get_or_insert_with(api.to_owned(), || Arc::new(self.new_count(key, api)))
            }
        };
        count.calls.inc();
        if let Some(errcode) = refusal {
            count.refused.inc();
            self.metrics.api_refusal(key, &count.api, errcode.0);
        }
    }

    fn new_count(&self, key: &str, api: &str) -> Count {
        Count { api: api.to_owned(), calls: self.metrics.api_calls(key, api), ..Count::default() }
    }

    /// Writes down what was counted since the last time.
    ///
    /// # Errors
    /// [`StoreError`]; then it is written with the next.
    pub async fn save(&self) -> Result<(), StoreError> {
        let _saving = self.saving.lock().await;
        let day = ApiUse::day_of(self.clock.now());
        let (rows, counts) = self.unsaved(day);
        if rows.is_empty() {
            return Ok(());
        }
        self.store.add_api_usage(&rows).await?;
        for (row, count) in rows.iter().zip(counts) {
            count.saved_calls.fetch_add(row.calls, Ordering::Relaxed);
            count.saved_refused.fetch_add(row.refused, Ordering::Relaxed);
        }
        Ok(())
    }

    fn unsaved(&self, day: i64) -> (Vec<ApiUse>, Vec<Arc<Count>>) {
        let (mut rows, mut counts) = (Vec::new(), Vec::new());
        for (key, apis) in &self.by_key.pin() {
            for (api, count) in &apis.pin() {
                let calls = count.calls.get() - count.saved_calls.load(Ordering::Relaxed);
                let refused = count.refused.get() - count.saved_refused.load(Ordering::Relaxed);
                if calls > 0 || refused > 0 {
                    rows.push(ApiUse { day, key: key.clone(), api: api.clone(), calls, refused });
                    counts.push(Arc::clone(count));
                }
            }
        }
        (rows, counts)
    }

    /// The counts of all nodes for the last `days` days, today's first; of one registration, or of all.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn lines(&self, days: i64, key: Option<&str>, limit: u64) -> Result<Vec<UsageLine>, StoreError> {
        self.save().await?;
        let today = ApiUse::day_of(self.clock.now());
        let rows = self.store.api_usage(today - days + 1, today, key, limit).await?;
        Ok(rows.into_iter().map(UsageLine::of).collect())
    }

    /// Saves every few seconds, and removes what is old, until `stop`. What is counted after that is for who ends the server.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut removed_at = None;
        while stop.run_until_cancelled(tokio::time::sleep(SAVE_EVERY)).await.is_some() {
            self.save_or_say().await;
            self.remove_old(&mut removed_at).await;
        }
    }

    /// Saves; what the database does not take is told in the log.
    pub async fn save_or_say(&self) {
        if let Err(error) = self.save().await {
            tracing::error!(%error, "the counts of API calls could not be written; they are kept for the next time");
        }
    }

    async fn remove_old(&self, removed_at: &mut Option<Timestamp>) {
        let now = self.clock.now();
        if removed_at.is_some_and(|at| now.since(at) < REMOVE_OLD_EVERY) {
            return;
        }
        *removed_at = Some(now);
        if let Err(error) = self.store.prune_api_usage(ApiUse::day_of(now) - KEEP_DAYS).await {
            tracing::error!(%error, "old counts of API calls could not be removed");
        }
    }
}

impl UsageLine {
    fn of(row: ApiUse) -> Self {
        Self { day: date(row.day), key: row.key, api: row.api, calls: row.calls, refused: row.refused }
    }
}

/// `2026-11-22`: the date of a day of WeChat's.
fn date(day: i64) -> String {
    const DAY: i64 = 24 * 3600;
    let begin = day * DAY - 8 * 3600;
    spaced(begin).split(' ').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (day, expected) in [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22")] {
            assert_eq!(date(day), expected);
        }
    }
}
