//! Deliveries: messages that a backend did not take at the first try, and what became of each.
//!
//! A delivery belongs to the node whose id it carries, as long as that node is alive ([`Store::beat`]); then anybody may
//! take it. What must stay true: a delivery that is owed has a `due_at`, one that is over has none.

use std::collections::BTreeSet;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait};
use sea_orm::{PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::database::{limited, repeated};
use crate::entities::deliveries::{ActiveModel, Column, Entity, Model};
use crate::ids::{bytes_of, id_bytes};
use crate::nodes::in_nobodys_hands;
use crate::{BackendId, MessageId, NodeId, Store, StoreError, Timestamp};

/// Deliveries that are looked at to find out which backends are owed something.
const LOOKED_AT: u64 = 1000;

pub(crate) const STATE_PENDING: i32 = 0;
const STATE_DELIVERED: i32 = 1;
pub(crate) const STATE_DEAD: i32 = 2;
const STATE_REFUSED: i32 = 3;

/// A message on its way to one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub message_id: MessageId,
    /// Which of the message's backends, counted from 0.
    pub position: u32,
    /// The backend.
    pub backend: BackendId,
    /// When the message was received.
    pub received_at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many steps of the schedule are behind it.
    pub step: u32,
    /// How often it was sent.
    pub sent: u32,
    /// Whether the last try did not reach the backend at all.
    pub unreachable: bool,
    /// The tries, as the engine writes them down.
    pub attempts: Vec<u8>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It will be tried at this moment.
    Pending(Timestamp),
    /// The backend took it.
    Delivered,
    /// The schedule came to its end.
    Dead,
    /// The backend answered 410: it wants no more of it.
    Refused,
}

impl DeliveryState {
    fn columns(self) -> (i32, Option<i64>) {
        match self {
            Self::Pending(due_at) => (STATE_PENDING, Some(due_at.as_millis())),
            Self::Delivered => (STATE_DELIVERED, None),
            Self::Dead => (STATE_DEAD, None),
            Self::Refused => (STATE_REFUSED, None),
        }
    }

    fn read(state: i32, due_at: Option<i64>) -> Result<Self, StoreError> {
        match (state, due_at) {
            (STATE_PENDING, Some(due_at)) => Ok(Self::Pending(Timestamp::from_millis(due_at))),
            (STATE_DELIVERED, None) => Ok(Self::Delivered),
            (STATE_DEAD, None) => Ok(Self::Dead),
            (STATE_REFUSED, None) => Ok(Self::Refused),
            _ => Err(StoreError::corrupt("a delivery is in no state that this version knows")),
        }
    }
}

