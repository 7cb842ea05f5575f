//! One request to somebody's server and its answer, or what went wrong, in words.
//!
//! Used by `pusher` for the check of a URL and for each try of a push, and by `notifier`. The limit of a try is set by
//! who asks, since it goes by the sandbox's clock; here is only the one that nothing outlives. Redirects are not
//! followed, no proxy of the environment is asked, and each request has a connection of its own.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::redirect::Policy;

use crate::pushes::TryOutcome;

/// Nothing takes longer, even when the sandbox's clock stands still.
const LONGEST: Duration = Duration::from_secs(600);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 1024 * 1024;
/// What WeChat calls itself.
const AGENT: &str = "Mozilla/4.0";

/// An answer with status 200.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) body: Bytes,
}

/// Why there is no answer with status 200.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) outcome: TryOutcome,
    pub(crate) status: Option<u16>,
    /// What happened and what to do.
    pub(crate) reason: String,
}

/// Sends requests to the servers of those who are tested.
#[derive(Clone, Debug)]
pub(crate) struct Messenger {
    /// Absent only when the TLS library could not be set up.
    client: Option<reqwest::Client>,
}

impl Messenger {
    pub(crate) fn new() -> Messenger {
        Messenger { client: client() }
    }

    pub(crate) async fn get(&self, url: reqwest::Url) -> Result<Whole, Broken> {
        let client = self.client()?;
        receive(client.get(url)).await
    }

    pub(crate) async fn post(&self, url: reqwest::Url, content_type: &str, body: String) -> Result<Whole, Broken> {
        let client = self.client()?;
        receive(client.post(url).header(CONTENT_TYPE, content_type).body(body)).await
    }

    /// Whatever is answered that is no redirect, with its status.
    pub(crate) async fn deliver(
        &self,
        url: reqwest::Url,
        content_type: &str,
        headers: &[(&'static str, String)],
        body: String,
    ) -> Result<(u16, Bytes), Broken> {
        let request = self.client()?.post(url).header(CONTENT_TYPE, content_type).body(body);
        answered(headers.iter().fold(request, |request, (name, value)| request.header(*name, value))).await
    }

    fn client(&self) -> Result<&reqwest::Client, Broken> {
        self.client.as_ref().ok_or_else(|| Broken {
            outcome: TryOutcome::Tls,
            status: None,
            reason: "the sandbox could not set up its TLS library".into(),
        })
    }
}

/// An answer with status 200.
async fn receive(request: reqwest::RequestBuilder) -> Result<Whole, Broken> {
    match answered(request).await? {
        (200, body) => Ok(Whole { body }),
        (status, _) => {
            let reason = format!("HTTP status {status}; only 200 is an answer");
            Err(Broken { outcome: TryOutcome::HttpStatus, status: Some(status), reason })
        }
    }
}

async fn answered(request: reqwest::RequestBuilder) -> Result<(u16, Bytes), Broken> {
    let mut response = request.header(USER_AGENT, AGENT).send().await.map_err(|error| broken(&error, None))?;
    let status = response.status().as_u16();
    if response.status().is_redirection() {
        let reason = "redirects are not followed; give the address that answers itself";
        return Err(Broken { outcome: TryOutcome::Redirect, status: Some(status), reason: reason.into() });
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error, Some(status)))? {
        if body.len() + chunk.len() > LARGEST {
            let reason = format!("the answer has more than {LARGEST} bytes");
            return Err(Broken { outcome: TryOutcome::TooLong, status: Some(status), reason });
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body.freeze()))
}

fn broken(error: &reqwest::Error, status: Option<u16>) -> Broken {
    let cause = cause(error);
    let (outcome, reason) = if error.is_timeout() {
        (TryOutcome::Timeout, format!("no answer within {} s of real time", LONGEST.as_secs()))
    } else if cause.tls {
        (
            TryOutcome::Tls,
            format!("no TLS connection: {}; WeChat wants a certificate of a public authority", cause.text),
        )
    } else if error.is_connect() {
        (TryOutcome::NoConnection, format!("no connection: {}; does the server run, and on this port?", cause.text))
    } else {
        (TryOutcome::HungUp, format!("the connection ended before the answer was whole: {}", cause.text))
    };
    Broken { outcome, status, reason }
}

struct Cause {
    text: String,
    tls: bool,
}

/// What lies at the bottom of an error; the layers above it say the URL again, with its signature.
fn cause(error: &reqwest::Error) -> Cause {
    let mut innermost = Cause { text: "no reason was given".into(), tls: false };
    let mut next = error.source();
    while let Some(layer) = next {
        innermost = Cause { text: layer.to_string(), tls: innermost.tls || is_tls(layer) };
        next = layer.source();
    }
    innermost
}

/// Whether TLS is at fault. An `io::Error` is transparent: what it holds is not among its sources.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || held.is_some_and(|held| is_tls(held))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that builds a client; what waits has a limit"
)]
fn client() -> Option<reqwest::Client> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.with_root_certificates(roots).with_no_client_auth())
        .no_proxy()
        .redirect(Policy::none())
        .http1_only()
        .pool_max_idle_per_host(0)
        .timeout(LONGEST)
        .build()
        .ok()
}
