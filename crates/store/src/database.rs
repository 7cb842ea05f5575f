//! Connections, and limits on every wait for them.
//!
//! SQLite gets one connection that writes, so that no write ever waits inside a transaction for another one of this
//! process, and a few that read, opened when needed. The other databases get one bounded pool for both.

use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode,
    SqlxMySqlConnector, SqlxPostgresConnector, SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use secrecy::ExposeSecret;
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::database_url::Target;
use crate::error::{BUSY, is_worth_repeating};
use crate::{DatabaseUrl, StoreError};

/// How long a caller waits for a connection, and SQLite for another process's write.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);
/// How long one statement or transaction may take, waiting for a connection included.
const WORK_LIMIT: Duration = Duration::from_secs(15);
/// Connections to a shared database; few, because most requests are answered from memory.
const POOL_SIZE: u32 = 16;
/// Readers of a SQLite file.
const SQLITE_READERS: u32 = 4;
/// An idle reader of a SQLite file is closed after this.
const SQLITE_READER_IDLE: Duration = Duration::from_secs(60);
/// Pages of 4 KiB in the write-ahead log after which they are moved to the file: pages that many groups wrote are moved
/// once. SQLite's default is 1000, which is less than half a second of a busy server.
const CHECKPOINT_PAGES: &str = "4000";
/// How often a transaction, or opening a file, is tried when others get in its way, and the pause after the first
/// failure (it doubles).
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The connections of one [`crate::Store`].
#[derive(Clone)]
pub(crate) struct Database {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    options: TransactionOptions,
    in_doubt: InDoubt,
}

/// Whether the connection that writes to SQLite may still be inside a transaction that nobody will commit: SQLite ends one by
/// itself when the disk is full, the rollback that follows fails, and the driver counts one level too many from then on. All
/// that was written through it later would look committed and be nowhere. Such a connection is closed before it is used again.
#[derive(Clone, Default)]
struct InDoubt(Arc<AtomicBool>);

impl InDoubt {
    /// Does what ends a transaction; doubt stays when that fails, or is given up half-way.
    async fn while_ending<T>(&self, ending: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.0.store(true, Ordering::SeqCst);
        let done = ending.await?;
        self.0.store(false, Ordering::SeqCst);
        Ok(done)
    }

    fn settle(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Database {
    /// Connects within the limits above. Creates a missing SQLite file, readable only by its owner.
    pub(crate) async fn connect(url: &DatabaseUrl) -> Result<Self, StoreError> {
        match &url.target {
            Target::SqliteFile(path) => {
                create_private(path)?;
                let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
                sqlite(options, SQLITE_READERS).await
            }
            Target::SqliteMemory => sqlite(SqliteConnectOptions::new().in_memory(true), 0).await,
            Target::Postgres(url) => postgres(url.expose_secret()).await,
            Target::Mysql(url) => mysql(url.expose_secret()).await,
        }
    }

    /// For single statements that read.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// For single statements that write, and for migrations.
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Whether only one process can use this database, so that whatever another one left is nobody's.
    pub(crate) fn serves_one_node(&self) -> bool {
        self.writer.get_database_backend() == DbBackend::Sqlite
    }

    /// Runs `work` in one write transaction; commits when it succeeds. A deadlock, or another's insert of the same key
    /// in the same moment, repeats the whole of it.
    pub(crate) async fn write<T, F: Future<Output = Result<T, DbErr>> + Send>(
        &self,
        work: impl Fn(Arc<DatabaseTransaction>) -> F,
    ) -> Result<T, StoreError> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            match tokio::time::timeout(WORK_LIMIT, self.write_once(&work)).await {
                Err(_) => return Err(StoreError::timed_out()),
                Ok(Err(e)) if is_worth_repeating(&e) => tokio::time::sleep(pause).await,
                Ok(done) => return done.map_err(StoreError::from),
            }
            pause *= 2;
        }
        Err(StoreError::Conflict)
    }

    /// The transaction is handed over in an `Arc`, because a future that borrows it cannot be told to be `Send`.
    async fn write_once<T, F>(&self, work: &impl Fn(Arc<DatabaseTransaction>) -> F) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>> + Send,
    {
        let shared = Arc::new(self.writer.begin_with_options(self.options).await?);
        let done = work(Arc::clone(&shared)).await;
        let Some(transaction) = Arc::into_inner(shared) else {
            return Err(DbErr::Custom("a transaction was kept beyond its work".to_owned()));
        };
        match done {
            Ok(done) => self.in_doubt.while_ending(transaction.commit()).await.map(|()| done),
            Err(e) => {
                // Nothing to add when this fails too: the connection is not used again.
                let _ = self.in_doubt.while_ending(transaction.rollback()).await;
                Err(e)
            }
        }
    }

    pub(crate) async fn close(&self) {
        let both = async {
            let _ = self.reader.clone().close().await;
            let _ = self.writer.clone().close().await;
        };
        // A database that does not answer now must not keep the process from ending.
        let _ = tokio::time::timeout(ACQUIRE_LIMIT, both).await;
    }
}

