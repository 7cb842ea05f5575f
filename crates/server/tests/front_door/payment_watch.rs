//! The safety net: what WeChat does not tell is asked for, on its schedule, and an answer that got lost is never a
//! second order.

use std::time::Duration;

use sandbox::KeyMode;
use serde_json::{Value, json};

use crate::harness::caller::encoded;
use crate::harness::eventually;
use crate::harness::server::{Flags, Running};
use crate::harness::shop::{Bank, PAID, Shop, history, register};

const DAY: u64 = 24 * 3600;

#[tokio::test]
async fn a_payment_of_which_nothing_is_told_is_found() {
    for shop in Shop::both().await {
        shop.bank.change(&json!({"notifications": false})).await;
        let number = shop.ordered(&[]).await;
        shop.bank.pay(&number).await;
        shop.wait(Duration::from_secs(6));
        let told = shop.told(&number).await;
        assert_eq!((&told["total_fee"], &told["event_type"]), (&json!(100), &json!("TRANSACTION.SUCCESS")), "{told}");
        let record = shop.has_state(&number, "paid").await;
        assert!(history(&record).iter().any(|what| what == "queried"), "{record}");
        assert!(record.get("next_query_at").is_none(), "{record}");
        // The notification comes after all: it is no second payment.
        shop.bank.change(&json!({"notifications": true})).await;
        for notice in shop.bank.notifications().await {
            shop.bank.post(&format!("/sandbox/notifications/{}/resend", notice["id"]), &json!({"wait": true})).await;
        }
        assert_eq!(shop.news(&number).len(), 1);
    }
}

#[tokio::test]
async fn a_query_of_the_team_settles_as_well() {
    for shop in Shop::both().await {
        shop.bank.change(&json!({"notifications": false})).await;
        let number = shop.ordered(&[]).await;
        let unpaid = shop.server.get(&format!("/app/test/pay/query?out_trade_no={number}")).await.json();
        assert_eq!(unpaid["trade_state"], "NOTPAY", "{unpaid}");
        shop.bank.pay(&number).await;
        let paid = shop.server.get(&format!("/app/test/pay/query?out_trade_no={number}")).await.json();
        assert_eq!((&paid["trade_state"], &paid["total_fee"]), (&json!("SUCCESS"), &json!(100)), "{paid}");
        shop.told(&number).await;
        let id = paid["transaction_id"].as_str().unwrap();
        let same = shop.server.get(&format!("/app/test/pay/query?transaction_id={id}")).await.json();
        assert_eq!(same["out_trade_no"], *number, "{same}");
        shop.server.get("/app/test/pay/query?out_trade_no=nobodys-order").await.is_refusal(404, -10033);
        shop.server.get("/app/test/pay/query").await.is_refusal(400, -10003);
        let closed = shop.server.get(&format!("/app/test/pay/close?out_trade_no={number}")).await;
        closed.is_refusal(409, -10031);
    }
}

#[tokio::test]
async fn an_order_that_nobody_pays_is_asked_about_on_schedule_and_closed_in_the_end() {
    let shop = Shop::v3().await;
    let number = shop.ordered(&[]).await;
    let mut asked = 0;
    // 5 s, 30 s, 1, 3, 5, 10, 30 min: each time one question more.
    for age in [5, 30, 60, 180, 300, 600, 1800u64] {
        let wait = if asked == 0 { 6 } else { age };
        shop.everybody_waits(Duration::from_secs(wait)).await;
        eventually(&format!("asked at {age} s"), async || queries(&shop, &number).await > asked).await;
        asked = queries(&shop, &number).await;
    }
    assert_eq!(shop.record(&number).await["state"], "unpaid");
    for _ in 0..4 {
        shop.everybody_waits(Duration::from_secs(2 * DAY)).await;
        let before = asked;
        eventually("asked again, or closed", async || {
            asked = queries(&shop, &number).await;
            asked > before || shop.record(&number).await["state"] == "closed"
        })
        .await;
    }
    shop.everybody_waits(Duration::from_secs(DAY)).await;
    shop.has_state(&number, "closed").await;
    assert_eq!(shop.bank.order(&number).await["trade_state"], "CLOSED");
    assert_eq!(shop.backend.calls(PAID), 0);
}

async fn queries(shop: &Shop, number: &str) -> usize {
    history(&shop.record(number).await).iter().filter(|what| *what == "queried").count()
}

#[tokio::test]
async fn an_order_with_an_end_is_closed_after_it() {
    for shop in Shop::both().await {
        let expires = beijing_time(10 * 60);
        let number = shop.ordered(&[("time_expire", &expires)]).await;
        shop.everybody_waits(Duration::from_secs(15 * 60)).await;
        eventually("it is closed", async || {
            shop.everybody_waits(Duration::from_secs(20 * 60)).await;
            shop.record(&number).await["state"] == "closed"
        })
        .await;
    }
}

/// Beijing time, so many seconds from now.
fn beijing_time(seconds: i64) -> String {
    use engine::clock::{Clock, SystemClock};
    wechat::pay::time::compact(SystemClock.now().as_seconds() + seconds)
}

