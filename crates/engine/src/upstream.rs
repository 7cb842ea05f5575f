//! The way to WeChat's hosts: one pooled client, a limit on every wait and every body, one count per call.
//!
//! Called by `credentials` and `login`. What must stay true: no URL of a call (it holds secrets) ever gets into an error.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, DATE};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret;
use url::Url;
use wechat::calls::{AnswerError, Call, Host};
use wechat::pay::credentials::ClientCertificate;

use crate::metrics::Metrics;

/// How long a connection to WeChat may take to come about.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a whole call may take. A lease on a credential ([`crate::credentials::LEASE`]) outlives it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes: a token answer has some hundred.
const MAX_ANSWER: usize = 64 * 1024;

/// Where WeChat's hosts are; each can be replaced by the sandbox, a test or a relay.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Official accounts and mini programs: `https://api.weixin.qq.com`.
    pub api: Url,
    /// WeCom: `https://qyapi.weixin.qq.com`.
    pub qyapi: Url,
    /// Pages that a browser opens: `https://open.weixin.qq.com`.
    pub open: Url,
    /// WeChat Pay: `https://api.mch.weixin.qq.com`.
    pub pay: Url,
    /// Where WeChat Pay is asked when no connection to `pay` comes about: `https://api2.mch.weixin.qq.com`.
    pub pay_backup: Option<Url>,
}

impl Hosts {
    /// Whether WeChat's pages are somebody else's: the sandbox's, or a test's.
    #[must_use]
    pub fn has_stand_in(&self) -> bool {
        self.open.host_str() != Some("open.weixin.qq.com")
    }
}

/// Why no usable answer came. The texts hold no URL and no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// No answer in time.
    #[error("{host} gave no answer within {} s", after.as_secs())]
    Timeout {
        /// Host name (and port).
        host: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// No connection: DNS, routing, refused, TLS.
    #[error("no connection to {host}: {reason}")]
    Connect {
        /// Host name (and port).
        host: String,
        /// What the network said.
        reason: String,
    },
    /// The connection broke in the middle.
    #[error("the connection to {host} broke before the answer was whole: {reason}")]
    Broken {
        /// Host name (and port).
        host: String,
        /// What the network said.
        reason: String,
    },
    /// An HTTP status that WeChat's API never gives for an answer of its own.
    #[error("{host} answered HTTP status {status}")]
    Status {
        /// Host name (and port).
        host: String,
        /// The status.
        status: u16,
    },
    /// More than an answer to one of our calls can be.
    #[error("{host} answered more than {} KiB", MAX_ANSWER / 1024)]
    TooLarge {
        /// Host name (and port).
        host: String,
    },
}

/// Why a call brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No usable answer came.
    #[error(transparent)]
    NoAnswer(#[from] UpstreamError),
    /// WeChat refused, or its answer makes no sense.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// A client for WeChat's hosts. Cheap to clone.
#[derive(Clone)]
pub struct Upstream {
    client: reqwest::Client,
    hosts: Hosts,
    metrics: Arc<Metrics>,
}

impl Upstream {
    /// A client for these hosts, which trusts these roots.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(hosts: Hosts, roots: &Roots, metrics: Arc<Metrics>) -> Result<Self, ClientError> {
        Ok(Self { client: bounded_client(roots, None, CALL_TIMEOUT)?, hosts, metrics })
    }

    /// Sends `call` and reads the answer's body, whatever WeChat says in it.
    ///
    /// # Errors
    /// [`UpstreamError`] when there is no whole answer with a 2xx status.
    async fn send(&self, call: &Call) -> Result<Bytes, UpstreamError> {
        let base = self.base(call.host);
        let host = host_name(base);
        let url = format!("{}{}?{}", base.as_str().trim_end_matches('/'), call.path, call.query());
        let request = match call.body() {
            None => self.client.get(url),
            Some(body) => self.client.post(url).header(CONTENT_TYPE, "application/json").body(body.to_vec()),
        };
        let outcome = receive(request, &host).await;
        if let Err(error) = &outcome {
            self.metrics.upstream_call(call.path, error.label());
        }
        outcome
    }

    /// Sends `call`, reads the answer with `read`, and counts it by its errcode (0 for success).
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask<T>(&self, call: &Call, read: impl FnOnce(&[u8]) -> Result<T, AnswerError>) -> Result<T, AskError> {
        let answer = read(&self.send(call).await?);
        match &answer {
            Ok(_) => self.metrics.upstream_call(call.path, "0"),
            Err(AnswerError::Refused(error)) => self.metrics.upstream_call(call.path, &error.errcode.to_string()),
            Err(AnswerError::Malformed(_)) => self.metrics.upstream_call(call.path, "malformed"),
        }
        Ok(answer?)
    }

    /// Where WeChat's hosts are.
    #[must_use]
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The base URL of a host, for findings and error texts.
    #[must_use]
    pub fn base(&self, host: Host) -> &Url {
        match host {
            Host::Api => &self.hosts.api,
            Host::Qyapi => &self.hosts.qyapi,
        }
    }

    /// Asks for `/` of a host, only to see whether it can be reached; gives the `Date` header of the answer.
    ///
    /// # Errors
    /// [`UpstreamError`] when no answer came at all; any HTTP status is an answer.
    pub async fn probe(&self, host: Host) -> Result<Option<String>, UpstreamError> {
        let base = self.base(host);
        let sent = self.client.get(base.clone()).send().await;
        let response = sent.map_err(|error| classify(&error, host_name(base)))?;
        Ok(response.headers().get(DATE).and_then(|date| date.to_str().ok()).map(str::to_owned))
    }
}

