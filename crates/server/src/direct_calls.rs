//! Calls that surely go on to WeChat, ahead of the router: `/app/KEY/…` and, at the root, WeChat's best-known paths.
//!
//! The router, its layers and the span of a request cost as much as the call itself does here. What is not surely such a call is
//! left to the router, which has the same handlers. What must stay true: the same guards are asked, the same is counted, every
//! answer has its request id, and every wait inside has a limit of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use engine::Engine;
use http::{Method, Request};
use http_body_util::Either;
use prometheus_client::metrics::counter::Counter;

use crate::app_path::AppPath;
use crate::passthrough::CallAnswer;
use crate::request_id::{REQUEST_ID, RequestId};
use crate::{from_backends, from_sdks, passthrough};

/// Which way a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Below `/app/KEY`.
    App,
    /// At the root.
    Root,
}

/// The direct way of one server.
pub(crate) struct DirectCalls {
    engine: Arc<Engine>,
    /// Calls that were answered with HTTP status 200, as nearly all are.
    ok: [(Way, Counter); 2],
}

impl DirectCalls {
    /// The direct way to this engine.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let ok = [Way::App, Way::Root].map(|way| (way, engine.metrics.requests(way.route(), 200)));
        Self { engine, ok }
    }

    /// Answers a call that came in this way.
    pub(crate) async fn answer<B>(&self, way: Way, request: Request<B>, peer: SocketAddr) -> Response<CallAnswer>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let request = request.map(|body| if body.is_end_stream() { Body::empty() } else { Body::new(body) });
        let id = RequestId::of(request.headers());
        let method = request.method().clone();
        let answer = match way {
            Way::App => from_backends::call(&self.engine, request, peer).await,
            Way::Root => from_sdks::call(&self.engine, request, Some(peer)).await,
        };
        let mut response = match answer {
            Ok(response) => response,
            // Only what goes wrong is told in the log, so only then the request needs a name there.
            Err(error) => tracing::info_span!("request", id = %id, %method, route = way.route())
                .in_scope(|| error.into_response().map(Either::Right)),
        };
        self.count(way, response.status().as_u16());
        response.headers_mut().insert(REQUEST_ID, id.into_header());
        response
    }

    fn count(&self, way: Way, status: u16) {
        match self.ok.iter().find(|(known, _)| *known == way) {
            Some((_, ok)) if status == 200 => ok.inc(),
            _ => self.engine.metrics.requests(way.route(), status).inc(),
        };
    }
}

impl Way {
    /// The way of a request, if it surely is one of these calls.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let path = request.uri().path();
        if request.method() == Method::CONNECT {
            return None;
        }
        if let Some(path) = AppPath::parse(path) {
            return passthrough::is_surely_wechats(path.rest).then_some(Self::App);
        }
        from_sdks::is_well_known(path).then_some(Self::Root)
    }

    fn route(self) -> &'static str {
        match self {
            Self::App => from_backends::PASSED_ON,
            Self::Root => from_sdks::ROUTE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(target: &str) -> Option<Way> {
        Way::of(&Request::builder().uri(target).body(()).unwrap())
    }

    #[test]
    fn only_what_is_surely_wechats_goes_the_direct_way() {
        for target in
            ["/app/test/cgi-bin/user/info?openid=o", "/app/%E6%B5%8B/wxa/a/b", "/app/test/qyapi/cgi-bin/user/get"]
        {
            assert_eq!(way(target), Some(Way::App), "{target}");
        }
        for target in ["/cgi-bin/token", "/sns/userinfo?access_token=x", "/wxa/business/getuserphonenumber"] {
            assert_eq!(way(target), Some(Way::Root), "{target}");
        }
        for target in [
            "/app/test",
            "/app/test/api",
            "/app/test/api/new",
            "/app/test/js/config",
            "/app/test/login/decrypt",
            "/app/test//x",
            "/app/test/qyapi/new",
            "/app/test/../x/y",
            "/",
            "/cgi-bin",
            "/cgi-bin/",
            "/echo",
            "/admin/apps",
            "/other/path",
        ] {
            assert_eq!(way(target), None, "{target}");
        }
    }
}
