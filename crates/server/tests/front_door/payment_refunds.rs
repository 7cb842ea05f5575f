//! `/pay/refund`: back to the payer once, whatever gets lost on the way, and told to the team when it is decided.

use std::time::Duration;

use sandbox::KeyMode;
use serde_json::{Value, json};

use crate::harness::caller::{Answer, encoded};
use crate::harness::eventually;
use crate::harness::shop::{Bank, PAID, Shop, history};

/// v2's refunds need TLS, to show the merchant's certificate; v3 goes over the same way.
async fn shops() -> [Shop; 2] {
    let v2 = |bank: &Bank| {
        let mut pairs = bank.v2();
        pairs.push(("mch_cert", bank.file("apiclient_cert.pem") + &bank.file("apiclient_key.pem")));
        pairs
    };
    [Shop::over_tls(KeyMode::Certificate, v2).await, Shop::over_tls(KeyMode::Certificate, Bank::v3).await]
}

async fn refund(shop: &Shop, more: &[(&str, &str)]) -> Answer {
    shop.server.get(&format!("/app/test/pay/refund?{}", encoded(more))).await
}

/// Decides a refund, and gives what the backend is told.
async fn decided(shop: &Shop, number: &str, out_refund_no: &str, state: &str, event_type: &str) -> Value {
    shop.bank.settle(out_refund_no, state).await;
    eventually(&format!("{event_type} is told"), async || !shop.all_news(event_type, number).is_empty()).await;
    shop.all_news(event_type, number).remove(0).json()
}

#[tokio::test]
async fn a_refund_is_accepted_decided_and_told() {
    for shop in shops().await {
        shop.bank.change(&json!({"refund_settles_after": null, "refund_gap": 0})).await;
        let number = shop.paid(&[("fee", "300")]).await;
        let asked =
            [("out_trade_no", number.as_str()), ("out_refund_no", "R-0001"), ("refund_fee", "100"), ("reason", "冷了")];
        let accepted = refund(&shop, &asked).await.json();
        assert_eq!(
            (&accepted["out_refund_no"], &accepted["refund_fee"], &accepted["total_fee"]),
            (&json!("R-0001"), &json!(100), &json!(300)),
            "{accepted}"
        );
        assert!(accepted["refund_id"].as_str().is_some_and(|id| !id.is_empty()), "{accepted}");
        let told = decided(&shop, &number, "R-0001", "SUCCESS", "REFUND.SUCCESS").await;
        for (name, value) in [
            ("out_refund_no", json!("R-0001")),
            ("refund_fee", json!(100)),
            ("total_fee", json!(300)),
            ("refund_status", json!("SUCCESS")),
            ("out_trade_no", json!(number)),
        ] {
            assert_eq!(told[name], value, "{name} in {told}");
        }
        let record = shop.has_state(&number, "refunded").await;
        assert_eq!(record["refunds"][0]["state"], "succeeded", "{record}");
        assert!(
            history(&record).ends_with(&["refund asked".into(), "refund accepted".into(), "refunded".into()]),
            "{record}"
        );
        let found = shop.server.get("/app/test/pay/refund/query?out_refund_no=R-0001").await.json();
        assert_eq!((&found["refund_status_0"], &found["refund_fee_0"]), (&json!("SUCCESS"), &json!(100)), "{found}");
        let query = shop.server.get(&format!("/app/test/pay/query?out_trade_no={number}")).await.json();
        assert_eq!(query["trade_state"], "REFUND", "{query}");
    }
}

