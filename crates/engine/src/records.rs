//! Records: every message with its tries, answers and deliveries, to be listed, read and replayed; and their end.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use store::{Answer, Delivery, DeliveryState, LateReply, LateReplyState, Message, MessageFilter, MessageId};
use store::{MessageState, StoreError};
use tokio_util::sync::CancellationToken;

use crate::deliveries::Deliveries;
use crate::foundation::Foundation;
use crate::late_replies::pieces::Outcome;
use crate::messages::{Attempt, Callback, from_json, shown};

/// How often old records are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(60);

/// Between two batches of old records, so that what is alive goes first.
const BETWEEN_BATCHES: Duration = Duration::from_millis(20);

/// The shortest retention that can be chosen.
pub const SHORTEST_RETENTION: Duration = Duration::from_secs(3600);

/// Whatever the retention: a request is believed from an hour before its timestamp until an hour after it, and its record is what
/// tells that it came before. A little more, because clocks are set.
const KEPT_AT_LEAST: Duration = Duration::from_secs(2 * 3600 + 600);

/// One message as it is shown. Times are Unix seconds with a fraction.
#[derive(Debug, Serialize)]
pub struct Record {
    /// What `webhook-id` says.
    id: String,
    key: String,
    appid: String,
    #[serde(rename = "type")]
    msg_type: String,
    event: String,
    openid: String,
    received_at: f64,
    state: &'static str,
    /// What WeChat was answered; missing: nothing yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<AnswerRecord>,
    backends: Vec<BackendRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_reply: Option<LateRecord>,
    /// The message as it was sent to the backends; only when one message is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Debug, Serialize)]
struct AnswerRecord {
    decided_at: f64,
    /// `success` or the reply.
    body: String,
    /// Which backend it came from, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<u32>,
}

#[derive(Debug, Serialize)]
struct BackendRecord {
    /// Without its query, which may hold secrets.
    url: String,
    state: &'static str,
    /// When it gets the message again.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<f64>,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Serialize)]
struct LateRecord {
    state: &'static str,
    backend: u32,
    created_at: f64,
    #[serde(flatten)]
    outcome: Outcome,
}

impl Record {
    /// Its id, `msg_…`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The record in one line: id, time (Unix seconds), registration, kind, user, state, answer.
    #[must_use]
    pub fn line(&self) -> String {
        let kind = if self.event.is_empty() { &self.msg_type } else { &self.event };
        let answer = match &self.answer {
            None => "-".to_owned(),
            Some(AnswerRecord { backend: None, .. }) => "success".to_owned(),
            Some(AnswerRecord { backend: Some(backend), .. }) => format!("reply of backend {backend}"),
        };
        let Self { id, key, openid, received_at, state, .. } = self;
        format!("{id}\t{received_at:.3}\t{key}\t{kind}\t{openid}\t{state}\t{answer}")
    }
}

/// Reads and replays records. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    foundation: Arc<Foundation>,
    deliveries: Deliveries,
    retention: Duration,
}

impl Records {
    /// On this foundation; they are removed after `retention`.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, deliveries: Deliveries, retention: Duration) -> Self {
        Self { foundation, deliveries, retention: retention.max(KEPT_AT_LEAST) }
    }

    /// How long records of messages are kept.
    #[must_use]
    pub fn retention(&self) -> Duration {
        self.retention
    }

    /// Up to `limit` messages, the newest first, after `after` (the last id of the page before). `None`: that one is no longer
    /// kept, so nobody knows what comes after it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(
        &self,
        filter: &MessageFilter,
        after: Option<MessageId>,
        limit: u64,
    ) -> Result<Option<Vec<Record>>, StoreError> {
        let last = match after {
            Some(id) => self.foundation.store.message(id).await?,
            None => None,
        };
        if after.is_some() && last.is_none() {
            return Ok(None);
        }
        let messages = self.foundation.store.messages(filter, last.as_ref(), limit).await?;
        self.records(messages).await.map(Some)
    }

    /// One message, with its body.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn show(&self, id: MessageId) -> Result<Option<Record>, StoreError> {
        let Some(message) = self.foundation.store.message(id).await? else { return Ok(None) };
        let body = String::from_utf8_lossy(&Callback::of_row(message.clone()).body).into_owned();
        let record = self.records(vec![message]).await?.pop();
        Ok(record.map(|record| Record { body: Some(body), ..record }))
    }

    /// Sends a message again to all of its backends, or to the one at `backend`, at once; `webhook-id` stays, the count of
    /// attempts goes on. False: there is no such message (or backend).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn replay(&self, id: MessageId, backend: Option<usize>) -> Result<bool, StoreError> {
        let Some(message) = self.foundation.store.message(id).await? else { return Ok(false) };
        let answer = self.foundation.store.answer(id).await?;
        let known = self.foundation.store.deliveries(&[id]).await?;
        let callback = Callback::of_row(message);
        let first: Vec<Attempt> = answer.map(|answer| from_json(&answer.attempts)).unwrap_or_default();
        let now = self.foundation.clock.now();
        let places = (0..callback.request.calls.len()).filter(|place| backend.is_none_or(|wanted| wanted == *place));
        let again: Vec<Delivery> = places
            .map(|place| {
                let is_here = |position: u32| usize::try_from(position).is_ok_and(|position| position == place);
                let tries: Vec<Attempt> = first.iter().filter(|attempt| is_here(attempt.backend)).cloned().collect();
                let fresh = callback.delivery(place, DeliveryState::Pending(now), false, &tries);
                match known.iter().find(|delivery| is_here(delivery.position)) {
                    Some(delivery) => Delivery { sent: delivery.sent, attempts: delivery.attempts.clone(), ..fresh },
                    None => fresh,
                }
            })
            .collect();
        if again.is_empty() {
            return Ok(false);
        }
        self.foundation.store.renew_deliveries(&again).await?;
        for delivery in &again {
            self.deliveries.is_owed(delivery.backend, false);
        }
        Ok(true)
    }

    async fn records(&self, messages: Vec<Message>) -> Result<Vec<Record>, StoreError> {
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        let answers = self.foundation.store.answers(&ids).await?;
        let deliveries = self.foundation.store.deliveries(&ids).await?;
        let late = self.foundation.store.late_replies(&ids).await?;
        let records = messages.into_iter().map(|message| {
            let id = message.id;
            let answer = answers.iter().find(|answer| answer.message_id == id);
            let owed: Vec<&Delivery> = deliveries.iter().filter(|delivery| delivery.message_id == id).collect();
            let late = late.iter().filter(|late| late.message_id == id);
            record(message, answer, &owed, late.min_by_key(|late| interest(late.state)))
        });
        Ok(records.collect())
    }

    /// Removes what is older than the retention, until `stop`.
    pub async fn clean(self, stop: CancellationToken) {
        let cleaning = async {
            loop {
                match self.foundation.store.remove_old_messages(self.foundation.clock.now() - self.retention).await {
                    Ok(0) => tokio::time::sleep(CLEAN_EVERY).await,
                    Ok(_) => tokio::time::sleep(BETWEEN_BATCHES).await,
                    Err(error) => {
                        tracing::error!(%error, "old records could not be removed");
                        tokio::time::sleep(CLEAN_EVERY).await;
                    }
                }
            }
        };
        let _ = stop.run_until_cancelled(cleaning).await;
    }
}

