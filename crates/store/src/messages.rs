//! WeChat's callbacks as they came, and what they were answered. Both are written in groups by [`crate::Journal`].
//!
//! A message's row is written once, before any backend sees it. Its answer is a row of its own: whoever inserts it first, on
//! whatever node, has decided what WeChat is told.

use bytes::Bytes;
use sea_orm::sea_query::{Expr, ExprTrait, IntoColumnRef, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::database::{limited, repeated};
use crate::entities::{answers, deliveries, late_replies, messages};
use crate::ids::{bytes_of, id_bytes, utf8};
use crate::{MessageId, NodeId, Store, StoreError, Timestamp, deliveries as owed};

/// The longest `msg_type`, `event` and `openid`, in bytes; longer ones are cut, they only serve to find a message again.
pub const MAX_LABEL_BYTES: usize = 128;
/// Messages that one step of [`Store::remove_old_messages`] removes.
const OLD_AT_ONCE: u64 = 500;

/// A callback as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Made from what it is.
    pub id: MessageId,
    /// The registration that it came to.
    pub app_key: String,
    /// The account.
    pub appid: String,
    /// When its first try arrived.
    pub received_at: Timestamp,
    /// Who forwards it.
    pub node: NodeId,
    /// `MsgType`; empty when there is none.
    pub msg_type: String,
    /// `Event`; empty for messages.
    pub event: String,
    /// The user; empty when unknown.
    pub openid: String,
    /// How it came and where it goes, as the engine writes it down.
    pub request: Vec<u8>,
    /// The decrypted message.
    pub body: Bytes,
}

/// Who got an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// WeChat, which shows it to the user.
    Wechat,
    /// The user, as a late reply, because no try of WeChat came for it.
    User,
}

const TO_WECHAT: i32 = 0;
const TO_USER: i32 = 1;

impl Recipient {
    fn number(self) -> i32 {
        match self {
            Self::Wechat => TO_WECHAT,
            Self::User => TO_USER,
        }
    }

    fn read(number: i32) -> Result<Self, StoreError> {
        match number {
            TO_WECHAT => Ok(Self::Wechat),
            TO_USER => Ok(Self::User),
            _ => Err(StoreError::corrupt("an answer was given to somebody that this version does not know")),
        }
    }
}

/// What a message was answered, and how its backends took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message.
    pub message_id: MessageId,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The reply in the message's own format, not encrypted; `None`: `success`.
    pub reply: Option<Vec<u8>>,
    /// Which backend it came from, counted from 0.
    pub reply_from: Option<u32>,
    /// Who has it; `None`: nobody yet.
    pub given_to: Option<Recipient>,
    /// When the last backend of the first forwarding was done.
    pub finished_at: Option<Timestamp>,
    /// The first tries, as the engine writes them down.
    pub attempts: Vec<u8>,
}

impl Answer {
    /// `success`, decided and given at `now`.
    #[must_use]
    pub fn success(message_id: MessageId, now: Timestamp) -> Self {
        Self {
            message_id,
            decided_at: now,
            reply: None,
            reply_from: None,
            given_to: Some(Recipient::Wechat),
            finished_at: None,
            attempts: b"[]".to_vec(),
        }
    }
}

/// Which messages are listed. Empty: all.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Of this registration.
    pub app_key: Option<String>,
    /// Of this account.
    pub appid: Option<String>,
    /// With this `MsgType`.
    pub msg_type: Option<String>,
    /// With this `Event`.
    pub event: Option<String>,
    /// From this user.
    pub openid: Option<String>,
    /// In this state.
    pub state: Option<MessageState>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// Backends are being asked for the first time.
    Forwarding,
    /// A backend that failed will get it again.
    Delivering,
    /// A backend did not get it, and will not.
    Dead,
    /// Every backend has it.
    Done,
}