#[tokio::test]
async fn the_same_number_moves_money_once() {
    for shop in shops().await {
        shop.bank.change(&json!({"refund_settles_after": null, "refund_gap": 0})).await;
        let number = shop.paid(&[]).await;
        let same = [("out_trade_no", number.as_str()), ("out_refund_no", "R-1"), ("refund_fee", "40")];
        let first = refund(&shop, &same).await.json();
        let again = refund(&shop, &same).await.json();
        assert_eq!((&first["out_refund_no"], &again["out_refund_no"]), (&json!("R-1"), &json!("R-1")), "{again}");
        let other = [("out_trade_no", number.as_str()), ("out_refund_no", "R-1"), ("refund_fee", "41")];
        refund(&shop, &other).await.is_refusal(409, -10030);
        let second = [("out_trade_no", number.as_str()), ("out_refund_no", "R-2"), ("refund_fee", "10")];
        let at_once = (0..8).map(|_| refund(&shop, &second));
        for answer in futures::future::join_all(at_once).await {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let of_order = shop.server.get(&format!("/app/test/pay/refund/query?out_trade_no={number}")).await.json();
        let numbers = [&of_order["out_refund_no_0"], &of_order["out_refund_no_1"]];
        assert!(numbers.contains(&&json!("R-1")) && numbers.contains(&&json!("R-2")), "{of_order}");
        assert_eq!(
            (&of_order["refund_count"], &of_order["appid"]),
            (&json!(2), &json!(shop.bank.account.appid)),
            "{of_order}"
        );
        let refunds = refunds(&shop).await;
        let fees: Vec<i64> = refunds
            .iter()
            .filter_map(|refund| refund["amount"].as_i64().or(refund["refund_fee"].as_i64()).or(refund["fee"].as_i64()))
            .collect();
        assert_eq!(refunds.len(), 2, "{refunds:?}");
        assert_eq!(fees.iter().sum::<i64>(), 50, "{refunds:?}");
    }
}

async fn refunds(shop: &Shop) -> Vec<Value> {
    let path = format!("/sandbox/merchants/{}/refunds", shop.bank.merchant.mch_id);
    shop.bank.control.get(&path).await.json()["refunds"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_cannot_be_refunded_says_why() {
    for shop in shops().await {
        let unpaid = shop.ordered(&[]).await;
        refund(&shop, &[("out_trade_no", &unpaid), ("out_refund_no", "R1")]).await.is_refusal(409, -10031);
        let number = shop.paid(&[]).await;
        for bad in [
            &[("out_refund_no", "R1")] as &[_],
            &[("out_trade_no", number.as_str())],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "a b")],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "R1"), ("refund_fee", "0")],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "R1"), ("refund_fee", "101")],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "R1"), ("total_fee", "99")],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "R1"), ("refundFee", "1")],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "R1"), ("fee", "1"), ("refund_fee", "2")],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "R1"), ("out_refund_no", "R2")],
            &[("out_trade_no", number.as_str()), ("out_refund_no", "R1"), ("mch_id", "1999999999")],
            &[("out_trade_no", "nobodys-order"), ("out_refund_no", "R1"), ("refund_fee", "1")],
        ] {
            let answer = refund(&shop, bad).await;
            assert_eq!((answer.status, answer.errcode()), (400, -10003), "{bad:?}: {}", answer.text());
        }
        assert!(refunds(&shop).await.is_empty());
    }
}

/// Even what is sealed with the merchant's own key must fit what is known of the order.
#[tokio::test]
async fn a_refund_that_does_not_fit_is_not_told() {
    let [shop, _] = shops().await;
    shop.bank.change(&json!({"refund_settles_after": null, "refund_gap": 0})).await;
    let number = shop.paid(&[("fee", "100")]).await;
    let unpaid = shop.ordered(&[]).await;
    refund(&shop, &[("out_trade_no", number.as_str()), ("out_refund_no", "R-1"), ("refund_fee", "30")]).await;
    decided(&shop, &number, "R-1", "SUCCESS", "REFUND.SUCCESS").await;
    let transaction = shop.record(&number).await["transaction_id"].as_str().unwrap().to_owned();
    let refund_id = shop.record(&number).await["refunds"][0]["refund_id"].as_str().unwrap().to_owned();
    let told = shop.backend.calls(PAID);
    for (order, refund_no, id, fee, total, status) in [
        (&number, "R-1", refund_id.as_str(), "30", "100", "REFUNDCLOSE"),
        (&number, "R-1", "5099", "30", "100", "CHANGE"),
        (&number, "R-2", "5001", "71", "100", "SUCCESS"),
        (&number, "R-2", "5001", "-5", "100", "SUCCESS"),
        (&number, "R-2", "5001", "10", "99", "SUCCESS"),
        (&number, "R-2", refund_id.as_str(), "10", "100", "SUCCESS"),
        (&unpaid, "R-3", "5002", "10", "100", "SUCCESS"),
    ] {
        let answer = notified(&shop, &transaction, order, refund_no, id, fee, total, status).await;
        assert!(answer.text().contains("FAIL"), "{refund_no} {fee} {status}: {}", answer.text());
    }
    assert_eq!(shop.backend.calls(PAID), told);
    // One that the merchant platform made, and that fits.
    let answer = notified(&shop, &transaction, &number, "R-2", "5001", "70", "100", "SUCCESS").await;
    assert!(answer.text().contains("SUCCESS"), "{}", answer.text());
    eventually("it is told", async || shop.backend.calls(PAID) > told).await;
    assert_eq!(shop.record(&number).await["refunds"].as_array().unwrap().len(), 2);
}

