//! Who may do what: the server's mode, and a check for each audience. Every edge of the server asks here.
//!
//! * **Local** (bound to loopback, no public URL): everything is open, but only to requests that really are local.
//! * **Open** (`--open`): everything is open to whoever reaches the address.
//! * **Public**: operators need the admin token, a team's servers the api_key of their registration.
//!
//! What must stay true: a check that is not made here is not made anywhere; comparisons take constant time; a refusal
//! never says more than the caller knows already.

mod local;
mod other_site;
mod presented;
mod rate;

use std::net::IpAddr;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Request, Version};
use sha2::{Digest, Sha256};
use store::Timestamp;
use subtle::ConstantTimeEq;

pub use self::presented::Presented;
use self::rate::Limit;
use crate::apps::Registered;

/// So many wrong credentials of one client are let through in a minute.
const FAILURES_A_MINUTE: u32 = 20;

/// So many unknown names are looked up for one client in a minute.
const GUESSES_A_MINUTE: u32 = 300;

/// So many codes that WeChat refuses may one client bring in a minute. Whole cities share an address.
const BAD_CODES_A_MINUTE: u32 = 600;

/// So many QR codes are drawn, and files that prove a domain looked for, for one client in a minute.
const COSTLY_A_MINUTE: u32 = 300;

/// Who is let in, as the operator chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Loopback only.
    Local,
    /// A trusted network, no keys.
    Open,
    /// The world, with keys.
    Public,
}

/// What the guard looks at in a request.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its HTTP version.
    pub version: Version,
    /// The host in its target: HTTP/2's `:authority`, HTTP/1.1's absolute form.
    pub authority: Option<&'a str>,
    /// The client's address.
    pub address: IpAddr,
}

impl<'a> Caller<'a> {
    /// Who sent this request, from this address.
    #[must_use]
    pub fn of<B>(request: &'a Request<B>, address: IpAddr) -> Self {
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        Self { headers: request.headers(), version: request.version(), authority, address }
    }

    /// Who sent a request with this head, from this address.
    #[must_use]
    pub fn of_head(head: &'a Parts, address: IpAddr) -> Self {
        let authority = head.uri.authority().map(http::uri::Authority::as_str);
        Self { headers: &head.headers, version: head.version, authority, address }
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Local mode, and the request does not look local.
    #[error("this server is local, and {what}; to serve others start it with --public-url https://your.domain")]
    NotLocal {
        /// What gave it away.
        what: &'static str,
    },
    /// A browser sent it on behalf of a page of another site.
    #[error("a page of another site sent this request; open the address yourself, or call it from a program")]
    OtherSite,
    /// Too much of what costs much.
    #[error("too many requests from this address; try again in {} s", retry_in.as_secs())]
    TooManyRequests {
        /// When the next one is let through.
        retry_in: Duration,
    },
    /// No admin token, or a wrong one.
    #[error(
        "the admin token is needed: 'Authorization: Bearer TOKEN', or HTTP Basic with the token as password \
         (it was printed at the first public start, or is what --admin-token says)"
    )]
    NotOperator,
    /// No api_key, or a wrong one.
    #[error(
        "the api_key of this registration is needed: 'Authorization: Bearer API_KEY', or HTTP Basic with the key as \
         user and the api_key as password (/register told it once; &rotate=api_key makes a new one)"
    )]
    NotTheTeam,
    /// The registration's `call` does not cover the path.
    #[error(
        "this registration may not use {path}; an operator can allow it with /register?…&call={path} (give its other \
         call= again beside it: what is given replaces what was)"
    )]
    OutOfScope {
        /// The path below `/app/KEY`.
        path: String,
    },
    /// Too many wrong tries.
    #[error("too many wrong credentials from this address; try again in {} s", retry_in.as_secs())]
    TooManyFailures {
        /// When the next try is let through.
        retry_in: Duration,
    },
}

/// The guard of one server.
pub struct Guard {
    mode: Mode,
    /// SHA-256 of the admin token; `None`: there is none, nobody is the operator of a public server.
    admin_token: Option<[u8; 32]>,
    failures: Limit,
    costly: Limit,
    guesses: Limit,
    bad_codes: Limit,
}

/// What is counted only when it turns out to be bad, so that nobody is held up by what good neighbours do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubtful {
    /// A name that may not be registered.
    Name,
    /// A code of WeChat's that may be none.
    Code,
    /// A token of WeChat's that may be none, and is looked for in the database.
    Token,
}

