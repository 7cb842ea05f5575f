//! A team's server that answers as it is told, request by request, and remembers what it got.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// How one request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// With a status and a body.
    Say(u16, String),
    /// With the `echostr` of the query, decoded as far as digits need it.
    Echo,
    /// With a redirect.
    Redirect,
    /// With a closed connection.
    HangUp,
    /// Not at all.
    Never,
    /// With half of what it promised.
    Half,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn param(&self, name: &str) -> &str {
        self.query.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.query.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// The running server; it ends with this value.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    next: VecDeque<Manner>,
    usual: Manner,
    got: Vec<Got>,
}

impl Receiver {
    /// Answers in this manner, when nothing else is said.
    pub(crate) async fn start(usual: Manner) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared { next: VecDeque::new(), usual, got: Vec::new() }));
        let stop = CancellationToken::new();
        let (tasks, stopped, all) = (TaskTracker::new(), stop.clone(), shared.clone());
        let connections = tasks.clone();
        tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((stream, _)) = accepted else { return };
                let (shared, stopped) = (all.clone(), stopped.clone());
                connections.spawn(async move {
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        _ = serve(stream, &shared) => {}
                    }
                });
            }
        });
        Receiver { address, shared, _stop: stop.drop_guard() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/msg?a=1", self.address)
    }

    /// What comes next is answered so.
    pub(crate) fn then(&self, manners: impl IntoIterator<Item = Manner>) {
        self.shared.lock().expect("a lock").next.extend(manners);
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.lock().expect("a lock").got.clone()
    }
}

/// A text reply in XML, to be said in plain mode.
pub(crate) fn text_reply(openid: &str, account: &str, content: &str) -> Manner {
    Manner::Say(
        200,
        format!(
            "<xml><ToUserName>{openid}</ToUserName><FromUserName>{account}</FromUserName><CreateTime>1</CreateTime>\
             <MsgType>text</MsgType><Content><![CDATA[{content}]]></Content></xml>"
        ),
    )
}

pub(crate) fn success() -> Manner {
    Manner::Say(200, "success".into())
}

async fn serve(mut stream: TcpStream, shared: &Mutex<Shared>) -> Option<()> {
    let got = request(&mut stream).await?;
    let manner = {
        let mut shared = shared.lock().expect("a lock");
        shared.got.push(got.clone());
        shared.next.pop_front().unwrap_or_else(|| shared.usual.clone())
    };
    let say = |status: u16, body: &str| format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answer = match manner {
        Manner::Say(status, body) => say(status, &body),
        Manner::Echo => say(200, got.param("echostr")),
        Manner::Redirect => "HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_owned(),
        Manner::HangUp => return None,
        Manner::Never => std::future::pending().await,
        Manner::Half => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsucc".to_owned(),
    };
    stream.write_all(answer.as_bytes()).await.ok()
}

async fn request(stream: &mut TcpStream) -> Option<Got> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
        // The first byte of TLS, which this server does not speak.
        if head == [0x16] {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.ok()?;
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = head.split(' ');
    let method = words.next()?.to_owned();
    let target = words.next()?;
    let (_, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(Got { method, query, body: String::from_utf8(body).ok()?, head })
}
