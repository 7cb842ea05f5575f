//! Running nodes: each says every few seconds that it is alive, so that others know whose work is nobody's any more.
//!
//! One row a node stands for the leases of everything that the node has in hand.

use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};

use crate::database::{limited, repeated};
use crate::entities::nodes::{ActiveModel, Column, Entity};
use crate::ids::id_bytes;
use crate::{NodeId, Store, StoreError, Timestamp};

/// No node has what `holder` names, or one that is gone.
pub(crate) fn in_nobodys_hands(holder: impl ColumnTrait, now: Timestamp) -> Condition {
    let alive =
        Query::select().column(Column::Id).from(Entity).and_where(Column::AliveUntil.gt(now.as_millis())).to_owned();
    Condition::any().add(holder.is_null()).add(holder.not_in_subquery(alive))
}

impl Store {
    /// Says that `node` is alive until `until` at least.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn beat(&self, node: NodeId, until: Timestamp) -> Result<(), StoreError> {
        let row = ActiveModel { id: Set(node.0.to_vec()), alive_until: Set(until.as_millis()) };
        let again = OnConflict::column(Column::Id).update_column(Column::AliveUntil).to_owned();
        let insert = || Entity::insert(row.clone()).on_conflict(again.clone());
        repeated(|| insert().exec_without_returning(self.database.writer())).await.map(drop)
    }

    /// Whether `node` is alive at `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn is_alive(&self, node: NodeId, now: Timestamp) -> Result<bool, StoreError> {
        let query = Entity::find_by_id(node.0.to_vec()).select_only().column(Column::AliveUntil);
        let until: Option<i64> = limited(query.into_tuple().one(self.database.reader())).await?;
        Ok(until.is_some_and(|until| until > now.as_millis()))
    }

    /// Nodes that are gone at `now`, with the moment until which they were alive at most.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn dead_nodes(&self, now: Timestamp) -> Result<Vec<(NodeId, Timestamp)>, StoreError> {
        let query = Entity::find().filter(Column::AliveUntil.lte(now.as_millis()));
        let rows = limited(query.all(self.database.reader())).await?;
        rows.into_iter().map(|row| Ok((NodeId(id_bytes(row.id)?), Timestamp::from_millis(row.alive_until)))).collect()
    }

    /// Ends all other nodes' leases at `now`: for a database that serves one node, and this one has just started.
    /// On a database that serves several it does nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn end_other_nodes(&self, node: NodeId, now: Timestamp) -> Result<(), StoreError> {
        if !self.database.serves_one_node() {
            return Ok(());
        }
        let update = Entity::update_many()
            .set(ActiveModel { alive_until: Set(now.as_millis()), ..Default::default() })
            .filter(Column::Id.ne(node.0.to_vec()))
            .filter(Column::AliveUntil.gt(now.as_millis()));
        repeated(|| update.clone().exec(self.database.writer())).await.map(drop)
    }

    /// Forgets a node that has nothing in hand any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_node(&self, node: NodeId) -> Result<(), StoreError> {
        repeated(|| Entity::delete_by_id(node.0.to_vec()).exec(self.database.writer())).await.map(drop)
    }
}
