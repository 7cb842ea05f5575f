//! The HTTP client for backends: one exchange, with bounds on connecting and on the size of the answer.
//!
//! hyper's own pooled client, because every message makes several of these exchanges and a fuller client costs a fifth of the
//! whole message. What must stay true: redirects are not followed, and no error text holds a URL.

use std::error::Error;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::uri::{Authority, Uri};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::percent_decode_str;

use super::{NotTaken, Taken};
use crate::upstream::{Roots, connector};

/// The largest answer of a backend that is read, in bytes. Replies are far smaller.
const MAX_ANSWER: usize = 256 * 1024;

/// Idle connections are dropped before common servers drop them (Node and uvicorn after 5 s, gunicorn after 2 s): a message
/// that is written into a connection in the moment of its end would look lost.
const IDLE: Duration = Duration::from_millis(1500);

const OUR_NAME: HeaderValue = HeaderValue::from_static(concat!("wechat-proxy/", env!("CARGO_PKG_VERSION")));

/// A pooled client. Cheap to clone.
#[derive(Clone)]
pub(super) struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(super) fn new(roots: &Roots) -> Result<Self, rustls::Error> {
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE).pool_timer(TokioTimer::new());
        Ok(Self(client.build(connector(roots)?)))
    }

    /// One request and its answer. The caller limits the time.
    pub(super) async fn exchange(
        &self,
        method: Method,
        url: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Taken, NotTaken> {
        let request = request(method, url, headers, body)?;
        let response = self.0.request(request).await.map_err(|error| classify(&error))?;
        let status = response.status().as_u16();
        match status {
            200..=299 => {}
            410 => return Err(NotTaken::Gone),
            _ => return Err(NotTaken::Status(status)),
        }
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = body_of(response.into_body()).await?;
        let too_long = body.is_none();
        Ok(Taken { status, content_type, body: body.unwrap_or_default(), too_long })
    }
}

fn request(method: Method, url: String, mut headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, NotTaken> {
    let unusable = |_| NotTaken::NoConnection("its URL cannot be used".to_owned());
    let mut uri = Uri::from_maybe_shared(Bytes::from(url)).map_err(unusable)?;
    if let Some((host, credentials)) = uri.authority().and_then(credentials) {
        let mut parts = uri.into_parts();
        parts.authority = Some(host);
        uri = Uri::from_parts(parts).map_err(|_| NotTaken::NoConnection("its URL cannot be used".to_owned()))?;
        headers.insert(AUTHORIZATION, credentials);
    }
    headers.insert(USER_AGENT, OUR_NAME);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// `user:password@host` becomes the host, and HTTP Basic.
fn credentials(authority: &Authority) -> Option<(Authority, HeaderValue)> {
    let (user, host) = authority.as_str().rsplit_once('@')?;
    let user: Vec<u8> = percent_decode_str(user).collect();
    let mut basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(user))).ok()?;
    basic.set_sensitive(true);
    Some((host.parse().ok()?, basic))
}

/// `None`: more than any reply has. An answer in one piece, as nearly all are, is not copied.
async fn body_of(mut body: Incoming) -> Result<Option<Bytes>, NotTaken> {
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| NotTaken::Broken(innermost(&error)))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if whole.len() + chunk.len() > MAX_ANSWER {
            return Ok(None);
        }
        whole = if whole.is_empty() {
            chunk
        } else {
            let mut longer = BytesMut::from(whole);
            longer.extend_from_slice(&chunk);
            longer.freeze()
        };
    }
    Ok(Some(whole))
}

fn classify(error: &ClientError) -> NotTaken {
    let reason = innermost(error);
    if error.is_connect() { NotTaken::NoConnection(reason) } else { NotTaken::Broken(reason) }
}

/// The root cause alone.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
