//! `sign`: how the proxy shows a backend that what came through a visitor's browser is its own.
//!
//! The rule is that of WeChat Pay v2 ("signature algorithm", `HMAC-SHA256`): the members that are not empty, sorted by name
//! in byte order, `name=value` joined by `&`, then `&key=KEY`; of that the HMAC-SHA256 with KEY, in upper-case hex. Used by
//! whoever makes or verifies such a body.
//!
//! What must stay true: the text is never built in memory, because it ends in the key; a `sign` that came from outside is only
//! ever compared by [`matches()`]. And the rule joins without escaping: of a value with `&NAME=` the text can be read in more
//! than one way, so both sides ask [`is_plain`] of every member.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// The member that holds the signature; it is not signed itself.
pub const MEMBER: &str = "sign";

/// The signature of `members`, in any order, with `key` (an api_key): 64 upper-case hexadecimal digits.
///
/// Members with an empty value and the one named [`MEMBER`] are left out, as the rule says. How a JSON value
/// stands in the text says [`value_of`].
#[must_use]
pub fn hmac_sha256<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>, key: &str) -> String {
    let mut members: Vec<_> =
        members.into_iter().filter(|(name, value)| !value.is_empty() && *name != MEMBER).collect();
    members.sort_unstable();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        // HMAC takes keys of any length.
        return String::new();
    };
    let mut separator = "";
    for (name, value) in members {
        for piece in [separator, name, "=", value] {
            mac.update(piece.as_bytes());
        }
        separator = "&";
    }
    mac.update(b"&key=");
    mac.update(key.as_bytes());
    hex::encode_upper(mac.finalize().into_bytes())
}

/// Whether two signatures are the same; how long it takes does not tell where they differ. An empty one matches nothing.
#[must_use]
pub fn matches(expected: &str, given: &str) -> bool {
    !expected.is_empty() && crate::signature::matches(expected, given)
}

/// Whether this member leaves the signed text readable in one way only: a name of ASCII letters, digits and `_`, and a value
/// without `&NAME=` in it ([`separators`]).
///
/// The rule does not escape. A visitor who may choose `state` as `1&openid=o2&z=` gets a signature that also fits a body with
/// `"openid":"o2"`; and one who may write values with `&` can hide a member in the one before it. So whoever signs for
/// others asks this of each member first, and whoever verifies refuses a body in which a member is not plain.
#[must_use]
pub fn is_plain(name: &str, value: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_name_byte) && separators(value).next().is_none()
}

/// Where an `&` in `value` could be taken for the end of its member: what follows up to the next `=` is a name. Gives the
/// place of the `&`, in bytes, and the name.
pub fn separators(value: &str) -> impl Iterator<Item = (usize, &str)> {
    value.match_indices('&').filter_map(|(place, _)| {
        let (name, _) = value.get(place + 1..)?.split_once('=')?;
        (!name.is_empty() && name.bytes().all(is_name_byte)).then_some((place, name))
    })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// How a JSON value stands in the signed text: a text as it is, an integer in decimal, `true` and `false` as these words, a
/// list as its elements joined by `,`, `null` as nothing.
///
/// `None` for what has no such form that all languages agree on: objects, numbers with a fraction or an exponent, and lists
/// that hold these or lists.
#[must_use]
pub fn value_of(value: &Value) -> Option<Cow<'_, str>> {
    let Value::Array(elements) = value else { return scalar(value) };
    let elements: Option<Vec<_>> = elements.iter().map(scalar).collect();
    Some(Cow::Owned(elements?.join(",")))
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => Some(Cow::Borrowed("")),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Number(number) if number.is_f64() => None,
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Array(_) | Value::Object(_) => None,
    }
}
