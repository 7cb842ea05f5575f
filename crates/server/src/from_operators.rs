//! Operators: `/register`, `/admin/…`, `/metrics`. One layer asks for the admin token (when public).

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use engine::Engine;
use engine::apps::Registration;
use engine::apps::view::View;
use engine::guard::Caller;
use engine::payment::records::{MOST_REFUSED, OrderRecord};
use engine::quota::circuit::Open;
use engine::records::Record;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Value, json};
use store::Timestamp;

use crate::answer::{Error, json_of};
use crate::client_address::ClientAddress;
use crate::message_filter::{self, MessagePage};
use crate::parameters::Parameters;
use crate::payment::order_filter::{self, OrderPage};

/// How many registrations one page of the list holds, unless `limit` says less.
const PAGE: u64 = 500;

/// How many refused notifications are listed, unless `limit` says otherwise.
const REFUSED_PAGE: u64 = 50;

/// How many days and lines of usage are told.
const MOST_USAGE_DAYS: i64 = 100;
const USAGE_PAGE: i64 = 1000;
const MOST_USAGE: i64 = 10_000;

/// The routes of this audience.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/register", get(register).post(register))
        .route("/admin/apps", get(list))
        .route("/admin/apps/{key}", get(show).delete(remove))
        .route("/admin/messages", get(list_messages))
        .route("/admin/messages/{id}", get(show_message))
        .route("/admin/messages/{id}/replay", post(replay_message))
        .route("/admin/orders", get(list_orders))
        .route("/admin/orders/{id}", get(show_order))
        .route("/admin/pay/refused", get(list_refused_notices))
        .route("/admin/apps/{key}/tokens", delete(revoke_tokens))
        .route("/admin/usage", get(usage))
        .route("/metrics", get(metrics))
        .route_layer(from_fn_with_state(Arc::clone(engine), guard))
}

async fn guard(
    State(engine): State<Arc<Engine>>,
    ClientAddress(client): ClientAddress,
    request: Request,
    next: Next,
) -> Result<Response, Error> {
    engine.guard.operator(&Caller::of(&request, client), engine.clock.now())?;
    Ok(next.run(request).await)
}

/// The name in `/admin/apps/KEY`. One that is no UTF-8 after percent-decoding names nothing.
struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(key)| Self(key)).map_err(|_| Error::NoSuchPath)
    }
}

async fn register(State(engine): State<Arc<Engine>>, parameters: Parameters) -> Result<Response, Error> {
    let registration = Registration::parse(&parameters.0)?;
    let receipt = engine.registrar.register(&registration).await?;
    tracing::info!(key = receipt.key, appid = %registration.appid, created = receipt.created, "registered");
    let api_key = receipt.api_key.as_ref().map(ExposeSecret::expose_secret);
    Ok(json_of(&Registered { success: true, key: &receipt.key, api_key }))
}

/// The answer to `/register`.
#[derive(Serialize)]
struct Registered<'a> {
    success: bool,
    key: &'a str,
    /// Only when it is new: this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
}

/// `{"apps":[…],"next":KEY}`: `next` is there when more follow; give it as `after`.
async fn list(State(engine): State<Arc<Engine>>, parameters: Parameters) -> Result<Response, Error> {
    let limit = match parameters.value("limit").map(str::parse) {
        None => PAGE,
        Some(Ok(limit @ 1..=PAGE)) => limit,
        Some(_) => return Err(Error::BadParameters(format!("limit is a number from 1 to {PAGE}"))),
    };
    let apps = engine.registrar.list(parameters.value("after"), limit).await?;
    let now = engine.clock.now();
    let is_full = u64::try_from(apps.len()).is_ok_and(|count| count == limit);
    let next = apps.last().filter(|_| is_full).map(|app| app.key.as_str());
    let views: Vec<View<'_>> = apps.iter().map(|app| View::of(app, now)).collect();
    Ok(json_of(&json!({"apps": views, "next": next})))
}

async fn show(State(engine): State<Arc<Engine>>, Name(key): Name) -> Result<Response, Error> {
    let now = engine.clock.now();
    let registered = engine.directory.find(&key, now).await?.ok_or(Error::UnknownKey(key))?;
    Ok(json_of(&View::of(&registered.app, now)))
}

async fn remove(State(engine): State<Arc<Engine>>, Name(key): Name) -> Result<Response, Error> {
    if !engine.registrar.remove(&key).await? {
        return Err(Error::UnknownKey(key));
    }
    tracing::info!(key, "registration removed");
    Ok(json_of(&json!({"success": true, "key": key})))
}

/// SDKs fetch new ones; the account's own token stays.
async fn revoke_tokens(State(engine): State<Arc<Engine>>, Name(key): Name) -> Result<Response, Error> {
    if !engine.registrar.revoke_tokens(&key).await? {
        return Err(Error::UnknownKey(key));
    }
    tracing::info!(key, "virtual tokens revoked");
    Ok(json_of(&json!({"success": true, "key": key})))
}

