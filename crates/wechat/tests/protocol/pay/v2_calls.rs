//! Requests of API v2, and what pages and apps are given.

use proptest::prelude::*;
use serde_json::json;
use wechat::pay::{Method, OutRefundNo, PaymentNo, RefundNo, TradeType, v2};

use super::*;

#[test]
fn the_vectors_are_signed_alike() {
    assert_eq!(v2::md5(pairs(ORDER_V2), MCH_KEY), ORDER_V2_MD5);
    assert_eq!(v2::md5(pairs(ORDER_V2).into_iter().chain([("attach", ""), ("sign", "X")]), MCH_KEY), ORDER_V2_MD5);
    let with_type = pairs(ORDER_V2).into_iter().chain([("sign_type", "HMAC-SHA256")]);
    assert_eq!(v2::hmac_sha256(with_type, MCH_KEY), ORDER_V2_HMAC);
    assert_eq!(v2::md5(pairs(NOTICE_V2), MCH_KEY), NOTICE_V2_MD5);
}

#[test]
fn the_documents_own_examples_are_signed_alike() {
    let key = "192006250b4c09247ec02edce69f6a2d";
    let order = [
        ("appid", "wxd930ea5d5a258f4f"),
        ("mch_id", "10000100"),
        ("device_info", "1000"),
        ("body", "test"),
        ("nonce_str", "ibuaiVcKdpRxkhJA"),
    ];
    assert_eq!(v2::md5(order, key), "9A0A8659F005D6984697E2CA0A9CF3B7");
    assert_eq!(v2::hmac_sha256(order, key), "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6");

    let key = "qazwsxedcrfvtgbyhnujmikolp111111";
    let page = |kind| {
        [
            ("appId", "wx619a931576afe069"),
            ("nonceStr", "RIPb5Upk3ku7knU6"),
            ("package", "prepay_id=wx2611334392677180ea59742b3744840000"),
            ("signType", kind),
            ("timeStamp", "1774495197"),
        ]
    };
    assert_eq!(v2::md5(page("MD5"), key), "1F2E9533D7D483FBCDBD0B9BCA76F97D");
    let hmac = "4A04CF5B979A4920409A9DEF2322C33C96DE8E9A96830E648719C60EF991700E";
    assert_eq!(v2::hmac_sha256(page("HMAC-SHA256"), key), hmac);
}

#[test]
fn pages_and_apps_get_the_vectors_parameters() {
    let prepay_id = "wx01103456000000testonly000000000001";
    let page = merchant_v2().jsapi_parameters(APPID, prepay_id, &stamp());
    let expected = json!({
        "appId": APPID, "timeStamp": "1767234896", "nonceStr": NONCE, "package": format!("prepay_id={prepay_id}"),
        "signType": "MD5", "paySign": JSAPI_V2_MD5,
    });
    assert_eq!(serde_json::to_value(page).unwrap(), expected);
    let app = merchant_v2().app_parameters(APPID, prepay_id, &stamp());
    let expected = json!({
        "appid": APPID, "partnerid": MCH_ID, "prepayid": prepay_id, "package": "Sign=WXPay", "noncestr": NONCE,
        "timestamp": "1767234896", "sign": APP_V2_MD5,
    });
    assert_eq!(serde_json::to_value(app).unwrap(), expected);
}

