//! What goes wrong on the way: answers that are not whole, requests that are not one, hosts that do not answer.

use http::Method;
use serde_json::json;

use crate::harness::caller::Answer;
use crate::harness::fake_wechat::{FakeWechat, Reply};
use crate::harness::server::{Running, local, public};

const INFO: &str = "/cgi-bin/user/info";
const TARGET: &str = "/app/test/cgi-bin/user/info";

async fn scene() -> (FakeWechat, Running, crate::harness::databases::Database) {
    let wechat = FakeWechat::start().await;
    let (server, database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    server.token("test").await;
    (wechat, server, database)
}

async fn post(server: &Running) -> Answer {
    server.post_json(TARGET, &json!({"a": 1})).await
}

#[tokio::test]
async fn half_an_answer_is_an_error() {
    let (wechat, server, _database) = scene().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let halves = [
        format!("{head}content-length: 100\r\n\r\n{{\"subscribe\":1,"),
        format!("{head}transfer-encoding: chunked\r\n\r\n10\r\n{{\"subscribe\":1,\"\r\n"),
        // Without length or chunks the end of the connection looks like the end of the answer.
        format!("{head}\r\n{{\"subscribe\":1,"),
        "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\nhalf a picture".to_owned(),
        format!("{head}\r\n[\"{}\"]", "x".repeat(10_000)),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-le".to_owned(),
        "no HTTP at all\r\n\r\n".to_owned(),
    ];
    for half in halves {
        wechat.next(INFO, Reply::Raw(half.clone()));
        let answer = post(&server).await.is_refusal(502, -10014);
        assert!(answer.errmsg().contains("is not known"), "{half}: {}", answer.errmsg());
    }
    // A whole one without length is one.
    wechat.next(INFO, Reply::Raw(format!("{head}\r\n{{\"subscribe\":1}}")));
    assert_eq!(post(&server).await.json(), json!({"subscribe": 1}));
}

/// Longer than what is looked into: it streams, so its break is the break of the caller's connection.
#[tokio::test]
async fn half_of_a_long_answer_breaks_the_callers_connection() {
    let (wechat, server, _database) = scene().await;
    let half = "x".repeat(100_000);
    for framing in ["content-length: 200000\r\n\r\n", "transfer-encoding: chunked\r\n\r\n30d40\r\n"] {
        wechat.next(INFO, Reply::Raw(format!("HTTP/1.1 200 OK\r\n{framing}{half}")));
        let outcome = server.try_get(TARGET).await;
        assert!(outcome.is_err(), "{framing}");
    }
}

/// Not even a GET: some of WeChat's change something, or use up a code.
#[tokio::test]
async fn a_connection_that_ends_without_an_answer_is_not_asked_again() {
    let (wechat, server, _database) = scene().await;
    for number in 1..=2 {
        wechat.next(INFO, Reply::Drop);
        let answer = if number == 1 { server.get(TARGET).await } else { post(&server).await };
        let text = answer.is_refusal(502, -10014).errmsg();
        assert!(text.contains("whether WeChat did what was asked is not known"), "{text}");
        assert_eq!(wechat.calls(INFO), number);
    }
}

#[tokio::test]
async fn connections_that_wechat_has_closed_meanwhile_are_not_used() {
    let (wechat, server, _database) = scene().await;
    for round in 0..20 {
        // It says nothing of the end of the connection, and ends it.
        wechat.next(INFO, Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{\"subscribe\":1}".to_owned()));
        assert_eq!(post(&server).await.json(), json!({"subscribe": 1}), "{round}");
        wechat.has_ended(round + 1).await;
    }
}

#[tokio::test]
async fn what_was_sent_does_not_come_back() {
    let (wechat, server, _database) = scene().await;
    let token = server.token("test").await;
    let told = format!(
        "HTTP/1.1 302 Found\r\nlocation: https://api.weixin.qq.com/x?access_token={token}\r\nx-a: b\r\ncontent-length: 0\r\n\r\n"
    );
    wechat.next(INFO, Reply::Raw(told));
    let answer = server.get(TARGET).await;
    assert_eq!((answer.status, answer.header("location"), answer.header("x-a")), (302, "", "b"));
    wechat.next(INFO, Reply::Json(json!({"request": {"request_url": format!("/cgi-bin/x?access_token={token}&a=1")}})));
    let told = server.get(TARGET).await.json();
    assert_eq!(told["request"]["request_url"], "/cgi-bin/x?access_token=********&a=1");
}

#[tokio::test]
async fn an_answer_to_head_tells_the_length_of_what_get_would_answer() {
    let (wechat, server, _database) = scene().await;
    wechat.next(INFO, Reply::Raw("HTTP/1.1 200 OK\r\ncontent-length: 123456\r\n\r\n".to_owned()));
    let answer = server.send(Method::HEAD, TARGET, None, Vec::new()).await;
    assert_eq!((answer.status, answer.header("content-length")), (200, "123456"));
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_told_without_the_token() {
    let (wechat, server, _database) = scene().await;
    let token = server.token("test").await;
    drop(wechat);
    let answer = server.get(TARGET).await.is_refusal(502, -10014);
    assert!(answer.errmsg().contains("try again") && !answer.text().contains(&token), "{}", answer.text());
}

#[tokio::test]
async fn requests_that_two_readers_would_read_in_two_ways_are_refused() {
    let (wechat, server, _database) = scene().await;
    let before = wechat.all_calls();
    let smuggled = "0\r\n\r\nGET /app/test/cgi-bin/user/get HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    for framing in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\nTransfer-Encoding:chunked\r\nx-a: b\r\n",
    ] {
        let request = format!("POST {TARGET} HTTP/1.1\r\nhost: 127.0.0.1\r\n{framing}\r\n{smuggled}");
        let answer = server.raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{framing}: {answer}");
        assert!(answer.contains("\"errcode\":-10005,"), "{framing}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "one answer, then the end: {answer}");
    }
    for framing in
        ["content-length: 5\r\ncontent-length: 6\r\n", "content-length: x\r\n", "transfer-encoding: gzip\r\n"]
    {
        let answer = server.raw(&format!("POST {TARGET} HTTP/1.1\r\nhost: 127.0.0.1\r\n{framing}\r\nabcde")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{framing}: {answer}");
    }
    assert_eq!(wechat.all_calls(), before, "nothing went on");
}

#[tokio::test]
async fn headers_out_of_bounds_are_refused() {
    let (wechat, server, _database) = scene().await;
    let before = wechat.all_calls();
    let ask = async |target: &str, headers: &str| {
        server.raw(&format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}\r\n")).await
    };
    let long = ask(TARGET, &format!("x-long: {}\r\n", "x".repeat(33_000))).await;
    assert!(long.starts_with("HTTP/1.1 431 ") && long.contains("\"errcode\":-10039,"), "{long:.300}");
    let target = ask(&format!("{TARGET}?a={}", "x".repeat(33_000)), "").await;
    assert!(target.starts_with("HTTP/1.1 431 ") && target.contains("\"errcode\":-10039,"), "{target:.300}");
    let many = ask(TARGET, &"a: b\r\n".repeat(200)).await;
    assert!(many.starts_with("HTTP/1.1 431 "), "{many:.100}");
    assert_eq!(wechat.all_calls(), before);
}

#[tokio::test]
async fn methods_that_are_for_proxies_are_not_passed_on() {
    let (wechat, server, _database) = scene().await;
    let before = wechat.all_calls();
    let answer = server.send(Method::TRACE, TARGET, None, Vec::new()).await;
    assert_eq!(answer.status, 405);
    let answer =
        server.raw("CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\nconnection: close\r\n\r\n").await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert_eq!(wechat.all_calls(), before);
}

/// A caller that goes away in the middle of its body: WeChat must not take what it has for all of it.
#[tokio::test]
async fn half_a_request_never_reaches_wechat_as_a_whole_one() {
    let (wechat, server, _database) = scene().await;
    let before = wechat.all_calls();
    for framing in ["content-length: 100\r\n\r\n{\"a\":1}", "transfer-encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n"] {
        server.raw_half(&format!("POST {TARGET} HTTP/1.1\r\nhost: 127.0.0.1\r\n{framing}")).await;
    }
    // A call after them is the next that WeChat sees.
    wechat.next(INFO, Reply::Json(json!({"subscribe": 1})));
    assert_eq!(server.get(TARGET).await.status, 200);
    assert_eq!(wechat.all_calls(), before + 1);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_call_through_a_visitors_browser() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    let api_key = server.bearer(crate::harness::server::ADMIN).register_cold("test", &[]).await;
    let page = server.bearer(&api_key).with("sec-fetch-site", "cross-site");
    page.get(TARGET).await.is_refusal(403, -10019);
    page.get("/cgi-bin/user/info?access_token=x").await.is_refusal(403, -10019);
    assert_eq!(wechat.calls(INFO), 0);
}
