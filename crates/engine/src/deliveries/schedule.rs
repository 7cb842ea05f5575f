//! When a delivery that failed is tried again.
//!
//! After 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 3 h, 6 h, 12 h, 24 h, each up to a tenth longer or shorter, so that a
//! thousand messages which failed together do not come back together; then the delivery is dead.

use std::time::Duration;

use store::{DeliveryState, Timestamp};

use crate::random::{Random, number_below};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Seconds between the tries.
const STEPS: [u64; 10] = [5, 30, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];

/// How many tries there are after the first.
pub const LAST_STEP: u32 = 10;

/// How long a delivery is kept alive at most: the whole schedule (47 h), and a day for a backend that is down and is not
/// tried with each of them.
pub const LONGEST: Duration = Duration::from_secs(71 * HOUR);

/// While a backend is down, how long its deliveries wait before one of them looks again.
const WHILE_DOWN: u64 = MINUTE;

/// Where a delivery stands in the schedule after a failed try, `age` after its message was received: one step further, but not
/// further than its age. A backend that comes and goes is tried more often, and must not use up in a minute what is meant
/// for two days.
#[must_use]
pub fn next_step(step: u32, age: Duration) -> u32 {
    let mut behind = 0;
    let mut passed = Duration::ZERO;
    for seconds in STEPS {
        // As early as jitter lets it be.
        passed += Duration::from_millis(seconds * 900);
        if age >= passed {
            behind += 1;
        }
    }
    (step + 1).min(behind + 1).max(step).min(LAST_STEP)
}

/// How long deliveries to a backend that is down are put off.
#[must_use]
pub fn while_down(random: &dyn Random) -> Duration {
    Duration::from_millis(WHILE_DOWN * 900 + number_below(random, WHILE_DOWN * 200))
}

/// How long after a failed try the next one is, with `step` tries after the first behind it; `None`: it was the last.
#[must_use]
pub fn pause(step: u32, random: &dyn Random) -> Option<Duration> {
    let seconds = *STEPS.get(usize::try_from(step).ok()?)?;
    let millis = seconds * 1000;
    Some(Duration::from_millis(millis - millis / 10 + number_below(random, millis / 5)))
}

/// Where a delivery stands after a failed try.
#[must_use]
pub fn after_failure(step: u32, now: Timestamp, random: &dyn Random) -> DeliveryState {
    pause(step, random).map_or(DeliveryState::Dead, |pause| DeliveryState::Pending(now + pause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::OsRandom;

    #[test]
    fn pauses_are_a_tenth_longer_or_shorter_at_most_and_end() {
        for (step, seconds) in STEPS.into_iter().enumerate() {
            for _ in 0..100 {
                let pause = pause(u32::try_from(step).unwrap(), &OsRandom).unwrap().as_secs_f64();
                let ratio = pause / f64::from(u32::try_from(seconds).unwrap());
                assert!((0.9..=1.1).contains(&ratio), "{step}: {pause}");
            }
        }
        assert_eq!(next_step(0, Duration::from_secs(4)), 1);
        assert_eq!(next_step(1, Duration::from_secs(4)), 1, "too early for the next");
        assert_eq!(next_step(1, Duration::from_secs(5)), 2);
        assert_eq!(next_step(9, Duration::from_secs(3600)), 9);
        assert_eq!(next_step(9, Duration::from_secs(48 * 3600)), LAST_STEP);
        assert_eq!(pause(LAST_STEP, &OsRandom), None);
        assert_eq!(after_failure(LAST_STEP, Timestamp::ZERO, &OsRandom), DeliveryState::Dead);
    }
}
