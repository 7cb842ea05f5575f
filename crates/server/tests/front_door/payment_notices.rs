//! WeChat Pay's notifications: what is believed is told once, what is not changes nothing and is recorded.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::backend::Does;
use crate::harness::eventually;
use crate::harness::shop::{PAID, Shop, history};

/// The members that a backend gets for a payment, whatever the version.
#[tokio::test]
async fn a_payment_is_told_in_one_shape() {
    let mut shapes = Vec::new();
    for shop in Shop::both().await {
        let number = shop.ordered(&[("attach", "table 7"), ("openid", shop.bank.payer.as_str())]).await;
        shop.bank.pay(&number).await;
        let told = shop.told(&number).await;
        for (name, value) in [
            ("out_trade_no", json!(number)),
            ("total_fee", json!(100)),
            ("cash_fee", json!(100)),
            ("openid", json!(shop.bank.payer)),
            ("trade_type", json!("JSAPI")),
            ("attach", json!("table 7")),
            ("appid", json!(shop.bank.account.appid)),
            ("mch_id", json!(shop.bank.merchant.mch_id)),
            ("event_type", json!("TRANSACTION.SUCCESS")),
            ("result_code", json!("SUCCESS")),
        ] {
            assert_eq!(told[name], value, "{name} in {told}");
        }
        let time_end = told["time_end"].as_str().unwrap();
        assert!(time_end.len() == 14 && time_end.bytes().all(|b| b.is_ascii_digit()), "{told}");
        assert!(told["transaction_id"].as_str().is_some_and(|id| id.len() == 28), "{told}");
        assert!(told.get("sign").is_none() && told.get("nonce_str").is_none(), "{told}");
        let arrived = shop.news(&number).remove(0);
        assert!(arrived.header("webhook-id").starts_with("msg_") && arrived.query.is_empty());
        assert_eq!(arrived.header("content-type"), "application/json; charset=utf-8");
        shapes.push((told["bank_type"].clone(), told["fee_type"].clone()));
        let record = shop.has_state(&number, "paid").await;
        assert_eq!(history(&record), ["placed", "answered", "notified", "paid"]);
        eventually("the delivery is on record", async || {
            shop.record(&number).await["deliveries"][0]["backends"][0]["state"] == "taken"
        })
        .await;
    }
    assert_eq!(shapes[0], shapes[1]);
}

#[tokio::test]
async fn what_v3_said_goes_along() {
    let shop = Shop::v3().await;
    let number = shop.paid(&[]).await;
    let told = shop.told(&number).await;
    assert_eq!(told["resource"]["amount"]["total"], 100, "{told}");
}

#[tokio::test]
async fn five_copies_at_once_are_one_payment() {
    for shop in Shop::both().await {
        shop.bank.change(&json!({"copies": 5})).await;
        let number = shop.paid(&[]).await;
        let sent = shop.bank.notifications().await;
        assert!(sent.iter().all(|notice| notice["state"] == "acknowledged"), "{sent:?}");
        shop.bank.post(&format!("/sandbox/notifications/{}/resend", sent[0]["id"]), &json!({"wait": true})).await;
        assert_eq!(shop.news(&number).len(), 1);
    }
}

/// Each fault hits the first try; the clean resend of WeChat's next try is taken.
async fn is_refused_then_taken(shop: &Shop, fault: &str, reason: &str) {
    shop.bank.change(&json!({"notice_faults": [{"kind": fault}]})).await;
    let number = shop.ordered(&[]).await;
    shop.bank.pay(&number).await;
    eventually(&format!("{fault}: the first try is over"), async || {
        let sent = shop.bank.notifications().await;
        sent.iter().any(|notice| {
            notice["out_trade_no"] == *number && notice["tries"].as_array().is_some_and(|t| !t.is_empty())
        })
    })
    .await;
    assert!(shop.news(&number).is_empty(), "{fault}: told although it was not believed");
    let record = shop.record(&number).await;
    assert_eq!(record["state"], "unpaid", "{fault}: {record}");
    if reason != "probe" {
        let refused = shop.refused_notices().await;
        assert!(refused.iter().any(|notice| notice["reason"] == *reason), "{fault}: no {reason} in {refused:?}");
    }
    // And so that the next refusal is not one of a flood that is counted only.
    shop.everybody_waits(Duration::from_secs(120)).await;
    shop.told(&number).await;
}

#[tokio::test]
async fn what_is_forged_or_altered_is_refused_and_recorded_v3() {
    let shop = Shop::v3().await;
    for (fault, reason) in [
        ("signtest", "probe"),
        ("wrong_signature", "bad_signature"),
        ("altered_body", "bad_signature"),
        ("stale_timestamp", "bad_timestamp"),
        ("missing_signature", "not_signed"),
        ("unknown_serial", "unknown_serial"),
        ("wrong_tag", "not_decryptable"),
        ("other_amount", "mismatch"),
        ("other_appid", "mismatch"),
        ("other_mchid", "other_merchant"),
    ] {
        is_refused_then_taken(&shop, fault, reason).await;
    }
}

#[tokio::test]
async fn what_is_forged_or_altered_is_refused_and_recorded_v2() {
    let shop = Shop::v2().await;
    for (fault, reason) in [
        ("wrong_signature", "bad_signature"),
        ("altered_body", "bad_signature"),
        ("missing_signature", "not_signed"),
        ("empty_sign", "not_signed"),
        ("dtd", "malformed"),
        ("second_root", "malformed"),
        ("other_amount", "mismatch"),
        ("other_appid", "mismatch"),
        ("other_mchid", "other_merchant"),
    ] {
        is_refused_then_taken(&shop, fault, reason).await;
    }
}