/// Runs a single statement that writes, with the limit on all of it. A deadlock repeats it: in MySQL it can hit a statement
/// that changes one row, because others come to that row by way of an index, and this one goes on from the row to the index.
pub(crate) async fn repeated<T, F>(statement: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, DbErr>>,
{
    let tries = async {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match statement().await {
                Err(e) if is_worth_repeating(&e) => tokio::time::sleep(pause).await,
                done => return done,
            }
            pause *= 2;
        }
        statement().await
    };
    limited(tries).await
}

/// Puts the limit on a single statement.
pub(crate) async fn limited<T>(work: impl Future<Output = Result<T, DbErr>>) -> Result<T, StoreError> {
    match tokio::time::timeout(WORK_LIMIT, work).await {
        Ok(done) => done.map_err(StoreError::from),
        Err(_) => Err(StoreError::timed_out()),
    }
}

async fn sqlite(options: SqliteConnectOptions, readers: u32) -> Result<Database, StoreError> {
    let options = options.busy_timeout(ACQUIRE_LIMIT).disable_statement_logging();
    let writer_options = options
        .clone()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // An insert of many rows keeps its undo in a temporary file otherwise, made anew for each statement.
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_LIMIT).test_before_acquire(false).max_lifetime(None);
    let in_doubt = InDoubt::default();
    let doubt = in_doubt.clone();
    let writer = pool().max_connections(1).idle_timeout(None).before_acquire(move |_, _| {
        let is_sound = !doubt.settle();
        Box::pin(async move { Ok(is_sound) })
    });
    let writer = SqlxSqliteConnector::from_sqlx_sqlite_pool(first_writer(writer, writer_options).await?);
    let reader = if readers == 0 {
        writer.clone()
    } else {
        let options = options.pragma("query_only", "1");
        let readers = pool().max_connections(readers).idle_timeout(SQLITE_READER_IDLE).connect_lazy_with(options);
        SqlxSqliteConnector::from_sqlx_sqlite_pool(readers)
    };
    // A write transaction takes the write lock at its start: one that begins by reading and is then overtaken by another
    // process could not be continued.
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(Database { writer, reader, options, in_doubt })
}

/// Processes that open a new file at the same moment are in each other's way where it is switched to the write-ahead
/// log: SQLite does not wait there, whatever the busy timeout says.
async fn first_writer(pool: SqlitePoolOptions, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match pool.clone().connect_with(options.clone()).await.map_err(open_error) {
            Err(StoreError::Unavailable { advice: BUSY, .. }) => tokio::time::sleep(pause).await,
            done => return done,
        }
        pause *= 2;
    }
    pool.connect_with(options).await.map_err(open_error)
}

async fn postgres(url: &str) -> Result<Database, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(open_error)?
        .application_name("wechat-proxy")
        .disable_statement_logging();
    first_connection(options.connect()).await?;
    let pool =
        PgPoolOptions::new().max_connections(POOL_SIZE).acquire_timeout(ACQUIRE_LIMIT).connect_lazy_with(options);
    Ok(shared(SqlxPostgresConnector::from_sqlx_postgres_pool(pool)))
}

async fn mysql(url: &str) -> Result<Database, StoreError> {
    let options = MySqlConnectOptions::from_str(url).map_err(open_error)?.disable_statement_logging();
    first_connection(options.connect()).await?;
    let pool = MySqlPoolOptions::new().max_connections(POOL_SIZE).acquire_timeout(ACQUIRE_LIMIT).after_connect(
        |connection, _| {
            // For single statements too: otherwise an update locks every row that it looks at, and the gaps between.
            Box::pin(async move {
                connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await.map(drop)
            })
        },
    );
    let pool = pool.connect_lazy_with(options);
    Ok(shared(SqlxMySqlConnector::from_sqlx_mysql_pool(pool)))
}

/// Tries one connection outside the pool, because the pool would say only that time ran out.
async fn first_connection<C: Connection>(
    connect: impl Future<Output = Result<C, sqlx::Error>>,
) -> Result<(), StoreError> {
    let attempt = async { connect.await?.close().await };
    match tokio::time::timeout(ACQUIRE_LIMIT, attempt).await {
        Ok(done) => done.map_err(open_error),
        Err(_) => Err(StoreError::timed_out()),
    }
}

/// Read committed is enough (every compare-and-set is a single statement), and it keeps MySQL from locking gaps.
fn shared(pool: DatabaseConnection) -> Database {
    let options =
        TransactionOptions { isolation_level: Some(IsolationLevel::ReadCommitted), ..TransactionOptions::default() };
    Database { writer: pool.clone(), reader: pool, options, in_doubt: InDoubt::default() }
}

#[expect(clippy::needless_pass_by_value, reason = "taken by map_err")]
fn open_error(error: sqlx::Error) -> StoreError {
    StoreError::from(&error)
}

/// Creates the file so that nobody else can read it, before SQLite would create it for everybody.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(StoreError::Unavailable {
            problem: format!("{} cannot be created ({e})", path.display()),
            advice: "create its folder and make it writable for this user, or give another --database",
        }),
    }
}