#[test]
fn an_order_is_what_the_document_asks_for() {
    let mut order = order(TradeType::Native);
    order.others = others([
        ("attach", "a<b&c"),
        ("time_expire", "2026-01-01T11:34:56+08:00"),
        ("detail", r#"{"goods_detail":[]}"#),
        ("goods_tag", ""),
        ("support_fapiao", "true"),
        ("settle_info", r#"{"profit_sharing":false}"#),
        ("limit_pay", r#"["no_credit"]"#),
    ]);
    let call = merchant_v2().order(&order, &stamp()).unwrap();
    assert_eq!(
        (call.method, call.target.as_str(), call.client_certificate),
        (Method::Post, "/pay/unifiedorder", false)
    );
    assert!(header(&call, "Content-Type").unwrap().starts_with("text/xml"));
    let mut sent = elements(&call.body);
    let sign = sent.remove("sign").unwrap();
    let expected = others([
        ("appid", APPID),
        ("mch_id", MCH_ID),
        ("nonce_str", NONCE),
        ("body", "测试商品"),
        ("attach", "a<b&c"),
        ("detail", r#"{"goods_detail":[]}"#),
        ("version", "1.0"),
        ("out_trade_no", "TEST20260101000001"),
        ("total_fee", "100"),
        ("spbill_create_ip", "203.0.113.7"),
        ("notify_url", "https://pay.example.com/notify/wechat"),
        ("trade_type", "NATIVE"),
        ("product_id", "TEST20260101000001"),
        ("time_expire", "20260101113456"),
        ("receipt", "Y"),
        ("profit_sharing", "N"),
        ("limit_pay", "no_credit"),
    ]);
    assert_eq!(sent, expected);
    assert!(v2::verifies(sent.iter().map(|(name, value)| (name.as_str(), value.as_str())), &sign, MCH_KEY));
}

#[test]
fn what_is_the_proxys_own_never_passes_through() {
    let mut order = order(TradeType::Jsapi);
    let names = ["sign", "sign_type", "nonce_str", "mch_id", "mchid", "key", "appid", "total_fee", "body", "openid"];
    order.others = names.map(|name| (name.to_owned(), "FOREIGN".to_owned())).into();
    let call = merchant_v2().order(&order, &stamp()).unwrap();
    assert!(!String::from_utf8_lossy(&call.body).contains("FOREIGN"));
    let call = merchant_v3().order(&order, &stamp()).unwrap();
    assert!(!String::from_utf8_lossy(&call.body).contains("FOREIGN"));
}

#[test]
fn other_calls_name_what_they_are_about() {
    let merchant = merchant_v2();
    let number = OutTradeNo::parse("TEST20260101000001").unwrap();
    let refund_no = OutRefundNo::parse("R1").unwrap();
    let by_number = PaymentNo::OutTradeNo(number.clone());
    let by_id = PaymentNo::TransactionId("4200".to_owned());
    let refunds = |number| merchant.query_refund(APPID, &number, &stamp()).unwrap();
    let calls = [
        (merchant.query(APPID, &by_number, &stamp()), "/pay/orderquery", ("out_trade_no", "TEST20260101000001")),
        (merchant.query(APPID, &by_id, &stamp()), "/pay/orderquery", ("transaction_id", "4200")),
        (merchant.close(APPID, &number, &stamp()), "/pay/closeorder", ("out_trade_no", "TEST20260101000001")),
        (refunds(RefundNo::OutRefundNo(refund_no)), "/pay/refundquery", ("out_refund_no", "R1")),
        (refunds(RefundNo::RefundId("50".to_owned())), "/pay/refundquery", ("refund_id", "50")),
        (refunds(RefundNo::Payment(by_id)), "/pay/refundquery", ("transaction_id", "4200")),
    ];
    for (call, target, named) in calls {
        assert_eq!((call.target.as_str(), call.client_certificate), (target, false));
        let mut sent = elements(&call.body);
        assert!(sent.remove("sign").is_some());
        assert_eq!(sent, others([("appid", APPID), ("mch_id", MCH_ID), ("nonce_str", NONCE), named]));
    }
}

#[test]
fn a_refund_shows_the_client_certificate() {
    let mut refund = refund();
    refund.others = others([("reason", "商品已售完"), ("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS")]);
    let call = merchant_v2().refund(&refund, &stamp()).unwrap();
    assert_eq!((call.target.as_str(), call.client_certificate), ("/secapi/pay/refund", true));
    let mut sent = elements(&call.body);
    sent.remove("sign");
    let expected = others([
        ("appid", APPID),
        ("mch_id", MCH_ID),
        ("nonce_str", NONCE),
        ("out_trade_no", "TEST20260101000001"),
        ("out_refund_no", "R@20260101000001"),
        ("total_fee", "100"),
        ("refund_fee", "30"),
        ("refund_desc", "商品已售完"),
        ("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS"),
    ]);
    assert_eq!(sent, expected);
}

#[test]
fn what_wechat_would_refuse_is_named() {
    let refused = |change: fn(&mut Order)| {
        let mut order = order(TradeType::Jsapi);
        change(&mut order);
        let errors = [merchant_v2(), merchant_v3()].map(|merchant| merchant.order(&order, &stamp()).unwrap_err().name);
        assert_eq!(errors[0], errors[1], "both versions refuse the same");
        errors[0].clone()
    };
    assert_eq!(refused(|order| order.body = " ".to_owned()), "body");
    assert_eq!(refused(|order| order.body = "字".repeat(128)), "body");
    assert_eq!(refused(|order| order.body = "a\u{1}".to_owned()), "body");
    assert_eq!(refused(|order| order.openid = None), "openid");
    assert_eq!(refused(|order| order.openid = Some(String::new())), "openid");
    assert_eq!(refused(|order| order.trade_type = TradeType::Mweb), "scene_info");
    assert_eq!(refused(|order| order.client_ip = "localhost".to_owned()), "spbill_create_ip");
    assert_eq!(refused(|order| order.notify_url = "https://x.example/n?a=1".to_owned()), "notify_url");
    assert_eq!(refused(|order| order.notify_url = "/n".to_owned()), "notify_url");
    assert_eq!(refused(|order| order.others = others([("attach", &"x".repeat(129))])), "attach");
    assert_eq!(refused(|order| order.others = others([("time_expire", "tomorrow")])), "time_expire");
    assert_eq!(refused(|order| order.others = others([("settle_info", "Y")])), "settle_info");
    assert_eq!(refused(|order| order.others = others([("limit_pay", "[1]x")])), "limit_pay");
    assert_eq!(refused(|order| order.others = others([("a b", "1")])), "a parameter");
    let mut too_much = refund();
    too_much.refund_fee = Fee::parse("101").unwrap();
    assert_eq!(merchant_v2().refund(&too_much, &stamp()).unwrap_err().name, "refund_fee");
    let mut long = refund();
    long.others = others([("refund_desc", &"字".repeat(27))]);
    assert_eq!(merchant_v2().refund(&long, &stamp()).unwrap_err().name, "refund_desc");
}

proptest! {
    #[test]
    fn a_repetition_differs_in_nonce_and_sign_only(nonce in "[0-9A-Za-z]{32}", at in 1_700_000_000_i64..2_000_000_000) {
        let order = order(TradeType::Jsapi);
        let again = Stamp { at, nonce };
        let mut bodies = [&stamp(), &again].map(|stamp| elements(&merchant_v2().order(&order, stamp).unwrap().body));
        for body in &mut bodies {
            body.remove("nonce_str");
            body.remove("sign");
        }
        prop_assert_eq!(&bodies[0], &bodies[1]);
        let v3 = [&stamp(), &again].map(|stamp| merchant_v3().order(&order, stamp).unwrap().body);
        prop_assert_eq!(&v3[0], &v3[1]);
    }

    #[test]
    fn any_text_is_sent_as_it_is_or_refused(body in "\\PC{1,130}", attach in "(?s).{0,130}") {
        let mut order = order(TradeType::Jsapi);
        (order.body, order.others) = (body, others([("attach", &attach)]));
        if let Ok(call) = merchant_v2().order(&order, &stamp()) {
            let mut sent = elements(&call.body);
            let sign = sent.remove("sign").unwrap();
            prop_assert_eq!(&sent["body"], &order.body);
            prop_assert_eq!(sent.get("attach").map_or("", String::as_str), attach.as_str());
            prop_assert!(v2::verifies(sent.iter().map(|(name, value)| (name.as_str(), value.as_str())), &sign, MCH_KEY));
        }
        if let Ok(call) = merchant_v3().order(&order, &stamp()) {
            prop_assert_eq!(&json(&call.body)["description"], &order.body);
        }
    }
}
