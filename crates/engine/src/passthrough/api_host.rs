//! One of WeChat's hosts for calls that pass through, and the connections to it, kept between calls.
//!
//! What must stay true: every wait ends; a connection goes back only when its answer was read to the end; no error text holds a
//! URL, whose query holds a token or a secret.

use std::collections::VecDeque;
use std::error::Error;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Uri};
use http1::{AnswerHead, BodyLength, NotATarget, RequestHead};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::task::coop::unconstrained;
use tower_service::Service;
use url::Url;

use super::exchange::{Broken, Connection, STALL};
use super::headers;
use super::request_body::{CallerBroke, SentBody};
use crate::upstream::{CONNECT_TIMEOUT, Roots, UpstreamError, connector, host_name};

/// How often connections that idle are looked for. What one look finds and the next finds again is closed, so a connection
/// idles for twice this time at most: WeChat does not say how long it keeps them, and what is written into one in the moment of its
/// end is lost.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// What is said of a body to somebody who goes on reading after an error.
const BROKE_BEFORE: &str = "it broke before";

/// How many idle connections to one host are kept.
const MOST_IDLE: usize = 512;

/// How long a TLS handshake may take, with the connection before it.
const CONNECT_AND_TLS: Duration = Duration::from_secs(2 * CONNECT_TIMEOUT.as_secs());

/// Why a call got no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The caller's body ended before it was whole.
    Caller(CallerBroke),
    /// The address is none.
    Address(NotATarget),
    /// WeChat, or the way to it.
    Upstream(UpstreamError),
}

/// One of WeChat's hosts, and the connections to it.
pub(super) struct ApiHost {
    /// Its name for errors.
    name: String,
    /// What stands before the path.
    address: Uri,
    /// Its name for the `Host` header.
    host_header: HeaderValue,
    /// What stands before the path in the target: empty, but for a relay below a path of its own.
    base_path: String,
    connector: HttpsConnector<HttpConnector>,
    idle: Mutex<VecDeque<Idle>>,
    /// How many sweeps there were: a clock for those that idle, which costs a call nothing.
    sweeps: AtomicU64,
}

struct Idle {
    /// The number of the sweep before it began to idle.
    since: u64,
    connection: Box<Connection>,
}

