//! Teams' own servers: `/app/KEY`, `/api`, `/qyapi`, `/jsapi`, `/qyjsapi`, `/js/card`, `/auth/user`,
//! `/qyauth/user`, `/login` with `/decrypt`, `/pay` with `/query`, `/close`, `/refund`, `/refund/query`; and every path of
//! WeChat's API.
//!
//! One layer guards them all: it finds the registration and checks the api_key (when public) and the scope. A handler
//! gets the registration only from that layer, so it cannot be reached without it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, get};
use bytes::Bytes;
use engine::Engine;
use engine::apps::view::View;
use engine::apps::{Registered, Wanted};
use engine::consumers::Consumer;
use engine::guard::{Caller, Denied};
use engine::jssdk::cards::CardAsk;
use http::Method;
use http::request::Parts;
use secrecy::SecretString;
use wechat::api_path::ApiPath;

use crate::answer::{Error, json_bytes, json_of};
use crate::app_path::AppPath;
use crate::client_address;
use crate::parameters::Parameters;
use crate::passthrough::CallAnswer;
use crate::{mini_program, passthrough, payment};

/// The routes of this audience.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/app/{key}", get(show))
        .route("/app/{key}/api", get(access_token).post(access_token))
        .route("/app/{key}/api/new", get(new_access_token).post(new_access_token))
        .route("/app/{key}/qyapi", get(wecom_token).post(wecom_token))
        .route("/app/{key}/qyapi/new", get(new_wecom_token).post(new_wecom_token))
        .route("/app/{key}/jsapi", get(jsapi_ticket).post(jsapi_ticket))
        .route("/app/{key}/qyjsapi", get(corp_ticket).post(corp_ticket))
        .route("/app/{key}/js/card", get(card).post(card))
        .route("/app/{key}/auth/user", get(visitor).post(visitor))
        .route("/app/{key}/qyauth/user", get(visitor).post(visitor))
        .route("/app/{key}/pay", get(payment::order).post(payment::order))
        .route("/app/{key}/pay/query", get(payment::query).post(payment::query))
        .route("/app/{key}/pay/close", get(payment::close).post(payment::close))
        .route("/app/{key}/pay/refund", get(payment::refund).post(payment::refund))
        .route("/app/{key}/pay/refund/query", get(payment::query_refund).post(payment::query_refund))
        .route("/app/{key}/login", get(mini_program::login).post(mini_program::login))
        .route("/app/{key}/login/decrypt", get(mini_program::decrypt).post(mini_program::decrypt))
        .route(PASSED_ON, any(routed_call))
        .route_layer(from_fn_with_state(Arc::clone(engine), guard))
}

/// What is none of our own paths is WeChat's.
pub(crate) const PASSED_ON: &str = "/app/{key}/{*path}";

async fn guard(State(engine): State<Arc<Engine>>, request: Request, next: Next) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let (registered, below) = admitted(&engine, &head, client_address::peer(&head.extensions)).await?;
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(registered);
    if let Some(below) = below {
        request.extensions_mut().insert(below);
    }
    Ok(next.run(request).await)
}

/// The registration that is called, and the path below it, if the caller may use both.
async fn admitted(
    engine: &Engine,
    head: &Parts,
    peer: Option<SocketAddr>,
) -> Result<(Arc<Registered>, Option<ApiPath>), Error> {
    let client = client_address::of(&head.headers, peer);
    let path = AppPath::parse(head.uri.path()).ok_or(Error::NoSuchPath)?;
    // In its normal form, so that what is allowed is what is done.
    let below = if path.rest.is_empty() { None } else { Some(ApiPath::parse(path.rest)?) };
    let rest = below.as_ref().map_or("", ApiPath::as_str);
    let now = engine.clock.now();
    let caller = Caller::of_head(head, client);
    let registered = match engine.directory.loaded(&path.key, now) {
        Some(registered) => Some(registered),
        None => {
            // Before the database is asked: a stranger costs nothing.
            engine.guard.perhaps_team(&caller)?;
            engine.directory.find(&path.key, now).await?
        }
    };
    engine.guard.team(registered.as_deref(), rest, &caller, now)?;
    let registered = registered.ok_or_else(|| Error::UnknownKey(path.key.into_owned()))?;
    Ok((registered, below))
}

