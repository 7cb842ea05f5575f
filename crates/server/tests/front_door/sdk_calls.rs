//! WeChat's own interface at the root, as SDKs use it: codes, scopes, several registrations of one account.

use serde_json::json;

use crate::harness::caller::{Caller, encoded};
use crate::harness::fake_wechat::{EXCHANGE, FakeWechat, PROFILE, Reply};
use crate::harness::server::{ADMIN, SECRET, local, public};

const APPID: &str = "wx0123456789abcdef";
const INFO: &str = "/cgi-bin/user/info";

async fn token(caller: &Caller, secret: &str) -> String {
    let pairs = [("grant_type", "client_credential"), ("appid", APPID), ("secret", secret)];
    caller.get(&format!("/cgi-bin/token?{}", encoded(&pairs))).await.token()
}

#[tokio::test]
async fn codes_are_exchanged_with_the_real_secret_whichever_was_shown() {
    let wechat = FakeWechat::start().await;
    wechat.always("/sns/jscode2session", Reply::Json(json!({"openid": "o", "session_key": "k"})));
    let (server, _database) = local(&wechat.url).await;
    let api_key = server.register_cold("test", &[]).await;
    for (path, code) in [(EXCHANGE, "code"), ("/sns/jscode2session", "js_code")] {
        for secret in [SECRET, &api_key] {
            let pairs = [("appid", APPID), ("secret", secret), (code, "C"), ("grant_type", "authorization_code")];
            let answer = server.get(&format!("{path}?{}", encoded(&pairs))).await;
            assert_eq!((answer.status, answer.errcode()), (200, 0), "{}", answer.text());
        }
        let calls = wechat.arrived(path);
        assert_eq!(calls.len(), 2);
        assert!(calls.iter().all(|call| call.parameter("secret") == SECRET && call.parameter(code) == "C"));
        let wrong = server.get(&format!("{path}?appid={APPID}&secret=wrong&{code}=C")).await;
        assert_eq!(wrong.errcode(), 40125);
        let unknown = server.get(&format!("{path}?appid=wx9999999999999999&secret={SECRET}&{code}=C")).await;
        assert_eq!((unknown.errcode(), wechat.calls(path)), (40013, 2));
    }
}

#[tokio::test]
async fn a_visitors_own_token_is_wechats_to_judge() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    server.bearer(ADMIN).register_cold("test", &[]).await;
    let profile = server.get(&format!("{PROFILE}?access_token=WEB&openid=o&lang=zh_CN")).await;
    assert_eq!(profile.json()["openid"], "o");
    assert_eq!(wechat.arrived(PROFILE)[0].query, "access_token=WEB&openid=o&lang=zh_CN");
    let refresh = "/sns/oauth2/refresh_token?appid=wx0123456789abcdef&grant_type=refresh_token&refresh_token=R";
    server.get(refresh).await;
    assert_eq!(wechat.arrived("/sns/oauth2/refresh_token")[0].parameter("refresh_token"), "R");
    // Who tries out tokens is stopped.
    wechat.always("/sns/auth", Reply::errcode(40001, "invalid credential"));
    for _ in 0..600 {
        assert_eq!(server.get("/sns/auth?access_token=guess&openid=o").await.errcode(), 40001);
    }
    server.get("/sns/auth?access_token=guess&openid=o").await.is_refusal(429, -10012);
}

#[tokio::test]
async fn nothing_that_is_not_a_visitors_goes_on_without_a_known_caller() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let api_key = server.register_cold("test", &[]).await;
    let held = token(&server, &api_key).await;
    let before = wechat.all_calls();
    assert_eq!(server.post_json("/sns/whatever/anything", &json!({"a": 1})).await.errcode(), 41001);
    assert_eq!(server.get("/sns/whatever/anything").await.errcode(), 41001);
    assert_eq!(server.post_json(&format!("{PROFILE}?access_token=WEB&openid=o"), &json!({})).await.errcode(), 41001);
    assert_eq!(server.get(&format!("{PROFILE}?access_token={held}&openid=o")).await.errcode(), 40001);
    assert_eq!(server.get("/sns/JSCODE2session?appid=wx1&secret=s&js_code=C").await.errcode(), 40013);
    assert_eq!(wechat.all_calls(), before, "nothing went on");
    let any_case = server.get(&format!("/sns/JSCODE2session?appid={APPID}&secret={api_key}&js_code=C")).await;
    assert_eq!(any_case.status, 200);
    assert_eq!(wechat.arrived("/sns/JSCODE2session")[0].parameter("secret"), SECRET);
}

