//! Login: one link, and the page that it names learns who the visitor is.
//!
//! * [`ask`]: what a link asks for;
//! * `round_trip`: the way to WeChat and back, sealed;
//! * `under_way`: one end for each return, however often the browser asks;
//! * `exchange`: asking WeChat who came back;
//! * `visitor`: what the backend gets to know, signed;
//! * [`problem`]: why a visitor did not get through.
//!
//! [`Login::begin`] keeps nothing and asks nobody. [`Login::finish`] may run on any node: it opens what `begin` sealed, spends it,
//! asks WeChat, and says where the browser goes. What must stay true: a visitor becomes only who WeChat says in this browser, now;
//! and a browser is led only where `call` may lead.

pub mod ask;
mod exchange;
pub mod problem;
mod round_trip;
mod under_way;
mod visitor;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};
use store::StoreError;
use tokio_util::sync::CancellationToken;
use url::Url;
use wechat::login::{Lang, UserAgent, authorize_url, corp_sso_url, qrconnect_url};

use self::ask::{Ask, AskProblem, Door, Via};
use self::exchange::identity;
use self::problem::LoginProblem;
use self::round_trip::RoundTrip;
pub use self::round_trip::{LIFETIME, Mark, mark_id};
use self::under_way::UnderWay;
pub use self::visitor::Verified;
use self::visitor::Visitor;
use crate::apps::{Registered, app_path};
use crate::backends::CallUrls;
use crate::credentials::Credentials;
use crate::foundation::Foundation;
use crate::upstream::Upstream;

/// How long a backend may take to ask for the visitor of a ticket.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(300);

/// The longest sealed round trip, in characters: it travels in a URL in a URL, and comes back in the head of a request.
const MAX_SEALED: usize = 8 * 1024;

/// The longest code, in bytes (WeCom's document: 512).
const MAX_CODE: usize = 512;

/// How long a spent round trip is remembered after its end: clocks of nodes differ.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// How often what is over is removed.
const CLEAN_EVERY: Duration = Duration::from_secs(600);

/// WeCom's login page for desktop browsers stands on a host of its own.
const CORP_LOGIN: &str = "https://login.work.weixin.qq.com";

/// Leads visitors to WeChat and back. Cheap to clone.
#[derive(Clone)]
pub struct Login(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    credentials: Credentials,
    upstream: Upstream,
    call_urls: Arc<CallUrls>,
    /// Logins that are being finished on this node.
    under_way: UnderWay,
}

impl Deref for Inner {
    type Target = Foundation;
    fn deref(&self) -> &Foundation {
        &self.foundation
    }
}

/// The first step of a login.
pub enum Begun {
    /// The browser goes to this page of WeChat's, and keeps a cookie.
    Lead {
        /// The page.
        url: String,
        /// The cookie.
        mark: Mark,
    },
    /// This browser cannot log in: a telephone with WeChat has to open the link.
    Scan,
}

/// Who opened a link, and under which address of this server.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// What kind of browser.
    pub user_agent: UserAgent,
    /// Scheme, host and port under which the browser knows this server, without `/` at the end.
    pub own: &'a str,
}

/// What a browser brought back from WeChat.
#[derive(Clone, Copy)]
pub struct Return<'a> {
    /// The sealed round trip.
    pub trip: &'a str,
    /// WeChat's code; `None`: the visitor said no.
    pub code: Option<&'a str>,
    /// WeChat brings back what it got.
    pub state: Option<&'a str>,
    /// The value of the browser's cookie for this round trip ([`mark_id`]).
    pub mark: Option<&'a str>,
}

/// Where the browser goes with what it got. No `Debug`: it holds who the visitor is.
#[derive(Clone, PartialEq, Eq)]
pub enum Lead {
    /// It posts this JSON body.
    Form {
        /// Where to.
        call: Url,
        /// Holds at least one `=`, and no line break.
        body: String,
    },
    /// It opens this address.
    Address(Url),
}

/// The end of a login.
#[derive(Clone, PartialEq, Eq)]
pub enum End {
    /// The page learns who the visitor is.
    Arrived(Lead),
    /// It does not.
    Failed {
        /// Why.
        problem: LoginProblem,
        /// The parameters with which the visitor can begin anew; empty: they are not known.
        again: Vec<(&'static str, String)>,
        /// How the page learns of the failure.
        back: Option<Lead>,
    },
}

impl Login {
    /// A login on this foundation.
    #[must_use]
    pub fn new(
        foundation: Arc<Foundation>,
        credentials: Credentials,
        upstream: Upstream,
        call_urls: Arc<CallUrls>,
    ) -> Self {
        Self(Arc::new(Inner { foundation, credentials, upstream, call_urls, under_way: UnderWay::default() }))
    }