/// A call that goes on to WeChat, ahead of the router.
///
/// # Errors
/// When the caller may not make it, or WeChat gave no whole answer.
pub(crate) async fn call(
    engine: &Arc<Engine>,
    request: Request,
    peer: SocketAddr,
) -> Result<Response<CallAnswer>, Error> {
    let (head, body) = request.into_parts();
    let (registered, below) = admitted(engine, &head, Some(peer)).await?;
    pass_on(engine, registered, below.ok_or(Error::NoSuchPath)?, Request::from_parts(head, body)).await
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

/// A WeCom corporation's, if its id says so.
async fn jsapi_ticket(State(engine): State<Arc<Engine>>, Extension(registered): Team) -> Result<Response, Error> {
    let is_corp = registered.appid.is_surely_wecom();
    current(&engine, &registered, if is_corp { Wanted::CorpTicket } else { Wanted::JsapiTicket }).await
}

async fn corp_ticket(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Team,
    parameters: Parameters,
) -> Result<Response, Error> {
    let wanted = match parameters.value("type") {
        None | Some("jsapi") => Wanted::CorpTicket,
        Some("agent_config") => Wanted::AgentTicket,
        Some(_) => {
            return Err(Error::BadParameters("type is jsapi (the default) or agent_config".to_owned()));
        }
    };
    current(&engine, &registered, wanted).await
}

async fn routed_call(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Team,
    Extension(below): Extension<ApiPath>,
    request: Request,
) -> Result<Response, Error> {
    Ok(pass_on(&engine, registered, below, request).await?.map(Body::new))
}

async fn pass_on(
    engine: &Arc<Engine>,
    registered: Arc<Registered>,
    below: ApiPath,
    request: Request,
) -> Result<Response<CallAnswer>, Error> {
    let (host, path) = passthrough::destination(&registered, below)?;
    // It answers the session_key, which goes to nobody else, also where no api_key is asked for.
    let tells_session_key = path.folded() == "/sns/jscode2session";
    if tells_session_key && !engine.guard.shows_api_key(&registered, request.headers(), engine.clock.now()) {
        return Err(Denied::NotTheTeam.into());
    }
    passthrough::answer(engine, &Consumer { registered, host }, &path, request).await
}

/// The ticket; with `card_id`, signatures for that card.
async fn card(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Team,
    parameters: Parameters,
) -> Result<Response, Error> {
    let Some(card_id) = parameters.value("card_id") else {
        return current(&engine, &registered, Wanted::CardTicket).await;
    };
    let begin = parameters.value("fixed_begintimestamp").map(str::parse).transpose();
    let begin = begin.map_err(|_| Error::BadParameters("fixed_begintimestamp is Unix seconds".to_owned()))?;
    let ask = CardAsk {
        card_id,
        code: parameters.value("code"),
        openid: parameters.value("openid"),
        outer_str: parameters.value("outer_str"),
        fixed_begintimestamp: begin,
        location_id: parameters.value("location_id").or(parameters.value("shopId")),
        card_type: parameters.value("card_type").or(parameters.value("cardType")),
    };
    Ok(json_of(&engine.jssdk.card(&registered, &ask).await?))
}

/// Who the visitor is that came with a ticket. Once.
async fn visitor(
    State(engine): State<Arc<Engine>>,
    Extension(registered): Team,
    method: Method,
    parameters: Parameters,
) -> Result<Response, Error> {
    if method == Method::HEAD {
        // Who only looks must not use the ticket up.
        return Err(Error::WrongMethod);
    }
    let missing = || Error::BadParameters("ticket is missing: it came to your page as ?ticket=…".to_owned());
    let ticket = parameters.value("ticket").ok_or_else(missing)?;
    let visitor = engine.login.visitor_of(&registered, ticket).await?.ok_or(Error::UnknownTicket)?;
    Ok(json_bytes(Bytes::copy_from_slice(&visitor)))
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