impl ApiHost {
    /// The host at this base URL.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(super) fn new(base: &Url, roots: &Roots) -> Result<Arc<Self>, rustls::Error> {
        let address = base.as_str().parse().unwrap_or_default();
        let name = host_name(base);
        Ok(Arc::new(Self {
            host_header: HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("")),
            name,
            address,
            base_path: base.path().trim_end_matches('/').to_owned(),
            connector: connector(roots)?,
            idle: Mutex::default(),
            sweeps: AtomicU64::new(0),
        }))
    }

    /// Sends a request to this address below the host, with what of these headers goes to WeChat; gives the head of the answer,
    /// and its body on the way. The wait ends when nothing has moved for [`STALL`].
    pub(super) async fn send(
        self: &Arc<Self>,
        method: &Method,
        write_address: impl FnOnce(&mut BytesMut),
        headers: &HeaderMap,
        body: SentBody,
    ) -> Result<(AnswerHead, Received), Unanswered> {
        let mut connection = match self.kept() {
            Some(connection) => connection,
            None => self.connect().await.map_err(Unanswered::Upstream)?,
        };
        let length = body.length().map_or(BodyLength::Unknown, BodyLength::Known);
        let write_target = |buffer: &mut BytesMut| {
            buffer.extend_from_slice(self.base_path.as_bytes());
            write_address(buffer);
        };
        let head = RequestHead::begin(connection.begin(body), method, &self.host_header, write_target);
        let mut head = head.map_err(Unanswered::Address)?;
        headers::to_wechat(headers, |name, value| head.header(name, value));
        head.end(length);
        let answer = poll_fn(|context| connection.poll_head(context, method)).await;
        let (head, body) = answer.map_err(|broken| self.unanswered(broken))?;
        Ok((head, Received { host: Arc::clone(self), connection: Some(connection), body }))
    }

    /// Closes what has idled since before the last sweep; called every [`SWEEP_EVERY`].
    pub(super) fn sweep(&self) {
        let last = self.sweeps.fetch_add(1, Ordering::Relaxed);
        let mut over = Vec::new();
        let mut idle = self.lock();
        while idle.front().is_some_and(|idle| idle.since < last) {
            over.extend(idle.pop_front());
        }
    }

    /// The connection that was used last: the one that WeChat most surely still has open.
    fn kept(&self) -> Option<Box<Connection>> {
        loop {
            let Idle { mut connection, .. } = self.lock().pop_back()?;
            // Not held up by the runtime's turns: a connection that may not be looked at now would seem to be quiet.
            let looked = unconstrained(poll_fn(|context| Poll::Ready(connection.is_quiet(context))));
            if looked.now_or_never() == Some(true) {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Box<Connection>) {
        let since = self.sweeps.load(Ordering::Relaxed);
        let mut idle = self.lock();
        if idle.len() < MOST_IDLE {
            idle.push_back(Idle { since, connection });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Box<Connection>, UpstreamError> {
        let failed = |reason| UpstreamError::Connect { host: self.name.clone(), reason };
        let connected = tokio::time::timeout(CONNECT_AND_TLS, self.connector.clone().call(self.address.clone())).await;
        match connected {
            Ok(Ok(stream)) => Ok(Box::new(Connection::new(stream))),
            Ok(Err(error)) => Err(failed(innermost(&*error))),
            Err(_) => Err(failed(format!("nothing came about within {} s", CONNECT_AND_TLS.as_secs()))),
        }
    }

    fn unanswered(&self, broken: Broken) -> Unanswered {
        match broken {
            Broken::Caller(broke) => Unanswered::Caller(broke),
            broken => Unanswered::Upstream(self.error(&broken)),
        }
    }

    fn error(&self, broken: &Broken) -> UpstreamError {
        match broken {
            Broken::Stalled => UpstreamError::Timeout { host: self.name.clone(), after: STALL },
            broken => self.broken(&innermost(broken)),
        }
    }

    fn broken(&self, reason: &str) -> UpstreamError {
        UpstreamError::Broken { host: self.name.clone(), reason: reason.to_owned() }
    }
}

/// The body of an answer on its way, with the connection that it comes on.
pub(super) struct Received {
    host: Arc<ApiHost>,
    /// `None` when the body is over, or broke.
    connection: Option<Box<Connection>>,
    body: http1::AnswerBody,
}

impl Received {
    /// How many bytes are still to come, if that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }

    /// Whether only the end of the connection ends it.
    pub(super) fn ends_with_connection(&self) -> bool {
        self.body.ends_with_connection()
    }

    /// Why the answer is not believed, as an error.
    pub(super) fn doubted(&self, reason: &str) -> UpstreamError {
        self.host.broken(reason)
    }

    /// The next piece; `None` at the end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        poll_fn(|context| self.poll_piece(context)).await
    }

    /// The next piece; `None` at the end. The wait ends when nothing has moved for [`STALL`].
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, UpstreamError>> {
        let Some(connection) = &mut self.connection else {
            let ended = if self.body.is_over() { Ok(None) } else { Err(self.host.broken(BROKE_BEFORE)) };
            return Poll::Ready(ended);
        };
        let piece = ready!(connection.poll_piece(context, &mut self.body));
        if piece.is_err() || self.body.is_over() {
            self.give_back();
        }
        Poll::Ready(piece.map_err(|broken| self.host.error(&broken)))
    }

    /// The answer is read to its end, or broke: the connection may be used again.
    fn give_back(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.body.is_over() && self.body.keeps_alive() && connection.is_done() {
            connection.rest();
            self.host.keep(connection);
        }
    }
}

/// The root cause alone: what is around it says no more.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
