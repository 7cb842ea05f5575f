//! A moment in time, as every table and every caller of this crate counts it.
//!
//! Integers know no time zone, so the three databases cannot disagree about them. Nobody here reads a clock: a
//! `Timestamp` always comes in from outside.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch itself: before every moment that a program meets.
    pub const ZERO: Self = Self(0);
    /// After every moment that a program meets.
    pub const MAX: Self = Self(i64::MAX);

    /// The moment `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment `seconds` seconds after the Unix epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Unix seconds with a fraction, for people to read.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of our time are far below 2^53")]
    pub const fn as_fractional_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// How long it was from `earlier` to this moment; zero when `earlier` is in truth later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Later by a duration; stops at [`Timestamp::MAX`].
impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(length)))
    }
}

/// Earlier by a duration.
impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(length)))
    }
}

/// The time between two moments, as [`Timestamp::since`] counts it.
impl Sub for Timestamp {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.as_seconds(), self.0.rem_euclid(1000))
    }
}

fn whole_millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_milliseconds_and_stops_at_the_ends() {
        let t = Timestamp::from_seconds(7200);
        assert_eq!((t + Duration::from_millis(1)).as_millis(), 7_200_001);
        assert_eq!((t - Duration::from_millis(1)).as_seconds(), 7199);
        assert_eq!(t - (t - Duration::from_secs(5)), Duration::from_secs(5));
        assert_eq!(Timestamp::ZERO - t, Duration::ZERO);
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::from_millis(-1).as_seconds(), -1);
    }
}
