//! SDKs, at the root: WeChat's own interface. `/cgi-bin/token`, `/cgi-bin/stable_token`, `/cgi-bin/gettoken`, `/sns/…`,
//! `/wxa/…` and every other path of WeChat's API that is none of the proxy's.
//!
//! Who calls shows it as WeChat wants it: appid and secret (or api_key), or the token that was got with them. A visitor's web
//! token is WeChat's to judge. What must stay true: without one of these nothing goes to WeChat; the guard is asked first.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use engine::Engine;
use engine::consumers::{Consumer, UnknownConsumer};
use engine::guard::{Caller, Doubtful};
use engine::passthrough::{Needs, Refused};
use http::Method;
use http_body_util::Either;
use secrecy::SecretString;
use wechat::api_path::ApiPath;
use wechat::calls::Host;

use crate::answer::Error;
use crate::client_address;
use crate::own_names::is_ours_at_root;
use crate::parameters::query_value;
use crate::passthrough::{CallAnswer, answer, carry, check_scope};
use crate::sdk_tokens;

/// The first names of WeChat's paths that SDKs call most: who forgets the token there is told so as WeChat does.
const WELL_KNOWN: [&str; 9] =
    ["card", "cgi-bin", "customservice", "datacube", "semantic", "shakearound", "sns", "wxa", "wxaapi"];

/// The routes of this audience.
pub(crate) fn routes() -> Router<Arc<Engine>> {
    Router::new().route(ROUTE, any(routed_call))
}

/// Everything at the root that has two names or more.
pub(crate) const ROUTE: &str = "/{file}/{*path}";

/// Whether a path surely is one of WeChat's that SDKs call most.
pub(crate) fn is_well_known(path: &str) -> bool {
    let mut names = path.strip_prefix('/').unwrap_or_default().splitn(3, '/');
    let is_known = names.next().is_some_and(|first| WELL_KNOWN.contains(&first));
    is_known && names.next().is_some_and(|second| !second.is_empty() && second != "..")
}

async fn routed_call(State(engine): State<Arc<Engine>>, request: Request) -> Result<Response, Error> {
    let peer = client_address::peer(request.extensions());
    Ok(call(&engine, request, peer).await?.map(Body::new))
}

/// A call of an SDK.
///
/// # Errors
/// When nobody is known by what it shows, the path is not for it, or WeChat gave no whole answer.
pub(crate) async fn call(
    engine: &Arc<Engine>,
    request: Request,
    peer: Option<SocketAddr>,
) -> Result<Response<CallAnswer>, Error> {
    let client = client_address::of(request.headers(), peer);
    engine.guard.sdk(&Caller::of(&request, client))?;
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    if is_ours_at_root(first) {
        return Err(Error::NoSuchPath);
    }
    let path = ApiPath::parse(request.uri().path())?;
    if is_ours_at_root(path.first_segment()) || !path.has_several_names() {
        return Err(Error::NoSuchPath);
    }
    if sdk_tokens::is_token_path(&path) {
        return Ok(sdk_tokens::for_secret(engine, &path, client, request).await?.map(Either::Right));
    }
    let query = request.uri().query().unwrap_or_default();
    if is_visitors(&path, request.method()) {
        return for_visitor(engine, &path, client, request).await;
    }
    let consumer = match Needs::of(&path.folded(), query) {
        Needs::AccessToken => by_token(engine, &path, query, client).await?,
        Needs::AppSecret { secret } => by_secret(engine, query, secret, client).await?,
        Needs::Appid | Needs::Nothing => return Err(UnknownConsumer::missing_token().into()),
    };
    check_scope(&consumer, &path)?;
    answer(engine, &consumer, &path, request).await
}

async fn by_token(engine: &Engine, path: &ApiPath, query: &str, client: IpAddr) -> Result<Consumer, Error> {
    let Some(token) = query_value(query, "access_token") else {
        let is_well_known = WELL_KNOWN.contains(&path.first_segment());
        return Err(if is_well_known { UnknownConsumer::missing_token().into() } else { Error::NoSuchPath });
    };
    let now = engine.clock.now();
    let may_look = || engine.guard.may_try(Doubtful::Token, client, now);
    let known = engine.consumers.by_token(&token, || may_look().is_ok()).await;
    match known {
        Err(UnknownConsumer::TooMany) => may_look()?,
        Err(UnknownConsumer::Refused(_)) => engine.guard.turned_out_bad(Doubtful::Token, client, now),
        _ => {}
    }
    Ok(known?)
}

async fn by_secret(engine: &Engine, query: &str, secret: &str, client: IpAddr) -> Result<Consumer, Error> {
    let appid = query_value(query, "appid").unwrap_or_default();
    let secret = SecretString::from(query_value(query, secret).unwrap_or_default());
    sdk_tokens::known_by_secret(engine, Host::Api, client, &appid, &secret).await
}

/// The calls for which a visitor's own token is enough.
fn is_visitors(path: &ApiPath, method: &Method) -> bool {
    const PATHS: [&str; 3] = ["/sns/userinfo", "/sns/auth", "/sns/oauth2/refresh_token"];
    *method == Method::GET && PATHS.contains(&path.as_str())
}

/// The visitor's own token is in the query, and WeChat judges it. Bad ones are counted, so that nobody tries them out through
/// here; one of ours is none of a visitor's.
async fn for_visitor(
    engine: &Engine,
    path: &ApiPath,
    client: IpAddr,
    request: Request,
) -> Result<Response<CallAnswer>, Error> {
    let query = request.uri().query().unwrap_or_default();
    if query_value(query, "access_token").is_some_and(|token| engine.consumers.gave(&token)) {
        return Err(UnknownConsumer::invalid_token().into());
    }
    let request = request.map(|_| Body::empty());
    let now = engine.clock.now();
    engine.guard.may_try(Doubtful::Code, client, now)?;
    let response = carry(engine, None, Host::Api, path, request).await?;
    if response.extensions().get::<Refused>().is_some() {
        engine.guard.turned_out_bad(Doubtful::Code, client, now);
    }
    Ok(response.map(Either::Left))
}
