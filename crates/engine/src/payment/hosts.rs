//! The way to WeChat Pay's hosts: the main one and, when no connection to it comes about, the backup.
//!
//! Called by the rest of `payment`. What must stay true: a request that may have reached WeChat is not sent again here
//! (what became of it is asked first, by who knows the order), and no error text holds a body or a target.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use papaya::HashMap;
use url::Url;
use wechat::pay::credentials::ClientCertificate;
use wechat::pay::{Call, Method, Received, SignatureHeaders};

use crate::metrics::Metrics;
use crate::upstream::{ClientError, Roots, bounded_client, host_name, innermost};

/// How long a whole call may take: shorter than a person waits, longer than WeChat Pay normally needs (its own SDKs
/// allow 30 s).
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes: ten refunds, or a list of certificates.
const MAX_ANSWER: usize = 1024 * 1024;

/// So many clients with a certificate of their own are kept; each has its own connections.
const MOST_CLIENTS: usize = 256;

/// What a call is for, in metrics.
pub(super) type Purpose = &'static str;

/// WeChat Pay's answer as it came; nothing of it is verified yet.
#[derive(Debug)]
pub(super) struct Raw {
    status: u16,
    headers: SignatureHeaders,
    body: Bytes,
}

impl Raw {
    /// As the protocol reads it.
    pub(super) fn received(&self) -> Received<'_> {
        Received { status: self.status, headers: self.headers.clone(), body: &self.body }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unanswered {
    /// No connection came about, so WeChat Pay knows nothing of the request.
    #[error("WeChat Pay cannot be reached: {0}")]
    NotSent(String),
    /// It was sent; whether WeChat Pay did what it says nobody knows.
    #[error("WeChat Pay gave no whole answer: {0}")]
    Unknown(String),
}

/// A client for WeChat Pay's hosts.
pub(super) struct PayHosts {
    main: Url,
    backup: Option<Url>,
    roots: Roots,
    client: reqwest::Client,
    /// Clients that show a merchant's certificate, by the certificate's bytes.
    with_certificate: HashMap<Vec<u8>, reqwest::Client>,
    metrics: Arc<Metrics>,
}

impl PayHosts {
    /// # Errors
    /// When the TLS library cannot be set up.
    pub(super) fn new(
        main: Url,
        backup: Option<Url>,
        roots: Roots,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ClientError> {
        let client = bounded_client(&roots, None, CALL_TIMEOUT)?;
        Ok(Self { main, backup, roots, client, with_certificate: HashMap::new(), metrics })
    }

    /// Whether WeChat is reached over TLS, and can be shown a certificate.
    pub(super) fn uses_tls(&self) -> bool {
        self.main.scheme() == "https"
    }

    /// Sends a call and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub(super) async fn send(
        &self,
        call: &Call,
        certificate: Option<&ClientCertificate>,
        purpose: Purpose,
    ) -> Result<Raw, Unanswered> {
        let client = match certificate.filter(|_| call.client_certificate) {
            Some(certificate) => self.client_of(certificate)?,
            None => self.client.clone(),
        };
        let mut outcome = self.send_to(&self.main, &client, call).await;
        if let (Err(Unanswered::NotSent(reason)), Some(backup)) = (&outcome, &self.backup) {
            tracing::warn!(
                reason,
                backup = host_name(backup),
                "WeChat Pay's main host cannot be reached; asking the backup"
            );
            outcome = self.send_to(backup, &client, call).await;
        }
        let label = match &outcome {
            Ok(raw) => raw.status.to_string(),
            Err(Unanswered::NotSent(_)) => "no_connection".to_owned(),
            Err(Unanswered::Unknown(_)) => "no_answer".to_owned(),
        };
        self.metrics.upstream_call(purpose, &label);
        outcome
    }

    async fn send_to(&self, base: &Url, client: &reqwest::Client, call: &Call) -> Result<Raw, Unanswered> {
        let host = host_name(base);
        let url = format!("{}{}", base.as_str().trim_end_matches('/'), call.target);
        let mut request = match call.method {
            Method::Get => client.get(url),
            Method::Post => client.post(url).body(call.body.clone()),
        };
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let failed = |error: &reqwest::Error| {
            let reason = format!("{host}: {}", innermost(error));
            if error.is_connect() { Unanswered::NotSent(reason) } else { Unanswered::Unknown(reason) }
        };
        let mut response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let headers = SignatureHeaders::read(|name| response.headers().get(name).and_then(|value| value.to_str().ok()));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(Unanswered::Unknown(format!("{host}: more than {} KiB", MAX_ANSWER / 1024)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Raw { status, headers, body: body.freeze() })
    }

    /// TLS shows the certificate when a connection is made, so each has a client of its own.
    fn client_of(&self, certificate: &ClientCertificate) -> Result<reqwest::Client, Unanswered> {
        let place = certificate.chain().first().cloned().unwrap_or_default();
        let clients = self.with_certificate.pin();
        if let Some(client) = clients.get(&place) {
            return Ok(client.clone());
        }
        let unusable = |error: ClientError| Unanswered::NotSent(format!("mch_cert cannot be used for TLS: {error}"));
        let client = bounded_client(&self.roots, Some(certificate), CALL_TIMEOUT).map_err(unusable)?;
        if clients.len() < MOST_CLIENTS {
            clients.insert(place, client.clone());
        }
        Ok(client)
    }
}
