//! The query of a call: the caller's parameters byte for byte, with what WeChat has to see put in the place of what the
//! caller said of it.

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memmem};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What may stand in a value as it is (RFC 3986, unreserved).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether there is a parameter of this name.
pub(super) fn has(query: &str, name: &str) -> bool {
    pairs(query).any(|pair| names(pair, name))
}

/// Appends `?` and the query with these parameters first, and without what else it had of their names. What is written holds
/// a secret then.
pub(super) fn append(target: &mut BytesMut, query: &str, put: &[(&str, &str)]) {
    let mut separator = b'?';
    for (name, value) in put {
        target.put_u8(std::mem::replace(&mut separator, b'&'));
        target.put_slice(name.as_bytes());
        target.put_u8(b'=');
        // WeChat's tokens are made of what needs no encoding.
        if value.bytes().fold(true, |is_plain, byte| is_plain & is_unreserved(byte)) {
            target.put_slice(value.as_bytes());
        } else {
            utf8_percent_encode(value, VALUE).for_each(|part| target.put_slice(part.as_bytes()));
        }
    }
    if !query.is_empty() && !put.iter().any(|(name, _)| may_have(query, name)) {
        target.put_u8(separator);
        target.put_slice(query.as_bytes());
        return;
    }
    for pair in pairs(query).filter(|pair| !put.iter().any(|(name, _)| names(pair, name))) {
        target.put_u8(std::mem::replace(&mut separator, b'&'));
        target.put_slice(pair.as_bytes());
    }
}

/// Whether there may be a parameter of this name: false is sure.
fn may_have(query: &str, name: &str) -> bool {
    memmem::find(query.as_bytes(), name.as_bytes()).is_some() || memchr(b'%', query.as_bytes()).is_some()
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

    fn written(path: &str, query: &str, put: &[(&str, &str)]) -> String {
        let mut target = BytesMut::from(path);
        append(&mut target, query, put);
        String::from_utf8(target.to_vec()).unwrap()
    }

    fn put(query: &str) -> String {
        written("", query, &[("access_token", "T+1")]).strip_prefix('?').unwrap().to_owned()
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
        assert_eq!(written("/x", "", &[]), "/x");
        assert_eq!(written("/x", "a=b&&c", &[]), "/x?a=b&&c");
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
