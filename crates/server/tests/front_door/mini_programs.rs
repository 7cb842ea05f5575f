//! `/app/KEY/login`: who a user of a mini program is, and what the mini program got sealed from WeChat. The sealed data and its
//! key are those of WeChat's own documents.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::caller::{Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{FakeWechat, Reply};
use crate::harness::server::{ADMIN, Flags, Running, SECRET, TurnedClock, local, public};

const SESSION: &str = "/sns/jscode2session";
const APPID: &str = "wx4f4bc4dec97d474b";
const SESSION_KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
const IV: &str = "r7BXXKkLb8qrSNn05n0qiA==";
const ENCRYPTED: &str = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==";

const OTHER_KEY: &str = "HyVFkGl5F5OQWJZZaNzBBg==";
const RAW: &str = r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#;
const SIGNATURE: &str = "75e81ceda165f4ffa64f4068af58c64b8f54b88c";

async fn register(caller: &Caller, key: &str) -> String {
    let answer = caller.register(&[("key", key), ("appid", APPID), ("secret", SECRET), ("check", "false")]).await;
    answer["api_key"].as_str().unwrap().to_owned()
}

fn session(key: &str) -> Reply {
    Reply::Json(json!({"openid": "o-1", "unionid": "u-1", "session_key": key}))
}

async fn scene(key: &str) -> (FakeWechat, Running, Database, String) {
    let wechat = FakeWechat::start().await;
    wechat.always(SESSION, session(key));
    let (server, database) = local(&wechat.url).await;
    let api_key = register(&server, "mini").await;
    (wechat, server, database, api_key)
}

#[tokio::test]
async fn a_code_becomes_a_user_and_the_session_key_goes_to_who_shows_the_api_key() {
    let (wechat, server, _database, api_key) = scene(SESSION_KEY).await;
    let user = server.get("/app/mini/login?js_code=C1").await.json();
    assert_eq!((&user["openid"], &user["unionid"], &user["session_key"]), (&json!("o-1"), &json!("u-1"), &Value::Null));
    assert!(!user.to_string().contains(SESSION_KEY));
    let call = &wechat.arrived(SESSION)[0];
    assert_eq!((call.parameter("appid").as_str(), call.parameter("secret").as_str()), (APPID, SECRET));
    assert_eq!(
        (call.parameter("js_code").as_str(), call.parameter("grant_type").as_str()),
        ("C1", "authorization_code")
    );
    let for_server = server.bearer(&api_key).post_json("/app/mini/login", &json!({"js_code": "C2"})).await.json();
    assert_eq!(for_server["session_key"], SESSION_KEY);
    server.bearer("wrong").get("/app/mini/login?js_code=C3").await.json()["session_key"]
        .is_null()
        .then_some(())
        .unwrap();
}

#[tokio::test]
async fn in_public_only_the_teams_servers_may_log_users_in() {
    let wechat = FakeWechat::start().await;
    wechat.always(SESSION, session(SESSION_KEY));
    let (server, _database) = public(&wechat.url).await;
    let api_key = register(&server.bearer(ADMIN), "mini").await;
    server.get("/app/mini/login?js_code=C").await.is_refusal(401, -10010);
    assert_eq!(wechat.all_calls(), 0);
    assert_eq!(server.bearer(&api_key).get("/app/mini/login?js_code=C").await.json()["session_key"], SESSION_KEY);
}

#[tokio::test]
async fn the_session_key_has_no_side_door() {
    let (wechat, server, _database, api_key) = scene(SESSION_KEY).await;
    for path in ["/sns/jscode2session", "/sns/JSCode2Session", "/sns/./jscode2session"] {
        server.get(&format!("/app/mini{path}?js_code=C")).await.is_refusal(401, -10010);
    }
    assert_eq!(wechat.calls(SESSION), 0);
    let shown = server.bearer(&api_key).get("/app/mini/sns/jscode2session?js_code=C").await;
    assert_eq!(shown.json()["session_key"], SESSION_KEY);
}

#[tokio::test]
async fn what_wechat_refuses_is_told_in_its_words() {
    let (wechat, server, _database, _) = scene(SESSION_KEY).await;
    for errcode in [40029, 40163, 40226, 45011] {
        wechat.next(SESSION, Reply::errcode(errcode, "invalid code, rid: 1"));
        let answer = server.get("/app/mini/login?js_code=C").await;
        assert_eq!((answer.status, answer.errcode()), (200, errcode));
    }
    wechat.next(SESSION, Reply::Json(json!({"openid": "o-1"})));
    server.get("/app/mini/login?js_code=C").await.is_refusal(502, -10014);
    wechat.next(SESSION, Reply::Half);
    server.get("/app/mini/login?js_code=C").await.is_refusal(502, -10014);
    let before = wechat.calls(SESSION);
    server.get("/app/mini/login").await.is_refusal(400, -10003);
    assert_eq!(server.send(http::Method::HEAD, "/app/mini/login?js_code=C", None, Vec::new()).await.status, 405);
    assert_eq!(wechat.calls(SESSION), before);
}

