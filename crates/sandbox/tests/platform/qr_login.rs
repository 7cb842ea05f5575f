//! Logins on another screen, by a QR code that the phone scans; and the scanner itself.

use sandbox::AccountKind::{Official, Website, Wecom};
use sandbox::{Account, Platform};
use serde_json::json;

use crate::client::{Answer, Sandbox, errcode, token};
use crate::visitor::{SITE, after, led, query};

const DESKTOP: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36";

fn website_link(appid: &str) -> String {
    let pairs = [
        ("appid", appid),
        ("redirect_uri", SITE),
        ("response_type", "code"),
        ("scope", "snsapi_login"),
        ("state", "s9"),
    ];
    format!("/connect/qrconnect?{}", query(&pairs))
}

/// A QR code on a screen.
struct Shown {
    uuid: String,
    confirm: String,
}

fn shown(page: &Answer) -> Shown {
    let confirm = after(&page.body, "id=\"confirm\" href=\"").replace("http://localhost", "");
    Shown { uuid: after(&page.body, "data-uuid=\"").to_owned(), confirm }
}

async fn state(sandbox: &Sandbox, shown: &Shown) -> String {
    let text = sandbox.send("GET", &format!("/connect/l/qrconnect?uuid={}", shown.uuid), "").await.body;
    let number = text.strip_prefix("window.wx_errcode=").and_then(|rest| rest.split(';').next());
    number.expect("a number").to_owned()
}

async fn wait(sandbox: &Sandbox, shown: &Shown) -> Answer {
    sandbox.open(&format!("/connect/qrconnect/wait?uuid={}", shown.uuid), &[DESKTOP]).await
}

#[tokio::test]
async fn a_website_is_logged_in_to_by_the_phone() {
    let sandbox = Sandbox::start().await;
    let (site, official) = (sandbox.account(Website), sandbox.account(Official));
    let page = sandbox.open(&website_link(&site.appid), &[DESKTOP]).await;
    let code = shown(&page);
    assert_eq!(state(&sandbox, &code).await, "408");
    assert!(wait(&sandbox, &code).await.body.contains(&code.uuid), "the same code again");
    let asks = sandbox.open(&code.confirm, &[]).await;
    assert_eq!(state(&sandbox, &code).await, "404");
    assert!(wait(&sandbox, &code).await.body.contains("已扫描"));
    let done = sandbox.decide(after(&asks.body, "name=\"ticket\" value=\""), "allow", "real").await;
    assert!(done.status == 200 && done.body.contains("已确认登录"), "{}", done.body);
    assert_eq!(state(&sandbox, &code).await, "405");
    let back = led(&wait(&sandbox, &code).await);
    assert_eq!((back.place.as_str(), back.state.as_deref()), (SITE, Some("s9")));
    sandbox.advance(300).await;
    let granted = sandbox.exchange(&site, &back.code()).await;
    assert_eq!(granted["scope"], "snsapi_login");
    let of_official = sandbox.exchange(&official, &sandbox.code(&official, "snsapi_userinfo").await).await;
    assert_eq!(granted["unionid"], of_official["unionid"]);
    assert_ne!(granted["openid"], of_official["openid"]);
    assert_eq!(sandbox.profile(&granted).await["nickname"], "小明");
    assert!(sandbox.open(&code.confirm, &[]).await.body.contains("二维码已使用"));
}

#[tokio::test]
async fn a_refused_or_old_code_leads_nowhere() {
    let sandbox = Sandbox::start().await;
    let site = sandbox.account(Website);
    let code = shown(&sandbox.open(&website_link(&site.appid), &[DESKTOP]).await);
    let asks = sandbox.open(&code.confirm, &[]).await;
    let done = sandbox.decide(after(&asks.body, "name=\"ticket\" value=\""), "refuse", "real").await;
    assert!(done.body.contains("已取消登录"), "{}", done.body);
    assert_eq!(state(&sandbox, &code).await, "403");
    let over = wait(&sandbox, &code).await;
    assert!(over.status == 200 && over.body.contains("你已取消此次登录"), "{}", over.body);
    let again = after(&over.body, "class=\"button\" href=\"").replace("&amp;", "&");
    assert_eq!(again, website_link(&site.appid));
    let code = shown(&sandbox.open(&again, &[DESKTOP]).await);
    sandbox.advance(600).await;
    assert_eq!(state(&sandbox, &code).await, "402");
    assert!(wait(&sandbox, &code).await.body.contains("二维码已过期"));
    assert!(sandbox.open(&code.confirm, &[]).await.body.contains("二维码已失效"));
    assert_eq!(sandbox.send("GET", &format!("/connect/qrcode/{}", code.uuid), "").await.status, 404);
    sandbox.set_phone(&json!({ "consent": "allow" })).await;
    let code = shown(&sandbox.open(&again, &[DESKTOP]).await);
    assert!(sandbox.open(&code.confirm, &[DESKTOP]).await.body.contains("请在微信客户端打开链接"));
    assert!(sandbox.open(&code.confirm, &[]).await.body.contains("已确认登录"), "without a question");
    let back = led(&wait(&sandbox, &code).await).code();
    sandbox.advance(600).await;
    assert_eq!(errcode(&sandbox.exchange(&site, &back).await), 42003, "10 minutes");
}

