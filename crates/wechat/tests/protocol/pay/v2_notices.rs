//! Notifications of API v2: payments are signed, refunds sealed.

use proptest::prelude::*;
use serde_json::json;
use wechat::pay::{Notice, NoticeError, NoticeKind, v2};

use super::*;

fn open(kind: NoticeKind, body: &[u8]) -> Result<Notice, NoticeError> {
    merchant_v2().open(kind, &plain(200, body), AT)
}

fn payment() -> Vec<u8> {
    xml(&pairs(NOTICE_V2), NOTICE_V2_MD5)
}

fn refund_body(mch_id: &str, req_info: &str) -> Vec<u8> {
    format!(
        "<xml><return_code>SUCCESS</return_code><appid><![CDATA[{APPID}]]></appid><mch_id><![CDATA[{mch_id}]]></mch_id>\
         <nonce_str>n</nonce_str><refund_fee>1</refund_fee><req_info><![CDATA[{req_info}]]></req_info></xml>"
    )
    .into_bytes()
}

#[test]
fn a_payment_is_opened() {
    let notice = open(NoticeKind::Payment, &payment()).unwrap();
    assert_eq!(notice.event_type, "TRANSACTION.SUCCESS");
    assert_eq!((notice.appid.as_deref(), notice.mch_id.as_str(), notice.total_fee), (Some(APPID), MCH_ID, 100));
    assert_eq!((notice.out_trade_no.as_str(), notice.out_refund_no), ("TEST20260101000001", None));
    let expected = json!({
        "appid": APPID, "attach": "shop-1", "bank_type": "OTHERS", "cash_fee": 90, "coupon_count": 1, "coupon_fee": 10,
        "coupon_fee_0": 10, "coupon_id_0": "10000", "coupon_type_0": "CASH", "fee_type": "CNY", "is_subscribe": "N",
        "mch_id": MCH_ID, "openid": OPENID, "out_trade_no": "TEST20260101000001", "result_code": "SUCCESS",
        "return_code": "SUCCESS", "time_end": "20260101103456", "total_fee": 100, "trade_type": "NATIVE",
        "transaction_id": "4200000000202601010000000001", "trade_state": "SUCCESS",
    });
    assert_eq!(Value::Object(notice.fields), expected);
}

#[test]
fn what_wechat_varies_is_accepted() {
    let mut varied: Vec<_> = pairs(NOTICE_V2).into_iter().filter(|(name, _)| *name != "coupon_type_0").collect();
    varied.push(("something_new", "x"));
    let by_hmac = v2::hmac_sha256(varied.iter().copied(), MCH_KEY);
    for body in [signed_xml(&varied), xml(&varied, &by_hmac)] {
        assert_eq!(open(NoticeKind::Payment, &body).unwrap().fields["something_new"], "x");
    }
}

#[test]
fn what_is_forged_is_refused() {
    let body = String::from_utf8(payment()).unwrap();
    let refused = |body: &str| open(NoticeKind::Payment, body.as_bytes()).unwrap_err();
    assert_eq!(refused(&body.replace(NOTICE_V2_MD5, "")), NoticeError::MissingHeader("sign"));
    assert_eq!(refused(&body.replace("[100]", "[1]")), NoticeError::BadSignature);
    assert!(matches!(refused(&format!("<!DOCTYPE xml>{body}")), NoticeError::Malformed(_)));
    assert!(matches!(refused(&format!("{body}<xml></xml>")), NoticeError::Malformed(_)));
    assert!(matches!(refused(&body.replace("<xml>", "<xml><total_fee>1</total_fee>")), NoticeError::Malformed(_)));
    let other: Vec<_> =
        pairs(NOTICE_V2).into_iter().map(|(n, v)| (n, if n == "mch_id" { "1900000110" } else { v })).collect();
    assert_eq!(open(NoticeKind::Payment, &signed_xml(&other)).unwrap_err(), NoticeError::OtherMerchant);
    let failed = [("return_code", "SUCCESS"), ("result_code", "FAIL"), ("err_code", "PAYERROR"), ("mch_id", MCH_ID)];
    let error = open(NoticeKind::Payment, &signed_xml(&failed)).unwrap_err();
    assert_eq!(error, NoticeError::NotASuccess("PAYERROR".to_owned()));
    let failed = "<xml><return_code>FAIL</return_code><return_msg>no</return_msg></xml>";
    assert_eq!(refused(failed), NoticeError::NotASuccess("no".to_owned()));
}

