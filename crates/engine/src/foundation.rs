//! What nearly every part stands on: the store, what is in memory, time, chance, counters, and this process itself.
//!
//! Made once per server and shared; the parts above hold it and what else they need.

use std::sync::Arc;
use std::time::Duration;

use store::{NodeId, Store, StoreError};
use tokio_util::task::TaskTracker;

use crate::apps::Directory;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::random::Random;
use crate::slot::SlotTable;

/// What nearly every part stands on.
pub struct Foundation {
    /// What is remembered.
    pub store: Store,
    /// Registrations in memory.
    pub directory: Directory,
    /// Tokens and tickets in memory.
    pub slots: Arc<SlotTable>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// This process among those on the same database.
    pub node: NodeId,
    /// Where background work runs, so that a shutdown can wait for it.
    pub tasks: TaskTracker,
}

impl Foundation {
    /// With nothing in memory yet.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, random: Arc<dyn Random>, metrics: Arc<Metrics>) -> Arc<Self> {
        let mut node = [0; 16];
        random.fill(&mut node);
        Arc::new(Self {
            directory: Directory::new(store.clone()),
            store,
            slots: Arc::default(),
            clock,
            random,
            metrics,
            node: NodeId(node),
            tasks: TaskTracker::new(),
        })
    }
}

/// After the database did not take something, how long until the next try.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Repeats what the database does not take, until it does. It ends with the process at the latest: then another node, or the
/// next start, takes over.
pub(crate) async fn until_stored<T, F>(what: &str, write: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, StoreError>>,
{
    loop {
        match write().await {
            Ok(done) => return done,
            Err(error) => tracing::error!(%error, "{what} could not be stored; it is tried again"),
        }
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}