impl Store {
    /// The deliveries of several messages.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn deliveries(&self, ids: &[MessageId]) -> Result<Vec<Delivery>, StoreError> {
        let query = Entity::find().filter(Column::MessageId.is_in(bytes_of(ids)));
        let query = query.order_by_asc(Column::MessageId).order_by_asc(Column::Position);
        limited(query.all(self.database.reader())).await?.into_iter().map(delivery_from).collect()
    }

    /// Backends with a delivery that is due at `now` and in nobody's hands, but for those in `except`: found among the
    /// deliveries that are due longest.
    ///
    /// # Errors
    /// As for [`Store::deliveries`].
    pub async fn backends_with_due_deliveries(
        &self,
        now: Timestamp,
        except: &[BackendId],
    ) -> Result<Vec<BackendId>, StoreError> {
        let query = Entity::find()
            .select_only()
            .column(Column::Backend)
            .filter(Column::DueAt.lte(now.as_millis()))
            .filter(in_nobodys_hands(Column::Node, now));
        let query = match except {
            [] => query,
            except => query.filter(Column::Backend.is_not_in(except.iter().map(|backend| backend.0.to_vec()))),
        };
        self.backends_of(query).await
    }

    /// The backends of the first rows. Not DISTINCT in the database: that would walk over all deliveries that are over.
    async fn backends_of(&self, query: Select<Entity>) -> Result<Vec<BackendId>, StoreError> {
        let query = query.order_by_asc(Column::DueAt).limit(LOOKED_AT);
        let rows: Vec<Vec<u8>> = limited(query.into_tuple().all(self.database.reader())).await?;
        let backends: BTreeSet<Vec<u8>> = rows.into_iter().collect();
        backends.into_iter().map(|backend| id_bytes(backend).map(BackendId)).collect()
    }

    /// When the next delivery becomes due, whoever has it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_delivery(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = Entity::find().select_only().column(Column::DueAt).filter(Column::DueAt.is_not_null());
        let query = query.order_by_asc(Column::DueAt).limit(1);
        let due_at: Option<Option<i64>> = limited(query.into_tuple().one(self.database.reader())).await?;
        Ok(due_at.flatten().map(Timestamp::from_millis))
    }

    /// Takes up to `limit` due deliveries to a backend for `node`: those that are due longest first, and of those that became
    /// due together, as after an outage, the oldest.
    ///
    /// # Errors
    /// As for [`Store::deliveries`].
    pub async fn claim_deliveries(
        &self,
        backend: BackendId,
        node: NodeId,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let free = Condition::all()
            .add(Column::Backend.eq(backend.0.to_vec()))
            .add(Column::DueAt.lte(now.as_millis()))
            .add(in_nobodys_hands(Column::Node, now));
        let free = &free;
        let rows = self.database.write(|tx| async move {
            let tx = &*tx;
            let query = Entity::find().filter(free.clone()).order_by_asc(Column::DueAt);
            let query = query.order_by_asc(Column::ReceivedAt).limit(limit);
            let mut taken = Vec::new();
            for row in query.all(tx).await? {
                let take = Entity::update_many()
                    .set(ActiveModel { node: Set(Some(node.0.to_vec())), ..Default::default() })
                    .filter(one(&row.message_id, row.position))
                    .filter(free.clone());
                if take.exec(tx).await?.rows_affected == 1 {
                    taken.push(row);
                }
            }
            Ok(taken)
        });
        rows.await?.into_iter().map(delivery_from).collect()
    }

    /// Writes down what became of a delivery that `node` has, and lets it go. False: another node has it by now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn settle_delivery(&self, delivery: &Delivery, node: NodeId) -> Result<bool, StoreError> {
        let id = delivery.message_id.0.to_vec();
        let update = Entity::update_many()
            .set(delivery_row(delivery))
            .filter(one(&id, position_of(delivery)))
            .filter(Column::Node.eq(node.0.to_vec()));
        Ok(repeated(|| update.clone().exec(self.database.writer())).await?.rows_affected == 1)
    }

    /// Lets go of deliveries that `node` has and did not try; all of them, or those to one backend.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_deliveries(&self, node: NodeId, backend: Option<BackendId>) -> Result<(), StoreError> {
        let mut update = Entity::update_many()
            .set(ActiveModel { node: Set(None), ..Default::default() })
            // What is over is in nobody's hands; the index knows what is not.
            .filter(Column::DueAt.is_not_null())
            .filter(Column::Node.eq(node.0.to_vec()));
        if let Some(backend) = backend {
            update = update.filter(Column::Backend.eq(backend.0.to_vec()));
        }
        repeated(|| update.clone().exec(self.database.writer())).await.map(drop)
    }

    /// Puts off all due deliveries to a backend until `due_at`, without a try: the backend is down. Their place in the schedule
    /// stays: only a try takes a step. What was received before `dead_before` is dead.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn postpone_deliveries(
        &self,
        backend: BackendId,
        now: Timestamp,
        due_at: Timestamp,
        dead_before: Timestamp,
    ) -> Result<(), StoreError> {
        let due = Condition::all()
            .add(Column::Backend.eq(backend.0.to_vec()))
            .add(Column::DueAt.lte(now.as_millis()))
            .add(in_nobodys_hands(Column::Node, now));
        for (state, received) in [
            (DeliveryState::Dead, Column::ReceivedAt.lt(dead_before.as_millis())),
            (DeliveryState::Pending(due_at), Column::ReceivedAt.gte(dead_before.as_millis())),
        ] {
            let (state, due_at) = state.columns();
            let row = ActiveModel {
                state: Set(state),
                due_at: Set(due_at),
                unreachable: Set(true),
                node: Set(None),
                ..Default::default()
            };
            let update = Entity::update_many().set(row).filter(due.clone()).filter(received);
            repeated(|| update.clone().exec(self.database.writer())).await?;
        }
        Ok(())
    }

    /// Makes everything due that did not reach a backend, in the order in which it was received: the backend is back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn pull_deliveries(&self, backend: BackendId) -> Result<u64, StoreError> {
        let update = Entity::update_many()
            .col_expr(Column::DueAt, Expr::col(Column::ReceivedAt))
            .filter(Column::Backend.eq(backend.0.to_vec()))
            .filter(Column::DueAt.is_not_null())
            .filter(Column::Unreachable.eq(true))
            .filter(Expr::col(Column::DueAt).gt(Expr::col(Column::ReceivedAt)));
        Ok(repeated(|| update.clone().exec(self.database.writer())).await?.rows_affected)
    }

    /// Backends with deliveries that did not reach them, found among those that are due first.
    ///
    /// # Errors
    /// As for [`Store::deliveries`].
    pub async fn unreached_backends(&self) -> Result<Vec<BackendId>, StoreError> {
        let query = Entity::find().select_only().column(Column::Backend);
        self.backends_of(query.filter(Column::DueAt.is_not_null()).filter(Column::Unreachable.eq(true))).await
    }

    /// How many deliveries are still owed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_pending_deliveries(&self) -> Result<u64, StoreError> {
        limited(Entity::find().filter(Column::DueAt.is_not_null()).count(self.database.reader())).await
    }

    /// Makes these deliveries due again from the beginning of the schedule, or makes them, as for a replay. What is
    /// known of their tries is kept.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn renew_deliveries(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let mut again = OnConflict::columns([Column::MessageId, Column::Position]);
        // Whoever has it in hand finds that it is no longer its own.
        again.update_columns([Column::State, Column::DueAt, Column::Step, Column::Unreachable, Column::Node]);
        self.insert_or(deliveries, &again).await
    }

    async fn insert_or(&self, deliveries: &[Delivery], conflict: &OnConflict) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let rows: &Vec<ActiveModel> = &deliveries.iter().map(delivery_row).collect();
        self.database.write(|tx| async move { insert(&*tx, rows.clone(), conflict.clone()).await }).await
    }
}

