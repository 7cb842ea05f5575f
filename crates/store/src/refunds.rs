//! Refunds: money that goes back, as it was asked for and as far as it is known.
//!
//! Written by [`Store::change_payment`] alone, like orders. What must stay true: a refund whose end is not known has a
//! `due_at`, one that is decided has none.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, Select};
use sea_orm::{PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::apps::{MAX_APPID_BYTES, MAX_KEY_BYTES};
use crate::database::limited;
use crate::entities::refunds::{ActiveModel, Column, Entity, Model};
use crate::error::within;
use crate::ids::{id_bytes, utf8};
use crate::nodes::in_nobodys_hands;
use crate::payments::{MAX_PAY_NAME_BYTES, hash_bytes, version_from, version_number};
use crate::{NodeId, OrderId, PayVersion, RefundId, Store, StoreError, Timestamp};

const STATE_ASKING: i32 = 0;
const STATE_PROCESSING: i32 = 1;
const STATE_SUCCEEDED: i32 = 2;
const STATE_CLOSED: i32 = 3;
const STATE_ABNORMAL: i32 = 4;
const STATE_REFUSED: i32 = 5;

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// [`RefundId::of`] its `mch_id` and `out_refund_no`.
    pub id: RefundId,
    /// The order that it belongs to, which need not be stored here; [`OrderId::UNKNOWN`] when only the `transaction_id`
    /// is known.
    pub order: OrderId,
    /// The registration that asked for it.
    pub app_key: String,
    /// The account that was paid.
    pub appid: String,
    /// The merchant.
    pub mch_id: String,
    /// The merchant's number of the order; empty: unknown.
    pub out_trade_no: String,
    /// WeChat's number of the payment; empty: unknown.
    pub transaction_id: String,
    /// The merchant's number of the refund.
    pub out_refund_no: String,
    /// WeChat's number of the refund; empty: there is none yet.
    pub refund_id: String,
    /// What the order was about, in fen.
    pub total_fee: i64,
    /// What goes back, in fen.
    pub refund_fee: i64,
    /// Which of WeChat Pay's APIs it was asked for with, and speaks of it.
    pub version: PayVersion,
    /// Where it stands.
    pub state: RefundState,
    /// A hash of what was asked for: the same number with the same content is the same refund.
    pub content: [u8; 32],
    /// What was asked for, as the engine writes it down (JSON).
    pub request: Vec<u8>,
    /// What WeChat answered, as the engine writes it down (JSON).
    pub answer: Option<Vec<u8>>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When WeChat is asked about it next; `None`: it is decided.
    pub due_at: Option<Timestamp>,
    /// How many steps of the schedule of asking are behind it.
    pub step: u32,
    /// Counts its changes. 0: it is not stored yet.
    pub revision: i64,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// It is being asked for; whether WeChat has it is not known.
    Asking,
    /// WeChat has taken it, and the money is on its way.
    Processing,
    /// The money is back.
    Succeeded,
    /// WeChat closed it: nothing went back.
    Closed,
    /// The bank did not take the money: the merchant has to see to it.
    Abnormal,
    /// WeChat refused it.
    Refused,
}

impl RefundState {
    fn number(self) -> i32 {
        match self {
            Self::Asking => STATE_ASKING,
            Self::Processing => STATE_PROCESSING,
            Self::Succeeded => STATE_SUCCEEDED,
            Self::Closed => STATE_CLOSED,
            Self::Abnormal => STATE_ABNORMAL,
            Self::Refused => STATE_REFUSED,
        }
    }

    fn read(number: i32) -> Result<Self, StoreError> {
        match number {
            STATE_ASKING => Ok(Self::Asking),
            STATE_PROCESSING => Ok(Self::Processing),
            STATE_SUCCEEDED => Ok(Self::Succeeded),
            STATE_CLOSED => Ok(Self::Closed),
            STATE_ABNORMAL => Ok(Self::Abnormal),
            STATE_REFUSED => Ok(Self::Refused),
            _ => Err(StoreError::corrupt("a refund is in no state that this version knows")),
        }
    }
}

