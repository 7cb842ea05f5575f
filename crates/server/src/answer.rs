//! Answers: what a request gets, and the one table of the proxy's own errors.
//!
//! WeChat's refusals keep WeChat's shape and status: HTTP 200 and `{"errcode":40013,"errmsg":"…"}`. The proxy's own
//! have the same shape with codes from -10001 down and a fitting HTTP status. What must stay true: no error answer has
//! an empty body, none holds a secret, and each says what to do.

mod conversions;

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use engine::guard::Denied;
use engine::payment::signed_link::LinkProblem;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use store::StoreError;
use wechat::ApiError;
use wechat::pay::Refusal;

use crate::payment;

/// What WeChat's own API says of its answers.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// For scripts.
pub const JAVASCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

/// Tokens are nobody's to keep.
pub const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Why a request got no proper answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// WeChat's refusal, passed on as it is.
    #[error("{error}")]
    Upstream {
        /// WeChat's words.
        error: ApiError,
        /// How long WeChat's refusal is remembered.
        retry_in: Duration,
    },
    /// Nothing is at this path.
    #[error("there is nothing at this path; the paths are listed in the README, most begin with /app/KEY/")]
    NoSuchPath,
    /// The path does not take this method.
    #[error("this path does not take this method; use GET, or POST with a form or JSON body")]
    WrongMethod,
    /// Parameters are missing or malformed.
    #[error("{0}")]
    BadParameters(String),
    /// No such registration.
    #[error("no registration is named '{0}' here; make one with /register?key=…&appid=…&secret=…")]
    UnknownKey(String),
    /// The body cannot be read.
    #[error("{0}")]
    BadBody(&'static str),
    /// The body is of a type that this path does not read.
    #[error("the body's Content-Type must be application/x-www-form-urlencoded or application/json")]
    WrongBodyType,
    /// The body is larger than this path reads.
    #[error("the body is larger than {} KiB, more than this path reads; send less", .limit / 1024)]
    BodyTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not let in.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The name belongs to another account, or others keep changing it.
    #[error("{0}")]
    Conflict(String),
    /// WeChat could not be asked.
    #[error("{reason}; {}", when_again(*retry_in))]
    Unreachable {
        /// What happened.
        reason: String,
        /// When it is asked again.
        retry_in: Duration,
    },
    /// No decision in time.
    #[error("{0}; try again")]
    TimedOut(String),
    /// The database.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The database, told to whoever asks: without the driver's words, which name users and files.
    #[error("the database cannot be used now; the log says why, under this request id")]
    NotReady,
    /// A callback without a good signature.
    #[error("{0}")]
    Forged(String),
    /// A callback that makes no sense.
    #[error("{0}")]
    BadCallback(String),
    /// A `call` is missing or no URL.
    #[error("{0}")]
    BadCall(String),
    /// A `call` names a host that is not allowed.
    #[error("{0}")]
    CallNotAllowed(String),
    /// No backend has answered yet.
    #[error("{0}")]
    NoAnswer(String),
    /// Too much is under way.
    #[error("{0}")]
    Busy(String),
    /// No such message.
    #[error("no such message is kept (or it has no such backend); /admin/messages lists them")]
    UnknownMessage,
    /// No such login ticket.
    #[error(
        "no such ticket: it was used before, is older than five minutes, or is another registration's; log in again"
    )]
    UnknownTicket,
    /// WeChat Pay's refusal, in its own shape.
    #[error("{0}")]
    PayRefused(Box<Refusal>),
    /// The registration has no merchant that can be paid.
    #[error("{0}")]
    NoMerchant(String),
    /// The number belongs to another order or refund.
    #[error("{0}")]
    OtherOrder(String),
    /// The order is paid or closed.
    #[error("{0}")]
    OrderOver(String),
    /// Whether WeChat Pay did it is not known.
    #[error("{0}")]
    OutcomeUnknown(String),
    /// No such order or refund.
    #[error("no such order or refund of this registration is known, here or at WeChat Pay")]
    UnknownOrder,
    /// The link to an order is not the team's.
    #[error("{0}")]
    LinkNotSigned(LinkProblem),
    /// The path is none of WeChat's API.
    #[error("{0}")]
    BadPath(String),
    /// The query and headers are too large to be passed on.
    #[error("query and headers together are larger than {} KiB, more than is passed on; parameters belong into the body", .limit / 1024)]
    HeadTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// WeChat did not answer a call that was passed on.
    #[error("{0}")]
    NoAnswerInTime(String),
    /// A call could not be passed on, or its answer broke.
    #[error("{0}")]
    NotPassed(String),
    /// The session of a mini program's user is not good.
    #[error("{0}")]
    BadSession(String),
    /// What a mini program sent is not signed by WeChat.
    #[error("{0}")]
    BadSignature(String),
    /// What a mini program sent does not open.
    #[error("{0}")]
    NotOpened(String),
    /// The proxy's own fault.
    #[error("wechat-proxy failed inside ({0}); its log says more under this request id")]
    Internal(&'static str),
}

fn when_again(retry_in: Duration) -> String {
    match retry_in.as_secs() {
        _ if retry_in.is_zero() => "try again".to_owned(),
        seconds => format!("it is asked again in {} s", seconds.max(1)),
    }
}

/// What an error answer told, for who shows it as a page.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) errcode: i64,
    pub(crate) errmsg: Arc<str>,
}

/// How an error is answered.
struct Form {
    status: StatusCode,
    errcode: i64,
    retry_after: Option<Duration>,
}

