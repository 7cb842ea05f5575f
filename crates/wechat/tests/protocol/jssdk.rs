//! The signatures of JSSDK and cards: the published vectors, and what must hold for any page.

use std::borrow::Cow;

use proptest::prelude::*;
use wechat::card::{self, AddCard, ChooseCard};
use wechat::jssdk::{API_NAMES, MAX_NAME_LENGTH, OPEN_TAGS, is_name, page_url, signature};

/// Vector J1 ("JS-SDK", appendix 1; WeCom's document has the same).
const TICKET: &str = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg";
const NONCE: &str = "Wm3WZYTPz0wzccnW";
const TIME: i64 = 1_414_587_457;

/// Vector K2 (the inputs of an SDK's tests).
const K2: AddCard<'_> = AddCard {
    api_ticket: TICKET,
    timestamp: TIME,
    nonce_str: NONCE,
    card_id: "random_card_id",
    code: None,
    openid: None,
    outer_str: None,
    fixed_begintimestamp: None,
};

#[test]
fn the_published_page_is_signed_as_published() {
    let url = "http://mp.weixin.qq.com?params=value";
    let expected = "0f9de62fce790f9a083d5c99e95740ceb90c27ed";
    assert_eq!(signature(TICKET, NONCE, TIME, url), expected);
    assert_eq!(signature(TICKET, NONCE, TIME, &page_url("http://mp.weixin.qq.com?params=value#/a?b=c#d")), expected);
    for other in ["http://mp.weixin.qq.com?params=value#", "http://mp.weixin.qq.com/?params=value"] {
        assert_ne!(signature(TICKET, NONCE, TIME, other), expected);
    }
}

#[test]
fn a_page_is_signed_without_its_fragment_and_out_of_html() {
    let cases = [
        ("https://a.cn/?x=1&amp;y=%20#top", "https://a.cn/?x=1&y=%20"),
        ("https://a.cn/?x=1&amp;amp;y", "https://a.cn/?x=1&amp;y"),
        (
            "https://a.cn/中文?from=singlemessage&isappinstalled=0",
            "https://a.cn/中文?from=singlemessage&isappinstalled=0",
        ),
        ("https://a.cn/#/?a&amp;b", "https://a.cn/"),
        ("#", ""),
        ("", ""),
    ];
    for (text, url) in cases {
        assert_eq!(page_url(text), url);
    }
    assert!(matches!(page_url("https://a.cn/?x=1&y=2#z"), Cow::Borrowed(_)));
}

#[test]
fn the_published_card_is_signed_as_published() {
    // Vector K1: the ticket is printed with a space at its end, and signed with it.
    let sign = |ticket| {
        let card = "pjZ8Yt1XGILfi-FUsewpnnolGgZk";
        card::signature(&["jonyqin_1434008071", "1404896688", card, ticket, "jonyqin"])
    };
    assert_eq!(sign("ojZ8YtyVyr30HheH3CM73y7h4jJE "), "6b81fbf6af16e856334153b39737556063c82689");
    assert_eq!(sign("ojZ8YtyVyr30HheH3CM73y7h4jJE"), "2b4d29b5f60fa4be37522ddfd9583c329446d3e3");
    let card = AddCard {
        api_ticket: "ojZ8YtyVyr30HheH3CM73y7h4jJE ",
        timestamp: 1_404_896_688,
        nonce_str: "jonyqin",
        card_id: "pjZ8Yt1XGILfi-FUsewpnnolGgZk",
        code: Some("jonyqin_1434008071"),
        ..K2
    };
    assert_eq!(card.signature(), "6b81fbf6af16e856334153b39737556063c82689");
}

#[test]
fn code_and_openid_are_signed_when_they_are_there() {
    let (code, openid) = (Some("random_code"), Some("random_openid"));
    let cases = [
        (None, None, "22dce6bad4db532d4a2ef82ca2ca7bbe1e10ef28"),
        (code, None, "2e9c6d12952246e071717d7baeab20c30420b5cd"),
        (None, openid, "ded860a5dd4467312764bd86e544ad0579cbfad0"),
        (code, openid, "950dc1842852457ea573d4d6af34879c1ec093c8"),
        (Some(""), Some(""), "22dce6bad4db532d4a2ef82ca2ca7bbe1e10ef28"),
    ];
    for (code, openid, expected) in cases {
        assert_eq!(AddCard { code, openid, ..K2 }.signature(), expected);
    }
}

