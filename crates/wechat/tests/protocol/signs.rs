//! `sign`: the published examples of WeChat Pay v2's rule, and what a visitor can and cannot do with a signed body.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use wechat::sign::{MEMBER, hmac_sha256, is_plain, matches, separators, value_of};

fn sign(members: &BTreeMap<String, String>, key: &str) -> String {
    hmac_sha256(members.iter().map(|(name, value)| (name.as_str(), value.as_str())), key)
}

#[test]
fn the_published_examples_come_out() {
    let order = [
        ("mch_id", "10000100"),
        ("appid", "wxd930ea5d5a258f4f"),
        ("device_info", "1000"),
        ("body", "test"),
        ("nonce_str", "ibuaiVcKdpRxkhJA"),
    ];
    let expected = "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6";
    assert_eq!(hmac_sha256(order, "192006250b4c09247ec02edce69f6a2d"), expected);
    let with_more = order.into_iter().chain([("attach", ""), (MEMBER, "0")]);
    assert_eq!(hmac_sha256(with_more, "192006250b4c09247ec02edce69f6a2d"), expected);
    let page = [
        ("appId", "wx619a931576afe069"),
        ("nonceStr", "RIPb5Upk3ku7knU6"),
        ("package", "prepay_id=wx2611334392677180ea59742b3744840000"),
        ("signType", "HMAC-SHA256"),
        ("timeStamp", "1774495197"),
    ];
    let expected = "4A04CF5B979A4920409A9DEF2322C33C96DE8E9A96830E648719C60EF991700E";
    assert_eq!(hmac_sha256(page, "qazwsxedcrfvtgbyhnujmikolp111111"), expected);
}

#[test]
fn names_are_sorted_by_their_bytes_and_values_are_signed_as_utf_8() {
    // Computed by another program from the document's rule.
    let members = [
        ("openid", "o1"),
        ("nickname", "\"Tom\" </script> 😀"),
        ("privilege", "chinaunicom,b"),
        ("Z", "1"),
        ("a", "2"),
        ("é", "3"),
        ("subscribe", "1"),
        ("ok", "true"),
    ];
    let expected = "6BCD34553343ACD393A47949A3096DFEA6FB80396BD9653D53EB038D36A918E4";
    assert_eq!(hmac_sha256(members, "wxp_密钥"), expected);
    let nothing = "61EC20EB3D0642A5FE44BF130F5F68FDF0C0BD54BAC3113F2AECA4435EB1A241";
    assert_eq!(hmac_sha256([], &"k".repeat(100)), nothing);
}

#[test]
fn only_the_whole_signature_matches() {
    assert!(matches("6A9A", "6A9A"));
    for other in ["", "6A9", "6A9AE", "6a9a", "6A9B"] {
        assert!(!matches("6A9A", other), "{other}");
    }
    assert!(!matches("", ""));
}

#[test]
fn json_values_stand_in_the_text_as_every_language_writes_them() {
    let cases = [
        (json!("a\"b"), "a\"b"),
        (json!(""), ""),
        (json!(null), ""),
        (json!([]), ""),
        (json!(true), "true"),
        (json!(false), "false"),
        (json!(0), "0"),
        (json!(-7), "-7"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(["chinaunicom", 2, true, null]), "chinaunicom,2,true,"),
    ];
    for (value, text) in cases {
        assert_eq!(value_of(&value).as_deref(), Some(text), "{value}");
    }
    for text in ["{}", "1.5", "1.0", "1e2", "-0", "18446744073709551616", "[1.5]", "[{}]", "[[1]]"] {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(value_of(&value), None, "{text}");
    }
}

