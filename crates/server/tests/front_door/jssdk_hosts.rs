//! For whose pages is signed, and who may read it: allowed hosts, origins, scopes.

use http::Method;

use crate::harness::caller::{Answer, Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::script::{Script, is_signed};
use crate::harness::server::{ADMIN, Running, local, public};

const PATH: &str = "/app/test/js/config";
const CORS: &str = "access-control-allow-origin";

/// A public server that signs for `shop.example.com`, whatever port, and for one port of an address.
struct Public {
    server: Running,
    operator: Caller,
    ticket: String,
    _around: (FakeWechat, Database),
}

async fn shop() -> Public {
    let wechat = FakeWechat::start().await;
    let (server, database) = public(&wechat.url).await;
    let operator = server.bearer(ADMIN);
    let allowed = [("allow", "shop.example.com"), ("allow", "*.shop.example.org"), ("allow", "10.0.0.5:9000")];
    let api_key = operator.register_cold("test", &allowed).await;
    let ticket = server.bearer(&api_key).get("/app/test/jsapi").await.ticket();
    Public { server, operator, ticket, _around: (wechat, database) }
}

impl Public {
    async fn named(&self, url: &str) -> Answer {
        self.server.get(&format!("{PATH}?{}", encoded(&[("url", url)]))).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_server_signs_for_allowed_hosts_only_whoever_names_them() {
    let public = shop().await;
    for page in [
        "https://shop.example.com/a",
        "http://shop.example.com:8080/a?b",
        "https://SHOP.EXAMPLE.COM/a",
        "https://a.shop.example.org/a",
        "http://10.0.0.5:9000/a",
        "https://wx.example.com/example/jsapi.html",
    ] {
        is_signed(Script::read(&public.named(page).await).signed(), &public.ticket, page);
        is_signed(Script::read(&public.server.with("referer", page).get(PATH).await).signed(), &public.ticket, page);
    }
    for page in [
        "https://evil.example/a",
        "https://evil.example/?https://shop.example.com/",
        "https://shop.example.com@evil.example/a",
        "https://evil.example#@shop.example.com/",
        "https://shop.example.com.evil.example/a",
        "https://xshop.example.com/a",
        "https://shop.example.org/a",
        "http://10.0.0.5/a",
        "http://127.0.0.1:8080/a",
        "https://wx.example.com:8443/a",
    ] {
        let refused = public.named(page).await.is_refusal(403, -10023);
        assert!(refused.errmsg().contains("allow="), "it says how to allow it: {}", refused.text());
        let json = public.server.get(&format!("{PATH}?{}&format=json", encoded(&[("url", page)]))).await;
        json.is_refusal(403, -10023);
        let referring = public.server.with("referer", page);
        referring.get(PATH).await.is_refusal(403, -10023);
        // An allowed address that is named counts before a Referer.
        let target = format!("{PATH}?url=https://shop.example.com/a");
        is_signed(Script::read(&referring.get(&target).await).signed(), &public.ticket, "https://shop.example.com/a");
    }
    // Also when only the host is known; and without any, what asks again is no secret.
    public.server.with("referer", "https://evil.example/").get(PATH).await.is_refusal(403, -10023);
    for unknown in [&*public.server, &public.server.with("referer", "https://shop.example.com/")] {
        assert_eq!(Script::read(&unknown.get(PATH).await).config, None);
    }
    assert_eq!(
        Script::read(&public.server.get(PATH).await).settings["source"],
        "https://wx.example.com/app/test/js/config",
        "it comes back to the address that the world knows"
    );
    public.operator.register_cold("test", &[("allow", "other.example")]).await;
    public.named("https://shop.example.com/a").await.is_refusal(403, -10023);
    is_signed(
        Script::read(&public.named("https://other.example/a").await).signed(),
        &public.ticket,
        "https://other.example/a",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_of_allowed_origins_may_read_the_fields_and_no_others() {
    let public = shop().await;
    let target = format!("{PATH}?format=json&url=https://shop.example.com/a");
    for origin in [
        "https://shop.example.com",
        "http://shop.example.com:3000",
        "https://a.shop.example.org",
        "http://10.0.0.5:9000",
        "https://wx.example.com",
    ] {
        let answer = public.server.with("origin", origin).with("sec-fetch-site", "cross-site").get(&target).await;
        assert_eq!((answer.status, answer.header(CORS)), (200, origin));
        assert!(answer.header("vary").contains("Origin"), "no cache may mix them up");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        // What goes wrong the page may read too.
        let refused =
            public.server.with("origin", origin).get(&format!("{PATH}?format=json&url=https://evil.example/")).await;
        assert_eq!(refused.is_refusal(403, -10023).header(CORS), origin);
    }
    for origin in [
        "https://evil.example",
        "null",
        "https://shop.example.com.evil.example",
        "http://10.0.0.5",
        "file://",
        "x",
        "https://xshop.example.com",
    ] {
        for target in [&target, &format!("{PATH}?url=https://shop.example.com/a"), &format!("{PATH}?format=json&url=x")]
        {
            let answer = public.server.with("origin", origin).get(target).await;
            assert_eq!(answer.header(CORS), "", "{origin}");
            assert!(answer.header("vary").contains("Origin"));
        }
    }
    assert_eq!(public.server.get(&target).await.header(CORS), "");
    // Before they ask with headers of their own.
    for (origin, allowed) in [("https://shop.example.com", "https://shop.example.com"), ("https://evil.example", "")] {
        let asking = public.server.with("origin", origin).with("access-control-request-method", "POST");
        let answer = asking.send(Method::OPTIONS, PATH, None, Vec::new()).await;
        assert_eq!((answer.status, answer.header(CORS)), (204, allowed));
        assert_eq!(answer.header("access-control-allow-methods").is_empty(), allowed.is_empty());
    }

    // A local server is a developer's own: whatever page runs on that machine may ask.
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let answer = server.with("origin", "http://localhost:3000").get(&target).await;
    assert_eq!((answer.status, answer.header(CORS)), (200, "http://localhost:3000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registration_may_be_kept_from_pages() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let paths = ["/js/config", "/js/card", "/qyjs/config", "/jsapi"];
    for (scopes, open) in [
        (vec![], [200, 200, 200, 200]),
        (vec!["/js"], [200, 200, 403, 403]),
        (vec!["/js/config"], [200, 403, 403, 403]),
        (vec!["/qyjs", "/jsapi"], [403, 403, 200, 200]),
        (vec!["/auth"], [403, 403, 403, 403]),
    ] {
        let scopes: Vec<_> =
            if scopes.is_empty() { vec![("call", "")] } else { scopes.iter().map(|path| ("call", *path)).collect() };
        server.register_cold("test", &scopes).await;
        // Twice: from the router and from memory.
        for _ in 0..2 {
            for (path, status) in paths.into_iter().zip(open) {
                let answer = server.get(&format!("/app/test{path}?url=https://shop.example.com/a")).await;
                assert_eq!(answer.status, status, "{scopes:?} {path}: {}", answer.text());
                if status == 403 {
                    assert!(answer.is_refusal(403, -10011).errmsg().contains(&format!("call={path}")));
                }
            }
        }
    }
    server.get("/app/nobody/js/config?url=https://shop.example.com/a").await.is_refusal(404, -10004);
    server.with("host", "evil.example").get(PATH).await.is_refusal(403, -10008);
}
