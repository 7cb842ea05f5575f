//! A limit on log lines that strangers can cause: so many a minute, and then how many were left out.

use std::sync::{Mutex, PoisonError};

use store::Timestamp;

/// Lines of one kind in a minute.
const LINES_A_MINUTE: u32 = 20;

/// Counts the lines of one kind.
#[derive(Debug, Default)]
pub struct LogLimit(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    lines: u32,
    left_out: u32,
}

impl LogLimit {
    /// Whether a line may be written at `now`; then also how many were left out since the last one.
    pub fn admit(&self, now: Timestamp) -> Option<u32> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.as_seconds().div_euclid(60);
        if minute.number != number {
            *minute = Minute { number, lines: 0, left_out: minute.left_out };
        }
        if minute.lines >= LINES_A_MINUTE {
            minute.left_out = minute.left_out.saturating_add(1);
            return None;
        }
        minute.lines += 1;
        Some(std::mem::take(&mut minute.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_minute_has_so_many_lines_and_the_next_says_how_many_were_left_out() {
        let (limit, now) = (LogLimit::default(), Timestamp::from_seconds(1_700_000_040));
        let told = (0..100).filter(|_| limit.admit(now).is_some()).count();
        assert_eq!(told, 20);
        assert_eq!(limit.admit(now + Duration::from_secs(60)), Some(80));
        assert_eq!(limit.admit(now + Duration::from_secs(60)), Some(0));
    }
}
