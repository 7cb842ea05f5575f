//! jsapi and card tickets: cached like tokens, and healed when the token under them is dead.

use serde_json::json;

use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE, TICKET};
use crate::harness::playground::{Playground, of};
use crate::harness::server::local;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_are_cached_for_everyone_each_kind_by_itself() {
    let platform = Playground::start().await;
    let account = platform.official();
    let (server, _database) = local(&platform.url).await;
    for key in ["test", "other"] {
        server.register(&of(&account, key)).await;
    }
    let jsapi = server.get("/app/test/jsapi").await;
    assert!(jsapi.expires_in() > 7000);
    assert_eq!(server.get("/app/other/jsapi").await.ticket(), jsapi.ticket());
    let card = server.get("/app/test/js/card").await.ticket();
    assert_ne!(card, jsapi.ticket());
    assert_eq!(server.get("/app/other/js/card").await.ticket(), card);
    assert_eq!(platform.calls(TICKET).await, 2, "one for each kind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_cold_requests_for_a_ticket_cost_one_token_and_one_ticket() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let answers = server.at_once(100, "/app/test/jsapi").await;
    assert!(answers.iter().all(|answer| answer.ticket() == answers[0].ticket()));
    assert_eq!((wechat.calls(STABLE), wechat.calls(TICKET)), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_wechat_killed_is_replaced_once_and_the_ticket_asked_for_again() {
    for ending in ["kill", "expire"] {
        let platform = Playground::start().await;
        let account = platform.official();
        let (server, _database) = local(&platform.url).await;
        server.register(&of(&account, "test")).await;
        let dead = server.token("test").await;
        platform.control(&format!("/sandbox/tokens/{ending}"), &json!({"access_token": dead})).await;
        let ticket = server.get("/app/test/jsapi").await.ticket();
        assert!(!ticket.is_empty());
        let token = server.token("test").await;
        assert_ne!(token, dead, "the dead one is served no more");
        assert_eq!(platform.judges(&token).await, 0);
        assert_eq!((platform.calls(STABLE).await, platform.calls(TICKET).await), (2, 2), "{ending}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_for_a_dead_token_heals() {
    for errcode in [40001, 40014, 42001] {
        let wechat = FakeWechat::start().await;
        wechat.next(TICKET, Reply::errcode(errcode, "dead"));
        let (server, _database) = local(&wechat.url).await;
        server.register_cold("test", &[]).await;
        let dead = server.token("test").await;
        assert!(!server.get("/app/test/jsapi").await.ticket().is_empty());
        assert_ne!(server.token("test").await, dead);
        assert_eq!((wechat.calls(STABLE), wechat.calls(TICKET)), (2, 2), "{errcode}");
        assert!(!wechat.arrived(TICKET)[1].query.contains(&dead), "the second try has the new token");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_stays_dead_is_not_healed_for_ever() {
    let wechat = FakeWechat::start().await;
    wechat.always(TICKET, Reply::errcode(40001, "invalid credential, access_token is invalid or not latest rid: 1"));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let answers = server.at_once(50, "/app/test/jsapi").await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.errcode() == 40001));
    assert_eq!(wechat.calls(TICKET), 2, "once, and once more");
    assert!(wechat.calls(STABLE) <= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_without_the_right_gets_wechats_own_words_and_keeps_its_token() {
    let wechat = FakeWechat::start().await;
    wechat.always(TICKET, Reply::errcode(48001, "api unauthorized rid: 1"));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for _ in 0..5 {
        let answer = server.get("/app/test/jsapi").await;
        assert_eq!((answer.status, answer.errcode()), (200, 48001));
        assert!(answer.errmsg().contains("api unauthorized"));
    }
    assert_eq!((wechat.calls(STABLE), wechat.calls(TICKET)), (1, 1), "a refusal is remembered");
    assert_eq!(server.get("/app/test/api").await.status, 200);
}