    /// Begins a login. Asks nobody: neither the database nor WeChat.
    ///
    /// # Errors
    /// [`AskProblem`] when the link lacks what this browser needs.
    pub fn begin(
        &self,
        registered: &Registered,
        door: Door,
        ask: &Ask,
        visit: &Visit<'_>,
    ) -> Result<Begun, AskProblem> {
        if !door.is_corp() && registered.appid.is_surely_wecom() {
            return Err(AskProblem::Parameter(
                "this registration is a WeCom corporation's: use /qyauth instead of /auth",
            ));
        }
        let fits = door.fits(visit.user_agent);
        let website = if fits || door.is_corp() { None } else { identity(registered, true) };
        if !fits && !door.is_corp() && website.is_none() {
            return Ok(Begun::Scan);
        }
        if ask.agentid.is_none() && (door == Door::CorpInfo || (door == Door::Corp && !fits)) {
            return Err(AskProblem::Parameter(
                "agentid is missing: add &agentid=… to the link, or register it with /register?…&agentid=…",
            ));
        }
        let trip = RoundTrip::new(ask, website.is_some(), self.0.clock.now(), &*self.0.random);
        let key = &registered.app.key;
        let sealed = trip.seal(&self.0.store, key, door)?;
        if sealed.len() > MAX_SEALED {
            return Err(AskProblem::Parameter("call and state are too long together; keep the state at your server"));
        }
        let mut redirect_uri = String::with_capacity(visit.own.len() + key.len() + sealed.len() + 64);
        for piece in [visit.own, &app_path(key, door.path()), "?trip=", &sealed] {
            redirect_uri.push_str(piece);
        }
        let hosts = self.0.upstream.hosts();
        let (open, state, agentid) = (hosts.open.as_str(), trip.state_for_wechat(), ask.agentid.as_deref());
        let url = match (website, fits) {
            (Some((appid, _)), _) => qrconnect_url(open, &appid, &redirect_uri, &state),
            (None, false) => {
                let host = if hosts.has_stand_in() { open } else { CORP_LOGIN };
                corp_sso_url(host, &registered.appid, agentid.unwrap_or_default(), &redirect_uri, &state)
            }
            (None, true) => {
                let agentid = agentid.filter(|_| door.is_corp());
                authorize_url(open, &registered.appid, &redirect_uri, door.scope(), &state, agentid)
            }
        };
        Ok(Begun::Lead { url, mark: trip.mark() })
    }

    /// Ends a login: asks WeChat who came back. Also tells the language that the link asked for.
    pub async fn finish(&self, registered: &Arc<Registered>, door: Door, returned: Return<'_>) -> (End, Option<Lang>) {
        let Some(trip) = RoundTrip::open(&self.0.store, &registered.app.key, door, returned.trip) else {
            return (End::Failed { problem: LoginProblem::Altered, again: Vec::new(), back: None }, None);
        };
        let end = match self.arrive(registered, door, &trip, returned).await {
            Ok(lead) => End::Arrived(lead),
            Err(problem) => {
                tell(registered, &problem);
                let own = problem.lets_the_page_know();
                let back = if own { self.failure_lead(registered, &trip, &problem) } else { None };
                End::Failed { problem, again: trip.again(), back }
            }
        };
        (end, trip.lang())
    }

    async fn arrive(
        &self,
        registered: &Arc<Registered>,
        door: Door,
        trip: &RoundTrip,
        returned: Return<'_>,
    ) -> Result<Lead, LoginProblem> {
        if returned.state != Some(trip.state_for_wechat().as_str()) {
            return Err(LoginProblem::Altered);
        }
        if !returned.mark.is_some_and(|mark| trip.began_in(mark)) {
            return Err(LoginProblem::OtherBrowser);
        }
        self.0.call_urls.check_page(&trip.call, registered).map_err(|_| LoginProblem::NotAllowed)?;
        if trip.is_over(self.0.clock.now()) {
            return Err(LoginProblem::Expired);
        }
        let code = returned.code.ok_or(LoginProblem::Denied)?;
        if code.len() > MAX_CODE {
            return Err(LoginProblem::Altered);
        }
        let login = self.clone();
        let (registered, its) = (Arc::clone(registered), trip.clone());
        let work = |code: String| async move { login.conclude(&registered, door, &its, &code).await };
        self.0.under_way.join_or_start(trip.id, code, &self.0.tasks, work).await
    }

    /// Once a round trip, on whatever node.
    async fn conclude(
        &self,
        registered: &Arc<Registered>,
        door: Door,
        trip: &RoundTrip,
        code: &str,
    ) -> Result<Lead, LoginProblem> {
        match self.0.store.spend_round_trip(trip.id, trip.ends_at() + REMEMBERED).await {
            Ok(true) => {}
            Ok(false) => return Err(LoginProblem::Spent),
            Err(error) => return Err(not_ready(&error)),
        }
        let visitor = self.visitor(registered, door, trip, code).await?;
        let body = self.signed(registered, trip, visitor)?;
        match trip.via {
            Via::Form => Ok(Lead::Form { call: trip.call.clone(), body }),
            Via::Ticket => self.with_ticket(registered, trip, &body).await,
        }
    }

