//! Tokens that WeChat calls dead: replaced once for all who saw it, and the call repeated where it can be.

use serde_json::json;

use crate::harness::databases::Database;
use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE};
use crate::harness::playground::{Playground, of};
use crate::harness::process::Program;
use crate::harness::server::{Flags, local};

const INFO: &str = "/cgi-bin/user/info";
const SEND: &str = "/cgi-bin/message/custom/send";

fn dead(errcode: i64) -> Reply {
    Reply::errcode(errcode, "invalid credential, access_token is invalid or not latest rid: 1-2-3")
}

fn fine() -> Reply {
    Reply::Json(json!({"subscribe": 1}))
}

#[tokio::test]
async fn each_code_of_a_dead_token_is_healed_and_the_call_repeated() {
    for errcode in [40001, 40014, 42001] {
        let wechat = FakeWechat::start().await;
        wechat.next(SEND, dead(errcode));
        wechat.always(SEND, fine());
        let (server, _database) = local(&wechat.url).await;
        server.register_cold("test", &[]).await;
        let answer = server.post_json("/app/test/cgi-bin/message/custom/send?a=1", &json!({"touser": "o"})).await;
        assert_eq!(answer.json(), json!({"subscribe": 1}), "{errcode}");
        let calls = wechat.arrived(SEND);
        assert_eq!((calls.len(), &calls[0].body, &calls[1].parameter("a")), (2, &calls[1].body, &"1".to_owned()));
        assert_ne!(calls[0].parameter("access_token"), calls[1].parameter("access_token"));
        assert_eq!(calls[1].parameter("access_token"), server.token("test").await);
        assert_eq!(wechat.calls(STABLE), 2);
    }
}

#[tokio::test]
async fn a_hundred_callers_that_see_a_dead_token_cost_one_refresh() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    server.token("test").await;
    wechat.close_the_door();
    (0..100).for_each(|_| wechat.next(INFO, dead(40001)));
    wechat.always(INFO, fine());
    let (answers, ()) = tokio::join!(server.at_once(100, "/app/test/cgi-bin/user/info"), async {
        wechat.has_received(INFO, 100).await;
        wechat.open_the_door();
    });
    assert!(answers.iter().all(|answer| answer.json() == json!({"subscribe": 1})));
    assert_eq!((wechat.calls(INFO), wechat.calls(STABLE)), (200, 2));
}

#[tokio::test]
async fn an_api_that_no_new_token_helps_does_not_use_up_the_accounts_refreshes() {
    let wechat = FakeWechat::start().await;
    wechat.always(INFO, dead(40001));
    wechat.always(SEND, fine());
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for _ in 0..5 {
        assert_eq!(server.get("/app/test/cgi-bin/user/info").await.errcode(), 40001);
    }
    assert_eq!((wechat.calls(INFO), wechat.calls(STABLE)), (6, 2));
    // Another API is still healed.
    wechat.next(SEND, dead(42001));
    assert_eq!(
        server.post_json("/app/test/cgi-bin/message/custom/send", &json!({})).await.json(),
        json!({"subscribe": 1})
    );
    assert_eq!(wechat.calls(STABLE), 3);
}

/// By the sandbox, which counts forced refreshes as WeChat does: 20 a day.
#[tokio::test]
async fn made_up_paths_that_refuse_every_token_do_not_use_up_the_days_forced_refreshes() {
    let playground = Playground::start().await;
    let account = playground.official();
    let (server, _database) = local(&playground.url).await;
    server.register(&of(&account, "test")).await;
    for number in 0..40 {
        let path = format!("/cgi-bin/bad/{number}");
        playground.control("/sandbox/faults", &json!({"path": path, "errcode": 40001, "times": 2})).await;
        assert_eq!(server.get(&format!("/app/test{path}")).await.errcode(), 40001);
    }
    assert!(playground.forced_refreshes(&account.appid).await <= 1);
    // A token that really is dead is healed all the same.
    playground.control("/sandbox/tokens/kill", &json!({"appid": account.appid})).await;
    assert_eq!(server.get("/app/test/cgi-bin/getcallbackip").await.errcode(), 0);
}

#[tokio::test]
async fn a_body_that_is_too_large_to_keep_is_not_repeated_and_the_answer_says_so() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let before = server.token("test").await;
    let target = "/app/test/cgi-bin/message/custom/send";
    let body = |bytes: usize| vec![b' '; bytes];
    wechat.next(SEND, dead(40001));
    wechat.always(SEND, fine());
    let kept = server.send(http::Method::POST, target, Some("text/plain"), body(1024 * 1024)).await;
    assert_eq!((kept.json(), wechat.calls(SEND)), (json!({"subscribe": 1}), 2));
    wechat.next(SEND, dead(40001));
    let large = server.send(http::Method::POST, target, Some("text/plain"), body(1024 * 1024 + 1)).await;
    assert_eq!((large.status, large.errcode(), large.header("x-wechat-proxy")), (200, 40001, "not-repeated"));
    assert!(large.errmsg().contains("rid: 1-2-3") && large.errmsg().contains("send it again"), "{}", large.errmsg());
    assert_eq!(wechat.calls(SEND), 3);
    assert_ne!(server.token("test").await, before, "the token was replaced all the same");
}

#[tokio::test]
async fn when_no_other_token_is_to_be_had_the_reason_is_told() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    server.token("test").await;
    wechat.next(INFO, dead(40001));
    wechat.always(STABLE, Reply::errcode(40125, "invalid appsecret rid: 1"));
    assert_eq!(server.get("/app/test/cgi-bin/user/info").await.errcode(), 40125);
}

/// Somebody outside who holds the secret refreshed the token: callers notice nothing, and the log says it.
#[tokio::test]
async fn a_token_that_is_killed_in_mid_run_is_nobodys_error_and_the_log_says_why() {
    let playground = Playground::start().await;
    let account = playground.official();
    let database = Database::sqlite();
    let mut process = Program::new(&["serve"]).flags(&Flags::new(&database, &playground.url)).start();
    let server = process.caller().await;
    server.register(&of(&account, "test")).await;
    let mut killed = 0;
    for round in 0..60 {
        if round % 20 == 10 {
            playground.control("/sandbox/tokens/kill", &json!({"appid": account.appid})).await;
            killed += 1;
        }
        let answers = server.at_once(8, "/app/test/cgi-bin/getcallbackip").await;
        for answer in answers {
            assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
        }
    }
    let log = process.err();
    let told: Vec<&str> =
        log.lines().filter(|line| line.contains("somebody outside holds the account's secret")).collect();
    assert_eq!(told.len(), killed, "{log}");
    assert!(told.iter().all(|line| line.contains("timestamp") && line.contains(&account.appid)), "{told:?}");
}
