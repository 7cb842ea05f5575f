//! Who may do what: the server's mode, and a check for each audience. Every edge of the server asks here.
//!
//! * **Local** (bound to loopback, no public URL): everything is open, but only to requests that really are local.
//! * **Open** (`--open`): everything is open to whoever reaches the address.
//! * **Public**: operators need the admin token, a team's servers the api_key of their registration.
//!
//! What must stay true: a check that is not made here is not made anywhere; comparisons take constant time; a refusal
//! never says more than the caller knows already.

mod local;
mod presented;
mod rate;

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use store::Timestamp;
use subtle::ConstantTimeEq;

pub use self::presented::Presented;
use self::rate::FailureLimit;
use crate::apps::Registered;

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

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Local mode, and the request does not look local.
    #[error("this server is local, and {what}; to serve others start it with --public-url https://your.domain")]
    NotLocal {
        /// What gave it away.
        what: &'static str,
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
    #[error("this registration may not use {path}; an operator can allow it with /register?…&call={path}")]
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
    failures: FailureLimit,
}

impl Guard {
    /// A guard for this mode; `admin_token` as [`hash_admin_token`] made it.
    #[must_use]
    pub fn new(mode: Mode, admin_token: Option<[u8; 32]>) -> Self {
        Self { mode, admin_token, failures: FailureLimit::new() }
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Anybody who gets this far at all: in local mode, whoever is local.
    ///
    /// # Errors
    /// [`Denied::NotLocal`].
    pub fn anyone(&self, headers: &HeaderMap) -> Result<(), Denied> {
        match self.mode {
            Mode::Local => local::check(headers),
            Mode::Open | Mode::Public => Ok(()),
        }
    }

    /// An operator: `/register`, `/admin/…`, `/metrics`.
    ///
    /// # Errors
    /// [`Denied`] when the request is not from one.
    pub fn operator(&self, headers: &HeaderMap, client: IpAddr, now: Timestamp) -> Result<(), Denied> {
        self.anyone(headers)?;
        if self.mode != Mode::Public {
            return local::refuse_other_sites(headers);
        }
        // People choose admin tokens, so guessing them must be slow: also the right one waits.
        self.failures.check(client, now)?;
        let presented = Presented::read(headers).map(|presented| hash_admin_token(presented.password()));
        let right = match (&self.admin_token, &presented) {
            (Some(expected), Some(presented)) => bool::from(expected.ct_eq(presented)),
            _ => false,
        };
        if right {
            return Ok(());
        }
        if presented.is_some() {
            self.failures.count(client, now);
        }
        Err(Denied::NotOperator)
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
        headers: &HeaderMap,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<(), Denied> {
        self.anyone(headers)?;
        if self.mode == Mode::Public {
            self.api_key(registered, headers, client, now)?;
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
    pub fn would_admit_team(&self, registered: &Registered, path: &str, headers: &HeaderMap, now: Timestamp) -> bool {
        self.anyone(headers).is_ok()
            && (self.mode != Mode::Public || presents_api_key(registered, headers, now))
            && registered.may_use(path)
    }

    fn api_key(
        &self,
        registered: Option<&Registered>,
        headers: &HeaderMap,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<(), Denied> {
        // An api_key has 256 random bits and cannot be guessed: a right one is never held up by a neighbour's failures.
        if registered.is_some_and(|registered| presents_api_key(registered, headers, now)) {
            return Ok(());
        }
        self.failures.check(client, now)?;
        if Presented::read(headers).is_some() {
            self.failures.count(client, now);
        }
        Err(Denied::NotTheTeam)
    }
}

fn presents_api_key(registered: &Registered, headers: &HeaderMap, now: Timestamp) -> bool {
    Presented::read(headers).is_some_and(|presented| {
        presented.user().is_none_or(|user| user == registered.app.key)
            && registered.accepts_api_key(presented.password(), now)
    })
}

/// The form in which an admin token is kept.
#[must_use]
pub fn hash_admin_token(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret()).into()
}
