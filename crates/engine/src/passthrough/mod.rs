//! WeChat's API through the proxy: a caller's request goes on with the account's own token or secret in it, and WeChat's
//! answer comes back as it is.
//!
//! * [`needs`]: what WeChat has to be shown; `query`, `headers`: what of the request travels on;
//! * [`request_body`], `answer`: bodies, streamed both ways;
//! * `api_host`: the connections; `exchange`: one request and its answer on a connection;
//! * `healing`: what no new token heals; `outcome`: what the caller gets.
//!
//! The server's edges have checked who calls, and found path and registration. What must stay true: a token that WeChat
//! calls dead is replaced once for all who saw it, and a request is repeated only if it is known whole and WeChat refused it for
//! its token.

mod answer;
mod api_host;
mod exchange;
mod headers;
mod healing;
pub mod needs;
mod outcome;
mod query;
pub mod request_body;

use std::error::Error;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, Version};
use http1::NotATarget;
use hyper::body::Body;
use secrecy::ExposeSecret;
use store::Timestamp;
use tokio_util::sync::CancellationToken;
use wechat::Errcode;
use wechat::api_path::ApiPath;
use wechat::calls::Host;

use self::answer::Answer;
pub use self::answer::PassedBody;
use self::api_host::{ApiHost, Unanswered};
use self::healing::Unhealed;
pub use self::needs::Needs;
use self::request_body::{CallerBroke, Keeping, RequestBody};
use crate::apps::{Registered, Wanted};
use crate::credential_error::CredentialError;
use crate::credentials::Credentials;
use crate::credentials::decide::same;
use crate::foundation::Foundation;
use crate::quota::circuit::{Open, Refusal};
use crate::quota::{Circuits, Usage};
use crate::slot::{Current, Slot};
use crate::upstream::{ClientError, Hosts, Roots, UpstreamError};

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
    Address(NotATarget),
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

/// A call, as it is counted and remembered.
struct Made<'a> {
    key: &'a str,
    host: Host,
    /// The path in lower case.
    api: &'a str,
    needs: Needs,
    slot: &'a Arc<Slot>,
}

/// What was sent of the account, which no caller gets to see.
enum Sent {
    Token(Arc<Current>),
    Secret,
}

