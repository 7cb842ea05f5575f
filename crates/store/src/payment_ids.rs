//! Names of orders and refunds: made from the numbers under which WeChat Pay knows them.
//!
//! `out_trade_no` and `out_refund_no` are unique for one merchant, not beyond; so an id is a hash of merchant and
//! number. Every node makes the same id of them, and a notification finds its order without a search.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::ids::{read_id, write_id};

/// Bytes of every id.
const LENGTH: usize = 16;
/// What stands before the digits.
const ORDER_PREFIX: &str = "ord_";
const REFUND_PREFIX: &str = "ref_";

/// The id of an order: the first 16 bytes of the SHA-256 of `mch_id` and `out_trade_no`, each with its length in bytes
/// before it (8 bytes, big-endian). Shown as `ord_` and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub [u8; LENGTH]);

/// The id of a refund: made and shown as an [`OrderId`], from `mch_id` and `out_refund_no`, with `ref_` before the
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundId(pub [u8; LENGTH]);

/// A text that is no id of an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an order's id is ord_ and 32 hexadecimal digits")]
pub struct NoOrderId;

/// A text that is no id of a refund.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a refund's id is ref_ and 32 hexadecimal digits")]
pub struct NoRefundId;

impl OrderId {
    /// Stands where only WeChat's number of a payment is known, not the merchant's.
    pub const UNKNOWN: Self = Self([0; LENGTH]);

    /// The order of a merchant with this number.
    #[must_use]
    pub fn of(mch_id: &str, out_trade_no: &str) -> Self {
        Self(hash(mch_id, out_trade_no))
    }
}

impl RefundId {
    /// The refund of a merchant with this number.
    #[must_use]
    pub fn of(mch_id: &str, out_refund_no: &str) -> Self {
        Self(hash(mch_id, out_refund_no))
    }
}

impl FromStr for OrderId {
    type Err = NoOrderId;

    fn from_str(text: &str) -> Result<Self, NoOrderId> {
        read_id(ORDER_PREFIX, text).map(Self).ok_or(NoOrderId)
    }
}

impl FromStr for RefundId {
    type Err = NoRefundId;

    fn from_str(text: &str) -> Result<Self, NoRefundId> {
        read_id(REFUND_PREFIX, text).map(Self).ok_or(NoRefundId)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, ORDER_PREFIX, &self.0)
    }
}

impl fmt::Display for RefundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_id(f, REFUND_PREFIX, &self.0)
    }
}

impl fmt::Debug for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for RefundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn hash(mch_id: &str, number: &str) -> [u8; LENGTH] {
    let mut hash = Sha256::new();
    for text in [mch_id, number] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let whole: [u8; 32] = hash.finalize().into();
    let mut first = [0; LENGTH];
    first.iter_mut().zip(whole).for_each(|(place, byte)| *place = byte);
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An id that changed with a version would no longer find its order. Computed with Python's hashlib.
    #[test]
    fn ids_of_orders_and_refunds_never_change() {
        let order = OrderId::of("1900000109", "TEST20260101000001");
        assert_eq!(order.to_string(), "ord_003b93483305316bb55482570b7f372f");
        let refund = RefundId::of("1900000109", "R20260101000001");
        assert_eq!(refund.to_string(), "ref_a5f87078e751a3569a08da62e9f34aaa");
        assert_ne!(OrderId::of("19", "00"), OrderId::of("190", "0"), "where one ends and the other begins counts");
    }

    #[test]
    fn one_kind_of_id_is_not_read_as_another() {
        let digits = "ab".repeat(16);
        assert_eq!(format!("ref_{digits}").parse::<OrderId>(), Err(NoOrderId));
        assert_eq!(format!("ord_{digits}").parse::<RefundId>(), Err(NoRefundId));
        for bad in ["", "ord_", "ord_ab", &digits, &format!("ord_{}", "zz".repeat(16)), &format!("ord_{digits}ab")] {
            assert_eq!(bad.parse::<OrderId>(), Err(NoOrderId), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn ids_are_read_as_they_are_shown(bytes: [u8; 16]) {
            prop_assert_eq!(OrderId(bytes).to_string().parse(), Ok(OrderId(bytes)));
            prop_assert_eq!(RefundId(bytes).to_string().parse(), Ok(RefundId(bytes)));
        }

        #[test]
        fn texts_that_are_no_ids_are_refused(text in ".*") {
            prop_assert_eq!(text.parse::<OrderId>().is_ok(), text.starts_with("ord_") && text.len() == 36
                && text.bytes().skip(4).all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
