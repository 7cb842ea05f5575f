//! A counter that starts over with each minute, hour, day or month of China's calendar.
//!
//! Quotas, forced refreshes and the number of quota resets are counted with it. It reads no clock: the moment comes in.

use crate::clock::Time;

/// How often a counter starts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    Minute,
    Hour,
    Day,
    Month,
}

/// What was used within the current period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    period: Period,
    index: u64,
    used: u64,
}

impl Counter {
    pub(crate) const fn per(period: Period) -> Counter {
        Counter { period, index: 0, used: 0 }
    }

    pub(crate) fn used(&self, now: Time) -> u64 {
        if self.index == self.index_at(now) { self.used } else { 0 }
    }

    pub(crate) fn add(&mut self, now: Time) {
        self.used = self.used(now).saturating_add(1);
        self.index = self.index_at(now);
    }

    /// Counts one more unless the limit is reached; says whether it did.
    pub(crate) fn add_below(&mut self, limit: u64, now: Time) -> bool {
        let free = self.used(now) < limit;
        if free {
            self.add(now);
        }
        free
    }

    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    fn index_at(&self, now: Time) -> u64 {
        match self.period {
            Period::Minute => now.minute(),
            Period::Hour => now.hour(),
            Period::Day => now.day(),
            Period::Month => now.month(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_over_with_the_next_period() {
        let mut counter = Counter::per(Period::Minute);
        let now = Time::from_secs(120);
        assert!(counter.add_below(2, now));
        assert!(counter.add_below(2, now));
        assert!(!counter.add_below(2, now.plus_secs(59)));
        assert_eq!(counter.used(now), 2);
        assert_eq!(counter.used(now.plus_secs(60)), 0);
        assert!(counter.add_below(2, now.plus_secs(60)));
        counter.clear();
        assert_eq!(counter.used(now.plus_secs(60)), 0);
    }
}