#[expect(clippy::too_many_arguments, reason = "the parts of a notification")]
async fn notified(
    shop: &Shop,
    transaction: &str,
    number: &str,
    out_refund_no: &str,
    refund_id: &str,
    fee: &str,
    total: &str,
    status: &str,
) -> Answer {
    let plain = format!(
        "<root><transaction_id>{transaction}</transaction_id><out_trade_no>{number}</out_trade_no>\
         <out_refund_no>{out_refund_no}</out_refund_no><refund_id>{refund_id}</refund_id><refund_fee>{fee}</refund_fee>\
         <settlement_refund_fee>{fee}</settlement_refund_fee><total_fee>{total}</total_fee>\
         <refund_status>{status}</refund_status><success_time>2026-01-02 09:46:01</success_time></root>"
    );
    let sealed = wechat::pay::v2::seal(plain.as_bytes(), &shop.bank.merchant.v2_key);
    let (appid, mch_id) = (&shop.bank.account.appid, &shop.bank.merchant.mch_id);
    let body = format!(
        "<xml><return_code>SUCCESS</return_code><appid>{appid}</appid><mch_id>{mch_id}</mch_id><nonce_str>x</nonce_str>\
         <req_info>{sealed}</req_info></xml>"
    );
    let path = "/app/test/pay/refund/notify";
    shop.server.send(reqwest::Method::POST, path, Some("text/xml"), body.into_bytes()).await
}