impl Store {
    /// One message.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let row = limited(messages::Entity::find_by_id(id.0.to_vec()).one(self.database.reader())).await?;
        row.map(message_from).transpose()
    }

    /// What a message was answered.
    ///
    /// # Errors
    /// As for [`Store::message`].
    pub async fn answer(&self, id: MessageId) -> Result<Option<Answer>, StoreError> {
        let row = limited(answers::Entity::find_by_id(id.0.to_vec()).one(self.database.reader())).await?;
        row.map(answer_from).transpose()
    }

    /// The answers of several messages.
    ///
    /// # Errors
    /// As for [`Store::message`].
    pub async fn answers(&self, ids: &[MessageId]) -> Result<Vec<Answer>, StoreError> {
        let query = answers::Entity::find().filter(answers::Column::MessageId.is_in(bytes_of(ids)));
        limited(query.all(self.database.reader())).await?.into_iter().map(answer_from).collect()
    }

    /// Takes the right to give the answer to `to`, unless somebody has it. Gives who has it then; `None`: there is no answer.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn give_answer(&self, id: MessageId, to: Recipient) -> Result<Option<Recipient>, StoreError> {
        let update = answers::Entity::update_many()
            .set(answers::ActiveModel { given_to: Set(Some(to.number())), ..Default::default() })
            .filter(answers::Column::MessageId.eq(id.0.to_vec()))
            .filter(answers::Column::GivenTo.is_null());
        if repeated(|| update.clone().exec(self.database.writer())).await?.rows_affected == 1 {
            return Ok(Some(to));
        }
        Ok(self.answer(id).await?.and_then(|answer| answer.given_to))
    }

    /// Nobody has the answer after all: WeChat, which should have got it, had hung up before it was on disk. So the message is
    /// not finished either.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn take_answer_back(&self, id: MessageId) -> Result<(), StoreError> {
        let update = answers::Entity::update_many()
            .set(answers::ActiveModel { given_to: Set(None), finished_at: Set(None), ..Default::default() })
            .filter(answers::Column::MessageId.eq(id.0.to_vec()))
            .filter(answers::Column::GivenTo.eq(TO_WECHAT));
        repeated(|| update.clone().exec(self.database.writer())).await.map(drop)
    }

    /// Up to `limit` messages that `node` has, received from `since` until `until`, that it did not finish: the oldest first.
    ///
    /// # Errors
    /// As for [`Store::message`].
    pub async fn unfinished_messages(
        &self,
        node: NodeId,
        since: Timestamp,
        until: Timestamp,
        limit: u64,
    ) -> Result<Vec<Message>, StoreError> {
        let mut query = messages::Entity::find()
            .filter(messages::Column::ReceivedAt.gte(since.as_millis()))
            .filter(messages::Column::ReceivedAt.lte(until.as_millis()))
            .filter(messages::Column::Node.eq(node.0.to_vec()))
            .order_by_asc(messages::Column::ReceivedAt)
            .limit(limit);
        // A join, because MariaDB would read all answers there are for "not exists".
        let answer = (answers::Entity, answers::Column::MessageId);
        let finished = Expr::col((answers::Entity, answers::Column::FinishedAt)).is_not_null();
        QuerySelect::query(&mut query)
            .left_join(answers::Entity, of_this_message(answer).and(finished))
            .and_where(Expr::col(answer).is_null());
        limited(query.all(self.database.reader())).await?.into_iter().map(message_from).collect()
    }

    /// Moves a message from a node that is gone to another. True for exactly one of all who try.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn take_over_message(&self, id: MessageId, from: NodeId, to: NodeId) -> Result<bool, StoreError> {
        let update = messages::Entity::update_many()
            .set(messages::ActiveModel { node: Set(to.0.to_vec()), ..Default::default() })
            .filter(messages::Column::Id.eq(id.0.to_vec()))
            .filter(messages::Column::Node.eq(from.0.to_vec()));
        Ok(repeated(|| update.clone().exec(self.database.writer())).await?.rows_affected == 1)
    }

    /// Up to `limit` messages, the newest first, after `after` (the last of the page before).
    ///
    /// # Errors
    /// As for [`Store::message`].
    pub async fn messages(
        &self,
        filter: &MessageFilter,
        after: Option<&Message>,
        limit: u64,
    ) -> Result<Vec<Message>, StoreError> {
        let mut query = messages::Entity::find().filter(condition(filter));
        if let Some(after) = after {
            let (at, id) = (after.received_at.as_millis(), after.id.0.to_vec());
            let same = Condition::all().add(messages::Column::ReceivedAt.eq(at)).add(messages::Column::Id.lt(id));
            query = query.filter(Condition::any().add(messages::Column::ReceivedAt.lt(at)).add(same));
        }
        let query = query.order_by_desc(messages::Column::ReceivedAt).order_by_desc(messages::Column::Id).limit(limit);
        limited(query.all(self.database.reader())).await?.into_iter().map(message_from).collect()
    }

    /// Removes messages that were received before `before`, with all that belongs to them, some hundred at a time; what
    /// a backend still has to get stays. Gives how many; 0 means that none is left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove_old_messages(&self, before: Timestamp) -> Result<u64, StoreError> {
        let query = messages::Entity::find()
            .select_only()
            .column(messages::Column::Id)
            .filter(messages::Column::ReceivedAt.lt(before.as_millis()))
            .filter(with_delivery(owed::STATE_PENDING).not())
            .order_by_asc(messages::Column::ReceivedAt)
            .limit(OLD_AT_ONCE);
        let ids: Vec<Vec<u8>> = limited(query.into_tuple().all(self.database.reader())).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let ids = &ids;
        self.database
            .write(|tx| async move {
                let (tx, ids) = (&*tx, || ids.iter().cloned());
                answers::Entity::delete_many().filter(answers::Column::MessageId.is_in(ids())).exec(tx).await?;
                deliveries::Entity::delete_many().filter(deliveries::Column::MessageId.is_in(ids())).exec(tx).await?;
                let late = late_replies::Column::MessageId.is_in(ids());
                late_replies::Entity::delete_many().filter(late).exec(tx).await?;
                let gone = messages::Entity::delete_many().filter(messages::Column::Id.is_in(ids())).exec(tx).await?;
                Ok(gone.rows_affected)
            })
            .await
    }
}

