//! Connections to WeChat that are used again, and when one may not be; against a WeChat that says each byte as it is told.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::harness::databases::Database;
use crate::harness::server::{Running, local};

const TARGET: &str = "/app/test/cgi-bin/user/info";

/// A WeChat that answers requests with the bytes that it is given, in their order, as soon as it has their heads.
struct ByteWechat {
    url: String,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<VecDeque<String>>,
    connections: AtomicUsize,
}

impl ByteWechat {
    async fn start() -> (Self, Running, Database) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, shared) = (CancellationToken::new(), Arc::new(Shared::default()));
        let (stopped, serving) = (stop.clone(), Arc::clone(&shared));
        TaskTracker::new().spawn(async move {
            while let Some(Ok((stream, _))) = stopped.run_until_cancelled(listener.accept()).await {
                let (stopped, serving) = (stopped.clone(), Arc::clone(&serving));
                TaskTracker::new().spawn(async move { stopped.run_until_cancelled(serving.answer(stream)).await });
            }
        });
        let wechat = Self { url, shared, _stop: stop.drop_guard() };
        let (server, database) = local(&wechat.url).await;
        server.register_cold("test", &[]).await;
        wechat.next(&whole(&json!({"access_token": "T".repeat(100), "expires_in": 7200}).to_string()));
        server.token("test").await;
        wechat.shared.connections.store(0, Ordering::SeqCst);
        (wechat, server, database)
    }

    fn next(&self, bytes: &str) {
        self.shared.answers.lock().unwrap().push_back(bytes.to_owned());
    }

    /// How many connections were made since the token was fetched.
    fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn answer(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut is_first = true;
        while let Some(length) = read_head(&mut stream).await {
            self.connections.fetch_add(usize::from(std::mem::take(&mut is_first)), Ordering::SeqCst);
            let answer = self.answers.lock().unwrap().pop_front().unwrap_or_default();
            if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
                return;
            }
            if length > 1024 * 1024 {
                // It has said that this is too much for it, and reads nothing of it.
                return std::future::pending().await;
            }
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
        }
    }
}

/// Reads the head of a request; gives the length of its body.
async fn read_head(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            return Some(length);
        }
    }
}

fn whole(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection_however_their_answers_are_framed() {
    let (wechat, server, _database) = ByteWechat::start().await;
    let chunks = "7;a=b\r\n{\"n\":1}\r\n0\r\nexpires: never\r\n\r\n";
    for (bytes, expected) in [
        (whole("{\"n\":1}"), json!({"n": 1})),
        (format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"), json!({"n": 1})),
        (format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{}", whole("{}")), json!({})),
        (whole("[]"), json!([])),
    ] {
        wechat.next(&bytes);
        assert_eq!(server.get(TARGET).await.json(), expected, "{bytes}");
    }
    wechat.next("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(server.get(TARGET).await.status, 204);
    wechat.next(&whole("{}"));
    server.get(TARGET).await;
    assert_eq!(wechat.connections(), 1);
}

#[tokio::test]
async fn what_comes_after_an_answer_is_never_taken_for_the_next_one() {
    let (wechat, server, _database) = ByteWechat::start().await;
    let hidden = whole("{\"openid\":\"of another\"}");
    for (number, bytes) in [
        format!("{}{hidden}", whole("{\"n\":1}")),
        // Two lengths: one reader would take 0 bytes, the other the chunks.
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{{\"n\":1}}\r\n0\r\n\r\n{hidden}"
        ),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 7\r\n\r\n{{\"n\":1}}{hidden}"),
        "HTTP/1.0 200 OK\r\ncontent-length: 7\r\n\r\n{\"n\":1}".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        wechat.next(bytes);
        assert_eq!(server.get(TARGET).await.json(), json!({"n": 1}), "{bytes}");
        assert_eq!(wechat.connections(), number + 1, "a new one for each: {bytes}");
    }
    wechat.next(&whole("{\"n\":2}"));
    assert_eq!(server.get(TARGET).await.json(), json!({"n": 2}));
}

#[tokio::test]
async fn answers_that_two_readers_would_read_in_two_ways_are_errors() {
    let (wechat, server, _database) = ByteWechat::start().await;
    for head in [
        "content-length: 2\r\ncontent-length: 5",
        "content-length: 2, 5",
        "content-length: +2",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding : chunked",
        "x: a\r\n folded: b",
    ] {
        wechat.next(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{{}}"));
        let text = server.get(TARGET).await.is_refusal(502, -10014).errmsg();
        assert!(text.contains("the answer") && text.contains("is not known"), "{head}: {text}");
    }
    wechat.next(&whole("{}"));
    assert_eq!(server.get(TARGET).await.json(), json!({}));
}

/// An upload that is larger than any buffer on the way, to a WeChat that answers at once and reads no more.
#[tokio::test]
async fn an_answer_that_comes_before_all_is_sent_reaches_the_caller() {
    const LENGTH: usize = 64 * 1024 * 1024;
    let (wechat, server, _database) = ByteWechat::start().await;
    wechat.next(&whole("{\"errcode\":45001,\"errmsg\":\"media size out of limit\"}"));
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {TARGET} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {LENGTH}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.split();
    let mut answer = Vec::new();
    let reading = async {
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&answer).contains("}") {
            let length = from.read(&mut piece).await.unwrap();
            assert!(length > 0, "no answer: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..length]);
        }
    };
    let piece = vec![b'.'; 64 * 1024];
    let writing = async {
        loop {
            if to.write_all(&piece).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! { () = reading => {}, () = writing => {} }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("45001"), "{answer}");
}
