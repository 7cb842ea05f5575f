//! Keys and envelopes: what is refused, why, and that whatever was sealed is opened.

use proptest::prelude::*;
use wechat::envelope::{EncodingAesKey, EncodingAesKeyError, Envelope, EnvelopeError};

use crate::vectors::{VECTORS, Vector};

fn key(letter: &str) -> EncodingAesKey {
    EncodingAesKey::parse(&letter.repeat(43)).unwrap()
}

#[test]
fn keys_have_43_characters_of_base64() {
    for length in [0, 1, 42, 44] {
        let error = EncodingAesKey::parse(&"a".repeat(length)).unwrap_err();
        assert_eq!(error, EncodingAesKeyError::Length(length));
    }
    for character in ["=", " ", "-", "_", "*", "\n", "中"] {
        let text = format!("{}{character}", "a".repeat(42));
        assert_eq!(EncodingAesKey::parse(&text).unwrap_err(), EncodingAesKeyError::Character, "{character:?}");
    }
    for last in ["A", "B", "C", "D", "9", "/"] {
        assert!(EncodingAesKey::parse(&format!("{}{last}", "a".repeat(42))).is_ok(), "spare bits of {last}");
    }
}

#[test]
fn keys_are_not_shown() {
    let vector = Vector::named("C3");
    let shown = format!("{:?} {:?}", vector.aes(), vector.envelope());
    assert!(!shown.contains("jWm") && !shown.contains("141"), "{shown}");
}

#[test]
fn line_breaks_in_the_ciphertext_do_not_matter() {
    let vector = Vector::named("C2");
    let mut lines = String::from("\r\n");
    for line in vector.encrypt.as_bytes().chunks(64) {
        lines += str::from_utf8(line).unwrap();
        lines += "\r\n";
    }
    assert_eq!(vector.envelope().open(&lines).unwrap(), vector.plaintext.as_bytes());
    let unpadded = vector.encrypt.trim_end_matches('=');
    assert_eq!(vector.envelope().open(unpadded).unwrap(), vector.plaintext.as_bytes());
}

#[test]
fn messages_for_others_are_refused_by_both_names() {
    let vector = Vector::named("C4");
    let error = Envelope::new(&vector.aes(), "wxother").open(vector.encrypt).unwrap_err();
    let named = EnvelopeError::ReceiveId { expected: "wxother".into(), found: "wx5823bf96d3bd56c7".into() };
    assert_eq!(error, named);
    assert!(error.to_string().contains("'wx5823bf96d3bd56c7'") && error.to_string().contains("'wxother'"), "{error}");
}

#[test]
fn a_strange_receiver_is_shown_short_and_harmless() {
    let sealed = Envelope::new(&key("a"), &format!("\n\u{1b}{}", "x".repeat(200))).seal(b"m", [0; 16]);
    let EnvelopeError::ReceiveId { found, .. } = Envelope::new(&key("a"), "wx").open(&sealed).unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(found, format!("\u{FFFD}\u{FFFD}{}", "x".repeat(62)));
}

#[test]
fn another_key_does_not_open() {
    for vector in &VECTORS {
        let error = Envelope::new(&key("b"), vector.receive_id).open(vector.encrypt).unwrap_err();
        assert!(matches!(error, EnvelopeError::Padding | EnvelopeError::Length), "{}: {error}", vector.name);
    }
}

#[test]
fn broken_ciphertexts_are_told_apart() {
    let envelope = Vector::named("C5").envelope();
    assert_eq!(envelope.open("").unwrap_err(), EnvelopeError::Blocks(0));
    assert_eq!(envelope.open("****").unwrap_err(), EnvelopeError::Base64);
    assert_eq!(envelope.open("AAAA").unwrap_err(), EnvelopeError::Blocks(3));
    // Without its last block the padding is gone.
    let cut = Vector::named("C5").encrypt.split_at(64).0;
    assert_eq!(envelope.open(cut).unwrap_err(), EnvelopeError::Padding);
}

proptest! {
    #[test]
    fn what_was_sealed_is_opened(
        message in proptest::collection::vec(any::<u8>(), 0..300),
        receive_id in "\\PC{0,40}",
        random: [u8; 16],
        key in "[A-Za-z0-9+/]{43}",
    ) {
        let envelope = Envelope::new(&EncodingAesKey::parse(&key).unwrap(), &receive_id);
        prop_assert_eq!(envelope.open(&envelope.seal(&message, random)).unwrap(), message);
    }

    #[test]
    fn anything_else_is_an_error(text in "[A-Za-z0-9+/=\\s]{0,200}|(?s).{0,60}") {
        prop_assert!(Vector::named("C1").envelope().open(&text).is_err());
    }

    #[test]
    fn one_changed_block_is_never_the_same_message(at in 0_usize..224, bit in 0_u8..8) {
        use base64::Engine;
        use base64::prelude::BASE64_STANDARD;
        let vector = Vector::named("C1");
        let mut bytes = BASE64_STANDARD.decode(vector.encrypt).unwrap();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
        // A change of the last block but one, or of the random bytes' own, may still open.
        if let Ok(opened) = vector.envelope().open(&BASE64_STANDARD.encode(bytes)) {
            prop_assert!(at < 16 && opened == vector.plaintext.as_bytes() || opened != vector.plaintext.as_bytes());
        }
    }
}
