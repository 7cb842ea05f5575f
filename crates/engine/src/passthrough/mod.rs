//! WeChat's API through the proxy: a caller's request goes on with the account's own token or secret in it, and WeChat's
//! answer comes back as it is.
//!
//! * [`needs`]: what WeChat has to be shown; `query`, `headers`: what of the request travels on;
//! * [`request_body`], `answer`: bodies, streamed both ways; `progress`: as long as they move;
//! * `client`: the connections; `healing`: what no new token heals.
//!
//! The server's edges have checked who calls, and found path and registration. What must stay true: a token that WeChat
//! calls dead is replaced once for all who saw it, and a request is repeated only if it is known whole and WeChat refused it.

mod answer;
mod client;
mod headers;
mod healing;
pub mod needs;
mod progress;
mod query;
pub mod request_body;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Body;
use secrecy::{ExposeSecret, SecretString};
use store::Timestamp;
use tokio_util::sync::CancellationToken;
use wechat::Errcode;
use wechat::api_path::ApiPath;
use wechat::calls::Host;
use wechat::errcode::ErrorClass;

use self::answer::Answer;
pub use self::answer::AnswerBody;
use self::client::{ApiHost, Unanswered};
use self::healing::Unhealed;
pub use self::needs::Needs;
use self::request_body::{CallerBroke, Keeping, MOST_KEPT, RequestBody, SentBody};
use crate::apps::{Registered, Wanted};
use crate::credential_error::CredentialError;
use crate::credentials::Credentials;
use crate::foundation::Foundation;
use crate::quota::circuit::{Open, Refusal};
use crate::quota::{Circuits, Usage};
use crate::slot::{Current, Slot};
use crate::upstream::{ClientError, Hosts, Roots, UpstreamError};

/// Tells callers what the proxy did with an answer: `held-back` or `not-repeated`.
const DONE_HERE: HeaderName = HeaderName::from_static("x-wechat-proxy");

/// How often connections that idle are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// In the extensions of an answer: WeChat refused the call.
#[derive(Debug, Clone, Copy)]
pub struct Refused(pub Errcode);

/// A call that may be made: who makes it was checked.
pub struct ApiCall<'a> {
    /// Whose account it is made for; `None` for a call that a visitor's own token is enough for.
    pub registered: Option<&'a Arc<Registered>>,
    /// Which of WeChat's hosts it goes to.
    pub host: Host,
    /// Its method.
    pub method: Method,
    /// Its path at WeChat.
    pub path: &'a ApiPath,
    /// Its query as it arrived; empty when there is none.
    pub query: &'a str,
    /// Its headers as they arrived.
    pub headers: HeaderMap,
    /// Its body.
    pub body: RequestBody,
}

