//! What can go wrong in the store, in words that say what to do.
//!
//! Every error of the driver is sorted here, once, by its code. The texts never hold a secret or the database's
//! password: secrets are sealed before they reach a statement, and connection errors are shown without the URL.

use sea_orm::{DbErr, RuntimeErr};

/// Why the store could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be used now: unreachable, read-only, full, locked. Another try may succeed. After a write
    /// that failed so, the write may have happened all the same (the answer to the commit was lost).
    #[error("the database cannot be used: {problem}; {advice}")]
    Unavailable {
        /// What happened, in the driver's words.
        problem: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The key file holds none of the keys that this database was sealed with, or not the one of this value.
    #[error(
        "this database is sealed with another master key ({wanted}); the key file holds {given}: \
         give the key file that was used before (--master-key), nothing was changed"
    )]
    WrongMasterKey {
        /// Ids of the keys that would fit.
        wanted: String,
        /// Ids of the keys that were given.
        given: String,
    },
    /// A later version of the program has changed the tables.
    #[error(
        "this database was written by a newer version of wechat-proxy (migration {migration} is unknown here): \
         upgrade this one, or restore a backup from before; nothing was changed"
    )]
    NewerSchema {
        /// The first migration that this program does not know.
        migration: String,
    },
    /// What is stored cannot be read.
    #[error("{what}: restore the database from a backup, or give another one with --database")]
    Corrupt {
        /// What is wrong with it, and where.
        what: String,
    },
    /// The database URL makes no sense.
    #[error("the database URL is not usable: {0}")]
    BadUrl(String),
    /// The key file makes no sense.
    #[error("the master key file is not usable: {0}")]
    BadKeyFile(String),
    /// Others kept changing the same rows.
    #[error("others are changing the same thing at the same time; try again")]
    Conflict,
    /// A name is longer than the tables hold.
    #[error("{what} is too long: at most {limit} bytes")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl StoreError {
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    /// Whether another try may succeed without anybody mending anything.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Conflict)
    }

    /// For a wait that reached its limit.
    pub(crate) fn timed_out() -> Self {
        Self::Unavailable {
            problem: "no answer in time".into(),
            advice: "check the database's load and the network between, then try again",
        }
    }
}

/// Refuses a name that a key column cannot hold (MySQL outside strict mode would cut it silently).
pub(crate) fn within(what: &'static str, limit: usize, text: &str) -> Result<(), StoreError> {
    if text.len() > limit { Err(StoreError::TooLong { what, limit }) } else { Ok(()) }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::ConnectionAcquire(_) => Self::timed_out(),
            DbErr::Conn(RuntimeErr::SqlxError(e))
            | DbErr::Exec(RuntimeErr::SqlxError(e))
            | DbErr::Query(RuntimeErr::SqlxError(e)) => Self::from(e.as_ref()),
            DbErr::RecordNotUpdated => Self::Conflict,
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => {
                Self::corrupt(format!("a row of the database cannot be read ({error})"))
            }
            _ => Self::Unavailable { problem: error.to_string(), advice: REPORT },
        }
    }
}

impl From<&sqlx::Error> for StoreError {
    fn from(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(e) => from_code(e.as_ref()),
            sqlx::Error::PoolTimedOut => Self::timed_out(),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::corrupt(format!("a row of the database cannot be read ({error})"))
            }
            sqlx::Error::Configuration(e) => Self::BadUrl(e.to_string()),
            _ => Self::Unavailable { problem: error.to_string(), advice: REACHABLE },
        }
    }
}

const REACHABLE: &str = "check that it runs and can be reached from here";
pub(crate) const REPORT: &str = "this is unexpected: please report it";
const READ_ONLY: &str = "make the database (for SQLite: the file, those beside it ending in -wal and -shm, and their \
                         folder) writable for this user";
const FULL: &str = "free some space on its disk";
const CREDENTIALS: &str = "check user and password in the database URL";
const MISSING: &str = "create the database first: this program creates tables, not databases";
const RIGHTS: &str = "give this database user the right to create and change tables in this database";
pub(crate) const BUSY: &str = "another program keeps it locked; end that program, or try again";

/// Sorts an error by the database's own code: a number in SQLite, an SQLSTATE elsewhere (and MySQL's number beside it).
fn from_code(error: &dyn sqlx::error::DatabaseError) -> StoreError {
    let problem = error.message().to_owned();
    let advice = match reason(error) {
        Reason::NoDatabase => return StoreError::corrupt(format!("this file is no usable database ({problem})")),
        Reason::ReadOnly => READ_ONLY,
        Reason::Full => FULL,
        Reason::Credentials => CREDENTIALS,
        Reason::Missing => MISSING,
        Reason::Rights => RIGHTS,
        Reason::Busy => BUSY,
        Reason::Unreachable => REACHABLE,
        Reason::Other => REPORT,
    };
    StoreError::Unavailable { problem, advice }
}

enum Reason {
    NoDatabase,
    ReadOnly,
    Full,
    Credentials,
    Missing,
    Rights,
    Busy,
    Unreachable,
    Other,
}

fn reason(error: &dyn sqlx::error::DatabaseError) -> Reason {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // The low byte of SQLite's extended code is its primary code.
        return match code.parse::<i32>().unwrap_or(0) & 0xff {
            5 | 6 => Reason::Busy,
            8 | 14 => Reason::ReadOnly,
            13 => Reason::Full,
            11 | 26 => Reason::NoDatabase,
            10 => Reason::Unreachable,
            _ => Reason::Other,
        };
    }
    if let Some(e) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return match e.number() {
            1045 | 1698 => Reason::Credentials,
            1044 | 1142 => Reason::Rights,
            1049 => Reason::Missing,
            1290 | 1792 | 1836 => Reason::ReadOnly,
            1021 | 1114 => Reason::Full,
            1205 | 1213 => Reason::Busy,
            1040 | 1053 | 1129 | 1130 | 1203 => Reason::Unreachable,
            _ => Reason::Other,
        };
    }
    match code.as_ref() {
        "25006" => Reason::ReadOnly,
        "53100" => Reason::Full,
        "28000" | "28P01" => Reason::Credentials,
        "3D000" => Reason::Missing,
        "42501" => Reason::Rights,
        "40001" | "40P01" | "55P03" => Reason::Busy,
        other if other.starts_with("08") || other.starts_with("53") || other.starts_with("57P") => Reason::Unreachable,
        _ => Reason::Other,
    }
}

/// True for what goes away when the whole transaction is done again: a deadlock, or two inserts of one key at once.
pub(crate) fn is_worth_repeating(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e))) = error else { return false };
    let sqlx::Error::Database(e) = e.as_ref() else { return false };
    if e.is_unique_violation() {
        return true;
    }
    match e.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        // Lock wait timeout, deadlock; MariaDB: the record has changed since last read.
        Some(e) => matches!(e.number(), 1205 | 1213 | 1020),
        None => matches!(e.code().as_deref(), Some("40001" | "40P01")),
    }
}
