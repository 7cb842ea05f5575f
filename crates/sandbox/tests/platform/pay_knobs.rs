//! What goes wrong on purpose with payments: answers, notifications, whole calls.

use sandbox::KeyMode::Certificate;
use serde_json::{Value, json};

use crate::client::Sandbox;
use crate::merchant::{Shop, elements, fields, sign_v2};
use crate::receiver::Manner;

const NATIVE: &str = "/v3/pay/transactions/native";

#[tokio::test]
async fn answers_of_v3_are_spoilt_as_often_as_asked_for() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    let kinds = ["signtest", "wrong_signature", "unsigned", "unknown_serial", "stale_timestamp", "altered_body"];
    let faults: Vec<_> = kinds.iter().map(|kind| json!({ "kind": kind })).collect();
    shop.change(json!({ "answer_faults": faults })).await;
    let now = sandbox.get("/sandbox/clock").await["now"].as_u64().unwrap() / 1000;
    for (number, kind) in kinds.iter().enumerate() {
        let order = shop.order_v3(&format!("ORDER000{number}")).to_string();
        let answer = shop.send_v3("POST", NATIVE, &order, None).await;
        assert_eq!(answer.status, 200);
        let header = |name: &str| answer.header(name).unwrap_or_default();
        let good = |body: &str| {
            let message = format!("{}\n{}\n{body}\n", header("wechatpay-timestamp"), header("wechatpay-nonce"));
            shop.is_wechats(&shop.merchant.platform_serial, &message, header("wechatpay-signature"))
        };
        let signature = header("wechatpay-signature");
        match *kind {
            "signtest" => assert!(signature.starts_with("WECHATPAY/SIGNTEST/") && !good(&answer.body)),
            "unsigned" => assert_eq!(signature, ""),
            "wrong_signature" => assert!(!good(&answer.body)),
            "unknown_serial" => assert_ne!(header("wechatpay-serial"), shop.merchant.platform_serial),
            "stale_timestamp" => {
                assert!(good(&answer.body) && now - header("wechatpay-timestamp").parse::<u64>().unwrap() >= 599);
            }
            _ => assert!(!good(&answer.body) && good(answer.body.trim_end())),
        }
    }
    assert_eq!(shop.post_v3(NATIVE, &shop.order_v3("ORDER0009")).await.0, 200);
    shop.change(json!({ "signtest_rate": 1.0 })).await;
    let probed = shop.send_v3("GET", "/v3/certificates", "", None).await;
    assert!(probed.header("wechatpay-signature").unwrap().starts_with("WECHATPAY/SIGNTEST/"));
}

#[tokio::test]
async fn callbacks_of_v3_are_spoilt_one_after_the_other() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    let kinds = [
        "withheld",
        "other_amount",
        "other_appid",
        "other_mchid",
        "signtest",
        "altered_body",
        "stale_timestamp",
        "missing_signature",
        "unknown_serial",
        "wrong_tag",
        "unknown_field",
    ];
    let faults: Vec<_> = kinds.iter().map(|kind| json!({ "kind": kind })).collect();
    shop.change(json!({ "notice_faults": faults })).await;
    shop.receiver.then(kinds.iter().skip(1).map(|_| Manner::Say(500, String::new())));
    shop.post_v3(NATIVE, &shop.order_v3("ORDER0001")).await;
    shop.pay("ORDER0001", json!({})).await;
    for gap in [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800] {
        shop.notices().await;
        sandbox.advance(gap).await;
    }
    let notice = shop.notices().await.remove(0);
    assert_eq!(notice["state"], "acknowledged");
    let tries = notice["tries"].as_array().unwrap();
    let told: Vec<_> = tries.iter().map(|tried| &tried["fault"]).collect();
    assert_eq!(told[..kinds.len()], kinds);
    assert_eq!((&tries[0]["outcome"], &tries[1]["outcome"]), (&json!("withheld"), &json!("rejected")));
    let got = shop.receiver.got();
    assert_eq!(got.len(), kinds.len());
    let plain = |number: usize| {
        let envelope: Value = serde_json::from_str(got[number].body.trim_end()).unwrap();
        shop.unsealed(&envelope["resource"]).map(|plain| serde_json::from_str::<Value>(&plain).unwrap())
    };
    assert_eq!(plain(0).unwrap()["amount"]["total"], 101);
    assert_eq!(plain(1).unwrap()["appid"], "wx0000000000000000");
    assert_eq!(plain(2).unwrap()["mchid"], "1000000000");
    assert!(got[3].header("wechatpay-signature").unwrap().starts_with("WECHATPAY/SIGNTEST/"));
    assert_eq!(got[6].header("wechatpay-signature"), None);
    assert_eq!(plain(8), None);
    assert_eq!(plain(9).unwrap()["sandbox_field"], 1);
    shop.opened(got.last().unwrap());
    let ids: std::collections::HashSet<_> =
        got.iter().map(|got| serde_json::from_str::<Value>(got.body.trim_end()).unwrap()["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "the same notification");
}

#[tokio::test]
async fn callbacks_of_v2_are_spoilt_one_after_the_other() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let kinds = ["other_amount", "no_coupon_type", "unknown_field", "empty_sign", "altered_body", "missing_signature"];
    let more = ["dtd", "second_root"];
    let faults: Vec<_> = kinds.iter().chain(&more).map(|kind| json!({ "kind": kind })).collect();
    shop.change(json!({ "notice_faults": faults })).await;
    shop.receiver.then(faults.iter().map(|_| Manner::Say(200, "no".into())));
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    shop.pay("ORDER0001", json!({ "coupons": [{ "amount": 1, "cash": false }] })).await;
    for gap in [15, 15, 30, 180, 600, 1200, 1800, 1800] {
        shop.notices().await;
        sandbox.advance(gap).await;
    }
    assert_eq!(shop.notices().await[0]["state"], "acknowledged");
    let got = shop.receiver.got();
    let read: Vec<_> = got[..6].iter().map(|got| elements(&got.body)).collect();
    let good = |number: usize| read[number].get("sign") == Some(&sign_v2(&read[number], &shop.merchant.v2_key));
    assert!(good(0) && read[0]["total_fee"] == "101");
    assert!(good(1) && !read[1].contains_key("coupon_type_0") && read[1].contains_key("coupon_id_0"));
    assert!(good(2) && read[2]["sandbox_field"] == "1");
    assert_eq!(read[2]["settlement_total_fee"], "99");
    assert_eq!(read[3]["sign"], "");
    assert!(!good(4) && !read[5].contains_key("sign"));
    assert!(got[6].body.starts_with("<!DOCTYPE") && got[7].body.contains("</xml><xml>"));
}

