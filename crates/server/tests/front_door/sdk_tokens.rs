//! What SDKs hold instead of the account's token: how it is got, how long it is good, and who can end it.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::harness::caller::{Answer, Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::{CLASSIC, FakeWechat, Reply, STABLE};
use crate::harness::playground::{Playground, of};
use crate::harness::server::{ADMIN, Flags, Running, SECRET, TurnedClock, local, public};

const APPID: &str = "wx0123456789abcdef";
const INFO: &str = "/cgi-bin/user/info";

async fn classic(caller: &Caller, secret: &str) -> Answer {
    let pairs = [("grant_type", "client_credential"), ("appid", APPID), ("secret", secret)];
    caller.get(&format!("{CLASSIC}?{}", encoded(&pairs))).await
}

async fn stable(caller: &Caller, secret: &str, force: bool) -> Answer {
    let body = json!({"grant_type": "client_credential", "appid": APPID, "secret": secret, "force_refresh": force});
    caller.post_json(STABLE, &body).await
}

async fn info(caller: &Caller, token: &str) -> Answer {
    caller.get(&format!("{INFO}?access_token={token}&openid=o")).await
}

async fn scene() -> (FakeWechat, Running, Database, String) {
    let wechat = FakeWechat::start().await;
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let (server, database) = local(&wechat.url).await;
    let api_key = server.register_cold("test", &[]).await;
    (wechat, server, database, api_key)
}

#[tokio::test]
async fn a_virtual_token_is_got_with_either_secret_and_stands_for_the_real_one() {
    let (wechat, server, _database, api_key) = scene().await;
    let real = server.token("test").await;
    for secret in [SECRET, &api_key] {
        for answer in [classic(&server, secret).await, stable(&server, secret, false).await] {
            assert_eq!((answer.status, answer.expires_in()), (200, 7200));
            let token = answer.token();
            assert!(token != real && token.len() <= 512 && !token.contains(&real), "{token}");
            assert_eq!(info(&server, &token).await.json(), json!({"subscribe": 1}));
        }
    }
    let calls = wechat.arrived(INFO);
    assert!(calls.iter().all(|call| call.query == format!("access_token={real}&openid=o")));
    assert_eq!((calls.len(), wechat.calls(STABLE), wechat.calls(CLASSIC)), (4, 1, 0));
}

#[tokio::test]
async fn however_often_one_refreshes_nobody_is_disturbed() {
    let (wechat, server, _database, _) = scene().await;
    let first = classic(&server, SECRET).await.token();
    for _ in 0..50 {
        let token = stable(&server, SECRET, true).await.token();
        assert_eq!(info(&server, &token).await.status, 200);
    }
    assert_eq!(info(&server, &first).await.json(), json!({"subscribe": 1}));
    assert_eq!(wechat.calls(STABLE), 1);
}

#[tokio::test]
async fn the_body_of_stable_token_is_read_whatever_its_type_says() {
    let (_wechat, server, _database, _) = scene().await;
    let body = json!({"grant_type": "client_credential", "appid": APPID, "secret": SECRET}).to_string();
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let answer = server.send(Method::POST, STABLE, kind, body.clone().into_bytes()).await;
        assert_eq!(answer.expires_in(), 7200, "{kind:?}");
    }
    assert_eq!(server.get(STABLE).await.errcode(), 43002);
}

/// A stranger that sends its body byte by byte holds its place for 30 seconds, not for ever.
#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let (_wechat, server, _database, _) = scene().await;
    let head =
        format!("POST {STABLE} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{{");
    let answer = server.raw(&head).await;
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("\"errcode\":-10015,"), "{answer}");
}

