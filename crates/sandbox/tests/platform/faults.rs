//! Faults, down to the bytes on the connection.

use std::time::{Duration, Instant};

use sandbox::AccountKind::{Official, Wecom};
use serde_json::json;

use crate::client::{Events, Sandbox, classic_target, errcode, token};

#[tokio::test]
async fn an_errcode_comes_as_often_as_asked_for() {
    let sandbox = Sandbox::start().await;
    let (account, other) = (sandbox.account(Official), sandbox.account(Official));
    let fault =
        sandbox.fault(&json!({ "path": "/cgi-bin/token", "appid": account.appid, "errcode": -1, "times": 2 })).await;
    assert_eq!(errcode(&sandbox.classic(&other).await), 0);
    let busy = sandbox.classic(&account).await;
    assert_eq!(busy["errcode"], -1);
    assert!(busy["errmsg"].as_str().unwrap().starts_with("system error rid: "));
    assert_eq!(sandbox.last_call().await["fault"], fault["id"]);
    assert_eq!(errcode(&sandbox.classic(&account).await), -1);
    assert_eq!(errcode(&sandbox.classic(&account).await), 0);
    assert_eq!(sandbox.get("/sandbox/faults").await["faults"], json!([]));
}

#[tokio::test]
async fn an_errcode_has_the_text_that_it_is_given_or_its_house_gives_it() {
    let sandbox = Sandbox::start().await;
    let corp = sandbox.account(Wecom);
    let target = format!("/cgi-bin/gettoken?corpid={}&corpsecret={}", corp.appid, corp.secret);
    sandbox.fault(&json!({ "path": "/cgi-bin/*", "errcode": 45033, "errmsg": "too many at once" })).await;
    assert_eq!(sandbox.get(&target).await, json!({ "errcode": 45033, "errmsg": "too many at once" }));
    sandbox.fault(&json!({ "path": "/cgi-bin/*", "errcode": 42001 })).await;
    let refused = sandbox.get(&target).await;
    assert!(refused["errmsg"].as_str().unwrap().starts_with("access_token expired, hint: ["), "{refused}");
}

#[tokio::test]
async fn a_status_comes_with_a_page() {
    let sandbox = Sandbox::start().await;
    sandbox.fault(&json!({ "path": "/cgi-bin/*", "status": 502 })).await;
    let answer = sandbox.send("GET", "/cgi-bin/token", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (502, Some("text/html")));
    assert!(answer.body.contains("502 Bad Gateway"));
    sandbox.fault(&json!({ "path": "/cgi-bin/*", "status": 503, "body": "{\"busy\":true}" })).await;
    let answer = sandbox.send("GET", "/cgi-bin/token", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (503, Some("application/json")));
    assert_eq!(answer.body, "{\"busy\":true}");
}

#[tokio::test]
async fn a_dropped_call_gets_not_a_byte_and_is_not_carried_out() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    sandbox.fault(&json!({ "path": "/cgi-bin/stable_token", "drop": true })).await;
    let first = token(&sandbox.classic(&account).await);
    let mut connection = sandbox.connect().await;
    connection.send("GET", "/cgi-bin/stable_token", &[], "").await;
    assert_eq!(connection.rest().await, b"");
    assert_eq!(sandbox.last_call().await["outcome"], "dropped");

    sandbox.fault(&json!({ "path": "/cgi-bin/token", "drop": true })).await;
    let mut connection = sandbox.connect().await;
    connection.send("GET", &classic_target(&account), &[], "").await;
    assert_eq!(connection.rest().await, b"");
    sandbox.advance(300).await;
    assert_eq!(sandbox.judge(&first).await, 0, "no other token was issued");
}

#[tokio::test]
async fn a_lost_answer_may_have_been_carried_out() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let first = token(&sandbox.classic(&account).await);
    sandbox.fault(&json!({ "path": "/cgi-bin/token", "drop": true, "carry_out": true })).await;
    let mut connection = sandbox.connect().await;
    connection.send("GET", &classic_target(&account), &[], "").await;
    assert_eq!(connection.rest().await, b"");
    sandbox.advance(300).await;
    assert_eq!(sandbox.judge(&first).await, 40001, "another token was issued");
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_the_middle() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    sandbox.fault(&json!({ "path": "/cgi-bin/token", "truncate": true })).await;
    let mut connection = sandbox.connect().await;
    connection.send("GET", &classic_target(&account), &[], "").await;
    let head = connection.head().await.expect("a head");
    let promised: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .expect("a length");
    let received = connection.rest().await;
    assert_eq!(received.len(), promised / 2);
    assert!(received.starts_with(b"{\"access_token\":\""));
    assert_eq!(sandbox.last_call().await["outcome"], "truncated");
}

#[tokio::test]
async fn a_hanging_call_stays_silent_until_the_platform_stops() {
    let sandbox = Sandbox::start().await;
    let mut events = Events::listen(&sandbox).await;
    sandbox.fault(&json!({ "path": "/cgi-bin/token", "hang": true })).await;
    let mut connection = sandbox.connect().await;
    connection.send("GET", "/cgi-bin/token", &[], "").await;
    assert_eq!(events.next("call").await["outcome"], "hung");
    assert!(connection.is_silent());
    sandbox.stop().await;
    assert_eq!(connection.rest().await, b"");
}

#[tokio::test]
async fn a_delay_is_real_and_goes_with_other_faults() {
    let sandbox = Sandbox::start().await;
    sandbox.fault(&json!({ "path": "/cgi-bin/token", "delay_ms": 120, "errcode": 45011 })).await;
    let started = Instant::now();
    let answer = sandbox.get("/cgi-bin/token").await;
    assert!(started.elapsed() >= Duration::from_millis(120));
    assert_eq!(errcode(&answer), 45011);
    assert!(sandbox.last_call().await["duration_ms"].as_u64().unwrap() >= 120);
}

#[tokio::test]
async fn a_caller_who_goes_away_is_recorded() {
    let sandbox = Sandbox::start().await;
    let mut events = Events::listen(&sandbox).await;
    sandbox.fault(&json!({ "path": "/cgi-bin/token", "delay_ms": 600_000 })).await;
    let mut connection = sandbox.connect().await;
    connection.send("GET", "/cgi-bin/token", &[], "").await;
    // The fault was asked for (1), then it hit (2): the call waits now.
    for _ in 0..2 {
        assert_eq!(events.next("change").await["what"], "faults");
    }
    drop(connection);
    assert_eq!(events.next("call").await["outcome"], "given_up");
}
