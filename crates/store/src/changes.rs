//! What changed, so that other processes on the same database can drop what they remember.
//!
//! Every write to a registration or credential appends a row here in its own transaction. Others read the new rows about
//! every half second. On PostgreSQL and MySQL a row's number is taken before its transaction commits, so a lower number
//! may become visible after a higher one; [`ChangeReader`] knows how to miss none of them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};

use crate::database::{limited, repeated};
use crate::entities::changes::{ActiveModel, Column, Entity, Model};
use crate::{Store, StoreError, Timestamp};

/// How long a missing number is waited for. It belongs to a transaction that is under way, which takes milliseconds, or
/// to one that was undone.
pub const CHANGE_OVERLAP: Duration = Duration::from_secs(30);

const KIND_APP: i32 = 1;
const KIND_CREDENTIAL: i32 = 2;
/// Rows of one query.
const PAGE: u64 = 1000;
/// How far before the newest number a new reader looks for transactions that are still under way.
const START_OVERLAP: i64 = 1000;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The registration with this key: new, changed or gone.
    App(String),
    /// The credential with this id: a new value, a failure, cleared or gone.
    Credential(String),
}

/// A row of the list of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Grows, with gaps.
    pub id: i64,
    /// What changed.
    pub subject: Subject,
}

impl Store {
    /// The first `limit` changes with a number above `cursor`, in the order of their numbers. A lower number may become
    /// visible later: use [`ChangeReader`] unless that does not matter.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn changes_after(&self, cursor: i64, limit: u64) -> Result<Vec<Change>, StoreError> {
        let rows = self.change_rows(cursor, limit).await?;
        Ok(rows.into_iter().filter_map(|(id, subject)| subject.map(|subject| Change { id, subject })).collect())
    }

    /// The same, with the rows whose kind only a later version knows.
    async fn change_rows(&self, cursor: i64, limit: u64) -> Result<Vec<(i64, Option<Subject>)>, StoreError> {
        let query = Entity::find().filter(Column::Id.gt(cursor)).order_by_asc(Column::Id).limit(limit);
        let rows = limited(query.all(self.database.reader())).await?;
        rows.into_iter().map(|row| Ok((row.id, subject_of(row)?))).collect()
    }

    /// The highest number in the list; 0 when there was never a change.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn newest_change(&self) -> Result<i64, StoreError> {
        let query = Entity::find().select_only().column(Column::Id).order_by_desc(Column::Id).limit(1);
        let newest: Option<i64> = limited(query.into_tuple().one(self.database.reader())).await?;
        Ok(newest.unwrap_or(0))
    }

    /// Removes changes older than `before`, which must be further back than any node is behind. The newest stays, so
    /// that no database starts to count anew.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn prune_changes(&self, before: Timestamp) -> Result<u64, StoreError> {
        let newest = self.newest_change().await?;
        let old = Entity::delete_many().filter(Column::ChangedAt.lt(before.as_millis())).filter(Column::Id.lt(newest));
        let done = repeated(|| old.clone().exec(self.database.writer())).await?;
        Ok(done.rows_affected)
    }
}

/// Reads the list of changes without missing one.
///
/// It remembers up to which number it has seen every one, and which it has seen beyond. Each step reads from there, so
/// a transaction that commits late is found when its number appears. A gap that stays for [`CHANGE_OVERLAP`] was a
/// transaction that was undone. Where numbers have no gaps, as in SQLite, no row is read twice.
#[derive(Debug)]
pub struct ChangeReader {
    /// Every number up to this one is seen, or given up.
    settled: i64,
    /// Numbers beyond, and when they were first seen.
    seen: BTreeMap<i64, Timestamp>,
}

impl ChangeReader {
    /// A reader of everything that becomes visible from now on. Start it before reading what the changes are about.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn start(store: &Store, now: Timestamp) -> Result<Self, StoreError> {
        let newest = store.newest_change().await?;
        let mut reader = Self { settled: newest.saturating_sub(START_OVERLAP).max(0), seen: BTreeMap::new() };
        reader.step(store, now).await?;
        Ok(reader)
    }

    /// What became visible since the last step, each subject once. After an error the next step finds what this one
    /// would have.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn step(&mut self, store: &Store, now: Timestamp) -> Result<Vec<Subject>, StoreError> {
        let mut fresh = Vec::new();
        let mut cursor = self.settled;
        loop {
            let page = store.change_rows(cursor, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            cursor = *last;
            let is_last = (page.len() as u64) < PAGE;
            fresh.extend(page.into_iter().filter(|(id, _)| !self.seen.contains_key(id)));
            if is_last {
                break;
            }
        }
        self.seen.extend(fresh.iter().map(|(id, _)| (*id, now)));
        self.settle(now);
        let mut once = HashSet::new();
        Ok(fresh.into_iter().filter_map(|(_, subject)| subject).filter(|s| once.insert(s.clone())).collect())
    }

    fn settle(&mut self, now: Timestamp) {
        while let Some(first) = self.seen.first_entry() {
            let follows = *first.key() == self.settled.saturating_add(1);
            if !follows && now.since(*first.get()) < CHANGE_OVERLAP {
                break;
            }
            self.settled = *first.key();
            first.remove();
        }
    }
}

/// Appends a change; called inside the transaction that makes it.
pub(crate) async fn announce(tx: &impl ConnectionTrait, subject: &Subject, now: Timestamp) -> Result<(), DbErr> {
    let (kind, name) = match subject {
        Subject::App(key) => (KIND_APP, key),
        Subject::Credential(id) => (KIND_CREDENTIAL, id),
    };
    let row = ActiveModel {
        kind: Set(kind),
        subject: Set(name.as_bytes().to_vec()),
        changed_at: Set(now.as_millis()),
        ..ActiveModel::default()
    };
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// `None` for a kind that only a later version knows.
fn subject_of(row: Model) -> Result<Option<Subject>, StoreError> {
    let name = String::from_utf8(row.subject).map_err(|_| StoreError::corrupt("a change names no UTF-8 subject"))?;
    Ok(match row.kind {
        KIND_APP => Some(Subject::App(name)),
        KIND_CREDENTIAL => Some(Subject::Credential(name)),
        _ => None,
    })
}
