//! A running sandbox, and a small HTTP client that shows what a connection did.

use std::net::SocketAddr;
use std::time::Duration;

use sandbox::{Account, AccountKind, NewAccount, Platform};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Longer than anything here takes; a test that reaches it has failed.
const TOO_LONG: Duration = Duration::from_secs(20);

/// A running sandbox with a clock that stands still.
pub(crate) struct Sandbox {
    pub(crate) address: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) platform: Platform,
    stop: oneshot::Sender<()>,
    tasks: TaskTracker,
}

impl Sandbox {
    pub(crate) async fn start() -> Sandbox {
        let sandbox = Sandbox::start_with(Platform::new()).await;
        sandbox.control("POST", "/sandbox/clock", &json!({ "pace": "stepped" })).await.ok();
        sandbox
    }

    pub(crate) async fn start_with(platform: Platform) -> Sandbox {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let with_tls = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let tls = with_tls.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let tasks = TaskTracker::new();
        tasks.spawn(platform.clone().serve_with_tls(listener, with_tls, async move {
            stopped.await.ok();
        }));
        Sandbox { address, tls, platform, stop, tasks }
    }

    /// Stops it and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("a running sandbox");
        self.tasks.close();
        within(self.tasks.wait()).await;
    }

    pub(crate) fn account(&self, kind: AccountKind) -> Account {
        self.platform.create_account(NewAccount::of(kind)).expect("an account")
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection { stream: TcpStream::connect(self.address).await.expect("a connection"), host: "localhost".into() }
    }

    pub(crate) async fn send(&self, method: &str, target: &str, body: &str) -> Answer {
        let mut connection = self.connect().await;
        connection.send(method, target, &[], body).await;
        connection.answer().await.expect("an answer")
    }

    /// An API call that is answered in JSON.
    pub(crate) async fn get(&self, target: &str) -> Value {
        self.send("GET", target, "").await.json()
    }

    pub(crate) async fn post(&self, target: &str, body: &Value) -> Value {
        self.send("POST", target, &body.to_string()).await.json()
    }

    pub(crate) async fn control(&self, method: &str, target: &str, body: &Value) -> Answer {
        self.send(method, target, &body.to_string()).await
    }

    pub(crate) async fn advance(&self, secs: u64) {
        self.control("POST", "/sandbox/clock", &json!({ "advance": secs })).await.ok();
    }

    pub(crate) async fn fault(&self, fault: &Value) -> Value {
        let answer = self.control("POST", "/sandbox/faults", fault).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.json()
    }

    pub(crate) async fn count(&self, query: &str) -> u64 {
        self.get(&format!("/sandbox/calls/count{query}")).await["count"].as_u64().expect("a count")
    }

    pub(crate) async fn last_call(&self) -> Value {
        self.get("/sandbox/calls?limit=1").await["calls"][0].clone()
    }

    pub(crate) async fn classic(&self, account: &Account) -> Value {
        self.get(&classic_target(account)).await
    }

    pub(crate) async fn stable(&self, account: &Account, force: bool) -> Value {
        let Account { appid, secret, .. } = account;
        let body = json!({
            "grant_type": "client_credential", "appid": appid, "secret": secret, "force_refresh": force,
        });
        self.post("/cgi-bin/stable_token", &body).await
    }

    /// What an API says to a token: 0 when it is good.
    pub(crate) async fn judge(&self, token: &str) -> i64 {
        errcode(&self.get(&format!("/cgi-bin/getcallbackip?access_token={token}")).await)
    }
}

pub(crate) fn classic_target(account: &Account) -> String {
    let Account { appid, secret, .. } = account;
    format!("/cgi-bin/token?grant_type=client_credential&appid={appid}&secret={secret}")
}

pub(crate) fn errcode(answer: &Value) -> i64 {
    answer["errcode"].as_i64().unwrap_or(0)
}

pub(crate) fn token(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap_or_else(|| panic!("no access_token in {answer}")).to_owned()
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn ok(&self) {
        assert_eq!(self.status, 200, "{}", self.body);
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// One connection to the sandbox.
pub(crate) struct Connection {
    stream: TcpStream,
    host: String,
}

impl Connection {
    pub(crate) fn named(mut self, host: &str) -> Connection {
        self.host = host.to_owned();
        self
    }

    pub(crate) async fn send(&mut self, method: &str, target: &str, headers: &[&str], body: &str) {
        let extra: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let (host, length) = (&self.host, body.len());
        let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n{extra}\r\n");
        // The other side may answer and close before it has everything; the answer tells then.
        self.stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
    }

    /// A request with any bytes.
    pub(crate) async fn send_bytes(&mut self, method: &str, target: &str, body: &[u8]) {
        let (host, length) = (&self.host, body.len());
        let head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n\r\n");
        self.stream.write_all(&[head.as_bytes(), body].concat()).await.ok();
    }

    /// Everything until the other side closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        // A reset after the last byte is an end as well.
        within(self.stream.read_to_end(&mut received)).await.ok();
        received
    }

    /// One answer of known length; `None` when the connection ends before.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let head = self.head().await?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        within(self.stream.read_exact(&mut body)).await.ok()?;
        Some(Answer { status, head, body: String::from_utf8(body).ok()? })
    }

    /// The head of an answer.
    pub(crate) async fn head(&mut self) -> Option<String> {
        self.until("\r\n\r\n").await
    }

    /// Text up to and with an end mark.
    pub(crate) async fn until(&mut self, end: &str) -> Option<String> {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            text.push(within(self.stream.read_u8()).await.ok()?);
        }
        String::from_utf8(text).ok()
    }

    /// Whether there is nothing to read at the moment.
    pub(crate) fn is_silent(&self) -> bool {
        let tried = self.stream.try_read(&mut [0; 1]);
        tried.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// The stream of `/sandbox/events`.
pub(crate) struct Events(Connection);

impl Events {
    pub(crate) async fn listen(sandbox: &Sandbox) -> Events {
        let mut connection = sandbox.connect().await;
        connection.send("GET", "/sandbox/events", &[], "").await;
        let head = connection.head().await.expect("a head");
        assert!(head.contains("text/event-stream"), "{head}");
        Events(connection)
    }

    /// The next event of a kind.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        self.0.until(&format!("event: {kind}\ndata: ")).await.expect("an event");
        let data = self.0.until("\n").await.expect("its data");
        serde_json::from_str(&data).expect("JSON")
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TOO_LONG, future).await.expect("it took too long")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
