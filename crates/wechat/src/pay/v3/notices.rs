//! The notifications of API v3: signed like answers, and sealed with the API v3 key.
//!
//! Used through [`pay::Merchant::open`](crate::pay::Merchant::open). What must stay true: first the signature over the
//! bytes as received, then the seal, then the merchant inside; nothing is used before all three.

use serde_json::{Map, Value};

use super::said::text;
use super::{Merchant, flat};
use crate::pay::{Notice, NoticeError, NoticeKind, Received, RefundStatus};

const ALGORITHM: &str = "AEAD_AES_256_GCM";

impl Merchant {
    pub(in crate::pay) fn open(
        &self,
        kind: NoticeKind,
        received: &Received<'_>,
        now: i64,
    ) -> Result<Notice, NoticeError> {
        self.keys().verify(&received.headers, received.body, now)?;
        let Ok(envelope @ Value::Object(_)) = serde_json::from_slice::<Value>(received.body) else {
            return Err(malformed("it is no JSON object"));
        };
        let event_type = text(&envelope, "/event_type");
        let (prefix, other) = match kind {
            NoticeKind::Payment => ("TRANSACTION.", "it is not about a payment"),
            NoticeKind::Refund => ("REFUND.", "it is not about a refund"),
        };
        if !event_type.starts_with(prefix) {
            return Err(malformed(other));
        }
        let said = self.unseal(&envelope)?;
        if text(&said, "/mchid") != self.mch_id() {
            return Err(NoticeError::OtherMerchant);
        }
        match kind {
            NoticeKind::Payment => self.payment(event_type, said),
            NoticeKind::Refund => self.refund_notice(event_type, said),
        }
    }

    fn unseal(&self, envelope: &Value) -> Result<Value, NoticeError> {
        let resource = |name: &str| text(envelope, &format!("/resource/{name}"));
        if resource("algorithm") != ALGORITHM {
            return Err(malformed("it is not sealed with AEAD_AES_256_GCM"));
        }
        let opened =
            self.registered.apiv3_key.open(resource("ciphertext"), resource("nonce"), resource("associated_data"));
        match serde_json::from_slice(&opened.ok_or(NoticeError::NotDecryptable)?) {
            Ok(said @ Value::Object(_)) => Ok(said),
            _ => Err(malformed("what is sealed is no JSON object")),
        }
    }

    fn payment(&self, event_type: &str, said: Value) -> Result<Notice, NoticeError> {
        let state = text(&said, "/trade_state");
        if event_type != "TRANSACTION.SUCCESS" || state != "SUCCESS" {
            return Err(NoticeError::NotASuccess(format!("{event_type}, {state}").chars().take(100).collect()));
        }
        let fields = flat::payment(self.mch_id(), &said);
        self.notice(NoticeKind::Payment, event_type, fields, said)
    }

    fn refund_notice(&self, event_type: &str, said: Value) -> Result<Notice, NoticeError> {
        let expected = match RefundStatus::parse(text(&said, "/refund_status")) {
            Some(RefundStatus::Success) => "REFUND.SUCCESS",
            Some(RefundStatus::Change) => "REFUND.ABNORMAL",
            Some(RefundStatus::RefundClose) => "REFUND.CLOSED",
            Some(RefundStatus::Processing) | None => return Err(malformed("refund_status is none of the documented")),
        };
        if event_type != expected {
            return Err(malformed("event_type and refund_status contradict each other"));
        }
        let fields = flat::refund_notice(self.mch_id(), &said);
        self.notice(NoticeKind::Refund, event_type, fields, said)
    }

    fn notice(
        &self,
        kind: NoticeKind,
        event_type: &str,
        fields: Map<String, Value>,
        said: Value,
    ) -> Result<Notice, NoticeError> {
        let flat = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let needed = |name: &str| flat(name).ok_or_else(|| malformed(&format!("{name} is missing")));
        let appid = match kind {
            NoticeKind::Payment => Some(needed("appid")?),
            NoticeKind::Refund => None,
        };
        let out_refund_no = match kind {
            NoticeKind::Payment => None,
            NoticeKind::Refund => Some(needed("out_refund_no")?),
        };
        let total_fee = fields.get("total_fee").and_then(Value::as_i64);
        Ok(Notice {
            kind,
            event_type: event_type.to_owned(),
            appid,
            mch_id: self.mch_id().to_owned(),
            out_trade_no: needed("out_trade_no")?,
            transaction_id: needed("transaction_id")?,
            total_fee: total_fee.ok_or_else(|| malformed("amount.total is missing"))?,
            out_refund_no,
            fields,
            resource: Some(said),
        })
    }
}

fn malformed(what: &str) -> NoticeError {
    NoticeError::Malformed(what.to_owned())
}
