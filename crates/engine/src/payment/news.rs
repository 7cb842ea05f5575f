//! What the team is told of a payment or a refund: a message like WeChat's own, with a delivery for each `call`.
//!
//! Made by `settling` and `refunded`, which write it down in the commit that it tells of. What must stay true: the same
//! event has the same id and the same form, whichever version and whoever settles it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use store::{Delivery, DeliveryState, Message, MessageId, News, Timestamp};

use super::Inner;
use crate::messages::{Callback, Request, to_json};

/// The type under which payments stand among the records of messages.
const MSG_TYPE: &str = "pay";

/// What backends are sent.
const JSON: &str = "application/json; charset=utf-8";

pub(super) struct About<'a> {
    pub(super) id: MessageId,
    pub(super) key: &'a str,
    pub(super) appid: &'a str,
    pub(super) openid: &'a str,
}

impl Inner {
    pub(super) fn news(&self, about: &About<'_>, event: &str, calls: &[String], body: Bytes, now: Timestamp) -> News {
        let request = Request {
            as_is: true,
            notice: true,
            content_type: Some(JSON.to_owned()),
            calls: Arc::from(calls),
            ..Request::default()
        };
        let message = Message {
            id: about.id,
            app_key: about.key.to_owned(),
            appid: about.appid.to_owned(),
            received_at: now,
            node: self.node,
            msg_type: MSG_TYPE.to_owned(),
            event: event.to_owned(),
            openid: about.openid.to_owned(),
            request: to_json(&request),
            body,
        };
        let callback = Callback::of_row(message.clone());
        let due = DeliveryState::Pending(now);
        let deliveries: Vec<Delivery> =
            (0..calls.len()).map(|place| callback.delivery(place, due, false, &[])).collect();
        News { message, deliveries }
    }

    /// The deliveries are on disk: they begin now, not at the next look.
    pub(super) fn told(&self, news: &News) {
        for delivery in &news.deliveries {
            self.deliveries.is_owed(delivery.backend, false);
        }
    }
}

/// One shape for both versions: v2's flat names, the kind of event in v3's words, and `resource` with what v3 said.
pub(super) fn news_body(event_type: &str, fields: &Map<String, Value>, resource: Option<&Value>) -> Bytes {
    let mut body = fields.clone();
    body.insert("event_type".to_owned(), event_type.into());
    if let Some(resource) = resource {
        body.insert("resource".to_owned(), resource.clone());
    }
    to_json(&body).into()
}

/// The same whoever settles it: made from what it is about. It begins with a time, so that it has its place beside
/// others of that time in the tables' indexes.
pub(super) fn news_id(created_at: Timestamp, about: &[&str]) -> MessageId {
    let mut hash = Sha256::new();
    for text in about {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    let (time, rest) = id.split_at_mut(4);
    let [.., a, b, c, d] = created_at.as_seconds().to_be_bytes();
    time.copy_from_slice(&[a, b, c, d]);
    rest.copy_from_slice(hash.split_at(rest.len()).0);
    MessageId(id)
}
