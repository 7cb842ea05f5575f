//! The notifications of API v2: payments are signed, refunds sealed.
//!
//! Used through [`pay::Merchant::open`](crate::pay::Merchant::open). What must stay true: a payment is believed for its
//! `sign`, a refund because `req_info` opens with the merchant's key; both must name this merchant.

use serde_json::{Map, Value};

use super::document::{Fields, pairs, read, read_rooted, text};
use super::sign::{SIGN, verifies};
use super::{Merchant, sealed};
use crate::pay::{Notice, NoticeError, NoticeKind, RefundStatus, fields};

impl Merchant {
    pub(in crate::pay) fn open(&self, kind: NoticeKind, body: &[u8]) -> Result<Notice, NoticeError> {
        let document = read(body).map_err(|error| NoticeError::Malformed(error.to_string()))?;
        match text(&document, "return_code") {
            Some("SUCCESS") => {}
            Some("FAIL") => {
                let message = text(&document, "return_msg").unwrap_or("return_code=FAIL");
                return Err(NoticeError::NotASuccess(message.to_owned()));
            }
            _ => return Err(missing("return_code")),
        }
        match kind {
            NoticeKind::Payment => self.payment(&document),
            NoticeKind::Refund => self.refund_notice(&document),
        }
    }

    fn payment(&self, document: &Fields) -> Result<Notice, NoticeError> {
        let sign = text(document, SIGN).ok_or(NoticeError::MissingHeader(SIGN))?;
        if !verifies(pairs(document), sign, self.key()) {
            return Err(NoticeError::BadSignature);
        }
        self.check_merchant(document)?;
        if text(document, "result_code") != Some("SUCCESS") {
            let code = text(document, "err_code").unwrap_or("result_code is not SUCCESS");
            return Err(NoticeError::NotASuccess(code.to_owned()));
        }
        let appid = text(document, "appid").ok_or_else(|| missing("appid"))?;
        let mut fields = flat(document);
        // v2 sends notifications of success only; v3 says so in a field.
        fields.entry("trade_state").or_insert_with(|| Value::from("SUCCESS"));
        self.notice(NoticeKind::Payment, "TRANSACTION.SUCCESS", Some(appid), fields)
    }

    fn refund_notice(&self, document: &Fields) -> Result<Notice, NoticeError> {
        self.check_merchant(document)?;
        let req_info = text(document, "req_info").ok_or_else(|| missing("req_info"))?;
        let plain = sealed::unseal(req_info, self.key()).ok_or(NoticeError::NotDecryptable)?;
        // With another key the padding fits once in 256 times, XML never.
        let inner = read_rooted(&plain, "root").map_err(|_| NoticeError::NotDecryptable)?;
        let event_type = match text(&inner, "refund_status").and_then(RefundStatus::parse) {
            Some(RefundStatus::Success) => "REFUND.SUCCESS",
            Some(RefundStatus::Change) => "REFUND.ABNORMAL",
            Some(RefundStatus::RefundClose) => "REFUND.CLOSED",
            Some(RefundStatus::Processing) | None => return Err(missing("refund_status")),
        };
        let mut fields = flat(&inner);
        // Of what is outside of the seal, which anybody may have written, only what belongs there.
        for name in ["return_code", "appid", "mch_id"] {
            fields::add(&mut fields, name, text(document, name).unwrap_or_default());
        }
        self.notice(NoticeKind::Refund, event_type, text(document, "appid"), fields)
    }

    fn check_merchant(&self, document: &Fields) -> Result<(), NoticeError> {
        let is_ours = text(document, "mch_id") == Some(self.mch_id());
        if is_ours { Ok(()) } else { Err(NoticeError::OtherMerchant) }
    }

    fn notice(
        &self,
        kind: NoticeKind,
        event_type: &str,
        appid: Option<&str>,
        fields: Map<String, Value>,
    ) -> Result<Notice, NoticeError> {
        let needed = |name: &'static str| {
            let value = fields.get(name).and_then(Value::as_str);
            value.map(str::to_owned).ok_or_else(|| missing(name))
        };
        let out_refund_no = match kind {
            NoticeKind::Payment => None,
            NoticeKind::Refund => Some(needed("out_refund_no")?),
        };
        Ok(Notice {
            kind,
            event_type: event_type.to_owned(),
            appid: appid.map(str::to_owned),
            mch_id: self.mch_id().to_owned(),
            out_trade_no: needed("out_trade_no")?,
            transaction_id: needed("transaction_id")?,
            total_fee: fields.get("total_fee").and_then(Value::as_i64).ok_or_else(|| missing("total_fee"))?,
            out_refund_no,
            fields,
            resource: None,
        })
    }
}

fn flat(document: &Fields) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in pairs(document) {
        fields::add(&mut fields, name, value);
    }
    fields
}

fn missing(name: &str) -> NoticeError {
    NoticeError::Malformed(format!("{name} is missing or not what it should be"))
}
