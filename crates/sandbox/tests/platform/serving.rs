//! The listener: many at once, bounds, who may talk to it, the page, and the end.

use std::collections::HashSet;

use sandbox::AccountKind::Official;
use sandbox::Platform;
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::client::{Events, Sandbox, classic_target, token};

/// Connections and calls on each of them, together 1,000 calls. Fewer connections than calls, because a process may
/// often have only 1,024 open files and both ends are in this one.
const CONNECTIONS: usize = 250;
const CALLS_EACH: usize = 4;

/// Sends the same call 1,000 times at once and gives the tokens that came back.
async fn a_thousand(sandbox: &Sandbox, method: &'static str, target: &str, body: &str) -> Vec<String> {
    let tasks = TaskTracker::new();
    let mut handles = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = sandbox.connect().await;
        let (target, body) = (target.to_owned(), body.to_owned());
        handles.push(tasks.spawn(async move {
            // All calls of a connection are under way before the first answer is read.
            for _ in 0..CALLS_EACH {
                connection.send(method, &target, &[], &body).await;
            }
            let mut tokens = Vec::new();
            for _ in 0..CALLS_EACH {
                tokens.push(token(&connection.answer().await.expect("an answer").json()));
            }
            tokens
        }));
    }
    let mut tokens = Vec::new();
    for handle in handles {
        tokens.extend(handle.await.expect("a task that ended"));
    }
    tokens
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_classic_calls_at_once_leave_two_good_tokens() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let tokens = a_thousand(&sandbox, "GET", &classic_target(&account), "").await;
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 1_000);
    let mut good = 0;
    for token in &tokens {
        good += usize::from(sandbox.judge(token).await == 0);
    }
    assert_eq!(good, 2);
    assert_eq!(sandbox.count("?path=/cgi-bin/token").await, 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_stable_calls_at_once_get_one_token() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let body = json!({ "grant_type": "client_credential", "appid": account.appid, "secret": account.secret });
    let tokens = a_thousand(&sandbox, "POST", "/cgi-bin/stable_token", &body.to_string()).await;
    assert_eq!(tokens.iter().collect::<HashSet<_>>().len(), 1);
}

#[tokio::test]
async fn foreign_names_and_foreign_pages_are_refused() {
    let sandbox = Sandbox::start_with(Platform::new().allow_hosts(["Sandbox.lan".to_owned()])).await;
    for (host, status) in [("127.0.0.1:1", 200), ("[::1]", 200), ("sandbox.lan:8081", 200), ("evil.example", 403)] {
        let mut connection = sandbox.connect().await.named(host);
        connection.send("GET", "/sandbox/clock", &[], "").await;
        let answer = connection.answer().await.expect("an answer");
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
    }
    let mut connection = sandbox.connect().await.named("evil.example");
    connection.send("GET", "/cgi-bin/token", &[], "").await;
    assert_eq!(connection.answer().await.expect("an answer").status, 403);
    let mut connection = sandbox.connect().await;
    connection.send("POST", "/sandbox/reset", &["origin: https://evil.example"], "").await;
    let answer = connection.answer().await.expect("an answer");
    assert_eq!(answer.status, 403);
    assert!(answer.json()["error"].as_str().unwrap().contains("another site"));
}

#[tokio::test]
async fn bodies_are_bounded() {
    let sandbox = Sandbox::start().await;
    let long = "x".repeat(1024 * 1024 + 1);
    assert_eq!(sandbox.send("POST", "/cgi-bin/stable_token", &long).await.status, 413);
    let file = "x".repeat(21 * 1024 * 1024 + 1);
    assert_eq!(sandbox.send("POST", "/cgi-bin/media/upload", &file).await.status, 413);
    let refused = sandbox.send("POST", "/sandbox/accounts", &long).await;
    assert_eq!(refused.status, 413);
    assert!(refused.json()["error"].as_str().unwrap().contains("1048576"));
}

#[tokio::test]
async fn the_page_is_there_and_allows_nothing_foreign() {
    let sandbox = Sandbox::start().await;
    let page = sandbox.send("GET", "/", "").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"));
    for (mark, kind) in [("src=\"", "text/javascript"), ("rel=\"stylesheet\" href=\"", "text/css")] {
        let (_, rest) = page.body.split_once(mark).expect("a file of the page");
        let (file, _) = rest.split_once('"').expect("its path");
        let answer = sandbox.send("GET", file, "").await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(answer.header("content-type").is_some_and(|header| header.starts_with(kind)), "{file}");
    }
    for path in ["/sandbox", "/sandbox/"] {
        let answer = sandbox.send("GET", path, "").await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    }
    assert_eq!(sandbox.send("GET", "/favicon.ico", "").await.status, 404);
}

#[tokio::test]
async fn stopping_ends_streams_and_idle_connections() {
    let sandbox = Sandbox::start().await;
    let mut idle = sandbox.connect().await;
    idle.send("GET", "/sandbox/clock", &[], "").await;
    idle.answer().await.expect("an answer");
    let _events = Events::listen(&sandbox).await;
    sandbox.stop().await;
    assert_eq!(idle.rest().await, b"");
}
