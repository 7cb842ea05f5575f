//! What API v3 sends is believed only with WeChat's signature; signed and sealed, any bytes are read or refused.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use wechat::pay::credentials::{Apiv3Key, PlatformCertificate, PrivateKey};
use wechat::pay::{Merchant, NoticeKind, Operation, Received, SignatureHeaders, v3};

#[path = "../../crates/wechat/tests/protocol/pay/vectors.rs"]
#[expect(dead_code, reason = "the tests need more of it")]
mod vectors;
use vectors::{APIV3_KEY, MCH_ID, MERCHANT_KEY, MERCHANT_SERIAL, PLATFORM_CERTIFICATE, PLATFORM_KEY, PLATFORM_SERIAL};

const NOW: i64 = 1_767_234_896;

static MERCHANT: LazyLock<v3::Merchant> = LazyLock::new(|| {
    let key = PrivateKey::parse(MERCHANT_KEY).expect("a key");
    let certificate = PlatformCertificate::parse(PLATFORM_CERTIFICATE).expect("a certificate");
    let merchant = v3::Merchant::new(MCH_ID, MERCHANT_SERIAL, &key, &APIV3_KEY.into(), None);
    merchant.expect("a merchant").with_certificates(vec![certificate])
});

static PLATFORM: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::parse(PLATFORM_KEY).expect("a key"));

fn signed(body: &[u8]) -> Received<'_> {
    let signature = PLATFORM.sign(&v3::response_text(&NOW.to_string(), "n", body));
    let headers = SignatureHeaders {
        serial: Some(PLATFORM_SERIAL.to_owned()),
        timestamp: Some(NOW.to_string()),
        nonce: Some("n".to_owned()),
        signature: Some(signature),
        signature_type: None,
    };
    Received { status: 200, headers, body }
}

fuzz_target!(|data: &[u8]| {
    let merchant = Merchant::from(MERCHANT.clone());
    let received = signed(data);
    let all = [Operation::Order, Operation::Query, Operation::Close, Operation::Refund, Operation::QueryRefund];
    for operation in all {
        if let Ok(answer) = merchant.read(operation, &received, NOW) {
            assert_eq!(answer.text("mch_id"), Some(MCH_ID));
        }
        let refusal = Received { status: 400, headers: SignatureHeaders::default(), body: data };
        assert!(merchant.read(operation, &refusal, NOW).is_err());
    }
    let _ = MERCHANT.read_certificates(&received, NOW);
    let unsigned = Received { headers: SignatureHeaders::default(), ..received.clone() };
    for kind in [NoticeKind::Payment, NoticeKind::Refund] {
        assert!(merchant.open(kind, &received, NOW).is_err(), "nobody sealed this");
        assert!(merchant.open(kind, &unsigned, NOW).is_err(), "nobody signed this");
    }

    let key = Apiv3Key::parse(APIV3_KEY).expect("a key");
    let ciphertext = key.seal(data, "nTest0000001", "").expect("a nonce");
    for (kind, event_type) in [(NoticeKind::Payment, "TRANSACTION.SUCCESS"), (NoticeKind::Refund, "REFUND.SUCCESS")] {
        let resource = json!({ "algorithm": "AEAD_AES_256_GCM", "nonce": "nTest0000001", "ciphertext": ciphertext });
        let body = json!({ "event_type": event_type, "resource": resource }).to_string();
        let Ok(notice) = merchant.open(kind, &signed(body.as_bytes()), NOW) else { continue };
        assert!(notice.mch_id == MCH_ID && notice.resource.is_some());
        assert_eq!(notice.out_refund_no.is_some(), kind == NoticeKind::Refund);
        assert_eq!(notice.fields["total_fee"], notice.total_fee);
    }
});
