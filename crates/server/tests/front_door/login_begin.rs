//! The first half of a login: where a link leads, and what it costs.

use serde_json::json;

use crate::harness::browser::{Browser, Led, WECHAT};
use crate::harness::caller::{Answer, Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::{EXCHANGE, FakeWechat};
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, plain_link};
use crate::harness::relay::Relay;
use crate::harness::server::{Flags, Running};
use crate::harness::wechat_pushes::APPID;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_to_wechats_page_letter_by_letter() {
    let scene = LoginScene::local(&[]).await;
    for (path, scope) in [("/auth", "snsapi_base"), ("/auth/info", "snsapi_userinfo")] {
        let answer = scene.visitor.open(&link(path, &[("call", CALL), ("state", "a b&c"), ("lang", "en")])).await;
        let led = Led::read(&answer);
        let trip = led.trip();
        assert!(trip.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{trip}");
        assert!(
            led.state.len() == 32 && led.state.bytes().all(|b| b.is_ascii_alphanumeric()),
            "WeChat takes no others"
        );
        let (open, appid, host) = (&scene.wechat.url, APPID, scene.server.url.replace("http://127.0.0.1:", ""));
        let back = format!("http%3A%2F%2F127.0.0.1%3A{host}%2Fapp%2Ftest{}%3Ftrip%3D{trip}", path.replace('/', "%2F"));
        let expected = format!(
            "{open}/connect/oauth2/authorize?appid={appid}&redirect_uri={back}&response_type=code&scope={scope}\
             &state={}#wechat_redirect",
            led.state
        );
        assert_eq!(led.to, expected);
        assert_eq!((answer.header("cache-control"), answer.body.len()), ("no-store", 0));
        // What travels through the browser says nothing to it.
        assert!(!trip.contains("shop") && !led.state.contains("a b"));
        assert_ne!(scene.begin(&plain_link(path)).await.state, led.state, "each link has a round trip of its own");
    }
    assert_eq!(scene.wechat.all_calls(), 0, "nobody is asked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_followed_without_a_database_and_the_way_back_says_that_it_needs_one() {
    let Some(database) = Database::postgres().await else { return };
    let (wechat, relay) = (FakeWechat::start().await, Relay::to(&database.address()).await);
    let flags = Flags::new(&database, &wechat.url).but("--database", &database.url_by(relay.address.port()));
    let scene = LoginScene::on(&flags, wechat, database, &[]).await;
    let (known, page) = (scene.begin(&plain_link("/auth")).await, "/app/test/js/config?url=https://shop.example.com/a");
    // A registration that was changed just now is read once more within a second; this one soon will not be.
    eventually("nothing is read any more", async || {
        relay.mend();
        eventually("the database", async || scene.server.get("/readyz").await.status == 200).await;
        scene.begin(&plain_link("/auth")).await;
        scene.server.get(page).await;
        relay.cut();
        assert_eq!(scene.server.get("/readyz").await.status, 503, "it is really away");
        scene.visitor.open(&plain_link("/auth")).await.status == 302
    })
    .await;
    for path in ["/auth", "/auth/info"] {
        scene.begin(&plain_link(path)).await;
    }
    let script = scene.server.get(page).await;
    assert!(script.text().contains("wx.config("), "{}", script.text());
    // Before a code is shown to WeChat the round trip must be spent.
    let page = Page::read(&scene.visitor.with("accept-language", "en").open(&known.back("CODE")).await);
    assert_eq!((page.status, page.heading()), (503, "Logging in is not possible now"));
    assert_eq!(scene.failure_in(&page)["error"], "temporarily_unavailable");
    assert_eq!(scene.wechat.calls(EXCHANGE), 0);
    relay.mend();
    eventually("the database", async || scene.server.get("/readyz").await.status == 200).await;
    // Nothing was used up.
    let page = Page::read(&scene.visitor.open(&known.back("CODE")).await);
    assert_eq!(scene.verified(&page.form().body)["openid"], "o-CODE");
}

/// The cookie that comes with a login: its value and its attributes.
fn cookie(answer: &Answer, prefix: &str) -> (String, String) {
    let cookie = answer.header("set-cookie");
    let name = format!("{prefix}wechat-proxy-login-{}=", Led::read(answer).cookie_id());
    let rest = cookie.strip_prefix(&name).unwrap_or_else(|| panic!("{cookie} is not {name}"));
    let (value, attributes) = rest.split_once("; ").unwrap();
    assert!(value.len() == 22, "128 random bits: {value}");
    (value.to_owned(), attributes.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_login_has_a_cookie_that_no_script_and_no_other_site_gets() {
    let local = LoginScene::local(&[]).await;
    let (value, attributes) = cookie(&local.visitor.open(&plain_link("/auth")).await, "");
    assert_eq!(attributes, "Path=/; Max-Age=360; HttpOnly; SameSite=Lax");
    assert_ne!(cookie(&local.visitor.open(&plain_link("/auth")).await, "").0, value);

    let public = LoginScene::public(&[("allow", "shop.example.com")]).await;
    let answer = public.visitor.open(&plain_link("/auth")).await;
    assert_eq!(cookie(&answer, "__Host-").1, "Path=/; Max-Age=360; HttpOnly; SameSite=Lax; Secure");
    assert!(Led::read(&answer).redirect_uri.starts_with("https://wx.example.com/app/test/auth?trip="));

    // Two links opened at once in a new browser do not disturb each other.
    for scene in [&local, &public] {
        let visitor = scene.another_visitor();
        let link = plain_link("/auth");
        let (one, two) = tokio::join!(visitor.open(&link), visitor.open(&link));
        for (answer, code) in [(two, "two"), (one, "one")] {
            let page = Page::read(&visitor.open(&Led::read(&answer).back(code)).await);
            assert_eq!(scene.verified(&page.form().body)["openid"], format!("o-{code}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_may_hold_anything_and_the_way_back_finds_it() {
    let scene = LoginScene::local(&[]).await;
    for key in ["测试", "a b", "a%2Fb", "?trip=1&x#y", "\"'<>&+;", "日本🐼"] {
        let api_key = scene.server.register_cold(key, &[]).await;
        let segment: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for _ in 0..2 {
            let target = format!("/app/{segment}/auth?{}", encoded(&[("call", CALL)]));
            let led = scene.begin(&target).await;
            let page = Page::read(&scene.visitor.open(&led.back("CODE")).await);
            assert_eq!(page.status, 200, "{key}: {}", page.html);
            let members = crate::harness::login_scene::verified(&page.form().body, &api_key);
            assert_eq!(members["openid"], "o-CODE");
            // The way to try again knows the name too.
            let spent = Page::read(&scene.visitor.open(&led.back("CODE")).await);
            let again = scene.begin(&spent.links()[0]).await;
            assert_eq!(again.redirect_uri.split_once('?').unwrap().0, led.redirect_uri.split_once('?').unwrap().0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relative_call_is_a_page_of_this_server() {
    let local = LoginScene::local(&[]).await;
    let public = LoginScene::public(&[]).await;
    for (scene, own) in [(&local, local.server.url.as_str()), (&public, "https://wx.example.com")] {
        let answer = scene.log_in(&link("/auth", &[("call", "/echo?a=1&b=%22#c")]), "CODE").await;
        let form = Page::read(&answer).form();
        assert_eq!(form.action, format!("{own}/echo?a=1&b=%22#c"));
        assert_eq!(scene.verified(&form.body)["origin"], own);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_http_1_and_2_the_way_back_is_under_the_name_that_the_browser_used() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|file| database.folder().join(file).display().to_string());
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server =
        Running::start(&Flags::new(&database, &wechat.url).and("--tls-cert", &cert).and("--tls-key", &key)).await;
    let url = server.url.replace("http://127.0.0.1", "https://localhost");
    for caller in Caller::trusting(&url, made.cert.pem().as_bytes()) {
        caller.register_cold("test", &[]).await;
        let visitor = Browser::new(&caller, WECHAT);
        let answer = visitor.open(&plain_link("/auth")).await;
        let led = Led::read(&answer);
        assert!(led.redirect_uri.starts_with(&format!("{url}/app/test/auth?trip=")), "{}", led.redirect_uri);
        assert!(cookie(&answer, "__Host-").1.ends_with("; Secure"));
        assert_eq!(Page::read(&visitor.open(&led.back("CODE")).await).status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_the_same_by_post_and_from_memory() {
    let scene = LoginScene::local(&[]).await;
    let pairs = [("call", CALL), ("state", "s"), ("via", "ticket"), ("lang", "zh_TW")];
    let target = link("/auth/info", &pairs);
    // GET is answered ahead of the router once the registration is in memory; the others never are.
    let cold = scene.server.get(&target).await;
    let ready = scene.server.get(&target).await;
    let form = scene.server.post_form("/app/test/auth/info", &pairs).await;
    let json = json!({"call": CALL, "state": "s", "via": "ticket", "lang": "zh_TW"});
    let json = scene.server.post_json("/app/test/auth/info", &json).await;
    let shape = |answer: &Answer| {
        let led = Led::read(answer);
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        (led.to.replace(&led.trip(), "TRIP").replace(&led.state, "STATE"), names)
    };
    for other in [&ready, &form, &json] {
        assert_eq!(shape(other), shape(&cold));
    }
    // A link that is wrong is wrong in each of these ways.
    for query in ["", "?call=ftp://a/", "?call=%ff", "?call=/a&via=x", "?call=/a&lang=fr"] {
        let cold = scene.server.get(&format!("/app/test/auth{query}")).await;
        let posted = scene.server.post_form(&format!("/app/test/auth{query}"), &[]).await;
        assert_eq!((cold.status, cold.text()), (400, posted.text()), "{query}");
    }
}
