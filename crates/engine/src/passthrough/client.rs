//! Connections to WeChat's hosts for calls that pass through: kept between calls, driven by the call that has one in hand.
//!
//! hyper speaks HTTP here, without a task for each connection: a call and its connection are polled together, so an answer
//! that comes in one piece costs no hop between tasks (a third of what the whole call costs with hyper's pooled client). What
//! must stay true: every wait ends; a connection goes back only when its answer was read to the end; no error text holds a
//! URL, whose query holds a token or a secret.

use std::collections::VecDeque;
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderValue, Request, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;
use url::Url;

use super::progress::{Progress, STALL};
use super::request_body::{CallerBroke, SentBody};
use crate::upstream::{CONNECT_TIMEOUT, Roots, UpstreamError, connector, host_name};

/// How long an idle connection is kept: WeChat does not say how long it keeps them, and what is written into one in the
/// moment of its end is lost.
const IDLE: Duration = Duration::from_secs(20);

/// How often in a row a body may move only a little within [`STALL`]: an hour, 100 MiB at 30 KB/s.
const MOST_STALLS: u32 = 120;

/// How many idle connections to one host are kept.
const MOST_IDLE: usize = 512;

/// How long a TLS handshake may take, with the connection before it.
const CONNECT_AND_TLS: Duration = Duration::from_secs(2 * CONNECT_TIMEOUT.as_secs());

/// Why a call got no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The caller's body ended before it was whole.
    Caller,
    /// WeChat, or the way to it.
    Upstream(UpstreamError),
}

/// One of WeChat's hosts, and the connections to it.
pub(super) struct ApiHost {
    /// Its name for errors.
    pub(super) name: String,
    /// What stands before the path.
    address: Uri,
    /// Its name for the `Host` header.
    pub(super) host_header: HeaderValue,
    /// What stands before the path in the target: empty, but for a relay below a path of its own.
    pub(super) base_path: String,
    connector: HttpsConnector<HttpConnector>,
    idle: Mutex<VecDeque<(Instant, Link)>>,
}

type Connection = http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, SentBody>;

/// A connection in hand.
struct Link {
    sender: SendRequest<SentBody>,
    connection: Pin<Box<Connection>>,
    /// It has ended, or broke: nothing more comes.
    is_over: bool,
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
        }))
    }

    /// Sends a request and gives the head of its answer. The wait ends when nothing has moved for [`STALL`].
    pub(super) async fn send(self: &Arc<Self>, request: Request<SentBody>) -> Result<(Parts, Received), Unanswered> {
        let mut link = match self.kept() {
            Some(link) => link,
            None => self.connect().await.map_err(Unanswered::Upstream)?,
        };
        let (parts, body) = self.answer(&mut link, request).await?.into_parts();
        Ok((parts, Received { body, link: Some(link), host: Arc::clone(self) }))
    }

    async fn answer(
        &self,
        link: &mut Link,
        request: Request<SentBody>,
    ) -> Result<http::Response<Incoming>, Unanswered> {
        let progress = request.body().progress();
        let mut exchange = std::pin::pin!(link.exchange(request));
        for _ in 0..MOST_STALLS {
            match tokio::time::timeout(STALL, exchange.as_mut()).await {
                Ok(answer) => return answer.map_err(|error| self.classify(&error)),
                // A long body is still on its way.
                Err(_) if progress.as_deref().is_some_and(Progress::has_moved) => {}
                Err(_) => break,
            }
        }
        Err(Unanswered::Upstream(self.timeout()))
    }

    /// Nothing moved for too long.
    pub(super) fn timeout(&self) -> UpstreamError {
        UpstreamError::Timeout { host: self.name.clone(), after: STALL }
    }

    /// Closes what has idled for too long, or was closed by WeChat.
    pub(super) fn sweep(&self) {
        let mut over = Vec::new();
        let mut idle = self.lock();
        while idle.front().is_some_and(|(since, _)| since.elapsed() > IDLE) {
            over.extend(idle.pop_front());
        }
    }

    /// The connection that was used last: the one that WeChat most surely still has open.
    fn kept(&self) -> Option<Link> {
        loop {
            let (since, mut link) = self.lock().pop_back()?;
            if since.elapsed() <= IDLE && link.is_usable() {
                return Some(link);
            }
        }
    }

    fn keep(&self, link: Link) {
        let mut idle = self.lock();
        if idle.len() < MOST_IDLE {
            idle.push_back((Instant::now(), link));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Instant, Link)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Link, UpstreamError> {
        let failed = |reason| UpstreamError::Connect { host: self.name.clone(), reason };
        let connected = tokio::time::timeout(CONNECT_AND_TLS, self.connector.clone().call(self.address.clone())).await;
        let stream = match connected {
            Ok(stream) => stream.map_err(|error| failed(innermost(&*error).0))?,
            Err(_) => return Err(failed(format!("nothing came about within {} s", CONNECT_AND_TLS.as_secs()))),
        };
        let (sender, connection) = http1::handshake(stream).await.map_err(|error| failed(innermost(&error).0))?;
        Ok(Link { sender, connection: Box::pin(connection), is_over: false })
    }

    fn classify(&self, error: &hyper::Error) -> Unanswered {
        let (reason, by_caller) = innermost(error);
        if by_caller {
            return Unanswered::Caller;
        }
        Unanswered::Upstream(self.broken(reason))
    }

    fn broken(&self, reason: String) -> UpstreamError {
        UpstreamError::Broken { host: self.name.clone(), reason }
    }
}

