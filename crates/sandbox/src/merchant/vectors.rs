//! The test vectors of WeChat Pay (keys are test-only), against the code that plays WeChat's side.
//!
//! RSA with PKCS#1 v1.5 has one signature for one message, so that what is signed here has to be the same to the byte.

use aws_lc_rs::digest;
use serde_json::Value;

use super::cipher::{req_info, seal};
use super::holder::{GivenKey, MerchantHolder, NewMerchant};
use super::rsa::RsaKey;
use super::sign_v3::{Authorization, SCHEME, lines};

const V2_KEY: &str = "testonly0v2key0wechatproxy000001";
const V3_KEY: &str = "testonly0v3key0wechatproxy000001";
const SERIAL: &str = "2F1E0D9C8B7A69584736251403F2E1D0C9B8A796";
const TIMESTAMP: &str = "1767234896";
const NONCE: &str = "7A3C51E09B2D4F6688A1C0D3E5F70912";
const PREPAY: &str = "wx01103456000000testonly000000000001";

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/pay/vectors.json")).unwrap()
}

fn merchant_key() -> RsaKey {
    RsaKey::from_pem(include_str!("../../tests/vectors/pay/merchant_key.pem")).unwrap()
}

fn platform_key() -> RsaKey {
    RsaKey::from_pem(include_str!("../../tests/vectors/pay/platform_key.pem")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[test]
fn requests_are_verified() {
    let (vectors, key) = (vectors(), merchant_key());
    for request in vectors["requests"].as_array().unwrap() {
        let first = [text(request, "method"), text(request, "target"), TIMESTAMP, NONCE];
        let message = lines(&first, text(request, "body").as_bytes());
        assert!(key.verifies(&message, text(request, "signature")));
        assert_eq!(key.sign(&message), text(request, "signature"));
        assert!(!key.verifies(b"another message", text(request, "signature")));
    }
    let request = &vectors["requests"][0];
    let message = lines(&["POST", text(request, "target"), TIMESTAMP, NONCE], text(request, "body").as_bytes());
    assert_eq!(message.len(), 287);
    assert_eq!(sha256(&message), "5785ff871501ad1d7ce1d37dded8484b13df0b7726c261185f7349ea15a0944a");
}

#[test]
fn answers_and_callbacks_are_signed() {
    let (vectors, key) = (vectors(), platform_key());
    for answer in vectors["answers"].as_array().unwrap() {
        let message = lines(&["1767234897", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"], text(answer, "body").as_bytes());
        assert_eq!(key.sign(&message), text(answer, "signature"));
    }
    let payment = &vectors["payment"];
    let message = lines(&["1767234931", "Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56"], text(payment, "envelope").as_bytes());
    assert_eq!(key.sign(&message), text(payment, "signature"));
}

#[test]
fn what_clients_hand_over_is_verified() {
    let (vectors, key) = (vectors(), merchant_key());
    let first = ["wx8888888888888888", TIMESTAMP, "TESTNONCE0000000000000000000000A"];
    let page = lines(&first, format!("prepay_id={PREPAY}").as_bytes());
    assert!(key.verifies(&page, text(&vectors, "page_signature")));
    assert!(key.verifies(&lines(&first, PREPAY.as_bytes()), text(&vectors, "app_signature")));
}

#[test]
fn resources_are_encrypted() {
    let vectors = vectors();
    let (payment, refund) = (&vectors["payment"], &vectors["refund"]);
    let envelope: Value = serde_json::from_str(text(payment, "envelope")).unwrap();
    let sealed = seal(V3_KEY, "nTest0000001", "transaction", text(payment, "plain").as_bytes()).unwrap();
    assert_eq!(sealed, text(&envelope["resource"], "ciphertext"));
    let sealed = seal(V3_KEY, "nTest0000002", "refund", text(refund, "plain").as_bytes()).unwrap();
    assert_eq!(sealed, text(refund, "sealed"));
    let certificate = include_bytes!("../../tests/vectors/pay/platform_cert.pem");
    assert_eq!(sha256(certificate), "ed4427f8c1c01ac9120a67baac84deae3941cdc554bd29caae9c85d4131dde1b");
    let sealed = seal(V3_KEY, "nTest0000003", "certificate", certificate).unwrap();
    assert_eq!(sha256(sealed.as_bytes()), "77a7d72f9d77147101e58aa9f3e2d2ceeec9dbd6d6ee6e44eda0d28f5c2e1b22");
    let notice = &vectors["req_info"];
    assert_eq!(req_info(V2_KEY, text(notice, "plain")), text(notice, "sealed"));
}

#[test]
fn the_header_is_read_strictly() {
    let items = format!(
        r#"mchid="1900000109",nonce_str="{NONCE}",timestamp="{TIMESTAMP}",serial_no="{SERIAL}",signature="a=""#
    );
    let header = format!("{SCHEME} {items}");
    let read = Authorization::parse(&header).unwrap();
    assert_eq!((read.mchid, read.timestamp, read.serial, read.signature), ("1900000109", 1_767_234_896, SERIAL, "a="));
    for (from, to) in [
        (SCHEME, "WECHATPAY2-SM2-WITH-SM3"),
        ("mchid=", "mch_id="),
        ("\"1900000109\"", "1900000109"),
        (TIMESTAMP, "176723489"),
        (TIMESTAMP, "1767234896000"),
        (NONCE, "with-dash"),
        ("nonce_str", "mchid"),
        (",signature=\"a=\"", ""),
    ] {
        assert_eq!(Authorization::parse(&header.replace(from, to)), None, "{to}");
    }
}

#[test]
fn a_merchant_can_be_given_its_keys() {
    let given = |serial: &str, pem: &str| Some(GivenKey { serial: serial.into(), private_key: pem.into() });
    let platform = include_str!("../../tests/vectors/pay/platform_key.pem");
    let wish = NewMerchant {
        mch_id: Some("1900000109".into()),
        appids: vec!["wx8888888888888888".into()],
        certificate: given(SERIAL, include_str!("../../tests/vectors/pay/merchant_key.pem")),
        platform_certificate: given("1A2B3C4D5E6F708192A3B4C5D6E7F8091A2B3C4D", platform),
        public_key: given("PUB_KEY_ID_0119000001092026010100000000000001", platform),
        ..NewMerchant::default()
    };
    let merchant = MerchantHolder::new(wish.clone(), 1).unwrap();
    let card = merchant.card();
    assert_eq!((card.serial.as_str(), card.platform_serial.len()), (SERIAL, 40));
    let files = merchant.files()();
    assert_eq!(files.private_key, include_str!("../../tests/vectors/pay/merchant_key.pem"));
    assert!(
        files
            .public_key
            .starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlkJ/RjbG")
    );
    assert!(!format!("{wish:?}").contains("PRIVATE") && !format!("{files:?}").contains("BEGIN"));
    for (serial, pem) in [("2f", platform), (SERIAL, "no key"), (&"0".repeat(40), platform)] {
        let wish = NewMerchant { certificate: given(serial, pem), ..wish.clone() };
        assert!(MerchantHolder::new(wish, 1).is_err(), "{serial}");
    }
}