impl Guard {
    /// A guard for this mode; `admin_token` as [`hash_admin_token`] made it.
    #[must_use]
    pub fn new(mode: Mode, admin_token: Option<[u8; 32]>) -> Self {
        Self {
            mode,
            admin_token,
            failures: Limit::of(FAILURES_A_MINUTE),
            costly: Limit::of(COSTLY_A_MINUTE),
            guesses: Limit::of(GUESSES_A_MINUTE),
            bad_codes: Limit::of(BAD_CODES_A_MINUTE),
        }
    }

    /// How the server is run.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// WeChat on a path of a registration: what it sends is checked by its signature, later. No browser sends it, so a page
    /// that does is none of WeChat's.
    ///
    /// # Errors
    /// [`Denied::NotLocal`], [`Denied::OtherSite`], [`Denied::OutOfScope`].
    pub fn wechat(&self, registered: &Registered, path: &str, caller: &Caller<'_>) -> Result<(), Denied> {
        self.program(caller)?;
        if registered.may_use(path) { Ok(()) } else { Err(Denied::OutOfScope { path: path.to_owned() }) }
    }

    /// A visitor's browser on a path of a registration. It comes from pages of other sites: that is what links are for.
    ///
    /// # Errors
    /// [`Denied::NotLocal`], [`Denied::OutOfScope`].
    pub fn visitor(&self, registered: &Registered, path: &str, caller: &Caller<'_>) -> Result<(), Denied> {
        self.anyone(caller)?;
        if registered.may_use(path) { Ok(()) } else { Err(Denied::OutOfScope { path: path.to_owned() }) }
    }

    /// Anybody, for something that is counted only when it turns out bad ([`Guard::turned_out_bad`]).
    ///
    /// # Errors
    /// [`Denied::TooManyRequests`], only in public mode.
    pub fn may_try(&self, what: Doubtful, address: IpAddr, now: Timestamp) -> Result<(), Denied> {
        if self.mode != Mode::Public {
            return Ok(());
        }
        self.limit(what).check(address, now).map_err(|retry_in| Denied::TooManyRequests { retry_in })
    }

    /// Counts what turned out bad.
    pub fn turned_out_bad(&self, what: Doubtful, address: IpAddr, now: Timestamp) {
        if self.mode == Mode::Public {
            self.limit(what).count(address, now);
        }
    }

    fn limit(&self, what: Doubtful) -> &Limit {
        match what {
            Doubtful::Name | Doubtful::Token => &self.guesses,
            Doubtful::Code => &self.bad_codes,
        }
    }

    /// Anybody who gets this far at all: in local mode, whoever is local.
    ///
    /// # Errors
    /// [`Denied::NotLocal`].
    pub fn anyone(&self, caller: &Caller<'_>) -> Result<(), Denied> {
        match self.mode {
            Mode::Local => local::check(caller),
            Mode::Open | Mode::Public => Ok(()),
        }
    }

    /// Anybody, for something that costs much to answer.
    ///
    /// # Errors
    /// [`Denied::TooManyRequests`], only in public mode.
    pub fn costly(&self, address: IpAddr, now: Timestamp) -> Result<(), Denied> {
        if self.mode != Mode::Public {
            return Ok(());
        }
        self.costly.check(address, now).map_err(|retry_in| Denied::TooManyRequests { retry_in })?;
        self.costly.count(address, now);
        Ok(())
    }

    /// An operator: `/register`, `/admin/…`, `/metrics`.
    ///
    /// # Errors
    /// [`Denied`] when the request is not from one.
    pub fn operator(&self, caller: &Caller<'_>, now: Timestamp) -> Result<(), Denied> {
        self.program(caller)?;
        if self.mode != Mode::Public {
            return Ok(());
        }
        let presented = Presented::read(caller.headers);
        let presented = presented.map(|presented| hash_admin_token(presented.password()));
        let right = match (&self.admin_token, &presented) {
            (Some(expected), Some(presented)) => bool::from(expected.ct_eq(presented)),
            _ => false,
        };
        // Whoever knows the token is never held up by the failures of a neighbour behind the same address.
        if right {
            return Ok(());
        }
        self.check_failures(caller, now)?;
        if presented.is_some() {
            self.failures.count(caller.address, now);
        }
        Err(Denied::NotOperator)
    }

