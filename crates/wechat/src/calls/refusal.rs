//! Whether an answer of WeChat's to somebody else's call is a refusal.
//!
//! Asked about every answer that is passed on, most of which are none: so nothing is built but the two members that count.

use std::fmt;

use memchr::{memchr, memmem};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::refusal_of;
use crate::errcode::ApiError;

/// The refusal in an answer to any call: `None` when the body is no JSON object, or one without an `errcode` or with
/// one that is 0 or no integer. Of a member that is there twice the last one counts. The Content-Type is not looked at.
#[must_use]
pub fn read_errcode(body: &[u8]) -> Option<ApiError> {
    // Pictures and voices are the long answers, and they are no JSON.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    // Most answers to a GET tell no errcode. (A name may be written with escapes.)
    if memmem::find(body, b"errcode").is_none() && memchr(b'\\', body).is_none() {
        return None;
    }
    let Said { errcode, errmsg } = serde_json::from_slice(body).ok()?;
    refusal_of(errcode.as_i64()?, &errmsg)
}

/// The two members that every refusal has, of whatever type.
#[derive(Default)]
struct Said {
    errcode: Value,
    errmsg: Value,
}

/// A name of a member, without a copy of it.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Name {
    Errcode,
    Errmsg,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SaidVisitor)
    }
}

struct SaidVisitor;

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Said, A::Error> {
        let mut said = Said::default();
        while let Some(name) = members.next_key()? {
            match name {
                Name::Errcode => said.errcode = members.next_value()?,
                Name::Errmsg => said.errmsg = members.next_value()?,
                Name::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Errcode;
    use crate::calls::{AnswerError, successful_object};

    #[test]
    fn a_refusal_is_found_wherever_it_stands() {
        for body in [
            r#"{"errcode":40003,"errmsg":"invalid openid rid: 1-2-3"}"#,
            " \r\n\t{\"errmsg\":\"invalid openid rid: 1-2-3\",\"list\":[{\"errcode\":1}],\"errcode\":40003}\n",
            r#"{"errcode":0,"errmsg":1,"errmsg":"invalid openid rid: 1-2-3","errcode":40003}"#,
        ] {
            let error = read_errcode(body.as_bytes()).unwrap();
            assert_eq!((error.errcode, error.errmsg.as_str()), (Errcode(40003), "invalid openid rid: 1-2-3"), "{body}");
        }
        let busy = read_errcode(br#"{"errcode":-1}"#).unwrap();
        assert_eq!((busy.errcode, busy.errmsg.as_str()), (Errcode::BUSY, ""));
    }

    #[test]
    fn whatever_else_is_none() {
        for body in [
            "",
            " ",
            "{}",
            r#"{"errcode":0,"errmsg":"ok"}"#,
            r#"{"errcode":"40003"}"#,
            r#"{"errcode":40003.5}"#,
            r#"{"errcode":null}"#,
            r#"{"data":{"errcode":40003}}"#,
            r#"[{"errcode":40003}]"#,
            r#"{"errcode":40003"#,
            r#"{"errcode":40003}{"errcode":40003}"#,
            "\u{feff}{\"errcode\":40003}",
            "\u{89}PNG{\"errcode\":40003}",
        ] {
            assert_eq!(read_errcode(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn a_text_that_is_too_long_to_be_logged_is_cut() {
        let body = format!(r#"{{"errcode":1,"errmsg":"{}"}}"#, "公".repeat(9000));
        assert_eq!(read_errcode(body.as_bytes()).unwrap().errmsg.chars().count(), 500);
    }

    proptest! {
        #[test]
        fn it_says_the_same_as_the_reader_of_whole_answers(
            members in proptest::collection::vec(
                prop_oneof![
                    Just(r#""errcode":0"#), Just(r#""errcode":45009"#), Just(r#""errcode":-1"#), Just(r#""errcode":"x""#),
                    Just(r#""errmsg":"no""#), Just(r#""errmsg":[]"#), Just(r#""a":{"errcode":1}"#), Just(r#""b":"\"errcode""#),
                ],
                0..6,
            ),
        ) {
            let body = format!("{{{}}}", members.join(","));
            let whole = match successful_object(body.as_bytes()) {
                Err(AnswerError::Refused(error)) => Some(error),
                _ => None,
            };
            prop_assert_eq!(read_errcode(body.as_bytes()), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_errcode(&[b"{", body.as_slice()].concat());
        }
    }
}