#[test]
fn a_text_that_others_choose_is_not_plain_when_it_can_be_read_as_more_members() {
    let honest = [
        ("appid", "wx"),
        ("nonce", "n"),
        ("openid", "o1"),
        ("state", "1&nonce=new&openid=o2&timestamp=9&z="),
        ("timestamp", "8"),
    ];
    let forged = [
        ("appid", "wx&nonce=n&openid=o1&state=1"),
        ("nonce", "new"),
        ("openid", "o2"),
        ("timestamp", "9"),
        ("z", "&timestamp=8"),
    ];
    // No name that is after `state`, and an openid of choice all the same.
    let shorter = [
        ("appid", "wx"),
        ("nonce", "n"),
        ("openid", "o1"),
        ("state", "1&nonce=new&openid=o2&state=x"),
        ("timestamp", "8"),
    ];
    let forged_shorter = [
        ("appid", "wx&nonce=n&openid=o1&state=1"),
        ("nonce", "new"),
        ("openid", "o2"),
        ("state", "x"),
        ("timestamp", "8"),
    ];
    for (honest, forged) in [(honest, forged), (shorter, forged_shorter)] {
        // The rule cannot tell them apart: so the one must not be signed, and the other not be believed.
        assert_eq!(hmac_sha256(honest, "key"), hmac_sha256(forged, "key"));
        assert!(!honest.iter().all(|(name, value)| is_plain(name, value)));
        assert!(!forged.iter().all(|(name, value)| is_plain(name, value)));
    }
    let hidden = [("headimgurl", "h&is_snapshotuser=1"), ("openid=o1&state", "1")];
    assert!(hidden.iter().all(|(name, value)| !is_plain(name, value)));
    assert!(is_plain("headimgurl", "https://thirdwx.qlogo.cn/mmopen/a=/132?b=c"));
    assert!(is_plain("nickname", "Tom & Jerry = 1 &amp; &"));
    assert_eq!(separators("a&b=1&&c=&d e=&&=").collect::<Vec<_>>(), [(1, "b"), (6, "c")]);
}

/// Few letters, so that names collide and separators come often.
fn members() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("[ab=&]{1,3}", "[ab=&]{0,5}", 0..4)
}

fn plain_members() -> impl Strategy<Value = BTreeMap<String, String>> {
    let is_plain =
        |members: &BTreeMap<_, _>| members.iter().all(|(name, value): (&String, &String)| is_plain(name, value));
    prop::collection::btree_map("[ab]{1,2}", "[ab=&]{0,4}", 0..3).prop_filter("plain", is_plain)
}

/// The text that is signed, as the rule describes it.
fn text(members: &BTreeMap<String, String>) -> Vec<String> {
    members
        .iter()
        .filter(|(name, value)| !value.is_empty() && *name != MEMBER)
        .map(|(n, v)| format!("{n}={v}"))
        .collect()
}

proptest! {
    #[test]
    fn neither_order_nor_what_is_empty_matters(members in members(), key in ".{0,80}") {
        let signed = sign(&members, &key);
        let backwards = members.iter().rev().map(|(name, value)| (name.as_str(), value.as_str()));
        let with_more = backwards.chain([("aaaaa", ""), (MEMBER, "a")]);
        prop_assert_eq!(hmac_sha256(with_more, &key), signed);
    }

    #[test]
    fn two_bodies_of_one_text_have_one_signature_and_others_not(one in members(), other in members()) {
        let same = text(&one).join("&") == text(&other).join("&");
        prop_assert_eq!(sign(&one, "key") == sign(&other, "key"), same);
    }

    #[test]
    fn plain_members_are_read_in_one_way(one in plain_members(), other in plain_members()) {
        prop_assert_eq!(sign(&one, "key") == sign(&other, "key"), text(&one) == text(&other));
    }

    #[test]
    fn integers_and_texts_stand_as_they_are(number in any::<i64>(), text in ".*") {
        let (number_value, text_value) = (json!(number), json!(text));
        prop_assert_eq!(value_of(&number_value).unwrap(), number.to_string());
        prop_assert_eq!(value_of(&text_value).unwrap(), text.as_str());
        let list = json!([number, text]);
        prop_assert_eq!(value_of(&list).unwrap(), format!("{number},{text}"));
    }
}
