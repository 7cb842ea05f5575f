//! A server of the product inside the test: the real one, built from a configuration and run on a port of its own.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use engine::clock::{Clock, SystemClock};
use serde_json::Value;
use server::cli::Cli;
use server::{Config, Server};
use store::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::caller::{Caller, encoded};
use super::databases::Database;
use super::within;

/// The flags of a server, as somebody types them.
#[derive(Clone, Debug)]
pub(crate) struct Flags(pub(crate) Vec<String>);

/// The system's time and what the test has turned it forward by.
#[derive(Default)]
pub(crate) struct TurnedClock(AtomicU64);

impl TurnedClock {
    pub(crate) fn turn(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }
}

impl Clock for TurnedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now() + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// The admin token of public servers in tests.
pub(crate) const ADMIN: &str = "the-admin-token-of-the-tests";

impl Flags {
    /// On this database, with all of WeChat's hosts at `wechat`.
    pub(crate) fn new(database: &Database, wechat: &str) -> Self {
        let key = database.master_key().display().to_string();
        Self(Vec::new())
            .and("--listen", "127.0.0.1:0")
            .and("--database", &database.url)
            .and("--master-key", &key)
            .and("--api-url", wechat)
            .and("--qyapi-url", wechat)
            .and("--open-url", wechat)
            .and("--pay-url", wechat)
    }

    pub(crate) fn and(mut self, flag: &str, value: &str) -> Self {
        self.0.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// A flag without a value.
    pub(crate) fn with(mut self, flag: &str) -> Self {
        self.0.push(flag.to_owned());
        self
    }

    /// The same with another value.
    pub(crate) fn but(mut self, flag: &str, value: &str) -> Self {
        if let Some(place) = self.0.iter().position(|known| known == flag) {
            self.0.splice(place..place + 2, [flag.to_owned(), value.to_owned()]);
            return self;
        }
        self.and(flag, value)
    }

    pub(crate) fn public(self) -> Self {
        self.and("--public-url", "https://wx.example.com").and("--admin-token", ADMIN)
    }

    pub(crate) fn config(&self) -> Config {
        let cli = Cli::try_parse_from(std::iter::once("wechat-proxy").chain(self.0.iter().map(String::as_str)));
        Config::read(&cli.unwrap().options, &|_| None).unwrap()
    }
}

/// A running server. It stops when it is dropped.
pub(crate) struct Running {
    /// Somebody without credentials on the same machine.
    pub(crate) caller: Caller,
    pub(crate) url: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    pub(crate) async fn start(flags: &Flags) -> Self {
        let config = flags.config();
        let server = Server::build(&config).await.unwrap();
        Self::of(server, &config).await
    }

    /// By a clock that the test turns.
    pub(crate) async fn start_by(flags: &Flags, clock: Arc<TurnedClock>) -> Self {
        let config = flags.config();
        let server = Server::build_with(&config, clock).await.unwrap();
        Self::of(server, &config).await
    }

    async fn of(server: Server, config: &Config) -> Self {
        let listener = TcpListener::bind(config.listen).await.unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(server.run(listener, stop.clone()));
        tasks.close();
        Self { caller: Caller::of(&url), url, stop, tasks }
    }

    /// Stops it, and waits until everything has ended.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        within("a graceful stop", self.tasks.wait()).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Deref for Running {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// What operators and teams do, whoever the caller is.
impl Caller {
    /// Registers, and gives the whole answer, which must be a success.
    pub(crate) async fn register(&self, pairs: &[(&str, &str)]) -> Value {
        let answer = self.get(&format!("/register?{}", encoded(pairs))).await;
        assert_eq!((answer.status, &answer.json()["success"]), (200, &Value::Bool(true)), "{}", answer.text());
        answer.json()
    }

    /// Registers `key` without WeChat being asked, so that its tokens are cold; gives the api_key.
    pub(crate) async fn register_cold(&self, key: &str, extra: &[(&str, &str)]) -> String {
        let mut pairs = vec![("key", key), ("appid", "wx0123456789abcdef"), ("secret", SECRET), ("check", "false")];
        pairs.extend_from_slice(extra);
        let answer = self.register(&pairs).await;
        answer["api_key"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn token(&self, key: &str) -> String {
        self.get(&format!("/app/{key}/api")).await.token()
    }

    /// So many of the same request at once.
    pub(crate) async fn at_once(&self, times: usize, target: &str) -> Vec<super::caller::Answer> {
        futures::future::join_all((0..times).map(|_| self.get(target))).await
    }
}

/// The secret of accounts that only the fake WeChat knows.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A server on a new SQLite file, connected to `wechat`.
pub(crate) async fn local(wechat: &str) -> (Running, Database) {
    let database = Database::sqlite();
    let server = Running::start(&Flags::new(&database, wechat)).await;
    (server, database)
}

/// As `local`, public.
pub(crate) async fn public(wechat: &str) -> (Running, Database) {
    let database = Database::sqlite();
    let server = Running::start(&Flags::new(&database, wechat).public()).await;
    (server, database)
}

/// How long a request may take that must not wait for WeChat.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(2);
