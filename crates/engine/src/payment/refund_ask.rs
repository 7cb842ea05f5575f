//! What `/pay/refund` is asked for: its parameters, checked, in the names of WeChat's refund API (v2), whatever version
//! is used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Order, OrderId, Refund};
use wechat::pay::{Fee, OutRefundNo, OutTradeNo, PaymentNo, RefundNo};

use super::PayError;
use super::ask::{AskProblem, Given, notify_url, shown};
use super::enquiries::payment_of;
use crate::apps::Registered;
use crate::apps::parameters::MAX_CALLS;
use crate::backends::CallUrls;

/// Parameters that are ours or that are filled in; all others pass through by WeChat's names.
const OURS: [&str; 18] = [
    "appid",
    "call",
    "fee",
    "key",
    "mch_id",
    "mch_key",
    "mchid",
    "nonce_str",
    "notify_url",
    "out_refund_no",
    "out_trade_no",
    "reason",
    "refund_fee",
    "sign",
    "sign_type",
    "timestamp",
    "total_fee",
    "transaction_id",
];

/// What else WeChat's refund APIs take.
const WECHATS: [&str; 7] =
    ["device_info", "funds_account", "goods_detail", "refund_account", "refund_desc", "refund_fee_type", "sub_mch_id"];

/// A refund as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundAsk {
    pub(super) payment: PaymentNo,
    pub(super) out_refund_no: OutRefundNo,
    /// Nothing: all of it.
    pub(super) refund_fee: Option<Fee>,
    /// Needed only for payments that were not placed here.
    pub(super) total_fee: Option<Fee>,
    notify_url: String,
    others: BTreeMap<String, String>,
    calls: Vec<String>,
}

/// A misspelt `refund_fee` must not refund all of it.
fn refuse_unknown(pairs: &[(String, String)]) -> Result<(), AskProblem> {
    let is_known = |name: &str| OURS.contains(&name) || WECHATS.contains(&name);
    match pairs.iter().find(|(name, _)| !is_known(name)) {
        Some((name, _)) => Err(AskProblem::Parameter(format!("{} is no parameter of a refund", shown(name)))),
        None => Ok(()),
    }
}

/// What is written down of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StoredRefund {
    notify_url: String,
    others: BTreeMap<String, String>,
    pub(super) calls: Vec<String>,
}

impl RefundAsk {
    /// Reads the parameters of a refund.
    ///
    /// # Errors
    /// [`AskProblem`].
    pub fn read(
        pairs: &[(String, String)],
        registered: &Registered,
        call_urls: &CallUrls,
        base: &str,
    ) -> Result<Self, AskProblem> {
        let given = Given { pairs };
        given.refuse_repeated()?;
        given.refuse_other("appid", Some(registered.appid.as_str()))?;
        given.refuse_other("mch_id", registered.app.settings.mch_id.as_deref())?;
        refuse_unknown(pairs)?;
        let value = |name: &str| {
            let found = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            found.filter(|value| !value.is_empty())
        };
        let wrong = |text: String| AskProblem::Parameter(text);
        let number = value("out_refund_no").ok_or_else(|| {
            wrong("out_refund_no is missing: your own number of the refund, by which it is never made twice".to_owned())
        })?;
        let fee = |name: &str| {
            let fee = value(name).map(Fee::parse).transpose();
            fee.map_err(|error| wrong(format!("{name}: {error}")))
        };
        if value("refund_fee").is_some() && value("fee").is_some() && value("refund_fee") != value("fee") {
            return Err(wrong("refund_fee and fee are the same thing and differ; give one of them".to_owned()));
        }
        let named = |name: &'static str| pairs.iter().filter(move |(known, value)| known == name && !value.is_empty());
        let mut calls: Vec<&str> = named("call").map(|(_, value)| value.as_str()).take(MAX_CALLS + 1).collect();
        if calls.is_empty() {
            calls.extend(named("notify_url").map(|(_, value)| value.as_str()));
        }
        let mut others: BTreeMap<String, String> =
            pairs.iter().filter(|(name, value)| !value.is_empty() && !OURS.contains(&name.as_str())).cloned().collect();
        if let Some(reason) = value("reason") {
            others.entry("refund_desc".to_owned()).or_insert_with(|| reason.to_owned());
        }
        Ok(Self {
            payment: payment_of(value)?,
            out_refund_no: OutRefundNo::parse(number).map_err(|error| wrong(error.to_string()))?,
            refund_fee: fee("refund_fee")?.or(fee("fee")?),
            total_fee: fee("total_fee")?,
            notify_url: notify_url(base, &registered.app.key, "/pay/refund/notify"),
            others,
            calls: call_urls.of_payment(&calls, registered)?,
        })
    }

