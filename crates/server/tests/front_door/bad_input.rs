//! What is missing, malformed, too large or not what its type says: a clear answer, and nothing stored half.

use http::Method;
use serde_json::json;

use crate::harness::caller::Caller;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::merchant_files::{certificate_and_key, private_key, public_key};
use crate::harness::server::{SECRET, local};

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const JSON: Option<&str> = Some("application/json");
const GOOD: [(&str, &str); 4] = [("key", "test"), ("appid", "wx1"), ("secret", SECRET), ("check", "false")];

async fn nothing_was_stored(server: &Caller) {
    assert_eq!(server.get("/admin/apps").await.json()["apps"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_problem_of_a_registration_is_told_at_once() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let refused = server.get("/register").await.is_refusal(400, -10003);
    for name in ["key", "appid", "secret"] {
        assert!(refused.errmsg().contains(&format!("{name} is missing")), "{}", refused.text());
    }
    let bad = [("aes", "HUSH-short"), ("apiv3_key", "HUSH"), ("expires", "-1"), ("call", "js"), ("tokn", "x")];
    let refused = server.post_form("/register", &[&GOOD[..], &bad].concat()).await.is_refusal(400, -10003);
    for (name, _) in bad {
        assert!(refused.errmsg().contains(name), "{name}: {}", refused.text());
    }
    assert!(!refused.text().contains("HUSH"), "values are not repeated");
    nothing_was_stored(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_values_are_refused_one_by_one() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let too_long = "试".repeat(65);
    let bad = [
        ("key", "a/b"),
        ("key", ""),
        ("key", "."),
        ("key", ".."),
        ("key", "a\nb"),
        ("key", too_long.as_str()),
        ("appid", "wx 1"),
        ("appid", "wx1/../x"),
        ("appid", ""),
        ("secret", "se cret"),
        ("secret", "密"),
        ("check", "maybe"),
        ("rotate", "secret"),
        ("revoke", "true"),
        ("token_mode", "fast"),
        ("pay", "v4"),
        ("expires", "0"),
        ("expires", "soon"),
        ("expires", "99999999999999999999"),
        ("mch_id", "a b"),
        ("server_ip", "300.1.1.1"),
        ("mch_serial", "x-y"),
        ("aes", "a"),
        ("call", "/a/../b"),
        ("call", "//a"),
        ("allow", "https://a.example"),
        ("msg_call", "ftp://a.example"),
        ("msg_call", "javascript:alert(1)"),
        ("mch_private_key", "\u{1}"),
        ("token", "with space"),
    ];
    for (name, value) in bad {
        let pairs: Vec<(&str, &str)> = GOOD.into_iter().filter(|(known, _)| *known != name).collect();
        let refused = server.post_form("/register", &[&pairs[..], &[(name, value)]].concat()).await;
        refused.is_refusal(400, -10003);
        assert!(refused.errmsg().starts_with(name), "{name}={value}: {}", refused.text());
    }
    let twice = [&GOOD[..], &[("token", "a"), ("token", "b")]].concat();
    assert!(
        server.post_form("/register", &twice).await.is_refusal(400, -10003).errmsg().contains("token is given twice")
    );
    nothing_was_stored(&server).await;
    assert_eq!(wechat.all_calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_what_its_type_says_is_refused() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let post = async |body_type: Option<&str>, body: &str| {
        server.send(Method::POST, "/register", body_type, body.as_bytes().to_vec()).await
    };
    for body in ["{", "[]", "\"text\"", "1", "key=test", r#"{"key":{"a":1}}"#, r#"{"call":[["/a"]]}"#, "\u{feff}{}"] {
        post(JSON, body).await.is_refusal(400, -10005);
    }
    post(FORM, "key=%ff&appid=wx1&secret=s").await.is_refusal(400, -10005);
    for body_type in [None, Some("text/xml"), Some("text/plain"), Some("multipart/form-data; boundary=x")] {
        post(body_type, "key=test&appid=wx1&secret=s&check=false").await.is_refusal(415, -10006);
    }
    let invalid = server.send(Method::POST, "/register", JSON, vec![b'{', b'"', 0xff, b'"', b'}']).await;
    invalid.is_refusal(400, -10005);
    server.get("/register?key=%ff%fe&appid=wx1&secret=s").await.is_refusal(400, -10003);
    nothing_was_stored(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_refused() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let large = format!("key=test&appid=wx1&secret=s&check=false&mch_cert={}", "a".repeat(600 * 1024));
    server.send(Method::POST, "/register", FORM, large.into()).await.is_refusal(413, -10007);
    // Each parameter has a limit of its own.
    let cert = "a".repeat(65 * 1024);
    let refused = server.post_form("/register", &[&GOOD[..], &[("mch_cert", &cert)]].concat()).await;
    refused.is_refusal(400, -10003);
    nothing_was_stored(&server).await;
    // What openssl writes around a certificate may be long.
    let space = " \n".repeat(28 * 1024);
    let [cert, key, public] = [certificate_and_key(), private_key(), public_key()].map(|pem| format!("{space}{pem}"));
    let fits = [("mch_cert", cert.as_str()), ("mch_private_key", &key), ("pay_public_key", &public)];
    let largest = server.post_form("/register", &[&GOOD[..], &fits].concat()).await;
    assert_eq!(largest.status, 200, "{}", largest.text());
    assert_eq!(server.get("/app/test").await.json()["pay_public_key"], public_key());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_keys_paths_and_methods_have_answers_of_their_own() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    for path in ["/app/nobody", "/app/nobody/api", "/app/nobody/api/new", "/app/nobody/js/card", "/admin/apps/nobody"] {
        let refused = server.get(path).await.is_refusal(404, -10004);
        assert!(refused.errmsg().contains("'nobody'") && refused.errmsg().contains("/register"), "{}", refused.text());
    }
    server.register(&GOOD).await;
    let nowhere = ["/", "/app", "/app/", "/app//api", "/app/test/", "/app/test/nothing", "/app/test/api/"];
    for path in nowhere.into_iter().chain(["/app/%ff/api", "/admin/apps/%ff"]) {
        server.get(path).await.is_refusal(404, -10001);
    }
    for (method, path) in [("DELETE", "/app/test"), ("PUT", "/register"), ("POST", "/metrics"), ("POST", "/healthz")] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        server.send(method, path, None, Vec::new()).await.is_refusal(405, -10002);
    }
    assert_eq!(wechat.all_calls(), 0);
}
