//! Money that goes back to a payer.
//!
//! Made by the engine of what a backend asked, turned into a call by [`Merchant::refund`](super::Merchant::refund).
//! What must stay true: as of an order, the same refund makes the same parameters each time.

use std::collections::BTreeMap;

use super::{Fee, OutRefundNo, PaymentNo};

/// A refund, in v2's flat names whatever version is used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refund {
    /// The account that the payment belongs to.
    pub appid: String,
    /// The payment.
    pub payment: PaymentNo,
    /// The merchant's number of the refund.
    pub out_refund_no: OutRefundNo,
    /// How much was to be paid, in fen.
    pub total_fee: Fee,
    /// How much goes back, in fen.
    pub refund_fee: Fee,
    /// Where WeChat sends the notification; without it, where the merchant platform says.
    pub notify_url: Option<String>,
    /// All other parameters, by v2's names (`refund_desc`, `refund_account`, …); for v3 also by v3's own.
    pub others: BTreeMap<String, String>,
}
