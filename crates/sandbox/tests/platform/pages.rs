//! The login page: which links it takes, whom it asks, and what the answer leads to.

use sandbox::AccountKind::{MiniProgram, Official, Website, Wecom};
use sandbox::NewAccount;
use serde_json::json;

use crate::client::{Sandbox, errcode};
use crate::visitor::{SITE, after, led, link};

const DESKTOP: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36";

#[tokio::test]
async fn a_wrong_link_cannot_be_opened() {
    let sandbox = Sandbox::start().await;
    let appid = sandbox.account(Official).appid;
    let good = link(&appid, SITE, "snsapi_base", "&state=1");
    let [mini, website, corp] = [MiniProgram, Website, Wecom].map(|kind| sandbox.account(kind).appid);
    for (wrong, said) in [
        (link("wx0", SITE, "snsapi_base", ""), "AppID 参数错误"),
        (link(&mini, SITE, "snsapi_base", ""), "10016"),
        (link(&website, SITE, "snsapi_base", ""), "10016"),
        (link(&appid, SITE, "snsapi_login", ""), "10005"),
        (link(&appid, SITE, "snsapi_privateinfo", ""), "10005"),
        (link(&corp, SITE, "snsapi_userinfo", ""), "10005"),
        (link(&corp, SITE, "snsapi_base", "&agentid=9"), "agentid 参数错误"),
        (link(&appid, SITE, "", ""), "10010"),
        (link(&appid, "", "snsapi_base", ""), "10011"),
        (link("", SITE, "snsapi_base", ""), "10012"),
        (link(&appid, "/relative", "snsapi_base", ""), "redirect_uri 参数错误"),
        (link(&appid, "javascript:alert(1)", "snsapi_base", ""), "redirect_uri 参数错误"),
        (good.replace("appid=", "appId="), "参数大小写错误"),
        (good.replace("response_type=code&", "") + "&response_type=code", "参数顺序错误"),
        (good.replace("http%3A%2F%2Fsite.example%2Fback%3Fx%3D1", "http://site.example/?x=1&y=2"), "参数顺序错误"),
        (good.replace("state=1", "state=a%3Cb"), "state 参数错误"),
        (format!("{good}&component_appid=wx9"), "10015"),
    ] {
        let answer = sandbox.open(&wrong, &[]).await;
        assert_eq!((answer.status, answer.header("location")), (200, None), "{wrong}");
        assert!(answer.body.contains("该链接无法访问") && answer.body.contains(said), "{wrong}: {}", answer.body);
    }
    assert_eq!(led(&sandbox.open(&good, &[]).await).state.as_deref(), Some("1"));
    let without_state = led(&sandbox.open(&link(&appid, SITE, "snsapi_base", ""), &[]).await);
    assert_eq!(without_state.state.as_deref(), Some(""));
    assert_eq!(sandbox.send("POST", &good, "").await.status, 405);
    assert_eq!(sandbox.send("GET", "/connect/nothing", "").await.status, 404);
}

#[tokio::test]
async fn the_state_of_an_account_closes_the_page() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let openid = sandbox.phone_of(&account.appid).await;
    let target = link(&account.appid, SITE, "snsapi_base", "");
    for (patch, code) in [
        (json!({ "web_domains": ["other.example"] }), Some("10003")),
        (json!({ "web_domains": ["sub.site.example"] }), Some("10003")),
        (json!({ "web_domains": ["SITE.example"] }), None),
        (json!({ "rights": { "web_login": false } }), Some("10005")),
        (json!({ "rights": { "web_login": true }, "frozen": true }), Some("10004")),
        (json!({ "frozen": false, "test_account": true }), None),
    ] {
        sandbox.set_account(&account.appid, &patch).await;
        let answer = sandbox.open(&target, &[]).await;
        assert_eq!(answer.status, if code.is_some() { 200 } else { 302 }, "{patch}");
        assert!(code.is_none_or(|code| answer.body.contains(code)), "{patch}: {}", answer.body);
    }
    sandbox.set_user(&account.appid, &openid, &json!({ "following": false })).await;
    assert!(sandbox.open(&target, &[]).await.body.contains("10006"), "a test account wants to be followed");
}