/// WeChat did it, and the answer got lost: the same number is asked about, then placed again exactly as it was.
#[tokio::test]
async fn a_lost_answer_is_no_second_order() {
    for (shop, path) in Shop::both().await.into_iter().zip(["/pay/unifiedorder", "/v3/pay/transactions/native"]) {
        for kind in ["dropped", "halved", "gateway", "busy", "unheard"] {
            let number = format!("lost-{kind}");
            shop.bank.fault(&fault(kind, path)).await;
            let answer = shop.order(&[("out_trade_no", &number)]).await;
            assert_eq!(answer.status, 200, "{kind}: {}", answer.text());
            assert!(answer.json()["code_url"].is_string(), "{kind}: {}", answer.text());
            let orders = shop.bank.orders().await;
            assert_eq!(orders.iter().filter(|order| order["out_trade_no"] == *number).count(), 1);
            shop.bank.pay(&number).await;
            shop.told(&number).await;
        }
    }
}

/// WeChat does it, and this happens to its answer.
fn fault(kind: &str, path: &str) -> Value {
    match kind {
        "dropped" => json!({"path": path, "drop": true, "carry_out": true}),
        "halved" => json!({"path": path, "truncate": true}),
        "gateway" => json!({"path": path, "status": 502, "carry_out": true}),
        "busy" => json!({"path": path, "code": "SYSTEMERROR", "carry_out": true}),
        // WeChat never heard of it, and nobody knows.
        _ => json!({"path": path, "drop": true}),
    }
}

/// An answer whose signature is wrong may be anybody's: the order is looked up.
#[tokio::test]
async fn an_answer_that_cannot_be_believed_is_no_answer() {
    let shop = Shop::v3().await;
    shop.ordered(&[]).await;
    for kind in ["signtest", "wrong_signature", "unsigned", "unknown_serial", "stale_timestamp", "altered_body"] {
        shop.bank.change(&json!({"answer_faults": [{"kind": kind}]})).await;
        let number = format!("doubt-{kind}").replace('_', "-");
        let answer = shop.order(&[("out_trade_no", &number)]).await;
        assert!(answer.json()["code_url"].is_string(), "{kind}: {}", answer.text());
        shop.bank.pay(&number).await;
        shop.told(&number).await;
    }
    shop.bank.change(&json!({"answer_faults": [{"kind": "wrong_signature", "times": 100}]})).await;
    let unknown = shop.order(&[("out_trade_no", "doubt-for-ever")]).await;
    unknown.is_refusal(504, -10032);
    assert_eq!(shop.record("doubt-for-ever").await["state"], "placing");
    shop.bank.change(&json!({"answer_faults": []})).await;
    let again = shop.order(&[("out_trade_no", "doubt-for-ever")]).await;
    assert!(again.json()["code_url"].is_string(), "{}", again.text());
    assert_eq!(shop.bank.orders().await.iter().filter(|order| order["out_trade_no"] == "doubt-for-ever").count(), 1);
}

#[tokio::test]
async fn an_order_that_was_paid_while_its_answer_was_lost_is_told() {
    let shop = Shop::v2().await;
    shop.bank
        .change(&json!({"notifications": false, "answer_faults": [{"kind": "wrong_signature", "times": 100}]}))
        .await;
    shop.order(&[("out_trade_no", "paid-in-doubt")]).await.is_refusal(504, -10032);
    shop.bank.pay("paid-in-doubt").await;
    shop.bank.change(&json!({"answer_faults": []})).await;
    shop.wait(Duration::from_secs(6));
    shop.told("paid-in-doubt").await;
}

#[tokio::test]
async fn the_backup_host_is_asked_when_the_main_one_is_not_there() {
    let bank = Bank::open(KeyMode::Certificate).await;
    let database = crate::harness::databases::Database::sqlite();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    for merchant in [bank.v2(), bank.v3()] {
        let flags = Flags::new(&database, &bank.url).but("--pay-url", &dead).and("--pay-backup-url", &bank.url);
        let server = Running::start(&flags).await;
        register(&server.caller, "test", &bank, &merchant).await;
        let query = encoded(&[("fee", "5"), ("out_trade_no", &format!("backup-{}", merchant.len()))]);
        let answer = server.get(&format!("/app/test/pay?{query}")).await;
        assert!(answer.json()["code_url"].is_string(), "{}", answer.text());
        server.stop().await;
    }
    // Neither is there: nothing happened, and that is what is said.
    let flags = Flags::new(&database, &bank.url).but("--pay-url", &dead).and("--pay-backup-url", &dead);
    let server = Running::start(&flags).await;
    let answer = server.get("/app/test/pay?fee=5&out_trade_no=nobody-0001").await;
    answer.is_refusal(502, -10014);
    server.stop().await;
    let server = Running::start(&Flags::new(&database, &bank.url)).await;
    let answer = server.get("/app/test/pay?fee=5&out_trade_no=nobody-0001").await;
    assert!(answer.json()["code_url"].is_string(), "{}", answer.text());
}