/// What became of a call.
enum Outcome {
    /// It was not made: WeChat's words of an earlier one.
    HeldBack(Arc<Open>, Timestamp),
    /// WeChat answered; and what was sent.
    Answered(Answer, Sent),
    /// It did not.
    Failed(PassError),
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
        while stop.run_until_cancelled(tokio::time::sleep(api_host::SWEEP_EVERY)).await.is_some() {
            self.0.api.sweep();
            self.0.qyapi.sweep();
        }
    }

    /// Takes a caller's body, which came in this version of HTTP: all of it if it is small, so that the call can be repeated.
    ///
    /// # Errors
    /// [`CallerBroke`] when it ends in its middle.
    pub async fn take<B>(&self, body: B, version: Version) -> Result<RequestBody, CallerBroke>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        RequestBody::take(body, &self.0.keeping, version >= Version::HTTP_2).await
    }

    /// Makes the call and gives WeChat's answer.
    ///
    /// # Errors
    /// [`PassError`].
    pub async fn carry(&self, call: ApiCall<'_>) -> Result<Response<PassedBody>, PassError> {
        if matches!(call.method, Method::CONNECT | Method::TRACE) {
            return Err(PassError::Method);
        }
        let ApiCall { registered, host, method, path, query, headers, body } = call;
        let api_host = if host == Host::Qyapi { &self.0.qyapi } else { &self.0.api };
        let attempt = Attempt { host: api_host, method, path: path.as_str(), headers };
        let Some(registered) = registered else {
            let (answer, _) = try_once(&attempt, (query, &[]), body).await?;
            return Ok(outcome::response(answer, &attempt.method, None));
        };
        let api = path.folded();
        let needs = Needs::of(&api, query);
        let wanted = if host == Host::Qyapi { Wanted::WecomToken } else { Wanted::AccessToken };
        let slot = registered.slot(wanted, &self.0.foundation.slots);
        let made = Made { key: &registered.app.key, host, api: &api, needs, slot };
        let (method, outcome) = (attempt.method.clone(), self.answered(attempt, &made, query, body, registered).await);
        match outcome {
            Outcome::HeldBack(open, now) => Ok(outcome::held_back(&open, now)),
            Outcome::Answered(answer, sent) => {
                self.note(&made, &method, Some(&answer));
                let sent = match &sent {
                    Sent::Token(current) => &current.value,
                    Sent::Secret => &registered.app.secrets.secret,
                };
                Ok(outcome::response(answer, &method, Some(sent)))
            }
            Outcome::Failed(error) => {
                if matches!(error, PassError::NoAnswer(..)) {
                    self.note(&made, &method, None);
                }
                Err(error)
            }
        }
    }

    async fn answered(
        &self,
        attempt: Attempt<'_>,
        made: &Made<'_>,
        query: &str,
        body: RequestBody,
        registered: &Registered,
    ) -> Outcome {
        let now = self.0.foundation.clock.now();
        if made.needs != Needs::AccessToken {
            let answer = try_once(&attempt, (query, &account(made.needs, registered)), body).await;
            return answer.map_or_else(Outcome::Failed, |(answer, _)| Outcome::Answered(answer, Sent::Secret));
        }
        if let Some(open) = self.0.circuits.held_back(&made.slot.id, made.api, now) {
            return Outcome::HeldBack(open, now);
        }
        let answer = self.with_token(attempt, made, query, body).await;
        answer.map_or_else(Outcome::Failed, |(answer, token)| Outcome::Answered(answer, Sent::Token(token)))
    }

    /// With the account's token; once more with another, if WeChat calls it dead. Gives the token that was sent last.
    async fn with_token(
        &self,
        attempt: Attempt<'_>,
        made: &Made<'_>,
        query: &str,
        body: RequestBody,
    ) -> Result<(Answer, Arc<Current>), PassError> {
        let current = self.current(made.slot).await?;
        let (answer, again) = try_once(&attempt, (query, &[access_token(&current)]), body).await?;
        if !answer.tells_dead_token() {
            return Ok((answer, current));
        }
        let now = self.0.foundation.clock.now();
        if !self.0.unhealed.may_help(&made.slot.id, made.api, now) {
            return Ok((answer, current));
        }
        let dead = current.value.clone();
        let other = if self.0.unhealed.may_force(&made.slot.id, now) {
            self.0.credentials.healed(made.slot, dead.clone()).await?
        } else {
            self.0.credentials.newest(made.slot, dead.clone()).await?
        };
        if same(&other.value, &dead) {
            self.0.unhealed.did_not_help(&made.slot.id, made.api, now);
            return Ok((answer, current));
        }
        let Some(body) = again else { return Ok((outcome::not_repeated(answer), current)) };
        let (answer, _) = try_once(&attempt, (query, &[access_token(&other)]), body).await?;
        if answer.tells_dead_token() {
            tracing::warn!(
                credential = %made.slot.id,
                api = made.api,
                errcode = answer.error.as_ref().map(|error| error.errcode.0),
                "WeChat refuses a new access_token as well; this API is passed on unhealed for a while"
            );
            self.0.unhealed.did_not_help(&made.slot.id, made.api, now);
        } else {
            self.0.unhealed.helped(&made.slot.id, made.api);
        }
        Ok((answer, other))
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

    /// Counts the call, and remembers what it told of the account's quotas.
    fn note(&self, made: &Made<'_>, method: &Method, answer: Option<&Answer>) {
        let error = answer.and_then(|answer| answer.error.as_ref());
        let refusal = error.map(|error| error.errcode);
        match made.host {
            Host::Api => self.0.usage.count(made.key, made.api, refusal),
            Host::Qyapi => self.0.usage.count(made.key, &format!("/qyapi{}", made.api), refusal),
        }
        let (Some(answer), account) = (answer, &made.slot.id) else { return };
        match error {
            Some(error) if made.needs == Needs::AccessToken => {
                // A copy: it stays for long, and what it is a part of is the room of a connection.
                let body = answer.body.bytes().map_or_else(Bytes::new, |body| Bytes::copy_from_slice(&body));
                let refusal = Refusal { error, body, content_type: answer.content_type().cloned() };
                let now = self.0.foundation.clock.now();
                self.0.circuits.refused((account, made.host, made.api), refusal, now);
            }
            None if answer.head.status.is_success() && *method != Method::HEAD => {
                self.0.circuits.taken(account, made.api);
                let clears = ["/cgi-bin/clear_quota", "/cgi-bin/clear_quota/v2", "/cgi-bin/openapi/quota/clear"];
                if *method == Method::POST && clears.contains(&made.api) {
                    self.0.circuits.cleared(account);
                }
            }
            _ => {}
        }
    }
}

fn access_token(current: &Current) -> (&'static str, &str) {
    ("access_token", current.value.expose_secret())
}

/// Sends it with these parameters in its query and reads the answer; gives the body back if it can be sent once more.
async fn try_once(
    attempt: &Attempt<'_>,
    (query, put): (&str, &[(&str, &str)]),
    body: RequestBody,
) -> Result<(Answer, Option<RequestBody>), PassError> {
    let (sent, again) = body.send();
    let write_address = |address: &mut BytesMut| {
        address.extend_from_slice(attempt.path.as_bytes());
        query::append(address, query, put);
    };
    let answer = attempt.host.send(&attempt.method, write_address, &attempt.headers, sent).await;
    let (head, received) = answer.map_err(unanswered)?;
    let answer = Answer::read(head, received).await;
    Ok((answer.map_err(|error| unanswered(Unanswered::Upstream(error)))?, again))
}

/// What such a call has to bring but a token.
fn account(needs: Needs, registered: &Registered) -> Vec<(&'static str, &str)> {
    let appid = ("appid", registered.appid.as_str());
    let secret = registered.app.secrets.secret.expose_secret();
    match needs {
        Needs::AppSecret { secret: "secret" } => {
            vec![appid, ("secret", secret), ("grant_type", "authorization_code")]
        }
        Needs::AppSecret { secret: name } => vec![appid, (name, secret)],
        Needs::Appid => vec![appid],
        Needs::AccessToken | Needs::Nothing => Vec::new(),
    }
}

fn unanswered(error: Unanswered) -> PassError {
    match error {
        Unanswered::Caller(broke) => PassError::Caller(broke),
        Unanswered::Address(error) => PassError::Address(error),
        Unanswered::Upstream(error @ UpstreamError::Connect { .. }) => PassError::NoAnswer(error, "try again"),
        // Not even a GET is sent again: some of WeChat's change something, or use up a code.
        Unanswered::Upstream(error) => PassError::NoAnswer(error, "whether WeChat did what was asked is not known"),
    }
}
