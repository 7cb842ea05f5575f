//! Orders: what is to be paid, as it was asked for and as far as it is known.
//!
//! Written by [`Store::change_payment`] alone, one whole row at a time, by whoever saw its last revision. What must
//! stay true: an order whose end is not known has a `due_at`, one that is decided has none.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait};
use sea_orm::{PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::apps::{MAX_APPID_BYTES, MAX_KEY_BYTES};
use crate::database::limited;
use crate::entities::orders::{ActiveModel, Column, Entity, Model};
use crate::error::within;
use crate::ids::{id_bytes, utf8};
use crate::nodes::in_nobodys_hands;
use crate::payments::{MAX_PAY_NAME_BYTES, hash_bytes, version_from, version_number};
use crate::{NodeId, OrderId, PayVersion, Store, StoreError, Timestamp};

const STATE_PLACING: i32 = 0;
const STATE_UNPAID: i32 = 1;
const STATE_PAID: i32 = 2;
const STATE_REFUNDED: i32 = 3;
const STATE_CLOSED: i32 = 4;
const STATE_REFUSED: i32 = 5;

/// The states in which money came.
pub(crate) const PAID_STATES: [i32; 2] = [STATE_PAID, STATE_REFUNDED];
/// All others.
pub(crate) const OTHER_STATES: [i32; 4] = [STATE_PLACING, STATE_UNPAID, STATE_CLOSED, STATE_REFUSED];

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// [`OrderId::of`] its `mch_id` and `out_trade_no`.
    pub id: OrderId,
    /// The registration that placed it.
    pub app_key: String,
    /// The account that it is paid to.
    pub appid: String,
    /// The merchant.
    pub mch_id: String,
    /// The merchant's number of it.
    pub out_trade_no: String,
    /// Which of WeChat Pay's APIs it was placed with, and speaks of it.
    pub version: PayVersion,
    /// WeChat's word for how it is paid: `JSAPI`, `NATIVE`, `APP`, `MWEB`.
    pub trade_type: String,
    /// What is to be paid, in fen.
    pub total_fee: i64,
    /// The payer; empty: unknown.
    pub openid: String,
    /// WeChat's number of the payment; empty: there is none yet.
    pub transaction_id: String,
    /// Where it stands.
    pub state: OrderState,
    /// A hash of what was asked for: the same number with the same content is the same order.
    pub content: [u8; 32],
    /// What was asked for, as the engine writes it down (JSON).
    pub request: Vec<u8>,
    /// What WeChat answered, as the engine writes it down (JSON).
    pub answer: Option<Vec<u8>>,
    /// When WeChat answered.
    pub answered_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When WeChat is asked about it next; `None`: it is decided.
    pub due_at: Option<Timestamp>,
    /// How many steps of the schedule of asking are behind it.
    pub step: u32,
    /// Counts its changes. 0: it is not stored yet.
    pub revision: i64,
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// It is being asked for; whether WeChat has it is not known.
    Placing,
    /// WeChat has it, and nobody has paid.
    Unpaid,
    /// It is paid.
    Paid,
    /// It was paid, and some or all of it went back.
    Refunded,
    /// It can no longer be paid.
    Closed,
    /// WeChat refused it: there is nothing to be paid.
    Refused,
}

impl OrderState {
    fn number(self) -> i32 {
        match self {
            Self::Placing => STATE_PLACING,
            Self::Unpaid => STATE_UNPAID,
            Self::Paid => STATE_PAID,
            Self::Refunded => STATE_REFUNDED,
            Self::Closed => STATE_CLOSED,
            Self::Refused => STATE_REFUSED,
        }
    }

    fn read(number: i32) -> Result<Self, StoreError> {
        match number {
            STATE_PLACING => Ok(Self::Placing),
            STATE_UNPAID => Ok(Self::Unpaid),
            STATE_PAID => Ok(Self::Paid),
            STATE_REFUNDED => Ok(Self::Refunded),
            STATE_CLOSED => Ok(Self::Closed),
            STATE_REFUSED => Ok(Self::Refused),
            _ => Err(StoreError::corrupt("an order is in no state that this version knows")),
        }
    }
}

/// Which orders are listed. Empty: all.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Of this registration.
    pub app_key: Option<String>,
    /// Of this account.
    pub appid: Option<String>,
    /// Of this merchant.
    pub mch_id: Option<String>,
    /// With this number of a merchant.
    pub out_trade_no: Option<String>,
    /// With this number of WeChat's.
    pub transaction_id: Option<String>,
    /// In this state.
    pub state: Option<OrderState>,
    /// Paid in this way.
    pub trade_type: Option<String>,
    /// By this payer.
    pub openid: Option<String>,
    /// Created at or after.
    pub since: Option<Timestamp>,
    /// Created before.
    pub until: Option<Timestamp>,
}