impl Link {
    /// Sends a request and waits for the head of its answer, driving the connection meanwhile.
    async fn exchange(&mut self, request: Request<SentBody>) -> Result<http::Response<Incoming>, hyper::Error> {
        let mut answer = std::pin::pin!(self.sender.send_request(request));
        let (connection, is_over) = (&mut self.connection, &mut self.is_over);
        poll_fn(|context| {
            *is_over = *is_over || connection.as_mut().poll(context).is_ready();
            answer.as_mut().poll(context)
        })
        .await
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        self.is_over = self.is_over || self.connection.as_mut().poll(context).is_ready();
    }

    /// Whether WeChat has left it open, as far as can be known without waiting.
    fn is_usable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(std::task::Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }
}

/// The body of an answer, with the connection that it comes on.
pub(super) struct Received {
    body: Incoming,
    link: Option<Link>,
    host: Arc<ApiHost>,
}

impl Received {
    /// The host that answers.
    pub(super) fn host(&self) -> &ApiHost {
        &self.host
    }

    /// The next piece; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        loop {
            let frame = tokio::time::timeout(STALL, poll_fn(|context| Pin::new(&mut *self).poll_frame(context))).await;
            let Some(frame) = frame.map_err(|_| self.host.timeout())? else { return Ok(None) };
            let frame = frame.map_err(|error| self.host.broken(innermost(&error).0))?;
            if let Ok(chunk) = frame.into_data() {
                return Ok(Some(chunk));
            }
        }
    }

    /// The answer is read to its end: the connection can be used again, if WeChat leaves it open.
    fn give_back(&mut self, context: &mut Context<'_>) {
        let Some(mut link) = self.link.take() else { return };
        link.drive(context);
        if !link.is_over && link.sender.is_ready() {
            self.host.keep(link);
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let mut polled = Pin::new(&mut this.body).poll_frame(context);
        if polled.is_pending()
            && let Some(link) = &mut this.link
        {
            link.drive(context);
            polled = Pin::new(&mut this.body).poll_frame(context);
        }
        if matches!(polled, Poll::Ready(None))
            || (matches!(polled, Poll::Ready(Some(Ok(_)))) && this.body.is_end_stream())
        {
            this.give_back(context);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The root cause alone, and whether it is the caller's broken body.
fn innermost(error: &(dyn Error + 'static)) -> (String, bool) {
    let mut cause = error;
    let mut by_caller = cause.is::<CallerBroke>();
    while let Some(source) = cause.source() {
        cause = source;
        by_caller |= cause.is::<CallerBroke>();
    }
    (cause.to_string(), by_caller)
}
