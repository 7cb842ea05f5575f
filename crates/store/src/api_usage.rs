//! How often which API of WeChat was called: one row for each day, registration and path.
//!
//! Nodes count in memory and add their counts here from time to time. What must stay true: counts are added up in the database,
//! never read, changed and written back, so that no node undoes what another added.

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};

use crate::apps::MAX_KEY_BYTES;
use crate::database::limited;
use crate::entities::api_usage::{ActiveModel, Column, Entity, Model};
use crate::error::within;
use crate::ids::utf8;
use crate::{Store, StoreError, Timestamp};

/// The longest path of an API, in bytes.
pub const MAX_API_BYTES: usize = 512;

/// How far the clocks of WeChat's quotas (UTC+8, all the year) are ahead of UTC, in milliseconds.
const QUOTA_OFFSET: i64 = 8 * 60 * 60 * 1000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The calls of one registration to one API on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUse {
    /// The day as WeChat's quotas count it: days since 1970-01-01 in UTC+8. See [`ApiUse::day_of`].
    pub day: i64,
    /// The key of the registration; at most [`crate::MAX_KEY_BYTES`].
    pub key: String,
    /// The path, such as `/cgi-bin/user/info`; at most [`MAX_API_BYTES`].
    pub api: String,
    /// How many calls there were.
    pub calls: u64,
    /// How many of them WeChat refused.
    pub refused: u64,
}

impl ApiUse {
    /// The [day](ApiUse::day) of a moment.
    #[must_use]
    pub fn day_of(at: Timestamp) -> i64 {
        at.as_millis().saturating_add(QUOTA_OFFSET).div_euclid(DAY)
    }
}

impl Store {
    /// Adds these counts to what is there, all or none of them. Nodes may do it at once, and nothing is lost. One place may
    /// be named more than once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: they may have been added all the same, and who repeats it may count them twice;
    /// [`StoreError::Conflict`] and [`StoreError::TooLong`]: nothing was added.
    pub async fn add_api_usage(&self, uses: &[ApiUse]) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(uses.len());
        for one in uses {
            let row = use_row(one)?;
            rows.push((one.day, name_of(&one.key, &one.api), row, added(one)));
        }
        if rows.is_empty() {
            return Ok(());
        }
        // One order for everybody, so that two nodes do not wait for each other's rows.
        rows.sort_by(|(day, name, ..), (other_day, other, ..)| (day, name).cmp(&(other_day, other)));
        let rows = &rows;
        self.database
            .write(|tx| async move {
                for (_, _, row, add) in rows {
                    Entity::insert(row.clone()).on_conflict(add.clone()).exec_without_returning(&*tx).await?;
                }
                Ok(())
            })
            .await
    }

    /// Up to `limit` rows of these days, both included, of one registration or all: the newest day first, on each day what
    /// was called most first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn api_usage(
        &self,
        day_from: i64,
        day_to: i64,
        key: Option<&str>,
        limit: u64,
    ) -> Result<Vec<ApiUse>, StoreError> {
        let mut query = Entity::find()
            .filter(Column::Day.between(day_from, day_to))
            .order_by_desc(Column::Day)
            .order_by_desc(Column::Calls)
            .order_by_asc(Column::AppKey)
            .order_by_asc(Column::Api)
            .limit(limit);
        if let Some(key) = key {
            query = query.filter(Column::AppKey.eq(key.as_bytes().to_vec()));
        }
        limited(query.all(self.database.reader())).await?.into_iter().map(use_from).collect()
    }

    /// Forgets all days before `before_day`; how many rows that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn prune_api_usage(&self, before_day: i64) -> Result<u64, StoreError> {
        let old = || Entity::delete_many().filter(Column::Day.lt(before_day));
        let removed = self.database.write(|tx| async move { old().exec(&*tx).await }).await?;
        Ok(removed.rows_affected)
    }
}

/// What happens to a row that is there already.
fn added(one: &ApiUse) -> OnConflict {
    let plus = |column: Column, number: u64| Expr::col((Entity, column)).add(count(number));
    OnConflict::columns([Column::Day, Column::Name])
        .value(Column::Calls, plus(Column::Calls, one.calls))
        .value(Column::Refused, plus(Column::Refused, one.refused))
        .to_owned()
}

fn use_row(one: &ApiUse) -> Result<ActiveModel, StoreError> {
    within("the key of a registration", MAX_KEY_BYTES, &one.key)?;
    within("the path of an API", MAX_API_BYTES, &one.api)?;
    Ok(ActiveModel {
        day: Set(one.day),
        name: Set(name_of(&one.key, &one.api).to_vec()),
        app_key: Set(one.key.as_bytes().to_vec()),
        api: Set(one.api.as_bytes().to_vec()),
        calls: Set(count(one.calls)),
        refused: Set(count(one.refused)),
    })
}

fn use_from(row: Model) -> Result<ApiUse, StoreError> {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(ApiUse {
        day: row.day,
        key: utf8(row.app_key)?,
        api: utf8(row.api)?,
        calls: count(row.calls),
        refused: count(row.refused),
    })
}

/// Stands for key and path in the primary key; the length tells where one ends and the other begins.
fn name_of(key: &str, api: &str) -> [u8; 32] {
    let length = u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(key).chain_update(api).finalize().into()
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_quotas_begins_at_midnight_in_beijing() {
        let day = |seconds| ApiUse::day_of(Timestamp::from_seconds(seconds));
        assert_eq!((day(0), day(16 * 3600 - 1), day(16 * 3600)), (0, 0, 1));
        assert_eq!((day(-8 * 3600), day(-8 * 3600 - 1)), (0, -1));
        // 2023-11-14 22:13:20 UTC is the 15th in Beijing.
        assert_eq!(day(1_700_000_000), 19_676);
    }

    #[test]
    fn key_and_path_do_not_run_into_each_other() {
        assert_ne!(name_of("a", "/b/c"), name_of("a/b", "/c"));
        assert_ne!(name_of("", "/a"), name_of("/a", ""));
    }
}
