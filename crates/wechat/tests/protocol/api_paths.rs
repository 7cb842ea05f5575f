//! Paths of WeChat's API: what callers write, what attackers write, and that both read in one way only.

use proptest::prelude::*;
use wechat::api_path::{ApiPath, MAX_PATH_LENGTH, PathError};

fn parsed(raw: &str) -> String {
    ApiPath::parse(raw).unwrap().to_string()
}

#[test]
fn paths_of_the_documents_stay_as_they_are() {
    for path in [
        "/cgi-bin/token",
        "/cgi-bin/message/custom/send",
        "/sns/jscode2session",
        "/wxa/business/getuserphonenumber",
        "/datacube/getusersummary",
        "/cgi-bin/media/voice/addvoicetorecofortext",
        "/v1/a.b-c_d~e",
    ] {
        assert_eq!(parsed(path), path);
    }
    let path = ApiPath::parse("/cgi-bin/user/info").unwrap();
    assert_eq!((path.as_str(), path.first_segment()), ("/cgi-bin/user/info", "cgi-bin"));
    assert_eq!(path.segments().collect::<Vec<_>>(), ["cgi-bin", "user", "info"]);
}

#[test]
fn ways_of_writing_the_same_path_are_one() {
    for raw in [
        "cgi-bin/user/info",
        "//cgi-bin///user/info/",
        "/./cgi-bin/./user/info/.",
        "/cgi-bin/%75ser/inf%6F",
        "/cgi%2Dbin/user%2einfo/../user/info",
        "/cgi-bin/tags/../user/x/y/../../info",
        "/cgi-bin/%2e%2E/cgi-bin/user/.%2e/user/%2e/info",
    ] {
        assert_eq!(parsed(raw), "/cgi-bin/user/info", "{raw}");
    }
    assert_ne!(parsed("/CGI-BIN/user/info"), "/cgi-bin/user/info");
}

#[test]
fn what_another_reader_could_take_otherwise_is_refused() {
    for (raw, byte) in [
        ("https://evil.example/cgi-bin/token", b':'),
        ("/cgi-bin/user@evil.example", b'@'),
        ("/cgi-bin/token;a=b", b';'),
        ("/cgi-bin%2Ftoken", b'/'),
        ("/cgi-bin/%252e%252e/token", b'%'),
        ("/cgi-bin/%zz", b'%'),
        ("/cgi-bin/a%2", b'%'),
        ("/cgi-bin\\token", b'\\'),
        ("/cgi-bin/%5ctoken", b'\\'),
        ("/cgi-bin/token%00", 0),
        ("/cgi-bin/to ken", b' '),
        ("/cgi-bin/token%0d%0aHost:x", b'\r'),
        ("/cgi-bin/token?x", b'?'),
        ("/cgi-bin/token%23", b'#'),
        ("/cgi-bin/to+ken", b'+'),
        ("/cgi-bin/公", 0xE5),
        ("/cgi-bin/%c0%ae%c0%ae/token", 0xC0),
    ] {
        assert_eq!(ApiPath::parse(raw), Err(PathError::Character(byte)), "{raw}");
    }
    assert!(PathError::Character(b'/').to_string().contains("a %2F in it"));
    for raw in ["/..", "..", "/cgi-bin/../..", "/cgi-bin/%2e%2e/../token", "/../cgi-bin/token"] {
        assert_eq!(ApiPath::parse(raw), Err(PathError::AboveRoot), "{raw}");
    }
    for raw in ["/cgi-bin/...", "/a..b", "/..a", "/a%2e."] {
        assert_eq!(ApiPath::parse(raw), Err(PathError::Dots), "{raw}");
    }
    for raw in ["", "/", "//", "/.", "/cgi-bin/..", "/%2e/"] {
        assert_eq!(ApiPath::parse(raw), Err(PathError::Empty), "{raw}");
    }
}

#[test]
fn a_path_has_an_end() {
    let longest = format!("/{}", "a".repeat(MAX_PATH_LENGTH - 1));
    assert_eq!(parsed(&longest), longest);
    assert_eq!(parsed(&longest.replace('a', "%61")), longest);
    assert_eq!(ApiPath::parse(&format!("{longest}a")), Err(PathError::TooLong));
}

/// Texts that are nearly paths.
const NEARLY: &str = r"([/.%\\~]|%2[eEfF5]|%[0-9a-f]{2}|[a-z]{1,3}){0,30}";

proptest! {
    #[test]
    fn a_normal_path_is_normal(raw in prop_oneof![NEARLY, r"(/(\.|\.\.|%2e|[a-c]{0,2})){0,12}", ".*"]) {
        let Ok(path) = ApiPath::parse(&raw) else { return Ok(()) };
        prop_assert!(path.as_str().starts_with('/') && !path.as_str().ends_with('/'));
        prop_assert!(path.as_str().len() <= MAX_PATH_LENGTH && path.as_str().is_ascii());
        for never in ["..", "//", "/./", "%", "\\", ":", "@", "?", "#", ";"] {
            prop_assert!(!path.as_str().contains(never), "{}", path);
        }
        prop_assert_eq!(ApiPath::parse(path.as_str()), Ok(path.clone()));
        prop_assert_eq!(path.segments().map(|name| format!("/{name}")).collect::<String>(), path.as_str());
        prop_assert!(!path.first_segment().is_empty());
    }

    #[test]
    fn what_is_in_order_already_reads_as_what_is_put_in_order(raw in r"(/[a-c.]{0,3}){1,6}") {
        // A name that means "here" has to be looked at, and nothing is left of it.
        prop_assert_eq!(ApiPath::parse(&raw), ApiPath::parse(&format!("/%2e{raw}")));
    }

    #[test]
    fn encoding_changes_nothing(names in proptest::collection::vec("[a-zA-Z0-9_~-]{1,8}", 1..6)) {
        let plain: String = names.iter().map(|name| format!("/{name}")).collect();
        let encoded: String = names
            .iter()
            .map(|name| name.bytes().map(|b| format!("%{b:02x}")).collect::<String>())
            .map(|name| format!("/{name}"))
            .collect();
        prop_assert_eq!(&parsed(&plain), &plain);
        prop_assert_eq!(parsed(&encoded), plain);
    }
}
