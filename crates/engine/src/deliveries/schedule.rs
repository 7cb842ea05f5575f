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
        assert_eq!(pause(LAST_STEP, &OsRandom), None);
        assert_eq!(after_failure(LAST_STEP, Timestamp::ZERO, &OsRandom), DeliveryState::Dead);
    }
}
