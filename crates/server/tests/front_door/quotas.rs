//! Calls are counted, and an API whose quota is used up is not asked until it is there again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{FakeWechat, Reply};
use crate::harness::playground::{Playground, of};
use crate::harness::server::{ADMIN, Flags, Running, SECRET, TurnedClock, local, public};

const INFO: &str = "/cgi-bin/user/info";
const OTHER: &str = "/cgi-bin/user/get";

fn used_up(errcode: i64) -> Reply {
    Reply::errcode(errcode, "reach max api daily quota limit rid: 1-2-3")
}

fn fine() -> Reply {
    Reply::Json(json!({"subscribe": 1}))
}

async fn call(server: &Caller, path: &str) -> Value {
    server.get(&format!("/app/test{path}")).await.json()
}

#[tokio::test]
async fn an_api_without_quota_is_answered_here_in_wechats_words() {
    let wechat = FakeWechat::start().await;
    wechat.next(INFO, used_up(45009));
    wechat.always(INFO, fine());
    wechat.always(OTHER, fine());
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    server.register_cold("same", &[]).await;
    let told = call(&server, INFO).await;
    for key in ["test", "same", "test"] {
        let answer = server.get(&format!("/app/{key}{INFO}")).await;
        assert_eq!((answer.status, answer.json(), answer.header("x-wechat-proxy")), (200, told.clone(), "held-back"));
        assert_ne!(answer.header("retry-after"), "");
    }
    assert_eq!((wechat.calls(INFO), told["errmsg"].as_str()), (1, Some("reach max api daily quota limit rid: 1-2-3")));
    assert_eq!(call(&server, OTHER).await, json!({"subscribe": 1}));
    let usage = server.get("/admin/usage").await.json();
    let held = &usage["held_back"][0];
    assert_eq!(
        (&held["api"], &held["errcode"], &held["account"]),
        (&json!(INFO), &json!(45009), &json!("wx0123456789abcdef"))
    );
    assert!(held["for_seconds"].as_u64().unwrap() <= 24 * 3600 && held["advice"].as_str().is_some());
}

#[tokio::test]
async fn it_is_asked_again_when_the_limit_is_over_or_cleared() {
    let (wechat, database, clock) = (FakeWechat::start().await, Database::sqlite(), Arc::new(TurnedClock::default()));
    wechat.always(INFO, fine());
    let server = Running::start_by(&Flags::new(&database, &wechat.url), Arc::clone(&clock)).await;
    server.register_cold("test", &[]).await;
    wechat.next(INFO, used_up(45011));
    assert_eq!(call(&server, INFO).await["errcode"], 45011);
    assert_eq!(call(&server, INFO).await["errcode"], 45011);
    assert_eq!(wechat.calls(INFO), 1);
    clock.turn(Duration::from_secs(60));
    assert_eq!(call(&server, INFO).await, json!({"subscribe": 1}));
    // The day's quota: a look every ten minutes, and at once when somebody clears it.
    wechat.next(INFO, used_up(45009));
    wechat.next(INFO, used_up(45009));
    assert_eq!(call(&server, INFO).await["errcode"], 45009);
    clock.turn(Duration::from_secs(601));
    for _ in 0..3 {
        assert_eq!(call(&server, INFO).await["errcode"], 45009);
    }
    assert_eq!(wechat.calls(INFO), 4);
    wechat.always("/cgi-bin/clear_quota", Reply::Json(json!({"errcode": 0, "errmsg": "ok"})));
    server.post_json("/app/test/cgi-bin/clear_quota", &json!({"appid": "wx0123456789abcdef"})).await;
    assert_eq!(call(&server, INFO).await, json!({"subscribe": 1}));
    assert_eq!(server.get("/admin/usage").await.json()["held_back"], json!([]));
}

/// By the sandbox's own counters.
#[tokio::test]
async fn the_sandboxs_quota_is_respected() {
    let playground = Playground::start().await;
    let account = playground.official();
    playground.change(&account.appid, &json!({"daily_quota": {"/cgi-bin/getcallbackip": 3}})).await;
    let (server, _database) = local(&playground.url).await;
    server.register(&of(&account, "test")).await;
    for _ in 0..3 {
        assert!(call(&server, "/cgi-bin/getcallbackip").await["ip_list"].is_array());
    }
    for _ in 0..5 {
        assert_eq!(call(&server, "/cgi-bin/getcallbackip").await["errcode"], 45009);
    }
    assert_eq!(playground.calls("/cgi-bin/getcallbackip").await, 4);
}