#[tokio::test]
async fn a_consumer_may_what_its_registration_may() {
    let wechat = FakeWechat::start().await;
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let (server, _database) = local(&wechat.url).await;
    let narrow = server.register_cold("narrow", &[("call", "/cgi-bin/user")]).await;
    let held = token(&server, &narrow).await;
    assert_eq!(server.get(&format!("{INFO}?access_token={held}")).await.json(), json!({"subscribe": 1}));
    for path in ["/cgi-bin/menu/get", "/cgi-bin/user/%2e%2e/menu/get", "/cgi-bin/ticket/getticket"] {
        let answer = server.get(&format!("{path}?access_token={held}&type=jsapi")).await;
        answer.is_refusal(403, -10011);
    }
    let code = server.get(&format!("{EXCHANGE}?appid={APPID}&secret={narrow}&code=C")).await;
    code.is_refusal(403, -10011);
    // The AppSecret is the account's: it opens the registration that may most.
    server.register_cold("wide", &[]).await;
    let held = token(&server, SECRET).await;
    wechat.always("/cgi-bin/menu/get", Reply::Json(json!({"menu": {}})));
    assert_eq!(server.get(&format!("/cgi-bin/menu/get?access_token={held}")).await.json(), json!({"menu": {}}));
}

#[tokio::test]
async fn tickets_of_an_sdk_come_from_the_same_memory() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let held = token(&server, SECRET).await;
    for (kind, own) in [("jsapi", "/app/test/jsapi"), ("wx_card", "/app/test/js/card")] {
        let answer = server.get(&format!("/cgi-bin/ticket/getticket?access_token={held}&type={kind}")).await;
        assert_eq!((answer.errcode(), answer.ticket()), (0, server.get(own).await.ticket()));
        assert!((7100..=7200).contains(&answer.expires_in()));
    }
    assert_eq!(wechat.calls(crate::harness::fake_wechat::TICKET), 2);
    let unknown = server.get("/cgi-bin/ticket/getticket?access_token=x&type=jsapi").await;
    assert_eq!(unknown.errcode(), 40001);
}

#[tokio::test]
async fn quotas_are_cleared_with_the_real_secret() {
    let wechat = FakeWechat::start().await;
    wechat.always("/cgi-bin/clear_quota/v2", Reply::Json(json!({"errcode": 0, "errmsg": "ok"})));
    let (server, _database) = local(&wechat.url).await;
    let api_key = server.register_cold("test", &[]).await;
    let target = format!("/cgi-bin/clear_quota/v2?appid={APPID}&appsecret={api_key}");
    assert_eq!(server.post_json(&target, &json!({})).await.errcode(), 0);
    assert_eq!(wechat.arrived("/cgi-bin/clear_quota/v2")[0].parameter("appsecret"), SECRET);
}

#[tokio::test]
async fn third_party_platforms_need_a_registration_of_their_own() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let path = "/cgi-bin/component/api_create_preauthcode";
    let answer = server.post_json(&format!("{path}?component_access_token=C"), &json!({})).await;
    assert_eq!((answer.errcode(), wechat.all_calls()), (41001, 0));
    server.register_cold("test", &[]).await;
    wechat.always(path, Reply::Json(json!({"pre_auth_code": "P"})));
    server.post_json(&format!("/app/test{path}?component_access_token=C"), &json!({})).await;
    assert_eq!(wechat.arrived(path)[0].query, "component_access_token=C");
}
