//! Answers of API v3: what is believed, and what it is called in v2's names.

use proptest::prelude::*;
use serde_json::json;
use wechat::pay::{Answer, Doubt, NotDone, Operation, RefundStatus, TradeState};

use super::*;

fn vector(serial: &str) -> Received<'static> {
    let headers = headers(serial, 1_767_234_897, ANSWER_NONCE, ANSWER_SIGNATURE);
    Received { status: 200, headers, body: ANSWER_BODY.as_bytes() }
}

fn ordered(received: &Received<'_>, now: i64) -> Result<Answer, NotDone> {
    merchant_v3().read(Operation::Order, received, now)
}

fn doubt(received: &Received<'_>, now: i64) -> Doubt {
    match ordered(received, now) {
        Err(NotDone::Unbelievable(doubt)) => doubt,
        other => panic!("{other:?}"),
    }
}

fn read(operation: Operation, said: &Value) -> Answer {
    merchant_v3().read(operation, &signed(200, said.to_string().as_bytes()), AT).unwrap()
}

#[test]
fn the_vectors_are_believed_by_certificate_and_by_public_key() {
    for serial in [PLATFORM_SERIAL, &PLATFORM_SERIAL.to_lowercase(), PUBLIC_KEY_ID] {
        let answer = ordered(&vector(serial), AT).unwrap();
        let expected = json!({
            "return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": MCH_ID,
            "code_url": "weixin://wxpay/bizpayurl?pr=tESTonly1",
        });
        assert_eq!(Value::Object(answer.fields), expected);
        assert_eq!(answer.resource.unwrap(), json(ANSWER_BODY.as_bytes()));
    }
    let headers = headers(PLATFORM_SERIAL, 1_767_234_897, ANSWER_NONCE, EMPTY_SIGNATURE);
    let closed = Received { status: 204, headers, body: b"" };
    let answer = merchant_v3().read(Operation::Close, &closed, AT).unwrap();
    assert_eq!((answer.text("result_code"), answer.resource.as_ref()), (Some("SUCCESS"), None));
    assert!(merchant_v3().read(Operation::Order, &closed, AT).is_err(), "an order without a word is none");
}

#[test]
fn a_signature_is_good_for_five_minutes_in_either_direction() {
    let signed_at = 1_767_234_897;
    for (now, seconds) in [(signed_at + 300, 300), (signed_at - 300, -300), (i64::MAX, i64::MAX - signed_at)] {
        assert_eq!(doubt(&vector(PLATFORM_SERIAL), now), Doubt::Stale { seconds });
    }
    for now in [signed_at + 299, signed_at - 299] {
        assert!(ordered(&vector(PLATFORM_SERIAL), now).is_ok());
    }
    assert!(matches!(doubt(&vector(PLATFORM_SERIAL), i64::MIN), Doubt::Stale { .. }));
}

#[test]
fn all_parts_of_a_signature_are_needed() {
    let without = |change: fn(&mut SignatureHeaders)| {
        let mut received = vector(PLATFORM_SERIAL);
        change(&mut received.headers);
        doubt(&received, AT)
    };
    assert_eq!(without(|headers| headers.serial = None), Doubt::MissingHeader("Wechatpay-Serial"));
    assert_eq!(without(|headers| headers.timestamp = None), Doubt::MissingHeader("Wechatpay-Timestamp"));
    assert_eq!(without(|headers| headers.nonce = Some(String::new())), Doubt::MissingHeader("Wechatpay-Nonce"));
    assert_eq!(without(|headers| headers.signature = None), Doubt::MissingHeader("Wechatpay-Signature"));
    assert_eq!(without(|headers| headers.timestamp = Some("+1767234897".to_owned())), Doubt::BadTimestamp);
    assert_eq!(without(|headers| headers.timestamp = Some("9".repeat(30))), Doubt::BadTimestamp);
    assert_eq!(without(|headers| headers.signature = Some("AAAA".to_owned())), Doubt::BadSignature);
    assert_eq!(without(|headers| headers.signature = Some("签".to_owned())), Doubt::BadSignature);
    let sm2 = |headers: &mut SignatureHeaders| headers.signature_type = Some("WECHATPAY2-SM2-WITH-SM3".to_owned());
    assert_eq!(without(sm2), Doubt::BadSignature);
    let probe = |headers: &mut SignatureHeaders| headers.signature = Some("WECHATPAY/SIGNTEST/abc".to_owned());
    assert_eq!(without(probe), Doubt::SignatureProbe);
}

