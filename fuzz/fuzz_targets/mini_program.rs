//! What a mini program brings is opened, or refused with the one reason that tells nothing; what is sealed for another app
//! does not open; and a session is read whole or not at all.
#![no_main]

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wechat::Appid;
use wechat::calls::read_errcode;
use wechat::mini_program::{OpenError, SessionKey, read_session};

const KEY: [u8; 16] = *b"0123456789abcdef";
const APPID: &str = "wx4f4bc4dec97d474b";

fuzz_target!(|data: &[u8]| {
    let key = SessionKey::parse(&STANDARD.encode(KEY)).expect("a key");
    let appid = Appid::parse(APPID).expect("an appid");

    let text = String::from_utf8_lossy(data);
    let (iv, encrypted) = text.split_once('\n').unwrap_or(("AAAAAAAAAAAAAAAAAAAAAA==", &text));
    let _ = key.open(&appid, encrypted, iv);
    let _ = key.signature_fits(encrypted, iv);
    if let Ok(key) = SessionKey::parse(&text) {
        assert_eq!(key.expose(), text);
    }
    if let Ok(session) = read_session(data) {
        assert!(!session.openid.is_empty() && read_errcode(data).is_none());
    }

    let opened = key.open(&appid, &sealed(data), "AAAAAAAAAAAAAAAAAAAAAA==");
    let Ok(Value::Object(object)) = serde_json::from_slice(data) else {
        assert_eq!(opened, Err(OpenError::OtherKey));
        return;
    };
    let sealed_for = object.get("watermark").and_then(|watermark| watermark.get("appid")).and_then(Value::as_str);
    match opened {
        Ok(opened) => assert!(opened == object && sealed_for == Some(APPID)),
        Err(OpenError::OtherApp { .. }) => assert!(sealed_for.is_some_and(|found| found != APPID)),
        Err(error) => assert!(error == OpenError::OtherKey && sealed_for.is_none()),
    }
});

/// Seals as WeChat does, with an iv of zeros.
fn sealed(plain: &[u8]) -> String {
    let mut buffer = plain.to_vec();
    buffer.resize(plain.len() + 16, 0);
    let encryptor = cbc::Encryptor::<Aes128>::new(&KEY.into(), &[0; 16].into());
    STANDARD.encode(encryptor.encrypt_padded::<Pkcs7>(&mut buffer, plain.len()).expect("room for the padding"))
}
