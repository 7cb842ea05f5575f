//! Forgetting payments that are long over.
//!
//! Called by the engine's housekeeping, some hundred rows at a time. What must stay true: nothing is forgotten that is
//! not decided, and a refund is remembered as long as its order.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::database::{limited, repeated};
use crate::entities::{order_events, orders, refunds, refused_notices};
use crate::orders::{OTHER_STATES, PAID_STATES};
use crate::{Store, StoreError, Timestamp};

/// Rows of one kind that one call removes.
const OLD_AT_ONCE: u64 = 500;

impl Store {
    /// Removes payments in which nothing has changed for long, some hundred at a time: orders that were paid, and
    /// refunds whose order is not stored here, last changed before `paid_before`; all other orders and refused
    /// notifications from before `others_before`. An order goes with its events and refunds. What is not decided stays,
    /// and so does an order with a refund that is not. Gives how many orders, lone refunds and notifications; 0 means
    /// that none is left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove_old_payments(
        &self,
        paid_before: Timestamp,
        others_before: Timestamp,
    ) -> Result<u64, StoreError> {
        let paid = self.remove_orders(&old_orders(&PAID_STATES, paid_before)).await?;
        let others = self.remove_orders(&old_orders(&OTHER_STATES, others_before)).await?;
        let refunds = self.remove_lone_refunds(paid_before).await?;
        let notices = self.remove_refused_notices(others_before).await?;
        Ok(paid + others + refunds + notices)
    }

    async fn remove_orders(&self, old: &Condition) -> Result<u64, StoreError> {
        let ids = || orders::Entity::find().select_only().column(orders::Column::Id).filter(old.clone());
        // Looked up outside the transaction, which then locks these rows and no others.
        let found: Vec<Vec<u8>> = limited(ids().limit(OLD_AT_ONCE).into_tuple().all(self.database.reader())).await?;
        if found.is_empty() {
            return Ok(0);
        }
        let these = || ids().filter(orders::Column::Id.is_in(found.iter().cloned())).lock_exclusive();
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                // Those that are still old: somebody may have changed one in between.
                let ids: Vec<Vec<u8>> = these().into_tuple().all(tx).await?;
                if ids.is_empty() {
                    return Ok(0);
                }
                forget(tx, &ids).await?;
                Ok(ids.len() as u64)
            })
            .await
    }

    /// Refunds of orders that somebody else placed, or that only WeChat's number is known of.
    async fn remove_lone_refunds(&self, before: Timestamp) -> Result<u64, StoreError> {
        let old = Condition::all()
            .add(refunds::Column::CreatedAt.lt(before.as_millis()))
            .add(refunds::Column::UpdatedAt.lt(before.as_millis()))
            .add(refunds::Column::DueAt.is_null());
        let mut query =
            refunds::Entity::find().select_only().column(refunds::Column::Id).filter(old.clone()).limit(OLD_AT_ONCE);
        // A join, because MariaDB would read all orders there are for "not exists".
        let order = (orders::Entity, orders::Column::Id);
        QuerySelect::query(&mut query)
            .left_join(orders::Entity, Expr::col(order).equals((refunds::Entity, refunds::Column::OrderId)))
            .and_where(Expr::col(order).is_null());
        let ids: Vec<Vec<u8>> = limited(query.into_tuple().all(self.database.reader())).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let delete = refunds::Entity::delete_many().filter(refunds::Column::Id.is_in(ids)).filter(old);
        Ok(repeated(|| delete.clone().exec(self.database.writer())).await?.rows_affected)
    }

    async fn remove_refused_notices(&self, before: Timestamp) -> Result<u64, StoreError> {
        let query = refused_notices::Entity::find()
            .select_only()
            .column(refused_notices::Column::Id)
            .filter(refused_notices::Column::At.lt(before.as_millis()))
            .limit(OLD_AT_ONCE);
        let ids: Vec<Vec<u8>> = limited(query.into_tuple().all(self.database.reader())).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let delete = refused_notices::Entity::delete_many().filter(refused_notices::Column::Id.is_in(ids));
        Ok(repeated(|| delete.clone().exec(self.database.writer())).await?.rows_affected)
    }
}

/// Orders in one of these states in which nothing changed since `before`, and nothing will.
fn old_orders(states: &[i32], before: Timestamp) -> Condition {
    let undecided = Query::select()
        .column(refunds::Column::OrderId)
        .from(refunds::Entity)
        .and_where(refunds::Column::DueAt.is_not_null())
        .to_owned();
    Condition::all()
        .add(orders::Column::State.is_in(states.iter().copied()))
        // No order is changed before it is created: so the index on both columns finds it.
        .add(orders::Column::CreatedAt.lt(before.as_millis()))
        .add(orders::Column::UpdatedAt.lt(before.as_millis()))
        .add(orders::Column::DueAt.is_null())
        .add(orders::Column::Id.not_in_subquery(undecided))
}

/// Removes orders with all that belongs to them.
async fn forget(tx: &impl ConnectionTrait, ids: &[Vec<u8>]) -> Result<(), DbErr> {
    let ids = || ids.iter().cloned();
    order_events::Entity::delete_many().filter(order_events::Column::OrderId.is_in(ids())).exec(tx).await?;
    refunds::Entity::delete_many().filter(refunds::Column::OrderId.is_in(ids())).exec(tx).await?;
    orders::Entity::delete_many().filter(orders::Column::Id.is_in(ids())).exec(tx).await.map(drop)
}
