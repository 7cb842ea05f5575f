//! WeChat: `/app/KEY/msg`, `/app/KEY/msg/json`, and WeChat Pay: `/pay/notify`, `/pay/refund/notify`. One layer finds the
//! registration; what proves that a request is WeChat's is its signature, which the engine checks before anything else happens.
//!
//! Also called by: whoever enters the callback URL in the account's console, and sees the text of an error there.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use engine::Engine;
use engine::apps::Registered;
use engine::guard::Caller;
use engine::intake::{IntakeError, Received, Reply};
use engine::messages::content_type_of;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use wechat::pay::NoticeKind;

use crate::answer::{Error, NO_STORE};
use crate::app_path::AppPath;
use crate::client_address::ClientAddress;
use crate::parameters::{Parameters, read};
use crate::payment;
use crate::registration;

/// The largest callback, in bytes. WeChat's have some KiB.
const MAX_BODY: usize = 1024 * 1024;

/// How long a callback's body may take to arrive: WeChat gives up after five seconds.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The routes of this audience.
pub(crate) fn routes(engine: &Arc<Engine>) -> Router<Arc<Engine>> {
    Router::new()
        .route("/app/{key}/msg", get(check_url).post(xml))
        .route("/app/{key}/msg/json", get(check_url).post(json))
        .route("/app/{key}/pay/notify", post(paid))
        .route("/app/{key}/pay/refund/notify", post(refunded))
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
    let caller = Caller::of(&request, client);
    let registered = registration::of_anyone(&engine, &path, &caller, client).await?;
    engine.guard.wechat(&registered, &rest, &caller)?;
    request.extensions_mut().insert(registered);
    Ok(next.run(request).await)
}

type App = Extension<Arc<Registered>>;

async fn check_url(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    request: Request,
) -> Result<Response, Error> {
    let received = received(&request, false, Bytes::new())?;
    let answer = engine.intake.check_url(&registered, received).await;
    let answer = answer.inspect_err(|error| refused(&engine, &registered, error))?;
    let content_type = http::HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(CONTENT_TYPE, content_type), (CACHE_CONTROL, NO_STORE)], answer).into_response())
}

async fn xml(State(engine): State<Arc<Engine>>, Extension(app): App, request: Request) -> Result<Response, Error> {
    receive(&engine, &app, false, request).await
}

async fn json(State(engine): State<Arc<Engine>>, Extension(app): App, request: Request) -> Result<Response, Error> {
    receive(&engine, &app, true, request).await
}

async fn receive(engine: &Engine, app: &Arc<Registered>, json: bool, request: Request) -> Result<Response, Error> {
    let mut received = received(&request, json, Bytes::new())?;
    let body = tokio::time::timeout(BODY_TIMEOUT, read(request.into_body(), MAX_BODY)).await;
    received.body = body.map_err(|_| Error::BadBody("the body did not arrive within 5 s; send it again"))??;
    let reply = engine.intake.receive(app, received).await.inspect_err(|error| refused(engine, app, error))?;
    let body = match reply {
        Reply::Success => Bytes::from_static(b"success"),
        Reply::Body(body) => body,
    };
    Ok(([(CONTENT_TYPE, content_type_of(&body)), (CACHE_CONTROL, NO_STORE)], body).into_response())
}

async fn paid(
    State(engine): State<Arc<Engine>>,
    Extension(app): App,
    client: ClientAddress,
    request: Request,
) -> Response {
    notified(&engine, &app, NoticeKind::Payment, client, request).await
}

async fn refunded(
    State(engine): State<Arc<Engine>>,
    Extension(app): App,
    client: ClientAddress,
    request: Request,
) -> Response {
    notified(&engine, &app, NoticeKind::Refund, client, request).await
}

/// Whatever becomes of it is said in the form that WeChat Pay reads.
async fn notified(
    engine: &Engine,
    app: &Arc<Registered>,
    kind: NoticeKind,
    ClientAddress(client): ClientAddress,
    request: Request,
) -> Response {
    let headers = request.headers().clone();
    let body = tokio::time::timeout(BODY_TIMEOUT, read(request.into_body(), MAX_BODY)).await;
    let body = body.unwrap_or(Err(Error::BadBody("the body did not arrive within 5 s; send it again")));
    payment::notices::answer(engine, app, kind, client, &headers, body).await
}

fn received(request: &Request, json: bool, body: Bytes) -> Result<Received, Error> {
    let Parameters(query) = Parameters::of_query(request.uri().query())?;
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let raw_query = request.uri().query().unwrap_or_default().to_owned();
    Ok(Received { json, raw_query, query, content_type, body })
}

/// The line that an operator looks for when WeChat's console says no. Strangers can cause it too, so not without end.
fn refused(engine: &Engine, registered: &Registered, error: &IntakeError) {
    let is_strangers = matches!(error, IntakeError::Refused(_));
    let left_out = if is_strangers { registered.refusals.admit(engine.clock.now()) } else { Some(0) };
    let Some(left_out) = left_out else { return };
    let (key, appid) = (&registered.app.key, &registered.app.appid);
    tracing::warn!(key, appid, %error, left_out, "a callback was not answered as WeChat expects");
}