/// Why a call brought no answer of WeChat's.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// There is no token to make it with.
    #[error(transparent)]
    NoToken(#[from] CredentialError),
    /// WeChat gave no whole answer.
    #[error("{0}; {1}")]
    NoAnswer(UpstreamError, &'static str),
    /// The caller's body broke.
    #[error(transparent)]
    Caller(#[from] CallerBroke),
    /// The method makes no sense here.
    #[error("CONNECT and TRACE are not passed on")]
    Method,
    /// The address that results is none.
    #[error("path and query make no address that WeChat can be asked: {0}")]
    Address(InvalidUri),
}

/// Passes calls on. Cheap to clone.
#[derive(Clone)]
pub struct Passthrough(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    credentials: Credentials,
    keeping: Keeping,
    unhealed: Unhealed,
    circuits: Arc<Circuits>,
    usage: Arc<Usage>,
    api: Arc<ApiHost>,
    qyapi: Arc<ApiHost>,
}

/// One call as it is tried, perhaps twice.
struct Attempt<'a> {
    host: &'a Arc<ApiHost>,
    method: Method,
    path: &'a str,
    headers: HeaderMap,
}

impl Passthrough {
    /// Passes calls on to these hosts.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(
        foundation: Arc<Foundation>,
        credentials: Credentials,
        (hosts, roots): (&Hosts, &Roots),
        (circuits, usage): (Arc<Circuits>, Arc<Usage>),
    ) -> Result<Self, ClientError> {
        Ok(Self(Arc::new(Inner {
            foundation,
            credentials,
            keeping: Keeping::default(),
            unhealed: Unhealed::default(),
            circuits,
            usage,
            api: ApiHost::new(&hosts.api, roots)?,
            qyapi: ApiHost::new(&hosts.qyapi, roots)?,
        })))
    }

    /// Closes connections that idle, until `stop`.
    pub async fn sweep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
            self.0.api.sweep();
            self.0.qyapi.sweep();
        }
    }

    /// Takes a caller's body: all of it if it is small, so that the call can be repeated.
    ///
    /// # Errors
    /// [`CallerBroke`] when it ends in its middle.
    pub async fn take<B>(&self, body: B) -> Result<RequestBody, CallerBroke>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        RequestBody::take(body, &self.0.keeping).await
    }

    /// Makes the call and gives WeChat's answer.
    ///
    /// # Errors
    /// [`PassError`].
    pub async fn carry(&self, call: ApiCall<'_>) -> Result<Response<AnswerBody>, PassError> {
        if matches!(call.method, Method::CONNECT | Method::TRACE) {
            return Err(PassError::Method);
        }
        let ApiCall { registered, host, method, path, query, headers, body } = call;
        let api_host = if host == Host::Qyapi { &self.0.qyapi } else { &self.0.api };
        let attempt = Attempt { host: api_host, method, path: path.as_str(), headers: headers::to_wechat(headers) };
        let Some(registered) = registered else {
            let (answer, _) = self.try_once(&attempt, &query.into(), body).await?;
            return Ok(into_response(answer));
        };
        let now = self.0.foundation.clock.now();
        let wanted = if host == Host::Qyapi { Wanted::WecomToken } else { Wanted::AccessToken };
        let slot = registered.slot(wanted, &self.0.foundation.slots);
        if let Some(open) = self.0.circuits.held_back(&slot.id, path.as_str(), now) {
            return Ok(held_back(&open, now));
        }
        let answer = match Needs::of(path.as_str(), query) {
            Needs::AccessToken => self.with_token(attempt, query, body, slot).await,
            needs => {
                let query = with_account(needs, query, registered);
                self.try_once(&attempt, &query, body).await.map(|(answer, _)| answer)
            }
        };
        self.note(registered, host, slot, path, answer.as_ref());
        answer.map(into_response)
    }

    /// With the account's token; once more with another, if WeChat calls it dead.
    async fn with_token(
        &self,
        attempt: Attempt<'_>,
        query: &str,
        body: RequestBody,
        slot: &Arc<Slot>,
    ) -> Result<Answer, PassError> {
        let current = self.current(slot).await?;
        let (answer, again) = self.try_once(&attempt, &query::with_token(query, &current.value), body).await?;
        let is_dead = answer.error.as_ref().is_some_and(|error| error.errcode.class() == ErrorClass::TokenDead);
        let now = self.0.foundation.clock.now();
        if !is_dead || !self.0.unhealed.may_help(&slot.id, attempt.path, now) {
            return Ok(answer);
        }
        let healed = self.0.credentials.healed(slot, current.value.clone()).await?;
        let Some(body) = again else { return Ok(not_repeated(answer)) };
        let (answer, _) = self.try_once(&attempt, &query::with_token(query, &healed.value), body).await?;
        match &answer.error {
            Some(error) if error.errcode.class() == ErrorClass::TokenDead => {
                tracing::warn!(
                    credential = %slot.id,
                    api = attempt.path,
                    errcode = error.errcode.0,
                    "WeChat refuses a new access_token as well; this API is passed on unhealed for a while"
                );
                self.0.unhealed.did_not_help(&slot.id, attempt.path, now);
            }
            _ => self.0.unhealed.helped(&slot.id, attempt.path),
        }
        Ok(answer)
    }

    async fn current(&self, slot: &Arc<Slot>) -> Result<Arc<Current>, CredentialError> {
        match slot.valid(self.0.foundation.clock.now()) {
            Some(current) => {
                slot.mark_used();
                Ok(current)
            }
            None => self.0.credentials.valid(slot).await,
        }
    }

    /// Sends it and reads the answer; gives the body back if it can be sent once more.
    async fn try_once(
        &self,
        attempt: &Attempt<'_>,
        query: &SecretString,
        body: RequestBody,
    ) -> Result<(Answer, Option<RequestBody>), PassError> {
        let (sent, again) = body.send();
        let outcome = self.exchange(attempt, query, sent).await;
        // A connection that WeChat closed in the moment it was used again: what changes nothing may be asked twice.
        if let (Err(Unanswered::Upstream(UpstreamError::Broken { .. })), true) = (&outcome, attempt.method.is_safe())
            && let Some(body) = again
        {
            let (sent, again) = body.send();
            return Ok((self.exchange(attempt, query, sent).await.map_err(|error| unanswered(error, attempt))?, again));
        }
        Ok((outcome.map_err(|error| unanswered(error, attempt))?, again))
    }

    async fn exchange(
        &self,
        attempt: &Attempt<'_>,
        query: &SecretString,
        body: SentBody,
    ) -> Result<Answer, Unanswered> {
        let mut request = Request::new(body);
        *request.method_mut() = attempt.method.clone();
        *request.uri_mut() = target(attempt, query).map_err(Unanswered::Address)?;
        request.headers_mut().clone_from(&attempt.headers);
        request.headers_mut().insert(HOST, attempt.host.host_header.clone());
        let (parts, received) = attempt.host.send(request).await?;
        Answer::read(parts, received).await.map_err(Unanswered::Upstream)
    }

    /// Counts the call, and remembers what it told of the account's quotas.
    fn note(
        &self,
        registered: &Registered,
        host: Host,
        slot: &Slot,
        path: &ApiPath,
        answer: Result<&Answer, &PassError>,
    ) {
        let key = registered.app.key.as_str();
        let error = answer.ok().and_then(|answer| answer.error.as_ref());
        let refusal = error.map(|error| error.errcode);
        match host {
            Host::Api => self.0.usage.count(key, path.as_str(), refusal),
            Host::Qyapi => self.0.usage.count(key, &format!("/qyapi{path}"), refusal),
        }
        let Ok(answer) = answer else { return };
        match error {
            Some(error) => {
                let body = answer.body.bytes().unwrap_or_default();
                let refusal = Refusal { error, body, content_type: answer.content_type().cloned() };
                let now = self.0.foundation.clock.now();
                self.0.circuits.refused((&slot.id, host, path.as_str()), refusal, now);
            }
            None => {
                self.0.circuits.taken(&slot.id, path.as_str());
                if path.as_str().starts_with("/cgi-bin/clear_quota") || path.as_str() == "/cgi-bin/openapi/quota/clear"
                {
                    self.0.circuits.cleared(&slot.id);
                }
            }
        }
    }
}

