//! A team's backend that does as it is told, over real HTTP, and remembers what it got.
//!
//! Paths are backends of their own: each is told what to do by itself, and untold it says `success`. A path's door can be
//! closed: then what arrives waits for its answer until the door is opened, so that a test need not guess times. The port
//! stays this backend's while it is down. It answers byte by byte itself, to break off wherever a test wants it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::eventually;

/// What a backend does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers with this status, `Content-Type` (`""`: none) and body.
    Say(u16, &'static str, Vec<u8>),
    /// Answers with a text that it makes of the request.
    Tell(fn(&Arrived) -> String),
    /// Does what it decides when it sees the request.
    Decide(fn(&Arrived) -> Does),
    /// Leads elsewhere, with this status.
    Redirect(u16, String),
    /// Closes the connection without a byte.
    Drop,
    /// Promises the whole of this text and closes in its middle.
    Half(String),
    /// Says the head and this text a byte at a time, with this pause after each, and never comes to the end that it promised.
    Trickle(String, Duration),
    /// Says these bytes, which need not be HTTP, and closes.
    Raw(Vec<u8>),
    /// Never answers.
    Hang,
    /// Does it later.
    After(Duration, Box<Does>),
}

impl Does {
    /// 200 with a plain text.
    pub(crate) fn text(body: &str) -> Self {
        Self::Say(200, "text/plain; charset=utf-8", body.into())
    }

    /// 200 with JSON.
    pub(crate) fn json(body: &Value) -> Self {
        Self::Say(200, "application/json", body.to_string().into())
    }

    /// 200 with XML.
    pub(crate) fn xml(body: &str) -> Self {
        Self::Say(200, "text/xml", body.into())
    }

    /// 200 without a body.
    pub(crate) fn nothing() -> Self {
        Self::Say(200, "", Vec::new())
    }

    /// A status with a line of text.
    pub(crate) fn status(status: u16) -> Self {
        Self::Say(status, "text/plain", b"no reply for anybody".to_vec())
    }

    /// The same, later.
    pub(crate) fn after(self, delay: Duration) -> Self {
        Self::After(delay, Box::new(self))
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) method: String,
    pub(crate) path: String,
    /// As it was sent.
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

impl Arrived {
    /// The parameters of the query, decoded, in their order.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The first parameter of this name; empty when there is none.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let found = self.parameters().into_iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value).unwrap_or_default()
    }

    /// Empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON arrived: {}", self.text()))
    }
}

#[derive(Default)]
struct State {
    arrived: Vec<Arrived>,
    next: HashMap<String, VecDeque<Does>>,
    always: HashMap<String, Does>,
}

/// The running backend. It stops when it is dropped.
pub(crate) struct Backend {
    pub(crate) url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    up: Mutex<Up>,
}

enum Up {
    /// It serves until this is cancelled.
    Yes(CancellationToken, TaskTracker),
    /// Its port is kept by a socket that does not listen: connections are refused.
    No(TcpSocket),
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    closed: watch::Sender<HashSet<String>>,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        let backend = Self::down_from_the_start().await;
        backend.come_up();
        backend
    }

    /// One that refuses connections until it comes up.
    pub(crate) async fn down_from_the_start() -> Self {
        let socket = reserve("127.0.0.1:0".parse().unwrap());
        let address = socket.local_addr().unwrap();
        let (url, up) = (format!("http://{address}"), Mutex::new(Up::No(socket)));
        Self { url, address, shared: Arc::default(), up }
    }

    /// The whole URL of a path.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The next request of this path gets this; several are given in their order.
    pub(crate) fn next(&self, path: &str, does: Does) {
        self.shared.state.lock().unwrap().next.entry(path.to_owned()).or_default().push_back(does);
    }

    /// Every request of this path gets this from now on.
    pub(crate) fn always(&self, path: &str, does: Does) {
        self.shared.state.lock().unwrap().always.insert(path.to_owned(), does);
    }

    /// Requests of this path wait from now on until the door is opened; they are counted when they arrive.
    pub(crate) fn close_the_door(&self, path: &str) {
        self.shared.closed.send_modify(|closed| {
            closed.insert(path.to_owned());
        });
    }

    pub(crate) fn open_the_door(&self, path: &str) {
        self.shared.closed.send_modify(|closed| {
            closed.remove(path);
        });
    }

    /// Accepts connections again, on the same port.
    pub(crate) fn come_up(&self) {
        let mut up = self.up.lock().unwrap();
        if let Up::Yes(..) = &*up {
            return;
        }
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let Up::No(socket) = std::mem::replace(&mut *up, Up::Yes(stop.clone(), tasks.clone())) else { return };
        let listener = socket.listen(1024).unwrap();
        tasks.spawn(Arc::clone(&self.shared).serve(listener, stop, tasks.clone()));
    }

    /// Breaks all connections and refuses new ones.
    pub(crate) async fn go_down(&self) {
        let (stop, tasks) = match &*self.up.lock().unwrap() {
            Up::Yes(stop, tasks) => (stop.clone(), tasks.clone()),
            Up::No(_) => return,
        };
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        *self.up.lock().unwrap() = Up::No(reserve(self.address));
    }

    /// The requests of this path in their order.
    pub(crate) fn arrived(&self, path: &str) -> Vec<Arrived> {
        let state = self.shared.state.lock().unwrap();
        state.arrived.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// The only request of this path, and there must be one.
    pub(crate) fn only(&self, path: &str) -> Arrived {
        let mut arrived = self.arrived(path);
        assert_eq!(arrived.len(), 1, "requests of {path}");
        arrived.remove(0)
    }

    /// How many requests of this path arrived.
    pub(crate) fn calls(&self, path: &str) -> usize {
        self.arrived(path).len()
    }

    /// How many requests arrived in all.
    pub(crate) fn all_calls(&self) -> usize {
        self.shared.state.lock().unwrap().arrived.len()
    }

    pub(crate) async fn has_received(&self, path: &str, calls: usize) {
        eventually(&format!("{calls} requests of {path}"), async || self.calls(path) >= calls).await;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Up::Yes(stop, _) = &*self.up.lock().unwrap() {
            stop.cancel();
        }
    }
}

