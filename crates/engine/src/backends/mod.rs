//! Backends: the teams' own servers that get WeChat's messages.
//!
//! * [`call_url`]: which URLs may be called;
//! * [`health`]: how each backend is doing;
//! * `client`: one HTTP exchange.
//!
//! Here one try to one backend is made. What must stay true: redirects are not followed, every wait and every answer has a
//! limit, and no error text holds a URL's query.

pub mod call_url;
mod client;
pub mod health;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};
use store::{BackendId, MessageId};

pub use self::call_url::{CallProblem, CallUrls};
use self::client::HttpClient;
use self::health::{Health, NotTried};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::upstream::Roots;
use crate::webhook::WebhookKeys;

/// Standard Webhooks' headers, and the count of tries.
const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const ATTEMPT: HeaderName = HeaderName::from_static("x-wechat-attempt");

/// What is sent to a backend.
pub struct Outgoing<'a> {
    /// The message.
    pub id: MessageId,
    /// 1 for the first try.
    pub attempt: u32,
    /// The URL with everything that travels on.
    pub url: String,
    /// The body.
    pub body: Bytes,
    /// Its type.
    pub content_type: HeaderValue,
    /// What signs it.
    pub keys: Option<&'a WebhookKeys>,
    /// How long the backend may take.
    pub timeout: Duration,
}

/// A backend has taken the message (2xx).
#[derive(Debug, Clone)]
pub struct Taken {
    /// The HTTP status.
    pub status: u16,
    /// The type of the reply, if it says one.
    pub content_type: Option<String>,
    /// The reply; empty: none.
    pub body: Bytes,
    /// It said more than any reply has, and was not read to its end.
    pub too_long: bool,
}

/// Why a backend does not have the message. The texts are for the log and the records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It has too much under way.
    #[error("{} requests to it are under way already", health::AT_ONCE)]
    Busy,
    /// It failed so often that it is not tried for a while.
    #[error("it failed {} times in a row and is left in peace for a moment", health::FAILURES)]
    Down,
    /// No connection.
    #[error("no connection: {0}")]
    NoConnection(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The connection broke.
    #[error("the connection broke before the answer was whole: {0}")]
    Broken(String),
    /// A status that is no success.
    #[error("HTTP status {0}")]
    Status(u16),
    /// There is nobody any more for whom it would be called.
    #[error("its registration is gone; it was not called")]
    Unregistered,
    /// 410: it wants no more of this message.
    #[error("HTTP status 410: the backend wants this message no more")]
    Gone,
}

impl NotTaken {
    /// Whether the backend as a whole was not there: what waits for it is sent as soon as it is back.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Busy | Self::Down | Self::NoConnection(_) | Self::Status(502..=504))
    }

    /// The HTTP status, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(*status),
            Self::Gone => Some(410),
            _ => None,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Down => "down",
            Self::NoConnection(_) => "no_connection",
            Self::TimedOut(_) => "timeout",
            Self::Broken(_) => "broken",
            Self::Status(_) => "http_status",
            Self::Unregistered => "unregistered",
            Self::Gone => "gone",
        }
    }
}

/// The way to all backends. Cheap to clone.
#[derive(Clone)]
pub struct Backends {
    client: HttpClient,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Backends {
    /// With one pooled client.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(roots: &Roots, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Result<Self, rustls::Error> {
        Ok(Self { client: HttpClient::new(roots)?, health: Arc::default(), clock, metrics })
    }

    /// Which backend a URL names: everything but its query.
    #[must_use]
    pub fn id_of(call: &str) -> BackendId {
        let place = call.split(['?', '#']).next().unwrap_or_default();
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _]: [u8; 32] = Sha256::digest(place).into();
        BackendId(id)
    }

    /// Whether a try would be made now, rather than left for later.
    #[must_use]
    pub fn is_open_for(&self, backend: BackendId) -> bool {
        self.health.of(backend).is_open_for(self.clock.now())
    }

    /// Sends a message to a backend, once.
    ///
    /// # Errors
    /// [`NotTaken`] when it is to be sent again.
    pub async fn send(&self, backend: BackendId, outgoing: Outgoing<'_>) -> Result<Taken, NotTaken> {
        let health = self.health.of(backend);
        let _place = health.enter(self.clock.now()).await.map_err(|reason| {
            let reason = NotTaken::from(reason);
            self.metrics.backend_try(reason.label());
            reason
        })?;
        let outcome = self.send_now(outgoing).await;
        match &outcome {
            // With any status but a gateway's it is there; it may only not want this one.
            Ok(_) | Err(NotTaken::Gone) => health.succeeded(),
            Err(NotTaken::Status(status)) if !matches!(status, 502..=504) => health.succeeded(),
            Err(_) => health.failed(self.clock.now()),
        }
        self.metrics.backend_try(outcome.as_ref().map_or_else(NotTaken::label, |_| "taken"));
        outcome
    }

    async fn send_now(&self, outgoing: Outgoing<'_>) -> Result<Taken, NotTaken> {
        let (timeout, headers) = (outgoing.timeout, self.headers(&outgoing));
        let exchange = self.client.exchange(Method::POST, outgoing.url, headers, outgoing.body);
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(NotTaken::TimedOut(timeout)))
    }

    fn headers(&self, outgoing: &Outgoing<'_>) -> HeaderMap {
        let now = self.clock.now();
        let id = outgoing.id.to_string();
        let mut headers = HeaderMap::with_capacity(8);
        // Letters and digits, base64: these are always values of headers.
        let mut insert = |name, value: Result<HeaderValue, _>| value.map(|value| headers.insert(name, value));
        if let Some(keys) = outgoing.keys {
            let _ = insert(WEBHOOK_SIGNATURE, HeaderValue::try_from(keys.sign(&id, now, &outgoing.body)));
        }
        let _ = insert(WEBHOOK_ID, HeaderValue::try_from(id));
        headers.insert(CONTENT_TYPE, outgoing.content_type.clone());
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::from(now.as_seconds()));
        headers.insert(ATTEMPT, HeaderValue::from(outgoing.attempt));
        headers
    }

    /// Forwards the check of a callback URL (GET), and gives what the backend says.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn ask(&self, url: String, timeout: Duration) -> Result<Taken, NotTaken> {
        let exchange = self.client.exchange(Method::GET, url, HeaderMap::new(), Bytes::new());
        tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(NotTaken::TimedOut(timeout)))
    }
}

impl From<NotTried> for NotTaken {
    fn from(reason: NotTried) -> Self {
        match reason {
            NotTried::Busy => Self::Busy,
            NotTried::Down => Self::Down,
        }
    }
}
