//! Several equal nodes on one database: one asks WeChat, all have the answer.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use engine::credentials::LEASE;

use crate::harness::caller::{Answer, Caller};
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::{FakeWechat, STABLE};
use crate::harness::process::{Process, serve};
use crate::harness::server::{ADMIN, Flags, Running};

/// Two processes on one database.
struct Pair {
    processes: [Process; 2],
    one: Caller,
    two: Caller,
}

async fn pair(database: &Database, wechat: &FakeWechat) -> Pair {
    rlimit::increase_nofile_limit(10_000).unwrap();
    let flags = Flags::new(database, &wechat.url);
    // Both at once: they also create the tables at once.
    let mut processes = [serve(&flags).start(), serve(&flags).start()];
    let [first, second] = &mut processes;
    let (one, two) = tokio::join!(first.caller(), second.caller());
    Pair { processes, one, two }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_cold_requests_on_each_of_two_nodes_ask_once_on_postgresql() {
    if let Some(database) = Database::postgres().await {
        five_hundred_on_each(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_cold_requests_on_each_of_two_nodes_ask_once_on_mariadb() {
    if let Some(database) = Database::mariadb().await {
        five_hundred_on_each(&database).await;
    }
}

async fn five_hundred_on_each(database: &Database) {
    let wechat = FakeWechat::start().await;
    let nodes = pair(database, &wechat).await;
    nodes.one.register_cold("测试", &[]).await;
    wechat.close_the_door();
    let opened = async {
        wechat.has_received(STABLE, 1).await;
        // Behind the cold requests both nodes work on: time enough for the other one to ask WeChat, if it wanted to.
        for number in 0..10 {
            nodes.one.register_cold(&format!("one {number}"), &[]).await;
            nodes.two.register_cold(&format!("two {number}"), &[]).await;
        }
        wechat.open_the_door();
    };
    let target = "/app/测试/api";
    let (ones, twos, ()) = tokio::join!(nodes.one.at_once(500, target), nodes.two.at_once(500, target), opened);
    let tokens: HashSet<String> = ones.iter().chain(&twos).map(Answer::token).collect();
    assert_eq!(tokens.len(), 1, "everybody has the same token");
    assert_eq!(wechat.all_calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_on_each_node_who_saw_the_same_dead_token_cost_one_refresh() {
    let Some(database) = Database::postgres().await else { return };
    let wechat = FakeWechat::start().await;
    let nodes = pair(&database, &wechat).await;
    nodes.one.register_cold("test", &[]).await;
    let old = nodes.one.token("test").await;
    assert_eq!(nodes.two.token("test").await, old);
    let target = format!("/app/test/api/new?access_token={old}");
    let (ones, twos) = tokio::join!(nodes.one.at_once(100, &target), nodes.two.at_once(100, &target));
    let tokens: HashSet<String> = ones.iter().chain(&twos).map(Answer::token).collect();
    assert_eq!(tokens.len(), 1);
    assert!(!tokens.contains(&old));
    assert_eq!(wechat.calls(STABLE), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_refresher_is_killed_the_other_node_takes_over_on_postgresql() {
    if let Some(database) = Database::postgres().await {
        the_other_takes_over(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_refresher_is_killed_the_other_node_takes_over_on_mariadb() {
    if let Some(database) = Database::mariadb().await {
        the_other_takes_over(&database).await;
    }
}

async fn the_other_takes_over(database: &Database) {
    let wechat = FakeWechat::start().await;
    let mut nodes = pair(database, &wechat).await;
    nodes.one.register_cold("test", &[]).await;
    wechat.close_the_door();
    let refresher = nodes.one.try_get("/app/test/api");
    let killed = async {
        wechat.has_received(STABLE, 1).await;
        let asked = Instant::now();
        nodes.processes[0].kill().await;
        wechat.open_the_door();
        asked
    };
    let (lost, asked) = tokio::join!(refresher, killed);
    assert!(lost.is_err(), "its node is dead");
    // Asked while the dead node's lease still stands: it waits for the end, then asks WeChat itself.
    let token = nodes.two.token("test").await;
    assert!(wechat.is_good(&token));
    assert_eq!(wechat.calls(STABLE), 2, "the one that was lost, and one more");
    // The lease began a moment before the call arrived.
    assert!(asked.elapsed() > LEASE - Duration::from_secs(2), "not before the end: {:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_changes_the_other_knows_soon() {
    let Some(database) = Database::postgres().await else { return };
    let wechat = FakeWechat::start().await;
    let nodes = pair(&database, &wechat).await;
    nodes.one.register_cold("test", &[]).await;
    nodes.two.register_cold("other", &[]).await;
    let old = nodes.two.token("test").await;
    let new = nodes.one.get(&format!("/app/test/api/new?access_token={old}")).await.token();
    eventually("the new token", async || nodes.two.token("test").await == new).await;
    nodes.one.register_cold("test", &[("call", "/jsapi")]).await;
    eventually("the new scope", async || nodes.two.get("/app/test/api").await.status == 403).await;
    let removed = nodes.one.send(http::Method::DELETE, "/admin/apps/test", None, Vec::new()).await;
    assert_eq!(removed.status, 200);
    eventually("the removal", async || nodes.two.get("/app/test/api").await.status == 404).await;
    assert_eq!(nodes.two.get("/app/other/api").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_revoked_on_one_node_soon_opens_nothing_on_the_other() {
    let Some(database) = Database::postgres().await else { return };
    let wechat = FakeWechat::start().await;
    let flags = Flags::new(&database, &wechat.url).public();
    let (one, two) = (Running::start(&flags).await, Running::start(&flags).await);
    let operator = one.bearer(ADMIN);
    let old = operator.register_cold("test", &[]).await;
    assert_eq!(two.bearer(&old).get("/app/test/api").await.status, 200);
    let new = operator.register_cold("test", &[("rotate", "api_key"), ("revoke", "true")]).await;
    assert_eq!(one.bearer(&old).get("/app/test/api").await.status, 401, "here at once");
    eventually("there soon", async || two.bearer(&old).get("/app/test/api").await.status == 401).await;
    assert_eq!(two.bearer(&new).get("/app/test/api").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merges_on_two_nodes_at_once_lose_nothing() {
    let Some(database) = Database::mariadb().await else { return };
    let wechat = FakeWechat::start().await;
    let nodes = pair(&database, &wechat).await;
    let api_key = nodes.one.register_cold("test", &[]).await;
    assert!(!api_key.is_empty());
    crate::registration::merge_everything_at_once(&nodes.one, &nodes.two).await;
    crate::registration::everything_is_there(&nodes.one.get("/app/test").await.json());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_master_key_is_refused_on_a_shared_database() {
    let Some(database) = Database::postgres().await else { return };
    let wechat = FakeWechat::start().await;
    let flags = Flags::new(&database, &wechat.url);
    let mut first = serve(&flags).start();
    first.caller().await.register_cold("test", &[]).await;
    let other = database.folder().join("other.key");
    std::fs::write(&other, "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=\n").unwrap();
    let refused = serve(&flags.clone().but("--master-key", &other.display().to_string())).run().await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("another master key"), "{}", refused.err);
    let without = database.folder().join("none.key");
    let refused = serve(&flags.but("--master-key", &without.display().to_string())).run().await;
    assert_eq!(refused.code, Some(64));
    assert!(!without.exists(), "a shared database never gets a made-up key: {}", refused.err);
    assert!(first.is_running());
}
