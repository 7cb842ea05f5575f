//! How often one client may do something in a minute: present wrong credentials, ask for what costs much.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use store::Timestamp;

/// The time in which events are counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// So many clients are remembered at most. When even more come within one window, all begin anew.
const MOST_CLIENTS: usize = 10_000;

/// Counts events by client. Never on the way of a ready answer: this is a lock.
pub(super) struct Limit {
    allowed: u32,
    windows: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    began: Timestamp,
    events: u32,
}

impl Limit {
    /// So many events of one client in a [`WINDOW`].
    pub(super) fn of(allowed: u32) -> Self {
        Self { allowed, windows: Mutex::new(HashMap::new()) }
    }

    /// Refuses a client that has used up its window; the error says when the next begins.
    pub(super) fn check(&self, client: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        match windows.get(&network(client)) {
            Some(window) if window.events >= self.allowed && now < window.began + WINDOW => {
                Err((window.began + WINDOW).since(now).max(Duration::from_secs(1)))
            }
            _ => Ok(()),
        }
    }

    /// Counts an event.
    pub(super) fn count(&self, client: IpAddr, now: Timestamp) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_CLIENTS {
            windows.retain(|_, window| now < window.began + WINDOW);
        }
        if windows.len() >= MOST_CLIENTS {
            windows.clear();
        }
        let window = windows.entry(network(client)).or_insert(Window { began: now, events: 0 });
        if now >= window.began + WINDOW {
            *window = Window { began: now, events: 0 };
        }
        window.events = window.events.saturating_add(1);
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
    fn after_too_many_events_a_client_waits_and_others_do_not() {
        let limit = Limit::of(20);
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..20 {
            assert_eq!(limit.check(one, NOW), Ok(()));
            limit.count(one, NOW);
        }
        assert!(limit.check(one, NOW).is_err());
        assert_eq!(limit.check(other, NOW), Ok(()));
        assert_eq!(limit.check(one, NOW + WINDOW), Ok(()));
    }

    #[test]
    fn the_number_of_remembered_clients_is_bounded() {
        let limit = Limit::of(20);
        for number in 0..u32::try_from(MOST_CLIENTS + 5).unwrap() {
            limit.count(IpAddr::V4(number.into()), NOW);
        }
        assert!(limit.windows.lock().unwrap().len() <= MOST_CLIENTS);
    }
}
