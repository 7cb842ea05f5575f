//! `/sandbox/backend`: a team's server that echoes, with knobs for trying out what happens when it is slow or broken.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::Params;
use super::{Closing, ControlError};
use crate::backend::{Received, answer};
use crate::platform::Platform;
use crate::shared_world::Event;

/// The longest delay, in milliseconds.
const LONGEST_DELAY_MS: u64 = 600_000;

/// How to answer; other parameters are those of whoever forwards, and only recorded.
#[derive(Deserialize)]
pub(super) struct Knobs {
    /// Milliseconds of real time before the answer.
    #[serde(default)]
    delay: u64,
    /// The HTTP status.
    status: Option<u16>,
    /// No body.
    #[serde(default)]
    empty: Flag,
    /// Goes back as it is, as the check of a URL wants it.
    echostr: Option<String>,
}

/// `empty`, `empty=1` and `empty=true` mean yes.
#[derive(Default)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Flag, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Flag(!matches!(text.as_str(), "0" | "false")))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

pub(super) async fn receive(
    State(platform): State<Platform>,
    Extension(closing): Extension<Closing>,
    Params(knobs): Params<Knobs>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ControlError> {
    if knobs.delay > LONGEST_DELAY_MS {
        return Err(ControlError::bad_request(format!("delay is in milliseconds, at most {LONGEST_DELAY_MS}")));
    }
    let status = StatusCode::from_u16(knobs.status.unwrap_or(200)).ok().filter(|status| status.as_u16() >= 200);
    let status = status.ok_or_else(|| ControlError::bad_request("status is an HTTP status from 200 to 999"))?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let now = platform.world().clock.now();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    platform.world().backend.add(Received {
        id: 0,
        time: now,
        method: method.to_string(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.clone(),
        status: status.as_u16(),
    });
    platform.tell(Event::Change("backend"));
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(knobs.delay)) => {}
        () = closing.0.cancelled() => {}
    }
    let (kind, text) = match knobs.echostr {
        _ if knobs.empty.0 => ("text/plain; charset=utf-8", String::new()),
        Some(echostr) => ("text/plain; charset=utf-8", echostr),
        None => answer(&body, now),
    };
    Ok((status, [(header::CONTENT_TYPE, kind)], text).into_response())
}

pub(super) async fn received(State(platform): State<Platform>, Params(wanted): Params<After>) -> Json<Value> {
    Json(json!({ "received": platform.world().backend.after(wanted.after) }))
}

pub(super) async fn clear(State(platform): State<Platform>) -> Json<Value> {
    let deleted = platform.world().backend.clear();
    platform.tell(Event::Change("backend"));
    Json(json!({ "deleted": deleted }))
}