/// Inserts deliveries that nobody knows yet; those that are known stay as they are.
pub(crate) async fn insert_new(tx: &impl ConnectionTrait, rows: Vec<ActiveModel>) -> Result<(), DbErr> {
    let mut known = OnConflict::columns([Column::MessageId, Column::Position]);
    // An update that changes nothing: MySQL has no "do nothing".
    known.update_column(Column::Position);
    insert(tx, rows, known).await
}

async fn insert(tx: &impl ConnectionTrait, rows: Vec<ActiveModel>, conflict: OnConflict) -> Result<(), DbErr> {
    Entity::insert_many(rows).on_conflict(conflict).exec_without_returning(tx).await.map(drop)
}

pub(crate) fn delivery_row(delivery: &Delivery) -> ActiveModel {
    let (state, due_at) = delivery.state.columns();
    let count = |number: u32| Set(i32::try_from(number).unwrap_or(i32::MAX));
    ActiveModel {
        message_id: Set(delivery.message_id.0.to_vec()),
        position: Set(position_of(delivery)),
        backend: Set(delivery.backend.0.to_vec()),
        received_at: Set(delivery.received_at.as_millis()),
        state: Set(state),
        due_at: Set(due_at),
        step: count(delivery.step),
        sent: count(delivery.sent),
        unreachable: Set(delivery.unreachable),
        node: Set(None),
        attempts: Set(delivery.attempts.clone()),
    }
}

fn position_of(delivery: &Delivery) -> i32 {
    i32::try_from(delivery.position).unwrap_or(i32::MAX)
}

fn delivery_from(row: Model) -> Result<Delivery, StoreError> {
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    Ok(Delivery {
        message_id: MessageId(id_bytes(row.message_id)?),
        position: count(row.position),
        backend: BackendId(id_bytes(row.backend)?),
        received_at: Timestamp::from_millis(row.received_at),
        state: DeliveryState::read(row.state, row.due_at)?,
        step: count(row.step),
        sent: count(row.sent),
        unreachable: row.unreachable,
        attempts: row.attempts,
    })
}

fn one(message_id: &[u8], position: i32) -> Condition {
    Condition::all().add(Column::MessageId.eq(message_id.to_vec())).add(Column::Position.eq(position))
}