/// The word for a state in a filter, and in a record.
pub const STATES: [(&str, MessageState); 4] = [
    ("forwarding", MessageState::Forwarding),
    ("delivering", MessageState::Delivering),
    ("dead", MessageState::Dead),
    ("done", MessageState::Done),
];

fn record(message: Message, answer: Option<&Answer>, owed: &[&Delivery], late: Option<&LateReply>) -> Record {
    let first: Vec<Attempt> = answer.map(|answer| from_json(&answer.attempts)).unwrap_or_default();
    let is_finished = answer.is_some_and(|answer| answer.finished_at.is_some());
    let request: crate::messages::Request = from_json(&message.request);
    let places = 0u32..;
    let backends = request.calls.iter().zip(places).map(|(call, place)| {
        let delivery = owed.iter().find(|delivery| delivery.position == place);
        backend(call, place, &first, delivery.copied())
    });
    Record {
        id: message.id.to_string(),
        state: state(is_finished, owed),
        answer: answer.map(|answer| AnswerRecord {
            decided_at: answer.decided_at.as_fractional_seconds(),
            body: answer.reply.as_ref().map_or("success".into(), |reply| String::from_utf8_lossy(reply).into_owned()),
            backend: answer.reply_from,
        }),
        backends: backends.collect(),
        late_reply: late.map(late_record),
        key: message.app_key,
        appid: message.appid,
        msg_type: message.msg_type,
        event: message.event,
        openid: message.openid,
        received_at: message.received_at.as_fractional_seconds(),
        body: None,
    }
}

fn state(is_finished: bool, owed: &[&Delivery]) -> &'static str {
    let any = |wanted: fn(&DeliveryState) -> bool| owed.iter().any(|delivery| wanted(&delivery.state));
    if any(|state| matches!(state, DeliveryState::Pending(_))) {
        "delivering"
    } else if !is_finished {
        "forwarding"
    } else if any(|state| *state == DeliveryState::Dead) {
        "dead"
    } else {
        "done"
    }
}

fn backend(call: &str, place: u32, first: &[Attempt], delivery: Option<&Delivery>) -> BackendRecord {
    let mut attempts: Vec<Attempt> = first.iter().filter(|attempt| attempt.backend == place).cloned().collect();
    let taken = attempts.iter().any(|attempt| attempt.error.is_none());
    let (state, next_at) = match delivery.map(|delivery| delivery.state) {
        None if taken => ("taken", None),
        None => ("open", None),
        Some(DeliveryState::Pending(due_at)) => ("pending", Some(due_at.as_fractional_seconds())),
        Some(DeliveryState::Delivered) => ("taken", None),
        Some(DeliveryState::Dead) => ("dead", None),
        Some(DeliveryState::Refused) => ("refused", None),
    };
    if let Some(delivery) = delivery {
        // The delivery repeats the first try.
        let again: Vec<Attempt> = from_json(&delivery.attempts);
        attempts.retain(|attempt| !again.contains(attempt));
        attempts.extend(again);
    }
    BackendRecord { url: shown(call), state, next_at, attempts }
}

/// Of several, the one that the user got, or may get, is shown.
fn interest(state: LateReplyState) -> u8 {
    match state {
        LateReplyState::Sent => 0,
        LateReplyState::Pending(_) => 1,
        LateReplyState::Failed => 2,
    }
}

fn late_record(late: &LateReply) -> LateRecord {
    let state = match late.state {
        LateReplyState::Pending(_) => "pending",
        LateReplyState::Sent => "sent",
        LateReplyState::Failed => "failed",
    };
    let outcome: Outcome = from_json(&late.outcome);
    LateRecord { state, backend: late.reply_from, created_at: late.created_at.as_fractional_seconds(), outcome }
}
