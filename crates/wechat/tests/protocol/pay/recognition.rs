//! What a pasted text is recognised as, and what is said when something else belongs there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use wechat::pay::credentials::{
    Apiv3Key, ClientCertificate, Kind, MchKey, MerchantSerial, PlatformCertificate, PrivateKey, PublicKey, PublicKeyId,
    WrongCredential, recognise,
};

use super::*;

/// A block of PEM with lines as OpenSSL breaks them.
pub(super) fn pem(label: &str, base64: &str) -> String {
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// One text of each kind.
fn samples() -> Vec<(Kind, String)> {
    let both = pem("CERTIFICATE", MERCHANT_CERTIFICATE) + &pem("PRIVATE KEY", MERCHANT_KEY);
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
               -----END RSA PRIVATE KEY-----\n";
    let cut = pem("PRIVATE KEY", MERCHANT_KEY);
    let texts = [
        (Kind::Empty, String::new()),
        (Kind::Empty, " \n\t".to_owned()),
        (Kind::PrivateKey, pem("PRIVATE KEY", MERCHANT_KEY)),
        (Kind::PrivateKey, pem("RSA PRIVATE KEY", MERCHANT_KEY_PKCS1)),
        (Kind::PrivateKey, MERCHANT_KEY.to_owned()),
        (Kind::PrivateKey, MERCHANT_KEY_PKCS1.to_owned()),
        (Kind::PrivateKey, STANDARD.encode(pem("PRIVATE KEY", MERCHANT_KEY))),
        (Kind::EncryptedPrivateKey, pem("ENCRYPTED PRIVATE KEY", MERCHANT_KEY_ENCRYPTED)),
        (Kind::EncryptedPrivateKey, old.to_owned()),
        (Kind::OtherPrivateKey, pem("EC PRIVATE KEY", EC_KEY)),
        (Kind::OtherPrivateKey, pem("PRIVATE KEY", EC_KEY_PKCS8)),
        (Kind::PublicKey, pem("PUBLIC KEY", PUBLIC_KEY)),
        (Kind::PublicKey, pem("RSA PUBLIC KEY", PUBLIC_KEY_PKCS1)),
        (Kind::PublicKey, PUBLIC_KEY.to_owned()),
        (Kind::OtherPublicKey, pem("PUBLIC KEY", EC_PUBLIC_KEY)),
        (Kind::MerchantCertificate, pem("CERTIFICATE", MERCHANT_CERTIFICATE)),
        (Kind::PlatformCertificate, pem("CERTIFICATE", PLATFORM_CERTIFICATE)),
        (Kind::RootCertificate, pem("CERTIFICATE", ROOT_CERTIFICATE)),
        (Kind::OtherCertificate, pem("CERTIFICATE", EC_CERTIFICATE)),
        (Kind::CertificateWithKey, both),
        (Kind::CertificateRequest, pem("CERTIFICATE REQUEST", CSR)),
        (Kind::P12, P12_LEGACY.to_owned()),
        (Kind::P12, P12_MODERN.to_owned()),
        (Kind::CutPem, cut.get(..800).unwrap().to_owned()),
        (Kind::CutPem, cut.get(100..).unwrap().to_owned()),
        (Kind::DamagedPem, cut.replace("MIIE", "MIIA")),
        (Kind::DamagedPem, pem("CERTIFICATE", "!!!!")),
        (Kind::Serial, MERCHANT_SERIAL.to_owned()),
        (Kind::Serial, format!("serial={}", MERCHANT_SERIAL.to_lowercase())),
        (Kind::PublicKeyId, PUBLIC_KEY_ID.to_owned()),
        (Kind::Key32, MCH_KEY.to_owned()),
        (Kind::Appid, APPID.to_owned()),
        (Kind::MchId, MCH_ID.to_owned()),
        (Kind::Url, "https://pay.weixin.qq.com/index.php/core/cert/api_cert".to_owned()),
        (Kind::FileName, r"C:\cert\apiclient_key.pem".to_owned()),
        (Kind::FileName, "apiclient_cert.p12".to_owned()),
        (Kind::Markup, "<html></html>".to_owned()),
        (Kind::Unknown, "something else".to_owned()),
        (Kind::Unknown, "A".repeat(100_000)),
    ];
    texts.into()
}

/// What each type says to a text.
fn verdicts(text: &str) -> [(&'static str, Option<WrongCredential>); 8] {
    [
        ("private key", PrivateKey::parse(text).err()),
        ("public key", PublicKey::parse(text).err()),
        ("client certificate", ClientCertificate::parse(text, MCH_ID).err()),
        ("platform certificate", PlatformCertificate::parse(text).err()),
        ("serial", MerchantSerial::parse(text).err()),
        ("public key id", PublicKeyId::parse(text).err()),
        ("v3 key", Apiv3Key::parse(text).err()),
        ("v2 key", MchKey::parse(text).err()),
    ]
}

#[test]
fn each_kind_is_recognised() {
    for (kind, text) in samples() {
        assert_eq!(recognise(&text), kind, "{text}");
    }
}

#[test]
fn each_kind_is_taken_where_it_belongs_only() {
    for (kind, text) in samples() {
        let taken: Vec<_> =
            verdicts(&text).into_iter().filter(|(_, error)| error.is_none()).map(|(name, _)| name).collect();
        let expected: &[&str] = match kind {
            Kind::PrivateKey => &["private key"],
            Kind::PublicKey => &["public key"],
            Kind::CertificateWithKey => &["client certificate", "serial"],
            Kind::P12 => &["client certificate"],
            Kind::PlatformCertificate => &["platform certificate"],
            Kind::MerchantCertificate | Kind::Serial => &["serial"],
            Kind::PublicKeyId => &["public key id"],
            Kind::Key32 => &["v3 key", "v2 key"],
            _ => &[],
        };
        assert_eq!(taken, expected, "{kind:?}");
    }
}

#[test]
fn the_error_says_what_it_is_and_what_belongs_there() {
    let error = PrivateKey::parse(&pem("CERTIFICATE", MERCHANT_CERTIFICATE)).unwrap_err();
    let expected = "this is the merchant's certificate (apiclient_cert.pem), but the merchant's RSA private key belongs here: \
                    paste the whole of apiclient_key.pem, which came with the merchant's API certificate";
    assert_eq!(error.to_string(), expected);
    let said = |error: WrongCredential, part: &str| assert!(error.is.contains(part), "{error}");
    said(PrivateKey::parse(&pem("RSA PRIVATE KEY", SMALL_KEY)).unwrap_err(), "shorter than 2048 bits");
    said(PublicKey::parse(&pem("PUBLIC KEY", SMALL_PUBLIC_KEY)).unwrap_err(), "shorter than 2048 bits");
    assert!(MchKey::parse("an-older-key").is_ok(), "the platform took other lengths once");
    said(MchKey::parse(&"x".repeat(129)).unwrap_err(), "characters or a length");
    said(Apiv3Key::parse("tooshort").unwrap_err(), "another length than 32");
    said(Apiv3Key::parse(&"字".repeat(32)).unwrap_err(), "neither a key");
    said(PublicKeyId::parse("PUB_KEY_ID_1\nx").unwrap_err(), "characters that do not belong there");
    said(MerchantSerial::parse(&pem("CERTIFICATE", PLATFORM_CERTIFICATE)).unwrap_err(), "WeChat Pay's platform");
    said(ClientCertificate::parse(P12_MODERN, "1900000110").unwrap_err(), "does not open with the merchant number");
    let stranger = pem("CERTIFICATE", MERCHANT_CERTIFICATE) + &pem("PRIVATE KEY", PLATFORM_KEY);
    said(ClientCertificate::parse(&stranger, MCH_ID).unwrap_err(), "do not belong together");
    said(
        ClientCertificate::parse(&pem("CERTIFICATE", MERCHANT_CERTIFICATE), MCH_ID).unwrap_err(),
        "apiclient_cert.pem",
    );
}

#[test]
fn no_error_holds_a_part_of_the_value() {
    for (_, text) in samples() {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() >= 16);
        let words: Vec<_> = words.flat_map(|word| word.get(..16)).collect();
        for (_, error) in verdicts(&text) {
            let said = error.map(|error| format!("{error}{error:?}")).unwrap_or_default();
            assert!(!words.iter().any(|word| said.contains(word)), "{said}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_recognised(text in "\\PC{0,80}|[A-Za-z0-9+/=]{0,200}|(?s).{0,60}") {
        let _ = recognise(&text);
        let _ = verdicts(&text);
    }

    #[test]
    fn any_bytes_are_recognised(which in any::<usize>(), at in any::<usize>(), to in any::<u8>(), cut in any::<usize>()) {
        let samples: Vec<_> = [MERCHANT_KEY, PUBLIC_KEY, MERCHANT_CERTIFICATE, P12_MODERN, CSR, EC_KEY].into();
        let mut bytes = STANDARD.decode(samples[which % samples.len()]).unwrap();
        let at = at % bytes.len();
        bytes[at] = to;
        bytes.truncate(cut % (2 * bytes.len()));
        let text = STANDARD.encode(&bytes);
        let _ = recognise(&text);
        let _ = ClientCertificate::parse(&text, MCH_ID);
    }
}
