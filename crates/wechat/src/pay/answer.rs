//! What WeChat Pay answered: verified, and in v2's flat names whichever version it came from.
//!
//! Made by [`Merchant::read`](super::Merchant::read). What must stay true: nobody else can make one, so whoever holds
//! an [`Answer`] holds WeChat's word; amounts (`*_fee`) and counts (`*_count`) are JSON integers.

use serde_json::{Map, Value};

/// A verified answer.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The fields, by v2's names; empty ones, `sign`, `sign_type` and `nonce_str` are left out.
    pub fields: Map<String, Value>,
    /// What v3 said, as it said it; nothing for v2 and for answers without body.
    pub resource: Option<Value>,
}

/// How a payment stands (`trade_state`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TradeState {
    /// Paid, nothing refunded.
    Success,
    /// Paid, and at least one refund exists.
    Refund,
    /// Not paid; also after its time is over, until it is closed.
    NotPay,
    /// Will never be paid.
    Closed,
    /// Withdrawn (code-pay only).
    Revoked,
    /// The payer is at it (code-pay only).
    UserPaying,
    /// The payment failed (code-pay only).
    PayError,
    /// Accepted, waiting for the deduction.
    Accept,
}

/// How a refund stands, in v2's words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefundStatus {
    /// The money is back.
    Success,
    /// It failed; the money stays with the merchant (v3: `CLOSED`).
    RefundClose,
    /// Under way.
    Processing,
    /// The payer's bank refused; a person has to see to it (v3: `ABNORMAL`).
    Change,
}

impl Answer {
    pub(super) fn new(fields: Map<String, Value>, resource: Option<Value>) -> Self {
        Self { fields, resource }
    }

    /// A field that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    /// A field that is an amount in fen (or a count).
    #[must_use]
    pub fn fen(&self, name: &str) -> Option<i64> {
        self.fields.get(name).and_then(Value::as_i64)
    }

    /// `trade_state`; `None` when there is none, or one that is not documented.
    #[must_use]
    pub fn trade_state(&self) -> Option<TradeState> {
        TradeState::parse(self.text("trade_state")?)
    }

    /// The state of the refund, of the first one if there are several. v2 does not say it when a refund is accepted.
    #[must_use]
    pub fn refund_status(&self) -> Option<RefundStatus> {
        let of_v3 = || self.resource.as_ref()?.get("status")?.as_str();
        let status = self.text("refund_status").or_else(|| self.text("refund_status_0")).or_else(of_v3)?;
        RefundStatus::parse(status)
    }
}

impl TradeState {
    /// Reads WeChat's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "SUCCESS" => Self::Success,
            "REFUND" => Self::Refund,
            "NOTPAY" => Self::NotPay,
            "CLOSED" => Self::Closed,
            "REVOKED" => Self::Revoked,
            "USERPAYING" => Self::UserPaying,
            "PAYERROR" => Self::PayError,
            "ACCEPT" => Self::Accept,
            _ => return None,
        })
    }

    /// Whether the money was received: paid, refunded later or not.
    #[must_use]
    pub fn is_paid(self) -> bool {
        matches!(self, Self::Success | Self::Refund)
    }

    /// Whether it can still be paid.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::NotPay | Self::UserPaying | Self::Accept)
    }
}

impl RefundStatus {
    /// Reads the name of either version.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "SUCCESS" => Self::Success,
            "REFUNDCLOSE" | "CLOSED" => Self::RefundClose,
            "PROCESSING" => Self::Processing,
            "CHANGE" | "ABNORMAL" => Self::Change,
            _ => return None,
        })
    }

    /// v2's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::RefundClose => "REFUNDCLOSE",
            Self::Processing => "PROCESSING",
            Self::Change => "CHANGE",
        }
    }
}
