//! Large bodies, in both directions: they stream, so that memory stays as it is, and arrive as they were sent.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use sandbox::KeyMode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::harness::caller::{Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::playground::of;
use crate::harness::process::{Process, Program};
use crate::harness::server::{Flags, Running};
use crate::harness::shop::Bank;
use crate::harness::within;

const MIB: usize = 1024 * 1024;
const LARGE: usize = 100 * MIB;
const PIECE: usize = 64 * 1024;
/// What 400 MiB, four times [`LARGE`], may add to the memory of the proxy: buffers, and what the allocator keeps of them.
const ROOM: usize = 32 * MIB;

/// A WeChat that takes and gives large bodies, and tells what it took.
struct MediaWechat {
    url: String,
    _stop: DropGuard,
}

impl MediaWechat {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let token = || async { json!({"access_token": "T".repeat(100), "expires_in": 7200}).to_string() };
        let router = Router::new()
            .route("/cgi-bin/stable_token", post(token))
            .route("/cgi-bin/media/upload", post(taken))
            .route("/cgi-bin/media/get", get(given))
            .route("/cgi-bin/media/chunked", get(given_in_chunks));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(async move {
            let service = hyper_util::service::TowerToHyperService::new(router);
            let serving = async {
                while let Ok((stream, _)) = listener.accept().await {
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(hyper_util::rt::TokioIo::new(stream), service.clone());
                    TaskTracker::new().spawn(connection);
                }
            };
            tokio::select! { () = serving => {}, () = stopped => {} }
        });
        Self { url, _stop: stop.drop_guard() }
    }
}

async fn taken(request: Request) -> String {
    let announced = request.headers().get(CONTENT_LENGTH).map(|value| value.to_str().unwrap().to_owned());
    let (mut hash, mut bytes, mut body) = (Sha256::new(), 0, request.into_body());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return json!({"errcode": 44001, "broken": true}).to_string() };
        if let Ok(data) = frame.into_data() {
            bytes += data.len();
            hash.update(&data);
        }
    }
    json!({"media_id": hex::encode(hash.finalize()), "bytes": bytes, "announced": announced}).to_string()
}

fn pieces() -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream::iter((0..LARGE / PIECE).map(|number| Ok(Bytes::from(piece(number)))))
}

/// Each piece is another one, so that none can be lost or come twice unnoticed.
fn piece(number: usize) -> Vec<u8> {
    let mut piece = vec![b'.'; PIECE];
    piece[..8].copy_from_slice(&(number as u64).to_be_bytes());
    piece
}

async fn given() -> http::Response<Body> {
    http::Response::builder().header(CONTENT_LENGTH, LARGE).body(Body::from_stream(pieces())).unwrap()
}

async fn given_in_chunks() -> http::Response<Body> {
    http::Response::new(Body::from_stream(pieces()))
}

fn expected() -> String {
    let mut hash = Sha256::new();
    (0..LARGE / PIECE).for_each(|number| hash.update(piece(number)));
    hex::encode(hash.finalize())
}

struct Scene {
    _wechat: MediaWechat,
    _database: Database,
    process: Process,
    address: String,
}

impl Scene {
    async fn start() -> Self {
        let (wechat, database) = (MediaWechat::start().await, Database::sqlite());
        let mut process = Program::new(&["serve"]).flags(&Flags::new(&database, &wechat.url)).start();
        let caller = process.caller().await;
        caller.register_cold("test", &[]).await;
        let url = process.url().await;
        caller.token("test").await;
        Self { _wechat: wechat, _database: database, process, address: url.trim_start_matches("http://").to_owned() }
    }

    /// The most memory that the process ever had, in bytes.
    fn peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    async fn connect(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(format!("{head}host: {}\r\nconnection: close\r\n", self.address).as_bytes()).await.unwrap();
        stream
    }

