//! Files at the root with which WeChat makes sure whose a domain is.

use http::Method;

use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::server::{ADMIN, Flags, Running, SECRET, local, public};

const NAME: &str = "MP_verify_AbCdEf0123456789.txt";
const CONTENT: &str = "AbCdEf0123456789";

async fn holds(server: &Caller, name: &str, content: &str) {
    let answer = server.get(&format!("/{name}")).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, content), "{name}");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

async fn lacks(server: &Caller, path: &str) {
    server.get(path).await.is_refusal(404, -10001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_files_are_at_the_root_as_long_as_they_are_registered() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    let operator = server.bearer(ADMIN);
    lacks(&server, &format!("/{NAME}")).await;
    let odd = "<script>: 码\r\nend";
    let files = [
        ("verify", &*format!("{NAME}:{CONTENT}")),
        ("verify", "WW_verify_1.txt:w"),
        ("verify", &*format!("a.txt:{odd}")),
    ];
    operator.register_cold("test", &files).await;
    // WeChat comes without credentials, under whatever name the domain has.
    for visitor in [server.with("host", "shop.example.com"), server.with("user-agent", "Mozilla/4.0")] {
        holds(&visitor, NAME, CONTENT).await;
        holds(&visitor, "WW_verify_1.txt", "w").await;
        holds(&visitor, "a.txt", odd).await;
        holds(&visitor, "MP_verify_%41bCdEf0123456789.txt", CONTENT).await;
    }
    let head = server.send(Method::HEAD, &format!("/{NAME}"), None, Vec::new()).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "16", 0));
    for path in [
        "/mp_verify_abcdef0123456789.txt",
        "/MP_verify_x.txt",
        "/MP_verify_AbCdEf0123456789",
        "/.txt",
        "/a.txt/",
        "/%2e%2e%2fa.txt",
        "/a.txt%00",
        "/%ff.txt",
        "/robots.txt",
    ] {
        lacks(&server, path).await;
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = server.send(method.clone(), &format!("/{NAME}"), None, Vec::new()).await;
        assert!(matches!(answer.status, 404 | 405), "{method}: {}", answer.status);
    }
    // What is given replaces what was; given empty, it is gone.
    operator.register_cold("test", &[("verify", "b.txt:b")]).await;
    holds(&server, "b.txt", "b").await;
    lacks(&server, &format!("/{NAME}")).await;
    operator.register_cold("test", &[("agentid", "1")]).await;
    holds(&server, "b.txt", "b").await;
    operator.register_cold("test", &[("verify", "")]).await;
    lacks(&server, "/b.txt").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_two_registrations_stays_till_both_are_gone() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let file = format!("{NAME}:{CONTENT}");
    for key in ["one", "two"] {
        server.register_cold(key, &[("verify", &file)]).await;
    }
    for key in ["one", "two"] {
        holds(&server, NAME, CONTENT).await;
        let removed = server.send(Method::DELETE, &format!("/admin/apps/{key}"), None, Vec::new()).await;
        assert_eq!(removed.status, 200);
    }
    lacks(&server, &format!("/{NAME}")).await;
    server.with("host", "evil.example").get(&format!("/{NAME}")).await.is_refusal(403, -10008);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_such_file_is_not_registered() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    for bad in [
        "MP_verify_x.txt",
        ":x",
        ".txt:x",
        "a.html:x",
        "a/b.txt:x",
        "..txt:",
        "../a.txt:x",
        "a b.txt:x",
        "码.txt:x",
        "a.txt:",
    ] {
        let pairs = [("key", "test"), ("appid", "wx1"), ("secret", SECRET), ("check", "false"), ("verify", bad)];
        let refused = server.post_form("/register", &pairs).await.is_refusal(400, -10003);
        assert!(
            refused.errmsg().contains("verify") && refused.errmsg().contains("MP_verify_"),
            "{bad}: {}",
            refused.text()
        );
    }
    server.get("/app/test").await.is_refusal(404, -10004);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_and_every_database_has_the_files() {
    for database in [Database::postgres().await, Database::mariadb().await].into_iter().flatten() {
        let wechat = FakeWechat::start().await;
        let flags = Flags::new(&database, &wechat.url);
        let (one, two) = (Running::start(&flags).await, Running::start(&flags).await);
        one.register_cold("test", &[("verify", &format!("{NAME}:{CONTENT}"))]).await;
        holds(&two, NAME, CONTENT).await;
        lacks(&two, &format!("/{}", NAME.to_lowercase())).await;
        two.register_cold("test", &[("verify", "")]).await;
        eventually("it is gone", async || one.get(&format!("/{NAME}")).await.status == 404).await;
    }
}
