//! What is read as an identity is usable as one; a profile is what `serde_json` reads, and stays the same; and a nickname,
//! as WeChat writes it, never becomes another member.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wechat::login::{MAX_ID_LENGTH, read_exchange, read_member, read_profile};
use wechat::sign::{hmac_sha256, value_of};

fuzz_target!(|data: &[u8]| {
    if let Ok(exchanged) = read_exchange(data) {
        assert!(is_id(&exchanged.openid) && exchanged.unionid.as_deref().is_none_or(is_id));
    }
    if let Ok(member) = read_member(data) {
        let ids = [member.userid, member.openid, member.external_userid];
        assert!(ids.iter().flatten().all(|id| is_id(id)) && ids.iter().any(Option::is_some));
    }
    if let Ok(profile) = read_profile(data) {
        if let Ok(Value::Object(mut others)) = serde_json::from_slice(data) {
            others.retain(|name, _| name != "errcode" && name != "errmsg");
            assert_eq!(profile, others, "it was JSON, so nothing is mended");
        }
        let written = serde_json::to_vec(&profile).expect("an object");
        let again = read_profile(&written).expect("what was written is read");
        // Fractions are not kept to their last digit.
        assert!(again == profile || profile.values().any(holds_fraction));
        let texts: Vec<_> =
            profile.iter().filter_map(|(name, value)| Some((name.as_str(), value_of(value)?))).collect();
        let members = texts.iter().map(|(name, text)| (*name, text.as_ref()));
        assert_eq!(hmac_sha256(members, "key").len(), 64);
    }

    let mut body = br#"{"nickname":""#.to_vec();
    for byte in data {
        if b"\"\\".contains(byte) {
            body.push(b'\\');
        }
        body.push(*byte);
    }
    body.extend_from_slice(br#"","openid":"o1"}"#);
    let profile = read_profile(&body).expect("only the nickname was odd");
    assert!(profile.len() == 2 && profile["openid"] == "o1" && profile["nickname"].is_string());
});

fn holds_fraction(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(holds_fraction),
        Value::Object(members) => members.values().any(holds_fraction),
        value => value.is_f64(),
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID_LENGTH).contains(&text.len()) && !text.chars().any(char::is_control)
}
