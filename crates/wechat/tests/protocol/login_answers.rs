//! The calls of a login and WeChat's answers to them: the documents' samples, and bytes that are none.

use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use wechat::calls::{AnswerError, Call, Host, read_ticket};
use wechat::login::{Lang, MAX_ID_LENGTH, read_exchange, read_member, read_profile};
use wechat::{Appid, Errcode};

const EXCHANGED: &str = r#"{"access_token":"AT","expires_in":7200,"refresh_token":"RT","openid":"OPENID","scope":"snsapi_userinfo","is_snapshotuser":1,"unionid":"UNIONID"}"#;
const PROFILE: &str = r#"{"openid":"OPENID","nickname":"NICK","sex":0,"province":"","city":"","country":"","headimgurl":"https://thirdwx.qlogo.cn/mmopen/a/46","privilege":[],"unionid":"UNIONID"}"#;

fn appid() -> Appid {
    Appid::parse("wx1234567890abcdef").unwrap()
}

/// Host, path and query, and whether there is a body.
fn shown(call: &Call) -> (Host, String, bool) {
    (call.host, format!("{}?{}", call.path, call.query()), call.body().is_some())
}

fn is_malformed<T>(answer: &Result<T, AnswerError>) -> bool {
    matches!(answer, Err(AnswerError::Malformed(_)))
}

