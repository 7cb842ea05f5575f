//! WeChat refuses, is slow, or talks nonsense in the middle of a login: the visitor reads what happened and can try again,
//! and the page at `call` hears of it.

use std::time::{Duration, Instant};

use serde_json::json;
use url::Url;

use crate::harness::browser::Led;
use crate::harness::fake_wechat::{EXCHANGE, HUSH, PROFILE, Reply};
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, plain_link};

/// What visitors and backends are told of a failure.
struct Told {
    status: u16,
    chinese: &'static str,
    english: &'static str,
    error: &'static str,
}

const SPENT: Told =
    Told {
        status: 400, chinese: "这次登录已经用过", english: "This login was used before", error: "invalid_request"
    };
const REFUSED: Told =
    Told {
        status: 502, chinese: "微信拒绝了这次登录", english: "WeChat refused this login", error: "server_error"
    };
const AWAY: Told = Told {
    status: 502,
    chinese: "暂时不能登录",
    english: "Logging in is not possible now",
    error: "temporarily_unavailable",
};

/// A login fails because WeChat answers so at `path`: by form and by ticket, in both languages; then it works again.
async fn fails(scene: &LoginScene, path: &str, reply: &Reply, told: &Told) {
    for (language, heading, via) in [("zh-CN", told.chinese, "form"), ("en", told.english, "ticket")] {
        let target = link("/auth/info", &[("call", CALL), ("state", "<s&1>"), ("via", via)]);
        let visitor = scene.visitor.with("accept-language", language);
        let led = Led::read(&visitor.open(&target).await);
        scene.wechat.next(path, reply.clone());
        let page = Page::read(&visitor.open(&led.back("CODE")).await);
        assert_eq!((page.status, page.heading()), (told.status, heading), "{reply:?}: {}", page.html);
        assert!(!page.goes_on_by_itself(), "a person decides: {}", page.html);
        assert!(!page.html.contains(HUSH), "{}", page.html);
        if via == "form" {
            let body = scene.failure_in(&page);
            assert_eq!((&body["error"], &body["state"]), (&json!(told.error), &json!("<s&1>")), "{reply:?}");
            assert!(body["error_description"].as_str().unwrap().len() > 20 && !body.contains_key("openid"), "{body:?}");
            assert_eq!(page.form().action, CALL);
        } else {
            let back = Url::parse(&page.links()[1]).unwrap();
            assert_eq!(back.as_str().split_once('?').unwrap().0, CALL);
            let names: Vec<_> = back.query_pairs().map(|(name, _)| name.into_owned()).collect();
            assert_eq!(names, ["error", "error_description", "state"]);
            let values: Vec<_> = back.query_pairs().map(|(_, value)| value.into_owned()).collect();
            assert_eq!((values[0].as_str(), values[2].as_str()), (told.error, "<s&1>"));
        }
        let led = Led::read(&visitor.open(&page.links()[0]).await);
        let again = visitor.open(&led.back("again")).await;
        assert!(again.status == 302 || Page::read(&again).status == 200, "the next one works: {}", again.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_wechat_calls_spent_is_the_visitors_to_renew() {
    let scene = LoginScene::local(&[]).await;
    for (errcode, errmsg) in
        [(40029, "invalid code, rid: 6-1-2"), (40163, "code been used, rid: 6-1-2"), (42003, "code expired")]
    {
        fails(&scene, EXCHANGE, &Reply::errcode(errcode, errmsg), &SPENT).await;
    }
    let led = scene.begin(&plain_link("/auth")).await;
    scene.wechat.next(EXCHANGE, Reply::errcode(40029, "invalid code"));
    let page = Page::read(&scene.visitor.open(&led.back("CODE")).await);
    assert_eq!(scene.failure_in(&page)["errcode"], 40029);
    // Shown to WeChat, used up.
    let calls = scene.wechat.calls(EXCHANGE);
    scene.visitor.open(&led.back("CODE")).await;
    assert_eq!(scene.wechat.calls(EXCHANGE), calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wechat_refuses_the_operator_reads_word_for_word() {
    let scene = LoginScene::local(&[]).await;
    for (errcode, errmsg) in [
        (40001, "invalid credential, access_token is invalid or not latest"),
        (40125, "invalid appsecret"),
        (40013, "invalid appid"),
        (40164, "invalid ip 1.2.3.4, not in whitelist"),
        (50002, "user limited"),
        (40226, "high risk user"),
        (987_654, "something new"),
    ] {
        fails(&scene, EXCHANGE, &Reply::errcode(errcode, errmsg), &REFUSED).await;
        scene.wechat.next(EXCHANGE, Reply::errcode(errcode, errmsg));
        let page = Page::read(&scene.log_in(&plain_link("/auth"), "CODE").await);
        assert!(page.text().contains(&format!("{errcode} {errmsg}")), "{}", page.html);
        assert_eq!(scene.failure_in(&page)["errcode"], errcode);
    }
    // Words of whoever answers in WeChat's place are text on the page too.
    let words = "</small><script>alert(1)</script><a href=javascript:x>\"'&amp;";
    fails(&scene, EXCHANGE, &Reply::errcode(40000, words), &REFUSED).await;
    scene.wechat.next(EXCHANGE, Reply::errcode(40000, words));
    let page = Page::read(&scene.log_in(&plain_link("/auth"), "CODE").await);
    assert!(page.text().contains(words), "{}", page.html);
    // The profile is refused, as for a link with the wrong scope.
    for (errcode, errmsg) in [(48001, "api unauthorized"), (40003, "invalid openid"), (42001, "access_token expired")] {
        fails(&scene, PROFILE, &Reply::errcode(errcode, errmsg), &REFUSED).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_wechat_is_away_or_talks_nonsense_the_visitor_can_try_again() {
    let scene = LoginScene::local(&[]).await;
    let other_profile = Reply::Json(json!({"openid": "o-somebody-else", "nickname": "x", "unionid": "u"}));
    fails(&scene, PROFILE, &other_profile, &AWAY).await;
    let token = json!(HUSH);
    let nonsense = [
        Reply::errcode(-1, "system error"),
        Reply::errcode(45011, "api minute-quota reach limit"),
        Reply::Http(500, "HUSH"),
        Reply::Http(404, "{}"),
        Reply::Http(302, ""),
        Reply::Page("text/html", "<script>HUSH</script>"),
        Reply::Page("application/json", ""),
        Reply::Json(json!([1])),
        Reply::Json(json!({"errcode": 0, "errmsg": "ok"})),
        Reply::Json(json!({"openid": "o-1"})),
        Reply::Json(json!({"access_token": token})),
        Reply::Json(json!({"access_token": token, "openid": ""})),
        Reply::Json(json!({"access_token": token, "openid": null})),
        Reply::Json(json!({"access_token": token, "openid": ["o-1"]})),
        Reply::Json(json!({"access_token": token, "openid": "o-1\r\nset-cookie: a=b"})),
        Reply::Json(json!({"access_token": token, "openid": "o".repeat(129)})),
        Reply::Json(json!({"access_token": token, "openid": "o-1&openid=o-victim"})),
        Reply::Json(json!({"access_token": token, "openid": "o-1", "unionid": "u&openid=o-victim"})),
        Reply::Json(json!({"access_token": {"a": 1}, "openid": "o-1"})),
        Reply::Json(json!({"access_token": token, "openid": "o-1", "x": "y".repeat(70_000)})),
        Reply::Drop,
        Reply::Half,
    ];
    for reply in nonsense {
        fails(&scene, EXCHANGE, &reply, &AWAY).await;
    }
    for reply in [Reply::Http(502, "HUSH"), Reply::Page("text/plain", "{\"openid\":\"o-CODE\",\"nick"), Reply::Drop] {
        fails(&scene, PROFILE, &reply, &AWAY).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wechat_that_does_not_answer_is_not_waited_for_long_and_its_late_answer_is_nobodys() {
    let scene = LoginScene::local(&[]).await;
    for path in [EXCHANGE, PROFILE] {
        let led = scene.begin(&plain_link("/auth/info")).await;
        scene.wechat.next(path, Reply::Hang);
        let begin = Instant::now();
        let page = Page::read(&scene.visitor.open(&led.back("CODE")).await);
        assert_eq!((page.status, page.heading()), (AWAY.status, AWAY.chinese), "{path}");
        assert!(begin.elapsed() < Duration::from_secs(8), "{path}: {:?}", begin.elapsed());
        assert_eq!(scene.visitor_of(&page.links()[0], "again").await["openid"], "o-again");
    }
}
