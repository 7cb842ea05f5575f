//! From a request to a verified message: the published requests, and each way in which one can be wrong.

use wechat::callback::{CallbackError, CallbackKeys, CallbackQuery, Format, MAX_AGE_SECONDS, Opened, VerifiedMessage};
use wechat::envelope::{EncodingAesKey, EnvelopeError};
use wechat::signature::{callback_signature, message_signature};

use crate::vectors::Vector;

const PLAIN: &str = r#"{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714037059,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}"#;
const PLAIN_QUERY: &str = "signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059&nonce=486452656";
const PLAIN_TIME: u64 = 1_714_037_059;

fn plain_keys() -> CallbackKeys {
    CallbackKeys::new("AAAAA", None, "wxba5fad812f8e6fb9")
}

fn keys(vector: &Vector) -> CallbackKeys {
    CallbackKeys::new(vector.token, Some(&vector.aes()), vector.receive_id)
}

/// The query of an official account's encrypted push.
fn query(vector: &Vector) -> CallbackQuery {
    let signature = callback_signature(vector.token, vector.timestamp, vector.nonce);
    CallbackQuery {
        signature: Some(signature),
        encrypt_type: Some("aes".into()),
        openid: Some("o9AgO5Kd5ggOC-bXrbNODIiE3bGY".into()),
        ..wecom_query(vector)
    }
}

/// The query of WeCom's push.
fn wecom_query(vector: &Vector) -> CallbackQuery {
    CallbackQuery {
        msg_signature: Some(vector.msg_signature.into()),
        timestamp: Some(vector.timestamp.into()),
        nonce: Some(vector.nonce.into()),
        ..CallbackQuery::default()
    }
}

fn time(vector: &Vector) -> u64 {
    vector.timestamp.parse().unwrap()
}

fn xml_body(vector: &Vector) -> String {
    format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{}]]></Encrypt></xml>", vector.encrypt)
}

fn message(opened: Opened) -> VerifiedMessage {
    match opened {
        Opened::Message(message) => message,
        Opened::Sealed => panic!("it was not opened"),
    }
}

#[test]
fn the_published_url_check_is_answered() {
    let query = "signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504&nonce=1514711492\
                 &echostr=4375120948345356249";
    assert_eq!(plain_keys().echo(&CallbackQuery::parse(query)).unwrap(), "4375120948345356249");
    // Also when the account encrypts: only WeCom encrypts the question.
    let with_key = CallbackKeys::new("AAAAA", Some(&Vector::named("C1").aes()), "wx");
    assert_eq!(with_key.echo(&CallbackQuery::parse(query)).unwrap(), "4375120948345356249");
}

#[test]
fn wecoms_published_url_check_is_answered() {
    let vector = Vector::named("C3");
    let encoded = format!(
        "msg_signature={}&timestamp={}&nonce={}&echostr={}",
        vector.msg_signature,
        vector.timestamp,
        vector.nonce,
        vector.encrypt.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
    );
    let raw = format!(
        "msg_signature={}&timestamp={}&nonce={}&echostr={}",
        vector.msg_signature, vector.timestamp, vector.nonce, vector.encrypt
    );
    for query in [encoded, raw] {
        assert_eq!(keys(vector).echo(&CallbackQuery::parse(&query)).unwrap(), "1616140317555161061");
    }
}

#[test]
fn a_url_check_of_somebody_else_is_not_answered() {
    let right = "signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504&nonce=1514711492&echostr=1";
    for (from, to) in [("f464", "f465"), ("1714036504", "1714036505"), ("1514711492", "0"), ("signature=", "s=")] {
        let error = plain_keys().echo(&CallbackQuery::parse(&right.replace(from, to))).unwrap_err();
        assert!(error.is_forgery(), "{error}");
    }
    let vector = Vector::named("C3");
    let check = CallbackQuery { echostr: Some("AAAA".into()), ..wecom_query(vector) };
    assert_eq!(keys(vector).echo(&check).unwrap_err(), CallbackError::Signature("msg_signature"));
    let check = CallbackQuery { echostr: Some(vector.encrypt.into()), ..wecom_query(vector) };
    let without_key = CallbackKeys::new(vector.token, None, vector.receive_id);
    assert_eq!(without_key.echo(&check).unwrap_err(), CallbackError::NoKey);
}