#[tokio::test]
async fn wrong_ones_are_refused_in_wechats_words() {
    let (wechat, server, _database, _) = scene().await;
    let ask = async |pairs: &[(&str, &str)]| server.get(&format!("{CLASSIC}?{}", encoded(pairs))).await;
    let grant = ("grant_type", "client_credential");
    for (pairs, errcode) in [
        (vec![("appid", APPID), ("secret", SECRET)], 40002),
        (vec![grant, ("secret", SECRET)], 41002),
        (vec![grant, ("appid", APPID)], 41004),
        (vec![grant, ("appid", "wx9999999999999999"), ("secret", SECRET)], 40013),
        (vec![grant, ("appid", "no appid at all"), ("secret", SECRET)], 40013),
        (vec![grant, ("appid", APPID), ("secret", "wrong")], 40125),
    ] {
        let answer = ask(&pairs).await;
        assert_eq!((answer.status, answer.errcode()), (200, errcode), "{}", answer.text());
    }
    assert_eq!(server.get(INFO).await.errcode(), 41001);
    assert_eq!(server.get(&format!("{INFO}?access_token=")).await.errcode(), 41001);
    for unknown in ["x", "25_2R5eUHdLNXTu", "AQ", &"A".repeat(4000), "%ff%fe", "a b+c"] {
        let answer = info(&server, unknown).await;
        assert_eq!((answer.status, answer.errcode()), (200, 40001), "{unknown}");
    }
    let token = classic(&server, SECRET).await.token();
    let (begin, _) = token.split_at(token.len() - 2);
    assert_eq!(info(&server, &format!("{begin}00")).await.errcode(), 40001);
    assert_eq!((wechat.calls(INFO), wechat.calls(CLASSIC)), (0, 0));
    // What is no path of WeChat's that anybody knows, and has no token, is nothing.
    server.get("/no/such").await.is_refusal(404, -10001);
    server.get("/admin/nothing/here").await.is_refusal(404, -10001);
    assert_eq!(server.raw_get("/cgi-bin/%2e%2e/admin/apps?access_token=x").await["errcode"], -10001);
}

#[tokio::test]
async fn an_account_without_a_token_refuses_as_wechat_does() {
    let (wechat, server, _database, _) = scene().await;
    wechat.always(STABLE, Reply::errcode(40164, "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 1"));
    let answer = classic(&server, SECRET).await;
    assert_eq!((answer.status, answer.errcode()), (200, 40164));
}

#[tokio::test]
async fn it_ends_after_two_hours_with_wechats_word_for_that() {
    let (wechat, database, clock) = (FakeWechat::start().await, Database::sqlite(), Arc::new(TurnedClock::default()));
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let server = Running::start_by(&Flags::new(&database, &wechat.url), Arc::clone(&clock)).await;
    server.register_cold("test", &[]).await;
    let token = classic(&server, SECRET).await.token();
    clock.turn(Duration::from_secs(7100));
    assert_eq!(info(&server, &token).await.json(), json!({"subscribe": 1}));
    clock.turn(Duration::from_secs(100));
    assert_eq!(info(&server, &token).await.errcode(), 42001);
}

/// Two nodes on one database, and a token that one of them gave.
async fn two_nodes() -> (FakeWechat, Database, [Running; 2], String) {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let flags = Flags::new(&database, &wechat.url).public();
    let one = Running::start(&flags).await;
    let api_key = one.bearer(ADMIN).register_cold("test", &[]).await;
    let two = Running::start(&flags).await;
    (wechat, database, [one, two], api_key)
}

