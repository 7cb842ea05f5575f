//! Notifications as bytes: v2's signed XML, v2's encrypted refund notice, v3's signed and encrypted JSON.
//!
//! Used by the notifier for each send, which is signed anew. Faults are put in here, so that everything but what they
//! spoil is as WeChat sends it.

use serde_json::{Value, json};

use super::calendar::rfc3339;
use super::cipher::{req_info, seal};
use super::fields::{Fields, paid_v2, put, refund_event, refund_notice_v3, refund_v2, transaction_v3};
use super::holder::{MerchantHolder, Signer};
use super::knobs::NoticeKnob;
use super::notice::Notice;
use super::order::{Order, Origin};
use super::refund::Refund;
use super::sign_v2::{SignType, sign};
use super::sign_v3::{SCHEME, lines};
use crate::chance;
use crate::clock::Time;

/// What is in front of the signature of a probe.
pub(crate) const PROBE: &str = "WECHATPAY/SIGNTEST/";
/// How far back a stale timestamp lies, in seconds.
const STALE_SECS: u64 = 600;

/// What a notification says when it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// What a notification is about.
pub(crate) struct About<'a> {
    pub(crate) merchant: &'a MerchantHolder,
    pub(crate) notice: &'a Notice,
    pub(crate) order: &'a Order,
    pub(crate) refund: Option<&'a Refund>,
}

impl About<'_> {
    /// The notification as it is sent now.
    pub(crate) fn write(&self, fault: Option<NoticeKnob>, now: Time) -> Letter {
        match self.notice.origin {
            Origin::V2 { sign_type } => {
                let body = self
                    .refund
                    .map_or_else(|| self.payment_v2(sign_type, fault), |refund| self.refund_v2(refund, fault));
                Letter { content_type: "text/xml", headers: Vec::new(), body }
            }
            Origin::V3 => self.v3(fault, now),
        }
    }

    fn payment_v2(&self, sign_type: SignType, fault: Option<NoticeKnob>) -> String {
        let mut fields = self.head(fault);
        put(&mut fields, "result_code", "SUCCESS");
        if sign_type == SignType::HmacSha256 && fault != Some(NoticeKnob::Md5) {
            put(&mut fields, "sign_type", sign_type.name());
        }
        fields.extend(self.order.payment().map(|payment| paid_v2(self.order, payment)).unwrap_or_default());
        match fault {
            Some(NoticeKnob::OtherAmount) => replace(&mut fields, "total_fee", &(self.order.total + 1).to_string()),
            Some(NoticeKnob::NoCouponType) => fields.retain(|(name, _)| name != "coupon_type_0"),
            Some(NoticeKnob::UnknownField) => put(&mut fields, "sandbox_field", "1"),
            _ => {}
        }
        let sign_type = if fault == Some(NoticeKnob::Md5) { SignType::Md5 } else { sign_type };
        let mut signature = sign(pairs(&fields), &self.merchant.v2_key, sign_type);
        match fault {
            Some(NoticeKnob::Signtest | NoticeKnob::WrongSignature) => {
                signature = sign(pairs(&fields), "another key", sign_type);
            }
            Some(NoticeKnob::EmptySign) => signature.clear(),
            Some(NoticeKnob::AlteredBody) => replace(&mut fields, "bank_type", "ALTERED"),
            _ => {}
        }
        if fault != Some(NoticeKnob::MissingSignature) {
            fields.push(("sign".into(), signature));
        }
        around(&element("xml", &fields), fault)
    }

    fn refund_v2(&self, refund: &Refund, fault: Option<NoticeKnob>) -> String {
        let mut told = refund_v2(refund);
        if fault == Some(NoticeKnob::OtherAmount) {
            replace(&mut told, "refund_fee", &(refund.amount + 1).to_string());
        }
        let mut secret = req_info(&self.merchant.v2_key, &element("root", &told));
        if let Some(NoticeKnob::BadReqInfo | NoticeKnob::AlteredBody | NoticeKnob::WrongTag) = fault {
            secret = req_info("another key", &element("root", &told));
        }
        let mut fields = self.head(fault);
        put(&mut fields, "req_info", secret);
        around(&element("xml", &fields), fault)
    }

    /// The first fields of both notifications of v2.
    fn head(&self, fault: Option<NoticeKnob>) -> Fields {
        let (appid, mch_id) = self.identity(fault);
        let mut fields = Fields::new();
        put(&mut fields, "return_code", "SUCCESS");
        put(&mut fields, "appid", appid);
        put(&mut fields, "mch_id", mch_id);
        put(&mut fields, "nonce_str", chance::pay_nonce());
        fields
    }

    /// Appid and merchant, or others when a fault wants that.
    fn identity(&self, fault: Option<NoticeKnob>) -> (&str, &str) {
        let appid = if fault == Some(NoticeKnob::OtherAppid) { "wx0000000000000000" } else { &self.order.appid };
        let mch_id = if fault == Some(NoticeKnob::OtherMchid) { "1000000000" } else { &self.order.mch_id };
        (appid, mch_id)
    }

    fn v3(&self, fault: Option<NoticeKnob>, now: Time) -> Letter {
        let mut body = self.envelope(fault).to_string();
        let Signer { id, key } = self.merchant.callback_signer();
        let stale = if fault == Some(NoticeKnob::StaleTimestamp) { STALE_SECS } else { 0 };
        let timestamp = self.merchant.stamp(now).saturating_sub(stale).to_string();
        let nonce = chance::pay_nonce();
        let mut signature = key.sign(&lines(&[&timestamp, &nonce], body.as_bytes()));
        let mut serial = id.to_owned();
        match fault {
            Some(NoticeKnob::Signtest) => signature = format!("{PROBE}{signature}"),
            Some(NoticeKnob::WrongSignature) => signature = key.sign(b"something else"),
            Some(NoticeKnob::UnknownSerial) => serial = chance::serial(),
            Some(NoticeKnob::AlteredBody) => body.push(' '),
            _ => {}
        }
        let mut headers = vec![
            ("Wechatpay-Nonce", nonce),
            ("Wechatpay-Serial", serial),
            ("Wechatpay-Signature", signature),
            ("Wechatpay-Signature-Type", SCHEME.to_owned()),
            ("Wechatpay-Timestamp", timestamp),
            ("Request-ID", chance::request_id()),
        ];
        if fault == Some(NoticeKnob::MissingSignature) {
            headers.retain(|(name, _)| *name != "Wechatpay-Signature");
        }
        Letter { content_type: "application/json", headers, body }
    }

    fn envelope(&self, fault: Option<NoticeKnob>) -> Value {
        let (mut plain, kind, (event, summary)) = match self.refund {
            None => (transaction_v3(self.order), "transaction", ("TRANSACTION.SUCCESS", "支付成功")),
            Some(refund) => {
                let paid = self.order.payment().map_or(0, |payment| self.order.total - payment.discount());
                (refund_notice_v3(refund, paid), "refund", refund_event(refund.state))
            }
        };
        if self.refund.is_none() {
            // Also after a refund it tells of the payment alone.
            set(&mut plain, "", "trade_state", json!("SUCCESS"));
            set(&mut plain, "", "trade_state_desc", json!("支付成功"));
        }
        let (appid, mch_id) = self.identity(fault);
        match fault {
            Some(NoticeKnob::OtherAmount) => set(&mut plain, "/amount", "total", json!(self.order.total + 1)),
            Some(NoticeKnob::OtherAppid) => set(&mut plain, "", "appid", json!(appid)),
            Some(NoticeKnob::OtherMchid) => set(&mut plain, "", "mchid", json!(mch_id)),
            Some(NoticeKnob::UnknownField) => set(&mut plain, "", "sandbox_field", json!(1)),
            _ => {}
        }
        let nonce = chance::letters(12);
        let key = if fault == Some(NoticeKnob::WrongTag) {
            "00000000000000000000000000000000"
        } else {
            &self.merchant.v3_key
        };
        json!({
            "id": self.notice.envelope, "create_time": rfc3339(self.notice.time), "resource_type": "encrypt-resource",
            "event_type": event, "summary": summary,
            "resource": {
                "original_type": kind, "algorithm": "AEAD_AES_256_GCM", "associated_data": kind,
                "ciphertext": seal(key, &nonce, kind, plain.to_string().as_bytes()), "nonce": nonce,
            },
        })
    }
}

