//! Logins of members of a WeCom corp.

use sandbox::Account;
use sandbox::AccountKind::{Official, Wecom};
use serde_json::{Value, json};

use crate::client::{Sandbox, errcode, token};
use crate::visitor::{SITE, after, led, link};

const AGENT: &str = "&agentid=1000002";

async fn corp_token(sandbox: &Sandbox, corp: &Account) -> String {
    token(&sandbox.get(&format!("/cgi-bin/gettoken?corpid={}&corpsecret={}", corp.appid, corp.secret)).await)
}

async fn member(sandbox: &Sandbox, token: &str, code: &str) -> Value {
    sandbox.get(&format!("/cgi-bin/auth/getuserinfo?access_token={token}&code={code}")).await
}

#[tokio::test]
async fn a_member_is_known_by_the_userid() {
    let sandbox = Sandbox::start().await;
    let (corp, other) = (sandbox.account(Wecom), sandbox.account(Wecom));
    let (good, foreign) = (corp_token(&sandbox, &corp).await, corp_token(&sandbox, &other).await);
    let target = link(&corp.appid, SITE, "snsapi_base", "&state=s");
    let code = led(&sandbox.open(&target, &[]).await).code();
    assert_eq!(errcode(&member(&sandbox, &foreign, &code).await), 40029);
    let known = member(&sandbox, &good, &code).await;
    assert_eq!(known, json!({ "errcode": 0, "errmsg": "ok", "userid": "zhangsan" }));
    for wrong in [code.as_str(), "x", ""] {
        let refused = member(&sandbox, &good, wrong).await;
        assert_eq!(errcode(&refused), 40029);
        assert!(refused["errmsg"].as_str().unwrap().starts_with("invalid code, hint: ["), "{refused}");
    }
    let code = led(&sandbox.open(&target, &[]).await).code();
    let old = sandbox.get(&format!("/cgi-bin/user/getuserinfo?access_token={good}&code={code}")).await;
    assert_eq!((&old["UserId"], old["DeviceId"].is_string()), (&json!("zhangsan"), true));
    let code = led(&sandbox.open(&target, &[]).await).code();
    sandbox.advance(300).await;
    assert_eq!(errcode(&member(&sandbox, &good, &code).await), 40029, "too old");
    let official = sandbox.account(Official);
    let of_official = token(&sandbox.stable(&official, false).await);
    assert_eq!(errcode(&member(&sandbox, &of_official, &code).await), 40014);
}

#[tokio::test]
async fn sensitive_data_needs_consent_and_a_ticket() {
    let sandbox = Sandbox::start().await;
    let corp = sandbox.account(Wecom);
    let good = corp_token(&sandbox, &corp).await;
    let target = link(&corp.appid, SITE, "snsapi_privateinfo", AGENT);
    let asks = sandbox.open(&target, &[]).await;
    assert!(asks.body.contains("敏感信息") && !asks.body.contains("id=\"snapshot\""), "{}", asks.body);
    let answered = sandbox.decide(after(&asks.body, "name=\"ticket\" value=\""), "allow", "real").await;
    let known = member(&sandbox, &good, &led(&answered).code()).await;
    let ticket = known["user_ticket"].as_str().expect("a ticket");
    let detail_target = format!("/cgi-bin/auth/getuserdetail?access_token={good}");
    let detail = sandbox.post(&detail_target, &json!({ "user_ticket": ticket })).await;
    assert_eq!((&detail["errcode"], &detail["userid"]), (&json!(0), &json!("zhangsan")));
    for field in ["gender", "avatar", "qr_code", "mobile", "email", "biz_mail", "address"] {
        assert!(detail[field].is_string(), "{field}: {detail}");
    }
    assert_eq!(errcode(&sandbox.post(&detail_target, &json!({ "user_ticket": "x" })).await), 84015);
    sandbox.advance(1_800).await;
    assert_eq!(errcode(&sandbox.post(&detail_target, &json!({ "user_ticket": ticket })).await), 84014);
    assert_eq!(sandbox.open(&link(&corp.appid, SITE, "snsapi_privateinfo", ""), &[]).await.status, 200, "no agentid");
}

#[tokio::test]
async fn who_is_no_member_has_an_openid() {
    let sandbox = Sandbox::start().await;
    let corp = sandbox.account(Wecom);
    let good = corp_token(&sandbox, &corp).await;
    sandbox.set_user(&corp.appid, "zhangsan", &json!({ "following": false })).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let code = led(&sandbox.open(&link(&corp.appid, SITE, "snsapi_base", AGENT), &[]).await).code();
        seen.push(member(&sandbox, &good, &code).await);
    }
    assert!(seen[0].get("userid").is_none() && seen[0]["openid"].as_str().unwrap().starts_with('o'));
    assert!(seen[0]["external_userid"].as_str().unwrap().starts_with("wm"));
    assert_eq!(seen[0], seen[1], "always the same");
}

#[tokio::test]
async fn trusted_domains_have_a_port() {
    let sandbox = Sandbox::start().await;
    let corp = sandbox.account(Wecom);
    sandbox.set_account(&corp.appid, &json!({ "web_domains": ["a.example", "127.0.0.1:9000"] })).await;
    for (site, trusted) in [
        ("http://a.example/x", true),
        ("https://a.example/x", true),
        ("http://a.example:8080/x", false),
        ("http://127.0.0.1:9000/", true),
        ("http://127.0.0.1:9001/", false),
        ("http://b.a.example/", false),
    ] {
        let answer = sandbox.open(&link(&corp.appid, site, "snsapi_base", AGENT), &[]).await;
        assert_eq!(answer.status, if trusted { 302 } else { 200 }, "{site}");
        assert_eq!(answer.body.contains("50001"), !trusted, "{site}");
    }
}
