//! Answers of API v2.

use serde_json::json;
use wechat::pay::{Doubt, NotDone, Operation, RefundStatus, Retry, TradeState};

use super::*;

const SUCCESS: [(&str, &str); 5] =
    [("return_code", "SUCCESS"), ("result_code", "SUCCESS"), ("appid", APPID), ("mch_id", MCH_ID), ("nonce_str", "n")];

fn answer(more: &[(&str, &str)]) -> Vec<u8> {
    signed_xml(&[&SUCCESS, more].concat())
}

fn read(operation: Operation, status: u16, body: &[u8]) -> Result<wechat::pay::Answer, NotDone> {
    merchant_v2().read(operation, &plain(status, body), AT)
}

fn doubt(operation: Operation, status: u16, body: &[u8]) -> Doubt {
    match read(operation, status, body) {
        Err(NotDone::Unbelievable(doubt)) => doubt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_gives_what_is_needed_to_pay() {
    let body =
        answer(&[("trade_type", "NATIVE"), ("prepay_id", "wx1"), ("code_url", "weixin://x"), ("device_info", "")]);
    let answer = read(Operation::Order, 200, &body).unwrap();
    let expected = json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "appid": APPID, "mch_id": MCH_ID, "trade_type": "NATIVE",
        "prepay_id": "wx1", "code_url": "weixin://x",
    });
    assert_eq!(Value::Object(answer.fields), expected);
    assert_eq!(answer.resource, None);
}

#[test]
fn amounts_and_counts_are_numbers() {
    let body = answer(&[
        ("trade_state", "REFUND"),
        ("total_fee", "100"),
        ("coupon_count", "1"),
        ("coupon_fee_0", "10"),
        ("out_trade_no", "1234567"),
    ]);
    let answer = read(Operation::Query, 200, &body).unwrap();
    assert_eq!(
        (answer.fen("total_fee"), answer.fen("coupon_count"), answer.fen("coupon_fee_0")),
        (Some(100), Some(1), Some(10))
    );
    assert_eq!((answer.text("out_trade_no"), answer.fen("out_trade_no")), (Some("1234567"), None));
    assert_eq!(answer.trade_state(), Some(TradeState::Refund));
    assert!(answer.trade_state().unwrap().is_paid());
}

#[test]
fn the_state_of_a_refund_is_found() {
    let body = answer(&[("refund_count", "1"), ("out_refund_no_0", "R1"), ("refund_status_0", "CHANGE")]);
    let answer = read(Operation::QueryRefund, 200, &body).unwrap();
    assert_eq!((answer.refund_status(), answer.fen("refund_count")), (Some(RefundStatus::Change), Some(1)));
    let accepted = read(Operation::Refund, 200, &answer_refund()).unwrap();
    assert_eq!(accepted.refund_status(), None);
}

fn answer_refund() -> Vec<u8> {
    answer(&[("out_refund_no", "R1"), ("refund_id", "50"), ("refund_fee", "30")])
}

#[test]
fn a_refusal_says_what_to_do() {
    let codes = [
        ("SYSTEMERROR", Retry::Same),
        ("BIZERR_NEED_RETRY", Retry::Same),
        ("FREQUENCY_LIMITED", Retry::Later),
        ("ORDERPAID", Retry::Query),
        ("ORDERCLOSED", Retry::Query),
        ("OUT_TRADE_NO_USED", Retry::Query),
        ("NOAUTH", Retry::Never),
        ("SOMETHING_NEW", Retry::Never),
    ];
    for (code, retry) in codes {
        let pairs = [
            &[("return_code", "SUCCESS"), ("result_code", "FAIL"), ("mch_id", MCH_ID)][..],
            &[("err_code", code), ("err_code_des", "说明")],
        ];
        let body = signed_xml(&pairs.concat());
        let Err(NotDone::Refused(refusal)) = read(Operation::Order, 200, &body) else { panic!("{code}") };
        assert_eq!((refusal.code.as_str(), refusal.message.as_str(), refusal.retry()), (code, "说明", retry));
    }
    let body = "<xml><return_code>FAIL</return_code><return_msg>签名错误，请检查后再试</return_msg></xml>";
    let Err(NotDone::Refused(refusal)) = read(Operation::Order, 200, body.as_bytes()) else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("FAIL", "签名错误，请检查后再试"));
}

#[test]
fn a_missing_client_certificate_is_told_apart() {
    let html = b"<html><head><title>400 No required SSL certificate was sent</title></head><body><hr></body></html>";
    let Err(NotDone::Refused(refusal)) = read(Operation::Refund, 400, html) else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.retry()), ("CERT_ERROR", Retry::Never));
    assert_eq!(doubt(Operation::Order, 400, html), Doubt::Status(400));
}

#[test]
fn what_is_not_signed_by_the_merchants_key_is_not_believed() {
    let pairs = [&SUCCESS[..], &[("prepay_id", "wx1")]].concat();
    assert_eq!(doubt(Operation::Order, 200, &xml(&pairs, "")), Doubt::MissingHeader("sign"));
    assert_eq!(doubt(Operation::Order, 200, &xml(&pairs, &"0".repeat(32))), Doubt::BadSignature);
    assert_eq!(doubt(Operation::Order, 200, &xml(&pairs, "0")), Doubt::BadSignature);
    let other_key = v2::md5(pairs.iter().copied(), &"x".repeat(32));
    assert_eq!(doubt(Operation::Order, 200, &xml(&pairs, &other_key)), Doubt::BadSignature);
    let hmac = v2::hmac_sha256(pairs.iter().copied(), MCH_KEY);
    assert!(read(Operation::Order, 200, &xml(&pairs, &hmac)).is_ok(), "by whichever method");
}

#[test]
fn what_is_about_another_merchant_is_not_believed() {
    let body = signed_xml(&[("return_code", "SUCCESS"), ("result_code", "SUCCESS"), ("mch_id", "1900000110")]);
    assert_eq!(doubt(Operation::Close, 200, &body), Doubt::OtherMerchant);
    // Who signs with the merchant's key need not name it.
    let body = signed_xml(&[("return_code", "SUCCESS"), ("result_code", "SUCCESS")]);
    assert!(read(Operation::Close, 200, &body).is_ok());
}

#[test]
fn half_an_answer_is_none() {
    for (operation, field) in
        [(Operation::Order, "prepay_id"), (Operation::Query, "trade_state"), (Operation::Refund, "out_refund_no")]
    {
        assert!(matches!(doubt(operation, 200, &answer(&[])), Doubt::Malformed(what) if what.contains(field)));
    }
    assert!(read(Operation::Close, 200, &answer(&[])).is_ok());
    for body in ["", "{}", "<xml></xml>", "<xml><return_code>OK</return_code></xml>", "<html>502</html>"] {
        assert!(matches!(doubt(Operation::Query, 200, body.as_bytes()), Doubt::Malformed(_)), "{body}");
    }
    assert_eq!(doubt(Operation::Query, 502, b"<html>502</html>"), Doubt::Status(502));
    assert_eq!(doubt(Operation::Order, 500, &answer(&[("prepay_id", "wx1")])), Doubt::Status(500));
}