    async fn upload(&self, chunked: bool) -> Value {
        let mut stream = self.connect("POST /app/test/cgi-bin/media/upload?type=file HTTP/1.1\r\n").await;
        let framing =
            if chunked { "transfer-encoding: chunked".to_owned() } else { format!("content-length: {LARGE}") };
        stream.write_all(format!("{framing}\r\n\r\n").as_bytes()).await.unwrap();
        for number in 0..LARGE / PIECE {
            let bytes = piece(number);
            if chunked {
                stream.write_all(format!("{PIECE:x}\r\n").as_bytes()).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            } else {
                stream.write_all(&bytes).await.unwrap();
            }
        }
        if chunked {
            stream.write_all(b"0\r\n\r\n").await.unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
    }
}

#[tokio::test]
async fn a_hundred_mebibytes_go_up_and_down_and_memory_stays_as_it_is() {
    let scene = Scene::start().await;
    let before = scene.peak();
    for chunked in [false, true] {
        let answer = within("an upload", scene.upload(chunked)).await;
        assert_eq!((&answer["media_id"], &answer["bytes"]), (&json!(expected()), &json!(LARGE)), "{answer}");
        // What is announced is announced, because WeChat's upload APIs want to know it.
        assert_eq!(answer["announced"], if chunked { Value::Null } else { json!(LARGE.to_string()) });
    }
    for path in ["get", "chunked"] {
        let url = format!("http://{}/app/test/cgi-bin/media/{path}?media_id=M", scene.address);
        let response = reqwest::get(url).await.unwrap();
        let (mut hash, mut bytes, mut body) = (Sha256::new(), 0, response.bytes_stream());
        while let Some(chunk) = within("a piece", body.next()).await {
            let chunk = chunk.unwrap();
            bytes += chunk.len();
            hash.update(&chunk);
        }
        assert_eq!((hex::encode(hash.finalize()), bytes), (expected(), LARGE), "{path}");
    }
    let after = scene.peak();
    assert!(after < before + ROOM, "{} MiB before, {} MiB after", before / MIB, after / MIB);
}

/// Whoever takes an answer slowly is waited for, and holds only as much memory as is on its way.
#[tokio::test]
async fn a_caller_that_does_not_read_costs_no_memory() {
    let scene = Scene::start().await;
    let before = scene.peak();
    let mut slow = scene.connect("GET /app/test/cgi-bin/media/get HTTP/1.1\r\n").await;
    slow.write_all(b"\r\n").await.unwrap();
    let mut begin = [0; 1000];
    slow.read_exact(&mut begin).await.unwrap();
    // Time in which a proxy that keeps what nobody reads would have taken all of it.
    for _ in 0..10 {
        within("an upload beside it", scene.upload(false)).await;
    }
    assert!(scene.peak() < before + ROOM);
    let mut rest = Vec::with_capacity(LARGE);
    within("the rest", slow.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() > LARGE - 1000);
}

/// An upload that stops in its middle is no upload: WeChat sees a broken request, never a short one.
#[tokio::test]
async fn half_an_upload_is_none() {
    let scene = Scene::start().await;
    let mut stream = scene.connect("POST /app/test/cgi-bin/media/upload HTTP/1.1\r\n").await;
    stream.write_all(format!("content-length: {LARGE}\r\n\r\n").as_bytes()).await.unwrap();
    for number in 0..100 {
        stream.write_all(&piece(number)).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// As in the world: HTTPS to WeChat, and HTTPS here, by HTTP/1.1 and by HTTP/2.
#[tokio::test]
async fn calls_pass_over_tls_and_http_2() {
    let (bank, database) = (Bank::open(KeyMode::Certificate).await, Database::sqlite());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = database.folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let flags = Flags::new(&database, &bank.tls_url)
        .and("--trust-cert", &bank.ca_file(&database))
        .and("--tls-cert", &file("cert.pem", made.cert.pem()))
        .and("--tls-key", &file("key.pem", made.signing_key.serialize_pem()));
    let server = Running::start(&flags).await;
    let url = server.url.replace("http://127.0.0.1", "https://localhost");
    for (number, caller) in Caller::trusting(&url, made.cert.pem().as_bytes()).into_iter().enumerate() {
        caller.register(&of(&bank.account, "test")).await;
        assert!(caller.get("/app/test/cgi-bin/getcallbackip").await.json()["ip_list"].is_array());
        // The first is kept whole on its way up, the second streams; both stream back.
        for length in [700_000, 3_000_000] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from((at * 7 + number) % 251).unwrap()).collect();
            let mut form =
                b"--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a.bin\"\r\n\r\n".to_vec();
            form.extend_from_slice(&bytes);
            form.extend_from_slice(b"\r\n--b--\r\n");
            let target = "/app/test/cgi-bin/media/upload?type=file";
            let kept =
                caller.send(http::Method::POST, target, Some("multipart/form-data; boundary=b"), form).await.json();
            let media_id = kept["media_id"].as_str().unwrap_or_else(|| panic!("{kept}"));
            let back = caller.get(&format!("/app/test/cgi-bin/media/get?media_id={media_id}")).await;
            assert!(back.status == 200 && back.body == bytes, "{} bytes came back", back.body.len());
        }
        let secret = bank.account.secret.as_str();
        let pairs = [("grant_type", "client_credential"), ("appid", &*bank.account.appid), ("secret", secret)];
        let token = caller.get(&format!("/cgi-bin/token?{}", encoded(&pairs))).await.token();
        assert_eq!(caller.get(&format!("/cgi-bin/getcallbackip?access_token={token}")).await.errcode(), 0);
    }
}