/// Names and values, for the signature.
pub(crate) fn pairs(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// An element with these children, each in CDATA.
pub(crate) fn element(root: &str, fields: &Fields) -> String {
    let mut text = format!("<{root}>");
    for (name, value) in fields {
        let value = value.replace("]]>", "]]]]><![CDATA[>");
        text.push_str(&format!("<{name}><![CDATA[{value}]]></{name}>"));
    }
    text.push_str(&format!("</{root}>"));
    text
}

/// The body with what a fault puts around it.
fn around(body: &str, fault: Option<NoticeKnob>) -> String {
    match fault {
        Some(NoticeKnob::Dtd) => format!("<!DOCTYPE xml [<!ENTITY a SYSTEM \"file:///etc/hostname\">]>{body}"),
        Some(NoticeKnob::SecondRoot) => format!("{body}{body}"),
        _ => body.to_owned(),
    }
}

/// Sets a field of the object at a pointer.
fn set(plain: &mut Value, object: &str, name: &str, value: Value) {
    if let Some(Value::Object(fields)) = plain.pointer_mut(object) {
        fields.insert(name.to_owned(), value);
    }
}

fn replace(fields: &mut Fields, name: &str, value: &str) {
    for (_, old) in fields.iter_mut().filter(|(known, _)| known == name) {
        value.clone_into(old);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::callback::from_xml;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(values in proptest::collection::vec("\\PC{1,40}", 1..8)) {
            let fields: Fields = values.into_iter().enumerate().map(|(at, value)| (format!("f_{at}"), value)).collect();
            let read = from_xml(&element("xml", &fields)).unwrap();
            for (name, value) in &fields {
                prop_assert_eq!(read[name].as_str(), Some(value.as_str()));
            }
        }
    }
}
