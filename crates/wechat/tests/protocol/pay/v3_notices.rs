//! Notifications of API v3: signed, sealed, of this merchant.

use proptest::prelude::*;
use serde_json::json;
use wechat::pay::credentials::Apiv3Key;
use wechat::pay::{Notice, NoticeError, NoticeKind, Version, acknowledgement, rejection};

use super::*;

const SENT_AT: i64 = 1_767_234_931;

fn payment() -> Received<'static> {
    let headers = headers(PLATFORM_SERIAL, SENT_AT, PAYMENT_NONCE, PAYMENT_SIGNATURE);
    Received { status: 200, headers, body: PAYMENT_BODY.as_bytes() }
}

fn open(kind: NoticeKind, received: &Received<'_>) -> Result<Notice, NoticeError> {
    merchant_v3().open(kind, received, SENT_AT)
}

/// A notification with this content, sealed and signed.
fn sealed(kind: NoticeKind, event_type: &str, plain: &str) -> Result<Notice, NoticeError> {
    let key = Apiv3Key::parse(APIV3_KEY).unwrap();
    let ciphertext = key.seal(plain.as_bytes(), "nTest0000002", "refund").unwrap();
    enveloped(kind, event_type, &ciphertext)
}

fn enveloped(kind: NoticeKind, event_type: &str, ciphertext: &str) -> Result<Notice, NoticeError> {
    let body = json!({
        "id": "1", "event_type": event_type, "resource_type": "encrypt-resource",
        "resource": {
            "algorithm": "AEAD_AES_256_GCM", "ciphertext": ciphertext, "nonce": "nTest0000002",
            "associated_data": "refund",
        },
    });
    open(kind, &signed(200, body.to_string().as_bytes()))
}

#[test]
fn a_payment_is_opened() {
    assert_eq!((PAYMENT_BODY.len(), sha256(PAYMENT_BODY.as_bytes()).as_str()), (911, PAYMENT_BODY_HASH));
    let notice = open(NoticeKind::Payment, &payment()).unwrap();
    assert_eq!(notice.event_type, "TRANSACTION.SUCCESS");
    assert_eq!((notice.appid.as_deref(), notice.mch_id.as_str(), notice.total_fee), (Some(APPID), MCH_ID, 100));
    assert_eq!(notice.resource.unwrap(), json(PAYMENT_PLAIN.as_bytes()));
    let expected = json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "appid": APPID, "mch_id": MCH_ID, "openid": OPENID,
        "trade_type": "NATIVE", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "OTHERS",
        "total_fee": 100, "cash_fee": 100, "fee_type": "CNY", "transaction_id": "4200000000202601010000000002",
        "out_trade_no": "TEST20260101000002", "time_end": "20260101103530",
    });
    assert_eq!(Value::Object(notice.fields), expected);
}

const PAYMENT_BODY_HASH: &str = "f7f210fc018e6ad2484bbf161f89d2b4111f7ab84a667b596ed8457b55a02065";

#[test]
fn a_refund_is_opened() {
    let key = Apiv3Key::parse(APIV3_KEY).unwrap();
    assert_eq!(key.seal(REFUND_PLAIN.as_bytes(), "nTest0000002", "refund").unwrap(), REFUND_SEALED);
    let notice = enveloped(NoticeKind::Refund, "REFUND.SUCCESS", REFUND_SEALED).unwrap();
    assert_eq!((notice.event_type.as_str(), notice.appid), ("REFUND.SUCCESS", None));
    assert_eq!((notice.out_refund_no.as_deref(), notice.total_fee), (Some("R20260101000002"), 100));
    let expected = json!({
        "return_code": "SUCCESS", "mch_id": MCH_ID, "out_trade_no": "TEST20260101000002",
        "transaction_id": "4200000000202601010000000002", "out_refund_no": "R20260101000002",
        "refund_id": "50000000002026010100000000002", "refund_status": "SUCCESS", "success_time": "2026-01-02 09:46:01",
        "refund_recv_accout": "支付用户零钱", "total_fee": 100, "refund_fee": 30,
    });
    assert_eq!(Value::Object(notice.fields), expected);
    for (event, v3, v2) in [("REFUND.ABNORMAL", "ABNORMAL", "CHANGE"), ("REFUND.CLOSED", "CLOSED", "REFUNDCLOSE")] {
        let plain = REFUND_PLAIN.replace("\"SUCCESS\"", &format!("\"{v3}\""));
        let notice = sealed(NoticeKind::Refund, event, &plain).unwrap();
        assert_eq!((notice.event_type.as_str(), &notice.fields["refund_status"]), (event, &Value::from(v2)));
    }
}

#[test]
fn a_notification_of_another_kind_is_refused() {
    let is_malformed = |result: Result<Notice, NoticeError>| matches!(result, Err(NoticeError::Malformed(_)));
    assert!(is_malformed(open(NoticeKind::Refund, &payment())));
    assert!(is_malformed(enveloped(NoticeKind::Payment, "REFUND.SUCCESS", REFUND_SEALED)));
    assert!(is_malformed(enveloped(NoticeKind::Refund, "REFUND.CLOSED", REFUND_SEALED)), "it says SUCCESS inside");
    assert!(is_malformed(enveloped(NoticeKind::Refund, "", REFUND_SEALED)));
    assert!(is_malformed(sealed(NoticeKind::Refund, "REFUND.SUCCESS", "[]")));
    for body in ["", "[]", "<xml/>", "{}"] {
        assert!(is_malformed(open(NoticeKind::Payment, &signed(200, body.as_bytes()))), "{body}");
    }
}

