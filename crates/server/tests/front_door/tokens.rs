//! One token for everyone, and always a valid one.

use std::collections::HashSet;
use std::time::Instant;

use crate::harness::caller::Answer;
use crate::harness::eventually;
use crate::harness::fake_wechat::{CLASSIC, FakeWechat, Reply, STABLE};
use crate::harness::playground::{Playground, of};
use crate::harness::server::{AT_ONCE, local};

fn tokens(answers: &[Answer]) -> HashSet<String> {
    answers.iter().map(Answer::token).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cold_requests_at_once_ask_wechat_once() {
    rlimit::increase_nofile_limit(10_000).unwrap();
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    wechat.close_the_door();
    let opened = async {
        wechat.has_received(STABLE, 1).await;
        wechat.open_the_door();
    };
    let (answers, ()) = tokio::join!(server.at_once(1000, "/app/test/api"), opened);
    assert_eq!(tokens(&answers).len(), 1, "everybody has the same token");
    assert_eq!(wechat.all_calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_who_saw_the_same_dead_token_cost_one_refresh() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let old = server.token("test").await;
    let answers = server.at_once(200, &format!("/app/test/api/new?access_token={old}")).await;
    assert_eq!(tokens(&answers).len(), 1);
    assert_ne!(answers[0].token(), old);
    assert_eq!(wechat.calls(STABLE), 2, "the first token, and one refresh");
    let forced: serde_json::Value = serde_json::from_str(&wechat.arrived(STABLE)[1].body).unwrap();
    assert_eq!(forced["force_refresh"], true, "without force stable_token gives the same one again");
    // Those who come later with the old one get the current one.
    assert_eq!(server.get(&format!("/app/test/api/new?access_token={old}")).await.token(), answers[0].token());
    assert_eq!(server.post_form("/app/test/api/new", &[("access_token", &old)]).await.token(), answers[0].token());
    assert_eq!(wechat.calls(STABLE), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_without_a_reason_happens_once_in_half_a_minute() {
    let platform = Playground::start().await;
    let account = platform.official();
    let (server, _database) = local(&platform.url).await;
    server.register(&of(&account, "test")).await;
    let first = server.token("test").await;
    let answers = server.at_once(20, "/app/test/api/new").await;
    assert_eq!(tokens(&answers).len(), 1);
    assert_ne!(answers[0].token(), first);
    assert_eq!(server.get("/app/test/api/new").await.token(), answers[0].token(), "too early for another");
    assert_eq!(server.token("test").await, answers[0].token(), "/api has the new one");
    assert_eq!(platform.calls(STABLE).await, 2, "registration, one refresh");
    assert_eq!(platform.judges(&answers[0].token()).await, 0, "and it is good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expires_in_is_what_remains() {
    let wechat = FakeWechat::start().await;
    wechat.always(STABLE, Reply::Issue(100));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let first = server.get("/app/test/api").await.expires_in();
    assert!((95..=100).contains(&first), "{first}");
    eventually("it counts down", async || server.get("/app/test/api").await.expires_in() < first - 1).await;
    assert_eq!(wechat.calls(STABLE), 1);
    let answer = server.get("/app/test/api").await;
    let mut fields: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    fields.sort();
    assert_eq!(fields, ["access_token", "expires_in"], "WeChat's own shape");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("content-type").starts_with("application/json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_refreshed_ahead_and_nobody_waits_or_gets_an_expired_one() {
    let wechat = FakeWechat::start().await;
    // Refreshed when a fifth is left; not given out any more in its last second.
    wechat.always(STABLE, Reply::Issue(10));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let first = server.token("test").await;
    wechat.close_the_door();
    eventually("the background asks ahead of the end", async || {
        let token = server.token("test").await;
        assert_eq!(token, first, "the old one is served until there is a new one");
        assert!(wechat.is_good(&token), "and it is good");
        wechat.calls(STABLE) == 2
    })
    .await;
    let asked = Instant::now();
    assert_eq!(server.token("test").await, first, "a request does not wait for the refresh");
    assert!(asked.elapsed() < AT_ONCE);
    wechat.open_the_door();
    eventually("one more refresh", async || {
        let asked = Instant::now();
        let token = server.token("test").await;
        assert!(wechat.is_good(&token) && asked.elapsed() < AT_ONCE);
        wechat.calls(STABLE) >= 3
    })
    .await;
    assert_ne!(server.token("test").await, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_of_an_account_share_its_token() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    for key in ["one", "two", "测试"] {
        server.register_cold(key, &[]).await;
    }
    let tokens = [server.token("one").await, server.token("two").await, server.token("测试").await];
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(wechat.all_calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classic_tokens_are_fetched_where_asked_for_and_are_not_the_stable_ones() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("stable", &[]).await;
    server.register_cold("classic", &[("token_mode", "classic")]).await;
    assert_ne!(server.token("stable").await, server.token("classic").await);
    assert_eq!(server.token("classic").await, server.token("classic").await);
    assert_eq!((wechat.calls(STABLE), wechat.calls(CLASSIC)), (1, 1));
    assert!(wechat.arrived(CLASSIC)[0].query.contains("grant_type=client_credential"));
    server.register_cold("classic", &[("token_mode", "")]).await;
    assert_eq!(server.token("classic").await, server.token("stable").await, "cleared means the default");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_corp_whose_id_looks_like_an_official_accounts_is_recognised() {
    let platform = Playground::start().await;
    let (corpid, [secret, _]) = platform.corp_named(Some("wx00112233445566aa")).await;
    let (server, _database) = local(&platform.url).await;
    server.register(&[("key", "corp"), ("appid", &corpid), ("secret", &secret)]).await;
    assert_eq!(platform.judges(&server.get("/app/corp/qyapi").await.token()).await, 0);
    assert_eq!(platform.calls("/cgi-bin/gettoken").await, 1);
    let refused = server.get("/app/corp/api").await;
    assert_eq!(refused.errcode(), 40013, "it has no token of an official account: {}", refused.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_secret_of_a_wecom_corp_has_a_token_of_its_own() {
    let platform = Playground::start().await;
    let (corpid, secrets) = platform.corp().await;
    let (server, _database) = local(&platform.url).await;
    for (key, secret) in [("one", &secrets[0]), ("two", &secrets[1]), ("also-two", &secrets[1])] {
        server.register(&[("key", key), ("appid", &corpid), ("secret", secret)]).await;
    }
    let token = async |key: &str| server.get(&format!("/app/{key}/qyapi")).await.token();
    assert_ne!(token("one").await, token("two").await);
    assert_eq!(token("two").await, token("also-two").await);
    assert_eq!(platform.judges(&token("one").await).await, 0);
    assert_eq!(platform.calls("/cgi-bin/gettoken").await, 2, "one for each secret");
    let old = token("one").await;
    platform.control("/sandbox/tokens/kill", &serde_json::json!({"access_token": old})).await;
    let new = server.get(&format!("/app/one/qyapi/new?access_token={old}")).await.token();
    assert_ne!(new, old);
    assert_eq!(platform.judges(&new).await, 0);
    assert_eq!(token("one").await, new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wecom_token_that_stays_the_same_until_its_end_is_followed_by_the_next_without_a_failed_read() {
    let platform = Playground::start().await;
    let (corpid, [secret, _]) = platform.corp().await;
    platform.change(&corpid, &serde_json::json!({"token_lifetime": 6})).await;
    let (server, _database) = local(&platform.url).await;
    server.register(&[("key", "corp"), ("appid", &corpid), ("secret", &secret)]).await;
    let mut seen = HashSet::new();
    eventually("three tokens were seen", async || {
        let answer = server.get("/app/corp/qyapi").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.expires_in() >= 1);
        seen.insert(answer.token());
        seen.len() == 3
    })
    .await;
    let calls = platform.calls("/cgi-bin/gettoken").await;
    assert!(calls <= 30, "{calls} calls for three tokens");
}
