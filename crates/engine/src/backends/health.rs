//! How a backend is doing: a limit on what is under way to it, and a circuit that opens when it is down.
//!
//! * At most [`AT_ONCE`] requests are under way to one backend; whoever finds no place within a moment goes to the queue of
//!   deliveries instead.
//! * After [`FAILURES`] failures in a row the circuit opens: nothing is tried for a while, everything goes to the queue at
//!   once. Then one request is let through; if it succeeds the circuit closes, else it opens for twice as long.
//!
//! So a backend that hangs or is down costs the others nothing, and memory stays bounded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use papaya::HashMap;
use store::{BackendId, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that are under way to one backend at most.
pub const AT_ONCE: usize = 128;

/// How long a message waits for a place among them: a little of WeChat's five seconds.
const WAIT_FOR_PLACE: Duration = Duration::from_secs(2);

/// Failures in a row that open the circuit.
pub const FAILURES: u32 = 5;

/// How long an open circuit stays open at first; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Backends that are remembered. When there are more, those that are well and idle are forgotten.
const REMEMBERED: usize = 10_000;

/// Why a backend is not even tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTried {
    /// It has too much to do.
    Busy,
    /// It is down.
    Down,
}

/// All backends that were called lately.
#[derive(Default)]
pub struct Health {
    backends: HashMap<BackendId, Arc<Backend>>,
}

impl Health {
    /// The state of one backend.
    pub(super) fn of(&self, id: BackendId) -> Arc<Backend> {
        let backends = self.backends.pin();
        if let Some(backend) = backends.get(&id) {
            return Arc::clone(backend);
        }
        if backends.len() >= REMEMBERED {
            backends.retain(|_, backend| !backend.is_idle());
        }
        Arc::clone(backends.get_or_insert_with(id, Arc::default))
    }
}

/// One backend.
pub(super) struct Backend {
    places: Arc<Semaphore>,
    circuit: Mutex<Circuit>,
}

impl Default for Backend {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), circuit: Mutex::default() }
    }
}

/// A place among what is under way.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    /// When it is open: the end of the pause, and its length.
    open: Option<(Timestamp, Duration)>,
    /// One request is on its way to see whether the backend is back.
    probing: bool,
}

impl Backend {
    /// Asks to send one request.
    pub(super) async fn enter(self: &Arc<Self>, now: Timestamp) -> Result<Place, NotTried> {
        self.circuit().admit(now)?;
        let places = Arc::clone(&self.places);
        let permit = match Arc::clone(&places).try_acquire_owned() {
            Ok(permit) => Ok(permit),
            Err(_) => match tokio::time::timeout(WAIT_FOR_PLACE, places.acquire_owned()).await {
                Ok(Ok(permit)) => Ok(permit),
                _ => Err(NotTried::Busy),
            },
        };
        match permit {
            Ok(permit) => Ok(Place { _permit: permit }),
            Err(reason) => {
                // Who waited in vain tells the next ones not to.
                self.circuit().failed(now);
                Err(reason)
            }
        }
    }

    /// Whether a request would be tried now.
    pub(super) fn is_open_for(&self, now: Timestamp) -> bool {
        self.circuit().open.is_none_or(|(until, _)| now >= until)
    }

    pub(super) fn succeeded(&self) {
        *self.circuit() = Circuit::default();
    }

    pub(super) fn failed(&self, now: Timestamp) {
        self.circuit().failed(now);
    }

    fn is_idle(&self) -> bool {
        self.places.available_permits() == AT_ONCE && self.circuit().failures == 0
    }

    fn circuit(&self) -> std::sync::MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    fn admit(&mut self, now: Timestamp) -> Result<(), NotTried> {
        match &mut self.open {
            None => Ok(()),
            // Whoever probes and never comes back must not close it for ever: the next pause lets another one through.
            Some((until, pause)) if now >= *until => {
                *until = now + *pause;
                self.probing = true;
                Ok(())
            }
            Some(_) => Err(NotTried::Down),
        }
    }

    fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        let pause = match self.open {
            Some((_, pause)) if self.probing => (pause * 2).min(LONGEST_PAUSE),
            Some(_) => return,
            None if self.failures >= FAILURES => FIRST_PAUSE,
            None => return,
        };
        self.probing = false;
        self.open = Some((now + pause, pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn a_backend_that_is_down_is_probed_by_one_at_a_time_and_less_and_less_often() {
        let backend = Health::default().of(BackendId([1; 16]));
        for _ in 0..FAILURES {
            assert!(backend.enter(NOW).await.is_ok());
            backend.failed(NOW);
        }
        assert_eq!(backend.enter(after(4)).await.err(), Some(NotTried::Down));
        assert!(backend.enter(after(5)).await.is_ok());
        assert_eq!(backend.enter(after(5)).await.err(), Some(NotTried::Down), "one is enough");
        backend.failed(after(5));
        assert!(!backend.is_open_for(after(14)) && backend.is_open_for(after(15)));
        assert!(backend.enter(after(15)).await.is_ok());
        backend.succeeded();
        assert!(backend.enter(after(15)).await.is_ok() && backend.enter(after(15)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_are_under_way() {
        let backend = Health::default().of(BackendId([1; 16]));
        let mut places = Vec::new();
        for _ in 0..AT_ONCE {
            places.push(backend.enter(NOW).await.ok().unwrap());
        }
        assert_eq!(backend.enter(NOW).await.err(), Some(NotTried::Busy));
        places.pop();
        assert!(backend.enter(NOW).await.is_ok());
    }
}