async fn is_refused_on_both_within_a_second(nodes: &[Running; 2], token: &str) {
    let begin = std::time::Instant::now();
    for node in nodes {
        eventually("the token is refused", async || info(node, token).await.json()["errcode"] == 40001).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn every_node_takes_it_and_an_operator_revokes_it_on_all() {
    let (_wechat, _database, nodes, api_key) = two_nodes().await;
    let token = classic(&nodes[0], &api_key).await.token();
    for node in &nodes {
        assert_eq!(info(node, &token).await.json(), json!({"subscribe": 1}));
    }
    nodes[1].send(Method::DELETE, "/admin/apps/test/tokens", None, Vec::new()).await.is_refusal(401, -10009);
    let operator = nodes[1].bearer(ADMIN);
    let revoked = operator.send(Method::DELETE, "/admin/apps/test/tokens", None, Vec::new()).await;
    assert_eq!(revoked.json(), json!({"success": true, "key": "test"}));
    is_refused_on_both_within_a_second(&nodes, &token).await;
    let next = classic(&nodes[0], &api_key).await.token();
    assert_eq!(info(&nodes[1], &next).await.json(), json!({"subscribe": 1}));
    operator.send(Method::DELETE, "/admin/apps/nobody/tokens", None, Vec::new()).await.is_refusal(404, -10004);
}

#[tokio::test]
async fn it_ends_with_the_secret_that_it_was_got_with() {
    let (_wechat, _database, nodes, api_key) = two_nodes().await;
    let operator = nodes[0].bearer(ADMIN);
    let by_key = classic(&nodes[0], &api_key).await.token();
    let by_secret = classic(&nodes[0], SECRET).await.token();
    let register = async |extra: &[(&str, &str)]| {
        let mut pairs = vec![("key", "test"), ("appid", APPID), ("secret", SECRET), ("check", "false")];
        pairs.retain(|(name, _)| !extra.iter().any(|(other, _)| other == name));
        pairs.extend_from_slice(extra);
        operator.register(&pairs).await
    };
    // The old api_key is good for a day, and so is what was got with it.
    register(&[("rotate", "api_key")]).await;
    assert_eq!(info(&nodes[0], &by_key).await.json(), json!({"subscribe": 1}));
    register(&[("rotate", "api_key"), ("revoke", "true")]).await;
    is_refused_on_both_within_a_second(&nodes, &by_key).await;
    assert_eq!(info(&nodes[1], &by_secret).await.json(), json!({"subscribe": 1}));
    register(&[("secret", "fedcba9876543210fedcba9876543210")]).await;
    is_refused_on_both_within_a_second(&nodes, &by_secret).await;
    let gone = classic(&nodes[0], "fedcba9876543210fedcba9876543210").await.token();
    operator.send(Method::DELETE, "/admin/apps/test", None, Vec::new()).await;
    is_refused_on_both_within_a_second(&nodes, &gone).await;
}

#[tokio::test]
async fn what_was_given_for_a_registration_that_is_gone_is_none_of_its_successors() {
    let (_wechat, server, _database, _) = scene().await;
    let old = classic(&server, SECRET).await.token();
    let remove = async || server.send(Method::DELETE, "/admin/apps/test", None, Vec::new()).await;
    assert_eq!(remove().await.status, 200);
    server.register_cold("test", &[]).await;
    assert_eq!(info(&server, &old).await.errcode(), 40001);
    // A real one belongs to the account, whichever registration of it is there.
    server.register_cold("second", &[]).await;
    let real = server.token("second").await;
    assert_eq!(info(&server, &real).await.json(), json!({"subscribe": 1}));
    remove().await;
    assert_eq!(info(&server, &real).await.json(), json!({"subscribe": 1}));
}

#[tokio::test]
async fn a_real_token_is_taken_also_by_a_node_that_never_saw_it() {
    let (wechat, _database, [one, two], api_key) = two_nodes().await;
    let first = one.bearer(&api_key).token("test").await;
    assert_eq!(info(&two, &first).await.json(), json!({"subscribe": 1}));
    // Replaced, it stands for its successor, for as long as WeChat takes it.
    let renewed = one.bearer(&api_key).get("/app/test/api/new").await.token();
    assert_ne!(first, renewed);
    assert_eq!(info(&one, &first).await.json(), json!({"subscribe": 1}));
    assert_eq!(wechat.arrived(INFO)[1].parameter("access_token"), renewed);
    // A ticket is no token.
    let ticket = one.bearer(&api_key).get("/app/test/jsapi").await.ticket();
    assert_eq!(info(&one, &ticket).await.errcode(), 40001);
}

#[tokio::test]
async fn guesses_of_strangers_come_to_an_end_and_good_ones_do_not() {
    let wechat = FakeWechat::start().await;
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let (server, _database) = public(&wechat.url).await;
    let api_key = server.bearer(ADMIN).register_cold("test", &[]).await;
    let token = classic(&server, &api_key).await.token();
    for _ in 0..20 {
        assert_eq!(classic(&server, "wrong").await.errcode(), 40125);
    }
    classic(&server, "wrong").await.is_refusal(429, -10012);
    assert_eq!(classic(&server, &api_key).await.expires_in(), 7200);
    for _ in 0..300 {
        assert_eq!(info(&server, "nobodys").await.errcode(), 40001);
    }
    info(&server, "nobodys").await.is_refusal(429, -10012);
    assert_eq!(info(&server, &token).await.json(), json!({"subscribe": 1}));
}

/// The sandbox ends a token as WeChat does, and says so.
#[tokio::test]
async fn in_front_of_the_sandbox_no_dead_token_ever_reaches_an_sdk() {
    let playground = Playground::start().await;
    let account = playground.official();
    let (server, _database) = local(&playground.url).await;
    server.register(&of(&account, "test")).await;
    let fetch = async || {
        let pairs = [("grant_type", "client_credential"), ("appid", &*account.appid), ("secret", &*account.secret)];
        server.get(&format!("{CLASSIC}?{}", encoded(&pairs))).await.token()
    };
    for round in 0..40 {
        let token = fetch().await;
        if round % 10 == 5 {
            playground.control("/sandbox/tokens/kill", &json!({"appid": account.appid})).await;
        }
        let answer = server.get(&format!("/cgi-bin/getcallbackip?access_token={token}")).await;
        assert_eq!(answer.errcode(), 0, "{}", answer.text());
    }
    assert_eq!(playground.calls(CLASSIC).await, 0);
    assert_eq!(playground.calls(STABLE).await, 5);
}
