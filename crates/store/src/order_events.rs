//! What happened to orders, one row for each thing, for people who ask where their money is.
//!
//! Most are written together with the change that they tell of ([`Store::change_payment`]); some, such as a second copy
//! of a notification, change nothing and are added alone, up to a bound.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait};
use sea_orm::{PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::database::limited;
use crate::entities::order_events::{ActiveModel, Column, Entity, Model};
use crate::entities::orders;
use crate::error::within;
use crate::ids::{id_bytes, utf8};
use crate::{OrderId, Store, StoreError, Timestamp};

/// The longest `kind`, in bytes.
pub const MAX_EVENT_KIND_BYTES: usize = 32;

/// Something that happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// The order. What belongs to [`OrderId::UNKNOWN`] is not kept.
    pub order: OrderId,
    /// Random: tells it from others of the same moment.
    pub id: [u8; 16],
    /// When.
    pub at: Timestamp,
    /// What: `placed`, `answered`, `notified`, `queried`, `paid` and so on; at most [`MAX_EVENT_KIND_BYTES`].
    pub kind: String,
    /// The rest, as the engine writes it down (JSON).
    pub detail: Vec<u8>,
}

impl Store {
    /// The first `limit` things that happened to an order, in the order of time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn order_events(&self, id: OrderId, limit: u64) -> Result<Vec<OrderEvent>, StoreError> {
        let query = Entity::find().filter(Column::OrderId.eq(id.0.to_vec()));
        let query = query.order_by_asc(Column::At).order_by_asc(Column::Id).limit(limit);
        limited(query.all(self.database.reader())).await?.into_iter().map(event_from).collect()
    }

    /// Writes down something that leaves the order as it is. False: the order has `at_most` others of this kind
    /// already, or there is no such order; nothing was written. The same event a second time changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::TooLong`].
    pub async fn add_order_event(&self, event: &OrderEvent, at_most: u64) -> Result<bool, StoreError> {
        let row = &event_row(event)?;
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                // Whoever adds to an order waits here for others who do: together they stay within the bound.
                let order = orders::Entity::find_by_id(event.order.0.to_vec()).select_only();
                let order = order.column(orders::Column::Revision).lock_exclusive().into_tuple::<i64>();
                if order.one(tx).await?.is_none() {
                    return Ok(false);
                }
                let others = Entity::find()
                    .filter(Column::OrderId.eq(event.order.0.to_vec()))
                    .filter(Column::Kind.eq(event.kind.as_bytes().to_vec()))
                    .filter(Column::Id.ne(event.id.to_vec()));
                if others.count(tx).await? >= at_most {
                    return Ok(false);
                }
                insert_new(tx, vec![row.clone()]).await?;
                Ok(true)
            })
            .await
    }
}

/// Inserts events that nobody knows yet; those that are known stay as they are.
pub(crate) async fn insert_new(tx: &impl ConnectionTrait, rows: Vec<ActiveModel>) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut known = OnConflict::columns([Column::OrderId, Column::At, Column::Id]);
    // An update that changes nothing: MySQL has no "do nothing".
    known.update_column(Column::At);
    Entity::insert_many(rows).on_conflict(known).exec_without_returning(tx).await.map(drop)
}

pub(crate) fn event_row(event: &OrderEvent) -> Result<ActiveModel, StoreError> {
    within("the kind of an event", MAX_EVENT_KIND_BYTES, &event.kind)?;
    Ok(ActiveModel {
        order_id: Set(event.order.0.to_vec()),
        at: Set(event.at.as_millis()),
        id: Set(event.id.to_vec()),
        kind: Set(event.kind.as_bytes().to_vec()),
        detail: Set(event.detail.clone()),
    })
}

fn event_from(row: Model) -> Result<OrderEvent, StoreError> {
    Ok(OrderEvent {
        order: OrderId(id_bytes(row.order_id)?),
        id: id_bytes(row.id)?,
        at: Timestamp::from_millis(row.at),
        kind: utf8(row.kind)?,
        detail: row.detail,
    })
}
