//! The login of mini programs, and what WeChat seals for a session: the published vectors (M1, M2), and what is sealed
//! here as WeChat does it.

use aes::Aes128;
use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use proptest::prelude::*;
use serde_json::{Value, json};
use wechat::calls::{AnswerError, Call, Host};
use wechat::mini_program::{MAX_ENCRYPTED_LENGTH, OpenError, SessionKey, read_session};
use wechat::{Appid, Errcode};

const M1_KEY: &str = "HyVFkGl5F5OQWJZZaNzBBg==";
const M1_RAW_DATA: &str = r#"{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}"#;
const M1_SIGNATURE: &str = "75e81ceda165f4ffa64f4068af58c64b8f54b88c";

const M2_APPID: &str = "wx4f4bc4dec97d474b";
const M2_KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
const M2_IV: &str = "r7BXXKkLb8qrSNn05n0qiA==";
const M2_ENCRYPTED: &str = concat!(
    "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4l",
    "GOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInN",
    "lxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/",
    "r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7Xjf",
    "hQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==",
);
const M2_PLAIN: &str = r#"{"openId":"oGZUI0egBJY1zhBYw2KhdUfwVJJE","nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0","unionId":"ocMvos6NjeKLIBqg5Mr9QjxrP1FA","watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}"#;

const SESSION: &str = r#"{"openid":"OPENID","session_key":"tiihtNczf5v6AKRyjwEUhQ==","unionid":"UNIONID"}"#;

fn key(text: &str) -> SessionKey {
    SessionKey::parse(text).unwrap()
}

fn appid() -> Appid {
    Appid::parse(M2_APPID).unwrap()
}

fn opened(encrypted_data: &str, iv: &str) -> Result<Value, OpenError> {
    key(M2_KEY).open(&appid(), encrypted_data, iv).map(Value::Object)
}

/// Seals as WeChat does.
fn sealed(plain: &[u8], key: &SessionKey, iv: [u8; 16]) -> String {
    let padded = plain.len() + 16 - plain.len() % 16;
    let mut buffer = plain.to_vec();
    buffer.resize(padded, 0);
    let sealed = encryptor(key, iv).encrypt_padded::<Pkcs7>(&mut buffer, plain.len()).unwrap();
    STANDARD.encode(sealed)
}

/// Seals whole blocks, with whatever padding is in them.
fn sealed_blocks(blocks: &str) -> String {
    let mut buffer = blocks.as_bytes().to_vec();
    let length = buffer.len();
    STANDARD.encode(encryptor(&key(M2_KEY), [0; 16]).encrypt_padded::<NoPadding>(&mut buffer, length).unwrap())
}

fn encryptor(key: &SessionKey, iv: [u8; 16]) -> Encryptor<Aes128> {
    let key: [u8; 16] = STANDARD.decode(key.expose()).unwrap().try_into().unwrap();
    Encryptor::<Aes128>::new(&key.into(), &iv.into())
}

#[test]
fn the_call_is_that_of_the_documents() {
    let call = Call::mini_program_session(&appid(), &"s&".into(), "c+");
    assert_eq!((call.host, call.path), (Host::Api, "/sns/jscode2session"));
    assert_eq!(call.query(), "appid=wx4f4bc4dec97d474b&secret=s%26&js_code=c%2B&grant_type=authorization_code");
    assert!(call.body().is_none());
}

