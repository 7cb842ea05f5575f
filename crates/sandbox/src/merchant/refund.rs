//! Refunds: accepted first, settled later.
//!
//! Made by `platform/pay_v2` and `pay_v3`, settled by the notifier when their time has come or by the control API. What
//! must stay true: the refunds of an order that are not closed never add up to more than its total.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::order::Origin;
use crate::clock::Time;

/// How a refund ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum RefundState {
    #[default]
    Processing,
    Success,
    /// The money stays with the merchant.
    Closed,
    /// The payer's card refused it.
    Abnormal,
}

impl RefundState {
    /// The name that v3 uses.
    pub(crate) fn v3(self) -> &'static str {
        match self {
            RefundState::Processing => "PROCESSING",
            RefundState::Success => "SUCCESS",
            RefundState::Closed => "CLOSED",
            RefundState::Abnormal => "ABNORMAL",
        }
    }

    /// The name that v2 uses.
    pub(crate) fn v2(self) -> &'static str {
        match self {
            RefundState::Processing => "PROCESSING",
            RefundState::Success => "SUCCESS",
            RefundState::Closed => "REFUNDCLOSE",
            RefundState::Abnormal => "CHANGE",
        }
    }
}

/// What a refund is made from; checked already.
#[derive(Clone, Debug)]
pub(crate) struct RefundWish {
    pub(crate) out_refund_no: String,
    pub(crate) origin: Origin,
    /// In fen.
    pub(crate) amount: u64,
    pub(crate) reason: String,
    pub(crate) notify_url: Option<String>,
    /// As v2 names it, `REFUND_SOURCE_UNSETTLED_FUNDS` or `REFUND_SOURCE_RECHARGE_FUNDS`.
    pub(crate) account: &'static str,
    /// All that has to be the same when the number is used again.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// A refund.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refund {
    /// In the order in which they were made.
    pub(crate) number: u64,
    pub(crate) mch_id: String,
    pub(crate) appid: String,
    pub(crate) out_trade_no: String,
    pub(crate) transaction_id: String,
    pub(crate) out_refund_no: String,
    pub(crate) refund_id: String,
    #[serde(flatten)]
    pub(crate) origin: Origin,
    /// Of the order, in fen.
    pub(crate) total: u64,
    /// In fen.
    pub(crate) amount: u64,
    /// What comes back to the payer, without coupons, in fen.
    pub(crate) payer_amount: u64,
    pub(crate) reason: String,
    pub(crate) notify_url: Option<String>,
    pub(crate) account: &'static str,
    #[serde(skip)]
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) created: Time,
    pub(crate) state: RefundState,
    /// When it was settled.
    pub(crate) settled: Option<Time>,
}

impl Refund {
    /// Where the money goes, as people read it.
    pub(crate) fn received_by(&self) -> &'static str {
        "支付用户零钱"
    }

    /// When the money came back.
    pub(crate) fn success_time(&self) -> Option<Time> {
        self.settled.filter(|_| self.state == RefundState::Success)
    }

    /// Whether a card refused it: then v3 says `ABNORMAL` and it can be settled once more.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.state, RefundState::Success | RefundState::Closed)
    }
}
