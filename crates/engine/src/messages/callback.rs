//! A callback of WeChat in hand: its row, how it came, and what it says.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderValue;
use store::{BackendId, Delivery, DeliveryState, Message, Timestamp};
use wechat::document::Format;
use wechat::message::Message as Push;

use super::request::Request;
use super::{Attempt, from_json, to_json};
use crate::backends::{Backends, Outgoing};
use crate::webhook::WebhookKeys;

/// Content types of what is sent to backends and answered to WeChat.
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A callback in hand.
#[derive(Debug)]
pub struct Callback {
    /// Its row.
    pub message: Arc<Message>,
    /// How it came and where it goes.
    pub request: Request,
    /// What it says; `None`: it is passed on as it came.
    pub push: Option<Push>,
    /// What backends are sent.
    pub body: Bytes,
}

impl Callback {
    /// Puts a row and what was read of it together.
    #[must_use]
    pub fn new(message: Arc<Message>, request: Request, push: Option<Push>) -> Self {
        let body = match &push {
            Some(push) if request.json => push.as_json(),
            _ => message.body.clone(),
        };
        Self { message, request, push, body }
    }

    /// Reads what a row says.
    #[must_use]
    pub fn of_row(message: Message) -> Self {
        let request: Request = from_json(&message.request);
        let push = if request.as_is { None } else { Push::read(message.body.clone()).ok() };
        Self::new(Arc::new(message), request, push)
    }

    /// The type of what backends are sent.
    #[must_use]
    pub fn content_type(&self) -> HeaderValue {
        let original = self.request.content_type.as_deref().filter(|_| self.push.is_none());
        match (original.map(HeaderValue::from_str), self.push.as_ref().map(Push::format)) {
            (Some(Ok(original)), _) => original,
            (_, Some(Format::Xml)) if self.request.json => JSON,
            (_, Some(Format::Json)) => JSON,
            (_, Some(Format::Xml)) => XML,
            (_, None) => content_type_of(&self.body),
        }
    }

    /// The URL of the backend at `place`.
    #[must_use]
    pub fn call(&self, place: usize) -> Option<&str> {
        self.request.calls.get(place).map(String::as_str)
    }

    /// What is sent to the backend at `place`.
    #[must_use]
    pub fn outgoing<'a>(
        &self,
        place: usize,
        attempt: u32,
        keys: Option<&'a WebhookKeys>,
        timeout: std::time::Duration,
    ) -> Option<(BackendId, Outgoing<'a>)> {
        let call = self.call(place)?;
        let outgoing = Outgoing {
            id: self.message.id,
            attempt,
            url: self.request.url(call, &self.message.appid),
            body: self.body.clone(),
            content_type: self.content_type(),
            keys,
            timeout,
        };
        Some((Backends::id_of(call), outgoing))
    }

    /// What the backend at `place` is owed.
    #[must_use]
    pub fn delivery(&self, place: usize, state: DeliveryState, unreachable: bool, attempts: &[Attempt]) -> Delivery {
        let position = u32::try_from(place).unwrap_or(u32::MAX);
        Delivery {
            message_id: self.message.id,
            position,
            backend: Backends::id_of(self.call(place).unwrap_or_default()),
            received_at: self.message.received_at,
            state,
            step: 0,
            sent: attempts.iter().map(|attempt| attempt.attempt).max().unwrap_or(0),
            unreachable,
            attempts: to_json(&attempts),
        }
    }

    /// Until when a reply is still sent to the user.
    #[must_use]
    pub fn late_until(&self) -> Timestamp {
        self.request.late_until(self.message.received_at)
    }
}

/// The type of a body by how it begins.
#[must_use]
pub fn content_type_of(body: &[u8]) -> HeaderValue {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'<') => XML,
        Some(b'{' | b'[') => JSON,
        _ => TEXT,
    }
}

/// A URL for logs and records: without query, which may hold secrets, and without user and password.
#[must_use]
pub fn shown(call: &str) -> String {
    let place = call.split(['?', '#']).next().unwrap_or_default();
    match place.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => place.to_owned(),
    }
}