/// `{"usage":[…],"held_back":[…]}`: calls of WeChat's API by day, registration and API, on all nodes; and the APIs whose quota
/// is used up, as far as this node knows. `key=`, `days=` (1: today), `limit=`.
async fn usage(State(engine): State<Arc<Engine>>, parameters: Parameters) -> Result<Response, Error> {
    let number = |name: &str, most: i64, default: i64| match parameters.value(name).map(str::parse) {
        None => Ok(default),
        Some(Ok(number)) if (1..=most).contains(&number) => Ok(number),
        Some(_) => Err(Error::BadParameters(format!("{name} is a number from 1 to {most}"))),
    };
    let days = number("days", MOST_USAGE_DAYS, 1)?;
    let limit = u64::try_from(number("limit", MOST_USAGE, USAGE_PAGE)?).unwrap_or(0);
    let lines = engine.usage.lines(days, parameters.value("key"), limit).await?;
    let now = engine.clock.now();
    let held_back: Vec<_> = engine.circuits.open(now).iter().map(|open| held_back(open, now)).collect();
    Ok(json_of(&json!({"usage": lines, "held_back": held_back})))
}

fn held_back(open: &Open, now: Timestamp) -> Value {
    json!({
        "account": open.account,
        "api": open.api,
        "errcode": open.error.errcode,
        "errmsg": open.error.errmsg,
        "for_seconds": open.until.since(now).as_secs(),
        "advice": open.error.errcode.advice(),
    })
}

/// `{"messages":[…],"next":ID}`: `next` is there when more may follow; give it as `after`.
async fn list_messages(State(engine): State<Arc<Engine>>, parameters: Parameters) -> Result<Response, Error> {
    let page = MessagePage::read(|name| parameters.value(name).map(str::to_owned)).map_err(Error::BadParameters)?;
    let records = engine.records.list(&page.filter, page.after, page.limit).await?;
    let records = records.ok_or(Error::UnknownMessage)?;
    let is_full = u64::try_from(records.len()).is_ok_and(|count| count == page.limit);
    let next = records.last().filter(|_| is_full).map(Record::id);
    Ok(json_of(&MessageList { messages: &records, next }))
}

#[derive(Serialize)]
struct MessageList<'a> {
    messages: &'a [Record],
    next: Option<&'a str>,
}

async fn show_message(State(engine): State<Arc<Engine>>, Name(id): Name) -> Result<Response, Error> {
    let id = message_filter::id(&id).map_err(Error::BadParameters)?;
    let record = engine.records.show(id).await?.ok_or(Error::UnknownMessage)?;
    Ok(json_of(&record))
}

/// `backend=N` (from 0): only to this one.
async fn replay_message(
    State(engine): State<Arc<Engine>>,
    Name(id): Name,
    parameters: Parameters,
) -> Result<Response, Error> {
    let id = message_filter::id(&id).map_err(Error::BadParameters)?;
    let backend = match parameters.value("backend").map(str::parse) {
        None => None,
        Some(Ok(backend)) => Some(backend),
        Some(Err(_)) => return Err(Error::BadParameters("backend is the number of a call, from 0".to_owned())),
    };
    if !engine.records.replay(id, backend).await? {
        return Err(Error::UnknownMessage);
    }
    tracing::info!(%id, "a message is replayed");
    Ok(json_of(&json!({"success": true, "id": id.to_string()})))
}

/// `{"orders":[…],"next":ID}`: `next` is there when more may follow; give it as `after`.
async fn list_orders(State(engine): State<Arc<Engine>>, parameters: Parameters) -> Result<Response, Error> {
    let page = OrderPage::read(|name| parameters.value(name).map(str::to_owned)).map_err(Error::BadParameters)?;
    let orders = engine.payment.orders(&page.filter, page.after, page.limit).await?.ok_or(Error::UnknownOrder)?;
    let is_full = u64::try_from(orders.len()).is_ok_and(|count| count == page.limit);
    let next = orders.last().filter(|_| is_full).map(OrderRecord::id);
    Ok(json_of(&json!({"orders": orders, "next": next})))
}

/// By its id (`ord_…`) or its out_trade_no.
async fn show_order(State(engine): State<Arc<Engine>>, Name(id): Name) -> Result<Response, Error> {
    let id = match order_filter::id(&id) {
        Ok(id) => id,
        Err(_) => engine.payment.find(&id).await?.ok_or(Error::UnknownOrder)?,
    };
    let record = engine.payment.show(id).await?.ok_or(Error::UnknownOrder)?;
    Ok(json_of(&record))
}

/// `{"refused":[…]}`: the newest notifications of WeChat Pay that were not believed, or did not fit; `key=`, `limit=`.
async fn list_refused_notices(State(engine): State<Arc<Engine>>, parameters: Parameters) -> Result<Response, Error> {
    let limit = match parameters.value("limit").map(str::parse) {
        None => REFUSED_PAGE,
        Some(Ok(limit @ 1..=MOST_REFUSED)) => limit,
        Some(_) => return Err(Error::BadParameters(format!("limit is a number from 1 to {MOST_REFUSED}"))),
    };
    let refused = engine.payment.refused_notices(parameters.value("key"), limit).await?;
    Ok(json_of(&json!({"refused": refused})))
}

async fn metrics(State(engine): State<Arc<Engine>>) -> Result<Response, Error> {
    let text = engine.metrics.encode().map_err(|_| Error::Internal("the metrics could not be written"))?;
    Ok(([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}
