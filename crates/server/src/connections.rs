//! Connections: accepting them, HTTP on each, and ending them in order.
//!
//! The listener is handed in, so tests bind port 0. Every request is first offered to `ready_answers`, then to `direct_calls`, then
//! goes to the router. What must stay true: every wait for a client has a limit, and a stop lets what is under way finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use futures::future;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, Version};
use http_body_util::{Either, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::answer::{Error, JSON};
use crate::direct_calls::{DirectCalls, Way};
use crate::framing::Watched;
use crate::open_connections::{OpenConnections, State, UnderWay, drive};
use crate::passthrough::CallAnswer;
use crate::ready_answers::ReadyAnswers;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a silent HTTP/2 client is asked whether it is still there.
const HTTP2_PING: Duration = Duration::from_secs(60);

/// After the stop, how long requests under way may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(6);

/// After accepting a connection failed.
const AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(50);

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// What answers requests.
pub(crate) struct Answering {
    /// The hot path.
    pub(crate) ready: ReadyAnswers,
    /// Calls that surely go on to WeChat.
    pub(crate) direct: Arc<DirectCalls>,
    /// Everything else.
    pub(crate) router: Router,
}

/// An answer that is there, or one on its way: the first is small, because hyper moves it around for each request.
type Answer = future::Either<future::Ready<Answered>, Pin<Box<dyn Future<Output = Answered> + Send>>>;
type Answered = Result<Response<Either<Full<Bytes>, Counted>>, Infallible>;

impl Answering {
    fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr, connection: &Arc<State>) -> Answer {
        if connection.was_measured_twice() && request.version() < Version::HTTP_2 {
            return future::Either::Left(future::ready(Ok(measured_twice().map(Either::Left))));
        }
        if let Some(response) = self.ready.answer(&request) {
            connection.served();
            return future::Either::Left(future::ready(Ok(response.map(Either::Left))));
        }
        let under_way = connection.begin();
        if let Some(way) = Way::of(&request) {
            // What is awaited is made inside: a future that is moved into another is copied, all of it.
            let direct = Arc::clone(&self.direct);
            return future::Either::Right(Box::pin(async move {
                let response = direct.answer(way, request, peer).await;
                Ok(response.map(|body| Either::Right(Counted { body, under_way })))
            }));
        }
        request.extensions_mut().insert(peer);
        let router = self.router.clone();
        future::Either::Right(Box::pin(async move {
            let response = router.oneshot(request).await?;
            Ok(response.map(|body| Either::Right(Counted { body: Either::Right(body), under_way })))
        }))
    }
}

/// The connection ends after it: what follows may be a part of the body.
fn measured_twice() -> Response<Full<Bytes>> {
    let error = Error::BadBody(
        "the request has both Content-Length and Transfer-Encoding, so its end is not certain; send it with one of them",
    );
    let (status, body) = error.status_and_body();
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A body that keeps its request counted as under way until the last byte of the answer.
struct Counted {
    body: CallAnswer,
    under_way: UnderWay,
}

impl Body for Counted {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(Some(_))) {
            self.under_way.sends_a_piece();
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

/// What all connections of a listener share.
struct Shared {
    answering: Answering,
    open: OpenConnections,
    tls: Option<TlsAcceptor>,
}

/// Serves until `stop`, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answering: Answering,
    stop: CancellationToken,
) {
    let shared = Arc::new(Shared { answering, open: OpenConnections::default(), tls });
    let tasks = TaskTracker::new();
    let accepting = accept(&listener, &shared, &tasks);
    tokio::join!(stop.run_until_cancelled(accepting), shared.open.watch(&stop));
    drop(listener);
    tasks.close();
    // Again, for a connection that was accepted in the moment of the stop.
    shared.open.finish();
    if tokio::time::timeout(DRAIN_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!("some requests were still under way after {} s; they are cut off", DRAIN_TIMEOUT.as_secs());
    }
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>, tasks: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                let shared = Arc::clone(shared);
                let (id, state) = shared.open.enter();
                match shared.tls.clone() {
                    Some(tls) => tasks.spawn(async move { serve_tls(&shared, tls, id, state, stream, peer).await }),
                    None => tasks.spawn(async move { serve_plain(&shared, id, state, stream, peer).await }),
                };
            }
            Err(error) => {
                // Out of file descriptors, or a connection that ended at once: neither is a reason to stop.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_ACCEPT_ERROR).await;
            }
        }
    }
}

async fn serve_plain(shared: &Arc<Shared>, id: u64, state: Arc<State>, stream: TcpStream, peer: SocketAddr) {
    let _leaves = shared.open.leaves(id);
    let service = service_fn(|request| shared.answering.answer(request, peer, &state));
    let watched = Watched::new(stream, Arc::clone(&state));
    let connection = http1::Builder::new().max_buf_size(MAX_HEAD).serve_connection(TokioIo::new(watched), service);
    drive(&state, connection).await;
}

async fn serve_tls(
    shared: &Arc<Shared>,
    tls: TlsAcceptor,
    id: u64,
    state: Arc<State>,
    stream: TcpStream,
    peer: SocketAddr,
) {
    let _leaves = shared.open.leaves(id);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await else { return };
    let (answering, counted) = (Arc::clone(shared), Arc::clone(&state));
    let service = service_fn(move |request| answering.answering.answer(request, peer, &counted));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(MAX_HEAD);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HTTP2_PING).max_concurrent_streams(200);
    let watched = Watched::new(stream, Arc::clone(&state));
    let connection = builder.serve_connection(TokioIo::new(watched), service);
    drive(&state, connection).await;
}
