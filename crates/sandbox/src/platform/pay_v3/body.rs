//! Bodies of v3: what JSON may be, and fields that are there, long enough and of the right kind.
//!
//! Source: "Basic rules" of the API v3 docs: no `null`, no characters beyond three bytes of UTF-8. Errors name the
//! field.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::refusal::Refusal;

/// The body of a request.
#[derive(Clone, Debug)]
pub(super) struct Body(Value);

impl Body {
    pub(super) fn read(bytes: &[u8]) -> Result<Body, Refusal> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| Refusal::parameter("请求体不是合法的JSON"))?;
        if !value.is_object() {
            return Err(Refusal::parameter("请求体不是JSON对象"));
        }
        let body = Body(value);
        for (field, value) in leaves(&body.0) {
            if value.is_null() {
                return Err(Refusal::field(&field, value, "不能为null"));
            }
            if value.as_str().is_some_and(|text| text.chars().any(|letter| letter.len_utf8() > 3)) {
                return Err(Refusal::field(&field, value, "包含不支持的字符"));
            }
        }
        Ok(body)
    }

    /// A text that has to be there, with at most so many characters.
    pub(super) fn needed(&self, field: &str, longest: usize) -> Result<&str, Refusal> {
        match self.text(field, longest)? {
            "" => Err(Refusal::field(field, &json!(""), "必填参数缺失")),
            text => Ok(text),
        }
    }

    /// A text, empty when it is absent.
    pub(super) fn text(&self, field: &str, longest: usize) -> Result<&str, Refusal> {
        match self.0.pointer(field) {
            None => Ok(""),
            Some(Value::String(text)) if text.chars().count() <= longest => Ok(text),
            Some(value @ Value::String(_)) => Err(Refusal::field(field, value, "长度超过限制")),
            Some(value) => Err(Refusal::field(field, value, "类型错误，应为字符串")),
        }
    }

    /// A number of fen that has to be there.
    pub(super) fn amount(&self, field: &str) -> Result<u64, Refusal> {
        match self.0.pointer(field) {
            None => Err(Refusal::field(field, &json!(""), "必填参数缺失")),
            Some(value) => match value.as_u64() {
                Some(amount) if (1..=10_000_000_000).contains(&amount) => Ok(amount),
                Some(_) => Err(Refusal::field(field, value, "取值超出范围")),
                None => Err(Refusal::field(field, value, "类型错误，应为整数")),
            },
        }
    }

    /// `true` or `false`, if it is there.
    pub(super) fn flag(&self, field: &str) -> Result<(), Refusal> {
        match self.0.pointer(field) {
            None | Some(Value::Bool(_)) => Ok(()),
            Some(value) => Err(Refusal::field(field, value, "类型错误，应为布尔值")),
        }
    }

    /// How many entries a list has; none when it is absent.
    pub(super) fn length(&self, field: &str) -> Result<usize, Refusal> {
        match self.0.pointer(field) {
            None => Ok(0),
            Some(Value::Array(entries)) => Ok(entries.len()),
            Some(value) => Err(Refusal::field(field, value, "类型错误，应为数组")),
        }
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.0.pointer(field).is_some()
    }

    /// A field that cannot be what it is.
    pub(super) fn wrong(&self, field: &str, issue: &str) -> Refusal {
        Refusal::field(field, self.0.pointer(field).unwrap_or(&Value::Null), issue)
    }

    /// All values by their pointers, to compare two requests.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        leaves(&self.0).into_iter().map(|(field, value)| (field, value.to_string())).collect()
    }
}

/// All values that hold no others, with the pointers to them.
fn leaves(value: &Value) -> Vec<(String, &Value)> {
    let below = |name: String, value| -> Vec<_> {
        leaves(value).into_iter().map(|(field, leaf)| (format!("/{name}{field}"), leaf)).collect()
    };
    match value {
        Value::Object(children) => children.iter().flat_map(|(name, value)| below(name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().flat_map(|(at, item)| below(at.to_string(), item)).collect(),
        leaf => vec![(String::new(), leaf)],
    }
}
