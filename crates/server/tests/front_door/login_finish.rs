//! The second half of a login: what WeChat is asked, and what the page at `call` gets to know.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::harness::browser::Led;
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{EXCHANGE, FOLLOWER, FakeWechat, HUSH, PROFILE, Reply, STABLE};
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, plain_link};
use crate::harness::process::serve;
use crate::harness::server::{Flags, SECRET};
use crate::harness::wechat_pushes::APPID;

fn names(members: &Map<String, Value>) -> Vec<&str> {
    members.keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_silent_login_brings_openid_unionid_and_subscription_and_nothing_of_the_accounts_own_notes() {
    let scene = LoginScene::local(&[]).await;
    let answer = scene.log_in(&plain_link("/auth"), "CODE").await;
    let page = Page::read(&answer);
    assert!(page.goes_on_by_itself() && page.text().contains("shop.example.com"), "{}", page.html);
    let form = page.form();
    assert_eq!(form.action, CALL);
    let members = scene.verified(&form.body);
    let expected = "appid nonce openid origin sign subscribe subscribe_scene subscribe_time timestamp unionid";
    assert_eq!(names(&members).join(" "), expected);
    assert_eq!((&members["openid"], &members["unionid"]), (&json!("o-CODE"), &json!("u-o-CODE")));
    assert_eq!((&members["subscribe"], &members["subscribe_time"]), (&json!(1), &json!(1_382_694_957)));
    // For whom it was made: what another page got is worth nothing at this one.
    assert_eq!((&members["appid"], &members["origin"]), (&json!(APPID), &json!("https://shop.example.com")));

    let exchange = scene.wechat.arrived(EXCHANGE).remove(0);
    assert_eq!(exchange.query, format!("appid={APPID}&secret={SECRET}&code=CODE&grant_type=authorization_code"));
    let follower = scene.wechat.arrived(FOLLOWER).remove(0);
    assert_eq!((follower.parameter("openid"), follower.parameter("lang")), ("o-CODE".into(), "zh_CN".into()));
    assert_eq!(follower.parameter("access_token"), scene.server.token("test").await, "the account's token");
    assert_eq!(scene.wechat.all_calls(), 3, "one exchange, one token, one question");
    // A code is text, whatever is in it.
    let led = scene.begin(&plain_link("/auth")).await;
    scene.visitor.open(&led.back("a%26secret%3Dx%2B%20%E7%A0%81")).await;
    let exchange = scene.wechat.arrived(EXCHANGE).remove(1);
    assert_eq!((exchange.parameter("code"), exchange.parameter("secret")), ("a&secret=x+ 码".into(), SECRET.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_with_consent_brings_the_profile_as_wechat_gives_it() {
    let scene = LoginScene::local(&[]).await;
    let members = scene.visitor_of(&plain_link("/auth/info"), "CODE").await;
    let expected = "appid city country headimgurl language nickname nonce openid origin province sex sign timestamp \
                    unionid";
    assert_eq!(names(&members).join(" "), expected);
    assert_eq!((&members["nickname"], &members["sex"]), (&json!("名字 of o-CODE"), &json!(0)));
    assert_eq!(members["city"], "");
    let profile = scene.wechat.arrived(PROFILE).remove(0);
    assert_eq!(profile.query, format!("access_token={HUSH}-web-CODE&openid=o-CODE&lang=zh_CN"));
    assert_eq!(scene.wechat.calls(FOLLOWER), 0);
    // What the exchange says of the unionid counts, and is enough.
    let exchange = json!({"access_token": HUSH, "openid": "o-1", "unionid": "u-exchange", "scope": "snsapi_userinfo"});
    scene.wechat.next(EXCHANGE, Reply::Json(exchange));
    scene.wechat.next(PROFILE, Reply::Json(json!({"openid": "o-1", "nickname": "n"})));
    assert_eq!(scene.visitor_of(&plain_link("/auth/info"), "CODE").await["unionid"], "u-exchange");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_visitor_calls_himself_arrives_as_text_and_signed() {
    let scene = LoginScene::local(&[]).await;
    let nicknames = [
        "\"'><img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "🐼👩‍👩‍👧 é \u{202e}abc\u{2028}\u{2029}\u{feff}",
        "a=b=c",
        "\r\n\t\u{0}\u{1}\\",
        "{{ sign }} {% raw %} ${1} &#34;",
        "Tom & Jerry&Co.&",
        "",
    ];
    for nickname in nicknames {
        let privilege = json!([nickname, "b"]);
        let profile =
            json!({"openid": "o-CODE", "nickname": nickname, "privilege": privilege, "x": {"y": 1}, "f": 0.5});
        scene.wechat.next(PROFILE, Reply::Json(profile));
        let members = scene.visitor_of(&plain_link("/auth/info"), "CODE").await;
        assert_eq!(members["nickname"], nickname);
        assert_eq!(members["privilege"], privilege);
        assert!(!members.contains_key("x") && !members.contains_key("f"), "not to be signed in every language");
    }
    // A nickname that could be read as other members is none any more; nor is what claims to be the proxy's own.
    let forged = json!({
        "openid": "o-CODE", "nickname": "a&openid=o-victim&p=", "appid": "wxother", "timestamp": 1, "nonce": "x",
        "sign": "y", "is_snapshotuser": 0, "origin": "https://other.example", "state": "x", "error": "none", "agentid": "1",
    });
    scene.wechat.next(PROFILE, Reply::Json(forged));
    let members = scene.visitor_of(&plain_link("/auth/info"), "CODE").await;
    assert_eq!((&members["nickname"], &members["openid"]), (&json!("a＆openid=o-victim＆p="), &json!("o-CODE")));
    assert_eq!((&members["appid"], &members["origin"]), (&json!(APPID), &json!("https://shop.example.com")));
    assert!(!["state", "error", "agentid"].iter().any(|name| members.contains_key(*name)), "{members:?}");
    // WeChat does send broken ones, as bytes that are no JSON.
    let broken = "{\"openid\":\"o-CODE\",\"nickname\":\"a\u{1}b\\ud83dc\nd\"}";
    scene.wechat.next(PROFILE, Reply::Page("text/plain", broken));
    assert_eq!(scene.visitor_of(&plain_link("/auth/info"), "CODE").await["nickname"], "ab\u{FFFD}cd");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_comes_back_as_it_was_given_whatever_is_in_it() {
    let scene = LoginScene::local(&[]).await;
    let long = "状".repeat(341);
    let states =
        ["a", "a b+c%2B", "\"</script><!--", "'=&<>\\", "\r\n\u{0}\u{7f}", "🐼", "?x=1&redirect=/home", &long, "null"];
    for state in states {
        let target = link("/auth", &[("call", CALL), ("state", state)]);
        assert_eq!(scene.visitor_of(&target, "CODE").await["state"], *state);
        let target = link("/auth", &[("call", CALL), ("state", state), ("via", "ticket")]);
        let answer = scene.log_in(&target, "CODE").await;
        let location = url::Url::parse(answer.header("location")).unwrap();
        assert_eq!(location.query_pairs().find(|(name, _)| name == "state").unwrap().1, *state);
    }
    // Given empty is not given.
    let target = link("/auth", &[("call", CALL), ("state", "")]);
    assert!(!scene.visitor_of(&target, "CODE").await.contains_key("state"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_does_not_hang_on_what_the_account_knows_of_the_visitor() {
    let nothing = [
        Reply::errcode(-1, "system error"),
        Reply::errcode(40003, "invalid openid"),
        Reply::Http(500, "no"),
        Reply::Page("text/html", "<html>"),
        Reply::Drop,
        Reply::Half,
        Reply::Json(json!({"subscribe": 1, "openid": "o-somebody-else", "unionid": "u-somebody-else"})),
        Reply::Hang,
    ];
    for reply in nothing {
        let scene = LoginScene::local(&[]).await;
        scene.wechat.next(FOLLOWER, reply.clone());
        let begin = Instant::now();
        let members = scene.visitor_of(&plain_link("/auth"), "CODE").await;
        assert_eq!(names(&members).join(" "), "appid nonce openid origin sign timestamp", "{reply:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{reply:?}: {:?}", begin.elapsed());
    }
    let scene = LoginScene::local(&[]).await;
    scene.wechat.next(STABLE, Reply::errcode(40164, "invalid ip 1.2.3.4, not in whitelist"));
    let members = scene.visitor_of(&plain_link("/auth"), "CODE").await;
    assert_eq!((&members["openid"], members.contains_key("unionid")), (&json!("o-CODE"), false));
    // What is said of one visitor says nothing of the next.
    let scene = LoginScene::local(&[]).await;
    scene.wechat.next(FOLLOWER, Reply::errcode(40003, "invalid openid"));
    assert!(!scene.visitor_of(&plain_link("/auth"), "CODE").await.contains_key("unionid"));
    assert_eq!(scene.visitor_of(&plain_link("/auth"), "NEXT").await["unionid"], "u-o-NEXT");
    // An account without this right is asked once an hour.
    let scene = LoginScene::local(&[]).await;
    scene.wechat.always(FOLLOWER, Reply::errcode(48001, "api unauthorized rid: 1"));
    for _ in 0..3 {
        assert!(!scene.visitor_of(&plain_link("/auth"), "CODE").await.contains_key("subscribe"));
    }
    assert_eq!(scene.wechat.calls(FOLLOWER), 1);
    scene.clock.turn(Duration::from_secs(3601));
    scene.log_in(&plain_link("/auth"), "CODE").await;
    assert_eq!(scene.wechat.calls(FOLLOWER), 2);
    // Or when the registration changes: the operator may have done something about it.
    scene.operator.register_cold("test", &[("agentid", "1")]).await;
    scene.log_in(&plain_link("/auth"), "CODE").await;
    assert_eq!(scene.wechat.calls(FOLLOWER), 3);
    // A dead token is replaced, and the question asked again.
    let scene = LoginScene::local(&[]).await;
    scene.wechat.next(FOLLOWER, Reply::errcode(40001, "invalid credential, access_token is invalid or not latest"));
    assert_eq!(scene.visitor_of(&plain_link("/auth"), "CODE").await["unionid"], "u-o-CODE");
    assert_eq!((scene.wechat.calls(FOLLOWER), scene.wechat.calls(STABLE)), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtual_visitor_is_called_one_and_is_no_follower() {
    let scene = LoginScene::local(&[]).await;
    let snapshot = json!({"access_token": HUSH, "openid": "o-CODE", "scope": "snsapi_base", "is_snapshotuser": 1});
    for path in ["/auth", "/auth/info"] {
        scene.wechat.next(EXCHANGE, Reply::Json(snapshot.clone()));
        assert_eq!(scene.visitor_of(&plain_link(path), "CODE").await["is_snapshotuser"], 1);
    }
    assert_eq!((scene.wechat.calls(FOLLOWER), scene.wechat.calls(PROFILE)), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_of_the_link_is_wechats_and_the_pages() {
    let scene = LoginScene::local(&[]).await;
    let texts = |tag| if tag == "en" { "Logged in, going back" } else { "登录成功, 正在返回" };
    for (lang, tag) in [("zh_CN", "zh-CN"), ("zh_TW", "zh-CN"), ("en", "en")] {
        for (path, asked) in [("/auth", FOLLOWER), ("/auth/info", PROFILE)] {
            let page = Page::read(&scene.log_in(&link(path, &[("call", CALL), ("lang", lang)]), "CODE").await);
            assert_eq!((page.lang().as_str(), page.heading()), (tag, texts(tag)));
            assert_eq!(scene.wechat.arrived(asked).pop().unwrap().parameter("lang"), lang);
        }
    }
    // Without it the browser says which.
    for (accepted, tag) in [("en-US,en;q=0.9,zh;q=0.8", "en"), ("zh-HK,zh", "zh-CN"), ("de", "en")] {
        let visitor = scene.visitor.with("accept-language", accepted);
        let led = Led::read(&visitor.open(&plain_link("/auth")).await);
        assert_eq!(Page::read(&visitor.open(&led.back("CODE")).await).heading(), texts(tag), "{accepted}");
    }
    assert_eq!(Page::read(&scene.log_in(&plain_link("/auth"), "CODE").await).lang(), "zh-CN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_login_knows_is_in_no_log_and_in_no_table_unsealed() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    let mut process = serve(&Flags::new(&database, &wechat.url)).environment("RUST_LOG", "debug").start();
    let server = process.caller().await;
    server.register_cold("test", &[("web_appid", "wxweb"), ("web_secret", "HUSHwebsecret")]).await;
    let visitor = crate::harness::browser::Browser::new(&server, crate::harness::browser::WECHAT);
    let link = link("/auth/info", &[("call", CALL), ("state", "HUSHstate"), ("via", "ticket")]);
    let led = Led::read(&visitor.open(&link).await);
    let answer = visitor.open(&led.back("HUSHcode")).await;
    let location = url::Url::parse(answer.header("location")).unwrap();
    let ticket = location.query_pairs().next().unwrap().1.into_owned();
    for failing in
        [Reply::errcode(40029, "invalid code"), Reply::Http(500, "HUSH"), Reply::Drop, Reply::Json(json!(HUSH))]
    {
        wechat.next(EXCHANGE, failing);
        let led = Led::read(&visitor.open(&link).await);
        visitor.open(&led.back("HUSHcode")).await;
    }
    let kept = database.bytes();
    process.signal("TERM");
    let ended = process.ended().await;
    assert!(ended.err.contains("DEBUG") && ended.err.contains("login"), "the log says something: {}", ended.err);
    let cookie = visitor.cookies().into_values().next().unwrap();
    for secret in [HUSH, SECRET, &ticket, &cookie, &led.trip(), "名字"] {
        assert!(!ended.err.contains(secret) && !ended.out.contains(secret), "{secret} is in the log: {}", ended.err);
        assert!(!kept.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret} is in the database");
    }
}
