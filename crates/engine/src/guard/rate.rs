//! How often one client may present wrong credentials.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use store::Timestamp;

use super::Denied;

/// So many wrong credentials in a [`WINDOW`] are let through.
const ALLOWED: u32 = 20;

/// The time in which failures are counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// So many clients are remembered at most; the oldest windows go first.
const MOST_CLIENTS: usize = 10_000;

/// Counts failures by client. Only failures come here, so the lock is not on the way of those who belong.
pub(super) struct FailureLimit(Mutex<HashMap<IpAddr, Window>>);

#[derive(Clone, Copy)]
struct Window {
    began: Timestamp,
    failures: u32,
}

impl FailureLimit {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Refuses a client that failed too often.
    pub(super) fn check(&self, client: IpAddr, now: Timestamp) -> Result<(), Denied> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match windows.get(&network(client)) {
            Some(window) if window.failures >= ALLOWED && now < window.began + WINDOW => {
                let left = (window.began + WINDOW).since(now);
                Err(Denied::TooManyFailures { retry_in: left.max(Duration::from_secs(1)) })
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub(super) fn count(&self, client: IpAddr, now: Timestamp) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_CLIENTS {
            windows.retain(|_, window| now < window.began + WINDOW);
        }
        if windows.len() >= MOST_CLIENTS {
            windows.clear();
        }
        let window = windows.entry(network(client)).or_insert(Window { began: now, failures: 0 });
        if now >= window.began + WINDOW {
            *window = Window { began: now, failures: 0 };
        }
        window.failures = window.failures.saturating_add(1);
    }
}

/// One customer usually has a whole /64 of IPv6: its addresses count as one.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn after_too_many_failures_a_client_waits_and_others_do_not() {
        let limit = FailureLimit::new();
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..ALLOWED {
            assert_eq!(limit.check(one, NOW), Ok(()));
            limit.count(one, NOW);
        }
        assert!(limit.check(one, NOW).is_err());
        assert_eq!(limit.check(other, NOW), Ok(()));
        assert_eq!(limit.check(one, NOW + WINDOW), Ok(()));
    }

    #[test]
    fn the_number_of_remembered_clients_is_bounded() {
        let limit = FailureLimit::new();
        for number in 0..u32::try_from(MOST_CLIENTS + 5).unwrap() {
            limit.count(IpAddr::V4(number.into()), NOW);
        }
        assert!(limit.0.lock().unwrap().len() <= MOST_CLIENTS);
    }
}
