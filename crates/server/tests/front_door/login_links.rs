//! Links that are wrong: each is said to be, and none leads a visitor anywhere.

use http::Method;

use crate::harness::browser::{Browser, DESKTOP};
use crate::harness::caller::Answer;
use crate::harness::html::Page;
use crate::harness::login_scene::{CALL, LoginScene, link, plain_link};

/// Nobody is led anywhere, neither by a program's answer nor by a person's page.
async fn leads_nowhere(scene: &LoginScene, target: &str, status: u16, errcode: i64) -> Answer {
    let told = scene.server.get(target).await.is_refusal(status, errcode);
    assert_eq!((told.header("location"), told.header("set-cookie")), ("", ""));
    for (language, heading) in [("zh-CN", "这个登录链接有问题"), ("en", "Something is wrong with this login link")]
    {
        let answer = scene.visitor.with("accept-language", language).open(target).await;
        let page = Page::read(&answer);
        assert_eq!((page.status, page.heading()), (status, heading), "{target}");
        assert!(page.links().is_empty() && !page.has_form() && answer.header("location").is_empty(), "{}", page.html);
        assert!(page.text().contains(&told.errmsg()), "the operator reads the same: {}", page.html);
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_no_address_of_a_page_leads_nowhere() {
    let local = LoginScene::local(&[]).await;
    let public = LoginScene::public(&[]).await;
    let calls = [
        "",
        " ",
        "login",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://shop.example.com/",
        "http://",
        "https:///",
        "http://a b/",
        "https://shop.example.com/\r\nset-cookie:a=b",
        "https://shop.example.com:99999/",
        "\"><script>alert(1)</script>",
    ];
    for scene in [&local, &public] {
        for call in calls {
            let told = leads_nowhere(scene, &link("/auth/info", &[("call", call)]), 400, -10022).await;
            assert!(told.errmsg().contains("percent-encoded"), "it says how: {}", told.text());
        }
        leads_nowhere(scene, "/app/test/auth", 400, -10022).await;
        leads_nowhere(
            scene,
            &link("/auth", &[("call", &format!("https://a.example/{}", "x".repeat(2048)))]),
            400,
            -10022,
        )
        .await;
        leads_nowhere(scene, "/app/test/auth?call=%ff", 400, -10003).await;
    }
    assert!(local.visitor.cookies().is_empty() && public.visitor.cookies().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_own_paths_are_no_pages_by_whatever_name() {
    let local = LoginScene::local(&[]).await;
    let public = LoginScene::public(&[]).await;
    for scene in [&local, &public] {
        for own in
            ["/app/test/api/new", "/register?key=a", "/%61PP/x", "/echo/../admin/apps", "/./app/x", "/a/%2e%2e/metrics"]
        {
            let told = leads_nowhere(scene, &link("/auth", &[("call", own), ("via", "ticket")]), 400, -10022).await;
            assert!(told.errmsg().contains("page of yours"), "{}", told.text());
        }
    }
    // By whatever name of this machine: a request of its own page would count for more there.
    let port = local.server.url.rsplit(':').next().unwrap();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "127.1",
        "127.9.9.9",
        "2130706433",
        "a.localhost",
        "localhost.",
    ] {
        for path in ["/app/test/api/new", "\\app\\test", "//app/test"] {
            let call = format!("http://{host}:{port}{path}");
            leads_nowhere(&local, &link("/auth", &[("call", &call)]), 400, -10022).await;
        }
    }
    leads_nowhere(&public, &link("/auth", &[("call", "http://wx.example.com/register")]), 400, -10022).await;
    // Somebody else's may be called so.
    local.begin(&link("/auth", &[("call", "http://127.0.0.1:1/app/login")])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_server_leads_visitors_to_allowed_hosts_only() {
    let scene = LoginScene::public(&[
        ("allow", "shop.example.com"),
        ("allow", "*.shop.example.org"),
        ("allow", "10.0.0.5:9000"),
    ])
    .await;
    let allowed = [
        CALL,
        "http://SHOP.example.com/",
        "https://shop.example.com:8443/x",
        "https://a.shop.example.org/",
        "http://10.0.0.5:9000/",
        "https://wx.example.com/own",
        "/relative",
    ];
    for call in allowed {
        scene.begin(&link("/auth", &[("call", call)])).await;
    }
    let refused = [
        "https://evil.example/",
        "https://evil.example/?https://shop.example.com/",
        "https://evil.example#@shop.example.com/",
        "https://shop.example.com@evil.example/",
        "https://shop.example.com:443@evil.example/",
        "https://evil.example\\@shop.example.com/",
        "https:/evil.example/",
        "https:\\\\evil.example/",
        "https://shop.example.com.evil.example/",
        "https://xshop.example.com/",
        "https://shop.example.org/",
        "https://10.0.0.5/",
        "http://10.0.0.5:9001/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://2130706433/",
        "https://wx.example.com:8443/",
        "https://shop。example。com.evil.example/",
    ];
    for call in refused {
        let told = leads_nowhere(&scene, &link("/auth/info", &[("call", call), ("via", "ticket")]), 403, -10023).await;
        assert!(told.errmsg().contains("allow="), "it says how to allow it: {}", told.text());
    }
    // The guest does not become the host of a page outside WeChat either.
    let desktop = Browser::new(&scene.server, DESKTOP);
    assert_eq!(desktop.open(&link("/auth", &[("call", "https://evil.example/")])).await.status, 403);
    // With a name and password in it, to an allowed host: the visitor sees the host where he really goes.
    let page =
        Page::read(&scene.log_in(&link("/auth", &[("call", "https://evil.example@shop.example.com/")]), "C").await);
    assert!(page.form().action.ends_with("@shop.example.com/") && page.text().contains("shop.example.com"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_parameters_that_make_no_sense_are_named() {
    let scene = LoginScene::local(&[]).await;
    let long = "x".repeat(1025);
    for (name, value) in [
        ("lang", "fr"),
        ("lang", "zh-CN"),
        ("lang", "</script>"),
        ("via", "mail"),
        ("via", "Ticket"),
        ("state", &long),
        ("state", "x&openid=o-victim&z="),
        ("state", "x&OPENID=o-victim"),
        ("state", "1&nonce=new&openid=o2&state=x"),
        ("state", "&timestamp=1"),
        ("state", "a&attach=vip&fee=1&out_trade_no=1"),
        ("state", "a&origin=https://shop.example.com"),
        ("agentid", "one"),
    ] {
        let told = leads_nowhere(&scene, &link("/auth", &[("call", CALL), (name, value)]), 400, -10003).await;
        assert!(told.errmsg().contains(name), "{name}={value}: {}", told.text());
        assert!(value.len() < 5 || !told.errmsg().contains(value), "what was sent is not repeated: {}", told.text());
    }
    // Unknown ones, and the empty ones of templates, do no harm.
    scene.begin(&link("/auth", &[("call", CALL), ("state", ""), ("lang", ""), ("via", ""), ("utm_source", "x")])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_that_is_none_or_may_not_log_in_says_so_on_a_page() {
    let scene = LoginScene::local(&[("call", "/js"), ("call", "/auth/user")]).await;
    for path in ["/auth", "/auth/info", "/qyauth"] {
        let told = leads_nowhere(&scene, &plain_link(path), 403, -10011).await;
        assert!(told.errmsg().contains(&format!("call={path}")), "{}", told.text());
    }
    leads_nowhere(&scene, "/app/nobody/auth?call=/", 404, -10004).await;
    leads_nowhere(&scene, "/app/%3Cscript%3E/auth?call=/", 404, -10004).await;
    // A scope of /auth covers what is below it.
    scene.operator.register_cold("test", &[("call", "/auth")]).await;
    scene.begin(&plain_link("/auth/info")).await;
    leads_nowhere(&scene, &plain_link("/qyauth"), 403, -10011).await;
    // Scoped away in the middle of a login.
    let led = scene.begin(&plain_link("/auth")).await;
    scene.operator.register_cold("test", &[("call", "/js")]).await;
    leads_nowhere(&scene, &led.back("CODE"), 403, -10011).await;
    // And removed.
    let removed = scene.operator.send(Method::DELETE, "/admin/apps/test", None, Vec::new()).await;
    assert_eq!(removed.status, 200);
    leads_nowhere(&scene, &led.back("CODE"), 404, -10004).await;
    assert_eq!(scene.wechat.all_calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_server_leads_only_whoever_is_local() {
    let scene = LoginScene::local(&[]).await;
    let led = scene.begin(&plain_link("/auth")).await;
    for target in [plain_link("/auth"), led.back("CODE"), "/app/test/js/config?url=http://a.example/".to_owned()] {
        let foreign = scene.server.with("host", "evil.example");
        foreign.get(&target).await.is_refusal(403, -10008);
        scene.server.with("x-forwarded-for", "203.0.113.9").get(&target).await.is_refusal(403, -10008);
    }
    assert_eq!(scene.wechat.all_calls(), 0);
    // Links are followed from pages of other sites; that is what they are for.
    let from_a_page = scene.visitor.with("sec-fetch-site", "cross-site").with("referer", "https://shop.example.com/");
    assert_eq!(from_a_page.open(&plain_link("/auth")).await.status, 302);
}