#[test]
fn only_the_named_key_is_tried() {
    assert_eq!(doubt(&vector("ABCD"), AT), Doubt::UnknownSerial("ABCD".to_owned()));
    assert_eq!(doubt(&vector("000"), AT), Doubt::UnknownSerial("000".to_owned()));
    assert_eq!(doubt(&vector("PUB_KEY_ID_1"), AT), Doubt::UnknownSerial("PUB_KEY_ID_1".to_owned()));
    let Doubt::UnknownSerial(shown) = doubt(&vector(&"\u{7}".repeat(1000)), AT) else { panic!() };
    assert_eq!(shown, "\u{FFFD}".repeat(64));
    let public_key_only = keyless_v3(true);
    assert!(public_key_only.is_public_key_only());
    let error = Merchant::from(public_key_only).read(Operation::Order, &vector(PLATFORM_SERIAL), AT).unwrap_err();
    assert_eq!(error, NotDone::Unbelievable(Doubt::UnknownSerial(PLATFORM_SERIAL.to_owned())));
}

#[test]
fn a_certificate_that_has_expired_verifies_nothing() {
    let end = certificate().not_after();
    let mut received = vector(PLATFORM_SERIAL);
    received.headers.timestamp = Some(end.to_string());
    assert_eq!(doubt(&received, end), Doubt::UnknownSerial(PLATFORM_SERIAL.to_owned()));
    assert_eq!(doubt(&received, end - 1), Doubt::BadSignature, "a second before, its key is still tried");
}

#[test]
fn an_order_gives_what_is_needed_to_pay() {
    assert_eq!(read(Operation::Order, &json!({ "prepay_id": "wx1" })).text("prepay_id"), Some("wx1"));
    assert_eq!(read(Operation::Order, &json!({ "h5_url": "https://x" })).text("mweb_url"), Some("https://x"));
    for body in ["{}", "[]", "x", r#"{"prepay_id":""}"#] {
        let doubt = doubt(&signed(200, body.as_bytes()), AT);
        assert!(matches!(doubt, Doubt::Malformed(_)), "{body}: {doubt}");
    }
}

#[test]
fn a_paid_query_has_v2s_names() {
    let mut said = json(PAYMENT_PLAIN.as_bytes());
    said["amount"]["payer_total"] = 85.into();
    said["scene_info"] = json!({ "device_id": "WEB" });
    said["promotion_detail"] = json!([
        { "coupon_id": "1", "type": "CASH", "amount": 10, "scope": "GLOBAL" },
        { "coupon_id": "2", "type": "NOCASH", "amount": 5 },
    ]);
    let answer = read(Operation::Query, &said);
    let expected = json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "appid": APPID, "mch_id": MCH_ID, "openid": OPENID,
        "trade_type": "NATIVE", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS",
        "total_fee": 100, "cash_fee": 85, "fee_type": "CNY", "transaction_id": "4200000000202601010000000002",
        "out_trade_no": "TEST20260101000002", "time_end": "20260101103530", "device_info": "WEB",
        "coupon_fee": 15, "coupon_count": 2, "coupon_id_0": "1", "coupon_type_0": "CASH", "coupon_fee_0": 10,
        "coupon_id_1": "2", "coupon_type_1": "NO_CASH", "coupon_fee_1": 5,
    });
    assert_eq!(Value::Object(answer.fields.clone()), expected);
    assert_eq!((answer.trade_state(), answer.resource), (Some(TradeState::Success), Some(said)));
}

#[test]
fn an_unpaid_query_is_read() {
    let said = json!({
        "amount": { "payer_currency": "CNY", "total": 100 }, "appid": APPID, "mchid": MCH_ID,
        "out_trade_no": "TEST20260101000002", "promotion_detail": [], "scene_info": { "device_id": "" },
        "trade_state": "NOTPAY", "trade_state_desc": "订单未支付",
    });
    let answer = read(Operation::Query, &said);
    assert_eq!(answer.trade_state(), Some(TradeState::NotPay));
    assert_eq!((answer.fen("total_fee"), answer.fen("cash_fee"), answer.fen("coupon_count")), (Some(100), None, None));
    let mut others = said;
    others["mchid"] = "1900000110".into();
    let received = others.to_string();
    let error = merchant_v3().read(Operation::Query, &signed(200, received.as_bytes()), AT).unwrap_err();
    assert_eq!(error, NotDone::Unbelievable(Doubt::OtherMerchant));
}