    /// An SDK at WeChat's own paths: who it is shows later, in WeChat's way. No page of another site is one.
    ///
    /// # Errors
    /// [`Denied::NotLocal`], [`Denied::OtherSite`].
    pub fn sdk(&self, caller: &Caller<'_>) -> Result<(), Denied> {
        self.program(caller)
    }

    /// Whoever is let in at all, and is no page of another site in somebody's browser.
    fn program(&self, caller: &Caller<'_>) -> Result<(), Denied> {
        self.anyone(caller)?;
        other_site::refuse(caller.headers, self.mode)
    }

    /// Counts a wrong secret of an SDK; a right one is never held up.
    ///
    /// # Errors
    /// [`Denied`] when there were too many, only in public mode.
    pub fn wrong_secret(&self, address: IpAddr, now: Timestamp) -> Result<(), Denied> {
        if self.mode != Mode::Public {
            return Ok(());
        }
        self.failures.check(address, now).map_err(|retry_in| Denied::TooManyFailures { retry_in })?;
        self.failures.count(address, now);
        Ok(())
    }

    /// Whoever may turn out to be a team's own server: everybody who presents something.
    ///
    /// # Errors
    /// [`Denied`] when it is surely none.
    pub fn perhaps_team(&self, caller: &Caller<'_>) -> Result<(), Denied> {
        self.program(caller)?;
        if self.mode == Mode::Public && Presented::read(caller.headers).is_none() {
            return Err(Denied::NotTheTeam);
        }
        Ok(())
    }

    /// A team's own server on a path of its registration. `None`: there is no such registration; who has no
    /// credentials for it learns no more than from a wrong api_key.
    ///
    /// # Errors
    /// [`Denied`] when it may not.
    pub fn team(
        &self,
        registered: Option<&Registered>,
        path: &str,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Result<(), Denied> {
        self.program(caller)?;
        if self.mode == Mode::Public {
            self.api_key(registered, caller, now)?;
        }
        match registered {
            // The registration itself may always be looked at.
            Some(registered) if !path.is_empty() && !registered.may_use(path) => {
                Err(Denied::OutOfScope { path: path.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Whether [`Guard::team`] would let this request in. Counts nothing: a caller that is told no asks `team`, which does.
    #[must_use]
    pub fn would_admit_team(&self, registered: &Registered, path: &str, caller: &Caller<'_>, now: Timestamp) -> bool {
        self.anyone(caller).is_ok()
            && other_site::refuse(caller.headers, self.mode).is_ok()
            && (self.mode != Mode::Public || presents_api_key(registered, caller.headers, now))
            && registered.may_use(path)
    }

    /// Whether this request shows the registration's api_key: also where none is asked for.
    #[must_use]
    pub fn shows_api_key(&self, registered: &Registered, headers: &HeaderMap, now: Timestamp) -> bool {
        presents_api_key(registered, headers, now)
    }

    fn api_key(&self, registered: Option<&Registered>, caller: &Caller<'_>, now: Timestamp) -> Result<(), Denied> {
        // An api_key has 256 random bits and cannot be guessed: a right one is never held up by a neighbour's failures.
        if registered.is_some_and(|registered| presents_api_key(registered, caller.headers, now)) {
            return Ok(());
        }
        self.check_failures(caller, now)?;
        if Presented::read(caller.headers).is_some() {
            self.failures.count(caller.address, now);
        }
        Err(Denied::NotTheTeam)
    }

    fn check_failures(&self, caller: &Caller<'_>, now: Timestamp) -> Result<(), Denied> {
        self.failures.check(caller.address, now).map_err(|retry_in| Denied::TooManyFailures { retry_in })
    }
}

fn presents_api_key(registered: &Registered, headers: &HeaderMap, now: Timestamp) -> bool {
    let presented = Presented::read(headers);
    let api_key = presented.as_ref().and_then(|presented| presented.password_of(&registered.app.key));
    api_key.is_some_and(|api_key| registered.accepts_api_key(api_key, now))
}

/// Whether the host of a URL is a name of this machine (IPv6 in brackets).
pub(crate) fn is_loopback_host(host: &str) -> bool {
    local::is_loopback(local::strip_port(host))
}

/// The form in which an admin token is kept.
#[must_use]
pub fn hash_admin_token(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
