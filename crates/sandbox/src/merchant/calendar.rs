//! Times as WeChat Pay writes them: Beijing time, in the three shapes of v2, v3 and the bills.
//!
//! Used by orders, refunds, notifications and bills. What must stay true: reading is the opposite of writing, and texts
//! that are no time are none.

use crate::clock::Time;

/// Beijing is 8 hours ahead of UTC, without daylight saving.
const OFFSET_SECS: u64 = 8 * 3600;

/// A moment as the calendar of Beijing shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

/// A moment in Beijing.
pub(crate) fn in_beijing(time: Time) -> Moment {
    let secs = time.secs() + OFFSET_SECS;
    // Days to a date by shifting the year to start in March, so that the leap day comes last.
    let days = secs / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    Moment {
        year: era * 400 + year_of_era + u64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted + 2) / 5 + 1,
        hour: secs % 86_400 / 3600,
        minute: secs % 3600 / 60,
        second: secs % 60,
    }
}

/// `20260101103456`.
pub(crate) fn compact(time: Time) -> String {
    let Moment { year, month, day, hour, minute, second } = in_beijing(time);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// `2026-01-01 10:34:56`.
pub(crate) fn spaced(time: Time) -> String {
    let Moment { year, month, day, hour, minute, second } = in_beijing(time);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// `2026-01-01T10:34:56+08:00`.
pub(crate) fn rfc3339(time: Time) -> String {
    format!("{}+08:00", spaced(time).replace(' ', "T"))
}

/// The moment that `20260101103456` says.
pub(crate) fn parse_compact(text: &str) -> Option<Time> {
    let digits = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| moment(text.get(..8)?, text.get(8..)?)).flatten()
}

/// The moment that `2026-01-01T10:34:56+08:00` says; fractions of seconds are dropped, `Z` and other offsets
/// understood.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Time> {
    let (date, rest) = text.split_once('T')?;
    let mark = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(mark)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let numbers = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !numbers(fraction) || date.len() != 10 || clock.len() != 8 {
        return None;
    }
    let in_beijing = moment(&date.replace('-', ""), &clock.replace(':', ""))?;
    let utc = in_beijing.secs() + OFFSET_SECS;
    let ahead = match zone.split_at_checked(1)? {
        ("Z", "") => return Some(Time::from_secs(utc)),
        (sign, offset) => (sign, offset.split_once(':')?),
    };
    let (sign, (hours, minutes)) = ahead;
    let offset = hours.parse::<u64>().ok()? * 3600 + minutes.parse::<u64>().ok()? * 60;
    Some(Time::from_secs(if sign == "+" { utc.checked_sub(offset)? } else { utc + offset }))
}

/// The number of the day that `20260101` or, with dashes, `2026-01-01` names, as [`Time::day`] counts.
pub(crate) fn parse_day(text: &str, dashes: bool) -> Option<u64> {
    let bare = if dashes { text.replace('-', "") } else { text.to_owned() };
    if text.len() != if dashes { 10 } else { 8 } || bare.len() != 8 {
        return None;
    }
    moment(&bare, "000000").map(Time::day)
}

/// `20260101` and `103456`, in Beijing.
fn moment(date: &str, clock: &str) -> Option<Time> {
    let number = |text: &str, range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(date, 0..4)?, number(date, 4..6)?, number(date, 6..8)?);
    let (hour, minute, second) = (number(clock, 0..2)?, number(clock, 2..4)?, number(clock, 4..6)?);
    let fits = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !fits || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let secs = days.checked_sub(719_468)? * 86_400 + hour * 3600 + minute * 60 + second;
    let time = Time::from_secs(secs.checked_sub(OFFSET_SECS)?);
    // A 31st of a month with 30 days reads as another date.
    (in_beijing(time).day == day).then_some(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_shapes() {
        let time = Time::from_secs(1_767_234_896);
        assert_eq!(compact(time), "20260101103456");
        assert_eq!(spaced(time), "2026-01-01 10:34:56");
        assert_eq!(rfc3339(time), "2026-01-01T10:34:56+08:00");
        assert_eq!(parse_rfc3339("2026-01-01T02:34:56.789Z"), Some(time));
        assert_eq!(parse_rfc3339("2025-12-31T21:34:56-05:00"), Some(time));
        assert_eq!(parse_day("20260101", false), Some(time.day()));
        assert_eq!(parse_day("2026-01-01", true), Some(time.day()));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["2026010110345", "20260230103456", "20261301103456", "20260101243456", "2026010110345x"] {
            assert_eq!(parse_compact(text), None, "{text}");
        }
        for text in ["2026-01-01", "2026-01-01T10:34:56", "2026-1-1T10:34:56Z", "2026-01-01T10:34:56.Z", "T+", "x"] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
        assert_eq!(parse_day("2026-01-01", false), None);
    }

    proptest! {
        #[test]
        fn reading_is_the_opposite_of_writing(secs in 0_u64..200_000_000_000) {
            let time = Time::from_secs(secs);
            prop_assert_eq!(parse_compact(&compact(time)), Some(time));
            prop_assert_eq!(parse_rfc3339(&rfc3339(time)), Some(time));
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC{0,40}") {
            parse_compact(&text);
            parse_rfc3339(&text);
            parse_day(&text, true);
        }
    }
}
