//! The listener: connections in, answers out, and an end that waits for what is under way.
//!
//! Its own accept loop instead of a web framework's, because faults are real here: a dropped call closes the connection
//! without a byte, a truncated one after half of its answer.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::control::{self, Closing};
use crate::platform::{Ended, Platform};
use crate::wire::{Call, Reply, Transport, longest_body};
use crate::{gate, page, tls};

/// How long the head of a request, or its body, may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);
/// How long what is under way may take once the platform stops.
const DRAIN: Duration = Duration::from_secs(3);
/// The pause after a connection could not be accepted, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the call was dropped by a fault, or its body did not arrive")]
struct Closed;

impl Platform {
    /// Serves the platform, its control API and its page until `stop`; returns when what is under way has ended, after
    /// at most 3 seconds.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) {
        self.serve_on(listener, None, stop).await;
    }

    /// The same, and with TLS on another listener: everything is there as well, and merchants can show the client
    /// certificate that `/secapi/…` wants. [`Platform::ca_pem`] is what clients have to trust.
    pub async fn serve_with_tls(self, listener: TcpListener, tls: TcpListener, stop: impl Future<Output = ()> + Send) {
        let acceptor = tls::acceptor(self.hosts());
        if acceptor.is_none() {
            tracing::warn!("sandbox: no certificate could be made; there is no TLS address");
        }
        self.serve_on(listener, acceptor.map(|acceptor| (tls, acceptor)), stop).await;
    }

    async fn serve_on(
        self,
        listener: TcpListener,
        tls: Option<(TcpListener, TlsAcceptor)>,
        stop: impl Future<Output = ()> + Send,
    ) {
        {
            let addresses = &mut self.world().addresses;
            addresses.plain = listener.local_addr().ok();
            addresses.tls = tls.as_ref().and_then(|(listener, _)| listener.local_addr().ok());
        }
        let connections = TaskTracker::new();
        let (closing, cut) = (CancellationToken::new(), CancellationToken::new());
        let control = control::router(self.clone()).merge(page::router());
        let house = House { platform: self.clone(), control, closing: closing.clone() };
        let mut stop = pin!(stop);
        loop {
            let (accepted, acceptor) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = listener.accept() => (accepted, None),
                (accepted, acceptor) = accept_tls(tls.as_ref()) => (accepted, Some(acceptor)),
            };
            match accepted {
                Ok((stream, peer)) => {
                    // Without it small answers may wait for the other side; nothing is lost where it cannot be set.
                    drop(stream.set_nodelay(true));
                    let (house, cut) = (house.clone(), cut.clone());
                    match acceptor {
                        None => connections.spawn(connection(stream, peer, Transport::Plain, house, cut)),
                        Some(acceptor) => connections.spawn(tls_connection(stream, peer, acceptor, house, cut)),
                    };
                }
                Err(error) => {
                    tracing::warn!(%error, "sandbox: a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((listener, tls));
        connections.close();
        closing.cancel();
        self.world().pushes.stop();
        if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
            cut.cancel();
            connections.wait().await;
        }
        self.pusher().drained().await;
        self.notifier().drained().await;
    }
}

/// What every connection needs.
#[derive(Clone)]
struct House {
    platform: Platform,
    control: Router,
    closing: CancellationToken,
}

/// The next connection of the TLS listener; never, when there is none.
async fn accept_tls(
    tls: Option<&(TcpListener, TlsAcceptor)>,
) -> (std::io::Result<(TcpStream, SocketAddr)>, TlsAcceptor) {
    match tls {
        Some((listener, acceptor)) => (listener.accept().await, acceptor.clone()),
        None => std::future::pending().await,
    }
}

async fn tls_connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    house: House,
    cut: CancellationToken,
) {
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(ARRIVAL, acceptor.accept(stream)) => shaken,
        () = house.closing.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = shown.map(|certificate| Bytes::copy_from_slice(certificate));
            connection(stream, peer, Transport::Tls(certificate), house, cut).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, %peer, "sandbox: a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "sandbox: a TLS handshake took too long"),
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    peer: SocketAddr,
    transport: Transport,
    house: House,
    cut: CancellationToken,
) {
    let closing = house.closing.clone();
    let service = service_fn(move |request| {
        let (house, transport) = (house.clone(), transport.clone());
        async move { house.answer(request, peer.ip(), transport).await }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(ARRIVAL);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut draining = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "sandbox: a connection ended early");
                }
                return;
            }
            () = closing.cancelled(), if !draining => {
                draining = true;
                served.as_mut().graceful_shutdown();
            }
            () = cut.cancelled() => return,
        }
    }
}

impl House {
    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        transport: Transport,
    ) -> Result<Response<Body>, Closed> {
        let (mut parts, body) = request.into_parts();
        if let Some(objection) = gate::objection(&parts, self.platform.hosts()) {
            return Ok(control::refused(StatusCode::FORBIDDEN, &objection));
        }
        if is_ours(parts.uri.path()) {
            return Ok(self.control(Request::from_parts(parts, body)).await);
        }
        let headers = std::mem::take(&mut parts.headers);
        self.api(&parts, headers, body, peer, transport).await
    }

    async fn control(&self, mut request: Request<Incoming>) -> Response<Body> {
        request.extensions_mut().insert(Closing(self.closing.clone()));
        let answered: Result<_, Infallible> = self.control.clone().oneshot(request).await;
        match answered {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn api(
        &self,
        parts: &Parts,
        headers: HeaderMap,
        body: Incoming,
        peer: IpAddr,
        transport: Transport,
    ) -> Result<Response<Body>, Closed> {
        let longest = longest_body(parts.uri.path());
        let arrived = tokio::time::timeout(ARRIVAL, Limited::new(body, longest).collect()).await;
        let body = match arrived {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Ok(response(Reply::page(413, "text/html", "<html>413 Request Entity Too Large</html>\r\n")));
            }
            _ => return Err(Closed),
        };
        let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
        let call = Call::new(parts.method.clone(), path, query, body, peer).with_headers(headers).over(transport);
        match self.platform.receive(call, &self.closing).await {
            Ended::Whole(reply) => Ok(response(reply)),
            Ended::Half(reply) => Ok(half(reply)),
            Ended::Closed => Err(Closed),
        }
    }
}

/// Whether a path belongs to the sandbox itself and not to WeChat.
fn is_ours(path: &str) -> bool {
    path == "/" || path == "/sandbox" || path.starts_with("/sandbox/")
}

fn response(reply: Reply) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if reply.status != 204 {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    response.headers_mut().extend(reply.headers);
    response
}

/// A response that promises the whole length and breaks off in the middle.
fn half(reply: Reply) -> Response<Body> {
    let length = reply.body.len();
    let first = reply.body.slice(..length / 2);
    let mut response = response(reply).map(|_| Body::new(BreakingOff { first: Some(first), waited: false }));
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}

/// A body that gives its first part, waits once so that it is sent, and fails.
struct BreakingOff {
    first: Option<Bytes>,
    waited: bool,
}

impl hyper::body::Body for BreakingOff {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        if !self.waited {
            self.waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Closed)))
    }
}
