//! A notification: WeChat Pay tells that a payment was made or a refund has ended.
//!
//! Opened by [`Merchant::open`](super::Merchant::open). What must stay true: nobody else can make a [`Notice`], so its
//! holder knows that WeChat sent it, to this merchant; whether it fits the order (appid, number, amount) the engine
//! compares.

use serde_json::{Map, Value};

/// What a notification is about: each has a `notify_url` of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NoticeKind {
    /// A payment was made.
    Payment,
    /// A refund has ended.
    Refund,
}

/// A verified notification.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// v3's name for both versions: `TRANSACTION.SUCCESS`, `REFUND.SUCCESS`, `REFUND.ABNORMAL`, `REFUND.CLOSED`.
    pub event_type: String,
    /// The account; v3's refund notifications do not say it.
    pub appid: Option<String>,
    /// The merchant: always the one that opened it.
    pub mch_id: String,
    /// The merchant's number of the order.
    pub out_trade_no: String,
    /// WeChat's number of the payment.
    pub transaction_id: String,
    /// The amount of the order, in fen (not what the payer paid after discounts).
    pub total_fee: i64,
    /// The merchant's number of the refund.
    pub out_refund_no: Option<String>,
    /// All of it by v2's names, as it is delivered; empty fields, `sign`, `sign_type`, `nonce_str` are left out.
    pub fields: Map<String, Value>,
    /// What v3 said, as it said it.
    pub resource: Option<Value>,
}

/// Why a notification is not accepted. The texts are for operators.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoticeError {
    /// WeChat's deliberate wrong signature (`WECHATPAY/SIGNTEST/…`); it comes again with a right one.
    #[error("a wrong signature by which WeChat Pay tests whether signatures are verified: nothing to do")]
    SignatureProbe,
    /// A part of the signature is missing.
    #[error("{0} is missing: not from WeChat Pay, or a proxy in between drops header fields it does not know")]
    MissingHeader(&'static str),
    /// The time of the signature is no number.
    #[error("Wechatpay-Timestamp is no number of seconds: not from WeChat Pay")]
    BadTimestamp,
    /// The time of the signature is too far from now.
    #[error("signed {seconds} s away from this machine's clock, 300 s are allowed: set the clock, or it is a replay")]
    Stale {
        /// How far, in seconds; positive when it is older than now.
        seconds: i64,
    },
    /// Signed with a key that is not known here.
    #[error(
        "signed with the key {0}, which is not known here: fetch the certificates, or register WeChat Pay's public key"
    )]
    UnknownSerial(String),
    /// The signature does not fit.
    #[error("the signature is wrong: not from WeChat Pay, changed on the way, or (v2) the API key is another one")]
    BadSignature,
    /// What is sealed cannot be opened.
    #[error("the sealed part does not open with the registered API key: compare it with the merchant platform's")]
    NotDecryptable,
    /// It is no notification.
    #[error("not a notification as WeChat Pay's documents describe it: {0}")]
    Malformed(String),
    /// Meant for another merchant.
    #[error("the notification is about another merchant: compare notify_url and mch_id of the registrations")]
    OtherMerchant,
    /// It tells of something else than a success.
    #[error("the notification tells of no successful payment: {0}")]
    NotASuccess(String),
}

impl NoticeError {
    /// Whether WeChat only tested that signatures are verified.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        *self == Self::SignatureProbe
    }
}