fn refunded(status: &str) -> Value {
    json!({
        "refund_id": "50000000002026010100000000002", "out_refund_no": "R20260101000002",
        "transaction_id": "4200000000202601010000000002", "out_trade_no": "TEST20260101000002", "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱", "success_time": "2026-01-02T09:46:01+08:00",
        "create_time": "2026-01-02T09:45:01+08:00", "status": status, "funds_account": "AVAILABLE",
        "amount": {
            "total": 100, "refund": 30, "payer_total": 90, "payer_refund": 27, "settlement_refund": 30,
            "settlement_total": 100, "discount_refund": 3, "currency": "CNY",
        },
        "promotion_detail": [{ "promotion_id": "109519", "scope": "SINGLE", "type": "DISCOUNT", "refund_amount": 3 }],
    })
}

#[test]
fn a_refund_has_v2s_names() {
    let answer = read(Operation::Refund, &refunded("PROCESSING"));
    let expected = json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": MCH_ID,
        "transaction_id": "4200000000202601010000000002", "out_trade_no": "TEST20260101000002",
        "out_refund_no": "R20260101000002", "refund_id": "50000000002026010100000000002", "refund_fee": 30,
        "settlement_refund_fee": 30, "total_fee": 100, "settlement_total_fee": 100, "fee_type": "CNY", "cash_fee": 90,
        "cash_refund_fee": 27, "coupon_refund_fee": 3, "coupon_refund_count": 1, "coupon_refund_id_0": "109519",
        "coupon_refund_fee_0": 3, "coupon_type_0": "NO_CASH",
    });
    assert_eq!(Value::Object(answer.fields.clone()), expected);
    assert_eq!(answer.refund_status(), Some(RefundStatus::Processing), "v3 says it at once");
}

#[test]
fn a_refund_query_has_v2s_indexed_names() {
    let answer = read(Operation::QueryRefund, &refunded("SUCCESS"));
    let expected = json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "mch_id": MCH_ID,
        "transaction_id": "4200000000202601010000000002", "out_trade_no": "TEST20260101000002", "total_fee": 100,
        "settlement_total_fee": 100, "fee_type": "CNY", "cash_fee": 90, "refund_count": 1,
        "out_refund_no_0": "R20260101000002", "refund_id_0": "50000000002026010100000000002",
        "refund_channel_0": "ORIGINAL", "refund_fee_0": 30, "settlement_refund_fee_0": 30, "refund_status_0": "SUCCESS",
        "refund_account_0": "REFUND_SOURCE_RECHARGE_FUNDS", "refund_recv_accout_0": "支付用户零钱",
        "refund_success_time_0": "2026-01-02 09:46:01", "coupon_refund_fee_0": 3, "coupon_refund_count_0": 1,
        "coupon_refund_id_0_0": "109519", "coupon_refund_fee_0_0": 3, "coupon_type_0_0": "NO_CASH",
    });
    assert_eq!(Value::Object(answer.fields), expected);
    for (v3, v2) in [("CLOSED", RefundStatus::RefundClose), ("ABNORMAL", RefundStatus::Change)] {
        let answer = read(Operation::QueryRefund, &refunded(v3));
        assert_eq!((answer.refund_status(), answer.text("refund_status_0")), (Some(v2), Some(v2.as_str())));
    }
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at in any::<usize>(), to in any::<u8>(), which in 0..4) {
        let mut received = vector(PLATFORM_SERIAL);
        let changed = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            let same = bytes[at] == to;
            bytes[at] = to;
            (String::from_utf8_lossy(&bytes).into_owned(), same)
        };
        let mut body = ANSWER_BODY.as_bytes().to_vec();
        let same = match which {
            0 => {
                let at = at % body.len();
                std::mem::replace(&mut body[at], to) == to
            }
            1 => {
                let (text, same) = changed("1767234897");
                received.headers.timestamp = Some(text);
                same
            }
            2 => {
                let (text, same) = changed(ANSWER_NONCE);
                received.headers.nonce = Some(text);
                same
            }
            _ => {
                let (text, _) = changed(PLATFORM_SERIAL);
                let same = text.eq_ignore_ascii_case(PLATFORM_SERIAL);
                received.headers.serial = Some(text);
                same
            }
        };
        let received = Received { body: &body, ..received };
        prop_assert_eq!(ordered(&received, AT).is_ok(), same);
    }

    #[test]
    fn any_signed_json_is_read_or_refused(body in "\\PC{0,60}|\\{(\"(code|mchid|amount|status)\":(\"[a-z]{0,3}\"|1|null|\\[\\]|\\{\\}),?){0,3}\\}") {
        for operation in [Operation::Order, Operation::Query, Operation::Close, Operation::Refund, Operation::QueryRefund] {
            let _ = merchant_v3().read(operation, &signed(200, body.as_bytes()), AT);
        }
    }
}