#[tokio::test]
async fn a_wrong_link_shows_no_code() {
    let sandbox = Sandbox::start().await;
    let (site, official, corp) = (sandbox.account(Website), sandbox.account(Official), sandbox.account(Wecom));
    let good = website_link(&site.appid);
    let of_corp = |appid: &str, more: &str| {
        format!("/wwlogin/sso/login?{}{more}", query(&[("appid", appid), ("redirect_uri", SITE), ("state", "s")]))
    };
    for (wrong, said) in [
        (website_link(&official.appid), "AppID 不是网站应用"),
        (website_link("wx0"), "AppID 参数错误"),
        (good.replace("snsapi_login", "snsapi_userinfo"), "10005"),
        (good.replace("response_type=code", "response_type=token"), "response_type"),
        (of_corp(&corp.appid, "&agentid=1000002"), "login_type"),
        (of_corp(&corp.appid, "&login_type=CorpApp"), "缺少 agentid"),
        (of_corp(&site.appid, "&login_type=CorpApp&agentid=1000002"), "企业不存在"),
    ] {
        let answer = sandbox.open(&wrong, &[DESKTOP]).await;
        assert!(answer.body.contains("该链接无法访问") && answer.body.contains(said), "{wrong}: {}", answer.body);
    }
    sandbox.set_account(&site.appid, &json!({ "web_domains": ["other.example"] })).await;
    assert!(sandbox.open(&good, &[DESKTOP]).await.body.contains("10003"));
    sandbox.set_account(&corp.appid, &json!({ "web_domains": ["other.example"] })).await;
    let target = of_corp(&corp.appid, "&login_type=CorpApp&agentid=1000002");
    assert!(sandbox.open(&target, &[DESKTOP]).await.body.contains("50001"));
    // The embedded form puts the parameters in another order.
    sandbox.set_account(&site.appid, &json!({ "web_domains": [] })).await;
    let other_order = format!(
        "{}&login_type=jssdk&self_redirect=false",
        good.replace("response_type=code&", "") + "&response_type=code"
    );
    assert!(sandbox.open(&other_order, &[DESKTOP]).await.body.contains("data-uuid"));
}

#[tokio::test]
async fn members_log_in_on_another_screen_too() {
    let sandbox = Sandbox::start().await;
    let corp = sandbox.account(Wecom);
    let Account { appid, secret, .. } = &corp;
    let good = token(&sandbox.get(&format!("/cgi-bin/gettoken?corpid={appid}&corpsecret={secret}")).await);
    sandbox.set_phone(&json!({ "consent": "allow" })).await;
    let pairs = query(&[("appid", appid), ("agentid", "1000002"), ("redirect_uri", SITE), ("state", "s")]);
    for page in [format!("/wwlogin/sso/login?login_type=CorpApp&{pairs}"), format!("/wwopen/sso/qrConnect?{pairs}")] {
        let code = shown(&sandbox.open(&page, &[DESKTOP]).await);
        sandbox.open(&code.confirm, &[]).await.ok();
        let back = led(&wait(&sandbox, &code).await);
        assert_eq!(back.state.as_deref(), Some("s"));
        let target = format!("/cgi-bin/auth/getuserinfo?access_token={good}&code={}", back.code());
        assert_eq!(sandbox.get(&target).await["userid"], "zhangsan");
    }
}

#[tokio::test]
async fn the_scanner_reads_what_the_page_shows() {
    let sandbox = Sandbox::start_with(Platform::new().allow_hosts(["pictures.example".to_owned()])).await;
    let site = sandbox.account(Website);
    let page = sandbox.open(&website_link(&site.appid), &[DESKTOP, "x: y"]).await;
    let code = shown(&page);
    let picture = format!("http://{}/connect/qrcode/{}", sandbox.address, code.uuid);
    let scan = |url: &str| format!("/sandbox/scan?{}", query(&[("url", url)]));
    let read = sandbox.get(&scan(&picture)).await;
    let said = format!("http://{}{}", sandbox.address, code.confirm);
    assert_eq!(read, json!({ "text": said }), "the picture names the host that it was asked for at");
    for (target, hint) in [
        (scan("http://192.0.2.1/a.png"), "this machine only"),
        (scan("http://localhost.example.com/a.png"), "this machine only"),
        (scan("file:///etc/passwd"), "whole address"),
        (scan(&format!("http://{}/connect/qrcode/x", sandbox.address)), "404"),
        (scan(&format!("http://{}/", sandbox.address)), "PNG"),
        ("/sandbox/scan".to_owned(), "query"),
    ] {
        let refused = sandbox.send("GET", &target, "").await;
        assert_eq!(refused.status, 400, "{target}");
        assert!(refused.json()["error"].as_str().unwrap().contains(hint), "{target}: {}", refused.body);
    }
    let foreign = sandbox.open(&scan(&picture), &["sec-fetch-site: cross-site"]).await;
    assert!(foreign.status == 400 && foreign.body.contains("another site"), "{}", foreign.body);
    let posted = sandbox.send("POST", "/sandbox/scan", "no picture").await;
    assert!(posted.status == 400 && posted.body.contains("PNG"), "{}", posted.body);
}
