//! `/example/jsapi.html` and `/example/jspay.html`: pages that show how it is done, and are meant to be copied.
//!
//! They are files of this crate, with the registration `test` in their addresses; `?key=` puts another in its place. The
//! second is the page of a login as well: of what arrives there by POST, signature and age are checked (a team's page also
//! checks `state` and `nonce`: see `examples/login`).

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::Engine;
use engine::apps::app_path;
use engine::guard::Caller;
use engine::login::Verified;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Uri};

use crate::answer::{Error, NO_STORE};
use crate::app_path::AppPath;
use crate::client_address::ClientAddress;
use crate::login::own;
use crate::parameters::{Parameters, read};
use crate::registration;

const JSAPI: &str = include_str!("examples/jsapi.html");
const JSPAY: &str = include_str!("examples/jspay.html");

/// What stands in the files.
const EXAMPLE_PATH: &str = "/app/test/";
const EXAMPLE_KEY: &str = "test";
const OPENID_PLACE: &str = "<!--openid-->";

/// The largest body of a login, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How long the browser knows who it is, in seconds.
const OPENID_SECONDS: u32 = 86_400;

/// The routes.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/example/jsapi.html", get(jsapi))
        .route("/example/jspay.html", get(jspay).post(jspay_after_login))
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

async fn jsapi(uri: Uri) -> Result<Response, Error> {
    Ok(page(for_key(JSAPI, &key(&uri)?)))
}

async fn jspay(uri: Uri) -> Result<Response, Error> {
    Ok(page(for_key(JSPAY, &key(&uri)?)))
}

/// The visitor is known: from now on the browser's cookie says so to `/pay/…` of this registration.
async fn jspay_after_login(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    request: Request,
) -> Result<Response, Error> {
    let key = key(request.uri())?;
    let path = app_path(&key, "/");
    let app = AppPath::parse(&path).ok_or(Error::NoSuchPath)?;
    let registered = registration::of_anyone(&engine, &app, &Caller::of(&request, client), client).await?;
    let own = own(&engine, request.uri(), request.headers()).into_owned();
    let body = read(request.into_body(), MAX_BODY).await?;
    let (shown, openid) = match engine.login.verified(&registered, &own, &body) {
        Some(Verified::Openid(openid)) => (openid.clone(), Some(openid)),
        Some(Verified::Error(error)) => (format!("登录没有完成 not logged in: {error}"), None),
        None => ("这次登录不能用, 请重新登录 this login cannot be used, log in again".to_owned(), None),
    };
    let mut response = page(for_key(JSPAY, &key).replace(OPENID_PLACE, &escaped(&shown)));
    // An openid has letters, digits, `-` and `_`; one that has others is shown, but not kept.
    let is_plain = |openid: &String| openid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let secure = if own.starts_with("https://") { "; Secure" } else { "" };
    if let Some(openid) = openid.filter(is_plain) {
        let cookie = format!("openid={openid}; Path={path}; Max-Age={OPENID_SECONDS}; HttpOnly; SameSite=Lax{secure}");
        response.headers_mut().extend(HeaderValue::from_str(&cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
    }
    Ok(response)
}

/// The registration that the page is to use.
fn key(uri: &Uri) -> Result<String, Error> {
    let parameters = Parameters::of_query(uri.query())?;
    Ok(parameters.value("key").unwrap_or(EXAMPLE_KEY).to_owned())
}

fn for_key(file: &str, key: &str) -> String {
    file.replace(EXAMPLE_PATH, &app_path(key, "/"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn page(html: String) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, NO_STORE),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    ];
    (headers, html).into_response()
}
