//! A request that goes on to WeChat's API, whichever way it came in: below `/app/KEY` or at the root.
//!
//! What the proxy answers better itself, it does: tokens are never fetched from WeChat by a caller (that would end the
//! account's own), and tickets come from memory.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use engine::Engine;
use engine::apps::{Registered, Wanted};
use engine::consumers::Consumer;
use engine::guard::Denied;
use engine::passthrough::{ApiCall, PassError, PassedBody};
use http::header::TRANSFER_ENCODING;
use http::{HeaderName, HeaderValue};
use http_body_util::Either;
use secrecy::ExposeSecret;
use serde_json::json;
use wechat::api_path::ApiPath;
use wechat::calls::Host;

use crate::answer::{Error, json_bytes};
use crate::own_names::is_ours_below_app;
use crate::parameters::query_value;
use crate::sdk_tokens;

/// The largest head that is passed on, in bytes of its target and headers: as much as common servers read.
const MOST_HEAD: usize = 32 * 1024;

/// What goes to WeCom stands below this, under `/app/KEY` and in scopes.
const QYAPI: &str = "/qyapi";

/// Whether what follows `/app/KEY` surely is a path of WeChat's, without putting it in order.
pub(crate) fn is_surely_wechats(rest: &str) -> bool {
    let mut names = rest.strip_prefix('/').unwrap_or_default().splitn(4, '/');
    let mut is_name = || names.next().is_some_and(|name| !matches!(name, "" | "." | ".."));
    if let Some(below) = rest.strip_prefix("/qyapi/") {
        return below.contains('/') && is_name() && is_name() && is_name();
    }
    let first = rest.split('/').nth(1).unwrap_or_default();
    !is_ours_below_app(first) && is_name() && is_name()
}

/// Whose API a path below `/app/KEY` is, and which.
///
/// # Errors
/// When it is none of WeChat's: one name alone, or a path of our own that does not exist.
pub(crate) fn destination(registered: &Registered, below: ApiPath) -> Result<(Host, ApiPath), Error> {
    if let Some(path) = below.as_str().strip_prefix(QYAPI).filter(|path| path.starts_with('/')) {
        let path = ApiPath::parse(path)?;
        return if path.has_several_names() { Ok((Host::Qyapi, path)) } else { Err(Error::NoSuchPath) };
    }
    if is_ours_below_app(below.first_segment()) || !below.has_several_names() {
        return Err(Error::NoSuchPath);
    }
    // A WeCom corporation's, if its id says so.
    let host = if registered.appid.is_surely_wecom() { Host::Qyapi } else { Host::Api };
    Ok((host, below))
}

/// Whether the registration may use this API: its `call` names paths below `/app/KEY`.
///
/// # Errors
/// [`Denied::OutOfScope`].
pub(crate) fn check_scope(consumer: &Consumer, path: &ApiPath) -> Result<(), Error> {
    let registered = &consumer.registered;
    let below_qyapi = || format!("{QYAPI}{path}");
    let may = match consumer.host {
        Host::Api => registered.may_use(path.as_str()),
        Host::Qyapi => registered.may_use(&below_qyapi()) || registered.may_use(path.as_str()),
    };
    if may { Ok(()) } else { Err(Denied::OutOfScope { path: path.to_string() }.into()) }
}

/// The body of an answer: WeChat's, or the proxy's own.
pub(crate) type CallAnswer = Either<PassedBody, Body>;

/// The answer to somebody who may call this API.
///
/// # Errors
/// What the proxy cannot answer, or get answered.
pub(crate) async fn answer(
    engine: &Arc<Engine>,
    consumer: &Consumer,
    path: &ApiPath,
    request: Request,
) -> Result<Response<CallAnswer>, Error> {
    if sdk_tokens::is_token_path(path) {
        return Ok(sdk_tokens::for_consumer(engine, consumer, path, request).await?.map(Either::Right));
    }
    if let Some(wanted) = ticket(path, request.uri().query().unwrap_or_default()) {
        return Ok(ticket_answer(engine, &consumer.registered, wanted).await?.map(Either::Right));
    }
    let answer = carry(engine, Some(&consumer.registered), consumer.host, path, request).await?;
    Ok(answer.map(Either::Left))
}

/// Passes a request on and its answer back.
///
/// # Errors
/// When WeChat gave no whole answer, or there is no token to ask it with.
pub(crate) async fn carry(
    engine: &Engine,
    registered: Option<&Arc<Registered>>,
    host: Host,
    path: &ApiPath,
    request: Request,
) -> Result<Response<PassedBody>, Error> {
    let (parts, body) = request.into_parts();
    if parts.headers.get(TRANSFER_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(Error::BadBody("the body has a Transfer-Encoding besides chunked; send it as it is"));
    }
    let of_header = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    let head = parts.uri.query().map_or(0, str::len) + parts.headers.iter().map(of_header).sum::<usize>();
    if head > MOST_HEAD {
        return Err(Error::HeadTooLarge { limit: MOST_HEAD });
    }
    let body = engine.passthrough.take(body, parts.version).await.map_err(PassError::Caller)?;
    let query = parts.uri.query().unwrap_or_default();
    let call = ApiCall { registered, host, method: parts.method, path, query, headers: parts.headers, body };
    Ok(engine.passthrough.carry(call).await?)
}

/// Which ticket a call asks for: `getTicket` of official accounts, and WeCom's two.
fn ticket(path: &ApiPath, query: &str) -> Option<Wanted> {
    let kind = || query_value(query, "type");
    match path.as_str() {
        "/cgi-bin/ticket/getticket" => match kind()?.as_str() {
            "jsapi" => Some(Wanted::JsapiTicket),
            "wx_card" => Some(Wanted::CardTicket),
            _ => None,
        },
        "/cgi-bin/get_jsapi_ticket" => Some(Wanted::CorpTicket),
        "/cgi-bin/ticket/get" => (kind()? == "agent_config").then_some(Wanted::AgentTicket),
        _ => None,
    }
}

async fn ticket_answer(engine: &Engine, registered: &Registered, wanted: Wanted) -> Result<Response, Error> {
    let slot = registered.slot(wanted, &engine.slots);
    let current = engine.credentials.valid(slot).await?;
    let expires_in = current.expires_in(engine.clock.now()).unwrap_or(0);
    let ticket = current.value.expose_secret();
    let body = json!({"errcode": 0, "errmsg": "ok", "ticket": ticket, "expires_in": expires_in});
    Ok(json_bytes(Bytes::from(body.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ApiPath {
        ApiPath::parse(text).unwrap()
    }

    #[test]
    fn tickets_are_known_by_path_and_type() {
        assert_eq!(ticket(&path("/cgi-bin/ticket/getticket"), "access_token=T&type=jsapi"), Some(Wanted::JsapiTicket));
        assert_eq!(ticket(&path("/cgi-bin/ticket/getticket"), "type=wx_card"), Some(Wanted::CardTicket));
        assert_eq!(ticket(&path("/cgi-bin/ticket/getticket"), "type=other"), None);
        assert_eq!(ticket(&path("/cgi-bin/get_jsapi_ticket"), ""), Some(Wanted::CorpTicket));
        assert_eq!(ticket(&path("/cgi-bin/ticket/get"), "type=agent_config"), Some(Wanted::AgentTicket));
        assert_eq!(ticket(&path("/cgi-bin/user/info"), "type=jsapi"), None);
    }
}
