//! Late replies: what a backend said when WeChat no longer waited, to be sent as customer-service messages.
//!
//! At most one for each backend of a message; the engine sees to it that the user gets one of them. It belongs to a node like
//! a delivery does.

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::database::{limited, repeated};
use crate::entities::late_replies::{ActiveModel, Column, Entity, Model};
use crate::ids::{bytes_of, id_bytes};
use crate::nodes::in_nobodys_hands;
use crate::{MessageId, NodeId, Store, StoreError, Timestamp};

const STATE_PENDING: i32 = 0;
const STATE_SENT: i32 = 1;
const STATE_FAILED: i32 = 2;

/// A reply that came late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateReply {
    /// The message that it replies to.
    pub message_id: MessageId,
    /// Which backend it came from, counted from 0.
    pub reply_from: u32,
    /// When it came.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: LateReplyState,
    /// How often sending it failed in a way that may pass.
    pub tries: u32,
    /// How many of its pieces WeChat has taken.
    pub sent: u32,
    /// The messages to send, as the engine writes them down.
    pub pieces: Vec<u8>,
    /// What WeChat said, as the engine writes it down.
    pub outcome: Vec<u8>,
}

/// Where a late reply stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateReplyState {
    /// It will be sent at this moment.
    Pending(Timestamp),
    /// WeChat has taken all of it.
    Sent,
    /// It will not be sent; the outcome says why.
    Failed,
}

impl LateReplyState {
    fn columns(self) -> (i32, Option<i64>) {
        match self {
            Self::Pending(due_at) => (STATE_PENDING, Some(due_at.as_millis())),
            Self::Sent => (STATE_SENT, None),
            Self::Failed => (STATE_FAILED, None),
        }
    }
}

impl Store {
    /// Keeps a late reply. False: there is one of this backend already, and it stays.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn insert_late_reply(&self, reply: &LateReply) -> Result<bool, StoreError> {
        let row = &late_reply_row(reply);
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                let known = Entity::find().filter(one(reply)).select_only().column(Column::State);
                if known.into_tuple::<i32>().one(tx).await?.is_some() {
                    return Ok(false);
                }
                Entity::insert(row.clone()).exec_without_returning(tx).await.map(|_| true)
            })
            .await
    }

    /// The late replies to several messages.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn late_replies(&self, ids: &[MessageId]) -> Result<Vec<LateReply>, StoreError> {
        let query = Entity::find().filter(Column::MessageId.is_in(bytes_of(ids)));
        let query = query.order_by_asc(Column::CreatedAt).order_by_asc(Column::ReplyFrom);
        limited(query.all(self.database.reader())).await?.into_iter().map(late_reply_from).collect()
    }

    /// Takes up to `limit` late replies that are due for `node`.
    ///
    /// # Errors
    /// As for [`Store::late_replies`].
    pub async fn claim_late_replies(
        &self,
        node: NodeId,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<LateReply>, StoreError> {
        let due = Condition::all().add(Column::DueAt.lte(now.as_millis()));
        let free = &due.add(in_nobodys_hands(Column::Node, now));
        let rows = self.database.write(|tx| async move {
            let tx = &*tx;
            let query = Entity::find().filter(free.clone()).order_by_asc(Column::DueAt).limit(limit);
            let mut taken = Vec::new();
            for row in query.all(tx).await? {
                let take = Entity::update_many()
                    .set(ActiveModel { node: Set(Some(node.0.to_vec())), ..Default::default() })
                    .filter(Column::MessageId.eq(row.message_id.clone()))
                    .filter(Column::ReplyFrom.eq(row.reply_from))
                    .filter(free.clone());
                if take.exec(tx).await?.rows_affected == 1 {
                    taken.push(row);
                }
            }
            Ok(taken)
        });
        rows.await?.into_iter().map(late_reply_from).collect()
    }

    /// When the next late reply becomes due, whoever has it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn next_late_reply(&self) -> Result<Option<Timestamp>, StoreError> {
        let query = Entity::find().select_only().column(Column::DueAt).filter(Column::DueAt.is_not_null());
        let query = query.order_by_asc(Column::DueAt).limit(1);
        let due_at: Option<Option<i64>> = limited(query.into_tuple().one(self.database.reader())).await?;
        Ok(due_at.flatten().map(Timestamp::from_millis))
    }

    /// Writes down how far a late reply is that `node` has; `kept`: it keeps it. False: another node has it by now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn settle_late_reply(&self, reply: &LateReply, node: NodeId, kept: bool) -> Result<bool, StoreError> {
        let row = ActiveModel { node: Set(kept.then(|| node.0.to_vec())), ..late_reply_row(reply) };
        let update = Entity::update_many().set(row).filter(one(reply)).filter(Column::Node.eq(node.0.to_vec()));
        Ok(repeated(|| update.clone().exec(self.database.writer())).await?.rows_affected == 1)
    }
}

fn one(reply: &LateReply) -> Condition {
    let from = i32::try_from(reply.reply_from).unwrap_or(i32::MAX);
    Condition::all().add(Column::MessageId.eq(reply.message_id.0.to_vec())).add(Column::ReplyFrom.eq(from))
}

fn late_reply_row(reply: &LateReply) -> ActiveModel {
    let (state, due_at) = reply.state.columns();
    let count = |number: u32| Set(i32::try_from(number).unwrap_or(i32::MAX));
    ActiveModel {
        message_id: Set(reply.message_id.0.to_vec()),
        reply_from: count(reply.reply_from),
        created_at: Set(reply.created_at.as_millis()),
        state: Set(state),
        due_at: Set(due_at),
        tries: count(reply.tries),
        sent: count(reply.sent),
        node: Set(None),
        pieces: Set(reply.pieces.clone()),
        outcome: Set(reply.outcome.clone()),
    }
}

fn late_reply_from(row: Model) -> Result<LateReply, StoreError> {
    let count = |number: i32| u32::try_from(number).unwrap_or(0);
    let state = match (row.state, row.due_at) {
        (STATE_PENDING, Some(due_at)) => LateReplyState::Pending(Timestamp::from_millis(due_at)),
        (STATE_SENT, None) => LateReplyState::Sent,
        (STATE_FAILED, None) => LateReplyState::Failed,
        _ => return Err(StoreError::corrupt("a late reply is in no state that this version knows")),
    };
    Ok(LateReply {
        message_id: MessageId(id_bytes(row.message_id)?),
        reply_from: count(row.reply_from),
        created_at: Timestamp::from_millis(row.created_at),
        state,
        tries: count(row.tries),
        sent: count(row.sent),
        pieces: row.pieces,
        outcome: row.outcome,
    })
}
