//! Small steps from v2's texts to v3's values, which `order_body` and
//! `refund_body` share.
//!
//! What must stay true: what has another form than v3 asks for is refused with the name that the team used.

use serde_json::{Map, Value};

use crate::pay::Inexpressible;

/// A JSON object that stands in a text.
pub(super) fn object(name: &str, text: &str) -> Result<Map<String, Value>, Inexpressible> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) if !has_null(object.values()) => Ok(object),
        _ => Err(Inexpressible::new(name, "has to be a JSON object without null: API v3 takes no other form")),
    }
}

/// A JSON array that stands in a text.
pub(super) fn array(name: &str, text: &str) -> Result<Vec<Value>, Inexpressible> {
    match serde_json::from_str(text) {
        Ok(Value::Array(array)) if !has_null(array.iter()) => Ok(array),
        _ => Err(Inexpressible::new(name, "has to be a JSON array without null: API v3 takes no other form")),
    }
}

/// `true` and `false`, or v2's `Y` and `N`.
pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Inexpressible> {
    match text {
        "true" | "Y" => Ok(true),
        "false" | "N" => Ok(false),
        _ => Err(Inexpressible::new(name, "has to be Y or N (or true or false)")),
    }
}

/// A member that is an object itself; made when it is missing.
pub(super) fn inner<'a>(object: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    object.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
}

/// Gives members other names; one that has the new name already stays.
pub(super) fn rename(object: &mut Map<String, Value>, names: &[(&str, &str)]) {
    for (old, new) in names {
        if let Some(value) = object.remove(*old) {
            object.entry(*new).or_insert(value);
        }
    }
}

/// v3 does not take `null`, at any depth. What is read of a text is not deep enough to hurt: the reader stops at 128.
fn has_null<'a>(mut values: impl Iterator<Item = &'a Value>) -> bool {
    values.any(|value| match value {
        Value::Null => true,
        Value::Array(elements) => has_null(elements.iter()),
        Value::Object(members) => has_null(members.values()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    })
}
