//! The numbers by which payments and refunds are known: the merchant's own, and WeChat's.
//!
//! Source: `out_trade_no` and `out_refund_no` of the order and refund documents. What must stay true: a number is safe
//! in a path, an XML text and a log, because its characters are WeChat's few.

use std::fmt;

/// Shortest and longest `out_trade_no`, in characters.
const TRADE_LENGTHS: std::ops::RangeInclusive<usize> = 6..=32;

/// Shortest and longest `out_refund_no`, in characters.
const REFUND_LENGTHS: std::ops::RangeInclusive<usize> = 1..=64;

/// The merchant's number of an order: 6 to 32 of `0-9 A-Z a-z _ - | *`. One number, one order, for ever.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutTradeNo(Box<str>);

/// The merchant's number of a refund: 1 to 64 of `0-9 A-Z a-z _ - | * @`. The same number refunds once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutRefundNo(Box<str>);

/// How a payment is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PaymentNo {
    /// By the merchant's number.
    OutTradeNo(OutTradeNo),
    /// By WeChat's number, which exists once it is paid.
    TransactionId(String),
}

/// How a refund is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefundNo {
    /// By the merchant's number.
    OutRefundNo(OutRefundNo),
    /// By WeChat's number: v2 only.
    RefundId(String),
    /// All refunds of a payment: v2 only.
    Payment(PaymentNo),
}

/// Why a text is no number of an order or refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Wrong length or character of an `out_trade_no`.
    #[error("an out_trade_no has 6 to 32 letters, digits, '_', '-', '|' or '*' (WeChat's rule)")]
    OutTradeNo,
    /// Wrong length or character of an `out_refund_no`.
    #[error("an out_refund_no has 1 to 64 letters, digits, '_', '-', '|', '*' or '@' (WeChat's rule)")]
    OutRefundNo,
}

impl OutTradeNo {
    /// Takes `text` as the number of an order.
    ///
    /// # Errors
    /// [`NumberError::OutTradeNo`]
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let is_number = TRADE_LENGTHS.contains(&text.len()) && text.bytes().all(is_trade_byte);
        if is_number { Ok(Self(text.into())) } else { Err(NumberError::OutTradeNo) }
    }

    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OutRefundNo {
    /// Takes `text` as the number of a refund.
    ///
    /// # Errors
    /// [`NumberError::OutRefundNo`]
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let is_number = REFUND_LENGTHS.contains(&text.len()) && text.bytes().all(|b| is_trade_byte(b) || b == b'@');
        if is_number { Ok(Self(text.into())) } else { Err(NumberError::OutRefundNo) }
    }

    /// The number as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_trade_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'|' | b'*')
}

macro_rules! shown_as_text {
    ($($number:ty),*) => {$(
        impl fmt::Display for $number {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $number {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

shown_as_text!(OutTradeNo, OutRefundNo);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_wechats_lengths_and_characters() {
        for good in ["TEST20260101000001", "a_-|*0", &"x".repeat(32)] {
            assert_eq!(OutTradeNo::parse(good).unwrap().as_str(), good);
        }
        for wrong in ["", "12345", "123456@", "123 456", "一二三四五六", "12345/", &"x".repeat(33)] {
            assert_eq!(OutTradeNo::parse(wrong), Err(NumberError::OutTradeNo), "{wrong}");
        }
        for good in ["1", "R@2026", &"x".repeat(64)] {
            assert_eq!(OutRefundNo::parse(good).unwrap().as_str(), good);
        }
        for wrong in ["", "a b", "#", &"x".repeat(65)] {
            assert_eq!(OutRefundNo::parse(wrong), Err(NumberError::OutRefundNo), "{wrong}");
        }
    }
}