fn target(attempt: &Attempt<'_>, query: &SecretString) -> Result<Uri, InvalidUri> {
    let (base, query) = (&attempt.host.base_path, query.expose_secret());
    let mut text = String::with_capacity(base.len() + attempt.path.len() + query.len() + 1);
    text.push_str(base);
    text.push_str(attempt.path);
    if !query.is_empty() {
        text.push('?');
        text.push_str(query);
    }
    Uri::from_maybe_shared(Bytes::from(text))
}

/// What such a call has to bring but a token.
fn with_account(needs: Needs, query: &str, registered: &Registered) -> SecretString {
    let appid = ("appid", registered.appid.as_str());
    match needs {
        Needs::AppSecret { secret } => {
            let mut put = vec![appid, (secret, registered.app.secrets.secret.expose_secret())];
            if secret == "secret" {
                put.push(("grant_type", "authorization_code"));
            }
            query::with(query, &put)
        }
        Needs::Appid => query::with(query, &[appid]),
        Needs::AccessToken | Needs::Nothing => query.into(),
    }
}

fn unanswered(error: Unanswered, attempt: &Attempt<'_>) -> PassError {
    match error {
        Unanswered::Caller => PassError::Caller(CallerBroke),
        Unanswered::Address(error) => PassError::Address(error),
        Unanswered::Upstream(error) => {
            let is_known = attempt.method.is_safe() || matches!(error, UpstreamError::Connect { .. });
            let advice = if is_known { "try again" } else { "whether WeChat did what was asked is not known" };
            PassError::NoAnswer(error, advice)
        }
    }
}

fn into_response(answer: Answer) -> Response<AnswerBody> {
    let mut response = Response::new(answer.body);
    if let Some(error) = answer.error {
        response.extensions_mut().insert(Refused(error.errcode));
    }
    *response.status_mut() = answer.parts.status;
    *response.headers_mut() = headers::to_caller(answer.parts.headers);
    response
}

/// WeChat's words of an earlier call.
fn held_back(open: &Open, now: Timestamp) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::whole(open.body.clone()));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    if let Some(content_type) = &open.content_type {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    headers.insert(RETRY_AFTER, HeaderValue::from(open.until.since(now).as_secs().max(1)));
    headers.insert(DONE_HERE, HeaderValue::from_static("held-back"));
    response
}

/// WeChat's refusal of a request that was not kept, which says so.
fn not_repeated(mut answer: Answer) -> Answer {
    let Some(error) = &answer.error else { return answer };
    let errmsg = format!(
        "{} (wechat-proxy has replaced the access_token, but did not repeat this request, because its body is larger than {} KiB: \
         send it again)",
        error.errmsg,
        MOST_KEPT / 1024
    );
    let body = serde_json::json!({"errcode": error.errcode, "errmsg": errmsg}).to_string();
    answer.body = AnswerBody::whole(body.into());
    answer.parts.headers.insert(DONE_HERE, HeaderValue::from_static("not-repeated"));
    answer
}