#[tokio::test]
async fn the_visitor_is_asked_once_for_each_page() {
    let sandbox = Sandbox::start().await;
    let name = Some("<i>\"店\"</i>".to_owned());
    let account = sandbox.platform.create_account(NewAccount { name, ..NewAccount::of(Official) }).unwrap();
    let openid = sandbox.phone_of(&account.appid).await;
    let nickname = "</b><script>alert(1)</script>";
    sandbox.set_user(&account.appid, &openid, &json!({ "nickname": nickname })).await;
    let target = link(&account.appid, SITE, "snsapi_userinfo", "&state=s1");
    let page = sandbox.open(&target, &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("&lt;i&gt;&quot;店&quot;&lt;/i&gt;"), "{}", page.body);
    assert!(!page.body.contains("<script") && page.body.contains("&lt;script&gt;alert(1)"), "{}", page.body);
    assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'self'"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let ticket = after(&page.body, "name=\"ticket\" value=\"");
    let allowed = sandbox.decide(ticket, "allow", "real").await;
    assert_eq!(allowed.header("cache-control"), Some("no-store"));
    let back = led(&allowed);
    assert_eq!((back.place.as_str(), back.state.as_deref()), (SITE, Some("s1")));
    assert_eq!(sandbox.exchange(&account, &back.code()).await["openid"], openid);
    for used in [ticket, "x", ""] {
        let again = sandbox.decide(used, "allow", "real").await;
        assert!(again.status == 200 && again.body.contains("页面已失效"), "{}", again.body);
    }
    let page = sandbox.open(&target, &[]).await;
    let refused = led(&sandbox.decide(after(&page.body, "name=\"ticket\" value=\""), "refuse", "real").await);
    assert_eq!((refused.code, refused.state.as_deref()), (None, Some("s1")));
    let page = sandbox.open(&target, &[]).await;
    let code = led(&sandbox.decide(after(&page.body, "name=\"ticket\" value=\""), "allow", "virtual").await).code();
    assert_eq!(sandbox.exchange(&account, &code).await["is_snapshotuser"], 1);
    let page = sandbox.open(&target, &[]).await;
    sandbox.advance(600).await;
    let late = sandbox.decide(after(&page.body, "name=\"ticket\" value=\""), "allow", "real").await;
    assert!(late.body.contains("页面已失效"));
    assert_eq!(sandbox.open("/connect/oauth2/decide?ticket=x&decision=allow", &[]).await.status, 405);
}

#[tokio::test]
async fn a_follower_from_the_chat_is_not_asked() {
    let sandbox = Sandbox::start().await;
    let (account, other) = (sandbox.account(Official), sandbox.account(Official));
    let openid = sandbox.phone_of(&account.appid).await;
    let target = link(&account.appid, SITE, "snsapi_userinfo", "");
    sandbox.set_phone(&json!({ "chat": account.appid })).await;
    let code = led(&sandbox.open(&target, &[]).await).code();
    assert_eq!(sandbox.exchange(&account, &code).await["scope"], "snsapi_userinfo");
    assert_eq!(sandbox.open(&link(&other.appid, SITE, "snsapi_userinfo", ""), &[]).await.status, 200, "another's chat");
    sandbox.set_user(&account.appid, &openid, &json!({ "following": false })).await;
    assert_eq!(sandbox.open(&target, &[]).await.status, 200, "no follower");
    sandbox.set_user(&account.appid, &openid, &json!({ "following": true })).await;
    assert_eq!(sandbox.open(&target, &[]).await.status, 302);
    sandbox.set_phone(&json!({ "chat": null })).await;
    assert_eq!(sandbox.open(&target, &[]).await.status, 200, "not from the chat");
}

#[tokio::test]
async fn the_phone_decides_by_itself_when_told_to() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let target = link(&account.appid, SITE, "snsapi_userinfo", "&state=s");
    sandbox.set_phone(&json!({ "consent": "refuse" })).await;
    let refused = led(&sandbox.open(&target, &[]).await);
    assert_eq!((refused.code, refused.state.as_deref()), (None, Some("s")));
    let base = led(&sandbox.open(&link(&account.appid, SITE, "snsapi_base", ""), &[]).await);
    assert!(base.code.is_some(), "nobody is asked for snsapi_base");
    let view = sandbox.set_phone(&json!({ "consent": "allow", "system": "ios" })).await;
    assert!(view["user_agent"].as_str().unwrap().contains("iPhone"), "{view}");
    assert!(led(&sandbox.open(&target, &[]).await).code.is_some());
    assert_eq!(sandbox.get("/sandbox/phone").await, sandbox.get("/sandbox/state").await["phone"]);
    for wrong in [json!({ "consent": "maybe" }), json!({ "system": "palm" }), json!({ "opened": 1 })] {
        assert_eq!(sandbox.control("PATCH", "/sandbox/phone", &wrong).await.status, 400, "{wrong}");
    }
    sandbox.control("POST", "/sandbox/reset", &json!({})).await.ok();
    assert_eq!(sandbox.get("/sandbox/phone").await["consent"], "ask");
}

