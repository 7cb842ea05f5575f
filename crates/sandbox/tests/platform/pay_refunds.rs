//! Refunds over both APIs: limits, sums, settling by the clock and by hand, notifications.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherDecrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use sandbox::KeyMode::Certificate;
use sandbox::Platform;
use serde_json::{Value, json};

use crate::client::{Events, Sandbox};
use crate::merchant::{Shop, elements, fields};
use crate::tls;

const REFUNDS: &str = "/v3/refund/domestic/refunds";

fn refund(number: &str, amount: u64) -> Value {
    json!({
        "out_trade_no": "ORDER0001", "out_refund_no": number, "notify_url": "http://127.0.0.1:9/n",
        "amount": { "refund": amount, "total": 100, "currency": "CNY" },
    })
}

async fn paid(shop: &Shop<'_>, purse: Value) {
    shop.post_v3("/v3/pay/transactions/native", &shop.order_v3("ORDER0001")).await;
    shop.pay("ORDER0001", purse).await;
    shop.notices().await;
}

#[tokio::test]
async fn a_refund_is_accepted_and_settles_when_its_time_has_come() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    paid(&shop, json!({ "coupons": [{ "amount": 10 }] })).await;
    let mut wish = refund("REFUND01", 50);
    wish["notify_url"] = json!(shop.notify_url());
    let (status, accepted) = shop.post_v3(REFUNDS, &wish).await;
    assert_eq!((status, &accepted["status"]), (200, &json!("PROCESSING")), "{accepted}");
    assert_eq!((&accepted["amount"]["payer_total"], &accepted["amount"]["payer_refund"]), (&json!(90), &json!(45)));
    let query = format!("/v3/pay/transactions/out-trade-no/ORDER0001?mchid={}", shop.merchant.mch_id);
    assert_eq!(shop.get_v3(&query).await.1["trade_state"], "REFUND");
    let (_, again) = shop.post_v3(REFUNDS, &wish).await;
    assert_eq!(again["refund_id"], accepted["refund_id"]);
    let (status, error) = shop.post_v3(REFUNDS, &refund("REFUND01", 51)).await;
    assert_eq!((status, &error["code"]), (400, &json!("INVALID_REQUEST")));

    sandbox.advance(3).await;
    let told = told(&shop, 2).await;
    let envelope: Value = serde_json::from_str(&shop.receiver.got()[1].body).unwrap();
    assert_eq!(envelope["event_type"], "REFUND.SUCCESS");
    assert_eq!((&told["refund_status"], &told["amount"]["payer_refund"]), (&json!("SUCCESS"), &json!(45)));
    let (_, found) = shop.get_v3(&format!("{REFUNDS}/REFUND01")).await;
    assert_eq!((&found["status"], &found["success_time"]), (&json!("SUCCESS"), &told["success_time"]));
    assert_eq!(shop.get_v3(&format!("{REFUNDS}/REFUND09")).await.1["code"], "RESOURCE_NOT_EXISTS");
}

