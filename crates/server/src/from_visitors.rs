//! Visitors' browsers: login (`/auth`, `/auth/info`, `/qyauth`, `/qyauth/info`), scripts of pages (`/js/config`,
//! `/qyjs/config`), and orders to be paid (`/pay/qrcode`, `/pay/js`). What a stranger's browser can reach of a registration is
//! in this file.
//!
//! One layer finds the registration and checks its scope; where a visitor may be led, and for which pages is signed, the
//! engine checks against the hosts that the registration allows; an order needs the team's signature. Where a person reads the
//! answer, an error is a page.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::Engine;
use engine::apps::Registered;
use engine::guard::Caller;
use engine::login::ask::Door;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode, Uri};

use crate::answer::{Error, Told};
use crate::app_path::AppPath;
use crate::client_address::ClientAddress;
use crate::login::Begin;
use crate::parameters::Parameters;
use crate::{cross_origin, js_config, login, payment, registration};

/// The routes of this audience.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/app/{key}/auth", get(log_in).post(log_in))
        .route("/app/{key}/auth/info", get(log_in).post(log_in))
        .route("/app/{key}/qyauth", get(log_in).post(log_in))
        .route("/app/{key}/qyauth/info", get(log_in).post(log_in))
        .route("/app/{key}/js/config", get(config).post(config).options(preflight))
        .route("/app/{key}/qyjs/config", get(corp_config).post(corp_config).options(preflight))
        .route("/app/{key}/pay/qrcode", get(payment::qrcode).post(payment::qrcode))
        .route("/app/{key}/pay/js", get(payment::js).post(payment::js).options(preflight))
        .route_layer(from_fn_with_state(Arc::clone(engine), guard))
}

async fn guard(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    request: Request,
    next: Next,
) -> Response {
    let is_login = AppPath::parse(request.uri().path()).is_some_and(|path| Door::at(path.rest).is_some());
    let people = is_login && login::is_read_by_people(request.headers());
    let people = people.then(|| (login::lang_of(request.uri()), request.headers().clone()));
    let response = guarded(&engine, client, request, next).await.unwrap_or_else(IntoResponse::into_response);
    match (people, response.extensions().get::<Told>()) {
        (Some((lang, headers)), Some(told)) => {
            let mut page = login::error_page(&engine, told, response.status(), lang, &headers);
            page.headers_mut().extend(response.headers().get(RETRY_AFTER).map(|wait| (RETRY_AFTER, wait.clone())));
            page
        }
        _ => response,
    }
}

async fn guarded(engine: &Engine, client: IpAddr, mut request: Request, next: Next) -> Result<Response, Error> {
    let path = AppPath::parse(request.uri().path()).ok_or(Error::NoSuchPath)?;
    let rest = path.decoded_rest().ok_or(Error::NoSuchPath)?;
    let caller = Caller::of(&request, client);
    let registered = registration::of_anyone(engine, &path, &caller, client).await?;
    engine.guard.visitor(&registered, &rest, &caller)?;
    request.extensions_mut().insert(registered);
    Ok(next.run(request).await)
}

type App = Extension<Arc<Registered>>;

async fn log_in(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    ClientAddress(client): ClientAddress,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Error> {
    let door = AppPath::parse(uri.path()).and_then(|path| Door::at(path.rest)).ok_or(Error::NoSuchPath)?;
    if login::is_return(uri.query()) {
        if method == Method::HEAD {
            // Who only looks must not use the login up.
            return Ok(StatusCode::OK.into_response());
        }
        return login::finish(&engine, &registered, door, &parameters, &uri, &headers, client).await;
    }
    match login::begin(&engine, &registered, door, &parameters, &uri, &headers)? {
        Begin::Redirect(response) => Ok(response.map(Body::from)),
        Begin::Scan { lang } => login::scan_page(&engine, lang, &parameters, &uri, &headers, client),
    }
}

async fn config(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    uri: Uri,
    headers: HeaderMap,
    parameters: Parameters,
) -> Response {
    js_config::answer(&engine, &registered, false, &parameters, &uri, &headers).await
}

async fn corp_config(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    uri: Uri,
    headers: HeaderMap,
    parameters: Parameters,
) -> Response {
    js_config::answer(&engine, &registered, true, &parameters, &uri, &headers).await
}

/// What a browser asks before a script of another origin sends more than a simple request (Fetch standard, "CORS-preflight").
async fn preflight(State(engine): State<Arc<Engine>>, Extension(registered): App, headers: HeaderMap) -> Response {
    cross_origin::preflight(&engine, &registered, &headers)
}
