//! Payments against kill -9: who has paid is told to the team once, and what WeChat was told is taken is on disk.
//!
//! A real process on one SQLite file is killed at random moments (between placing, storing, acknowledging, delivering),
//! while orders are placed and paid; WeChat's side is the sandbox, which repeats its notifications.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sandbox::KeyMode;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::backend::{Backend, Does};
use crate::harness::caller::{Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::process::serve;
use crate::harness::server::Flags;
use crate::harness::shop::{Bank, PAID, register};

const KILLS: u64 = 25;
const PAYERS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_and_no_payment_is_lost() {
    for merchant in [Bank::v2, Bank::v3] {
        killed_again_and_again(merchant).await;
    }
}

async fn killed_again_and_again(merchant: fn(&Bank) -> Vec<(&'static str, String)>) {
    let (bank, backend, database) =
        (Bank::open(KeyMode::Certificate).await, Backend::start().await, Database::sqlite());
    for place in 0..600 {
        if place % 7 == 3 {
            backend.next(PAID, Does::status(503));
        } else {
            backend.next(PAID, Does::nothing());
        }
    }
    let flags = Flags::new(&database, &bank.url);
    let mut process = serve(&flags).start();
    let url = process.url().await;
    // The address of its notifications must be the same after a restart.
    let port = url.rsplit(':').next().unwrap().to_owned();
    let caller = process.caller().await;
    register(&caller, "test", &bank, &merchant(&bank)).await;
    process.kill().await;
    let flags = flags.but("--listen", &format!("127.0.0.1:{port}"));
    let mut process = serve(&flags).start();
    let server = process.caller().await;

    let (stop, stopped) = watch::channel(false);
    let bank = std::sync::Arc::new(bank);
    let call = backend.at(PAID);
    let payers: JoinSet<Vec<String>> = (0..PAYERS)
        .map(|payer| keep_paying(payer, server.clone(), std::sync::Arc::clone(&bank), call.clone(), stopped.clone()))
        .collect();
    let mut moment = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..KILLS {
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(40 + (moment >> 33) % 300)).await;
        process.kill().await;
        let log = process.err();
        assert!(!log.contains("panicked"), "{log}");
        process = serve(&flags).start();
        process.url().await;
        // WeChat's next tries.
        bank.post("/sandbox/clock", &json!({"advance": 16})).await;
    }
    stop.send_replace(true);
    let paid: Vec<String> = payers.join_all().await.into_iter().flatten().collect();
    assert!(paid.len() > 20, "there was some load: {}", paid.len());
    eventually("every payment is told", async || {
        let told = told(&backend);
        paid.iter().all(|number| told.contains_key(number))
    })
    .await;
    let told = told(&backend);
    assert!(told.values().all(|ids| ids.len() == 1), "one payment has one webhook-id");
    assert!(told.keys().all(|number| paid.contains(number)), "nobody else is told of");
    acknowledged_is_stored(&bank, &server).await;
    eprintln!("{KILLS} kills, {} orders paid, {} deliveries", paid.len(), backend.calls(PAID));
}

/// The `webhook-id`s under which each order was told.
fn told(backend: &Backend) -> HashMap<String, HashSet<String>> {
    let mut told: HashMap<String, HashSet<String>> = HashMap::new();
    for arrived in backend.arrived(PAID) {
        let number = arrived.json()["out_trade_no"].as_str().unwrap().to_owned();
        told.entry(number).or_default().insert(arrived.header("webhook-id").to_owned());
    }
    told
}

/// Places orders until each is there, under the same number, and pays them; gives the numbers of those that were paid.
async fn keep_paying(
    payer: usize,
    server: Caller,
    bank: std::sync::Arc<Bank>,
    call: String,
    stopped: watch::Receiver<bool>,
) -> Vec<String> {
    let mut paid = Vec::new();
    for count in 0.. {
        let number = format!("payer-{payer}-{count}");
        let query = encoded(&[("fee", "9"), ("out_trade_no", &number), ("call", &call)]);
        let mut code: Option<Value> = None;
        while code.is_none() {
            if *stopped.borrow() {
                return paid;
            }
            let answer = server.try_get(&format!("/app/test/pay?{query}")).await;
            code = answer.ok().filter(|answer| answer.status == 200).map(|answer| answer.json()["code_url"].clone());
            if code.is_none() {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
        let decided = bank.post("/sandbox/payments", &json!({"order": {"code_url": code}})).await;
        assert_eq!(decided["result"], "ok", "{decided}");
        paid.push(number);
    }
    paid
}

async fn acknowledged_is_stored(bank: &Bank, server: &Caller) {
    let sent = bank.notifications().await;
    let acknowledged = sent.iter().filter(|notice| notice["state"] == "acknowledged");
    for notice in acknowledged {
        let number = notice["out_trade_no"].as_str().unwrap();
        let order = server.get(&format!("/admin/orders/{number}")).await.json();
        assert_eq!(order["state"], "paid", "{order}");
    }
}