#[tokio::test]
async fn other_browsers_are_sent_to_wechat() {
    let sandbox = Sandbox::start().await;
    let (account, corp) = (sandbox.account(Official), sandbox.account(Wecom));
    let phone = sandbox.get("/sandbox/phone").await;
    let target = link(&account.appid, SITE, "snsapi_base", "");
    let outside = sandbox.open(&target, &[DESKTOP]).await;
    assert!(outside.status == 200 && outside.body.contains("请在微信客户端打开链接"), "{}", outside.body);
    let of_corp = sandbox.open(&link(&corp.appid, SITE, "snsapi_base", ""), &[DESKTOP]).await;
    assert!(of_corp.body.contains("请在企业微信客户端打开链接"), "{}", of_corp.body);
    assert_eq!(sandbox.open(&target, &[DESKTOP, "sec-fetch-dest: iframe"]).await.status, 302);
    assert_eq!(sandbox.open(&target, &[DESKTOP, "sec-fetch-dest: document"]).await.status, 200);
    for name in ["user_agent", "wecom_user_agent"] {
        let agent = format!("user-agent: {}", phone[name].as_str().unwrap());
        assert_eq!(sandbox.open(&target, &[&agent]).await.status, 302, "{agent}");
    }
    assert_eq!(sandbox.open(&target, &["user-agent: curl/8.5.0"]).await.status, 302);
}

#[tokio::test]
async fn the_steps_of_a_login_stand_in_the_journal() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let target = link(&account.appid, SITE, "snsapi_userinfo", "");
    let page = sandbox.open(&target, &[]).await;
    sandbox.decide(after(&page.body, "name=\"ticket\" value=\""), "allow", "real").await;
    sandbox.open(&link(&account.appid, SITE, "x", ""), &[]).await;
    sandbox.send("GET", "/connect/static/page.css", "").await.ok();
    sandbox.send("GET", "/open/js/jweixin-1.6.0.js", "").await.ok();
    sandbox.send("GET", "/jsbridge/phone", "").await.ok();
    let listed = sandbox.get("/sandbox/calls").await;
    let calls = listed["calls"].as_array().unwrap();
    let notes: Vec<_> = calls.iter().map(|call| call["note"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        notes,
        [
            "asks the visitor for consent",
            "snsapi_userinfo, allowed by the visitor: code to site.example",
            "该链接无法访问 10005 此公众号并没有这些 scope 的权限",
        ]
    );
    assert!(calls[..2].iter().all(|call| call["appid"] == account.appid), "{listed}");
    assert_eq!(calls[2]["errcode"], 10005);
}

#[tokio::test]
async fn faults_hit_pages_too() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let target = link(&account.appid, SITE, "snsapi_base", "");
    sandbox.fault(&json!({ "path": "/connect/*", "appid": account.appid, "errcode": 10009 })).await;
    let busy = sandbox.open(&target, &[]).await;
    assert!(busy.body.contains("10009") && busy.body.contains("操作太频繁了"), "{}", busy.body);
    sandbox.fault(&json!({ "path": "/connect/oauth2/authorize", "status": 502 })).await;
    assert_eq!(sandbox.open(&target, &[]).await.status, 502);
    let code = led(&sandbox.open(&target, &[]).await).code();
    sandbox.fault(&json!({ "path": "/sns/*", "errcode": -1 })).await;
    assert_eq!(errcode(&sandbox.exchange(&account, &code).await), -1);
    sandbox.fault(&json!({ "path": "/sns/oauth2/access_token", "drop": true, "carry_out": true })).await;
    let mut connection = sandbox.connect().await;
    connection.send("GET", &crate::visitor::exchange_target(&account, &code), &[], "").await;
    assert!(connection.answer().await.is_none());
    assert_eq!(errcode(&sandbox.exchange(&account, &code).await), 40163, "the answer was lost, the code is used");
    sandbox.fault(&json!({ "path": "/jsbridge/verify", "errcode": 63002 })).await;
    let refused = sandbox.post("/jsbridge/verify", &json!({ "kind": "agentConfig" })).await;
    assert_eq!(refused, json!({ "errMsg": "agentConfig:fail" }));
}
