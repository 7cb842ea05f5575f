//! Refusals of API v3, in v2's words.

use wechat::pay::{Doubt, NotDone, Operation, Refusal, Retry};

use super::*;

fn refused(operation: Operation, status: u16, body: &str) -> Refusal {
    match merchant_v3().read(operation, &plain(status, body.as_bytes()), AT) {
        Err(NotDone::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn code(operation: Operation, status: u16, said: &str) -> (String, Retry) {
    let refusal = refused(operation, status, &format!(r#"{{"code":"{said}","message":"说明"}}"#));
    assert_eq!((refusal.said.as_str(), refusal.message.as_str(), refusal.status), (said, "说明", Some(status)));
    let retry = refusal.retry();
    (refusal.code, retry)
}

#[test]
fn codes_are_v2s_and_say_what_to_do() {
    let table = [
        (Operation::Order, 401, "SIGN_ERROR", "SIGNERROR", Retry::Never),
        (Operation::Order, 400, "PARAM_ERROR", "PARAM_ERROR", Retry::Never),
        (Operation::Order, 400, "INVALID_REQUEST", "INVALID_REQUEST", Retry::Never),
        (Operation::Order, 400, "APPID_MCHID_NOT_MATCH", "APPID_MCHID_NOT_MATCH", Retry::Never),
        (Operation::Order, 404, "MCH_NOT_EXISTS", "MCHID_NOT_EXIST", Retry::Never),
        (Operation::Order, 403, "NO_AUTH", "NOAUTH", Retry::Never),
        (Operation::Order, 403, "OUT_TRADE_NO_USED", "OUT_TRADE_NO_USED", Retry::Query),
        (Operation::Query, 404, "ORDER_NOT_EXIST", "ORDERNOTEXIST", Retry::Never),
        (Operation::Query, 404, "ORDERNOTEXIST", "ORDERNOTEXIST", Retry::Never),
        (Operation::QueryRefund, 404, "RESOURCE_NOT_EXISTS", "REFUNDNOTEXIST", Retry::Never),
        (Operation::Refund, 404, "RESOURCE_NOT_EXISTS", "ORDERNOTEXIST", Retry::Never),
        (Operation::Close, 400, "ORDERPAID", "ORDERPAID", Retry::Query),
        (Operation::Close, 400, "ORDER_CLOSED", "ORDERCLOSED", Retry::Query),
        (Operation::Close, 400, "ORDERCLOSED", "ORDERCLOSED", Retry::Query),
        (Operation::Refund, 403, "NOT_ENOUGH", "NOTENOUGH", Retry::Later),
        (Operation::Refund, 403, "USER_ACCOUNT_ABNORMAL", "USER_ACCOUNT_ABNORMAL", Retry::Never),
        (Operation::Refund, 429, "FREQUENCY_LIMITED", "FREQUENCY_LIMITED", Retry::Later),
        (Operation::Order, 429, "RATELIMIT_EXCEEDED", "FREQUENCY_LIMITED", Retry::Later),
        (Operation::Refund, 500, "BIZ_ERR_NEED_RETRY", "BIZERR_NEED_RETRY", Retry::Same),
        (Operation::Order, 500, "SYSTEM_ERROR", "SYSTEMERROR", Retry::Same),
        (Operation::Order, 503, "SERVICE_UNAVAILABLE", "SYSTEMERROR", Retry::Same),
        (Operation::Order, 403, "SOMETHING_NEW", "SOMETHING_NEW", Retry::Never),
    ];
    for (operation, status, said, expected, retry) in table {
        assert_eq!(code(operation, status, said), (expected.to_owned(), retry), "{said}");
    }
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let body = r#"{"code":"PARAM_ERROR","message":"参数错误",
        "detail":{"field":"/amount/currency","value":"XYZ","issue":"not supported","location":"body"}}"#;
    assert_eq!(refused(Operation::Order, 400, body).message, "参数错误 (/amount/currency: not supported)");
}

#[test]
fn a_refusal_is_cut_to_what_can_be_kept() {
    let long = "字".repeat(10_000);
    let refusal = refused(Operation::Order, 400, &format!(r#"{{"code":"{long}","message":"{long}"}}"#));
    let lengths = [&refusal.code, &refusal.said, &refusal.message].map(|text| text.chars().count());
    assert_eq!(lengths, [500; 3]);
}

#[test]
fn a_payer_who_is_paying_is_no_closed_order() {
    let body = r#"{"code":"USERPAYING","message":"x"}"#;
    let error = merchant_v3().read(Operation::Close, &signed(202, body.as_bytes()), AT).unwrap_err();
    let NotDone::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!((refusal.code.as_str(), refusal.retry()), ("USERPAYING", Retry::Query));
    // A success has to be signed, whatever it says.
    let error = merchant_v3().read(Operation::Close, &plain(202, body.as_bytes()), AT).unwrap_err();
    assert_eq!(error, NotDone::Unbelievable(Doubt::MissingHeader("Wechatpay-Serial")));
}

#[test]
fn a_status_without_a_word_leaves_the_outcome_open() {
    for (status, body) in [(500, ""), (502, "<html>"), (404, "{}"), (302, ""), (400, "[]"), (401, r#"{"code":""}"#)] {
        let error = merchant_v3().read(Operation::Order, &plain(status, body.as_bytes()), AT).unwrap_err();
        assert_eq!(error, NotDone::Unbelievable(Doubt::Status(status)));
    }
    assert_eq!(refused(Operation::Order, 429, "").retry(), Retry::Later);
}
