//! Nothing is accepted that the token did not sign, whatever query and body look like; and what was signed is opened
//! exactly when it is a document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::Message;
use wechat::callback::{CallbackKeys, CallbackQuery, Opened};
use wechat::envelope::{EncodingAesKey, Envelope};
use wechat::signature::{callback_signature, message_signature};

const TOKEN: &str = "a token that nobody can guess";

fuzz_target!(|data: &[u8]| {
    let key = EncodingAesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").expect("a key");
    let with_key = CallbackKeys::new(TOKEN, Some(&key), "wx");
    let without_key = CallbackKeys::new(TOKEN, None, "wx");

    // The first line is the query, the rest the body.
    let split = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (line, body) = data.split_at(split);
    let query = CallbackQuery::parse(&String::from_utf8_lossy(line));
    for keys in [&with_key, &without_key] {
        assert!(keys.open(&query, body, 100).is_err(), "nobody signed this");
        assert!(keys.echo(&query).is_err(), "nobody signed this");
    }

    let is_document = Message::read(data.to_vec()).is_ok();
    let signed = CallbackQuery {
        signature: Some(callback_signature(TOKEN, "100", "n")),
        ..CallbackQuery::parse("timestamp=100&nonce=n")
    };
    assert_eq!(matches!(without_key.open(&signed, data, 100), Ok(Opened::Message(_))), is_document);
    assert!(with_key.open(&signed, data, 100).is_err(), "plain, but there is a key");

    let encrypt = Envelope::new(&key, "wx").seal(data, [7; 16]);
    let sealed = CallbackQuery { msg_signature: Some(message_signature(TOKEN, "100", "n", &encrypt)), ..signed };
    let sealed = CallbackQuery { encrypt_type: Some("aes".into()), ..sealed };
    let body = format!("<xml><Encrypt>{encrypt}</Encrypt></xml>");
    match with_key.open(&sealed, body.as_bytes(), 100) {
        Ok(Opened::Message(message)) => assert!(is_document && message.bytes() == data),
        Ok(Opened::Sealed) => panic!("there is a key"),
        Err(error) => assert!(!is_document && !error.is_forgery(), "{error}"),
    }
    assert!(matches!(without_key.open(&sealed, body.as_bytes(), 100), Ok(Opened::Sealed)));
});