#[test]
fn the_published_plain_push_is_a_message() {
    let opened = plain_keys().open(&CallbackQuery::parse(PLAIN_QUERY), PLAIN.as_bytes(), PLAIN_TIME).unwrap();
    let message = message(opened);
    assert_eq!((message.bytes(), message.format(), message.was_encrypted()), (PLAIN.as_bytes(), Format::Json, false));
    assert_eq!(message.message().event(), Some("debug_demo"));
}

#[test]
fn the_published_encrypted_pushes_are_opened() {
    let c1 = Vector::named("C1");
    let json = format!(r#"{{"ToUserName":"gh_97417a04a28d","Encrypt":"{}"}}"#, c1.encrypt);
    let cases = [
        (c1, query(c1), json, Format::Json),
        (Vector::named("C2"), query(Vector::named("C2")), xml_body(Vector::named("C2")), Format::Xml),
        (Vector::named("C4"), wecom_query(Vector::named("C4")), xml_body(Vector::named("C4")), Format::Xml),
    ];
    for (vector, query, body, format) in cases {
        let message = message(keys(vector).open(&query, body.as_bytes(), time(vector)).unwrap());
        assert_eq!((message.format(), message.was_encrypted()), (format, true), "{}", vector.name);
        assert_eq!(message.into_bytes(), vector.plaintext.as_bytes(), "{}", vector.name);
    }
}

#[test]
fn the_signature_that_the_documents_show_beside_c2_is_checked_too() {
    let vector = Vector::named("C2");
    let mut query = query(vector);
    assert_eq!(query.signature.as_deref(), Some("cc0c594499c1634947d5b502f158ee518947db27"));
    query.signature = Some("0".repeat(40));
    let error = keys(vector).open(&query, xml_body(vector).as_bytes(), time(vector)).unwrap_err();
    assert_eq!(error, CallbackError::Signature("signature"));
}

#[test]
fn wecoms_lower_case_json_is_opened() {
    let vector = Vector::named("C4");
    let body = format!(r#"{{"tousername":"wx5823bf96d3bd56c7","encrypt":"{}","agentid":"218"}}"#, vector.encrypt);
    assert!(keys(vector).open(&wecom_query(vector), body.as_bytes(), time(vector)).is_ok());
}

#[test]
fn in_compatible_mode_only_the_encrypted_part_counts() {
    let vector = Vector::named("C2");
    let body = format!(
        "<xml><ToUserName>gh_evil</ToUserName><FromUserName>o</FromUserName><CreateTime>1</CreateTime>\
         <MsgType>text</MsgType><Content>evil</Content><Encrypt>\n<![CDATA[{}]]>\n</Encrypt></xml>",
        vector.encrypt
    );
    let message = message(keys(vector).open(&query(vector), body.as_bytes(), time(vector)).unwrap());
    assert_eq!(message.bytes(), vector.plaintext.as_bytes());
}

#[test]
fn an_account_with_a_key_accepts_nothing_plain() {
    let vector = Vector::named("C1");
    let plain = CallbackQuery::parse(PLAIN_QUERY);
    let raw = CallbackQuery { encrypt_type: Some("raw".into()), ..plain.clone() };
    for query in [plain.clone(), raw] {
        let error = keys(vector).open(&query, PLAIN.as_bytes(), PLAIN_TIME).unwrap_err();
        assert_eq!(error, CallbackError::PlainRefused);
        assert!(error.is_forgery() && error.to_string().contains("安全模式"), "{error}");
    }
    let claimed = CallbackQuery { encrypt_type: Some("aes".into()), ..plain };
    let error = keys(vector).open(&claimed, PLAIN.as_bytes(), PLAIN_TIME).unwrap_err();
    assert_eq!(error, CallbackError::Missing("msg_signature"));
    assert!(error.is_forgery());
}

#[test]
fn every_part_that_is_signed_matters() {
    let vector = Vector::named("C4");
    let other = |change: fn(&mut CallbackQuery)| {
        let mut query = wecom_query(vector);
        change(&mut query);
        keys(vector).open(&query, xml_body(vector).as_bytes(), time(vector)).unwrap_err()
    };
    assert_eq!(other(|query| query.nonce = Some("1".into())), CallbackError::Signature("msg_signature"));
    assert_eq!(other(|query| query.timestamp = Some("1409659814".into())), CallbackError::Signature("msg_signature"));
    assert_eq!(other(|query| query.nonce = None), CallbackError::Missing("nonce"));
    assert_eq!(other(|query| query.timestamp = None), CallbackError::Missing("timestamp"));
    let body = xml_body(vector).replace("RypE", "RypF");
    let error = keys(vector).open(&wecom_query(vector), body.as_bytes(), time(vector)).unwrap_err();
    assert_eq!(error, CallbackError::Signature("msg_signature"));
}

#[test]
fn the_timestamp_has_to_be_within_an_hour() {
    let open = |now| plain_keys().open(&CallbackQuery::parse(PLAIN_QUERY), PLAIN.as_bytes(), now);
    for now in [PLAIN_TIME - MAX_AGE_SECONDS, PLAIN_TIME, PLAIN_TIME + MAX_AGE_SECONDS] {
        assert!(open(now).is_ok(), "{now}");
    }
    let old = open(PLAIN_TIME + MAX_AGE_SECONDS + 1).unwrap_err();
    assert_eq!(old, CallbackError::Stale { seconds: 3601, is_past: true });
    assert!(old.is_forgery() && old.to_string().contains("3601 s old"), "{old}");
    let early = open(PLAIN_TIME - MAX_AGE_SECONDS - 1).unwrap_err();
    assert!(early.to_string().contains("3601 s in the future"), "{early}");
    assert!(open(0).is_err());
    let words = CallbackQuery {
        signature: Some(callback_signature("AAAAA", "now", "1")),
        ..CallbackQuery::parse("timestamp=now&nonce=1")
    };
    assert_eq!(plain_keys().open(&words, PLAIN.as_bytes(), 0).unwrap_err(), CallbackError::Timestamp);
}

#[test]
fn without_a_key_encrypted_messages_pass_if_what_can_be_verified_is_good() {
    let vector = Vector::named("C2");
    let keys = CallbackKeys::new(vector.token, None, vector.receive_id);
    let open = |query: &CallbackQuery, body: &str| keys.open(query, body.as_bytes(), time(vector));
    let body = xml_body(vector);
    assert!(matches!(open(&query(vector), &body), Ok(Opened::Sealed)));
    assert!(matches!(open(&wecom_query(vector), &body), Ok(Opened::Sealed)));
    let no_message_signature = CallbackQuery { msg_signature: None, ..query(vector) };
    assert!(matches!(open(&no_message_signature, &body), Ok(Opened::Sealed)));
    // `signature` proves that WeChat sent something; what it is, the backends have to see.
    assert!(matches!(open(&query(vector), "what is this"), Ok(Opened::Sealed)));

    let tampered = body.replace("D7yz", "D7yy");
    assert_eq!(open(&query(vector), &tampered).unwrap_err(), CallbackError::Signature("msg_signature"));
    assert_eq!(open(&wecom_query(vector), "<xml><a>1</a></xml>").unwrap_err(), CallbackError::NoEncrypt);
    assert!(matches!(open(&wecom_query(vector), "what is this").unwrap_err(), CallbackError::Body(_)));
    let nothing = CallbackQuery { encrypt_type: Some("aes".into()), ..CallbackQuery::parse("timestamp=1&nonce=1") };
    assert!(open(&nothing, &body).unwrap_err().is_forgery());
    let late = keys.open(&query(vector), body.as_bytes(), 0).unwrap_err();
    assert!(matches!(late, CallbackError::Stale { .. }));
}

#[test]
fn a_bad_signature_comes_before_whatever_else_is_wrong() {
    let wrong = CallbackQuery { signature: Some("0".repeat(40)), ..query(Vector::named("C1")) };
    for body in ["", "<xml", "{", "\u{0}"] {
        let error = keys(Vector::named("C1")).open(&wrong, body.as_bytes(), 0).unwrap_err();
        assert_eq!(error, CallbackError::Signature("signature"));
        let error = plain_keys().open(&CallbackQuery::parse("signature=0&timestamp=1&nonce=1"), body.as_bytes(), 0);
        assert!(error.unwrap_err().is_forgery());
    }
}

/// An encrypted request of the account `wx` with the token `t`.
fn sealed(content: &[u8], key: &EncodingAesKey, receive_id: &str) -> (CallbackQuery, String) {
    let encrypt = wechat::envelope::Envelope::new(key, receive_id).seal(content, [7; 16]);
    let query = CallbackQuery {
        msg_signature: Some(message_signature("t", "100", "n", &encrypt)),
        ..CallbackQuery::parse("timestamp=100&nonce=n")
    };
    (query, format!("<xml><Encrypt>{encrypt}</Encrypt></xml>"))
}

#[test]
fn what_was_signed_well_but_makes_no_sense_is_no_forgery() {
    let key = EncodingAesKey::parse(&"a".repeat(43)).unwrap();
    let keys = CallbackKeys::new("t", Some(&key), "wx");
    let contents: [&[u8]; 7] =
        [b"", b"hello", b"<html></html>", b"<xml><a></xml>", b"{\"a\":", b"[1]", b"<xml>\xFF</xml>"];
    for content in contents {
        let (query, body) = sealed(content, &key, "wx");
        let error = keys.open(&query, body.as_bytes(), 100).unwrap_err();
        assert!(matches!(error, CallbackError::Message(_)) && !error.is_forgery(), "{content:?}: {error}");
    }
    let (query, body) = sealed(b"<xml></xml>", &key, "wy");
    let error = keys.open(&query, body.as_bytes(), 100).unwrap_err();
    assert!(matches!(error, CallbackError::Envelope(EnvelopeError::ReceiveId { .. })) && !error.is_forgery());
    let other_key = EncodingAesKey::parse(&"b".repeat(43)).unwrap();
    let (query, body) = sealed(b"<xml></xml>", &other_key, "wx");
    let error = keys.open(&query, body.as_bytes(), 100).unwrap_err();
    assert!(matches!(error, CallbackError::Envelope(_)), "{error}");
    assert_eq!(keys.open(&query, b"<xml><a/></xml>", 100).unwrap_err(), CallbackError::NoEncrypt);
}

#[test]
fn neither_token_nor_key_is_shown() {
    let key = EncodingAesKey::parse("SECRET".repeat(8).split_at(43).0).unwrap();
    let keys = CallbackKeys::new("HUSHTOKEN", Some(&key), "wx");
    let wrong = CallbackQuery::parse("msg_signature=0&timestamp=1&nonce=1");
    let error = keys.open(&wrong, b"<xml><Encrypt>AAAA</Encrypt></xml>", 1).unwrap_err();
    let shown = format!("{keys:?} {error:?} {error}");
    assert!(!shown.contains("HUSHTOKEN") && !shown.contains("SECRET"), "{shown}");
}

#[test]
fn the_published_replies_are_sealed() {
    for (name, format) in [("C1R", Format::Json), ("C2R", Format::Xml)] {
        let vector = Vector::named(name);
        let reply = vector.plaintext.as_bytes();
        let sealed = keys(vector).seal_reply(reply, format, time(vector), vector.nonce, *vector.random.unwrap());
        let sealed = String::from_utf8(sealed.unwrap()).unwrap();
        let expected = match format {
            Format::Json => format!(
                r#"{{"Encrypt":"{}","MsgSignature":"{}","TimeStamp":1713424427,"Nonce":"415670741"}}"#,
                vector.encrypt, vector.msg_signature
            ),
            Format::Xml => format!(
                "<xml><Encrypt><![CDATA[{}]]></Encrypt><MsgSignature><![CDATA[{}]]></MsgSignature>\
                 <TimeStamp>1713424427</TimeStamp><Nonce><![CDATA[415670741]]></Nonce></xml>",
                vector.encrypt, vector.msg_signature
            ),
        };
        assert_eq!(sealed, expected);
    }
    assert_eq!(plain_keys().seal_reply(b"<xml/>", Format::Xml, 1, "n", [0; 16]), None);
}

#[test]
fn a_strange_nonce_does_not_break_the_envelope() {
    let vector = Vector::named("C2R");
    for nonce in ["]]>", "\"\\", "<a>&"] {
        for format in [Format::Xml, Format::Json] {
            let sealed = keys(vector).seal_reply(b"x", format, 1, nonce, [0; 16]).unwrap();
            let (_, root) = wechat::document::read(&sealed).unwrap();
            assert_eq!(root.child_text("Nonce"), Some(nonce));
            let encrypt = root.child_text("Encrypt").unwrap();
            let signature = message_signature(vector.token, "1", nonce, encrypt);
            assert_eq!(root.child_text("MsgSignature"), Some(signature.as_str()));
        }
    }
}
