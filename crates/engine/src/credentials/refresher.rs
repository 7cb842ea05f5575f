//! The background: refreshes what is due, takes over what other nodes (or the command line) changed, writes down what
//! was used, removes registrations whose time is over.
//!
//! Each duty is a step that tests can call, and [`run`] is the loop around them. What must stay true: a step that fails
//! is logged and tried again; the loop ends only when it is told to.

use std::collections::VecDeque;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use store::{ChangeReader, StoreError, Subject, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Credentials;
use super::decide::{Demand, Want};
use crate::credential_error::CredentialError;
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

/// How long change notes are kept: much longer than a node that works may be late in reading them.
const KEEP_CHANGES: Duration = Duration::from_secs(3600);

/// A node that read no change notes for so long (no database, a machine that slept) may have missed some that are gone
/// by now, and trusts nothing that it has in memory. Half, because clocks differ.
const AWAY_TOO_LONG: Duration = Duration::from_secs(KEEP_CHANGES.as_secs() / 2);

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
    let mut changes = Changes { reader, read_at: credentials.0.clock.now(), waiting: VecDeque::new() };
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
    /// When the list was last read.
    read_at: Timestamp,
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
        let mut all_looked_at = true;
        for due in &due {
            if refreshes.len() >= AT_ONCE {
                all_looked_at &= refreshes.next().await.unwrap_or(true);
            }
            match SlotId::parse(&due.id) {
                Some(id) => refreshes.push(self.refresh_ahead(id)),
                None => {
                    tracing::error!(credential = due.id, "is of a kind that this version does not know");
                    all_looked_at = false;
                }
            }
        }
        while let Some(is_looked_at) = refreshes.next().await {
            all_looked_at &= is_looked_at;
        }
        if !all_looked_at {
            return Ok(LONGEST_SLEEP);
        }
        let next = self.0.store.next_due(used_since).await?;
        let wait = next.map_or(LONGEST_SLEEP, |next| {
            let left = next.as_millis().saturating_sub(self.0.clock.now().as_millis());
            Duration::from_millis(u64::try_from(left).unwrap_or(0))
        });
        // At least a little: what became due meanwhile comes together.
        Ok(wait.clamp(Duration::from_millis(50), LONGEST_SLEEP))
    }

    /// False when it stays due, because its row or its registration cannot be read.
    async fn refresh_ahead(&self, id: SlotId) -> bool {
        let slot = self.0.slots.slot(id);
        let demand = Demand { want: Want::Fresh, asked_at: self.0.clock.now() };
        match self.join_or_start(&slot, &demand).await {
            Err(CredentialError::Store(error)) => {
                tracing::error!(credential = %slot.id, %error, "cannot be refreshed ahead");
                false
            }
            // Other failures are logged where they happen and remembered in the row.
            _ => true,
        }
    }

    /// Takes over what others changed since the last step. When the database does not answer nothing is skipped: it
    /// waits for the next step. Only what no waiting makes readable is passed over, so that it holds up nothing else.
    async fn change_step(&self, changes: &mut Changes) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        changes.waiting.extend(changes.reader.step(&self.0.store, now).await?);
        if now.since(changes.read_at) >= AWAY_TOO_LONG {
            tracing::warn!("no changes of other nodes were read for long; everything in memory is looked up anew");
            self.0.directory.drop_all_loaded();
            changes.waiting.extend(self.0.slots.all().iter().map(|slot| Subject::Credential(slot.id.to_string())));
        }
        changes.read_at = now;
        while let Some(subject) = changes.waiting.front() {
            match subject {
                Subject::App(key) => self.0.directory.drop_loaded(key),
                Subject::Credential(id) => match self.changed(std::slice::from_ref(id)).await {
                    Err(error) if error.may_pass() => return Err(error),
                    Err(error) => tracing::error!(credential = id, %error, "was changed, but cannot be read"),
                    Ok(()) => {}
                },
            }
            changes.waiting.pop_front();
        }
        Ok(())
    }

    async fn mark_used_step(&self) -> Result<(), StoreError> {
        let mut used = self.0.slots.all();
        used.retain(|slot| slot.take_used());
        let ids: Vec<String> = used.iter().map(|slot| slot.id.to_string()).collect();
        let marked = self.0.store.mark_used(&ids, self.0.clock.now()).await;
        if marked.is_err() {
            used.iter().for_each(|slot| slot.mark_used());
        }
        marked
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

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use secrecy::ExposeSecret;
    use store::{DatabaseUrl, Keyring, Store};

    use super::super::tests::{ID, NOW, credentials, store_value};
    use super::*;

    const KEY: &str = "test";

    /// As a key file, the newest key first.
    fn ring(keys: &[u8]) -> Keyring {
        let lines: Vec<String> = keys.iter().map(|key| STANDARD.encode([*key; 32])).collect();
        Keyring::read(&lines.join("\n")).unwrap()
    }

    async fn changes(credentials: &Credentials) -> Changes {
        let reader = ChangeReader::start(&credentials.0.store, NOW).await.unwrap();
        Changes { reader, read_at: NOW, waiting: VecDeque::new() }
    }

    #[tokio::test]
    async fn a_value_under_a_key_that_this_node_lacks_holds_up_no_other_change() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::parse(&format!("sqlite://{}", folder.path().join("x.db").display())).unwrap();
        let (ours, _) = credentials(Store::open(&url, ring(&[1]), NOW).await.unwrap());
        let theirs = Store::open(&url, ring(&[2, 1]), NOW).await.unwrap();
        let mut changes = changes(&ours).await;
        let slot = |id: &str| ours.0.slots.slot(SlotId::parse(id).unwrap());
        let (unreadable, readable) = (slot(ID), slot("jsapi_ticket:wx1"));
        store_value(&theirs, ID, "sealed under the new key").await;
        store_value(&ours.0.store, "jsapi_ticket:wx1", "ticket").await;
        ours.change_step(&mut changes).await.unwrap();
        assert!(unreadable.latest().is_none());
        assert_eq!(readable.latest().unwrap().value.expose_secret(), "ticket");
        assert!(changes.waiting.is_empty());
    }

    #[tokio::test]
    async fn a_value_that_cannot_be_read_is_not_looked_at_all_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::parse(&format!("sqlite://{}", folder.path().join("x.db").display())).unwrap();
        let (ours, clock) = credentials(Store::open(&url, ring(&[1]), NOW).await.unwrap());
        store_value(&Store::open(&url, ring(&[2, 1]), NOW).await.unwrap(), ID, "sealed under the new key").await;
        clock.advance(Duration::from_secs(7000));
        assert_eq!(ours.refresh_step().await.unwrap(), LONGEST_SLEEP);
    }

    #[tokio::test]
    async fn a_node_that_was_away_for_long_trusts_nothing_in_its_memory() {
        let url = DatabaseUrl::parse("sqlite://:memory:").unwrap();
        let (credentials, clock) = credentials(Store::open(&url, ring(&[1]), NOW).await.unwrap());
        let mut changes = changes(&credentials).await;
        let slot = credentials.0.slots.slot(SlotId::parse(ID).unwrap());
        store_value(&credentials.0.store, ID, "old").await;
        credentials.0.store.insert_app(&super::super::tests::app(KEY)).await.unwrap();
        credentials.change_step(&mut changes).await.unwrap();
        assert!(credentials.0.directory.find(KEY, NOW).await.unwrap().is_some());
        credentials.0.store.remove_app(KEY, NOW).await.unwrap();
        clock.advance(AWAY_TOO_LONG);
        // The notes of the removal are gone.
        changes.reader = ChangeReader::start(&credentials.0.store, NOW).await.unwrap();
        assert!(credentials.0.directory.loaded(KEY, NOW).is_some() && slot.latest().is_some());
        credentials.change_step(&mut changes).await.unwrap();
        assert!(credentials.0.directory.loaded(KEY, NOW).is_none() && slot.latest().is_none());
    }
}