#[test]
fn what_is_inside_is_compared() {
    let with = |from: &str, to: &str| {
        let plain = PAYMENT_PLAIN.replacen(from, to, 1);
        assert_ne!(plain, PAYMENT_PLAIN);
        sealed(NoticeKind::Payment, "TRANSACTION.SUCCESS", &plain).unwrap_err()
    };
    assert_eq!(with("1900000109", "1900000110"), NoticeError::OtherMerchant);
    assert_eq!(with("\"mchid\"", "\"sp_mchid\""), NoticeError::OtherMerchant);
    assert!(matches!(with("\"SUCCESS\"", "\"NOTPAY\""), NoticeError::NotASuccess(_)));
    for field in ["\"appid\"", "\"out_trade_no\"", "\"transaction_id\"", "\"total\""] {
        assert!(matches!(with(field, "\"x\""), NoticeError::Malformed(_)), "{field}");
    }
    assert!(matches!(with("\"total\":100", "\"total\":\"100\""), NoticeError::Malformed(_)));
}

#[test]
fn what_does_not_open_is_refused() {
    for ciphertext in [REFUND_SEALED.get(4..).unwrap(), "", "AAAA", "!"] {
        let error = enveloped(NoticeKind::Refund, "REFUND.SUCCESS", ciphertext).unwrap_err();
        assert_eq!(error, NoticeError::NotDecryptable);
    }
    let key = Apiv3Key::parse(APIV3_KEY).unwrap();
    assert!(key.open(REFUND_SEALED, "nTest0000001", "refund").is_none());
    assert!(key.open(REFUND_SEALED, "nTest0000002", "").is_none());
    assert!(key.open(REFUND_SEALED, "short", "refund").is_none());
    assert!(key.seal(b"", "short", "").is_none());
}

#[test]
fn a_probe_is_told_apart_and_refused() {
    let mut received = payment();
    received.headers.signature = Some(format!("WECHATPAY/SIGNTEST/{PAYMENT_SIGNATURE}"));
    assert!(open(NoticeKind::Payment, &received).unwrap_err().is_probe());
    received.headers.signature = Some(PAYMENT_SIGNATURE.replace('h', "H"));
    let error = open(NoticeKind::Payment, &received).unwrap_err();
    assert_eq!((error.is_probe(), error), (false, NoticeError::BadSignature));
}

#[test]
fn header_fields_are_found_by_their_names() {
    let read = SignatureHeaders::read(|name| (name == "wechatpay-serial").then_some("S"));
    assert_eq!(read, SignatureHeaders { serial: Some("S".to_owned()), ..SignatureHeaders::default() });
    let mut received = payment();
    received.headers = SignatureHeaders::default();
    let error = open(NoticeKind::Payment, &received).unwrap_err();
    assert_eq!(error, NoticeError::MissingHeader("Wechatpay-Serial"));
    let error = merchant_v3().open(NoticeKind::Payment, &payment(), SENT_AT + 600).unwrap_err();
    assert_eq!(error, NoticeError::Stale { seconds: 600 });
}

#[test]
fn wechat_is_told_in_its_versions_form() {
    let done = acknowledgement(Version::V2);
    let xml = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";
    assert_eq!((done.status, &*done.body), (200, xml.as_bytes()));
    let not = rejection(Version::V2, 500, "later ]]> <b>");
    assert_eq!(not.status, 200);
    let expected = others([("return_code", "FAIL"), ("return_msg", "later ]]> <b>")]);
    assert_eq!(elements(&not.body), expected);
    let done = acknowledgement(Version::V3);
    assert_eq!((done.status, done.body.len(), done.content_type), (204, 0, None));
    let not = rejection(Version::V3, 401, "\"x\"");
    assert_eq!((not.status, json(&not.body)), (401, json!({ "code": "FAIL", "message": "\"x\"" })));
    assert_eq!(rejection(Version::V3, 200, "").status, 500, "never a success by mistake");
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at in 0..PAYMENT_BODY.len(), to in any::<u8>()) {
        let mut body = PAYMENT_BODY.as_bytes().to_vec();
        prop_assume!(body[at] != to);
        body[at] = to;
        let received = Received { body: &body, ..payment() };
        prop_assert_eq!(open(NoticeKind::Payment, &received).unwrap_err(), NoticeError::BadSignature);
    }

    #[test]
    fn what_is_sealed_opens_with_its_nonce_and_data_only(
        plain in proptest::collection::vec(any::<u8>(), 0..200), nonce in "[0-9a-zA-Z]{12}", data in "[a-z]{0,12}",
        at in any::<usize>(), bit in 0..8_u32,
    ) {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let key = Apiv3Key::parse(APIV3_KEY).unwrap();
        let sealed = key.seal(&plain, &nonce, &data).unwrap();
        prop_assert_eq!(key.open(&sealed, &nonce, &data), Some(plain));
        prop_assert_eq!(key.open(&sealed, &nonce, &format!("{data}x")), None);
        let mut bytes = STANDARD.decode(&sealed).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert_eq!(key.open(&STANDARD.encode(&bytes), &nonce, &data), None);
    }
}