/// No answer says that all backends are done.
fn unfinished() -> Condition {
    let finished = Query::select()
        .expr(Expr::value(1))
        .from(answers::Entity)
        .and_where(of_this_message((answers::Entity, answers::Column::MessageId)))
        .and_where(answers::Column::FinishedAt.is_not_null())
        .to_owned();
    Condition::all().add(Expr::exists(finished).not())
}

/// Whether a backend still has to get the message, or will never get it.
fn with_delivery(state: i32) -> Expr {
    let delivery = Query::select()
        .expr(Expr::value(1))
        .from(deliveries::Entity)
        .and_where(of_this_message((deliveries::Entity, deliveries::Column::MessageId)))
        .and_where(deliveries::Column::State.eq(state))
        .to_owned();
    Expr::exists(delivery)
}

fn of_this_message(column: impl IntoColumnRef) -> Expr {
    Expr::col(column).equals((messages::Entity, messages::Column::Id))
}

fn condition(filter: &MessageFilter) -> Condition {
    let is =
        |column: messages::Column, text: &Option<String>| text.as_ref().map(|text| column.eq(text.as_bytes().to_vec()));
    let label = |column: messages::Column, text: &Option<String>| {
        text.as_ref().map(|text| column.eq(cut(text).as_bytes().to_vec()))
    };
    Condition::all()
        .add_option(is(messages::Column::AppKey, &filter.app_key))
        .add_option(is(messages::Column::Appid, &filter.appid))
        .add_option(label(messages::Column::MsgType, &filter.msg_type))
        .add_option(label(messages::Column::Event, &filter.event))
        .add_option(label(messages::Column::Openid, &filter.openid))
        .add_option(filter.since.map(|since| messages::Column::ReceivedAt.gte(since.as_millis())))
        .add_option(filter.until.map(|until| messages::Column::ReceivedAt.lt(until.as_millis())))
        .add_option(filter.state.map(in_state))
}

/// Every message is in one state: what is owed counts before what is not finished, and that before what is dead.
fn in_state(state: MessageState) -> Condition {
    let (pending, dead) = (with_delivery(owed::STATE_PENDING), with_delivery(owed::STATE_DEAD));
    let settled = Condition::all().add(pending.clone().not());
    match state {
        MessageState::Delivering => Condition::all().add(pending),
        MessageState::Forwarding => settled.add(unfinished()),
        MessageState::Dead => settled.add(unfinished().not()).add(dead),
        MessageState::Done => settled.add(unfinished().not()).add(dead.not()),
    }
}

pub(crate) fn message_row(message: &Message) -> messages::ActiveModel {
    let label = |text: &str| Set(cut(text).as_bytes().to_vec());
    messages::ActiveModel {
        id: Set(message.id.0.to_vec()),
        app_key: Set(message.app_key.as_bytes().to_vec()),
        appid: Set(message.appid.as_bytes().to_vec()),
        received_at: Set(message.received_at.as_millis()),
        node: Set(message.node.0.to_vec()),
        msg_type: label(&message.msg_type),
        event: label(&message.event),
        openid: label(&message.openid),
        request: Set(message.request.clone()),
        body: Set(message.body.to_vec()),
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_LABEL_BYTES)).unwrap_or(text)
}

fn message_from(row: messages::Model) -> Result<Message, StoreError> {
    Ok(Message {
        id: MessageId(id_bytes(row.id)?),
        app_key: utf8(row.app_key)?,
        appid: utf8(row.appid)?,
        received_at: Timestamp::from_millis(row.received_at),
        node: NodeId(id_bytes(row.node)?),
        msg_type: utf8(row.msg_type)?,
        event: utf8(row.event)?,
        openid: utf8(row.openid)?,
        request: row.request,
        body: row.body.into(),
    })
}

pub(crate) fn answer_row(answer: &Answer) -> answers::ActiveModel {
    answers::ActiveModel {
        message_id: Set(answer.message_id.0.to_vec()),
        decided_at: Set(answer.decided_at.as_millis()),
        reply: Set(answer.reply.clone()),
        reply_from: Set(answer.reply_from.map(|position| i32::try_from(position).unwrap_or(i32::MAX))),
        given_to: Set(answer.given_to.map(Recipient::number)),
        finished_at: Set(answer.finished_at.map(Timestamp::as_millis)),
        attempts: Set(answer.attempts.clone()),
    }
}

fn answer_from(row: answers::Model) -> Result<Answer, StoreError> {
    Ok(Answer {
        message_id: MessageId(id_bytes(row.message_id)?),
        decided_at: Timestamp::from_millis(row.decided_at),
        reply: row.reply,
        reply_from: row.reply_from.and_then(|position| u32::try_from(position).ok()),
        given_to: row.given_to.map(Recipient::read).transpose()?,
        finished_at: row.finished_at.map(Timestamp::from_millis),
        attempts: row.attempts,
    })
}
