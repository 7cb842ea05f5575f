//! The query of a call: the caller's parameters byte for byte, with what WeChat has to see put in the place of what the
//! caller said of it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What may stand in a value as it is (RFC 3986, unreserved).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether there is a parameter of this name.
pub(super) fn has(query: &str, name: &str) -> bool {
    pairs(query).any(|pair| names(pair, name))
}

/// Appends `?` and the query with these parameters first, and without what else it had of their names. The text holds a
/// secret then.
pub(super) fn append(text: &mut String, query: &str, put: &[(&str, &str)]) {
    let mut separator = '?';
    for (name, value) in put {
        text.push(std::mem::replace(&mut separator, '&'));
        text.push_str(name);
        text.push('=');
        // WeChat's tokens are made of what needs no encoding.
        if value.bytes().all(is_unreserved) {
            text.push_str(value);
        } else {
            text.extend(utf8_percent_encode(value, VALUE));
        }
    }
    for pair in pairs(query).filter(|pair| !put.iter().any(|(name, _)| names(pair, name))) {
        text.push(std::mem::replace(&mut separator, '&'));
        text.push_str(pair);
    }
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

/// Whether a raw pair is of this name, however the name is encoded.
fn names(pair: &str, name: &str) -> bool {
    let raw = pair.split_once('=').map_or(pair, |(raw, _)| raw);
    raw == name || (raw.contains('%') && percent_decode_str(raw).eq(name.bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn put(query: &str) -> String {
        let mut text = String::new();
        append(&mut text, query, &[("access_token", "T+1")]);
        text.strip_prefix('?').unwrap().to_owned()
    }

    #[test]
    fn the_token_takes_the_place_of_the_callers() {
        assert_eq!(put(""), "access_token=T%2B1");
        assert_eq!(put("openid=o&lang=zh_CN"), "access_token=T%2B1&openid=o&lang=zh_CN");
        assert_eq!(put("access_token=old&a=%20b+c&access_token=x"), "access_token=T%2B1&a=%20b+c");
        assert_eq!(put("access%5Ftoken=old&access_token&&b"), "access_token=T%2B1&b");
        assert_eq!(put("my_access_token=1"), "access_token=T%2B1&my_access_token=1");
    }

    #[test]
    fn without_parameters_nothing_is_appended() {
        let mut text = "/x".to_owned();
        append(&mut text, "", &[]);
        assert_eq!(text, "/x");
        append(&mut text, "a=b&&c", &[]);
        assert_eq!(text, "/x?a=b&c");
    }

    #[test]
    fn parameters_are_found() {
        assert!(has("x=1&component_access_token=", "component_access_token") && !has("x=1", "y"));
    }

    proptest! {
        #[test]
        fn exactly_one_token_is_sent_and_nothing_else_is_lost(
            pairs in prop::collection::vec(("[a-z_%]{1,6}|access_token|access%5ftoken", "[a-z%&=]{0,4}"), 0..6)
        ) {
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let text = put(&query);
            let read: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            prop_assert_eq!(&read[0], &("access_token".to_owned(), "T+1".to_owned()));
            let kept: Vec<_> = pairs.into_iter().filter(|(name, _)| name != "access_token").collect();
            prop_assert_eq!(&read[1..], &kept[..]);
        }
    }
}
