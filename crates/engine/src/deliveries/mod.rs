//! Deliveries: what a backend did not take at the first try is brought to it again, until it has it or its time is over.
//!
//! * `schedule`: when it is tried again;
//! * `lane`: one backend's deliveries, one after the other, the oldest first.
//!
//! What must stay true: every delivery that is owed is on disk with the moment of its next try; a backend that is down
//! holds up no other; when it is back it gets what waited for it at once, in the order in which it came.

mod lane;
pub mod schedule;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::{BackendId, StoreError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::backends::Backends;
use crate::foundation::{AFTER_FAILURE, Foundation};
use crate::late_replies::LateReplies;

/// The longest sleep between two looks: what another node owed before it died is found by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);

/// The shortest: what becomes due meanwhile comes together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// While lanes are running, how long until the next look.
const WHILE_WORKING: Duration = Duration::from_millis(500);

/// How often what is owed is counted, for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Backends that are delivered to at once.
const LANES: usize = 64;

/// Cares for what is owed to backends. Cheap to clone.
#[derive(Clone)]
pub struct Deliveries(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    backends: Backends,
    late_replies: LateReplies,
    /// Wakes the loop when something is owed.
    owed: Notify,
    /// Backends whose lane is running.
    running: Mutex<HashSet<BackendId>>,
    /// Backends that could not be reached and are owed something: when one takes anything, it gets all of it.
    unreached: Mutex<HashSet<BackendId>>,
}

impl std::ops::Deref for Inner {
    type Target = Foundation;
    fn deref(&self) -> &Foundation {
        &self.foundation
    }
}

impl Deliveries {
    /// On this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, backends: Backends, late_replies: LateReplies) -> Self {
        Self(Arc::new(Inner {
            foundation,
            backends,
            late_replies,
            owed: Notify::new(),
            running: Mutex::default(),
            unreached: Mutex::default(),
        }))
    }

    /// Something is owed to this backend from now on.
    pub fn is_owed(&self, backend: BackendId, unreachable: bool) {
        if unreachable {
            self.unreached().insert(backend);
        }
        self.0.owed.notify_one();
    }

    /// This backend has just taken something: if it was away before, it gets what waited for it.
    pub fn is_back(&self, backend: BackendId) {
        if !self.unreached().contains(&backend) {
            return;
        }
        let deliveries = self.clone();
        self.0.tasks.spawn(async move {
            if let Err(error) = deliveries.pull(backend).await {
                tracing::error!(%error, "what waits for a backend could not be made due");
            }
        });
    }

    /// Makes due what waits for a backend that was away; true if there was anything. After an error it is tried again with
    /// the next thing that the backend takes.
    async fn pull(&self, backend: BackendId) -> Result<bool, StoreError> {
        if !self.unreached().remove(&backend) {
            return Ok(false);
        }
        match self.0.store.pull_deliveries(backend).await {
            Ok(0) => Ok(false),
            Ok(count) => {
                tracing::info!(?backend, count, "a backend is back, and gets what waited for it");
                self.0.owed.notify_one();
                Ok(true)
            }
            Err(error) => {
                self.unreached().insert(backend);
                Err(error)
            }
        }
    }

    /// Delivers what is due until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let delivering = async {
            let mut counted_at = None;
            loop {
                let pause = self.step(&stop).await.unwrap_or_else(|error| {
                    tracing::error!(%error, "looking for deliveries failed");
                    AFTER_FAILURE
                });
                let now = self.0.clock.now();
                if counted_at.is_none_or(|at| now.since(at) >= COUNT_EVERY) {
                    counted_at = Some(now);
                    self.count().await;
                }
                let _ = tokio::time::timeout(pause, self.0.owed.notified()).await;
                tokio::time::sleep(SHORTEST_SLEEP).await;
            }
        };
        let _ = stop.run_until_cancelled(delivering).await;
    }

    /// Starts a lane for each backend that is due something. Gives how long nothing else will be due.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn step(&self, stop: &CancellationToken) -> Result<Duration, StoreError> {
        let now = self.0.clock.now();
        let Some(next) = self.0.store.next_delivery().await? else { return Ok(LONGEST_SLEEP) };
        if next > now {
            return Ok(next.since(now).clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
        }
        let running: Vec<BackendId> =
            self.0.running.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        for backend in self.0.store.backends_with_due_deliveries(now, &running).await? {
            self.start_lane(backend, stop);
        }
        Ok(WHILE_WORKING)
    }

    fn start_lane(&self, backend: BackendId, stop: &CancellationToken) {
        let mut running = self.0.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.len() >= LANES || !running.insert(backend) {
            return;
        }
        let lane = lane::Lane { deliveries: self.clone(), backend, stop: stop.clone() };
        self.0.tasks.spawn(lane.run());
    }

    async fn find_unreached(&self) -> Result<(), StoreError> {
        let backends = self.0.store.unreached_backends().await?;
        self.unreached().extend(backends);
        Ok(())
    }

    async fn count(&self) {
        if let Ok(count) = self.0.store.count_pending_deliveries().await {
            self.0.metrics.deliveries_pending(count);
        }
        // What another node could not deliver before it died.
        if let Err(error) = self.find_unreached().await {
            tracing::error!(%error, "looking for backends that are owed something failed");
        }
    }

    fn unreached(&self) -> std::sync::MutexGuard<'_, HashSet<BackendId>> {
        self.0.unreached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