impl Error {
    /// The table: every error, its HTTP status and its code. Codes are never given a new meaning.
    fn form(&self) -> Form {
        let (status, errcode) = match self {
            Self::Upstream { error, .. } => (StatusCode::OK, error.errcode.0),
            Self::NoSuchPath => (StatusCode::NOT_FOUND, -10001),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, -10002),
            Self::BadParameters(_) => (StatusCode::BAD_REQUEST, -10003),
            Self::UnknownKey(_) => (StatusCode::NOT_FOUND, -10004),
            Self::BadBody(_) => (StatusCode::BAD_REQUEST, -10005),
            Self::WrongBodyType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, -10006),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, -10007),
            Self::Denied(Denied::NotLocal { .. }) => (StatusCode::FORBIDDEN, -10008),
            Self::Denied(Denied::NotOperator) => (StatusCode::UNAUTHORIZED, -10009),
            Self::Denied(Denied::NotTheTeam) => (StatusCode::UNAUTHORIZED, -10010),
            Self::Denied(Denied::OutOfScope { .. }) => (StatusCode::FORBIDDEN, -10011),
            Self::Denied(Denied::TooManyFailures { .. } | Denied::TooManyRequests { .. }) => {
                (StatusCode::TOO_MANY_REQUESTS, -10012)
            }
            Self::Denied(Denied::OtherSite) => (StatusCode::FORBIDDEN, -10019),
            Self::Conflict(_) => (StatusCode::CONFLICT, -10013),
            Self::Unreachable { .. } => (StatusCode::BAD_GATEWAY, -10014),
            Self::TimedOut(_) => (StatusCode::GATEWAY_TIMEOUT, -10015),
            Self::Store(error) => match **error {
                StoreError::Unavailable { .. } | StoreError::Conflict => (StatusCode::SERVICE_UNAVAILABLE, -10016),
                StoreError::TooLong { .. } => (StatusCode::BAD_REQUEST, -10003),
                _ => (StatusCode::INTERNAL_SERVER_ERROR, -10017),
            },
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, -10016),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, -10018),
            Self::Forged(_) => (StatusCode::FORBIDDEN, -10020),
            Self::BadCallback(_) => (StatusCode::BAD_REQUEST, -10021),
            Self::BadCall(_) => (StatusCode::BAD_REQUEST, -10022),
            Self::CallNotAllowed(_) => (StatusCode::FORBIDDEN, -10023),
            Self::NoAnswer(_) => (StatusCode::GATEWAY_TIMEOUT, -10024),
            Self::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, -10025),
            Self::UnknownMessage => (StatusCode::NOT_FOUND, -10026),
            Self::UnknownTicket => (StatusCode::NOT_FOUND, -10027),
            Self::PayRefused(_) => (StatusCode::OK, -10028),
            Self::NoMerchant(_) => (StatusCode::BAD_REQUEST, -10029),
            Self::OtherOrder(_) => (StatusCode::CONFLICT, -10030),
            Self::OrderOver(_) => (StatusCode::CONFLICT, -10031),
            Self::OutcomeUnknown(_) => (StatusCode::GATEWAY_TIMEOUT, -10032),
            Self::UnknownOrder => (StatusCode::NOT_FOUND, -10033),
            Self::LinkNotSigned(_) => (StatusCode::FORBIDDEN, -10034),
            Self::BadPath(_) => (StatusCode::BAD_REQUEST, -10035),
            Self::NoAnswerInTime(_) => (StatusCode::GATEWAY_TIMEOUT, -10015),
            Self::NotPassed(_) => (StatusCode::BAD_GATEWAY, -10014),
            Self::BadSession(_) => (StatusCode::FORBIDDEN, -10036),
            Self::BadSignature(_) => (StatusCode::FORBIDDEN, -10037),
            Self::NotOpened(_) => (StatusCode::BAD_REQUEST, -10038),
            Self::HeadTooLarge { .. } => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, -10039),
        };
        Form { status, errcode, retry_after: self.retry_after() }
    }

    /// The error where there is no router: status and JSON.
    pub(crate) fn status_and_body(&self) -> (StatusCode, Bytes) {
        let form = self.form();
        (form.status, json!({"errcode": form.errcode, "errmsg": self.errmsg()}).to_string().into())
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Upstream { retry_in, .. } => (!retry_in.is_zero()).then_some(*retry_in),
            Self::Unreachable { retry_in, .. }
            | Self::Denied(Denied::TooManyFailures { retry_in } | Denied::TooManyRequests { retry_in }) => {
                Some(*retry_in)
            }
            Self::TimedOut(_) | Self::OutcomeUnknown(_) | Self::Store(_) | Self::NotReady => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }

    /// What goes into `errmsg`. A fault inside is not told in detail to whoever asks.
    fn errmsg(&self) -> String {
        match self {
            Self::Upstream { error, .. } => error.errmsg.clone(),
            _ => self.to_string(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let form = self.form();
        if form.status.is_server_error() {
            tracing::warn!(errcode = form.errcode, status = form.status.as_u16(), error = %self, "request failed");
        }
        let told = Told { errcode: form.errcode, errmsg: self.errmsg().into() };
        let body = match &self {
            Self::PayRefused(refusal) => payment::refused(refusal, told.errcode).to_string(),
            _ => json!({"errcode": told.errcode, "errmsg": &*told.errmsg}).to_string(),
        };
        let mut response = json_bytes(Bytes::from(body));
        response.extensions_mut().insert(told);
        *response.status_mut() = form.status;
        if form.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"wechat-proxy\", Basic realm=\"wechat-proxy\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = form.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

/// A JSON answer that is not to be kept.
pub fn json_bytes(body: Bytes) -> Response {
    ([(CONTENT_TYPE, JSON), (CACHE_CONTROL, NO_STORE)], body).into_response()
}

/// A JSON answer that is not to be kept.
pub fn json_of(value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => json_bytes(body.into()),
        Err(_) => Error::Internal("an answer could not be written as JSON").into_response(),
    }
}
