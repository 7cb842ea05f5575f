//! The background: refreshes what is due, takes over what other nodes (or the command line) changed, writes down what
//! was used, removes registrations whose time is over.
//!
//! Each duty is a step that tests can call, and [`run`] is the loop around them. What must stay true: a step that fails
//! is logged and tried again; the loop ends only when it is told to.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use store::{ChangeReader, StoreError, Subject};
use tokio_util::sync::CancellationToken;

use super::Credentials;
use super::decide::{Demand, Want};
use crate::slot::SlotId;

/// A credential that nobody used for so long is not refreshed ahead any more; the next request fetches it.
const REFRESH_WHILE_USED_WITHIN: Duration = Duration::from_secs(48 * 3600);

/// How many refreshes one node has under way at once.
const AT_ONCE: usize = 16;

/// How many due credentials are looked up at once.
const BATCH: u64 = 200;

/// The longest sleep between two looks for what is due: also what another node stored becomes due here.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// How often changes of other nodes are read. Promise: within a second.
const READ_CHANGES_EVERY: Duration = Duration::from_millis(400);

/// How often the credentials in use are marked as used in the database.
const MARK_USED_EVERY: Duration = Duration::from_secs(600);

/// How often registrations whose time is over are removed, and old change notes with them.
const REMOVE_EXPIRED_EVERY: Duration = Duration::from_secs(2);

/// How long change notes are kept: much longer than any node may be late in reading them.
const KEEP_CHANGES: Duration = Duration::from_secs(3600);

/// After a step that failed (the database is away), how long until the next try.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Runs all duties until `stop`.
pub async fn run(credentials: Credentials, changes: ChangeReader, stop: CancellationToken) {
    let duties = async {
        tokio::join!(
            refresh_loop(&credentials),
            change_loop(&credentials, changes),
            repeat(MARK_USED_EVERY, "marking what was used", || credentials.mark_used_step()),
            repeat(REMOVE_EXPIRED_EVERY, "removing what has expired", || credentials.remove_expired_step()),
        );
    };
    let _ = stop.run_until_cancelled(duties).await;
}

async fn refresh_loop(credentials: &Credentials) {
    loop {
        let pause = credentials.refresh_step().await.unwrap_or_else(|error| {
            tracing::error!(%error, "looking for what is due failed");
            AFTER_FAILURE
        });
        let _ = tokio::time::timeout(pause, credentials.0.stored.notified()).await;
    }
}

async fn change_loop(credentials: &Credentials, reader: ChangeReader) {
    let mut changes = Changes { reader, waiting: VecDeque::new() };
    loop {
        tokio::time::sleep(READ_CHANGES_EVERY).await;
        if let Err(error) = credentials.change_step(&mut changes).await {
            tracing::error!(%error, "reading changes of other nodes failed");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}

async fn repeat<F: Future<Output = Result<(), StoreError>>>(every: Duration, what: &str, step: impl Fn() -> F) {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = step().await {
            tracing::error!(%error, "{what} failed");
        }
    }
}

/// What others changed: the reader, and what was read but not taken over yet.
struct Changes {
    reader: ChangeReader,
    waiting: VecDeque<Subject>,
}

impl Credentials {
    /// Refreshes what is due now. Gives how long nothing else will be due.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; what WeChat refuses is remembered in the credential itself.
    pub async fn refresh_step(&self) -> Result<Duration, StoreError> {
        let now = self.0.clock.now();
        let used_since = now - REFRESH_WHILE_USED_WITHIN;
        let due = self.0.store.due_credentials(now, used_since, BATCH).await?;
        let mut refreshes = FuturesUnordered::new();
        for due in &due {
            if refreshes.len() >= AT_ONCE {
                refreshes.next().await;
            }
            match SlotId::parse(&due.id) {
                Some(id) => refreshes.push(self.refresh_ahead(id)),
                None => tracing::error!(credential = due.id, "is of a kind that this version does not know"),
            }
        }
        while refreshes.next().await.is_some() {}
        let next = self.0.store.next_due(used_since).await?;
        let wait = next.map_or(LONGEST_SLEEP, |next| {
            let left = next.as_millis().saturating_sub(self.0.clock.now().as_millis());
            Duration::from_millis(u64::try_from(left).unwrap_or(0))
        });
        // At least a little: what is due but leased by another node, or not known to this version, must not spin.
        Ok(wait.clamp(Duration::from_millis(50), LONGEST_SLEEP))
    }

    async fn refresh_ahead(&self, id: SlotId) {
        let slot = self.0.slots.slot(id);
        let demand = Demand { want: Want::Fresh, asked_at: self.0.clock.now() };
        // Its failure is logged where it happens and remembered in the row.
        let _ = self.join_or_start(&slot, &demand).await;
    }

    /// Takes over what others changed since the last step. After an error nothing is skipped: it waits for the next.
    async fn change_step(&self, changes: &mut Changes) -> Result<(), StoreError> {
        changes.waiting.extend(changes.reader.step(&self.0.store, self.0.clock.now()).await?);
        while let Some(subject) = changes.waiting.front() {
            match subject {
                Subject::App(key) => self.0.directory.drop_loaded(key),
                Subject::Credential(id) => self.changed(std::slice::from_ref(id)).await?,
            }
            changes.waiting.pop_front();
        }
        Ok(())
    }

    async fn mark_used_step(&self) -> Result<(), StoreError> {
        let used: Vec<String> =
            self.0.slots.all().iter().filter(|slot| slot.take_used()).map(|slot| slot.id.to_string()).collect();
        if used.is_empty() {
            return Ok(());
        }
        self.0.store.mark_used(&used, self.0.clock.now()).await
    }

    async fn remove_expired_step(&self) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        for removed in self.0.store.remove_expired_apps(now).await? {
            tracing::info!(key = removed.key, "registration removed: its time is over");
            self.0.directory.drop_loaded(&removed.key);
            self.changed(&removed.credentials).await?;
        }
        self.0.store.prune_changes(now - KEEP_CHANGES).await.map(drop)
    }
}
