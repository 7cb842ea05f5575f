//! The HTTP client for calls that pass through: bodies stream in both directions, idle connections are kept for each host.
//!
//! hyper's own pooled client, as for backends. What must stay true: every wait ends, and no error text holds a URL (its
//! query holds a token or a secret).

use std::error::Error;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::progress::STALL;
use super::request_body::{CallerBroke, SentBody};
use crate::upstream::{CONNECT_TIMEOUT, Roots, UpstreamError, tls_config};

/// How long idle connections are kept: WeChat does not say how long it keeps them, and what is written into one in the
/// moment of its end is lost.
const IDLE: Duration = Duration::from_secs(20);

/// How many idle connections to one host are kept.
const MOST_IDLE: usize = 512;

/// Why a call got no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The caller's body ended before it was whole.
    Caller,
    /// Path and query make no address.
    Address(http::uri::InvalidUri),
    /// WeChat, or the way to it.
    Upstream(UpstreamError),
}

/// A pooled client. Cheap to clone.
#[derive(Clone)]
pub(super) struct ApiClient(Client<HttpsConnector<HttpConnector>, SentBody>);

impl ApiClient {
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(super) fn new(roots: &Roots) -> Result<Self, rustls::Error> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_nodelay(true);
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls_config(roots, None)?).https_or_http().enable_http1();
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE).pool_max_idle_per_host(MOST_IDLE).pool_timer(TokioTimer::new());
        Ok(Self(client.build(https.wrap_connector(http))))
    }

    /// Sends a request and gives the head of its answer. The wait ends when nothing has moved for [`STALL`].
    pub(super) async fn send(&self, request: Request<SentBody>, host: &str) -> Result<Response<Incoming>, Unanswered> {
        let progress = request.body().progress();
        let mut answer = std::pin::pin!(self.0.request(request));
        loop {
            let outcome = tokio::time::timeout(STALL, answer.as_mut()).await;
            match outcome {
                Ok(outcome) => return outcome.map_err(|error| classify(&error, host)),
                // A long body is still on its way.
                Err(_) if progress.as_ref().is_some_and(|progress| progress.has_moved()) => {}
                Err(_) => {
                    return Err(Unanswered::Upstream(UpstreamError::Timeout { host: host.to_owned(), after: STALL }));
                }
            }
        }
    }
}

fn classify(error: &ClientError, host: &str) -> Unanswered {
    let host = host.to_owned();
    let (reason, by_caller) = innermost(error);
    if by_caller {
        return Unanswered::Caller;
    }
    Unanswered::Upstream(if error.is_connect() {
        UpstreamError::Connect { host, reason }
    } else {
        UpstreamError::Broken { host, reason }
    })
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