impl UpstreamError {
    /// A short constant word for metrics.
    fn label(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::Connect { .. } => "no_connection",
            Self::Broken { .. } => "broken",
            Self::Status { .. } => "http_status",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

async fn receive(request: reqwest::RequestBuilder, host: &str) -> Result<Bytes, UpstreamError> {
    let mut response = request.send().await.map_err(|error| classify(&error, host.to_owned()))?;
    if !response.status().is_success() {
        return Err(UpstreamError::Status { host: host.to_owned(), status: response.status().as_u16() });
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error, host.to_owned()))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(UpstreamError::TooLarge { host: host.to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn classify(error: &reqwest::Error, host: String) -> UpstreamError {
    if error.is_connect() {
        return UpstreamError::Connect { host, reason: innermost(error) };
    }
    if error.is_timeout() {
        return UpstreamError::Timeout { host, after: CALL_TIMEOUT };
    }
    UpstreamError::Broken { host, reason: innermost(error) }
}

/// The root cause alone: the outer layers of the text repeat the URL, which holds secrets.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if std::ptr::addr_eq(cause, error) { "no reason was given".to_owned() } else { cause.to_string() }
}

/// Host and, unless it is the scheme's own, port: never a user or password.
pub(crate) fn host_name(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Who may vouch for WeChat's hosts.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Mozilla's roots, which are built in (no ca-certificates package is needed), and `more`: those of a relay or a sandbox.
    ///
    /// # Errors
    /// When one of them is no certificate of an authority.
    pub fn with(more: &[CertificateDer<'static>]) -> Result<Self, ClientError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in more {
            roots.add(certificate.clone()).map_err(|error| ClientError(error.to_string()))?;
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("the TLS library cannot be set up: {0}")]
pub struct ClientError(String);

impl From<rustls::Error> for ClientError {
    fn from(error: rustls::Error) -> Self {
        Self(error.to_string())
    }
}

/// TLS that trusts these roots and, if the other side asks, shows this certificate.
///
/// # Errors
/// When the TLS library refuses its own defaults, or the certificate.
pub(crate) fn tls_config(
    roots: &Roots,
    certificate: Option<&ClientCertificate>,
) -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(Arc::clone(&roots.0));
    let Some(certificate) = certificate else { return Ok(config.with_no_client_auth()) };
    let chain = certificate.chain().iter().map(|der| CertificateDer::from(der.clone())).collect();
    let pem = certificate.key().to_pem();
    let key = PrivateKeyDer::from_pem_slice(pem.expose_secret().as_bytes());
    let key = key.map_err(|_| rustls::Error::General("the key of the certificate cannot be read".to_owned()))?;
    config.with_client_auth_cert(chain, key)
}

/// What makes connections for HTTP/1.1: over TLS where the URL says so, with a limit on connecting.
///
/// # Errors
/// When the TLS library cannot be set up.
pub(crate) fn connector(roots: &Roots) -> Result<HttpsConnector<HttpConnector>, rustls::Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    http.set_nodelay(true);
    let https = HttpsConnectorBuilder::new().with_tls_config(tls_config(roots, None)?).https_or_http().enable_http1();
    Ok(https.wrap_connector(http))
}

#[expect(clippy::disallowed_methods, reason = "the one place that builds such clients, with limits on every wait")]
pub(crate) fn bounded_client(
    roots: &Roots,
    certificate: Option<&ClientCertificate>,
    timeout: Duration,
) -> Result<reqwest::Client, ClientError> {
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls_config(roots, certificate)?)
        .user_agent(concat!("wechat-proxy/", env!("CARGO_PKG_VERSION")))
        // A proxy named in the environment is not asked: what the engine does follows from its configuration alone.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .pool_idle_timeout(Duration::from_secs(60));
    builder.build().map_err(|error| ClientError(error.to_string()))
}
