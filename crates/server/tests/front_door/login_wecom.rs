//! Login of WeCom: members of a corporation, and others who come to its app.

use serde_json::{Value, json};

use crate::harness::browser::{Browser, Led, WECOM};
use crate::harness::fake_wechat::{EXCHANGE, HUSH, MEMBER, MEMBER_DETAIL, Reply};
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, plain_link};
use crate::harness::wechat_pushes::APPID;

/// Where WeCom gives out tokens.
const TOKEN: &str = "/cgi-bin/gettoken";

/// A member logs in here with the code `CODE`.
async fn page_of(scene: &LoginScene, path: &str) -> Page {
    let member = Browser::new(&scene.server, WECOM);
    let led = Led::read(&member.open(&link(path, &[("call", CALL), ("state", "s")])).await);
    let answer = member.open(&led.back("CODE")).await;
    assert!(!answer.text().contains(HUSH), "{}", answer.text());
    Page::read(&answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_told_by_the_userid_and_with_consent_by_what_he_shows() {
    let scene = LoginScene::local(&[("agentid", "1000002")]).await;
    let members = scene.verified(&page_of(&scene, "/qyauth").await.form().body);
    let names: Vec<_> = members.keys().map(String::as_str).collect();
    // The fake gives a user_ticket here too, as WeCom does for links that were agreed to before.
    for name in ["agentid", "appid", "nonce", "origin", "sign", "state", "timestamp", "userid"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!((&members["userid"], &members["agentid"]), (&json!("member-CODE"), &json!("1000002")));
    assert_eq!(members["appid"], APPID);
    let asked = scene.wechat.arrived(MEMBER).remove(0);
    let token = scene.server.get("/app/test/qyapi").await.token();
    assert_eq!(asked.query, format!("access_token={token}&code=CODE"));

    let members = scene.verified(&page_of(&scene, "/qyauth/info").await.form().body);
    for (name, value) in [("mobile", "13800000000"), ("email", "zhangsan@gzdev.com"), ("gender", "1"), ("biz_mail", "")]
    {
        assert_eq!(members[name], value, "{name}");
    }
    assert!(!members.contains_key("qr_code"), "an address with & cannot be signed, and changed it is none");
    let detail = scene.wechat.arrived(MEMBER_DETAIL).pop().unwrap();
    assert_eq!(detail.query, format!("access_token={token}"));
    assert_eq!(serde_json::from_str::<Value>(&detail.body).unwrap(), json!({"user_ticket": format!("{HUSH}-ticket")}));
    assert_eq!((scene.wechat.calls(TOKEN), scene.wechat.calls(EXCHANGE)), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_member_is_told_by_openid_and_external_userid() {
    let scene = LoginScene::local(&[]).await;
    scene.wechat.next(MEMBER, Reply::Json(json!({"errcode": 0, "openid": "o-1", "external_userid": "wm-1"})));
    let members = scene.verified(&page_of(&scene, "/qyauth").await.form().body);
    assert_eq!((&members["openid"], &members["external_userid"]), (&json!("o-1"), &json!("wm-1")));
    assert!(!members.contains_key("userid") && !members.contains_key("agentid"));
    assert_eq!(scene.wechat.calls(MEMBER_DETAIL), 0);
    // Whoever writes a link can name any app: that is not signed.
    let member = Browser::new(&scene.server, WECOM);
    let led = Led::read(&member.open(&link("/qyauth", &[("call", CALL), ("agentid", "7")])).await);
    let page = Page::read(&member.open(&led.back("CODE")).await);
    assert!(led.to.contains("&agentid=7#") && !scene.verified(&page.form().body).contains_key("agentid"));
    // The older spelling.
    scene.wechat.next(MEMBER, Reply::Json(json!({"errcode": 0, "errmsg": "ok", "UserId": "zhang", "DeviceId": "d"})));
    assert_eq!(scene.verified(&page_of(&scene, "/qyauth").await.form().body)["userid"], "zhang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_of_wecom_is_redeemed_within_the_scope_of_its_login() {
    let scene = LoginScene::local(&[("call", "/qyauth")]).await;
    let member = Browser::new(&scene.server, WECOM);
    let led = Led::read(&member.open(&link("/qyauth", &[("call", CALL), ("via", "ticket")])).await);
    let answer = member.open(&led.back("CODE")).await;
    let (_, query) = answer.header("location").split_once('?').unwrap();
    scene.server.get(&format!("/app/test/auth/user?{query}")).await.is_refusal(403, -10011);
    let told = scene.server.get(&format!("/app/test/qyauth/user?{query}")).await;
    assert_eq!(scene.verified(&format!("{}\r\n", told.text()))["userid"], "member-CODE");
    scene.server.get(&format!("/app/test/qyauth/user?{query}")).await.is_refusal(404, -10027);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_token_is_healed_and_the_code_shown_again_and_refusals_end_on_a_page() {
    let scene = LoginScene::local(&[("agentid", "1000002")]).await;
    scene.wechat.next(MEMBER, Reply::errcode(42001, "access_token expired"));
    assert_eq!(scene.verified(&page_of(&scene, "/qyauth").await.form().body)["userid"], "member-CODE");
    assert_eq!((scene.wechat.calls(MEMBER), scene.wechat.calls(TOKEN)), (2, 2));
    scene.wechat.next(MEMBER_DETAIL, Reply::errcode(42001, "access_token expired"));
    let healed = scene.verified(&page_of(&scene, "/qyauth/info").await.form().body);
    assert_eq!(healed["email"], "zhangsan@gzdev.com");
    for (path, reply, status, error) in [
        (MEMBER, Reply::errcode(40029, "invalid code"), 400, "invalid_request"),
        (MEMBER, Reply::errcode(50001, "redirect_url domain not registered"), 502, "server_error"),
        (MEMBER, Reply::errcode(60020, "not allow to access from your ip"), 502, "server_error"),
        (MEMBER, Reply::Json(json!({"errcode": 0, "errmsg": "ok"})), 502, "temporarily_unavailable"),
        (MEMBER, Reply::Drop, 502, "temporarily_unavailable"),
        (MEMBER_DETAIL, Reply::errcode(84014, "invalid user_ticket"), 502, "server_error"),
        (MEMBER_DETAIL, Reply::Json(json!({"userid": "somebody-else", "email": "x"})), 502, "temporarily_unavailable"),
        (MEMBER_DETAIL, Reply::Http(500, "HUSH"), 502, "temporarily_unavailable"),
    ] {
        scene.wechat.next(path, reply.clone());
        let page = page_of(&scene, "/qyauth/info").await;
        let told = scene.failure_in(&page);
        assert_eq!((page.status, &told["error"], &told["state"]), (status, &json!(error), &json!("s")), "{reply:?}");
        assert!(!told.contains_key("userid") && page.links()[0].starts_with("/app/test/qyauth/info?"), "{}", page.html);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corporation_without_the_token_of_its_app_says_why_nobody_gets_in() {
    let scene = LoginScene::local(&[("agentid", "1000002")]).await;
    scene.wechat.always(TOKEN, Reply::errcode(40001, "invalid secret"));
    let page = page_of(&scene, "/qyauth").await;
    let told = scene.failure_in(&page);
    assert_eq!((page.status, &told["error"]), (502, &json!("server_error")), "{told:?} {}", page.text());
    assert!(page.text().contains("40001 invalid secret"), "{}", page.html);
    assert_eq!(scene.wechat.calls(MEMBER), 0);
    // A link of the account itself is none of WeCom's.
    let led = scene.begin(&plain_link("/auth")).await;
    assert!(led.to.contains("scope=snsapi_base") && !led.to.contains("agentid"), "{}", led.to);
}
