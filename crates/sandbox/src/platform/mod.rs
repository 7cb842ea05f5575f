//! WeChat's platform: the APIs, a file a noun, and the [`Platform`] that holds them together with all state.
//!
//! A call comes in at `reception`, which applies faults and keeps the journal; `routes` finds its handler; the handler
//! works on a `desk` and answers or refuses. Handlers never wait: the state is locked for one handler at a time and
//! never while something is waited for.

mod desk;
mod platform_ips;
mod quota;
mod reception;
mod refusal;
mod routes;
mod tickets;
mod tokens;
mod wecom;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

pub(crate) use reception::Ended;

use crate::account::{Account, AccountError, NewAccount};
use crate::clock::Clock;
use crate::world::World;

/// Events that a slow reader of `/sandbox/events` may be behind before it misses some.
const EVENTS_BEHIND: usize = 1_024;

/// A simulated WeChat platform. Cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub struct Platform {
    world: Arc<Mutex<World>>,
    events: broadcast::Sender<Event>,
    /// Names besides loopback under which it may be reached.
    hosts: Arc<[String]>,
}

/// Something that the page wants to know at once.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An API call was received; its record as JSON.
    Call(Arc<str>),
    /// Something was changed by the control API: what.
    Change(&'static str),
}

impl Platform {
    /// A platform with a clock that runs with the machine's, and no accounts.
    pub fn new() -> Platform {
        let (events, _) = broadcast::channel(EVENTS_BEHIND);
        Platform { world: Arc::new(Mutex::new(World::new(Clock::live()))), events, hosts: Arc::new([]) }
    }

    /// Lets the platform be reached under more names than loopback's, as the `Host` header says them without a port;
    /// `*` is any name. Without it a web page could reach the sandbox by letting its own name point to 127.0.0.1.
    #[must_use]
    pub fn allow_hosts(self, hosts: impl IntoIterator<Item = String>) -> Platform {
        Platform { hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(), ..self }
    }

    /// Makes an account; what the wish leaves open is made up in WeChat's shapes.
    ///
    /// # Errors
    ///
    /// When the id is taken or cannot be one, the secret or name cannot be one, or there are too many accounts.
    pub fn create_account(&self, account: NewAccount) -> Result<Account, AccountError> {
        let account = self.world().create_account(account)?;
        self.tell(Event::Change("accounts"));
        Ok(account)
    }

    /// All state, locked. A handler that panicked leaves it as it is: better a strange sandbox than a dead one.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Tells an event to whoever listens.
    pub(crate) fn tell(&self, event: Event) {
        // An error means that nobody listens.
        drop(self.events.send(event));
    }

    pub(crate) fn is_listened_to(&self) -> bool {
        self.events.receiver_count() > 0
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

impl Default for Platform {
    fn default() -> Platform {
        Platform::new()
    }
}

#[cfg(test)]
mod tests;
