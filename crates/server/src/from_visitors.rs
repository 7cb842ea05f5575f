//! Visitors' browsers: login (`/auth`, `/auth/info`, `/qyauth`, `/qyauth/info`) and scripts of pages (`/js/config`,
//! `/qyjs/config`). What a stranger's browser can reach of a registration is in this file.
//!
//! One layer finds the registration and checks its scope; where a visitor may be led, and for which pages is signed, the
//! engine checks against the hosts that the registration allows. Where a person reads the answer, an error is a page.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use engine::Engine;
use engine::apps::Registered;
use engine::guard::Caller;
use engine::login::ask::Door;
use http::{HeaderMap, Uri};

use crate::answer::{Error, Told};
use crate::app_path::AppPath;
use crate::client_address::ClientAddress;
use crate::parameters::Parameters;
use crate::{js_config, login, registration};

/// The routes of this audience.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/app/{key}/auth", get(log_in).post(log_in))
        .route("/app/{key}/auth/info", get(log_in).post(log_in))
        .route("/app/{key}/qyauth", get(log_in).post(log_in))
        .route("/app/{key}/qyauth/info", get(log_in).post(log_in))
        .route("/app/{key}/js/config", get(config).post(config))
        .route("/app/{key}/qyjs/config", get(corp_config).post(corp_config))
        .route_layer(from_fn_with_state(Arc::clone(engine), guard))
}

async fn guard(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    request: Request,
    next: Next,
) -> Response {
    let is_login = AppPath::parse(request.uri().path()).is_some_and(|path| Door::at(path.rest).is_some());
    let people = (is_login && login::is_read_by_people(request.headers())).then(|| request.headers().clone());
    let response = guarded(&engine, client, request, next).await.unwrap_or_else(IntoResponse::into_response);
    match (people, response.extensions().get::<Told>()) {
        (Some(headers), Some(told)) => login::error_page(told, response.status(), &headers),
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
    uri: Uri,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Error> {
    let door = AppPath::parse(uri.path()).and_then(|path| Door::at(path.rest)).ok_or(Error::NoSuchPath)?;
    if login::is_return(uri.query()) {
        return login::finish(&engine, &registered, door, &parameters, &headers, client).await;
    }
    login::begin(&engine, &registered, door, &parameters, &uri, &headers).map(IntoResponse::into_response)
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