impl Store {
    /// One order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let row = limited(Entity::find_by_id(id.0.to_vec()).one(self.database.reader())).await?;
        row.map(order_from).transpose()
    }

    /// Up to `limit` orders, the newest first, after `after` (the last of the page before).
    ///
    /// # Errors
    /// As for [`Store::order`].
    pub async fn orders(
        &self,
        filter: &OrderFilter,
        after: Option<&Order>,
        limit: u64,
    ) -> Result<Vec<Order>, StoreError> {
        let mut query = Entity::find().filter(condition(filter));
        if let Some(after) = after {
            let (at, id) = (after.created_at.as_millis(), after.id.0.to_vec());
            let same = Condition::all().add(Column::CreatedAt.eq(at)).add(Column::Id.lt(id));
            query = query.filter(Condition::any().add(Column::CreatedAt.lt(at)).add(same));
        }
        let query = query.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).limit(limit);
        limited(query.all(self.database.reader())).await?.into_iter().map(order_from).collect()
    }

    /// Takes up to `limit` orders for `node` that are due at `now` and in nobody's hands: those that are due longest
    /// first. The node has them until they are changed ([`Store::change_payment`], by whomever), it lets them go
    /// ([`Store::release_payments`]), or it is dead.
    ///
    /// # Errors
    /// As for [`Store::order`].
    pub async fn claim_due_orders(&self, node: NodeId, now: Timestamp, limit: u64) -> Result<Vec<Order>, StoreError> {
        let due = Condition::all().add(Column::DueAt.lte(now.as_millis()));
        let free = &due.add(in_nobodys_hands(Column::Node, now));
        let rows = self.database.write(|tx| async move {
            let tx = &*tx;
            let query = Entity::find().filter(free.clone()).order_by_asc(Column::DueAt).limit(limit);
            let mut taken = Vec::new();
            for row in query.all(tx).await? {
                let take = Entity::update_many()
                    .set(ActiveModel { node: Set(Some(node.0.to_vec())), ..Default::default() })
                    .filter(Column::Id.eq(row.id.clone()))
                    // As it was read: whoever takes it can change it.
                    .filter(Column::Revision.eq(row.revision))
                    .filter(free.clone());
                if take.exec(tx).await?.rows_affected == 1 {
                    taken.push(row);
                }
            }
            Ok(taken)
        });
        rows.await?.into_iter().map(order_from).collect()
    }

    /// When the next order becomes due, whoever has it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due_order(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = Entity::find().select_only().column(Column::DueAt).filter(Column::DueAt.is_not_null());
        let query = query.order_by_asc(Column::DueAt).limit(1);
        let due_at: Option<Option<i64>> = limited(query.into_tuple().one(self.database.reader())).await?;
        Ok(due_at.flatten().map(Timestamp::from_millis))
    }

    /// How many orders are not decided.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_undecided_orders(&self) -> Result<u64, StoreError> {
        limited(Entity::find().filter(Column::DueAt.is_not_null()).count(self.database.reader())).await
    }
}

fn condition(filter: &OrderFilter) -> Condition {
    let is = |column: Column, text: &Option<String>| text.as_ref().map(|text| column.eq(text.as_bytes().to_vec()));
    Condition::all()
        .add_option(is(Column::AppKey, &filter.app_key))
        .add_option(is(Column::Appid, &filter.appid))
        .add_option(is(Column::MchId, &filter.mch_id))
        .add_option(is(Column::OutTradeNo, &filter.out_trade_no))
        .add_option(is(Column::TransactionId, &filter.transaction_id))
        .add_option(is(Column::TradeType, &filter.trade_type))
        .add_option(is(Column::Openid, &filter.openid))
        .add_option(filter.state.map(|state| Column::State.eq(state.number())))
        .add_option(filter.since.map(|since| Column::CreatedAt.gte(since.as_millis())))
        .add_option(filter.until.map(|until| Column::CreatedAt.lt(until.as_millis())))
}

/// The row as it stands after a change: in nobody's hands, with the next revision.
pub(crate) fn changed_row(order: &Order) -> Result<ActiveModel, StoreError> {
    within("the key of a registration", MAX_KEY_BYTES, &order.app_key)?;
    within("the appid", MAX_APPID_BYTES, &order.appid)?;
    let name = |what, text: &str| within(what, MAX_PAY_NAME_BYTES, text).map(|()| Set(text.as_bytes().to_vec()));
    Ok(ActiveModel {
        id: Set(order.id.0.to_vec()),
        app_key: Set(order.app_key.as_bytes().to_vec()),
        appid: Set(order.appid.as_bytes().to_vec()),
        mch_id: name("mch_id", &order.mch_id)?,
        out_trade_no: name("out_trade_no", &order.out_trade_no)?,
        version: Set(version_number(order.version)),
        trade_type: name("trade_type", &order.trade_type)?,
        total_fee: Set(order.total_fee),
        openid: name("openid", &order.openid)?,
        transaction_id: name("transaction_id", &order.transaction_id)?,
        state: Set(order.state.number()),
        content: Set(order.content.to_vec()),
        request: Set(order.request.clone()),
        answer: Set(order.answer.clone()),
        answered_at: Set(order.answered_at.map(Timestamp::as_millis)),
        created_at: Set(order.created_at.as_millis()),
        updated_at: Set(order.updated_at.as_millis()),
        paid_at: Set(order.paid_at.map(Timestamp::as_millis)),
        due_at: Set(order.due_at.map(Timestamp::as_millis)),
        step: Set(i32::try_from(order.step).unwrap_or(i32::MAX)),
        node: Set(None),
        revision: Set(order.revision.saturating_add(1)),
    })
}

fn order_from(row: Model) -> Result<Order, StoreError> {
    Ok(Order {
        id: OrderId(id_bytes(row.id)?),
        app_key: utf8(row.app_key)?,
        appid: utf8(row.appid)?,
        mch_id: utf8(row.mch_id)?,
        out_trade_no: utf8(row.out_trade_no)?,
        version: version_from(row.version)?,
        trade_type: utf8(row.trade_type)?,
        total_fee: row.total_fee,
        openid: utf8(row.openid)?,
        transaction_id: utf8(row.transaction_id)?,
        state: OrderState::read(row.state)?,
        content: hash_bytes(row.content)?,
        request: row.request,
        answer: row.answer,
        answered_at: row.answered_at.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        paid_at: row.paid_at.map(Timestamp::from_millis),
        due_at: row.due_at.map(Timestamp::from_millis),
        step: u32::try_from(row.step).unwrap_or(0),
        revision: row.revision,
    })
}
