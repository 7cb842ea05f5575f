//! Keys and certificates once they are recognised: what they say, how they are stored, and that they stay secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use wechat::pay::MerchantError;
use wechat::pay::credentials::{Apiv3Key, ClientCertificate, MchKey, MerchantSerial, PrivateKey, PublicKey};

use super::recognition::pem;
use super::*;

#[test]
fn a_private_key_is_the_same_in_every_form() {
    let forms = [
        MERCHANT_KEY.to_owned(),
        MERCHANT_KEY_PKCS1.to_owned(),
        pem("PRIVATE KEY", MERCHANT_KEY),
        pem("RSA PRIVATE KEY", MERCHANT_KEY_PKCS1),
        pem("PRIVATE KEY", MERCHANT_KEY).replace('\n', " "),
        pem("PRIVATE KEY", MERCHANT_KEY).replace('\n', "\\n"),
        pem("PRIVATE KEY", MERCHANT_KEY).replace('\n', "\r\n"),
        pem("PRIVATE KEY", MERCHANT_KEY).replace('+', " "),
        format!("\u{FEFF}\"{}\"", pem("PRIVATE KEY", MERCHANT_KEY)),
    ];
    for form in forms {
        let key = PrivateKey::parse(&form).unwrap();
        assert_eq!(key.to_pem().expose_secret(), pem("PRIVATE KEY", MERCHANT_KEY), "{form}");
        assert_eq!(STANDARD.encode(key.pkcs8()), MERCHANT_KEY);
    }
}

#[test]
fn a_public_key_is_the_same_in_every_form() {
    for form in [PUBLIC_KEY.to_owned(), pem("PUBLIC KEY", PUBLIC_KEY), pem("RSA PUBLIC KEY", PUBLIC_KEY_PKCS1)] {
        let key = PublicKey::parse(&form).unwrap();
        assert_eq!(key.to_pem(), pem("PUBLIC KEY", PUBLIC_KEY));
        assert_eq!(&key, certificate().key(), "it is that of the platform's certificate");
    }
}

#[test]
fn a_client_certificate_is_the_same_in_every_form() {
    let (certificate, key) = (pem("CERTIFICATE", MERCHANT_CERTIFICATE), pem("PRIVATE KEY", MERCHANT_KEY));
    let forms = [
        certificate.clone() + &key,
        key.clone() + &certificate,
        format!("{key}{certificate}").replace('\n', " "),
        certificate + &pem("RSA PRIVATE KEY", MERCHANT_KEY_PKCS1),
        P12_LEGACY.to_owned(),
        P12_MODERN.to_owned(),
    ];
    for form in forms {
        let client = ClientCertificate::parse(&form, MCH_ID).unwrap();
        assert_eq!((client.serial(), client.is_merchants()), (MERCHANT_SERIAL, true));
        assert!(client.chain() == [STANDARD.decode(MERCHANT_CERTIFICATE).unwrap()]);
        assert_eq!(STANDARD.encode(client.key().pkcs8()), MERCHANT_KEY);
        assert_eq!((client.not_before(), client.not_after()), (MERCHANT_NOT_BEFORE, MERCHANT_NOT_AFTER));
        assert!(PrivateKey::parse(MERCHANT_KEY).unwrap().belongs_to(&client));
        assert!(!PrivateKey::parse(PLATFORM_KEY).unwrap().belongs_to(&client));
        let stored = ClientCertificate::parse(client.to_pem().expose_secret(), "").unwrap();
        assert!(stored.chain() == client.chain() && stored.key().pkcs8() == client.key().pkcs8());
    }
}

#[test]
fn the_keys_own_certificate_comes_first() {
    let client = ClientCertificate::from_p12(&STANDARD.decode(P12_3DES).unwrap(), MCH_ID).unwrap();
    let expected = [MERCHANT_CERTIFICATE, PLATFORM_CERTIFICATE].map(|der| STANDARD.decode(der).unwrap());
    assert!(client.chain() == expected);
    let order = pem("CERTIFICATE", PLATFORM_CERTIFICATE)
        + &pem("CERTIFICATE", MERCHANT_CERTIFICATE)
        + &pem("PRIVATE KEY", MERCHANT_KEY);
    assert!(ClientCertificate::parse(&order, MCH_ID).unwrap().chain() == expected);
}

