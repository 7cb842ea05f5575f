//! Whoever gets this far: `/healthz`, `/readyz`, `/qrcode`, `/echo`, and files at the root that prove a domain to WeChat.
//! Nothing here knows a secret.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use engine::Engine;
use engine::guard::Caller;
use http::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::json;

use crate::answer::{Error, json_of};
use crate::client_address::ClientAddress;
use crate::parameters::{Parameters, read};
use crate::qrcode::{self, Format};

/// The largest body that `/echo` sends back, in bytes: as large as a callback may be.
const MAX_ECHO: usize = 1024 * 1024;

/// The routes of this audience.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/qrcode", get(draw_qrcode).post(draw_qrcode))
        .route("/echo", any(echo))
        .route("/{file}", any(verify_file))
        .route_layer(from_fn_with_state(Arc::clone(engine), guard))
}

async fn guard(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    engine.guard.anyone(&Caller::of(&request, client))?;
    Ok(next.run(request).await)
}

/// The process runs.
async fn healthz() -> Response {
    json_of(&json!({"status": "ok"}))
}

/// The process can do its work: the database answers.
async fn readyz(State(engine): State<Arc<Engine>>) -> Result<Response, Error> {
    engine.store.ping().await.map_err(|error| {
        tracing::error!(%error, "not ready");
        Error::NotReady
    })?;
    Ok(json_of(&json!({"status": "ready"})))
}

async fn draw_qrcode(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    parameters: Parameters,
) -> Result<Response, Error> {
    engine.guard.costly(client, engine.clock.now())?;
    let text = parameters.value("path").ok_or_else(|| {
        Error::BadParameters(
            "path is missing; it is the text of the QR code, like /qrcode?path=https://example.com".into(),
        )
    })?;
    let format = match parameters.value("format") {
        None | Some("png") => Format::Png,
        Some("svg") => Format::Svg,
        Some(_) => return Err(Error::BadParameters("format is png (the default) or svg".to_owned())),
    };
    let size = qrcode::size(parameters.value("size")).map_err(Error::BadParameters)?;
    let image = qrcode::draw(text, size, format).map_err(Error::BadParameters)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, image).into_response())
}

/// What was registered with `verify=NAME:CONTENT`, as WeChat wants to find it: the content alone.
async fn verify_file(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    method: Method,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Error> {
    let Path(name) = name.map_err(|_| Error::NoSuchPath)?;
    if !name.ends_with(".txt") || !matches!(method, Method::GET | Method::HEAD) {
        return Err(Error::NoSuchPath);
    }
    engine.guard.costly(client, engine.clock.now())?;
    let content = engine.store.verify_file(&name).await.map_err(|error| {
        tracing::error!(%error, name, "a file that proves a domain cannot be read");
        Error::NotReady
    })?;
    let content = content.ok_or(Error::NoSuchPath)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, content).into_response())
}

/// Sends back what it was sent: a body as it is, else what is known of the request.
async fn echo(request: Request) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let body = read(body, MAX_ECHO).await?;
    let policy = [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    if !body.is_empty() {
        return Ok((policy, [(CONTENT_TYPE, echoed_type(&parts.headers))], body).into_response());
    }
    let headers: serde_json::Map<String, serde_json::Value> = parts
        .headers
        .iter()
        .filter(|(name, _)| **name != AUTHORIZATION && **name != COOKIE)
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let query = Parameters::of_query(parts.uri.query())?.0;
    let told = json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "query": query,
        "headers": headers,
    });
    Ok((policy, json_of(&told)).into_response())
}

/// Only types that no browser runs: this page is on the server's own address.
fn echoed_type(headers: &HeaderMap) -> HeaderValue {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    HeaderValue::from_static(match essence.as_str() {
        "application/json" => "application/json; charset=utf-8",
        "text/xml" | "application/xml" => "text/xml; charset=utf-8",
        "application/x-www-form-urlencoded" => "application/x-www-form-urlencoded",
        "text/plain" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}
