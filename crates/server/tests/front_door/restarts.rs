//! What outlives a process: kill -9, restarts, and the key that everything is sealed with.

use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::{FakeWechat, STABLE, TICKET};
use crate::harness::playground::{Playground, of};
use crate::harness::process::serve;
use crate::harness::server::{Flags, Running};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_the_same_token_is_served_and_wechat_is_not_asked() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url);
    let mut first = serve(&flags).start();
    let caller = first.caller().await;
    caller.register_cold("测试", &[]).await;
    let (token, ticket) = (caller.token("测试").await, caller.get("/app/测试/jsapi").await.ticket());
    first.kill().await;

    let mut second = serve(&flags).start();
    let caller = second.caller().await;
    assert_eq!(caller.token("测试").await, token);
    assert_eq!(caller.get("/app/测试/jsapi").await.ticket(), ticket);
    assert_eq!((wechat.calls(STABLE), wechat.calls(TICKET)), (1, 1), "nothing was fetched again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_the_middle_of_a_refresh_the_next_process_takes_over_when_the_lease_ends() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url);
    let mut first = serve(&flags).start();
    let caller = first.caller().await;
    caller.register_cold("test", &[]).await;
    wechat.close_the_door();
    let (lost, ()) = tokio::join!(caller.try_get("/app/test/api"), async {
        wechat.has_received(STABLE, 1).await;
        first.kill().await;
    });
    assert!(lost.is_err());
    wechat.open_the_door();
    let mut second = serve(&flags).start();
    let token = second.caller().await.token("test").await;
    assert!(wechat.is_good(&token));
    assert_eq!(wechat.calls(STABLE), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_and_api_keys_survive_a_restart() {
    let platform = Playground::start().await;
    let account = platform.official();
    let database = Database::sqlite();
    let flags = Flags::new(&database, &platform.url).public();
    let first = Running::start(&flags).await;
    let admin = first.bearer(crate::harness::server::ADMIN);
    let registered = admin.register(&[&of(&account, "test")[..], &[("allow", "shop.example.com")]].concat()).await;
    let shown = admin.get("/admin/apps/test").await.json();
    first.stop().await;

    let second = Running::start(&flags).await;
    let team = second.bearer(registered["api_key"].as_str().unwrap());
    assert_eq!(team.get("/app/test").await.json(), shown);
    assert_eq!(platform.judges(&team.token("test").await).await, 0);
    assert_eq!(platform.calls(STABLE).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_master_key_is_refused_and_overwrites_nothing() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url);
    let server = Running::start(&flags).await;
    server.register_cold("test", &[]).await;
    let token = server.token("test").await;
    server.stop().await;
    let right = std::fs::read(database.master_key()).unwrap();
    let before = database.bytes();

    std::fs::write(database.master_key(), "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
    let refused = serve(&flags).run().await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("another master key") && refused.err.contains("--master-key"), "{}", refused.err);
    assert_eq!(database.bytes(), before, "not a byte has changed");

    std::fs::write(database.master_key(), "not a key\n").unwrap();
    let refused = serve(&flags).run().await;
    assert_eq!(refused.code, Some(64));
    assert!(refused.err.contains("base64") && !refused.err.contains("not a key"), "{}", refused.err);

    std::fs::remove_file(database.master_key()).unwrap();
    let refused = serve(&flags).run().await;
    assert_eq!(refused.code, Some(64));
    assert!(refused.err.contains("is missing, but the database exists"), "{}", refused.err);
    assert!(!database.master_key().exists(), "no new key hides that the right one is missing");
    assert_eq!(database.bytes(), before);

    std::fs::write(database.master_key(), right).unwrap();
    let server = Running::start(&flags).await;
    assert_eq!(server.token("test").await, token, "with the right key everything is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_nobody_asked_for_since_the_restart_is_still_refreshed_ahead() {
    let wechat = FakeWechat::start().await;
    wechat.always(STABLE, crate::harness::fake_wechat::Reply::Issue(10));
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url);
    let first = Running::start(&flags).await;
    first.register_cold("test", &[]).await;
    let old = first.token("test").await;
    first.stop().await;
    let second = Running::start(&flags).await;
    wechat.has_received(STABLE, 2).await;
    eventually("the new one is there", async || second.token("test").await != old).await;
    assert_eq!(wechat.calls(STABLE), 2);
}
