//! The answers of API v3.
//!
//! Used through [`pay::Merchant::read`](crate::pay::Merchant::read). What must stay true: a success (2xx) is believed
//! only with WeChat's signature; a refusal is read without, because WeChat does not sign them all, and so is a hint,
//! not a proof.

use serde_json::Value;

use super::said::text;
use super::verify::Keys;
use super::{Merchant, codes, flat};
use crate::pay::{Answer, Doubt, NotDone, Operation, Received, Refusal};

/// Longest text of a refusal that is kept, in characters.
const MAX_MESSAGE: usize = 500;

impl Merchant {
    pub(in crate::pay) fn read(
        &self,
        operation: Operation,
        received: &Received<'_>,
        now: i64,
    ) -> Result<Answer, NotDone> {
        if !(200..300).contains(&received.status) {
            return Err(refused(operation, received));
        }
        self.keys().verify(&received.headers, received.body, now).map_err(Doubt::from)?;
        if received.body.is_empty() {
            return match operation {
                Operation::Close => Ok(Answer::new(flat::success(self.mch_id()), None)),
                _ => Err(malformed("it is empty")),
            };
        }
        let Ok(said @ Value::Object(_)) = serde_json::from_slice::<Value>(received.body) else {
            return Err(malformed("it is no JSON object"));
        };
        // 202: the payer is at it.
        if !text(&said, "/code").is_empty() && text(&said, "/out_trade_no").is_empty() {
            return Err(refused(operation, received));
        }
        if ![self.mch_id(), ""].contains(&text(&said, "/mchid")) {
            return Err(Doubt::OtherMerchant.into());
        }
        let has = |place: &str| !text(&said, place).is_empty();
        let fields = match operation {
            Operation::Order => self.ordered(&said)?,
            Operation::Query if has("/trade_state") && has("/mchid") => flat::payment(self.mch_id(), &said),
            Operation::Refund if has("/out_refund_no") => flat::refund(self.mch_id(), &said),
            Operation::QueryRefund if has("/out_refund_no") => flat::refunds(self.mch_id(), &said),
            Operation::Close => flat::success(self.mch_id()),
            _ => return Err(malformed("a field that is always there is missing")),
        };
        Ok(Answer::new(fields, Some(said)))
    }

    /// What a page, an app or a QR code needs to pay.
    fn ordered(&self, said: &Value) -> Result<serde_json::Map<String, Value>, NotDone> {
        let mut fields = flat::success(self.mch_id());
        let names = [("/prepay_id", "prepay_id"), ("/code_url", "code_url"), ("/h5_url", "mweb_url")];
        let given = names.map(|(place, name)| (name, text(said, place)));
        if given.iter().all(|(_, value)| value.is_empty()) {
            return Err(malformed("prepay_id, code_url and h5_url are missing"));
        }
        for (name, value) in given {
            crate::pay::fields::add(&mut fields, name, value);
        }
        Ok(fields)
    }

    /// The keys that WeChat may sign with.
    pub(super) fn keys(&self) -> Keys<'_> {
        let public_key = self.registered.public_key.as_ref().map(|(id, key)| (id.as_str(), key));
        Keys { public_key, certificates: &self.certificates }
    }
}

/// What is to be made of an answer that is no success.
pub(super) fn refused(operation: Operation, received: &Received<'_>) -> NotDone {
    let said: Value = serde_json::from_slice(received.body).unwrap_or_default();
    let status = received.status;
    let (code, message) = match (text(&said, "/code"), status) {
        // The one status that says enough by itself: not processed, too many requests.
        ("", 429) => ("FREQUENCY_LIMITED", "too many requests".to_owned()),
        ("", _) => return Doubt::Status(status).into(),
        // A gateway's word, not the API's: what became of the request nobody knows.
        (code, 500..) if !codes::is_known(code) => return Doubt::Status(status).into(),
        (code, _) => (code, message(&said)),
    };
    let refusal = Refusal {
        code: codes::err_code(code, operation).chars().take(MAX_MESSAGE).collect(),
        message,
        status: Some(status),
        said: code.chars().take(MAX_MESSAGE).collect(),
    };
    refusal.into()
}

/// WeChat's text, with the field that it is about.
fn message(said: &Value) -> String {
    let message = text(said, "/message");
    let mut detail = vec![text(said, "/detail/field"), text(said, "/detail/issue")];
    detail.retain(|text| !text.is_empty());
    let text = if detail.is_empty() { message.to_owned() } else { format!("{message} ({})", detail.join(": ")) };
    text.chars().take(MAX_MESSAGE).collect()
}

pub(super) fn malformed(what: &str) -> NotDone {
    Doubt::Malformed(what.to_owned()).into()
}