#[tokio::test]
async fn notifications_are_turned_off_or_sent_in_several_copies_at_once() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    shop.change(json!({ "notifications": false })).await;
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    shop.pay("ORDER0001", json!({})).await;
    assert_eq!(shop.notices().await[0]["state"], "off");
    assert_eq!(shop.receiver.got().len(), 0);
    shop.change(json!({ "notifications": true, "copies": 5 })).await;
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0002", "NATIVE")).await;
    shop.pay("ORDER0002", json!({})).await;
    let notice = shop.notices().await.remove(1);
    assert_eq!((&notice["state"], notice["tries"].as_array().unwrap().len()), (&json!("acknowledged"), 5));
    assert_eq!(shop.receiver.got().len(), 5);
    let refused = sandbox.control("PATCH", &shop.at(""), &json!({ "copies": 0 })).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_slow_server_is_given_up_after_five_seconds_of_the_sandboxs_clock() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    shop.receiver.then([Manner::Never]);
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    shop.pay("ORDER0001", json!({})).await;
    while shop.receiver.got().is_empty() {
        tokio::task::yield_now().await;
    }
    sandbox.advance(5).await;
    let notice = shop.notices().await.remove(0);
    assert_eq!((&notice["state"], &notice["tries"][0]["outcome"]), (&json!("waiting"), &json!("timeout")));
    sandbox.advance(10).await;
    assert_eq!(shop.notices().await[0]["state"], "acknowledged");
}

#[tokio::test]
async fn an_answer_may_be_lost_after_the_order_was_made() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let appid = crate::merchant::APPID;
    let fault = json!({ "path": "/pay/unifiedorder", "appid": appid, "drop": true, "carry_out": true });
    sandbox.fault(&fault).await;
    let order = shop.order_v2("ORDER0001", "NATIVE");
    let mut connection = sandbox.connect().await;
    connection.send("POST", "/pay/unifiedorder", &[], &shop.signed_v2(order.clone())).await;
    assert_eq!(connection.rest().await, b"");
    let found = shop.call_v2("/pay/orderquery", fields([("out_trade_no", "ORDER0001")])).await;
    assert_eq!(found["trade_state"], "NOTPAY");
    assert_eq!(shop.call_v2("/pay/unifiedorder", order).await["result_code"], "SUCCESS");
}

#[tokio::test]
async fn an_order_may_be_paid_before_its_answer_arrives() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    sandbox.fault(&json!({ "path": "/pay/unifiedorder", "delay_ms": 600_000, "carry_out": true })).await;
    let mut connection = sandbox.connect().await;
    connection.send("POST", "/pay/unifiedorder", &[], &shop.signed_v2(shop.order_v2("ORDER0001", "NATIVE"))).await;
    while sandbox.send("GET", &shop.at("/orders/ORDER0001"), "").await.status != 200 {
        tokio::task::yield_now().await;
    }
    shop.pay("ORDER0001", json!({})).await;
    assert_eq!(shop.notices().await[0]["state"], "acknowledged");
    assert!(connection.is_silent());
}

#[tokio::test]
async fn calls_fail_with_the_codes_of_either_api() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    sandbox.fault(&json!({ "path": "/pay/*", "code": "SYSTEMERROR" })).await;
    let failed = shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    assert_eq!((failed["result_code"].as_str(), failed["err_code"].as_str()), ("FAIL", "SYSTEMERROR"));
    let unknown = shop.call_v2("/pay/orderquery", fields([("out_trade_no", "ORDER0001")])).await;
    assert_eq!(unknown["err_code"], "ORDERNOTEXIST", "it was not carried out");
    for (code, status) in [("SYSTEM_ERROR", 500), ("FREQUENCY_LIMITED", 429), ("NOT_ENOUGH", 403)] {
        sandbox.fault(&json!({ "path": "/v3/*", "code": code, "errmsg": "busy" })).await;
        let (got, error) = shop.post_v3(NATIVE, &shop.order_v3("ORDER0001")).await;
        assert_eq!((got, error), (status, json!({ "code": code, "message": "busy" })));
    }
    sandbox.fault(&json!({ "path": "/v3/*", "status": 502 })).await;
    assert_eq!(shop.send_v3("GET", "/v3/certificates", "", None).await.status, 502);
}
