//! One server: built from a [`Config`], run on a listener until it is told to stop.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use engine::Engine;
use engine::clock::{Clock, SystemClock};
use engine::engine::Materials;
use engine::guard::{Guard, Mode, hash_admin_token};
use engine::random::{OsRandom, Random, secret_key};
use engine::upstream::{ClientError, Roots};
use secrecy::{ExposeSecret, SecretString};
use store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::config::Config;
use crate::config::master_key::{self, MasterKeyError};
use crate::connections::{self, Answering};
use crate::direct_calls::DirectCalls;
use crate::ready_answers::ReadyAnswers;
use crate::routes;
use crate::tls::{self, TlsError};

/// The setting under which the hash of a generated admin token is kept.
const ADMIN_TOKEN_SETTING: &str = "admin_token_sha256";

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The master key.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// Certificate or key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client for WeChat.
    #[error("the client for WeChat could not be set up: {0}")]
    Client(String),
}

/// A server that is ready to run.
pub struct Server {
    /// What it does.
    pub engine: Arc<Engine>,
    /// The admin token, if it was generated just now: to be shown once.
    pub new_admin_token: Option<SecretString>,
    tls: Option<TlsAcceptor>,
    public_url: Option<Url>,
}

impl Server {
    /// Opens the database and puts everything together. Nothing listens yet.
    ///
    /// # Errors
    /// [`StartError`]; nothing was overwritten then.
    pub async fn build(config: &Config) -> Result<Self, StartError> {
        Self::build_with(config, Arc::new(SystemClock)).await
    }

    /// As [`Server::build`], by another clock.
    ///
    /// # Errors
    /// [`StartError`]; nothing was overwritten then.
    pub async fn build_with(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let store = open_store(config).await?;
        let (admin_token, new_admin_token) = admin_token(config, &store).await?;
        let engine = engine(config, store, admin_token, clock)?;
        Ok(Self { engine, new_admin_token, tls, public_url: config.public_url.clone() })
    }

    /// The engine alone, for commands that serve nobody. It makes no admin token: that is for who can show it.
    ///
    /// # Errors
    /// [`StartError`]; nothing was overwritten then.
    pub async fn engine_only(config: &Config) -> Result<Arc<Engine>, StartError> {
        engine(config, open_store(config).await?, None, Arc::new(SystemClock))
    }

    /// Runs until `stop`, then finishes what is under way, within 10 seconds.
    ///
    /// # Errors
    /// When the database does not answer at the start.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<(), StoreError> {
        let Self { engine, tls, public_url, .. } = self;
        let is_told = public_url.is_some();
        if let Some(own) = public_url.or_else(|| own_address(&listener, tls.is_some())) {
            engine.call_urls.set_own(own, is_told);
        }
        engine.start_background(stop.clone()).await?;
        let answering = Answering {
            ready: ReadyAnswers::new(Arc::clone(&engine)),
            direct: Arc::new(DirectCalls::new(Arc::clone(&engine))),
            router: routes::router(&engine),
        };
        connections::serve(listener, tls, answering, stop).await;
        engine.finish().await;
        Ok(())
    }
}

/// What relative `call`s are relative to, when nobody said how the world sees this server.
fn own_address(listener: &TcpListener, tls: bool) -> Option<Url> {
    let mut address = listener.local_addr().ok()?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    Url::parse(&format!("{}://{address}", if tls { "https" } else { "http" })).ok()
}

async fn open_store(config: &Config) -> Result<Store, StartError> {
    let ring = master_key::read_or_make(&config.master_key, &config.database, &OsRandom)?;
    Ok(Store::open(&config.database, ring, SystemClock.now()).await?)
}

fn engine(
    config: &Config,
    store: Store,
    admin_token: Option<[u8; 32]>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Engine>, StartError> {
    let client = |error: ClientError| StartError::Client(error.to_string());
    let materials = Materials {
        store,
        hosts: config.hosts.clone(),
        roots: Roots::with(&config.trusted).map_err(client)?,
        guard: Guard::new(config.mode, admin_token),
        clock,
        random: Arc::new(OsRandom),
        retention: config.retention,
    };
    Engine::new(materials).map_err(client)
}

/// The hash of the admin token of a public server, and the token itself when it is new.
async fn admin_token(config: &Config, store: &Store) -> Result<(Option<[u8; 32]>, Option<SecretString>), StartError> {
    if let Some(given) = &config.admin_token {
        return Ok((Some(hash_admin_token(given.expose_secret())), None));
    }
    if config.mode != Mode::Public {
        return Ok((None, None));
    }
    if let Some(kept) = store.setting(ADMIN_TOKEN_SETTING).await? {
        return Ok((Some(kept_hash(&kept)?), None));
    }
    let random: &dyn Random = &OsRandom;
    let token = secret_key(random);
    let hash = hash_admin_token(token.expose_secret());
    if store.insert_setting(ADMIN_TOKEN_SETTING, &hex::encode(hash)).await? {
        return Ok((Some(hash), Some(token)));
    }
    // Another node started in the same moment and showed its own.
    let kept = store.setting(ADMIN_TOKEN_SETTING).await?.unwrap_or_default();
    Ok((Some(kept_hash(&kept)?), None))
}

fn kept_hash(text: &str) -> Result<[u8; 32], StoreError> {
    let bytes = hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| StoreError::Corrupt { what: format!("the setting {ADMIN_TOKEN_SETTING} is unreadable") })
}
