//! The requests of API v2.
//!
//! Made by [`Merchant`], sent by the engine. What must stay true: nothing but the nonce and the signature differs
//! between two calls for the same thing, so a repetition is one to WeChat too.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Fields, pairs, write};
use super::sign::SIGN;
use super::{Merchant, md5};
use crate::pay::parameters::{check_order, check_refund, passed};
use crate::pay::{
    Call, Inexpressible, Method, Order, OutTradeNo, PaymentNo, Refund, RefundNo, Stamp, TradeType, USER_AGENT, Version,
    time,
};

impl Merchant {
    pub(in crate::pay) fn order(&self, order: &Order, stamp: &Stamp) -> Result<Call, Inexpressible> {
        check_order(order, Version::V2)?;
        let mut fields = translated(&order.others)?;
        let own = [
            ("out_trade_no", order.out_trade_no.as_str()),
            ("trade_type", order.trade_type.as_str()),
            ("body", &order.body),
            ("openid", order.openid.as_deref().unwrap_or_default()),
            ("spbill_create_ip", &order.client_ip),
            ("notify_url", &order.notify_url),
        ];
        fields.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        fields.insert("total_fee".to_owned(), order.total_fee.to_string());
        if order.trade_type == TradeType::Native {
            // Required by the document, which leaves its meaning to the merchant; v3 has no such parameter.
            fields.entry("product_id".to_owned()).or_insert_with(|| order.out_trade_no.to_string());
        }
        Ok(self.call("/pay/unifiedorder", &order.appid, fields, stamp))
    }

    pub(in crate::pay) fn query(&self, appid: &str, payment: &PaymentNo, stamp: &Stamp) -> Call {
        self.call("/pay/orderquery", appid, Fields::from([named(payment)]), stamp)
    }

    pub(in crate::pay) fn close(&self, appid: &str, number: &OutTradeNo, stamp: &Stamp) -> Call {
        let fields = Fields::from([("out_trade_no".to_owned(), number.to_string())]);
        self.call("/pay/closeorder", appid, fields, stamp)
    }

    pub(in crate::pay) fn refund(&self, refund: &Refund, stamp: &Stamp) -> Result<Call, Inexpressible> {
        check_refund(refund, Version::V2)?;
        let mut fields: Fields =
            passed(&refund.others).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Some(reason) = fields.remove("reason") {
            fields.entry("refund_desc".to_owned()).or_insert(reason);
        }
        fields.extend([named(&refund.payment)]);
        fields.insert("out_refund_no".to_owned(), refund.out_refund_no.to_string());
        fields.insert("total_fee".to_owned(), refund.total_fee.to_string());
        fields.insert("refund_fee".to_owned(), refund.refund_fee.to_string());
        fields.insert("notify_url".to_owned(), refund.notify_url.clone().unwrap_or_default());
        let call = self.call("/secapi/pay/refund", &refund.appid, fields, stamp);
        Ok(Call { client_certificate: true, ..call })
    }

    pub(in crate::pay) fn query_refund(&self, appid: &str, number: &RefundNo, stamp: &Stamp) -> Call {
        let named = match number {
            RefundNo::OutRefundNo(number) => ("out_refund_no".to_owned(), number.to_string()),
            RefundNo::RefundId(number) => ("refund_id".to_owned(), number.clone()),
            RefundNo::Payment(payment) => named(payment),
        };
        self.call("/pay/refundquery", appid, Fields::from([named]), stamp)
    }

    /// A signed request; `target` is its path.
    fn call(&self, target: &str, appid: &str, mut fields: Fields, stamp: &Stamp) -> Call {
        let own = [("appid", appid), ("mch_id", self.mch_id()), ("nonce_str", &stamp.nonce)];
        fields.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let sign = md5(pairs(&fields), self.key());
        let body = write(pairs(&fields).chain([(SIGN, sign.as_str())]));
        let headers =
            vec![("Content-Type", "text/xml; charset=utf-8".to_owned()), ("User-Agent", USER_AGENT.to_owned())];
        Call { method: Method::Post, target: target.to_owned(), headers, body: body.into(), client_certificate: false }
    }
}

fn named(payment: &PaymentNo) -> (String, String) {
    match payment {
        PaymentNo::OutTradeNo(number) => ("out_trade_no".to_owned(), number.to_string()),
        PaymentNo::TransactionId(number) => ("transaction_id".to_owned(), number.clone()),
    }
}

/// A team's own parameters of an order, those by v3's names translated.
fn translated(others: &BTreeMap<String, String>) -> Result<Fields, Inexpressible> {
    let mut fields = Fields::new();
    for (name, value) in passed(others) {
        let (name, value) = match name {
            "time_expire" | "time_start" => (name, compact(name, value)?),
            "support_fapiao" => {
                ("receipt", yes(name, value == "true" || value == "Y", value == "false" || value == "N")?)
            }
            "settle_info" => ("profit_sharing", profit_sharing(value)?),
            "limit_pay" if value.starts_with('[') => (name, limit(value)?),
            _ => (name, value.to_owned()),
        };
        fields.insert(name.to_owned(), value);
    }
    // Item details are read as such only with this.
    let has_items = fields.get("detail").is_some_and(|detail| detail.trim_start().starts_with('{'));
    if has_items {
        fields.entry("version".to_owned()).or_insert_with(|| "1.0".to_owned());
    }
    Ok(fields)
}

fn compact(name: &str, value: &str) -> Result<String, Inexpressible> {
    let unix = time::parse_compact(value).or_else(|| time::parse_rfc3339(value));
    let what = "is no time: write yyyyMMddHHmmss in Beijing time, or RFC 3339";
    unix.map(time::compact).ok_or_else(|| Inexpressible::new(name, what))
}

fn yes(name: &str, yes: bool, no: bool) -> Result<String, Inexpressible> {
    match (yes, no) {
        (true, _) => Ok("Y".to_owned()),
        (_, true) => Ok("N".to_owned()),
        _ => Err(Inexpressible::new(name, "has to be true or false")),
    }
}

/// v3 takes a list of limits, v2 one.
fn limit(list: &str) -> Result<String, Inexpressible> {
    let limits: Vec<String> = serde_json::from_str(list).unwrap_or_default();
    let what = "has to be one limit, e.g. no_credit: API v2 takes no list";
    <[String; 1]>::try_from(limits).map(|[limit]| limit).map_err(|_| Inexpressible::new("limit_pay", what))
}

fn profit_sharing(settle_info: &str) -> Result<String, Inexpressible> {
    let value: Option<Value> = serde_json::from_str(settle_info).ok();
    let shared = value.as_ref().and_then(|value| value.get("profit_sharing")?.as_bool());
    let what = r#"has to be {"profit_sharing":true} or {"profit_sharing":false}"#;
    let shared = shared.ok_or_else(|| Inexpressible::new("settle_info", what))?;
    Ok(if shared { "Y" } else { "N" }.to_owned())
}
