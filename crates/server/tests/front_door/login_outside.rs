//! Login in browsers that are not WeChat's, and of WeCom: where each of them is led.

use serde_json::json;

use crate::harness::browser::{Browser, DESKTOP, Led, WECOM};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{EXCHANGE, FakeWechat};
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, plain_link};
use crate::harness::pictures::scanned_svg;
use crate::harness::script::Script;
use crate::harness::server::{Flags, SECRET};
use crate::harness::wechat_pushes::APPID;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outside_wechat_the_link_becomes_a_code_to_scan() {
    let scene = LoginScene::local(&[]).await;
    let desktop = Browser::new(&scene.server, DESKTOP);
    for (language, heading) in [("zh-CN", "请用微信扫码登录"), ("en-GB,en", "Scan with WeChat to log in")] {
        for parameters in
            [vec![("call", CALL)], vec![("call", CALL), ("state", "\"><script>x</script>&"), ("via", "ticket")]]
        {
            let target = link("/auth/info", &parameters);
            let page = Page::read(&desktop.with("accept-language", language).open(&target).await);
            assert_eq!((page.status, page.heading()), (200, heading));
            let whole = format!("{}{target}", scene.server.url);
            assert_eq!(scanned_svg(page.svg()), whole);
            assert!(page.text().contains(&whole), "who cannot scan can copy it: {}", page.html);
            assert!(!page.goes_on_by_itself() && !page.has_form());
        }
    }
    assert!(desktop.cookies().is_empty(), "no login has begun in this browser");
    // WeChat's page opens in WeChat alone, not in WeCom.
    let wecom = Browser::new(&scene.server, WECOM);
    scanned_svg(Page::read(&wecom.open(&plain_link("/auth")).await).svg());
    // The link's own language counts before the browser's.
    let target = link("/auth", &[("call", CALL), ("lang", "en")]);
    assert_eq!(Page::read(&desktop.with("accept-language", "zh-CN").open(&target).await).lang(), "en");
    // What is scanned is followed: here it is WeChat's browser.
    let page = Page::read(&desktop.open(&plain_link("/auth")).await);
    let scanned = scanned_svg(page.svg());
    scene.begin(scanned.strip_prefix(&scene.server.url).unwrap()).await;
    // A link too long for a QR code is still shown.
    let long = link("/auth", &[("call", &format!("{CALL}?x={}", "x".repeat(1900))), ("state", &"y".repeat(1000))]);
    let page = Page::read(&desktop.open(&long).await);
    assert!(page.text().contains(&long) && !page.html.contains("<svg"));
    // The frame in which the simulated phone opens pages counts as WeChat; here WeChat is simulated.
    Led::read(&desktop.with("sec-fetch-dest", "iframe").open(&plain_link("/auth")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_website_application_logs_in_outside_wechat_with_its_own_secret() {
    let web = [("web_appid", "wxwebsite00000001"), ("web_secret", "fedcba9876543210fedcba9876543210")];
    let scene = LoginScene::local(&web).await;
    let desktop = Browser::new(&scene.server, DESKTOP);
    for (path, code) in [("/auth", "base"), ("/auth/info", "info")] {
        let led = Led::read(&desktop.open(&plain_link(path)).await);
        let start =
            format!("{}/connect/qrconnect?appid=wxwebsite00000001&redirect_uri=http%3A%2F%2F", scene.wechat.url);
        let end = format!("&response_type=code&scope=snsapi_login&state={}#wechat_redirect", led.state);
        assert!(led.to.starts_with(&start) && led.to.ends_with(&end), "{}", led.to);
        let members = scene.verified(&Page::read(&desktop.open(&led.back(code)).await).form().body);
        let exchange = scene.wechat.arrived(EXCHANGE).pop().unwrap();
        assert_eq!((exchange.parameter("appid"), exchange.parameter("secret")), (web[0].1.into(), web[1].1.into()));
        assert_eq!((&members["openid"], &members["appid"]), (&json!(format!("o-{code}")), &json!("wxwebsite00000001")));
        assert_eq!(members.contains_key("nickname"), path == "/auth/info");
        assert!(!members.contains_key("subscribe"), "an openid of a website application is no follower");
    }
    // Inside WeChat the account itself asks.
    let members = scene.visitor_of(&plain_link("/auth"), "in").await;
    assert_eq!((&members["openid"], &members["appid"]), (&json!("o-in"), &json!(APPID)));
    assert_eq!(scene.wechat.arrived(EXCHANGE).pop().unwrap().parameter("appid"), APPID);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_of_wecom_names_the_app_and_outside_leads_to_its_own_page() {
    let scene = LoginScene::local(&[]).await;
    let (member, desktop) = (Browser::new(&scene.server, WECOM), Browser::new(&scene.server, DESKTOP));
    // Without an agentid only what needs none is possible.
    assert!(!Led::read(&member.open(&plain_link("/qyauth")).await).to.contains("agentid"));
    for (browser, path) in [(&member, "/qyauth/info"), (&desktop, "/qyauth"), (&desktop, "/qyauth/info")] {
        let page = Page::read(&browser.open(&plain_link(path)).await);
        assert!(page.status == 400 && page.text().contains("agentid"), "{}", page.html);
    }
    scene.server.get(&link("/qyauth", &[("call", CALL), ("agentid", "1 or 2")])).await.is_refusal(400, -10003);
    // In the link, or registered; then the link can name no other.
    let given = link("/qyauth", &[("call", CALL), ("agentid", "1000002")]);
    leads_to_wecom(&scene, &given, "snsapi_base").await;
    scene.operator.register_cold("test", &[("agentid", "1000002")]).await;
    for (target, scope) in [
        (given, "snsapi_base"),
        (plain_link("/qyauth"), "snsapi_base"),
        (plain_link("/qyauth/info"), "snsapi_privateinfo"),
    ] {
        leads_to_wecom(&scene, &target, scope).await;
    }
    scene.server.get(&link("/qyauth", &[("call", CALL), ("agentid", "1000009")])).await.is_refusal(400, -10003);
}

/// To its own page in WeCom, to that for other browsers outside; both for the app 1000002.
async fn leads_to_wecom(scene: &LoginScene, target: &str, scope: &str) {
    let (member, desktop) = (Browser::new(&scene.server, WECOM), Browser::new(&scene.server, DESKTOP));
    for inside in [&member, &scene.visitor] {
        let led = Led::read(&inside.open(target).await);
        let start = format!("{}/connect/oauth2/authorize?appid={}&redirect_uri=http%3A", scene.wechat.url, APPID);
        let state = &led.state;
        let end = format!("&response_type=code&scope={scope}&state={state}&agentid=1000002#wechat_redirect");
        assert!(led.to.starts_with(&start) && led.to.ends_with(&end), "{}", led.to);
    }
    let led = Led::read(&desktop.open(target).await);
    let start = format!("{}/wwlogin/sso/login?login_type=CorpApp&appid={}&", scene.wechat.url, APPID);
    assert!(led.to.starts_with(&format!("{start}agentid=1000002&redirect_uri=http%3A")), "{}", led.to);
    assert!(led.to.ends_with(&format!("&state={}", led.state)), "{}", led.to);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_wecom_is_not_shown_to_wechat() {
    let scene = LoginScene::local(&[]).await;
    let corp = [("key", "corp"), ("appid", "ww0123456789abcdef"), ("secret", SECRET), ("check", "false")];
    scene.operator.register(&corp).await;
    for path in ["/auth", "/auth/info"] {
        let told = scene.server.get(&format!("/app/corp{path}?call=/")).await.is_refusal(400, -10003);
        assert!(told.errmsg().contains("/qyauth"), "{}", told.text());
    }
    assert!(Led::read(&scene.visitor.open("/app/corp/qyauth?call=/").await).to.contains("appid=ww0123456789abcdef"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_wechat_itself_links_and_scripts_name_its_own_hosts_and_no_page_is_framed() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    let flags = Flags::new(&database, &wechat.url).but("--open-url", "https://open.weixin.qq.com");
    let scene = LoginScene::on(&flags, wechat, database, &[("agentid", "1000002")]).await;
    let desktop = Browser::new(&scene.server, DESKTOP);
    let inside = scene.begin(&plain_link("/auth")).await.to;
    assert!(inside.starts_with("https://open.weixin.qq.com/connect/oauth2/authorize?appid="), "{inside}");
    let outside = Led::read(&desktop.open(&plain_link("/qyauth")).await).to;
    assert!(outside.starts_with("https://login.work.weixin.qq.com/wwlogin/sso/login?login_type="), "{outside}");
    // A frame is a frame.
    let answer = desktop.with("sec-fetch-dest", "iframe").open(&plain_link("/auth")).await;
    scanned_svg(Page::read(&answer).svg());
    assert!(answer.header("content-security-policy").ends_with("; frame-ancestors 'none'"));
    for (path, version) in [("js", "1.6.0"), ("qyjs", "1.2.0")] {
        let script = Script::read(&scene.server.get(&format!("/app/test/{path}/config")).await);
        let hosts = ["https://res.wx.qq.com", "https://res2.wx.qq.com"];
        assert_eq!(script.settings["jweixin"], json!(hosts.map(|host| format!("{host}/open/js/jweixin-{version}.js"))));
        assert_eq!(script.settings["jwxwork"], json!(["https://open.work.weixin.qq.com/wwopen/js/jwxwork-1.0.0.js"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_to_scan_are_limited_and_whoever_needs_none_is_not_held_up() {
    let scene = LoginScene::public(&[("allow", "shop.example.com")]).await;
    let desktop = Browser::new(&scene.server, DESKTOP).with("x-forwarded-for", "203.0.113.9");
    for _ in 0..299 {
        assert_eq!(desktop.caller.get("/qrcode?path=a&size=32").await.status, 200);
    }
    assert_eq!(desktop.open(&plain_link("/auth")).await.status, 200);
    let refused = desktop.open(&plain_link("/auth")).await;
    assert_eq!((refused.status, Page::read(&refused).heading()), (429, "现在不能登录"));
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
    let neighbour = scene.visitor.with("x-forwarded-for", "203.0.113.9");
    let led = Led::read(&neighbour.open(&plain_link("/auth")).await);
    assert_eq!(Page::read(&neighbour.open(&led.back("CODE")).await).status, 200);
}
