//! Changes of payments: an order, a refund, what happened, and what backends are told of it, all in one transaction.
//!
//! Called by the engine for every step of a payment. What must stay true: of all who change one order or refund at the
//! same time exactly one succeeds, and what backends are told is on disk exactly when the change is that it tells of.

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::deliveries::delivery_row;
use crate::entities::{answers, deliveries, messages, order_events, orders, refunds};
use crate::messages::{answer_row, message_row};
use crate::order_events::event_row;
use crate::{Answer, Delivery, Message, NodeId, Order, OrderEvent, OrderId, PayVersion, Refund, Store, StoreError};

/// The longest name in the tables of payment, in bytes: numbers of merchants, orders and refunds, openid, `trade_type`,
/// serial numbers. WeChat's own are shorter.
pub const MAX_PAY_NAME_BYTES: usize = 128;

const VERSION_2: i32 = 2;
const VERSION_3: i32 = 3;

/// Everything that one step of a payment changes: all of it is written in one transaction, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct PaymentChange<'a> {
    /// The order as it will be, with the revision that was seen.
    pub order: Option<&'a Order>,
    /// The refund as it will be, with the revision that was seen.
    pub refund: Option<&'a Refund>,
    /// What happened.
    pub events: &'a [OrderEvent],
    /// What backends are told of it.
    pub news: Option<&'a News>,
}

/// What backends are told: a message that nobody waits for an answer to, with a delivery for each backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Made by the proxy. Its answer is `success`, and finished, from the beginning.
    pub message: Message,
    /// One for each backend, usually due at once.
    pub deliveries: Vec<Delivery>,
}

impl Store {
    /// Writes a change. An order or refund with revision 0 is inserted; another replaces the row that still has its
    /// revision. Either has the next revision afterwards, and is in no node's hands.
    ///
    /// False: somebody was faster (the row has another revision, or for revision 0 it exists), and nothing was written:
    /// read it again and decide anew. A message that is known already is left alone together with its deliveries; that
    /// is no conflict.
    ///
    /// # Errors [`StoreError::Unavailable`]; [`StoreError::Conflict`] when the database kept undoing it;
    /// [`StoreError::TooLong`].
    pub async fn change_payment(&self, change: &PaymentChange<'_>) -> Result<bool, StoreError> {
        let rows = &Rows::of(change)?;
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                if !is_current(tx, change).await? {
                    return Ok(false);
                }
                write(tx, change, rows).await?;
                Ok(true)
            })
            .await
    }

    /// Lets go of the orders and refunds that `node` has and did not change.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_payments(&self, node: NodeId) -> Result<(), StoreError> {
        // What is decided is in nobody's hands; the index on due_at knows what is not. Asked for what is "not null",
        // SQLite would read the whole table instead.
        let orders = || {
            orders::Entity::update_many()
                .set(orders::ActiveModel { node: Set(None), ..Default::default() })
                .filter(orders::Column::DueAt.gte(i64::MIN))
                .filter(orders::Column::Node.eq(node.0.to_vec()))
        };
        let refunds = || {
            refunds::Entity::update_many()
                .set(refunds::ActiveModel { node: Set(None), ..Default::default() })
                .filter(refunds::Column::DueAt.gte(i64::MIN))
                .filter(refunds::Column::Node.eq(node.0.to_vec()))
        };
        let released = self.database.write(|tx| async move {
            let tx = &*tx;
            orders().exec(tx).await?;
            refunds().exec(tx).await.map(drop)
        });
        released.await
    }
}

/// What a change writes.
struct Rows {
    order: Option<orders::ActiveModel>,
    refund: Option<refunds::ActiveModel>,
    events: Vec<order_events::ActiveModel>,
    news: Option<NewsRows>,
}

struct NewsRows {
    message: messages::ActiveModel,
    answer: answers::ActiveModel,
    deliveries: Vec<deliveries::ActiveModel>,
}

impl Rows {
    fn of(change: &PaymentChange<'_>) -> Result<Self, StoreError> {
        // Nobody could ever ask for the events of an order that is not known.
        let events = change.events.iter().filter(|event| event.order != OrderId::UNKNOWN);
        Ok(Self {
            order: change.order.map(crate::orders::changed_row).transpose()?,
            refund: change.refund.map(crate::refunds::changed_row).transpose()?,
            events: events.map(event_row).collect::<Result<_, _>>()?,
            news: change.news.map(NewsRows::of),
        })
    }
}