    pub(super) fn stored(&self) -> StoredRefund {
        StoredRefund { notify_url: self.notify_url.clone(), others: self.others.clone(), calls: self.calls.clone() }
    }

    /// What was asked, as a hash: the same number with the same content is the same refund.
    pub(super) fn content(&self, refund_fee: i64, total: i64) -> [u8; 32] {
        let payment = match &self.payment {
            PaymentNo::OutTradeNo(number) => format!("out_trade_no {}", number.as_str()),
            PaymentNo::TransactionId(id) => format!("transaction_id {id}"),
        };
        let fees = [refund_fee.to_string(), total.to_string()];
        let mut hash = Sha256::new();
        let others = self.others.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let fixed = [payment.as_str()].into_iter().chain(fees.iter().map(String::as_str));
        for text in fixed.chain(others).chain(self.calls.iter().map(String::as_str)) {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }

    /// What the order was about, in fen.
    ///
    /// # Errors
    /// When it is not known, or another than is said.
    pub(super) fn total(&self, order: Option<&Order>) -> Result<i64, PayError> {
        let given = self.total_fee.map(|fee| i64::from(fee.fen()));
        match (order, given) {
            (Some(order), Some(given)) if given != order.total_fee => {
                let total = order.total_fee;
                Err(AskProblem::Parameter(format!(
                    "total_fee is {given} fen, but the order was about {total}; leave it out"
                ))
                .into())
            }
            (Some(order), _) => Ok(order.total_fee),
            (None, Some(given)) => Ok(given),
            (None, None) => Err(AskProblem::Parameter(
                "total_fee is missing: this payment was not placed here, so its total is not known".to_owned(),
            )
            .into()),
        }
    }

    /// `out_trade_no` and `transaction_id`, as far as they are known.
    pub(super) fn numbers(&self, order: Option<&Order>) -> (String, String) {
        match (order, &self.payment) {
            (Some(order), _) => (order.out_trade_no.clone(), order.transaction_id.clone()),
            (None, PaymentNo::OutTradeNo(number)) => (number.as_str().to_owned(), String::new()),
            (None, PaymentNo::TransactionId(id)) => (String::new(), id.clone()),
        }
    }

    pub(super) fn order_id(&self, order: Option<&Order>, mch_id: &str) -> OrderId {
        match (order, &self.payment) {
            (Some(order), _) => order.id,
            (None, PaymentNo::OutTradeNo(number)) => OrderId::of(mch_id, number.as_str()),
            (None, PaymentNo::TransactionId(_)) => OrderId::UNKNOWN,
        }
    }
}

impl StoredRefund {
    /// As the protocol takes it: always the same for what was written down.
    pub(super) fn into_refund(self, refund: &Refund) -> Result<wechat::pay::Refund, AskProblem> {
        let wrong = |text: String| AskProblem::Parameter(text);
        let fee = |fen: i64| Fee::parse(&fen.to_string()).map_err(|error| wrong(error.to_string()));
        let payment = if refund.out_trade_no.is_empty() {
            PaymentNo::TransactionId(refund.transaction_id.clone())
        } else {
            PaymentNo::OutTradeNo(OutTradeNo::parse(&refund.out_trade_no).map_err(|error| wrong(error.to_string()))?)
        };
        Ok(wechat::pay::Refund {
            appid: refund.appid.clone(),
            payment,
            out_refund_no: OutRefundNo::parse(&refund.out_refund_no).map_err(|error| wrong(error.to_string()))?,
            total_fee: fee(refund.total_fee)?,
            refund_fee: fee(refund.refund_fee)?,
            notify_url: Some(self.notify_url),
            others: self.others,
        })
    }
}

/// Which refund is meant, as WeChat ranks the numbers.
///
/// # Errors
/// When none is given, or one is malformed.
pub fn refund_of<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Result<RefundNo, AskProblem> {
    if let Some(id) = value("refund_id") {
        let is_plain = id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        let wrong =
            || AskProblem::Parameter("refund_id is WeChat's number of the refund, at most 32 digits".to_owned());
        return is_plain.then(|| RefundNo::RefundId(id.to_owned())).ok_or_else(wrong);
    }
    if let Some(number) = value("out_refund_no") {
        let number = OutRefundNo::parse(number).map_err(|error| AskProblem::Parameter(error.to_string()))?;
        return Ok(RefundNo::OutRefundNo(number));
    }
    payment_of(value).map(RefundNo::Payment).map_err(|_| {
        AskProblem::Parameter("out_refund_no is missing (or refund_id): which refund is meant?".to_owned())
    })
}