#[test]
fn card_ext_is_json_with_what_is_there() {
    let signed = r#""timestamp":"1414587457","nonce_str":"Wm3WZYTPz0wzccnW""#;
    let bare = format!(r#"{{{signed},"signature":"22dce6bad4db532d4a2ef82ca2ca7bbe1e10ef28"}}"#);
    assert_eq!(K2.card_ext(), bare);
    assert_eq!(AddCard { code: Some(""), outer_str: Some(""), ..K2 }.card_ext(), bare);
    let full = AddCard {
        code: Some("random_code"),
        openid: Some("random_openid"),
        outer_str: Some("店 \"1\""),
        fixed_begintimestamp: Some(1_500_000_000),
        ..K2
    };
    let expected = format!(
        r#"{{"code":"random_code","openid":"random_openid",{signed},"fixed_begintimestamp":1500000000,"outer_str":"店 \"1\"","signature":"950dc1842852457ea573d4d6af34879c1ec093c8"}}"#
    );
    assert_eq!(full.card_ext(), expected);
}

#[test]
fn choosing_a_card_signs_what_the_page_names() {
    let all = ChooseCard {
        api_ticket: TICKET,
        app_id: "wx1234567890abcdef",
        location_id: None,
        timestamp: TIME,
        nonce_str: NONCE,
        card_id: None,
        card_type: None,
    };
    // Computed by another program from the document's rule.
    assert_eq!(all.card_sign(), "5de6d0ac14c621a50ea2fcdf71e1e0aaf77af209");
    assert_eq!(ChooseCard { location_id: Some(""), ..all }.card_sign(), all.card_sign());
    let one = ChooseCard { location_id: Some("1024"), card_id: Some("p1"), card_type: Some("GROUPON"), ..all };
    assert_eq!(one.card_sign(), "83b43834e4c6c1f3a52976990e7073a695985217");
}

#[test]
fn the_published_names_are_names_and_nothing_that_hurts_a_script_is() {
    assert_eq!((API_NAMES.len(), OPEN_TAGS.len()), (45, 4));
    for name in API_NAMES.iter().chain(OPEN_TAGS) {
        assert!(is_name(name), "{name}");
        assert_eq!(API_NAMES.iter().chain(OPEN_TAGS).filter(|other| *other == name).count(), 1, "{name} twice");
    }
    assert!(is_name("menuItem:share:appMessage") && is_name(&"x".repeat(MAX_NAME_LENGTH)));
    for text in ["", "a b", "a\"", "a'", "</script>", "a,b", "中", "a\n", "a\\", &"x".repeat(MAX_NAME_LENGTH + 1)] {
        assert!(!is_name(text), "{text:?}");
    }
}

proptest! {
    #[test]
    fn what_is_signed_has_no_fragment_and_is_the_address_otherwise(url in "[^#]*", fragment in ".*") {
        let expected = url.replace("&amp;", "&");
        prop_assert_eq!(page_url(&url), expected.as_str());
        let whole = format!("{url}#{fragment}");
        prop_assert_eq!(page_url(&whole), expected.as_str());
    }

    #[test]
    fn the_order_of_a_cards_values_does_not_matter(mut values in prop::collection::vec(".{0,8}", 0..6)) {
        let sign = |values: &[String]| card::signature(&values.iter().map(String::as_str).collect::<Vec<_>>());
        let signed = sign(&values);
        values.reverse();
        values.push(String::new());
        prop_assert_eq!(sign(&values), signed);
    }

    #[test]
    fn card_ext_can_be_read_again(code in ".{1,9}", outer_str in ".{1,9}", time in any::<i64>(), nonce in ".*") {
        let card = AddCard { code: Some(&code), outer_str: Some(&outer_str), timestamp: time, nonce_str: &nonce, ..K2 };
        let ext: serde_json::Value = serde_json::from_str(&card.card_ext()).unwrap();
        prop_assert_eq!(ext["code"].as_str(), Some(code.as_str()));
        prop_assert_eq!(ext["outer_str"].as_str(), Some(outer_str.as_str()));
        prop_assert_eq!(&ext["timestamp"], &time.to_string());
        prop_assert_eq!(ext["nonce_str"].as_str(), Some(nonce.as_str()));
        prop_assert_eq!(&ext["signature"], &card.signature());
        prop_assert!(ext.get("openid").is_none());
    }
}