#[tokio::test]
async fn a_signed_profile_is_checked() {
    let (_wechat, server, _database, _) = scene(OTHER_KEY).await;
    let with = |raw: &str, signature: &str| json!({"js_code": "C", "rawData": raw, "signature": signature});
    let user = server.post_json("/app/mini/login", &with(RAW, SIGNATURE)).await.json();
    assert_eq!((&user["rawData"]["nickName"], &user["openid"]), (&json!("Band"), &json!("o-1")));
    let forged = RAW.replace("Band", "Boss");
    server.post_json("/app/mini/login", &with(&forged, SIGNATURE)).await.is_refusal(403, -10037);
    server.post_json("/app/mini/login", &json!({"js_code": "C", "rawData": RAW})).await.is_refusal(400, -10003);
}

#[tokio::test]
async fn what_wechat_sealed_is_opened_by_code_session_or_key() {
    let (wechat, server, _database, _) = scene(SESSION_KEY).await;
    let session = server.get("/app/mini/login?js_code=C").await.json()["session"].as_str().unwrap().to_owned();
    for known in [("session", session.as_str()), ("session_key", SESSION_KEY), ("js_code", "C2")] {
        let pairs = [known, ("encryptedData", ENCRYPTED), ("iv", IV)];
        let opened = server.post_form("/app/mini/login/decrypt", &pairs).await.json();
        assert_eq!(opened["data"]["openId"], "oGZUI0egBJY1zhBYw2KhdUfwVJJE", "{opened}");
        assert_eq!(opened["data"]["watermark"]["appid"], APPID);
        assert_eq!(
            server.get(&format!("/app/mini/login/decrypt?{}", encoded(&pairs))).await.json()["data"],
            opened["data"]
        );
    }
    // In the login itself as well: one call.
    let all = json!({"js_code": "C", "encryptedData": ENCRYPTED, "iv": IV});
    let user = server.post_json("/app/mini/login", &all).await.json();
    assert_eq!((&user["openid"], &user["data"]["nickName"]), (&json!("o-1"), &json!("Band")));
    assert_eq!(wechat.calls(SESSION), 4);
}

#[tokio::test]
async fn what_does_not_open_is_told_apart_only_as_far_as_it_helps() {
    let (_wechat, server, _database, _) = scene(SESSION_KEY).await;
    let ask = async |pairs: &[(&str, &str)]| server.post_form("/app/mini/login/decrypt", pairs).await;
    ask(&[("session_key", OTHER_KEY), ("encryptedData", ENCRYPTED), ("iv", IV)]).await.is_refusal(400, -10038);
    ask(&[("session_key", SESSION_KEY), ("encryptedData", "no base64!"), ("iv", IV)]).await.is_refusal(400, -10038);
    ask(&[("session_key", SESSION_KEY), ("encryptedData", ENCRYPTED), ("iv", "x")]).await.is_refusal(400, -10038);
    ask(&[("session_key", "short"), ("encryptedData", ENCRYPTED), ("iv", IV)]).await.is_refusal(400, -10003);
    ask(&[("session", "nonsense"), ("encryptedData", ENCRYPTED), ("iv", IV)]).await.is_refusal(403, -10036);
    ask(&[("encryptedData", ENCRYPTED), ("iv", IV)]).await.is_refusal(400, -10003);
    ask(&[("session_key", SESSION_KEY), ("js_code", "C"), ("encryptedData", ENCRYPTED), ("iv", IV)])
        .await
        .is_refusal(400, -10003);
    ask(&[("session_key", SESSION_KEY)]).await.is_refusal(400, -10003);
    ask(&[("session_key", SESSION_KEY), ("encryptedData", ENCRYPTED)]).await.is_refusal(400, -10003);
    // Sealed for one mini program, sent to the registration of another.
    server.register_cold("other", &[]).await;
    let pairs = [("session_key", SESSION_KEY), ("encryptedData", ENCRYPTED), ("iv", IV)];
    server.post_form("/app/other/login/decrypt", &pairs).await.is_refusal(400, -10038);
}

#[tokio::test]
async fn a_session_is_of_use_to_its_mini_program_for_three_days_on_every_node() {
    let (wechat, database, clock) = (FakeWechat::start().await, Database::sqlite(), Arc::new(TurnedClock::default()));
    wechat.always(SESSION, session(SESSION_KEY));
    let flags = Flags::new(&database, &wechat.url);
    let one = Running::start_by(&flags, Arc::clone(&clock)).await;
    register(&one, "mini").await;
    one.register_cold("other", &[]).await;
    let two = Running::start_by(&flags, Arc::clone(&clock)).await;
    let session = one.get("/app/mini/login?js_code=C").await.json()["session"].as_str().unwrap().to_owned();
    let pairs = [("session", session.as_str()), ("encryptedData", ENCRYPTED), ("iv", IV)];
    assert_eq!(two.post_form("/app/mini/login/decrypt", &pairs).await.json()["openid"], "o-1");
    two.post_form("/app/other/login/decrypt", &pairs).await.is_refusal(403, -10036);
    clock.turn(Duration::from_secs(3 * 24 * 3600));
    two.post_form("/app/mini/login/decrypt", &pairs).await.is_refusal(403, -10036);
}
