//! Answers that need nothing but memory: tokens and tickets that are ready (`GET /app/KEY/api`, `/qyapi`, `/jsapi`), the script
//! of `/js/config` while its ticket is good, and the redirect of a login link; ahead of the router.
//!
//! This is what the product is asked all day. A hit takes no lock, asks no database and runs no router: one lookup of
//! the registration, the guard, one answer. Everything else (cold, denied, malformed) is left to the router, which answers it
//! properly. What must stay true: the same guards as in `from_backends` and `from_visitors` are asked.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use engine::Engine;
use engine::apps::{Registered, Wanted};
use engine::guard::Caller;
use engine::login::ask::Door;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Request, Response, Uri};
use http_body_util::Full;
use prometheus_client::metrics::counter::Counter;
use store::Timestamp;

use crate::answer::{JSON, NO_STORE};
use crate::app_path::AppPath;
use crate::login::Begin;
use crate::parameters::Parameters;
use crate::request_id::{REQUEST_ID, RequestId};
use crate::{js_config, login};

/// The hot path of one server.
pub(crate) struct ReadyAnswers {
    engine: Arc<Engine>,
    served: [(&'static str, What, Counter); 9],
}

/// What is at a path.
#[derive(Clone, Copy)]
enum What {
    /// A token or ticket, for a team's servers.
    Credential(Wanted),
    /// The script of a page, for visitors; of WeCom.
    Script { is_corp: bool },
    /// A login link, for visitors.
    Login(Door),
}

impl ReadyAnswers {
    /// The hot path of this engine.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let route = |path, what, status| (path, what, engine.metrics.requests(&format!("/app/{{key}}{path}"), status));
        let login = |door: Door| route(door.path(), What::Login(door), 302);
        let served = [
            route("/api", What::Credential(Wanted::AccessToken), 200),
            route("/qyapi", What::Credential(Wanted::WecomToken), 200),
            route("/jsapi", What::Credential(Wanted::JsapiTicket), 200),
            route("/js/config", What::Script { is_corp: false }, 200),
            route("/qyjs/config", What::Script { is_corp: true }, 200),
            login(Door::Account),
            login(Door::AccountInfo),
            login(Door::Corp),
            login(Door::CorpInfo),
        ];
        Self { engine, served }
    }

    /// The answer, if it is ready and the caller may have it.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        if request.method() != Method::GET {
            return None;
        }
        let path = AppPath::parse(request.uri().path())?;
        let (_, what, counter) = self.served.iter().find(|(served, ..)| *served == path.rest)?;
        // Nothing is counted here by address, so it need not be known.
        let caller = Caller::of(request, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let now = self.engine.clock.now();
        let registered = self.engine.directory.loaded(&path.key, now)?;
        let response = match what {
            What::Credential(wanted) => self.credential(&registered, &path, *wanted, &caller, now),
            What::Script { is_corp } => self.script(&registered, &path, *is_corp, &caller, request.uri()),
            What::Login(door) => self.login(&registered, *door, &caller, request.uri()),
        };
        let mut response = response?.map(Full::new);
        counter.inc();
        response.headers_mut().insert(REQUEST_ID, RequestId::of(request.headers()).into_header());
        Some(response)
    }

    // A refusal goes the long way: there it is counted and answered.

    fn credential(
        &self,
        registered: &Registered,
        path: &AppPath<'_>,
        wanted: Wanted,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Option<Response<Bytes>> {
        if !self.engine.guard.would_admit_team(registered, path.rest, caller, now) {
            return None;
        }
        registered.slot(wanted, &self.engine.slots).ready(now).map(credential_response)
    }

    fn script(
        &self,
        registered: &Registered,
        path: &AppPath<'_>,
        is_corp: bool,
        caller: &Caller<'_>,
        uri: &Uri,
    ) -> Option<Response<Bytes>> {
        self.engine.guard.visitor(registered, path.rest, caller).ok()?;
        js_config::ready(&self.engine, registered, is_corp, uri, caller.headers)
    }

    fn login(
        &self,
        registered: &Arc<Registered>,
        door: Door,
        caller: &Caller<'_>,
        uri: &Uri,
    ) -> Option<Response<Bytes>> {
        self.engine.guard.visitor(registered, door.path(), caller).ok()?;
        if login::is_return(uri.query()) {
            return None;
        }
        let parameters = Parameters::of_query(uri.query()).ok()?;
        match login::begin(&self.engine, registered, door, &parameters, uri, caller.headers) {
            Ok(Begin::Redirect(response)) => Some(response),
            _ => None,
        }
    }
}

fn credential_response(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}