impl Store {
    /// One refund.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        let row = limited(Entity::find_by_id(id.0.to_vec()).one(self.database.reader())).await?;
        row.map(refund_from).transpose()
    }

    /// The refunds of an order, the oldest first. None for [`OrderId::UNKNOWN`], which stands for many.
    ///
    /// # Errors
    /// As for [`Store::refund`].
    pub async fn refunds_of(&self, order: OrderId) -> Result<Vec<Refund>, StoreError> {
        if order == OrderId::UNKNOWN {
            return Ok(Vec::new());
        }
        self.listed(Entity::find().filter(Column::OrderId.eq(order.0.to_vec()))).await
    }

    /// The refunds of what WeChat knows under `transaction_id`, the oldest first.
    ///
    /// # Errors
    /// As for [`Store::refund`].
    pub async fn refunds_of_transaction(&self, mch_id: &str, transaction_id: &str) -> Result<Vec<Refund>, StoreError> {
        if transaction_id.is_empty() {
            return Ok(Vec::new());
        }
        let query = Entity::find().filter(Column::TransactionId.eq(transaction_id.as_bytes().to_vec()));
        self.listed(query.filter(Column::MchId.eq(mch_id.as_bytes().to_vec()))).await
    }

    async fn listed(&self, query: Select<Entity>) -> Result<Vec<Refund>, StoreError> {
        let query = query.order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
        limited(query.all(self.database.reader())).await?.into_iter().map(refund_from).collect()
    }

    /// Takes up to `limit` refunds for `node` that are due at `now` and in nobody's hands, as
    /// [`Store::claim_due_orders`] does.
    ///
    /// # Errors
    /// As for [`Store::refund`].
    pub async fn claim_due_refunds(&self, node: NodeId, now: Timestamp, limit: u64) -> Result<Vec<Refund>, StoreError> {
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
        rows.await?.into_iter().map(refund_from).collect()
    }

    /// When the next refund becomes due, whoever has it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_due_refund(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = Entity::find().select_only().column(Column::DueAt).filter(Column::DueAt.is_not_null());
        let query = query.order_by_asc(Column::DueAt).limit(1);
        let due_at: Option<Option<i64>> = limited(query.into_tuple().one(self.database.reader())).await?;
        Ok(due_at.flatten().map(Timestamp::from_millis))
    }

    /// How many refunds are not decided.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_undecided_refunds(&self) -> Result<u64, StoreError> {
        limited(Entity::find().filter(Column::DueAt.is_not_null()).count(self.database.reader())).await
    }
}

/// The row as it stands after a change: in nobody's hands, with the next revision.
pub(crate) fn changed_row(refund: &Refund) -> Result<ActiveModel, StoreError> {
    within("the key of a registration", MAX_KEY_BYTES, &refund.app_key)?;
    within("the appid", MAX_APPID_BYTES, &refund.appid)?;
    let name = |what, text: &str| within(what, MAX_PAY_NAME_BYTES, text).map(|()| Set(text.as_bytes().to_vec()));
    Ok(ActiveModel {
        id: Set(refund.id.0.to_vec()),
        order_id: Set(refund.order.0.to_vec()),
        app_key: Set(refund.app_key.as_bytes().to_vec()),
        appid: Set(refund.appid.as_bytes().to_vec()),
        mch_id: name("mch_id", &refund.mch_id)?,
        out_trade_no: name("out_trade_no", &refund.out_trade_no)?,
        transaction_id: name("transaction_id", &refund.transaction_id)?,
        out_refund_no: name("out_refund_no", &refund.out_refund_no)?,
        refund_id: name("refund_id", &refund.refund_id)?,
        total_fee: Set(refund.total_fee),
        refund_fee: Set(refund.refund_fee),
        version: Set(version_number(refund.version)),
        state: Set(refund.state.number()),
        content: Set(refund.content.to_vec()),
        request: Set(refund.request.clone()),
        answer: Set(refund.answer.clone()),
        created_at: Set(refund.created_at.as_millis()),
        updated_at: Set(refund.updated_at.as_millis()),
        due_at: Set(refund.due_at.map(Timestamp::as_millis)),
        step: Set(i32::try_from(refund.step).unwrap_or(i32::MAX)),
        node: Set(None),
        revision: Set(refund.revision.saturating_add(1)),
    })
}

fn refund_from(row: Model) -> Result<Refund, StoreError> {
    Ok(Refund {
        id: RefundId(id_bytes(row.id)?),
        order: OrderId(id_bytes(row.order_id)?),
        app_key: utf8(row.app_key)?,
        appid: utf8(row.appid)?,
        mch_id: utf8(row.mch_id)?,
        out_trade_no: utf8(row.out_trade_no)?,
        transaction_id: utf8(row.transaction_id)?,
        out_refund_no: utf8(row.out_refund_no)?,
        refund_id: utf8(row.refund_id)?,
        total_fee: row.total_fee,
        refund_fee: row.refund_fee,
        version: version_from(row.version)?,
        state: RefundState::read(row.state)?,
        content: hash_bytes(row.content)?,
        request: row.request,
        answer: row.answer,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        due_at: row.due_at.map(Timestamp::from_millis),
        step: u32::try_from(row.step).unwrap_or(0),
        revision: row.revision,
    })
}
