//! Times as WeChat Pay writes them: v2 in Beijing time without saying so, v3 as RFC 3339.
//!
//! Used to translate between the versions. Beijing is 8 hours ahead of UTC, all year, since 1992. What must stay true:
//! what is written is read back as the same second; nothing here knows what time it is now.

/// How far Beijing's clocks are ahead of UTC, in seconds.
const BEIJING: i64 = 8 * 3600;

const DAY: i64 = 24 * 3600;

/// The last second of the year 9999, in Beijing: years have four digits.
const LAST: i64 = 253_402_300_799 - BEIJING;

/// Reads `yyyyMMddHHmmss`, Beijing time, as Unix seconds.
#[must_use]
pub fn parse_compact(text: &str) -> Option<i64> {
    let is_compact = text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit());
    let field = |range: std::ops::Range<usize>| text.get(range)?.parse().ok();
    let date = (field(0..4)?, field(4..6)?, field(6..8)?);
    let time = (field(8..10)?, field(10..12)?, field(12..14)?);
    is_compact.then(|| seconds(date, time)).flatten().map(|seconds| seconds - BEIJING)
}

/// Unix seconds as `yyyyMMddHHmmss`, Beijing time: `time_end`, `time_expire` of v2.
#[must_use]
pub fn compact(unix: i64) -> String {
    let ((year, month, day), (hour, minute, second)) = beijing(unix);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// Unix seconds as `yyyy-MM-dd HH:mm:ss`, Beijing time: `success_time` of v2's refunds.
#[must_use]
pub fn spaced(unix: i64) -> String {
    let ((year, month, day), (hour, minute, second)) = beijing(unix);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Unix seconds as RFC 3339 with Beijing's offset: what v3 writes.
#[must_use]
pub fn rfc3339(unix: i64) -> String {
    spaced(unix).replacen(' ', "T", 1) + "+08:00"
}

/// Reads RFC 3339 with any offset as Unix seconds; a fraction of a second is cut off.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let offset = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
    };
    let unshifted = seconds(numbers(date, b'-', [4, 2, 2])?, numbers(time, b':', [2, 2, 2])?)?;
    if offset.eq_ignore_ascii_case("z") {
        return Some(unshifted);
    }
    let (sign, digits) = offset.split_at_checked(1)?;
    let (hours, minutes, _) = numbers(&format!("{digits}:00"), b':', [2, 2, 2])?;
    let shift = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    match sign {
        "+" => Some(unshifted - shift),
        "-" => Some(unshifted + shift),
        _ => None,
    }
}

/// Three numbers of so many digits each, with `separator` between them.
fn numbers(text: &str, separator: u8, digits: [usize; 3]) -> Option<(i64, i64, i64)> {
    let mut parts = text.split(char::from(separator));
    let mut next = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))?;
        part.parse().ok()
    };
    let [first, second, third] = digits;
    let numbers = (next(first)?, next(second)?, next(third)?);
    parts.next().is_none().then_some(numbers)
}

/// Seconds from 1970 to this date and time, if there is such a one.
fn seconds((year, month, day): (i64, i64, i64), (hour, minute, second): (i64, i64, i64)) -> Option<i64> {
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    (is_time && is_date).then(|| days_before(year, month, day) * DAY + hour * 3600 + minute * 60 + second)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to this date. The year is taken to begin in March, so the leap day is its last; 400 years have
/// 146,097 days, and 719,468 of them lie between March of the year 0 and 1970.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Date and time in Beijing; what is beyond four digits of the year is cut to the nearest that is not.
fn beijing(unix: i64) -> ((i64, i64, i64), (i64, i64, i64)) {
    let local = unix.clamp(-BEIJING, LAST) + BEIJING;
    let (days, second_of_day) = (local.div_euclid(DAY) + 719_468, local.rem_euclid(DAY));
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    ((year, month, day), (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documents_times_are_read_and_written() {
        assert_eq!(parse_rfc3339("2026-01-01T10:34:56+08:00"), Some(1_767_234_896));
        assert_eq!(parse_rfc3339("2026-01-01T02:34:56Z"), Some(1_767_234_896));
        assert_eq!(parse_rfc3339("2026-01-01T02:34:56.789Z"), Some(1_767_234_896));
        assert_eq!(parse_rfc3339("2025-12-31T21:04:56-05:30"), Some(1_767_234_896));
        assert_eq!(parse_compact("20260101103456"), Some(1_767_234_896));
        assert_eq!(compact(1_767_234_896), "20260101103456");
        assert_eq!(spaced(1_767_318_361), "2026-01-02 09:46:01");
        assert_eq!(rfc3339(1_767_234_896), "2026-01-01T10:34:56+08:00");
        assert_eq!((compact(-BEIJING), compact(0)), ("19700101000000".to_owned(), "19700101080000".to_owned()));
        assert_eq!((compact(LAST), compact(i64::MAX)), ("99991231235959".to_owned(), "99991231235959".to_owned()));
    }

    #[test]
    fn leap_days_exist_in_leap_years_only() {
        assert_eq!(spaced(parse_compact("20240229000000").unwrap()), "2024-02-29 00:00:00");
        assert_eq!(spaced(parse_compact("20000229235959").unwrap()), "2000-02-29 23:59:59");
        for none in ["20230229000000", "21000229000000", "20240230000000", "20240431000000", "20241301000000"] {
            assert_eq!(parse_compact(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in ["", "2026010110345", "202601011034560", "2026010124345 ", "20260101243456", "二026010110345"] {
            assert_eq!(parse_compact(text), None, "{text}");
        }
        let wrong = [
            "",
            "2026-01-01",
            "2026-01-01T10:34:56",
            "2026-01-01 10:34:56+08:00",
            "2026-1-01T10:34:56+08:00",
            "2026-01-01T10:34:60Z",
            "2026-01-01T10:34:56+0800",
            "2026-01-01T10:34:56+24:00",
            "2026-01-01T10:34:56+08:00 ",
            "2026-01-01T10:34:56.x+08:00",
            "+026-01-01T10:34:56+08:00",
        ];
        for text in wrong {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_second_comes_back(unix in -BEIJING..=LAST) {
            prop_assert_eq!(parse_compact(&compact(unix)), Some(unix));
            prop_assert_eq!(parse_rfc3339(&rfc3339(unix)), Some(unix));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,30}", unix in any::<i64>()) {
            let _ = (parse_compact(&text), parse_rfc3339(&text));
            prop_assert_eq!(compact(unix).len(), 14);
        }
    }
}