#[test]
fn a_serial_is_read_as_digits_or_from_the_certificate() {
    let with_colons: Vec<_> = MERCHANT_SERIAL.as_bytes().chunks(2).map(|two| str::from_utf8(two).unwrap()).collect();
    let forms = [
        MERCHANT_SERIAL.to_owned(),
        format!(" {}\n", MERCHANT_SERIAL.to_lowercase()),
        with_colons.join(":"),
        pem("CERTIFICATE", MERCHANT_CERTIFICATE),
        pem("PRIVATE KEY", MERCHANT_KEY) + &pem("CERTIFICATE", MERCHANT_CERTIFICATE),
    ];
    for form in forms {
        assert_eq!(MerchantSerial::parse(&form).unwrap().as_str(), MERCHANT_SERIAL);
    }
}

#[test]
fn a_merchant_is_made_of_what_wechat_gives_out_only() {
    for wrong in ["", "123", "1900000109x", "wx8888888888888888", "１９００００００１０９"] {
        assert_eq!(v2::Merchant::new(wrong, MCH_KEY.into()).unwrap_err(), MerchantError::MchId);
    }
    assert!(v2::Merchant::new(MCH_ID, format!(" {MCH_KEY}\n").into()).is_ok());
    assert!(matches!(v2::Merchant::new(MCH_ID, APPID.into()), Err(MerchantError::Credential(_))));
    let key = PrivateKey::parse(MERCHANT_KEY).unwrap();
    let public_key = PublicKey::parse(PUBLIC_KEY).unwrap();
    let new = |serial: &str, apiv3_key: &str, id: Option<&str>| {
        let public_key = id.map(|id| (id.to_owned(), public_key.clone()));
        v3::Merchant::new(MCH_ID, serial, &key, &apiv3_key.into(), public_key).map_err(|error| error.to_string())
    };
    assert!(new(MERCHANT_SERIAL, APIV3_KEY, Some(PUBLIC_KEY_ID)).is_ok());
    assert!(new(MERCHANT_SERIAL, APIV3_KEY, Some(MERCHANT_SERIAL)).unwrap_err().contains("PUB_KEY_ID_"));
    assert!(new(PUBLIC_KEY_ID, APIV3_KEY, None).unwrap_err().contains("40 hexadecimal digits"));
    assert!(new(MERCHANT_SERIAL, MERCHANT_SERIAL, None).unwrap_err().contains("the API v3 key belongs here"));
}

#[test]
fn debug_output_holds_no_secret() {
    let order = merchant_v2().order(&order(TradeType::Native), &stamp()).unwrap();
    let shown = format!(
        "{:?}{:?}{:?}{:?}{:?}{:?}{:?}{order:?}",
        merchant_v2(),
        merchant_v3(),
        PrivateKey::parse(MERCHANT_KEY).unwrap(),
        ClientCertificate::parse(P12_MODERN, MCH_ID).unwrap(),
        MchKey::parse(MCH_KEY).unwrap(),
        Apiv3Key::parse(APIV3_KEY).unwrap(),
        keyless_v3(true),
    );
    // Each way in which bytes are shown: text, hex, a list of numbers.
    let middle = STANDARD.decode(MERCHANT_KEY).unwrap()[200..204].to_vec();
    let key = MERCHANT_KEY.get(40..60).unwrap().to_owned();
    let numbers = format!("{middle:?}").trim_matches(['[', ']']).to_owned();
    for secret in [MCH_KEY.to_owned(), APIV3_KEY.to_owned(), key, hex::encode(&middle), numbers] {
        assert!(!shown.contains(&secret), "{shown}");
    }
    let sign = elements(&order.body)["sign"].clone();
    assert!(!shown.contains(&sign) && shown.contains("/pay/unifiedorder"));
}
