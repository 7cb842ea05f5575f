//! `/example/jsapi.html` and `/example/jspay.html`: pages that show how it is done, and are meant to be copied.
//!
//! They are files of this crate, with the registration `test` in their addresses; `?key=` puts another in its place. The
//! second is the page of a login as well: what arrives there by POST is checked as any team's page has to check it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::Engine;
use engine::guard::Caller;
use engine::login::app_path;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Uri};

use crate::answer::{Error, NO_STORE};
use crate::app_path::AppPath;
use crate::client_address::ClientAddress;
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
    let body = read(request.into_body(), MAX_BODY).await?;
    let openid = engine.login.openid_in(&registered, &body).ok_or(Error::BadBody(
        "this page takes what /auth posts to it, not older than five minutes, with a good sign; log in again",
    ))?;
    let shown = for_key(JSPAY, &key).replace(OPENID_PLACE, &escaped(&openid));
    let mut response = page(shown);
    let secure = if login_is_secure(&engine) { "; Secure" } else { "" };
    let cookie = format!("openid={openid}; Path={path}; Max-Age={OPENID_SECONDS}; HttpOnly; SameSite=Lax{secure}");
    // An openid has letters, digits, `-` and `_`; one that has others is shown, but not kept.
    let is_plain = openid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if let Some(cookie) = HeaderValue::from_str(&cookie).ok().filter(|_| is_plain) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn login_is_secure(engine: &Engine) -> bool {
    engine.call_urls.base(None).starts_with("https://")
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
