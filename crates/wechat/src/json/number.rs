//! Which texts are numbers, and how numbers are written as text.
//!
//! Used by the JSON reader and writer. What must stay true: what becomes a JSON number comes back from any JSON library
//! with the same value, also from one that keeps decimals as doubles.

use std::borrow::Cow;

/// How many decimal digits a double keeps, whatever they are (C calls it `DBL_DIG`).
const DOUBLE_DIGITS: usize = 15;

/// Longest number that is made of one with an exponent; longer ones keep theirs.
const MAX_WRITTEN_OUT: usize = 40;

/// The JSON number that a bare text of XML stands for, if it stands for one.
pub(super) fn from_text(text: &str) -> Option<&str> {
    // Most texts are none: the first character tells.
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return None;
    }
    let Some((whole, fraction)) = text.split_once('.') else {
        return is_integer(text).then_some(text);
    };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let shorter = text.trim_end_matches('0');
    if shorter.ends_with('.') {
        return is_integer(whole).then_some(whole);
    }
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let count = shorter.bytes().filter(u8::is_ascii_digit).count();
    (is_canonical(digits) && count <= DOUBLE_DIGITS).then_some(shorter)
}

/// A whole number of at most 64 bits, without a zero in front.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text != "-0" && is_canonical(digits) && (text.parse::<u64>().is_ok() || text.parse::<i64>().is_ok())
}

fn is_canonical(digits: &str) -> bool {
    let has_zero_in_front = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !has_zero_in_front && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A JSON number as bare text: letter by letter, but without exponent, which WeChat's XML does not have.
pub(super) fn to_text(number: &str) -> Cow<'_, str> {
    written_out(number).map_or(Cow::Borrowed(number), Cow::Owned)
}

fn written_out(number: &str) -> Option<String> {
    let (mantissa, exponent) = number.split_once(['e', 'E'])?;
    let exponent: isize = exponent.parse().ok()?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let point = whole.len().checked_add_signed(exponent);
    let digits = format!("{whole}{fraction}");
    let zeros = match point {
        Some(point) => point.saturating_sub(digits.len()),
        None => exponent.unsigned_abs().saturating_sub(whole.len()),
    };
    if digits.len().saturating_add(zeros) > MAX_WRITTEN_OUT {
        return None;
    }
    let zeros = "0".repeat(zeros);
    let (whole, fraction) = match point {
        None => (String::new(), format!("{zeros}{digits}")),
        Some(point) => match digits.split_at_checked(point) {
            Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
            None => (format!("{digits}{zeros}"), String::new()),
        },
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_numbers_are_numbers() {
        let numbers = [
            ("0", "0"),
            ("-1", "-1"),
            ("1700000000", "1700000000"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("15.0", "15"),
            ("1.20", "1.2"),
            ("1.2", "1.2"),
            ("-0.5", "-0.5"),
            ("0.00", "0"),
            ("23.134521", "23.134521"),
            ("123456789012345678.0", "123456789012345678"),
        ];
        for (text, number) in numbers {
            assert_eq!(from_text(text), Some(number), "{text}");
        }
    }

    #[test]
    fn everything_else_stays_a_string() {
        let strings = [
            "",
            "-",
            "-0",
            "-0.0",
            "00",
            "007",
            "01.5",
            "+1",
            " 1",
            "1 ",
            "1e5",
            "1.",
            ".5",
            "1.5.0",
            "1.x",
            "0x10",
            "18446744073709551616",
            "-9223372036854775809",
            "1234567890.123456",
            "NaN",
            "١",
        ];
        for text in strings {
            assert_eq!(from_text(text), None, "{text}");
        }
    }

    #[test]
    fn exponents_are_written_out() {
        let pairs = [
            ("1e5", "100000"),
            ("1E+2", "100"),
            ("1e-05", "0.00001"),
            ("2.5e1", "25"),
            ("-1.25e1", "-12.5"),
            ("1.5e-3", "0.0015"),
            ("0e0", "0"),
            ("100e-2", "1"),
            ("12e-1", "1.2"),
            ("1e400", "1e400"),
            ("1e-400", "1e-400"),
            ("1e99999999999999999999", "1e99999999999999999999"),
            ("1.50", "1.50"),
        ];
        for (number, text) in pairs {
            assert_eq!(to_text(number), text, "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_becomes_a_number_survives_a_double(text in "-?[0-9]{1,9}(\\.[0-9]{1,9})?") {
            if let Some(number) = from_text(&text).filter(|number| number.contains('.')) {
                let read_by_others: f64 = number.parse().unwrap();
                let written_by_others = serde_json::to_string(&read_by_others).unwrap();
                prop_assert_eq!(to_text(&written_by_others).into_owned(), number);
            }
        }

        #[test]
        fn writing_out_keeps_the_value(number in "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,5})?[eE][-+]?[0-9]{1,2}") {
            prop_assert_eq!(to_text(&number).parse::<f64>().unwrap(), number.parse::<f64>().unwrap());
        }
    }
}
