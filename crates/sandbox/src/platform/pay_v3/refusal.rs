//! Errors of v3: a status, a code, a text and, where a field is at fault, which one.
//!
//! Source: "Error codes" of the API v3 docs.

use serde_json::{Value, json};

use crate::wire::Reply;

/// What v3 answers in.
pub(super) const JSON: &str = "application/json; charset=utf-8";

/// The statuses of codes that faults may name.
const STATUSES: [(&str, u16); 24] = [
    ("USERPAYING", 202),
    ("PARAM_ERROR", 400),
    ("INVALID_REQUEST", 400),
    ("APPID_MCHID_NOT_MATCH", 400),
    ("MCH_NOT_EXISTS", 400),
    ("ORDER_CLOSED", 400),
    ("ORDERPAID", 400),
    ("NO_STATEMENT_EXIST", 400),
    ("STATEMENT_CREATING", 400),
    ("SIGN_ERROR", 401),
    ("NO_AUTH", 403),
    ("OUT_TRADE_NO_USED", 403),
    ("NOT_ENOUGH", 403),
    ("RULE_LIMIT", 403),
    ("TRADE_ERROR", 403),
    ("ACCOUNT_ERROR", 403),
    ("USER_ACCOUNT_ABNORMAL", 403),
    ("REQUEST_BLOCKED", 403),
    ("ORDER_NOT_EXIST", 404),
    ("RESOURCE_NOT_EXISTS", 404),
    ("FREQUENCY_LIMITED", 429),
    ("RATELIMIT_EXCEEDED", 429),
    ("SERVICE_UNAVAILABLE", 503),
    ("SYSTEM_ERROR", 500),
];

/// Why a call fails.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: u16,
    code: String,
    text: String,
    detail: Option<Value>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, text: &str) -> Refusal {
        Refusal { status, code: code.to_owned(), text: text.to_owned(), detail: None }
    }

    /// 401; whoever answers with it does not sign.
    pub(super) fn unsigned(text: &str) -> Refusal {
        Refusal::new(401, "SIGN_ERROR", text)
    }

    pub(super) fn parameter(text: &str) -> Refusal {
        Refusal::new(400, "PARAM_ERROR", text)
    }

    pub(super) fn invalid(text: &str) -> Refusal {
        Refusal::new(400, "INVALID_REQUEST", text)
    }

    /// A field that cannot be: a JSON pointer into the body, or the name of a parameter of path or query.
    pub(super) fn field(field: &str, value: &Value, issue: &str) -> Refusal {
        let location = if field.starts_with('/') { "body" } else { "query" };
        let detail = json!({ "field": field, "value": value, "issue": issue, "location": location });
        Refusal::parameter(&format!("参数错误：{field} {issue}")).with_detail(detail)
    }

    /// A code of the docs, with its status.
    pub(super) fn named(code: &str, text: Option<&str>) -> Refusal {
        let status = STATUSES.iter().find(|(known, _)| *known == code).map_or(500, |(_, status)| *status);
        Refusal::new(status, code, text.unwrap_or("系统异常，请稍后重试"))
    }

    pub(super) fn with_detail(self, detail: Value) -> Refusal {
        Refusal { detail: Some(detail), ..self }
    }

    pub(super) fn reply(&self) -> Reply {
        let mut body = json!({ "code": self.code, "message": self.text });
        if let (Some(detail), Value::Object(body)) = (&self.detail, &mut body) {
            body.insert("detail".into(), detail.clone());
        }
        Reply::page(self.status, JSON, body.to_string()).with_note(format!("{} {}", self.code, self.text))
    }
}
