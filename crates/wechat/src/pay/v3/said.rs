//! Looking into what v3 said: a place in it is named by a JSON pointer (`/amount/total`).
//!
//! What must stay true: what is missing, or of another type, is nothing; what that means decides the caller.

use serde_json::Value;

/// A text; empty when there is none.
pub(super) fn text<'a>(said: &'a Value, place: &str) -> &'a str {
    said.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number.
pub(super) fn number(said: &Value, place: &str) -> Option<i64> {
    said.pointer(place).and_then(Value::as_i64)
}

/// The elements of a list; none when there is no list.
pub(super) fn list<'a>(said: &'a Value, place: &str) -> &'a [Value] {
    said.pointer(place).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