#[tokio::test]
async fn calls_are_counted_by_registration_and_api_over_all_nodes_and_restarts() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    wechat.always(INFO, fine());
    wechat.always(OTHER, Reply::errcode(48001, "api unauthorized"));
    let flags = Flags::new(&database, &wechat.url);
    let (one, two) = (Running::start(&flags).await, Running::start(&flags).await);
    one.register_cold("test", &[]).await;
    one.register_cold("other", &[]).await;
    for _ in 0..3 {
        call(&one, INFO).await;
        call(&two, OTHER).await;
    }
    one.get(&format!("/app/other{INFO}")).await;
    one.get(&format!("/app/test/qyapi{INFO}")).await;
    // A node writes down what it has counted when it stops.
    two.stop().await;
    let usage = one.get("/admin/usage?key=test").await.json();
    let lines: Vec<(&str, u64, u64)> = usage["usage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["api"].as_str().unwrap(), line["calls"].as_u64().unwrap(), line["refused"].as_u64().unwrap()))
        .collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [(OTHER, 3, 3), (INFO, 3, 0), ("/qyapi/cgi-bin/user/info", 1, 0)]);
    assert!(usage["usage"][0]["day"].as_str().unwrap().starts_with("20"));
    let metrics = one.get("/metrics").await.text();
    assert!(
        metrics.contains(r#"wechat_proxy_api_calls_total{consumer="test",api="/cgi-bin/user/info"} 3"#),
        "{metrics}"
    );
    assert_eq!(one.get("/admin/usage").await.json()["usage"].as_array().unwrap().len(), 4);
    for bad in ["days=0", "days=101", "days=x", "limit=0", "limit=100000"] {
        one.get(&format!("/admin/usage?{bad}")).await.is_refusal(400, -10003);
    }
}

#[tokio::test]
async fn paths_that_are_made_up_do_not_grow_what_is_kept() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for number in 0..320 {
        call(&server, &format!("/made/up{number}")).await;
    }
    let usage = server.get("/admin/usage?limit=10000").await.json();
    let lines = usage["usage"].as_array().unwrap();
    assert_eq!(lines.len(), 301);
    assert!(lines.iter().any(|line| line["api"] == "others" && line["calls"] == 20), "{usage}");
}

#[tokio::test]
async fn a_path_that_is_too_long_for_the_table_takes_nothing_from_the_others() {
    let wechat = FakeWechat::start().await;
    wechat.always(INFO, fine());
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    // As long as a path may be; WeCom's are counted with `/qyapi` before them.
    server.register(&[("key", "corp"), ("appid", "ww1"), ("secret", SECRET), ("check", "false")]).await;
    let token = server.get(&format!("/cgi-bin/gettoken?corpid=ww1&corpsecret={SECRET}")).await.token();
    let long = format!("/{}/{}", "a".repeat(255), "b".repeat(255));
    assert_eq!(server.get(&format!("{long}?access_token={token}")).await.status, 200);
    call(&server, INFO).await;
    let usage = server.get("/admin/usage").await.json();
    assert_eq!(usage["usage"].as_array().unwrap().len(), 2, "{usage}");
    for number in 0..320 {
        let path = format!("/refused/up{number}");
        wechat.next(&path, Reply::errcode(48001, "api unauthorized"));
        call(&server, &path).await;
    }
    let series = server.get("/metrics").await.text().matches("wechat_proxy_api_refusals_total{").count();
    assert!(series <= 301, "{series}");
}

/// A code that one user brought too often, or another account's token, says nothing about this account's quota.
#[tokio::test]
async fn only_the_accounts_own_calls_tell_of_its_quotas() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let api_key = server.register_cold("test", &[]).await;
    let team = server.bearer(&api_key);
    for path in ["/sns/jscode2session?js_code=C", "/cgi-bin/user/info?component_access_token=x"] {
        let name = path.split('?').next().unwrap();
        for _ in 0..2 {
            wechat.next(name, used_up(45011));
            assert_eq!(team.get(&format!("/app/test{path}")).await.errcode(), 45011);
        }
        assert_eq!(wechat.calls(name), 2);
    }
    wechat.next(OTHER, used_up(45009));
    assert_eq!(call(&server, OTHER).await["errcode"], 45009);
    assert_eq!(call(&server, "/cgi-bin/User/Get").await["errcode"], 45009, "in any case");
    // None of these has cleared anything.
    server.send(http::Method::HEAD, "/app/test/cgi-bin/clear_quota", None, Vec::new()).await;
    server.get("/app/test/cgi-bin/clear_quotaXYZ").await;
    assert_eq!((call(&server, OTHER).await["errcode"].clone(), wechat.calls(OTHER)), (json!(45009), 1));
}

#[tokio::test]
async fn only_operators_see_what_is_used() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    server.get("/admin/usage").await.is_refusal(401, -10009);
    assert_eq!(server.bearer(ADMIN).get("/admin/usage").await.json(), json!({"usage": [], "held_back": []}));
}
