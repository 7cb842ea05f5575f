//! What every request through the router gets: an id, a time limit, a place in the metrics, a line in the log.
//!
//! The log names the route, never the path or the query: these hold keys and secrets.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::Engine;
use tracing::Instrument;

use crate::answer::Error;
use crate::request_id::{REQUEST_ID, RequestId};
use crate::{from_backends, from_sdks};

/// Longer than any wait inside: a request that takes longer hangs on the client's own body.
const LIMIT: Duration = Duration::from_secs(40);

/// The outermost layer of the router.
pub(crate) async fn layer(State(engine): State<Arc<Engine>>, request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", id = %id, %method, route);
    let is_passed_on = route == from_backends::PASSED_ON || route == from_sdks::ROUTE;
    // What passes on to WeChat may be long: it goes on as long as it moves, and each wait inside has a limit.
    let limit = if is_passed_on { Duration::MAX } else { LIMIT };
    let answer = tokio::time::timeout(limit, next.run(request)).instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|_| {
        span.in_scope(|| {
            Error::TimedOut("the request took too long to arrive or to be answered".to_owned()).into_response()
        })
    });
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, "answered"));
    engine.metrics.requests(&route, status).inc();
    response.headers_mut().insert(REQUEST_ID, id.into_header());
    response
}