#[test]
fn the_calls_are_those_of_the_documents() {
    let calls = [
        (
            Call::code_exchange(&appid(), &"s&".into(), "c+"),
            "/sns/oauth2/access_token?appid=wx1234567890abcdef&secret=s%26&code=c%2B&grant_type=authorization_code",
            Host::Api,
        ),
        (
            Call::user_profile(&"at".into(), "o&", Lang::En),
            "/sns/userinfo?access_token=at&openid=o%26&lang=en",
            Host::Api,
        ),
        (
            Call::follower(&"at".into(), "o1", Lang::ZhCn),
            "/cgi-bin/user/info?access_token=at&openid=o1&lang=zh_CN",
            Host::Api,
        ),
        (Call::corp_member(&"at".into(), "c&"), "/cgi-bin/auth/getuserinfo?access_token=at&code=c%26", Host::Qyapi),
        (Call::corp_jsapi_ticket(&"at".into()), "/cgi-bin/get_jsapi_ticket?access_token=at", Host::Qyapi),
        (Call::agent_ticket(&"at".into()), "/cgi-bin/ticket/get?access_token=at&type=agent_config", Host::Qyapi),
    ];
    for (call, target, host) in calls {
        assert_eq!(shown(&call), (host, target.to_owned(), false));
    }
    let call = Call::corp_member_detail(&"at".into(), &"t\"".into());
    assert_eq!(shown(&call), (Host::Qyapi, "/cgi-bin/auth/getuserdetail?access_token=at".to_owned(), true));
    assert_eq!(call.body(), Some(br#"{"user_ticket":"t\""}"#.as_slice()));
}

#[test]
fn no_secret_is_in_debug_output() {
    let hush = || "HUSH".into();
    let calls = [
        Call::code_exchange(&appid(), &hush(), "HUSH"),
        Call::user_profile(&hush(), "o", Lang::En),
        Call::follower(&hush(), "o", Lang::En),
        Call::corp_member(&hush(), "HUSH"),
        Call::corp_member_detail(&hush(), &hush()),
        Call::corp_jsapi_ticket(&hush()),
        Call::agent_ticket(&hush()),
    ];
    let exchanged = read_exchange(&EXCHANGED.replace("\"AT\"", "\"HUSH\"").into_bytes()).unwrap();
    let member = read_member(br#"{"errcode":0,"errmsg":"ok","userid":"u","user_ticket":"HUSH"}"#).unwrap();
    let shown = format!("{calls:?}{exchanged:?}{member:?}");
    assert!(!shown.contains("HUSH") && shown.contains("OPENID"), "{shown}");
}

#[test]
fn the_published_exchange_is_read() {
    let whole = read_exchange(EXCHANGED.as_bytes()).unwrap();
    assert_eq!((whole.access_token.expose_secret(), whole.openid.as_str()), ("AT", "OPENID"));
    assert_eq!((whole.unionid.as_deref(), whole.scope.as_str()), (Some("UNIONID"), "snsapi_userinfo"));
    assert!(whole.is_snapshot_user);
    let least = read_exchange(br#"{"errcode":0,"access_token":"AT","openid":"o","unionid":""}"#).unwrap();
    assert_eq!((least.unionid, least.scope, least.is_snapshot_user), (None, String::new(), false));
}

#[test]
fn an_unclear_flag_counts_as_a_virtual_user() {
    for (flag, is_virtual) in [
        ("0", false),
        ("0.0", false),
        ("null", false),
        ("false", false),
        (r#""""#, false),
        (r#""0""#, false),
        ("1", true),
        ("true", true),
        (r#""1""#, true),
        ("[]", true),
    ] {
        let body = format!(r#"{{"access_token":"AT","openid":"o","is_snapshotuser":{flag}}}"#);
        assert_eq!(read_exchange(body.as_bytes()).unwrap().is_snapshot_user, is_virtual, "{flag}");
    }
}

#[test]
fn a_refusal_keeps_its_code() {
    for code in [40029, 40163, 42003, 41008, 40226, 48001, 50001, 50002, 84014] {
        let body = json!({"errcode": code, "errmsg": "no, rid: 1-2-3"}).to_string();
        let errors = [
            read_exchange(body.as_bytes()).unwrap_err(),
            read_profile(body.as_bytes()).unwrap_err(),
            read_member(body.as_bytes()).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(&error, AnswerError::Refused(refused) if refused.errcode == Errcode(code)), "{error}");
        }
        assert!(Errcode(code).advice().is_some(), "{code}");
        assert_eq!(Errcode(code).is_spent_code(), [40029, 40163, 42003].contains(&code), "{code}");
    }
}

#[test]
fn half_an_identity_is_none() {
    let long = "o".repeat(MAX_ID_LENGTH + 1);
    let long_scope = "s".repeat(257);
    for (from, to) in [
        (r#""OPENID""#, r#""""#),
        (r#""OPENID""#, "7"),
        (r#""OPENID""#, r#""o\n1""#),
        (r#""OPENID""#, r#""o\u00851""#),
        ("OPENID", &long),
        (r#""UNIONID""#, r#"["u"]"#),
        (r#""UNIONID""#, r#""u\u0000""#),
        (r#""AT""#, r#""A T""#),
        (r#""AT""#, "null"),
        ("snsapi_userinfo", "a b"),
        ("snsapi_userinfo", &long_scope),
        ("}", ""),
        ("{", "["),
    ] {
        let body = EXCHANGED.replacen(from, to, 1);
        assert_ne!(body, EXCHANGED);
        assert!(is_malformed(&read_exchange(body.as_bytes())), "{body}");
    }
    let longest = EXCHANGED.replace("OPENID", &"o".repeat(MAX_ID_LENGTH));
    assert_eq!(read_exchange(longest.as_bytes()).unwrap().openid.len(), MAX_ID_LENGTH);
    for body in ["{}", r#"{"openid":"o"}"#, r#"{"access_token":"a"}"#, "", "<html>"] {
        assert!(is_malformed(&read_exchange(body.as_bytes())), "{body}");
    }
}

#[test]
fn profiles_are_passed_on_as_they_are() {
    assert_eq!(
        Value::Object(read_profile(PROFILE.as_bytes()).unwrap()),
        serde_json::from_str::<Value>(PROFILE).unwrap()
    );
    let follower = r#"{"errcode":0,"errmsg":"ok","subscribe":1,"openid":"o1","tagid_list":[128,2],"qr_scene":98765}"#;
    let expected = json!({"subscribe": 1, "openid": "o1", "tagid_list": [128, 2], "qr_scene": 98765});
    assert_eq!(Value::Object(read_profile(follower.as_bytes()).unwrap()), expected);
    let twice = read_profile(br#"{"openid":"o1","openid":"o2"}"#).unwrap();
    assert_eq!(twice["openid"], "o2");
    for body in [r#"{"openid":7}"#, r#"{"unionid":"a\tb"}"#, r#"{"userid":"\u007f"}"#, "[]", r#"{"openid":"o""#] {
        assert!(is_malformed(&read_profile(body.as_bytes())), "{body}");
    }
}

#[test]
fn a_nickname_that_wechat_did_not_clean_does_not_keep_its_owner_out() {
    let cases: [(&[u8], &str); 10] = [
        (b"\x14\xE7\x90\xA6\xF0\x9F\x8D\xAD", "琦🍭"),
        (b"a\x07b\nc", "abc"),
        (b"half \\ud83d", "half \u{FFFD}"),
        (b"\\ude00 half", "\u{FFFD} half"),
        (b"\\ud83d\\u0041", "\u{FFFD}A"),
        (b"\x01\\ud83d\\ude00\\\\\\\"", "😀\\\""),
        (b"cut \xF0\x9F\x98", "cut \u{FFFD}"),
        (b"\x02\\\\u0041", "\\u0041"),
        (b"\x02\\\\ud83d", "\\ud83d"),
        (b"\\ud83d\\ud83d\\ude00", "\u{FFFD}😀"),
    ];
    for (nickname, expected) in cases {
        let body = [br#"{"openid":"o1","nickname":""#, nickname, br#"","sex":1}"#].concat();
        let profile = read_profile(&body).unwrap();
        assert_eq!(profile["nickname"], expected);
        assert_eq!((&profile["openid"], &profile["sex"], profile.len()), (&json!("o1"), &json!(1), 3));
    }
    // What would change where the text ends is not mended.
    for nickname in ["\\\u{1}", "\\", "\\u12", "\u{1}\\x"] {
        let body = format!(r#"{{"openid":"o1","nickname":"{nickname}","sex":"\",\"openid\":\"o2"}}"#);
        assert!(is_malformed(&read_profile(body.as_bytes())), "{body}");
    }
}

#[test]
fn members_and_visitors_of_a_corporation_are_told_apart() {
    let member = read_member(br#"{"errcode":0,"errmsg":"ok","userid":"USERID","user_ticket":"TICKET"}"#).unwrap();
    assert_eq!((member.userid.as_deref(), member.openid, member.external_userid), (Some("USERID"), None, None));
    assert_eq!(member.user_ticket.unwrap().expose_secret(), "TICKET");
    let visitor = read_member(br#"{"errcode":0,"errmsg":"ok","openid":"OPENID","external_userid":"EXT"}"#).unwrap();
    assert_eq!((visitor.openid.as_deref(), visitor.external_userid.as_deref()), (Some("OPENID"), Some("EXT")));
    assert!(visitor.userid.is_none() && visitor.user_ticket.is_none());
    let older = read_member(br#"{"errcode":0,"errmsg":"ok","UserId":"u","DeviceId":"d"}"#).unwrap();
    assert_eq!(older.userid.as_deref(), Some("u"));
    let older = read_member(br#"{"errcode":0,"errmsg":"ok","OpenId":"o","DeviceId":"d","userid":""}"#).unwrap();
    assert_eq!((older.userid, older.openid.as_deref()), (None, Some("o")));
    for body in [
        r#"{"errcode":0,"errmsg":"ok"}"#,
        r#"{"userid":""}"#,
        r#"{"userid":"u\u0001"}"#,
        r#"{"userid":{"a":1}}"#,
        r#"{"userid":"u","user_ticket":"a b"}"#,
        r#"{"userid":"u","user_ticket":1}"#,
        "null",
    ] {
        assert!(is_malformed(&read_member(body.as_bytes())), "{body}");
    }
}

#[test]
fn tickets_of_a_corporation_are_tickets() {
    let ticket = read_ticket(br#"{"errcode":0,"errmsg":"ok","ticket":"TICKET","expires_in":7200}"#).unwrap();
    assert_eq!((ticket.value.expose_secret(), ticket.expires_in), ("TICKET", 7200));
}

/// Texts that can be ids.
const ID: &str = "[A-Za-z0-9_@. -]{1,40}|[一-龥]{1,20}";

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_exchange(&body);
        let _ = read_profile(&body);
        let _ = read_member(&body);
    }

    #[test]
    fn what_was_written_is_read(openid in ID, unionid in ID, token in "[!#-\\[\\]-~]{1,60}", nickname in ".*") {
        let body = json!({"access_token": token, "openid": openid, "unionid": unionid, "scope": "snsapi_base"});
        let read = read_exchange(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!((read.access_token.expose_secret(), &read.openid), (token.as_str(), &openid));
        prop_assert_eq!(read.unionid.as_ref(), Some(&unionid));

        let body = json!({"userid": openid, "external_userid": unionid, "user_ticket": token});
        let read = read_member(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!((read.userid, read.external_userid), (Some(openid.clone()), Some(unionid)));

        let body = json!({"openid": openid, "nickname": nickname, "privilege": ["a", "b"]});
        let read = read_profile(body.to_string().as_bytes()).unwrap();
        prop_assert_eq!(Value::Object(read), body);
    }

    #[test]
    fn a_nickname_never_becomes_another_member(nickname in prop::collection::vec(any::<u8>(), 0..30)) {
        // WeChat escapes quotes and backslashes, and passes on the rest as it is.
        let escaped: Vec<u8> =
            nickname.iter().flat_map(|b| if b"\"\\".contains(b) { vec![b'\\', *b] } else { vec![*b] }).collect();
        let body = [br#"{"nickname":""#, escaped.as_slice(), br#"","openid":"o1"}"#].concat();
        let profile = read_profile(&body).unwrap();
        prop_assert_eq!(profile.len(), 2);
        prop_assert_eq!(&profile["openid"], "o1");
        prop_assert!(profile["nickname"].is_string());
    }
}