#[test]
fn a_payment_lacks_nothing_that_is_compared() {
    for needed in ["appid", "out_trade_no", "transaction_id", "total_fee", "return_code"] {
        let less: Vec<_> = pairs(NOTICE_V2).into_iter().filter(|(name, _)| *name != needed).collect();
        let error = open(NoticeKind::Payment, &signed_xml(&less)).unwrap_err();
        assert!(matches!(&error, NoticeError::Malformed(what) if what.contains(needed)), "{needed}: {error}");
    }
}

#[test]
fn a_refund_is_unsealed() {
    assert_eq!(v2::seal(REFUND_V2_PLAIN.as_bytes(), MCH_KEY), REFUND_V2_SEALED);
    assert_eq!(v2::unseal(REFUND_V2_SEALED, MCH_KEY).unwrap(), REFUND_V2_PLAIN.as_bytes());
    let notice = open(NoticeKind::Refund, &refund_body(MCH_ID, REFUND_V2_SEALED)).unwrap();
    assert_eq!(notice.event_type, "REFUND.SUCCESS");
    assert_eq!((notice.out_refund_no.as_deref(), notice.total_fee), (Some("R20260101000001"), 100));
    let expected = json!({
        "return_code": "SUCCESS", "appid": APPID, "mch_id": MCH_ID, "out_refund_no": "R20260101000001",
        "out_trade_no": "TEST20260101000001", "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS", "refund_fee": 30,
        "refund_id": "50000000002026010100000000001", "refund_recv_accout": "支付用户零钱",
        "refund_request_source": "API", "refund_status": "SUCCESS", "settlement_refund_fee": 30,
        "settlement_total_fee": 100, "success_time": "2026-01-02 09:46:01", "total_fee": 100,
        "transaction_id": "4200000000202601010000000001",
    });
    assert_eq!(Value::Object(notice.fields), expected, "what is outside of the seal changes no amount");
}

#[test]
fn each_end_of_a_refund_has_its_event() {
    for (status, event) in [("CHANGE", "REFUND.ABNORMAL"), ("REFUNDCLOSE", "REFUND.CLOSED")] {
        let plain = REFUND_V2_PLAIN.replace("[SUCCESS]", &format!("[{status}]"));
        let body = refund_body(MCH_ID, &v2::seal(plain.as_bytes(), MCH_KEY));
        assert_eq!(open(NoticeKind::Refund, &body).unwrap().event_type, event);
    }
    let plain = REFUND_V2_PLAIN.replace("[SUCCESS]", "[PROCESSING]");
    let body = refund_body(MCH_ID, &v2::seal(plain.as_bytes(), MCH_KEY));
    assert!(matches!(open(NoticeKind::Refund, &body), Err(NoticeError::Malformed(_))));
}

#[test]
fn a_refund_that_is_not_sealed_for_the_merchant_is_refused() {
    let other_key = v2::seal(REFUND_V2_PLAIN.as_bytes(), &"x".repeat(32));
    for req_info in [other_key.as_str(), "AAAA", "!", REFUND_V2_SEALED.get(4..).unwrap()] {
        let error = open(NoticeKind::Refund, &refund_body(MCH_ID, req_info)).unwrap_err();
        assert_eq!(error, NoticeError::NotDecryptable);
    }
    let error = open(NoticeKind::Refund, &refund_body("1900000110", REFUND_V2_SEALED)).unwrap_err();
    assert_eq!(error, NoticeError::OtherMerchant);
    assert!(matches!(open(NoticeKind::Refund, &refund_body(MCH_ID, "")), Err(NoticeError::Malformed(_))));
    assert!(matches!(open(NoticeKind::Refund, &payment()), Err(NoticeError::Malformed(_))), "a payment is no refund");
}

proptest! {
    #[test]
    fn any_changed_byte_of_a_payment_is_refused(at in 0..800_usize, to in any::<u8>()) {
        let mut body = payment();
        let at = at % body.len();
        prop_assume!(body[at] != to);
        body[at] = to;
        prop_assert!(open(NoticeKind::Payment, &body).is_err());
    }

    #[test]
    fn any_bytes_are_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(open(NoticeKind::Payment, &body).is_err());
        prop_assert!(open(NoticeKind::Refund, &body).is_err());
    }
}
