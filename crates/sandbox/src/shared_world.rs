//! The world behind its lock, and the events that tell what happens in it.
//!
//! The platform, its pusher and each push under way hold clones of it. What must stay true: whoever holds the lock
//! waits for nothing, and telling an event never waits either.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use crate::clock::{Clock, Pace, Time};
use crate::world::World;

/// Events that a slow reader of `/sandbox/events` may be behind before it misses some.
const EVENTS_BEHIND: usize = 1_024;

/// Something that the page wants to know at once.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// An API call was received; its record as JSON.
    Call(Arc<str>),
    /// Something was changed by the control API: what.
    Change(&'static str),
    /// A push began, was tried or ended; its record as JSON.
    Push(Arc<str>),
    /// A notification of WeChat Pay was tried or changed its state; its record as JSON.
    Notification(Arc<str>),
}

/// All state and whoever listens to it. Cheap to clone; all clones share one state.
#[derive(Clone, Debug)]
pub(crate) struct SharedWorld {
    world: Arc<Mutex<World>>,
    events: broadcast::Sender<Event>,
    /// Somebody turned the clock.
    clock_turned: Arc<Notify>,
}

impl SharedWorld {
    /// A world with a clock that runs with the machine's, and no accounts.
    pub(crate) fn new() -> SharedWorld {
        let (events, _) = broadcast::channel(EVENTS_BEHIND);
        let world = Arc::new(Mutex::new(World::new(Clock::live())));
        SharedWorld { world, events, clock_turned: Arc::default() }
    }

    /// All state, locked. A handler that panicked leaves it as it is: better a strange sandbox than a dead one.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells an event to whoever listens.
    pub(crate) fn tell(&self, event: Event) {
        // An error means that nobody listens.
        drop(self.events.send(event));
    }

    /// Tells whoever waits for the clock that it was turned.
    pub(crate) fn clock_turned(&self) {
        self.clock_turned.notify_waiters();
    }

    /// Waits until the sandbox's clock shows a moment.
    pub(crate) async fn clock_reaches(&self, moment: Time) {
        loop {
            let mut turned = std::pin::pin!(self.clock_turned.notified());
            turned.as_mut().enable();
            let (now, pace) = {
                let world = self.lock();
                (world.clock.now(), world.clock.pace())
            };
            if now >= moment {
                return;
            }
            match pace {
                Pace::Stepped => turned.await,
                Pace::Live => {
                    let left = Duration::from_millis(moment.millis().saturating_sub(now.millis()));
                    drop(tokio::time::timeout(left, turned).await);
                }
            }
        }
    }

    pub(crate) fn is_listened_to(&self) -> bool {
        self.events.receiver_count() > 0
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}
