//! Time: moments, WeChat's calendar, and the adjustable clock that the whole sandbox lives by.
//!
//! Live pace: the clock runs with the machine's. Stepped pace: it stands still until someone advances it. It never
//! goes back, and every rule of the platform takes the moment as an argument, so tests need no waiting.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// WeChat's days, months and hours are those of China, 8 hours ahead of UTC, without daylight saving.
const CHINA_OFFSET_SECS: u64 = 8 * 3600;
/// The most that the clock is advanced at once: ten years, in seconds.
pub(crate) const LONGEST_STEP_SECS: u64 = 10 * 366 * 86_400;

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub(crate) struct Time(u64);

impl Time {
    pub(crate) const fn from_secs(secs: u64) -> Time {
        Time(secs * 1000)
    }

    pub(crate) const fn secs(self) -> u64 {
        self.0 / 1000
    }

    pub(crate) const fn millis(self) -> u64 {
        self.0
    }

    pub(crate) const fn plus_millis(self, millis: u64) -> Time {
        Time(self.0.saturating_add(millis))
    }

    pub(crate) const fn plus_secs(self, secs: u64) -> Time {
        Time(self.0.saturating_add(secs.saturating_mul(1000)))
    }

    /// Whole seconds from `self` to `later`, zero when it is not later.
    pub(crate) const fn secs_until(self, later: Time) -> u64 {
        later.0.saturating_sub(self.0) / 1000
    }

    /// The number of the day in China; quotas start over with it.
    pub(crate) const fn day(self) -> u64 {
        (self.secs() + CHINA_OFFSET_SECS) / 86_400
    }

    /// The number of the month in China, counted from year 0.
    pub(crate) const fn month(self) -> u64 {
        // Days to year and month by shifting the year to start in March, so that the leap day comes last.
        let days = self.day() + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months_since_march = (5 * day_of_year + 2) / 153;
        (era * 400 + year_of_era) * 12 + months_since_march + 2
    }

    pub(crate) const fn hour(self) -> u64 {
        self.secs() / 3600
    }

    pub(crate) const fn minute(self) -> u64 {
        self.secs() / 60
    }
}

/// How the clock moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// With the machine's clock.
    Live,
    /// Only when it is advanced.
    Stepped,
}

/// The sandbox's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    pace: Pace,
    /// What the clock showed at `since`.
    reading: Time,
    since: Instant,
}

impl Clock {
    /// A clock that shows the machine's time and runs with it.
    pub(crate) fn live() -> Clock {
        Clock { pace: Pace::Live, reading: machine_time(), since: Instant::now() }
    }

    /// A clock that stands at a given moment.
    #[cfg(test)]
    pub(crate) fn standing_at(reading: Time) -> Clock {
        Clock { pace: Pace::Stepped, reading, since: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        match self.pace {
            Pace::Live => Time(self.reading.0.saturating_add(millis(self.since.elapsed()))),
            Pace::Stepped => self.reading,
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// Changes the pace; the reading goes on from where it is.
    pub(crate) fn set_pace(&mut self, pace: Pace) {
        self.reading = self.now();
        self.since = Instant::now();
        self.pace = pace;
    }

    /// Moves forward by some seconds, at most [`LONGEST_STEP_SECS`].
    pub(crate) fn advance(&mut self, secs: u64) {
        self.reading = self.reading.plus_secs(secs.min(LONGEST_STEP_SECS));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the machine's clock shows, whatever the sandbox's does.
#[expect(clippy::disallowed_methods, reason = "the one place of this crate that implements the clock")]
pub(crate) fn machine_time() -> Time {
    Time(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_clock_moves_only_when_told() {
        let mut clock = Clock::standing_at(Time::from_secs(1_000));
        assert_eq!(clock.now(), Time::from_secs(1_000));
        clock.advance(7_200);
        assert_eq!(clock.now(), Time::from_secs(8_200));
    }

    #[test]
    fn changing_the_pace_keeps_the_reading() {
        let mut clock = Clock::live();
        clock.advance(86_400);
        let before = clock.now();
        clock.set_pace(Pace::Stepped);
        let frozen = clock.now();
        assert!(frozen >= before);
        clock.set_pace(Pace::Live);
        assert!(clock.now() >= frozen);
    }

    #[test]
    fn days_begin_at_midnight_in_china() {
        // 2024-02-29 15:59:59 UTC is still the 29th in China, one second later it is March.
        let before = Time::from_secs(1_709_222_399);
        let after = before.plus_secs(1);
        assert_eq!(before.day() + 1, after.day());
        assert_eq!(before.month(), 2024 * 12 + 1);
        assert_eq!(after.month(), 2024 * 12 + 2);
    }

    #[test]
    fn december_and_january_are_neighbours() {
        // 2024-12-31 15:59:59 UTC.
        let december = Time::from_secs(1_735_660_799);
        assert_eq!(december.month(), 2024 * 12 + 11);
        assert_eq!(december.plus_secs(1).month(), 2025 * 12);
    }
}