/// What the latest callback says, once there are so many notifications.
async fn told(shop: &Shop<'_>, count: usize) -> Value {
    loop {
        let notices = shop.notices().await;
        if notices.len() == count && notices[count - 1]["state"] == "acknowledged" {
            return shop.opened(shop.receiver.got().last().expect("a callback"));
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn refunds_never_add_up_to_more_than_the_order() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    assert_eq!(shop.post_v3(REFUNDS, &refund("REFUND01", 50)).await.1["code"], "RESOURCE_NOT_EXISTS");
    paid(&shop, json!({})).await;
    shop.change(json!({ "refund_settles_after": null })).await;
    let mut other = refund("REFUND01", 50);
    other["amount"]["total"] = json!(99);
    assert_eq!(shop.post_v3(REFUNDS, &other).await.1["code"], "INVALID_REQUEST");
    assert_eq!(shop.post_v3(REFUNDS, &refund("REFUND01", 60)).await.0, 200);
    assert_eq!(shop.post_v3(REFUNDS, &refund("REFUND02", 41)).await.1["code"], "INVALID_REQUEST");
    let (status, error) = shop.post_v3(REFUNDS, &refund("REFUND02", 40)).await;
    assert_eq!((status, &error["code"]), (429, &json!("FREQUENCY_LIMITED")), "a minute lies between two refunds");
    sandbox.advance(60).await;
    assert_eq!(shop.post_v3(REFUNDS, &refund("REFUND02", 40)).await.0, 200);

    let settle = async |number: &str, state: &str| {
        let target = shop.at(&format!("/refunds/{number}/settle"));
        sandbox.control("POST", &target, &json!({ "state": state })).await
    };
    settle("REFUND01", "CLOSED").await.ok();
    assert_eq!(settle("REFUND01", "SUCCESS").await.status, 409);
    settle("REFUND02", "ABNORMAL").await.ok();
    assert_eq!(shop.get_v3(&format!("{REFUNDS}/REFUND02")).await.1["status"], "ABNORMAL");
    sandbox.advance(60).await;
    assert_eq!(shop.post_v3(REFUNDS, &refund("REFUND03", 60)).await.0, 200, "a closed refund does not count");
    sandbox.advance(366 * 86_400).await;
    assert_eq!(shop.post_v3(REFUNDS, &refund("REFUND04", 1)).await.1["code"], "INVALID_REQUEST");
}

#[tokio::test]
async fn v2_refunds_are_queried_and_told_encrypted() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let files = sandbox.platform.merchant_files(&shop.merchant.mch_id).expect("its files");
    shop.change(json!({ "refund_notify_url": shop.notify_url(), "refund_gap": 0, "refund_outcome": "ABNORMAL" })).await;
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    shop.pay("ORDER0001", json!({})).await;
    let refund = async |number: &str, amount: &str| {
        let wish = fields([
            ("out_trade_no", "ORDER0001"),
            ("out_refund_no", number),
            ("total_fee", "100"),
            ("refund_fee", amount),
        ]);
        elements(&tls::send(&sandbox, Some(&files), "/secapi/pay/refund", &shop.signed_v2(wish)).await.body)
    };
    assert_eq!(refund("REFUND01", "30").await["result_code"], "SUCCESS");
    assert_eq!(refund("REFUND01", "31").await["err_code"], "REFUND_FEE_MISMATCH");
    assert_eq!(refund("REFUND02", "71").await["err_code"], "ERROR");
    assert_eq!(refund("REFUND02", "70").await["result_code"], "SUCCESS");
    let query = |name: &str, value: &str| shop.call_v2("/pay/refundquery", fields([(name, value)]));
    let found = query("out_trade_no", "ORDER0001").await;
    assert_eq!((found["refund_count"].as_str(), found["refund_status_0"].as_str()), ("2", "PROCESSING"));
    assert_eq!((found["out_refund_no_1"].as_str(), found["refund_fee_1"].as_str()), ("REFUND02", "70"));
    assert_eq!(query("out_refund_no", "REFUND02").await["refund_count"], "1");
    assert_eq!(query("refund_id", &found["refund_id_0"]).await["out_refund_no_0"], "REFUND01");
    assert_eq!(query("out_refund_no", "REFUND09").await["err_code"], "REFUNDNOTEXIST");

    sandbox.advance(3).await;
    while shop.receiver.got().len() < 3 {
        tokio::task::yield_now().await;
    }
    let notice = shop.receiver.got().iter().find_map(|got| elements(&got.body).remove("req_info")).expect("a refund");
    let plain = opened(&notice, &shop.merchant.v2_key);
    assert!(
        plain.starts_with("<root>") && plain.contains("<refund_status><![CDATA[CHANGE]]></refund_status>"),
        "{plain}"
    );
    assert_eq!(query("out_refund_no", "REFUND01").await["refund_status_0"], "CHANGE");
}

/// What `req_info` says.
fn opened(secret: &str, v2_key: &str) -> String {
    let key = hex::encode(Md5::digest(v2_key));
    let cipher = Aes256::new_from_slice(key.as_bytes()).expect("a key");
    let mut bytes = STANDARD.decode(secret).expect("base64");
    for chunk in bytes.chunks_exact_mut(16) {
        let mut block = Block::<Aes256>::default();
        block.copy_from_slice(chunk);
        cipher.decrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    let padding = usize::from(*bytes.last().expect("a block"));
    bytes.truncate(bytes.len() - padding);
    String::from_utf8(bytes).expect("text")
}

#[tokio::test]
async fn with_a_live_clock_a_refund_settles_by_itself() {
    let sandbox = Sandbox::start_with(Platform::new()).await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    shop.change(json!({ "refund_settles_after": 1, "refund_notify_url": shop.notify_url() })).await;
    paid(&shop, json!({})).await;
    let mut events = Events::listen(&sandbox).await;
    let mut wish = refund("REFUND01", 100);
    wish.as_object_mut().unwrap().remove("notify_url");
    assert_eq!(shop.post_v3(REFUNDS, &wish).await.0, 200);
    while events.next("notification").await["state"] != "acknowledged" {}
    assert_eq!(shop.opened(&shop.receiver.got()[1])["refund_status"], "SUCCESS");
}