impl NewsRows {
    fn of(news: &News) -> Self {
        let (id, at) = (news.message.id, news.message.received_at);
        Self {
            message: message_row(&news.message),
            answer: answer_row(&Answer { finished_at: Some(at), ..Answer::success(id, at) }),
            deliveries: news.deliveries.iter().map(delivery_row).collect(),
        }
    }
}

/// Whether order and refund are as whoever changes them saw them. They stay so until the end of the transaction:
/// looking before anything is written leaves nothing to undo.
async fn is_current(tx: &impl ConnectionTrait, change: &PaymentChange<'_>) -> Result<bool, DbErr> {
    if let Some(order) = change.order {
        let row = orders::Entity::find_by_id(order.id.0.to_vec());
        if locked_revision(tx, row, orders::Column::Revision).await? != order.revision {
            return Ok(false);
        }
    }
    if let Some(refund) = change.refund {
        let row = refunds::Entity::find_by_id(refund.id.0.to_vec());
        if locked_revision(tx, row, refunds::Column::Revision).await? != refund.revision {
            return Ok(false);
        }
    }
    Ok(true)
}

/// 0: there is no such row. Who inserts the same one in this moment is refused by the primary key, and looks again.
async fn locked_revision<E: EntityTrait>(
    tx: &impl ConnectionTrait,
    row: Select<E>,
    revision: E::Column,
) -> Result<i64, DbErr> {
    // SQLite knows no such lock and needs none: its transactions write one after the other.
    let query = row.select_only().column(revision).lock_exclusive();
    Ok(query.into_tuple().one(tx).await?.unwrap_or(0))
}

async fn write(tx: &impl ConnectionTrait, change: &PaymentChange<'_>, rows: &Rows) -> Result<(), DbErr> {
    if let (Some(order), Some(row)) = (change.order, rows.order.clone()) {
        if order.revision == 0 {
            orders::Entity::insert(row).exec_without_returning(tx).await?;
        } else {
            let id = orders::Column::Id.eq(order.id.0.to_vec());
            orders::Entity::update_many().set(row).filter(id).exec(tx).await?;
        }
    }
    if let (Some(refund), Some(row)) = (change.refund, rows.refund.clone()) {
        if refund.revision == 0 {
            refunds::Entity::insert(row).exec_without_returning(tx).await?;
        } else {
            let id = refunds::Column::Id.eq(refund.id.0.to_vec());
            refunds::Entity::update_many().set(row).filter(id).exec(tx).await?;
        }
    }
    crate::order_events::insert_new(tx, rows.events.clone()).await?;
    match (change.news, &rows.news) {
        (Some(news), Some(rows)) => write_news(tx, news, rows).await,
        _ => Ok(()),
    }
}

async fn write_news(tx: &impl ConnectionTrait, news: &News, rows: &NewsRows) -> Result<(), DbErr> {
    let known = messages::Entity::find_by_id(news.message.id.0.to_vec()).select_only();
    let known = known.column(messages::Column::ReceivedAt).into_tuple::<i64>();
    if known.one(tx).await?.is_some() {
        return Ok(());
    }
    messages::Entity::insert(rows.message.clone()).exec_without_returning(tx).await?;
    answers::Entity::insert(rows.answer.clone()).exec_without_returning(tx).await?;
    if rows.deliveries.is_empty() {
        return Ok(());
    }
    crate::deliveries::insert_new(tx, rows.deliveries.clone()).await
}

pub(crate) fn version_number(version: PayVersion) -> i32 {
    match version {
        PayVersion::V2 => VERSION_2,
        PayVersion::V3 => VERSION_3,
    }
}

pub(crate) fn version_from(number: i32) -> Result<PayVersion, StoreError> {
    match number {
        VERSION_2 => Ok(PayVersion::V2),
        VERSION_3 => Ok(PayVersion::V3),
        _ => Err(StoreError::corrupt("a payment speaks a version of WeChat Pay's API that this version does not know")),
    }
}

/// The bytes of a `content` column.
pub(crate) fn hash_bytes(bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::corrupt("a hash in the tables of payment does not have 32 bytes"))
}