#[test]
fn a_session_is_read_whole_or_not_at_all() {
    let session = read_session(SESSION.as_bytes()).unwrap();
    assert_eq!((session.openid.as_str(), session.unionid.as_deref()), ("OPENID", Some("UNIONID")));
    assert_eq!(session.session_key.expose(), M2_KEY);
    let least = format!(r#"{{"errcode":0,"errmsg":"ok","openid":"o","session_key":"{M1_KEY}"}}"#);
    assert_eq!(read_session(least.as_bytes()).unwrap().unionid, None);
    let long = "o".repeat(129);
    for (from, to) in [
        (r#""OPENID""#, r#""""#),
        (r#""OPENID""#, "7"),
        ("OPENID", long.as_str()),
        ("openid", "OpenId"),
        (r#""UNIONID""#, r#""u\u0000""#),
        ("session_key", "sessionkey"),
        ("tiiht", "tiih"),
        ("tiiht", "tiihtt"),
        ("tiiht", "t iht"),
        (r#""tiihtNczf5v6AKRyjwEUhQ==""#, "null"),
        ("}", ""),
    ] {
        let body = SESSION.replacen(from, to, 1);
        assert_ne!(body, SESSION);
        assert!(matches!(read_session(body.as_bytes()), Err(AnswerError::Malformed(_))), "{body}");
    }
    for code in [-1, 40029, 40163, 40226, 45011] {
        let body = json!({"errcode": code, "errmsg": "no, rid: 1-2-3"}).to_string();
        let error = read_session(body.as_bytes()).unwrap_err();
        assert!(matches!(error, AnswerError::Refused(refused) if refused.errcode == Errcode(code)));
        assert!(Errcode(code).advice().is_some(), "{code}");
    }
}

#[test]
fn no_secret_is_in_debug_output() {
    let call = Call::mini_program_session(&appid(), &"HUSH".into(), "HUSH");
    let shown = format!("{call:?}{:?}", read_session(SESSION.as_bytes()).unwrap());
    assert!(!shown.contains("HUSH") && !shown.contains("tiiht") && shown.contains("OPENID"), "{shown}");
    let error = SessionKey::parse("tiihtNczf5v6").unwrap_err();
    assert!(!format!("{error}{error:?}").contains("tiiht"));
}

#[test]
fn the_published_signature_fits() {
    let key = key(M1_KEY);
    assert!(key.signature_fits(M1_RAW_DATA, M1_SIGNATURE));
    assert!(key.signature_fits(M1_RAW_DATA, &M1_SIGNATURE.to_uppercase()));
    assert!(!key.signature_fits(&M1_RAW_DATA.replace("Band", "Bond"), M1_SIGNATURE));
    assert!(!SessionKey::parse(M2_KEY).unwrap().signature_fits(M1_RAW_DATA, M1_SIGNATURE));
    for other in ["", "75e8", "75e81ceda165f4ffa64f4068af58c64b8f54b88c ", "公"] {
        assert!(!key.signature_fits(M1_RAW_DATA, other), "{other}");
    }
}

#[test]
fn the_published_data_opens() {
    let plain: Value = serde_json::from_str(M2_PLAIN).unwrap();
    assert_eq!(opened(M2_ENCRYPTED, M2_IV), Ok(plain.clone()));
    let iv: [u8; 16] = STANDARD.decode(M2_IV).unwrap().try_into().unwrap();
    assert_eq!(sealed(M2_PLAIN.as_bytes(), &key(M2_KEY), iv), M2_ENCRYPTED);
    // A form that was not encoded makes spaces of '+'.
    assert_eq!(opened(&M2_ENCRYPTED.replace('+', " "), M2_IV), Ok(plain.clone()));
    assert_eq!(opened(M2_ENCRYPTED.trim_end_matches('='), M2_IV.trim_end_matches('=')), Ok(plain));
    let spaced = sealed(M2_PLAIN.as_bytes(), &key(M2_KEY), [0xFB; 16]);
    assert!(opened(&spaced, &STANDARD.encode([0xFB; 16]).replace('+', " ")).is_ok());
}

#[test]
fn data_of_another_mini_program_is_refused() {
    let other = Appid::parse("wx1234567890abcdef").unwrap();
    let error = key(M2_KEY).open(&other, M2_ENCRYPTED, M2_IV).unwrap_err();
    let expected = OpenError::OtherApp { expected: "wx1234567890abcdef".to_owned(), found: M2_APPID.to_owned() };
    assert_eq!(error, expected);
    let long = json!({"watermark": {"appid": "\n".repeat(1000)}}).to_string();
    let error = opened(&sealed(long.as_bytes(), &key(M2_KEY), [0; 16]), &STANDARD.encode([0; 16])).unwrap_err();
    assert!(matches!(error, OpenError::OtherApp { found, .. } if found == "\u{FFFD}".repeat(64)));
}

#[test]
fn wrong_padding_and_wrong_json_look_the_same() {
    let zero_iv = STANDARD.encode([0; 16]);
    let whole = format!(r#"{{"watermark":{{"appid":"{M2_APPID}"}}}}"#);
    let padded = |padding: &str| sealed_blocks(&format!("{whole}{padding}"));
    // The object has 44 bytes: 4 are missing to three blocks.
    assert!(opened(&padded("\u{4}\u{4}\u{4}\u{4}"), &zero_iv).is_ok());
    assert_eq!(opened(&padded(&"\u{14}".repeat(20)), &zero_iv), Err(OpenError::OtherKey));
    for padding in ["    ", "\n\n\n\n", "   \u{2}", "\0\0\0\0", "\u{4}\u{3}\u{4}\u{4}", "\u{5}\u{5}\u{5}\u{5}"] {
        assert_eq!(opened(&padded(padding), &zero_iv), Err(OpenError::OtherKey), "{padding:?}");
    }
    for plain in ["", "{}", "[]", "{", "null", "\u{1}", r#"{"watermark":{"appid":7}}"#, r#"{"watermark":"wx"}"#] {
        let encrypted = sealed(plain.as_bytes(), &key(M2_KEY), [0; 16]);
        assert_eq!(opened(&encrypted, &zero_iv), Err(OpenError::OtherKey), "{plain}");
    }
    assert_eq!(key(M1_KEY).open(&appid(), M2_ENCRYPTED, M2_IV), Err(OpenError::OtherKey));
}

#[test]
fn what_arrives_broken_is_told() {
    let long = "A".repeat(MAX_ENCRYPTED_LENGTH + 4);
    for (encrypted, iv, error) in [
        ("", M2_IV, OpenError::Blocks(0)),
        ("AAAA", M2_IV, OpenError::Blocks(3)),
        ("!", M2_IV, OpenError::Base64),
        ("公众号", M2_IV, OpenError::Base64),
        (long.as_str(), M2_IV, OpenError::TooLong(long.len())),
        (M2_ENCRYPTED, "", OpenError::Iv),
        (M2_ENCRYPTED, "AAAA", OpenError::Iv),
        (M2_ENCRYPTED, M2_ENCRYPTED, OpenError::Iv),
        (M2_ENCRYPTED, "r7BXXKkLb8qrSNn05n0q!A==", OpenError::Iv),
    ] {
        assert_eq!(opened(encrypted, iv), Err(error), "{encrypted} {iv}");
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_with_its_key_only(
        bytes in any::<[u8; 16]>(), iv in any::<[u8; 16]>(), name in ".*", number in any::<i64>(),
    ) {
        let key = SessionKey::parse(&STANDARD.encode(bytes)).unwrap();
        let plain = json!({"nickName": name, "number": number, "watermark": {"appid": M2_APPID, "timestamp": 1}});
        let encrypted = sealed(plain.to_string().as_bytes(), &key, iv);
        let iv = STANDARD.encode(iv);
        prop_assert_eq!(key.open(&appid(), &encrypted, &iv).map(Value::Object), Ok(plain));
        prop_assert_eq!(opened(&encrypted, &iv), Err(OpenError::OtherKey));
    }

    #[test]
    fn no_text_makes_anything_panic(data in "[A-Za-z0-9+/= ]{0,100}|\\PC{0,40}", iv in "[A-Za-z0-9+/=]{22,24}|.*") {
        let _ = opened(&data, &iv);
        let _ = opened(&data, M2_IV);
        let _ = key(M1_KEY).signature_fits(&data, &iv);
        if let Ok(key) = SessionKey::parse(&iv) {
            prop_assert_eq!(key.expose(), iv);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_session(&body);
    }
}
