//! Answers that are ready in memory: `GET /app/KEY/api`, `/qyapi` and `/jsapi`, ahead of the router.
//!
//! This is what the product is asked all day. A hit takes no lock, asks no database and runs no router: one lookup of
//! the registration, the guard, one clone of prepared bytes. Everything else (cold, denied, malformed) is left to the
//! router, which answers it properly. What must stay true: the same guard as in `from_backends` is asked.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use engine::Engine;
use engine::apps::Wanted;
use engine::guard::Caller;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Request, Response};
use http_body_util::Full;
use prometheus_client::metrics::counter::Counter;

use crate::answer::{JSON, NO_STORE};
use crate::app_path::AppPath;
use crate::request_id::{REQUEST_ID, RequestId};

/// The hot path of one server.
pub(crate) struct ReadyAnswers {
    engine: Arc<Engine>,
    served: [(&'static str, Wanted, Counter); 3],
}

impl ReadyAnswers {
    /// The hot path of this engine.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let route = |path, wanted| (path, wanted, engine.metrics.requests(&format!("/app/{{key}}{path}"), 200));
        let served = [
            route("/api", Wanted::AccessToken),
            route("/qyapi", Wanted::WecomToken),
            route("/jsapi", Wanted::JsapiTicket),
        ];
        Self { engine, served }
    }

    /// The answer, if it is ready and the caller may have it.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        if request.method() != Method::GET {
            return None;
        }
        let path = AppPath::parse(request.uri().path())?;
        let (_, wanted, counter) = self.served.iter().find(|(served, ..)| *served == path.rest)?;
        // Nothing is counted here by address, so it need not be known.
        let caller = Caller::of(request, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let body = self.body(&path, *wanted, &caller)?;
        counter.inc();
        Some(response(body, RequestId::of(request.headers())))
    }

    fn body(&self, path: &AppPath<'_>, wanted: Wanted, caller: &Caller<'_>) -> Option<Bytes> {
        let engine = &*self.engine;
        let now = engine.clock.now();
        let registered = engine.directory.loaded(&path.key, now)?;
        // A refusal goes the long way: there it is counted and answered.
        if !engine.guard.would_admit_team(&registered, path.rest, caller, now) {
            return None;
        }
        registered.slot(wanted, &engine.slots).ready(now)
    }
}

fn response(body: Bytes, id: RequestId) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(REQUEST_ID, id.into_header());
    response
}
