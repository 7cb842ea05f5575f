//! The same bytes, read here and by hyper's client: what both take is the same answer, and half an answer is whole for neither.

use bytes::{Bytes, BytesMut};
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use http1::{AnswerHead, Piece};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What was read: status, headers without those of the connection, and the body if it is whole.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

fn is_of_connection(name: &http::HeaderName) -> bool {
    ["connection", "content-length", "transfer-encoding"].contains(&name.as_str())
}

fn ours(method: &Method, bytes: &[u8], step: usize) -> Option<Answer> {
    let (mut buffer, mut pieces) = (BytesMut::new(), bytes.chunks(step));
    let (head, mut body) = loop {
        if let Some(answer) = AnswerHead::read(&mut buffer, method, |_| true).ok()? {
            break answer;
        }
        buffer.extend_from_slice(pieces.next()?);
    };
    let mut bytes = Vec::new();
    let is_whole = loop {
        match body.next(&mut buffer) {
            Ok(Piece::Bytes(piece)) => bytes.extend_from_slice(&piece),
            Ok(Piece::End) => break true,
            Ok(Piece::Missing) => match pieces.next() {
                Some(piece) => buffer.extend_from_slice(piece),
                None => break body.connection_ended().is_ok(),
            },
            Err(_) => break false,
        }
    };
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    Some(Answer { status: head.status.as_u16(), headers, body: is_whole.then_some(bytes) })
}

async fn hypers(method: &Method, bytes: &[u8]) -> Option<Answer> {
    let (here, mut there) = tokio::io::duplex(256 * 1024);
    let answering = async {
        let mut request = [0; 1024];
        let _ = there.read(&mut request).await;
        let _ = there.write_all(bytes).await;
        drop(there);
    };
    let asking = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(here)).await.ok()?;
        let request =
            Request::builder().method(method).uri("/").header("host", "x").body(Empty::<Bytes>::new()).ok()?;
        let answer = async {
            let answer = sender.send_request(request).await.ok()?;
            let status = answer.status().as_u16();
            let headers = answer.headers().iter().filter(|(name, _)| !is_of_connection(name));
            let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
            let body = answer.into_body().collect().await.ok().map(|body| body.to_bytes().to_vec());
            drop(sender);
            Some(Answer { status, headers, body })
        };
        tokio::join!(answer, connection).0
    };
    tokio::join!(asking, answering).0
}

fn both(method: &Method, bytes: &[u8], step: usize) -> (Option<Answer>, Option<Answer>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    (ours(method, bytes, step), runtime.ok().and_then(|runtime| runtime.block_on(hypers(method, bytes))))
}

fn head() -> impl Strategy<Value = String> {
    let framing = prop_oneof![
        Just(String::new()),
        (0..12_u32).prop_map(|length| format!("Content-Length: {length}\r\n")),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
    ];
    let other = prop_oneof![
        Just("Date: today\r\n"),
        Just("X-A: 1\r\nx-a: 2\r\n"),
        Just("Connection: close\r\n"),
        Just("Connection: keep-alive\r\n"),
        Just("broken\r\n"),
        Just("Empty:\r\n"),
    ];
    let status = prop_oneof![Just("200 OK"), Just("204 No Content"), Just("404 "), Just("502"), Just("304 x")];
    (status, prop::collection::vec(other, 0..3), framing)
        .prop_map(|(status, others, framing)| format!("HTTP/1.1 {status}\r\n{}{framing}\r\n", others.concat()))
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,12}",
        Just("3\r\nabc\r\n0\r\n\r\n".to_owned()),
        Just("3\r\nabc\r\n".to_owned()),
        Just("3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: z\r\n\r\n".to_owned()),
        Just("5\r\nabc".to_owned()),
        Just("zz\r\nabc".to_owned()),
        Just("3\r\nabcd\r\n0\r\n\r\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_hyper_reads_is_read_here(
        method in prop_oneof![Just(Method::GET), Just(Method::POST), Just(Method::HEAD)],
        hints in prop_oneof![Just(""), Just("HTTP/1.1 100 Continue\r\n\r\n")],
        head in head(),
        body in body(),
        step in 1..20_usize,
    ) {
        let bytes = format!("{hints}{head}{body}");
        let (ours, hypers) = both(&method, bytes.as_bytes(), step);
        prop_assert_eq!(ours, hypers, "{:?}", bytes);
    }
}

#[test]
fn where_this_is_stricter_than_hyper() {
    // A coding that nobody undoes would be lost with its header, which is the connection's.
    let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    let (ours, hypers) = both(&Method::GET, bytes, 7);
    assert!(ours.is_none() && hypers.is_some());
}
