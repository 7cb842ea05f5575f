//! Ids in the shapes that WeChat Pay gives them; clients have to take all of them as opaque.
//!
//! Used by orders and refunds.

use super::calendar::compact;
use crate::chance;
use crate::clock::Time;

/// `wx`, day and time, and 26 characters more.
pub(crate) fn prepay_id(now: Time) -> String {
    let now = compact(now);
    format!("wx{}{}", now.get(6..).unwrap_or_default(), chance::letters(26).to_lowercase())
}

/// The end of a `code_url`: 9 characters.
pub(crate) fn code_tail() -> String {
    format!("{}zz", chance::letters(7))
}

/// 28 digits that begin with 4200.
pub(crate) fn transaction_id(now: Time) -> String {
    let now = compact(now);
    format!("4200{}{}{}", chance::digits(6), now.get(..8).unwrap_or_default(), chance::digits(10))
}

/// 29 digits that begin with 50.
pub(crate) fn refund_id(now: Time) -> String {
    let now = compact(now);
    format!("50{}{}{}", chance::digits(8), now.get(..8).unwrap_or_default(), chance::digits(11))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_are_those_of_wechat() {
        let now = Time::from_secs(1_767_234_896);
        assert_eq!(prepay_id(now).len(), 36);
        assert!(prepay_id(now).starts_with("wx01103456"));
        assert_eq!(transaction_id(now).len(), 28);
        assert!(transaction_id(now).starts_with("4200") && transaction_id(now).bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(refund_id(now).len(), 29);
        assert_eq!(code_tail().len(), 9);
    }
}
