//! An amount of money, in fen (a hundredth of a yuan).
//!
//! Used for orders and refunds, whose amounts come from teams as text. What must stay true: a [`Fee`] is between 1 fen
//! and [`MAX_FEE`], so nothing that takes one has to look again.

use std::fmt;

/// The highest amount of one order or refund, in fen: a million yuan. WeChat's documents name no limit, the limit of
/// each merchant and bank is lower; this one is ours, against amounts in the wrong unit.
pub const MAX_FEE: u32 = 100_000_000;

/// An amount in fen: 1 to [`MAX_FEE`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fee(u32);

/// Why a text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FeeError {
    /// Nothing at all.
    #[error("the amount is missing: give it in fen (1 yuan is 100), as a whole number")]
    Missing,
    /// Nothing to pay.
    #[error("the amount is 0, but WeChat Pay takes 1 fen at least: ask for nothing when there is nothing to pay")]
    Zero,
    /// Below nothing.
    #[error("the amount is negative: give it in fen, as a whole number from 1 on")]
    Negative,
    /// A fraction, a unit, or no number.
    #[error("the amount is no whole number: give it in fen, with digits only (12.34 yuan is 1234)")]
    NotAnInteger,
    /// More than [`MAX_FEE`].
    #[error(
        "the amount is above {MAX_FEE} fen, the limit of one payment here: amounts are in fen, not in yuan or cents"
    )]
    AboveLimit,
}

impl Fee {
    /// Reads an amount in fen: digits only; leading zeros do not count.
    ///
    /// # Errors
    /// [`FeeError`], which says what to give instead.
    pub fn parse(text: &str) -> Result<Self, FeeError> {
        let text = text.trim();
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        if text.is_empty() {
            return Err(FeeError::Missing);
        }
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(FeeError::NotAnInteger);
        }
        let significant = digits.trim_start_matches('0');
        match (significant.is_empty(), negative) {
            (true, _) => Err(FeeError::Zero),
            (false, true) => Err(FeeError::Negative),
            (false, false) => significant.parse().ok().and_then(Self::of).ok_or(FeeError::AboveLimit),
        }
    }

    /// An amount in fen that is a number already; `None` when it is out of range.
    #[must_use]
    pub fn of(fen: u32) -> Option<Self> {
        (1..=MAX_FEE).contains(&fen).then_some(Self(fen))
    }

    /// The amount in fen.
    #[must_use]
    pub fn fen(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Fee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Fee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fen", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_amount_is_told_apart() {
        let wrong = [
            ("", FeeError::Missing),
            ("  ", FeeError::Missing),
            ("0", FeeError::Zero),
            ("000", FeeError::Zero),
            ("-0", FeeError::Zero),
            ("-1", FeeError::Negative),
            ("1.00", FeeError::NotAnInteger),
            ("+1", FeeError::NotAnInteger),
            ("1e2", FeeError::NotAnInteger),
            ("一", FeeError::NotAnInteger),
            ("１", FeeError::NotAnInteger),
            ("-", FeeError::NotAnInteger),
            ("100000001", FeeError::AboveLimit),
            ("99999999999999999999999999", FeeError::AboveLimit),
        ];
        for (text, error) in wrong {
            assert_eq!(Fee::parse(text), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_within_the_limit_is_read_as_written(fen in 1..=MAX_FEE, zeros in 0..4_usize) {
            let text = format!("{}{fen}", "0".repeat(zeros));
            prop_assert_eq!(Fee::parse(&text).map(Fee::fen), Ok(fen));
        }
    }
}
