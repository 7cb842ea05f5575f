//! The platform's certificates: the first download, renewals, and what is refused.

use serde_json::json;
use wechat::pay::credentials::{Apiv3Key, PrivateKey};
use wechat::pay::{Doubt, Method, NotDone};

use super::*;

fn key() -> Apiv3Key {
    Apiv3Key::parse(APIV3_KEY).unwrap()
}

/// What API v3 answers, with this content sealed by `key`.
fn list(pem: &str, serial: &str, key: &Apiv3Key) -> String {
    let ciphertext = key.seal(pem.as_bytes(), "nTest0000003", "certificate").unwrap();
    json!({ "data": [{
        "serial_no": serial,
        "effective_time": "2025-01-01T08:00:00+08:00",
        "expire_time": "2035-01-01T08:00:00+08:00",
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM", "nonce": "nTest0000003", "associated_data": "certificate",
            "ciphertext": ciphertext,
        },
    }]})
    .to_string()
}

fn refused(body: &str) -> NotDone {
    keyless_v3(false).read_certificates(&signed(200, body.as_bytes()), AT).unwrap_err()
}

#[test]
fn the_vector_is_sealed_alike() {
    let pem = certificate().pem().to_owned();
    let hash = "ed4427f8c1c01ac9120a67baac84deae3941cdc554bd29caae9c85d4131dde1b";
    assert_eq!((pem.len(), sha256(pem.as_bytes()).as_str()), (1107, hash));
    let sealed = key().seal(pem.as_bytes(), "nTest0000003", "certificate").unwrap();
    let hash = "77a7d72f9d77147101e58aa9f3e2d2ceeec9dbd6d6ee6e44eda0d28f5c2e1b22";
    assert_eq!((sealed.len(), sha256(sealed.as_bytes()).as_str()), (1500, hash));
    assert!(sealed.starts_with("+joDUUEOOqEoqfAjstWe8y4Y") && sealed.ends_with("ZQT4peLDX5NKO6cra/5AhQ=="));
}

#[test]
fn a_platform_certificate_says_how_long_it_is_good() {
    let certificate = certificate();
    assert_eq!((certificate.serial(), certificate.not_before()), (PLATFORM_SERIAL, 1_735_689_600));
    assert_eq!(certificate.not_after(), 2_051_222_400);
    assert!(PrivateKey::parse(PLATFORM_KEY).is_ok());
}

#[test]
fn the_first_download_verifies_itself() {
    let merchant = keyless_v3(false);
    let call = merchant.certificates_call(&stamp());
    assert_eq!((call.method, call.target.as_str()), (Method::Get, "/v3/certificates"));
    assert!(header(&call, "Authorization").is_some());
    let body = list(certificate().pem(), PLATFORM_SERIAL, &key());
    let certificates = merchant.read_certificates(&signed(200, body.as_bytes()), AT).unwrap();
    assert_eq!(certificates, [certificate()]);
    let merchant = merchant.with_certificates(certificates);
    assert!(!merchant.is_public_key_only());
    let headers = headers(PLATFORM_SERIAL, 1_767_234_897, ANSWER_NONCE, ANSWER_SIGNATURE);
    let answer = Received { status: 200, headers, body: ANSWER_BODY.as_bytes() };
    assert!(Merchant::from(merchant).read(wechat::pay::Operation::Order, &answer, AT).is_ok());
}

#[test]
fn what_was_not_sealed_for_the_merchant_is_refused() {
    let pem = certificate().pem().to_owned();
    let other_key = Apiv3Key::parse(&"x".repeat(32)).unwrap();
    assert_eq!(refused(&list(&pem, PLATFORM_SERIAL, &other_key)), NotDone::Unbelievable(Doubt::NotDecryptable));
    let sealed = [
        list(&pem, "ABCD", &key()),
        list(&pem, "", &key()),
        list("no certificate", PLATFORM_SERIAL, &key()),
        list(MERCHANT_CERTIFICATE, MERCHANT_SERIAL, &key()),
    ];
    for body in sealed {
        assert!(matches!(refused(&body), NotDone::Unbelievable(Doubt::Malformed(_))), "{body}");
    }
    for body in ["", "[]x", "{}", "[]", r#"{"data":{}}"#] {
        assert!(matches!(refused(body), NotDone::Unbelievable(Doubt::Malformed(_))), "{body}");
    }
    // Sealed right, but signed by somebody else: an old answer, or somebody who knows the key.
    let body = list(&pem, PLATFORM_SERIAL, &key());
    let mut received = signed(200, body.as_bytes());
    let text = v3::response_text(&AT.to_string(), ANSWER_NONCE, body.as_bytes());
    received.headers.signature = Some(PrivateKey::parse(MERCHANT_KEY).unwrap().sign(&text));
    let error = keyless_v3(false).read_certificates(&received, AT).unwrap_err();
    assert_eq!(error, NotDone::Unbelievable(Doubt::BadSignature));
}

#[test]
fn a_known_key_may_sign_the_list() {
    let merchant = keyless_v3(true).with_certificates(vec![certificate()]);
    let mut received = signed(200, br#"{"data":[]}"#);
    assert_eq!(merchant.read_certificates(&received, AT).unwrap(), []);
    received.headers.serial = Some(PUBLIC_KEY_ID.to_owned());
    assert_eq!(merchant.read_certificates(&received, AT).unwrap(), []);
    let error = keyless_v3(false).read_certificates(&received, AT).unwrap_err();
    assert_eq!(error, NotDone::Unbelievable(Doubt::UnknownSerial(PUBLIC_KEY_ID.to_owned())));
}

#[test]
fn a_certificate_that_has_expired_is_left_out() {
    let end = certificate().not_after();
    let body = list(certificate().pem(), PLATFORM_SERIAL, &key());
    let text = v3::response_text(&end.to_string(), ANSWER_NONCE, body.as_bytes());
    let signature = PrivateKey::parse(PLATFORM_KEY).unwrap().sign(&text);
    let headers = headers(PUBLIC_KEY_ID, end, ANSWER_NONCE, &signature);
    let received = Received { status: 200, headers, body: body.as_bytes() };
    assert_eq!(keyless_v3(true).read_certificates(&received, end).unwrap(), []);
}

#[test]
fn a_merchant_with_the_public_key_only_is_told() {
    let body =
        r#"{"code":"RESOURCE_NOT_EXISTS","message":"无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。"}"#;
    let error = keyless_v3(false).read_certificates(&plain(404, body.as_bytes()), AT).unwrap_err();
    let NotDone::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!((refusal.said.as_str(), refusal.status), ("RESOURCE_NOT_EXISTS", Some(404)));
}