#[tokio::test]
async fn a_refund_that_wechat_does_not_tell_of_is_found() {
    for shop in shops().await {
        let number = shop.paid(&[]).await;
        shop.bank.change(&json!({"notifications": false, "refund_settles_after": null})).await;
        refund(&shop, &[("out_trade_no", number.as_str()), ("out_refund_no", "R-quiet")]).await;
        shop.bank.settle("R-quiet", "ABNORMAL").await;
        shop.everybody_waits(Duration::from_secs(61)).await;
        eventually("it is told", async || !shop.all_news("REFUND.ABNORMAL", &number).is_empty()).await;
        let told = shop.all_news("REFUND.ABNORMAL", &number).remove(0).json();
        assert_eq!((&told["refund_status"], &told["refund_fee"]), (&json!("CHANGE"), &json!(100)), "{told}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_no_second_refund() {
    for (shop, path) in shops().await.into_iter().zip(["/secapi/pay/refund", "/v3/refund/domestic/refunds"]) {
        shop.bank.change(&json!({"refund_settles_after": null})).await;
        let number = shop.paid(&[]).await;
        shop.bank.fault(&json!({"path": path, "drop": true, "carry_out": true})).await;
        let answer = refund(&shop, &[("out_trade_no", number.as_str()), ("out_refund_no", "R-lost")]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["out_refund_no"], "R-lost", "{}", answer.text());
        assert_eq!(refunds(&shop).await.len(), 1);
        decided(&shop, &number, "R-lost", "SUCCESS", "REFUND.SUCCESS").await;
        assert_eq!(shop.all_news("REFUND.SUCCESS", &number).len(), 1);
    }
}

/// Nobody knows whether WeChat has it: it is not given up soon, and the same number is looked up first.
#[tokio::test]
async fn a_refund_in_doubt_is_looked_for_and_asked_for_once_more() {
    for (shop, path) in shops().await.into_iter().zip(["/secapi/pay/refund", "/v3/refund/domestic/refunds"]) {
        shop.bank.change(&json!({"refund_settles_after": null})).await;
        let number = shop.paid(&[]).await;
        // WeChat never hears of it; and of what happened to it nothing is known either.
        shop.bank.fault(&json!({"path": path, "drop": true})).await;
        shop.bank.fault(&json!({"path": "/pay/refundquery", "drop": true, "times": 3})).await;
        shop.bank.fault(&json!({"path": "/v3/refund/domestic/refunds/*", "drop": true, "times": 3})).await;
        let asked = [("out_trade_no", number.as_str()), ("out_refund_no", "R-doubt")];
        refund(&shop, &asked).await.is_refusal(504, -10032);
        shop.everybody_waits(Duration::from_secs(30)).await;
        eventually("it is still in doubt", async || shop.record(&number).await["refunds"][0]["state"] == "asking")
            .await;
        let accepted = refund(&shop, &asked).await;
        assert_eq!(accepted.json()["refund_fee"], 100, "{}", accepted.text());
        assert_eq!(refunds(&shop).await.len(), 1);
        decided(&shop, &number, "R-doubt", "SUCCESS", "REFUND.SUCCESS").await;
    }
}

/// v2's FAIL is not signed: the money may have moved. Only what WeChat then says of the refund counts.
#[tokio::test]
async fn an_unsigned_no_is_no_proof_that_nothing_was_refunded() {
    let [shop, _] = shops().await;
    shop.bank.change(&json!({"refund_settles_after": null})).await;
    let number = shop.paid(&[]).await;
    let fail = "<xml><return_code>FAIL</return_code><return_msg>BUSY</return_msg></xml>";
    let refusing = json!({"path": "/secapi/pay/refund", "status": 200, "body": fail, "carry_out": true});
    shop.bank.fault(&refusing).await;
    shop.bank.fault(&json!({"path": "/pay/refundquery", "drop": true, "times": 3})).await;
    let asked = [("out_trade_no", number.as_str()), ("out_refund_no", "R-fail")];
    refund(&shop, &asked).await.is_refusal(504, -10032);
    assert_eq!(refunds(&shop).await.len(), 1);
    let found = refund(&shop, &asked).await;
    assert_eq!((found.status, &found.json()["out_refund_no"]), (200, &json!("R-fail")), "{}", found.text());
    assert_eq!(refunds(&shop).await.len(), 1);
    decided(&shop, &number, "R-fail", "SUCCESS", "REFUND.SUCCESS").await;
}

#[tokio::test]
async fn a_refund_by_v2_needs_the_merchants_certificate() {
    let shop = Shop::over_tls(KeyMode::Certificate, Bank::v2).await;
    let number = shop.paid(&[]).await;
    let told =
        refund(&shop, &[("out_trade_no", number.as_str()), ("out_refund_no", "R1")]).await.is_refusal(400, -10029);
    assert!(told.errmsg().contains("mch_cert"), "{}", told.errmsg());
    // As a p12 file in base64, whose password is the merchant's number.
    use base64::Engine;
    let p12 = base64::engine::general_purpose::STANDARD.encode(shop.bank.p12());
    let mut merchant = shop.bank.v2();
    merchant.push(("mch_cert", p12));
    crate::harness::shop::register(&shop.operator(), "test", &shop.bank, &merchant).await;
    let accepted = refund(&shop, &[("out_trade_no", number.as_str()), ("out_refund_no", "R1")]).await.json();
    assert_eq!(accepted["refund_fee"], 100, "{accepted}");
    assert!(shop.backend.calls(PAID) >= 1);
}
