//! Which credentials are due, and which are still asked for.

use std::collections::BTreeSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::row::text;
use crate::database::limited;
use crate::entities::credentials::{ActiveModel, Column, Entity};
use crate::{Store, StoreError, Timestamp};

/// Ids of one `mark_used` statement; databases bound the number of parameters.
const IDS_AT_ONCE: usize = 500;

/// A credential that somebody should renew now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueCredential {
    /// Its id.
    pub id: String,
    /// The account that it belongs to.
    pub appid: String,
}

impl Store {
    /// Up to `limit` credentials that are due at `now`, held by nobody and used since `used_since`, the most overdue
    /// first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn due_credentials(
        &self,
        now: Timestamp,
        used_since: Timestamp,
        limit: u64,
    ) -> Result<Vec<DueCredential>, StoreError> {
        let query = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::Appid)
            .filter(Column::DueAt.lte(now.as_millis()))
            .filter(Column::UsedAt.gte(used_since.as_millis()))
            .order_by_asc(Column::DueAt)
            .limit(limit);
        let rows: Vec<(Vec<u8>, Vec<u8>)> = limited(query.into_tuple().all(self.database.reader())).await?;
        rows.into_iter().map(|(id, appid)| Ok(DueCredential { id: text(id)?, appid: text(appid)? })).collect()
    }

    /// When the next credential that was used since `used_since` becomes due, leases that end by then included.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due(&self, used_since: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let query = Entity::find()
            .select_only()
            .column(Column::DueAt)
            .filter(Column::UsedAt.gte(used_since.as_millis()))
            .order_by_asc(Column::DueAt)
            .limit(1);
        let next: Option<i64> = limited(query.into_tuple().one(self.database.reader())).await?;
        Ok(next.map(Timestamp::from_millis))
    }

    /// Records that credentials were asked for. Unknown ids do not matter; no change is announced.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn mark_used(&self, ids: &[impl AsRef<str> + Sync], now: Timestamp) -> Result<(), StoreError> {
        // Sorted and without repetition, so that two nodes lock rows in the same order.
        let ids: BTreeSet<&[u8]> = ids.iter().map(|id| id.as_ref().as_bytes()).collect();
        let ids: Vec<Vec<u8>> = ids.into_iter().map(<[u8]>::to_vec).collect();
        for some in ids.chunks(IDS_AT_ONCE) {
            let update = &Entity::update_many()
                .set(ActiveModel { used_at: Set(now.as_millis()), ..ActiveModel::default() })
                .filter(Column::Id.is_in(some.iter().cloned()))
                .filter(Column::UsedAt.lt(now.as_millis()));
            self.database.write(|tx| async move { update.clone().exec(&*tx).await }).await?;
        }
        Ok(())
    }
}