    fn signed(&self, registered: &Registered, trip: &RoundTrip, mut visitor: Visitor) -> Result<String, LoginProblem> {
        // The page for which it is signed: a body that another page got is worth nothing at this one.
        visitor.set("origin", trip.call.origin().ascii_serialization());
        let api_key = &registered.app.secrets.api_key;
        let body = visitor.signed(trip.state.as_deref(), api_key, self.0.clock.now(), &*self.0.random);
        body.ok_or_else(|| LoginProblem::Unreachable("WeChat answered with an id that cannot be signed".to_owned()))
    }

    async fn with_ticket(&self, registered: &Registered, trip: &RoundTrip, body: &str) -> Result<Lead, LoginProblem> {
        let mut ticket = [0; 32];
        self.0.random.fill(&mut ticket);
        let ticket = URL_SAFE_NO_PAD.encode(ticket);
        let ends_at = self.0.clock.now() + TICKET_LIFETIME;
        let kept = self.0.store.keep_login(ticket_hash(&ticket), &registered.app.key, body.as_bytes(), ends_at).await;
        kept.map_err(|error| not_ready(&error))?;
        Ok(with_pairs(trip, &[("ticket", &ticket)]))
    }

    fn failure_lead(&self, registered: &Registered, trip: &RoundTrip, problem: &LoginProblem) -> Option<Lead> {
        if trip.via == Via::Ticket {
            let pairs = [("error", problem.error()), ("error_description", &problem.to_string())];
            return Some(with_pairs(trip, &pairs));
        }
        let mut failure = Visitor::new();
        failure.set("error", problem.error());
        failure.set("error_description", problem.to_string());
        failure.set("appid", registered.appid.as_str());
        if let Some(errcode) = problem.errcode() {
            failure.set("errcode", errcode);
        }
        let body = self.signed(registered, trip, failure).ok()?;
        Some(Lead::Form { call: trip.call.clone(), body })
    }

    /// The JSON body of the visitor for whom this ticket stands, once.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn visitor_of(
        &self,
        registered: &Registered,
        ticket: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        self.0.store.take_login(ticket_hash(ticket), &registered.app.key, self.0.clock.now()).await
    }

    /// What a body tells that this server sent to a page of its own, at the address `own`.
    #[must_use]
    pub fn verified(&self, registered: &Registered, own: &str, body: &[u8]) -> Option<Verified> {
        let api_key = &registered.app.secrets.api_key;
        visitor::verified(body, (registered.appid.as_str(), own), api_key, self.0.clock.now())
    }

    /// Removes what is over, now and then, until `stop`.
    pub async fn clean(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(CLEAN_EVERY)).await.is_some() {
            if let Err(error) = self.0.store.remove_old_logins(self.0.clock.now()).await {
                tracing::warn!(%error, "logins that are over could not be removed; it is tried again");
            }
        }
    }
}

/// `call` with these parameters; what it has of their names itself is taken out.
fn with_pairs(trip: &RoundTrip, pairs: &[(&str, &str)]) -> Lead {
    const OURS: [&str; 4] = ["ticket", "state", "error", "error_description"];
    let mut url = trip.call.clone();
    if url.query_pairs().any(|(name, _)| OURS.contains(&&*name)) {
        let kept: Vec<_> = trip.call.query_pairs().filter(|(name, _)| !OURS.contains(&&**name)).collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    url.query_pairs_mut().extend_pairs(pairs).extend_pairs(trip.state.as_deref().map(|state| ("state", state)));
    Lead::Address(url)
}

/// The database knows tickets by this: who reads it cannot use them.
fn ticket_hash(ticket: &str) -> [u8; 16] {
    let mut hash = [0; 16];
    for (to, from) in hash.iter_mut().zip(Sha256::digest(ticket)) {
        *to = from;
    }
    hash
}

fn not_ready(error: &StoreError) -> LoginProblem {
    tracing::error!(%error, "a login cannot be finished");
    LoginProblem::NotReady
}

/// What an operator can do something about is said in the log; visitors who say no, or press Back, are not.
fn tell(registered: &Registered, problem: &LoginProblem) {
    let key = &registered.app.key;
    match problem {
        LoginProblem::Refused(error) => {
            let (errcode, errmsg, advice) = (error.errcode.0, &error.errmsg, error.errcode.advice());
            tracing::warn!(key, errcode, errmsg, advice, "WeChat refused a login");
        }
        LoginProblem::Unreachable(reason) => tracing::warn!(key, reason, "WeChat could not be asked about a login"),
        other => tracing::debug!(key, problem = %other, "a login did not get through"),
    }
}
