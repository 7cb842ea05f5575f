//! Several nodes on one database: an order is placed once, a payment told once, whoever is asked and notified.

use std::sync::Arc;
use std::time::Duration;

use sandbox::KeyMode;
use serde_json::json;

use crate::harness::backend::Backend;
use crate::harness::caller::encoded;
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::server::{Flags, Running, TurnedClock};
use crate::harness::shop::{Bank, PAID, register};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_are_one_shop_on_postgresql() {
    if let Some(database) = Database::postgres().await {
        two_nodes_are_one_shop(database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_are_one_shop_on_mariadb() {
    if let Some(database) = Database::mariadb().await {
        two_nodes_are_one_shop(database).await;
    }
}

async fn two_nodes_are_one_shop(database: Database) {
    let (bank, backend) = (Bank::open(KeyMode::Certificate).await, Backend::start().await);
    let (flags, clock) = (Flags::new(&database, &bank.url), Arc::new(TurnedClock::default()));
    let one = Running::start_by(&flags, Arc::clone(&clock)).await;
    let two = Running::start_by(&flags, Arc::clone(&clock)).await;
    register(&one.caller, "test", &bank, &bank.v3()).await;
    let call = backend.at(PAID);
    let asks = (0..10).map(|place| {
        let node = if place % 2 == 0 { &one } else { &two };
        let query = encoded(&[("fee", "100"), ("out_trade_no", "two-nodes-01"), ("call", &call)]);
        async move { node.get(&format!("/app/test/pay?{query}")).await.json() }
    });
    let answers = futures::future::join_all(asks).await;
    assert!(answers[0]["code_url"].is_string(), "{}", answers[0]);
    // What differs is only under which address WeChat notifies; the order is the first one's.
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(bank.orders().await.len(), 1);

    bank.change(&json!({"copies": 6})).await;
    bank.pay("two-nodes-01").await;
    // And both nodes ask, because it is time.
    clock.turn(Duration::from_secs(6));
    eventually("it is told", async || backend.calls(PAID) > 0).await;
    let sent = bank.notifications().await;
    assert!(sent.iter().all(|notice| notice["state"] == "acknowledged"), "{sent:?}");
    for node in [&one, &two] {
        let found = node.get("/app/test/pay/query?out_trade_no=two-nodes-01").await.json();
        assert_eq!(found["trade_state"], "SUCCESS", "{found}");
    }
    assert_eq!(backend.calls(PAID), 1);

    // Unpaid orders of a node that is gone are asked about by the other.
    bank.change(&json!({"notifications": false})).await;
    let query = encoded(&[("fee", "100"), ("out_trade_no", "two-nodes-02"), ("call", &call)]);
    assert_eq!(one.get(&format!("/app/test/pay?{query}")).await.status, 200);
    one.stop().await;
    bank.pay("two-nodes-02").await;
    clock.turn(Duration::from_secs(60));
    eventually("the other node finds it", async || backend.calls(PAID) == 2).await;
    two.stop().await;
}
