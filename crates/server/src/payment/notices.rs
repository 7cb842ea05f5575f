//! What WeChat Pay is answered to a notification: in the form of its version, within its five seconds.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use engine::Engine;
use engine::apps::Registered;
use engine::payment::{NoticeProblem, NoticeSource, version_of_notice};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use wechat::pay::{Acknowledgement, NoticeKind, Received, SignatureHeaders, acknowledgement, rejection};

use crate::answer::{Error, NO_STORE};

/// WeChat Pay gives up after five seconds, and sends it again; what takes longer is answered with a no before that.
const TIMEOUT: Duration = Duration::from_millis(4500);

/// The answer to a notification.
pub(crate) async fn answer(
    engine: &Engine,
    registered: &Arc<Registered>,
    kind: NoticeKind,
    client: IpAddr,
    headers: &HeaderMap,
    body: Result<Bytes, Error>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let headers = SignatureHeaders::read(|name| headers.get(name).and_then(|value| value.to_str().ok()));
    let received = Received { status: 200, headers, body: &body };
    let version = version_of_notice(&received);
    let taking = engine.payment.notified(registered, kind, &received, NoticeSource { client });
    let said = match tokio::time::timeout(TIMEOUT, taking).await {
        Ok(Ok(())) => acknowledgement(version),
        Ok(Err(problem)) => rejection(version, status_of(&problem), &problem.to_string()),
        Err(_) => rejection(version, 503, "it could not be stored in time; send it again"),
    };
    response(said)
}

fn status_of(problem: &NoticeProblem) -> u16 {
    match problem {
        NoticeProblem::NotBelieved(_) => 403,
        NoticeProblem::Merchant(_) => 404,
        NoticeProblem::Mismatch(_) => 409,
        NoticeProblem::NotNow(_) => 503,
    }
}

fn response(said: Acknowledgement) -> Response {
    let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(CACHE_CONTROL, NO_STORE)], said.body).into_response();
    response.headers_mut().remove(CONTENT_TYPE);
    if let Some(content_type) = said.content_type {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}
