//! Opening the store, and its health.
//!
//! Called once by each command at its start. Order matters: what only looks (is the schema newer? does the key fit?)
//! comes before what writes, so that a refusal leaves the database as it was.

use std::fmt;
use std::sync::Arc;

use crate::database::{Database, limited};
use crate::migrations::{self, Standing};
use crate::{DatabaseUrl, Keyring, StoreError, Timestamp, master_keys};

/// An open database. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) database: Database,
    pub(crate) keyring: Arc<Keyring>,
}

/// The setting that [`Store::check_writable`] writes.
const LAST_WRITE_CHECK: &str = "last_write_check";

impl Store {
    /// Opens the database: creates a missing SQLite file (readable by its owner alone), connects, brings the tables up
    /// to date, checks the master key and that it can write. Takes some seconds at most; several nodes may do it at once.
    ///
    /// # Errors
    /// [`StoreError::WrongMasterKey`] and [`StoreError::NewerSchema`] (both: nothing was written),
    /// [`StoreError::Corrupt`] for a file that is no database, [`StoreError::Unavailable`] for everything that may pass.
    pub async fn open(url: &DatabaseUrl, keyring: Keyring, now: Timestamp) -> Result<Self, StoreError> {
        let database = Database::connect(url).await?;
        let store = Self { database, keyring: Arc::new(keyring) };
        match store.prepare(now).await {
            Ok(()) => Ok(store),
            Err(e) => {
                store.close().await;
                Err(e)
            }
        }
    }

    async fn prepare(&self, now: Timestamp) -> Result<(), StoreError> {
        let db = self.database.writer();
        if migrations::standing(db).await? != Standing::Empty {
            master_keys::check(db, &self.keyring).await?;
        }
        migrations::migrate(db).await?;
        master_keys::remember(&self.database, &self.keyring, now).await?;
        // A server that can only read would look well until the first registration.
        self.check_writable(now).await
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        limited(self.database.reader().ping()).await
    }

    /// Writes something, and so finds out whether the database is full or read-only.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is.
    pub async fn check_writable(&self, now: Timestamp) -> Result<(), StoreError> {
        self.put_setting(LAST_WRITE_CHECK, &now.as_millis().to_string()).await
    }

    /// Closes the connections, waiting at most a few seconds for what is under way.
    pub async fn close(&self) {
        self.database.close().await;
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("keyring", &self.keyring).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    async fn in_memory() -> Store {
        let url = DatabaseUrl::parse("sqlite://:memory:").unwrap();
        Store::open(&url, Keyring::generate([7; 32]), NOW).await.unwrap()
    }

    async fn advice_after(pragma: &str, value: &str) -> &'static str {
        let store = in_memory().await;
        store.database.writer().execute_unprepared(pragma).await.unwrap();
        match store.put_setting("name", value).await.unwrap_err() {
            StoreError::Unavailable { advice, .. } => advice,
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn a_full_or_read_only_database_says_so() {
        assert!(advice_after("PRAGMA max_page_count = 1", &"x".repeat(1 << 20)).await.contains("free some space"));
        assert!(advice_after("PRAGMA query_only = 1", "x").await.contains("writable"));
    }

    /// As when the disk is full: SQLite rolls back by itself, and the driver's own rollback fails. What is written afterwards
    /// must be on disk nevertheless.
    #[tokio::test]
    async fn what_is_written_after_sqlite_ended_a_transaction_by_itself_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::parse(&format!("sqlite://{}/x.db", folder.path().display())).unwrap();
        let store = Store::open(&url, Keyring::generate([7; 32]), NOW).await.unwrap();
        let full = || Err::<(), _>(sea_orm::DbErr::Custom("database or disk is full".to_owned()));
        let ended = store.database.write(|tx| async move {
            tx.execute_unprepared("ROLLBACK").await?;
            full()
        });
        assert!(ended.await.is_err());
        assert!(store.database.write(|_| async move { full() }).await.is_err());
        for number in 0..3 {
            store.put_setting(&format!("after {number}"), "is kept").await.unwrap();
        }
        let seen = Store::open(&url, Keyring::generate([7; 32]), NOW).await.unwrap();
        for number in 0..3 {
            let kept = seen.setting(&format!("after {number}")).await.unwrap();
            assert_eq!(kept.as_deref(), Some("is kept"), "{number}");
        }
    }

    #[tokio::test]
    async fn an_unreachable_server_is_said_within_the_limit_and_without_the_password() {
        for text in ["postgres://user:s3cret@127.0.0.1:1/proxy", "mysql://user:s3cret@127.0.0.1:1/proxy"] {
            let url = DatabaseUrl::parse(text).unwrap();
            let error = Store::open(&url, Keyring::generate([7; 32]), NOW).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
            assert!(error.to_string().contains("check that it runs"), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    /// Spawned tasks hold these futures.
    #[test]
    fn futures_can_move_between_threads() {
        fn movable<T: Send>(_: impl FnOnce(&'static Store) -> T) {}
        movable(|store| store.claim_credential("", "", "", 0, NOW, NOW));
        movable(|store| store.update_apps(&[]));
        movable(|store| store.remove_expired_apps(NOW));
        movable(|store| store.clear_failures("", NOW));
        movable(|store| store.mark_used(&[""], NOW));
        movable(|store| store.put_setting("", ""));
        movable(|store| store.credential(""));
    }
}
