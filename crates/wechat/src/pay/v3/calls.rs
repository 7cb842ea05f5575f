//! The requests of API v3.
//!
//! Made by [`Merchant`], sent by the engine. What must stay true: the target and body that are signed are those that
//! are sent; nothing but time, nonce and signature differs between two calls for the same thing.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{Merchant, order_body, refund_body};
use crate::pay::{
    Call, Inexpressible, Method, Order, OutTradeNo, PaymentNo, Refund, RefundNo, Stamp, TradeType, USER_AGENT,
};

const ORDERS: &str = "/v3/pay/transactions";
const REFUNDS: &str = "/v3/refund/domestic/refunds";

/// What is encoded in a path: all but the characters that RFC 3986 reserves for nothing.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Merchant {
    pub(in crate::pay) fn order(&self, order: &Order, stamp: &Stamp) -> Result<Call, Inexpressible> {
        let body = order_body::order_body(order, self.mch_id())?;
        let kind = match order.trade_type {
            TradeType::Jsapi => "jsapi",
            TradeType::Native => "native",
            TradeType::App => "app",
            TradeType::Mweb => "h5",
        };
        Ok(self.post(format!("{ORDERS}/{kind}"), body, stamp))
    }

    pub(in crate::pay) fn query(&self, payment: &PaymentNo, stamp: &Stamp) -> Call {
        let (kind, number) = match payment {
            PaymentNo::OutTradeNo(number) => ("out-trade-no", number.as_str()),
            PaymentNo::TransactionId(number) => ("id", number.as_str()),
        };
        self.get(format!("{ORDERS}/{kind}/{}?mchid={}", segment(number), self.mch_id()), stamp)
    }

    pub(in crate::pay) fn close(&self, number: &OutTradeNo, stamp: &Stamp) -> Call {
        let body = Map::from_iter([("mchid".to_owned(), self.mch_id().into())]);
        self.post(format!("{ORDERS}/out-trade-no/{}/close", segment(number.as_str())), body, stamp)
    }

    pub(in crate::pay) fn refund(&self, refund: &Refund, stamp: &Stamp) -> Result<Call, Inexpressible> {
        Ok(self.post(REFUNDS.to_owned(), refund_body::refund_body(refund)?, stamp))
    }

    pub(in crate::pay) fn query_refund(&self, number: &RefundNo, stamp: &Stamp) -> Result<Call, Inexpressible> {
        let name = match number {
            RefundNo::OutRefundNo(number) => {
                return Ok(self.get(format!("{REFUNDS}/{}", segment(number.as_str())), stamp));
            }
            RefundNo::RefundId(_) => "refund_id",
            RefundNo::Payment(PaymentNo::OutTradeNo(_)) => "out_trade_no",
            RefundNo::Payment(PaymentNo::TransactionId(_)) => "transaction_id",
        };
        Err(Inexpressible::new(name, "API v3 finds a refund by its out_refund_no only: ask with that"))
    }

    pub(super) fn get(&self, target: String, stamp: &Stamp) -> Call {
        let headers = self.headers(Method::Get, &target, stamp, &[]);
        Call { method: Method::Get, target, headers, body: Bytes::new(), client_certificate: false }
    }

    fn post(&self, target: String, body: Map<String, Value>, stamp: &Stamp) -> Call {
        let body = Value::Object(body).to_string();
        let mut headers = self.headers(Method::Post, &target, stamp, body.as_bytes());
        headers.push(("Content-Type", "application/json".to_owned()));
        Call { method: Method::Post, target, headers, body: body.into(), client_certificate: false }
    }

    fn headers(&self, method: Method, target: &str, stamp: &Stamp, body: &[u8]) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Authorization", self.authorization(method, target, stamp, body)),
            ("Accept", "application/json".to_owned()),
            ("User-Agent", USER_AGENT.to_owned()),
        ];
        if let Some((id, _)) = &self.registered.public_key {
            headers.push(("Wechatpay-Serial", id.to_string()));
        }
        headers
    }
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}
