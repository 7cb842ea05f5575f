//! Connections: accepting them, HTTP on each, and ending them in order.
//!
//! The listener is handed in, so tests bind port 0. Every request is first offered to `ready_answers`, then goes to the
//! router. What must stay true: every wait for a client has a limit, and a stop lets what is under way finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::ready_answers::ReadyAnswers;

/// How long a client may take to send the head of a request, and how long a connection may stay idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// After the stop, how long requests under way may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(6);

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// What answers requests.
pub(crate) struct Answering {
    /// The hot path.
    pub ready: ReadyAnswers,
    /// Everything else.
    pub router: Router,
}

type Body = Either<Full<Bytes>, axum::body::Body>;

impl Answering {
    async fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Result<Response<Body>, Infallible> {
        if let Some(response) = self.ready.answer(&request) {
            return Ok(response.map(Either::Left));
        }
        request.extensions_mut().insert(peer);
        let response = self.router.clone().oneshot(request).await?;
        Ok(response.map(Either::Right))
    }
}

/// Serves until `stop`, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answering: Arc<Answering>,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                let answering = Arc::clone(&answering);
                match tls.clone() {
                    None => serve_plain(stream, peer, answering, &graceful, &connections),
                    Some(tls) => serve_tls(tls, stream, peer, answering, &graceful, &connections),
                }
            }
            Err(error) => {
                // Out of file descriptors, or a connection that ended at once: neither is a reason to stop.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let drained = async {
        graceful.shutdown().await;
        connections.wait().await;
    };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        tracing::warn!("some requests were still under way after {} s; they are cut off", DRAIN_TIMEOUT.as_secs());
    }
}

fn serve_plain(
    stream: TcpStream,
    peer: SocketAddr,
    answering: Arc<Answering>,
    graceful: &GracefulShutdown,
    connections: &TaskTracker,
) {
    let service = service_fn(move |request| {
        let answering = Arc::clone(&answering);
        async move { answering.answer(request, peer).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    connections.spawn(async move {
        // An error here is the client's: it went away or spoke no HTTP.
        let _ = connection.await;
    });
}

fn serve_tls(
    tls: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    answering: Arc<Answering>,
    graceful: &GracefulShutdown,
    connections: &TaskTracker,
) {
    let service = service_fn(move |request| {
        let answering = Arc::clone(&answering);
        async move { answering.answer(request, peer).await }
    });
    let watcher = graceful.watcher();
    connections.spawn(async move {
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await else { return };
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_TIMEOUT).max_concurrent_streams(200);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let _ = watcher.watch(connection).await;
    });
}