fn reserve(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

impl Shared {
    async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken, tasks: TaskTracker) {
        while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
            let (serving, stopped) = (Arc::clone(&self), stop.clone());
            tasks.spawn(async move { stopped.run_until_cancelled(serving.connection(stream)).await });
        }
    }

    async fn connection(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream).await {
            let does = self.receive(request.clone());
            let mut closed = self.closed.subscribe();
            let _ = closed.wait_for(|closed| !closed.contains(&request.path)).await;
            if !answer(stream.get_mut(), &request, does).await {
                return;
            }
        }
    }

    fn receive(&self, request: Arrived) -> Does {
        let mut state = self.state.lock().unwrap();
        let next = state.next.get_mut(&request.path).and_then(VecDeque::pop_front);
        let does = next.or_else(|| state.always.get(&request.path).cloned());
        state.arrived.push(request);
        does.unwrap_or_else(|| Does::text("success"))
    }
}

/// False: the connection ends with this.
async fn answer(stream: &mut TcpStream, request: &Arrived, mut does: Does) -> bool {
    loop {
        does = match does {
            Does::After(delay, then) => {
                tokio::time::sleep(delay).await;
                *then
            }
            Does::Decide(decide) => decide(request),
            _ => break,
        };
    }
    let plain = "text/plain; charset=utf-8";
    match does {
        Does::Say(status, content_type, body) => say(stream, head(status, content_type, body.len()), &body).await,
        Does::Tell(tell) => {
            let body = tell(request).into_bytes();
            say(stream, head(200, plain, body.len()), &body).await
        }
        Does::Redirect(status, to) => {
            let head = format!("HTTP/1.1 {status} Told\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            say(stream, head, b"").await
        }
        Does::Half(body) => {
            let _ = say(stream, head(200, plain, body.len()), &body.as_bytes()[..body.len() / 2]).await;
            false
        }
        Does::Trickle(body, pause) => {
            let bytes = [head(200, plain, body.len() + 1).into_bytes(), body.into_bytes()].concat();
            trickle(stream, &bytes, pause).await;
            std::future::pending().await
        }
        Does::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            false
        }
        Does::Drop | Does::After(..) | Does::Decide(_) => false,
        Does::Hang => std::future::pending().await,
    }
}

async fn say(stream: &mut TcpStream, head: String, body: &[u8]) -> bool {
    stream.write_all(&[head.as_bytes(), body].concat()).await.is_ok()
}

async fn trickle(stream: &mut TcpStream, bytes: &[u8], pause: Duration) {
    for byte in bytes.chunks(1) {
        if stream.write_all(byte).await.is_err() {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}

fn head(status: u16, content_type: &str, length: usize) -> String {
    let content_type = match content_type {
        "" => String::new(),
        content_type => format!("content-type: {content_type}\r\n"),
    };
    format!("HTTP/1.1 {status} Told\r\n{content_type}content-length: {length}\r\n\r\n")
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Arrived> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let pairs = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers: HashMap<_, _> =
        pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Arrived { method, path, query, headers, body, at: Instant::now() })
}
