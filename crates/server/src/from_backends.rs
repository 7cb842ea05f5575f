//! Teams' own servers: `/app/KEY`, `/api`, `/qyapi`, `/jsapi`, `/js/card`.
//!
//! One layer guards them all: it finds the registration and checks the api_key (when public) and the scope. A handler
//! gets the registration only from that layer, so it cannot be reached without it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use engine::Engine;
use engine::apps::view::View;
use engine::apps::{Registered, Wanted};
use engine::guard::Caller;
use secrecy::SecretString;

use crate::answer::{Error, json_bytes, json_of};
use crate::app_path::AppPath;
use crate::client_address::ClientAddress;
use crate::parameters::Parameters;

/// The routes of this audience.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/app/{key}", get(show))
        .route("/app/{key}/api", get(access_token).post(access_token))
        .route("/app/{key}/api/new", get(new_access_token).post(new_access_token))
        .route("/app/{key}/qyapi", get(wecom_token).post(wecom_token))
        .route("/app/{key}/qyapi/new", get(new_wecom_token).post(new_wecom_token))
        .route("/app/{key}/jsapi", get(jsapi_ticket).post(jsapi_ticket))
        .route("/app/{key}/js/card", get(card_ticket).post(card_ticket))
        .route_layer(from_fn_with_state(Arc::clone(engine), guard))
}

async fn guard(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    let path = AppPath::parse(request.uri().path()).ok_or(Error::NoSuchPath)?;
    let rest = path.decoded_rest().ok_or(Error::NoSuchPath)?;
    let now = engine.clock.now();
    let caller = Caller::of(&request, client);
    // Before the database is asked: a stranger costs nothing.
    engine.guard.perhaps_team(&caller)?;
    let registered = engine.directory.find(&path.key, now).await?;
    engine.guard.team(registered.as_deref(), &rest, &caller, now)?;
    let registered = registered.ok_or_else(|| Error::UnknownKey(path.key.into_owned()))?;
    request.extensions_mut().insert(registered);
    Ok(next.run(request).await)
}

type Team = Extension<Arc<Registered>>;

async fn show(State(engine): State<Arc<Engine>>, Extension(registered): Team) -> Response {
    json_of(&View::of(&registered.app, engine.clock.now()))
}

async fn access_token(State(engine): State<Arc<Engine>>, Extension(registered): Team) -> Result<Response, Error> {
    current(&engine, &registered, Wanted::AccessToken).await
}

async fn wecom_token(State(engine): State<Arc<Engine>>, Extension(registered): Team) -> Result<Response, Error> {
    current(&engine, &registered, Wanted::WecomToken).await
}

async fn jsapi_ticket(State(engine): State<Arc<Engine>>, Extension(registered): Team) -> Result<Response, Error> {
    current(&engine, &registered, Wanted::JsapiTicket).await
}

async fn card_ticket(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Team,
    parameters: Parameters,
) -> Result<Response, Error> {
    if parameters.value("card_id").is_some() {
        return Err(Error::BadParameters(
            "card signatures (card_id) are not made by this version; leave card_id out to get the ticket".to_owned(),
        ));
    }
    current(&engine, &registered, Wanted::CardTicket).await
}

async fn new_access_token(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Team,
    parameters: Parameters,
) -> Result<Response, Error> {
    renewed(&engine, &registered, Wanted::AccessToken, &parameters).await
}

async fn new_wecom_token(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Team,
    parameters: Parameters,
) -> Result<Response, Error> {
    renewed(&engine, &registered, Wanted::WecomToken, &parameters).await
}

async fn current(engine: &Engine, registered: &Registered, wanted: Wanted) -> Result<Response, Error> {
    let slot = registered.slot(wanted, &engine.slots);
    if let Some(body) = slot.ready(engine.clock.now()) {
        return Ok(json_bytes(body));
    }
    engine.credentials.valid(slot).await?;
    ready(engine, registered, wanted)
}

/// `access_token=T`: only if T is still the current one. Without it: at most once in 30 seconds.
async fn renewed(
    engine: &Engine,
    registered: &Registered,
    wanted: Wanted,
    parameters: &Parameters,
) -> Result<Response, Error> {
    let slot = registered.slot(wanted, &engine.slots);
    match parameters.value("access_token") {
        Some(old) => engine.credentials.replacement(slot, SecretString::from(old)).await?,
        None => engine.credentials.forced(slot).await?,
    };
    ready(engine, registered, wanted)
}

fn ready(engine: &Engine, registered: &Registered, wanted: Wanted) -> Result<Response, Error> {
    let body = registered.slot(wanted, &engine.slots).ready(engine.clock.now());
    body.map(json_bytes)
        .ok_or_else(|| Error::TimedOut("WeChat's token was over before it could be answered".to_owned()))
}
