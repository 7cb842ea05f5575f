//! All parts of the engine, put together once per server.

use std::sync::Arc;

use store::{ChangeReader, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apps::Directory;
use crate::clock::Clock;
use crate::credentials::ages::Ages;
use crate::credentials::{Credentials, refresher};
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::random::Random;
use crate::registrar::Registrar;
use crate::slot::SlotTable;
use crate::upstream::{Hosts, Upstream};

/// What the engine is built from.
pub struct Materials {
    /// What is remembered.
    pub store: Store,
    /// Where WeChat is.
    pub hosts: Hosts,
    /// Who is let in.
    pub guard: Guard,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
}

/// Everything that the proxy does. The server's edges hold one and call its parts.
pub struct Engine {
    /// What is remembered.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The way to WeChat.
    pub upstream: Upstream,
    /// Tokens and tickets in memory.
    pub slots: Arc<SlotTable>,
    /// Registrations in memory.
    pub directory: Arc<Directory>,
    /// Always a good token.
    pub credentials: Credentials,
    /// Making and changing registrations.
    pub registrar: Registrar,
    /// Who may do what.
    pub guard: Guard,
    /// Work that a shutdown waits for.
    pub tasks: TaskTracker,
}

impl Engine {
    /// Puts the parts together. Nothing runs yet.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(materials: Materials) -> Result<Arc<Self>, reqwest::Error> {
        let Materials { store, hosts, guard, clock, random } = materials;
        let metrics = Metrics::new();
        let upstream = Upstream::new(hosts, Arc::clone(&metrics))?;
        let slots = Arc::new(SlotTable::default());
        let directory = Arc::new(Directory::new(store.clone()));
        let tasks = TaskTracker::new();
        let credentials = Credentials::new(crate::credentials::Parts {
            store: store.clone(),
            directory: Arc::clone(&directory),
            slots: Arc::clone(&slots),
            upstream: upstream.clone(),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            metrics: Arc::clone(&metrics),
            tasks: tasks.clone(),
        });
        metrics.add_collector(Box::new(Ages { slots: Arc::clone(&slots), clock: Arc::clone(&clock) }));
        let registrar = Registrar::new(
            store.clone(),
            Arc::clone(&directory),
            Arc::clone(&slots),
            credentials.clone(),
            Arc::clone(&clock),
            Arc::clone(&random),
        );
        Ok(Arc::new(Self {
            store,
            clock,
            random,
            metrics,
            upstream,
            slots,
            directory,
            credentials,
            registrar,
            guard,
            tasks,
        }))
    }

    /// Runs the background duties until `stop`.
    ///
    /// # Errors
    /// When the database does not say where its notes of changes stand.
    pub async fn start_background(&self, stop: CancellationToken) -> Result<(), store::StoreError> {
        let changes = ChangeReader::start(&self.store, self.clock.now()).await?;
        self.tasks.spawn(refresher::run(self.credentials.clone(), changes, stop));
        Ok(())
    }
}
