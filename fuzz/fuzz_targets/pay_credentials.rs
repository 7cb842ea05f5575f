//! The keys in its seeds are those of the tests, made up. Any text is recognised as something; each type takes it only
//! if it is its own, and what is taken comes back when stored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret;
use wechat::pay::credentials::{
    Apiv3Key, ClientCertificate, Kind, MchKey, MerchantSerial, PlatformCertificate, PrivateKey, PublicKey, PublicKeyId,
    recognise,
};

const MCH_ID: &str = "1900000109";

fuzz_target!(|data: &[u8]| {
    let _ = ClientCertificate::from_p12(data, MCH_ID);
    let text = String::from_utf8_lossy(data);
    let kind = recognise(&text);
    if let Ok(key) = PrivateKey::parse(&text) {
        assert_eq!(kind, Kind::PrivateKey);
        let stored = PrivateKey::parse(key.to_pem().expose_secret()).expect("what was stored is read");
        assert_eq!(stored.pkcs8(), key.pkcs8());
    }
    if let Ok(key) = PublicKey::parse(&text) {
        assert_eq!(kind, Kind::PublicKey);
        assert_eq!(PublicKey::parse(&key.to_pem()).expect("what was stored is read"), key);
    }
    if let Ok(certificate) = ClientCertificate::parse(&text, MCH_ID) {
        assert!(matches!(kind, Kind::CertificateWithKey | Kind::P12));
        let stored =
            ClientCertificate::parse(certificate.to_pem().expose_secret(), "").expect("what was stored is read");
        assert_eq!(stored.chain(), certificate.chain());
    }
    if let Ok(certificate) = PlatformCertificate::parse(&text) {
        assert!(matches!(kind, Kind::PlatformCertificate | Kind::Certificate));
        assert_eq!(PlatformCertificate::parse(certificate.pem()).expect("what was stored is read"), certificate);
    }
    let is_safe = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    assert!(MerchantSerial::parse(&text).map_or(true, |serial| is_safe(serial.as_str())));
    assert!(PublicKeyId::parse(&text).map_or(true, |id| is_safe(id.as_str())));
    assert_eq!(Apiv3Key::parse(&text).is_ok(), kind == Kind::Key32);
    // An older one may have another length, but is nothing else.
    assert!(MchKey::parse(&text).is_err() || matches!(kind, Kind::Key32 | Kind::Unknown));
});
