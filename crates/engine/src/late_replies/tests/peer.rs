//! Somebody at the other end of real HTTP, a backend or WeChat, that does as it is told and remembers what came.
//!
//! For the tests of this part and of those below it. The port stays the peer's while it is down.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// What a peer does with a request.
pub(crate) enum Told {
    /// Answers with this status and body.
    Say(u16, String),
    /// Never answers.
    Hang,
    /// Closes the connection without a byte.
    Drop,
}

type Does = Box<dyn FnMut(&Arrived) -> Told + Send>;

struct Shared {
    arrived: Mutex<Vec<Arrived>>,
    does: Mutex<Does>,
}

/// Somebody at the other end of real HTTP.
pub(crate) struct Peer {
    address: SocketAddr,
    shared: Arc<Shared>,
    up: Option<(CancellationToken, TaskTracker)>,
    /// Keeps the port while nobody listens, so that connections are refused.
    kept: Option<TcpSocket>,
}

impl Peer {
    pub(crate) fn start(does: impl FnMut(&Arrived) -> Told + Send + 'static) -> Self {
        let kept = bound("127.0.0.1:0".parse().unwrap());
        let address = kept.local_addr().unwrap();
        let shared = Arc::new(Shared { arrived: Mutex::default(), does: Mutex::new(Box::new(does)) });
        let mut peer = Self { address, shared, up: None, kept: Some(kept) };
        peer.come_up();
        peer
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn does(&self, does: impl FnMut(&Arrived) -> Told + Send + 'static) {
        *self.shared.does.lock().unwrap() = Box::new(does);
    }

    pub(crate) fn come_up(&mut self) {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let listener = self.kept.take().unwrap().listen(1024).unwrap();
        tasks.spawn(serve(listener, Arc::clone(&self.shared), stop.clone(), tasks.clone()));
        self.up = Some((stop, tasks));
    }

    /// Breaks all connections and refuses new ones.
    pub(crate) async fn go_down(&mut self) {
        let (stop, tasks) = self.up.take().unwrap();
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        self.kept = Some(bound(self.address));
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.arrived.lock().unwrap().clone()
    }

    /// The bodies that came to this path.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Value> {
        let arrived = self.arrived();
        arrived.iter().filter(|one| one.path == path).map(|one| serde_json::from_slice(&one.body).unwrap()).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some((stop, _)) = &self.up {
            stop.cancel();
        }
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken, tasks: TaskTracker) {
    while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tasks.spawn(async move { stop.run_until_cancelled(talk(stream, &shared)).await });
    }
}

async fn talk(stream: TcpStream, shared: &Shared) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let told = (shared.does.lock().unwrap())(&request);
        shared.arrived.lock().unwrap().push(request);
        let (status, body) = match told {
            Told::Say(status, body) => (status, body),
            Told::Hang => std::future::pending().await,
            Told::Drop => return,
        };
        let answer = format!("HTTP/1.1 {status} Told\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Arrived> {
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
    let target = lines.first()?.split(' ').nth(1)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers: HashMap<_, _> =
        pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Arrived { path: path.to_owned(), query: query.to_owned(), headers, body })
}