#[tokio::test]
async fn what_wechat_may_do_is_taken() {
    for shop in Shop::both().await {
        for fault in ["md5", "no_coupon_type", "unknown_field"] {
            shop.bank.change(&json!({"notice_faults": [{"kind": fault}]})).await;
            shop.paid(&[]).await;
        }
        let sent = shop.bank.notifications().await;
        assert!(sent.iter().all(|notice| notice["tries"].as_array().is_some_and(|tries| tries.len() == 1)), "{sent:?}");
    }
}

#[tokio::test]
async fn a_payment_of_somebody_elses_order_needs_a_pay_call() {
    for shop in Shop::both().await {
        let number = shop.ordered(&[("out_trade_no", "foreign-0001")]).await;
        // Another server of the team placed it; this one knows nothing of it.
        shop.bank.change(&json!({"notifications": false})).await;
        let other = crate::harness::databases::Database::sqlite();
        drop(other);
        forget(&shop, &number).await;
        shop.bank.change(&json!({"notifications": true})).await;
        shop.bank.pay(&number).await;
        eventually("it is refused", async || shop.refused_notices().await.iter().any(|n| n["reason"] == "mismatch"))
            .await;
        assert_eq!(shop.backend.calls(PAID), 0);
        let call = shop.backend.at(PAID);
        let account = &shop.bank.account;
        let pairs = [
            ("key", "test"),
            ("appid", &*account.appid),
            ("secret", &*account.secret),
            ("check", "false"),
            ("pay_call", &call),
        ];
        shop.server.register(&pairs).await;
        shop.bank.post("/sandbox/clock", &json!({"advance": 16})).await;
        assert_eq!(shop.told(&number).await["total_fee"], 100);
    }
}

/// As if the order had been placed by somebody else.
async fn forget(shop: &Shop, number: &str) {
    use sea_orm::{ConnectionTrait, Database as Connection};
    let database = Connection::connect(&shop.database.url).await.unwrap();
    database.execute_unprepared("DELETE FROM orders").await.unwrap();
    database.close().await.unwrap();
    assert_eq!(shop.operator().get(&format!("/admin/orders/{number}")).await.status, 404);
}

#[tokio::test]
async fn a_closed_order_is_paid_only_if_wechat_says_so_when_asked() {
    for shop in Shop::both().await {
        let number = shop.ordered(&[]).await;
        set_state(&shop, 4).await;
        shop.bank.pay(&number).await;
        // WeChat says so: the payer's money counts for more than what we thought.
        shop.told(&number).await;
        assert_eq!(shop.record(&number).await["state"], "paid");
    }
}

async fn set_state(shop: &Shop, state: i32) {
    use sea_orm::{ConnectionTrait, Database as Connection};
    let database = Connection::connect(&shop.database.url).await.unwrap();
    database.execute_unprepared(&format!("UPDATE orders SET state = {state}, due_at = NULL")).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_notification_of_another_merchant_is_refused() {
    let [shop, other] = [Shop::v3().await, Shop::v3().await];
    let number = other.ordered(&[]).await;
    other.bank.pay(&number).await;
    other.told(&number).await;
    // The whole of it, headers and all, brought to a registration of another merchant.
    let sent = other.bank.notifications().await;
    assert_eq!(sent.len(), 1);
    let body = json!({"id": "x", "event_type": "TRANSACTION.SUCCESS", "resource": {"ciphertext": "AAAA", "nonce": "123456789012"}});
    let answer = shop.server.post_json("/app/test/pay/notify", &body).await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("FAIL")), "{}", answer.text());
    for junk in ["", "{}", "[]", "<xml>", "<xml></xml>", "\u{0}", "<xml><a>1</a></xml><xml/>"] {
        let answer =
            shop.server.send(reqwest::Method::POST, "/app/test/pay/notify", Some("text/xml"), junk.into()).await;
        assert!(
            answer.status >= 400 || answer.text().contains("FAIL"),
            "{junk:?}: {} {}",
            answer.status,
            answer.text()
        );
        let refund = shop.server.send(reqwest::Method::POST, "/app/test/pay/refund/notify", None, junk.into()).await;
        assert!(refund.status >= 400 || refund.text().contains("FAIL"), "{junk:?}: {}", refund.text());
    }
    assert_eq!(shop.backend.all_calls(), 0);
}

#[tokio::test]
async fn a_backend_that_is_down_gets_it_later() {
    for shop in Shop::both().await {
        shop.backend.next(PAID, Does::status(500));
        shop.backend.next(PAID, Does::Drop);
        let number = shop.ordered(&[]).await;
        shop.bank.pay(&number).await;
        let sent = shop.bank.notifications().await;
        assert!(sent.iter().all(|notice| notice["state"] == "acknowledged"), "stored is stored: {sent:?}");
        for _ in 0..3 {
            shop.wait(Duration::from_secs(3600));
            tokio::task::yield_now().await;
        }
        eventually("the third try", async || {
            shop.wait(Duration::from_secs(60));
            shop.backend.calls(PAID) >= 3
        })
        .await;
        let ids: std::collections::HashSet<String> =
            shop.news(&number).iter().map(|arrived| arrived.header("webhook-id").to_owned()).collect();
        assert_eq!(ids.len(), 1);
        let attempts: Vec<Value> =
            shop.news(&number).iter().map(|arrived| json!(arrived.header("x-wechat-attempt"))).collect();
        assert_eq!(attempts, ["1", "2", "3"]);
    }
}
