//! A message that is being forwarded on this node, and those who wait for its answer.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use store::{MessageId, Recipient, StoreError, Timestamp};
use tokio::sync::watch;

/// How far WeChat's tries are apart.
const BETWEEN_TRIES: Duration = Duration::from_secs(5);

/// What is known about the answer.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// Nothing yet.
    Open,
    /// It is on disk. `None`: `success`.
    Decided(Option<Bytes>),
    /// The database did not take it; another try is made.
    Failed(StoreError),
}

/// Who got the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenTo {
    /// WeChat, just now for the first time.
    WechatFirst,
    /// WeChat, before.
    Wechat,
    /// The user, because no try of WeChat came for it.
    User,
}

const NOBODY: u8 = 0;
const WECHAT: u8 = 1;
const USER: u8 = 2;

/// A message under way.
pub(super) struct Running {
    pub(super) id: MessageId,
    /// With which try of WeChat the waiting ends.
    last_try: u32,
    /// When the first try arrived, here or elsewhere.
    first_at: watch::Sender<Timestamp>,
    tries: AtomicU32,
    waiting: AtomicU32,
    given: AtomicU8,
    outcome: watch::Sender<Outcome>,
    time_is_up: watch::Sender<bool>,
}

impl Running {
    /// For a message that arrived at `first_at`; WeChat's try number `last_try` is the last that waits.
    pub(super) fn new(id: MessageId, first_at: Timestamp, last_try: u8) -> Self {
        Self {
            id,
            last_try: u32::from(last_try),
            first_at: watch::Sender::new(first_at),
            tries: AtomicU32::new(0),
            waiting: AtomicU32::new(0),
            given: AtomicU8::new(NOBODY),
            outcome: watch::Sender::new(Outcome::Open),
            time_is_up: watch::Sender::new(false),
        }
    }

    /// It came earlier than this node knew: to another one, or before a restart. Who waits here learns of it.
    pub(super) fn came_at(&self, first_at: Timestamp) {
        self.first_at.send_if_modified(|known| first_at < std::mem::replace(known, first_at.min(*known)));
    }

    /// Counts a try of WeChat that arrives at `now`.
    pub(super) fn count_try(&self, now: Timestamp) -> Try {
        let number = self.tries.fetch_add(1, Ordering::Relaxed) + 1;
        Try { number, at: now, first_at: self.first_at.subscribe(), last_try: self.last_try }
    }

    /// Sits down to wait; standing up again is dropping the seat.
    pub(super) fn sit(&self) -> Seat<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Seat(self)
    }

    /// Whether a try of WeChat is waiting here.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// WeChat gets the answer, unless the user has it.
    pub(super) fn give_to_wechat(&self) -> GivenTo {
        match self.given.compare_exchange(NOBODY, WECHAT, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => GivenTo::WechatFirst,
            Err(WECHAT) => GivenTo::Wechat,
            Err(_) => GivenTo::User,
        }
    }

    /// The user gets the answer, unless WeChat has it.
    pub(super) fn give_to_user(&self) -> bool {
        self.given.compare_exchange(NOBODY, USER, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The answer could not be given to WeChat after all. False: it was not meant for it.
    pub(super) fn take_back(&self) -> bool {
        self.given.compare_exchange(WECHAT, NOBODY, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Another process gave the answer away.
    pub(super) fn was_given(&self, to: Recipient) {
        let number = match to {
            Recipient::Wechat => WECHAT,
            Recipient::User => USER,
        };
        self.given.store(number, Ordering::SeqCst);
    }

    pub(super) fn is_given(&self) -> bool {
        self.given.load(Ordering::SeqCst) != NOBODY
    }

    pub(super) fn outcome(&self) -> watch::Receiver<Outcome> {
        self.outcome.subscribe()
    }

    pub(super) fn publish(&self, outcome: Outcome) {
        self.outcome.send_replace(outcome);
    }

    /// WeChat's last try waits no longer.
    pub(super) fn call_time(&self) {
        self.time_is_up.send_replace(true);
    }

    /// Waits until WeChat's last try waits no longer.
    pub(super) fn time_is_up(&self) -> watch::Receiver<bool> {
        self.time_is_up.subscribe()
    }
}

/// Which of WeChat's tries one is.
pub(super) struct Try {
    number: u32,
    at: Timestamp,
    first_at: watch::Receiver<Timestamp>,
    last_try: u32,
}

impl Try {
    /// Whether it is the last that waits: by the count on this node, and by the time since the first, which may have come
    /// to another one.
    pub(super) fn is_last(&self) -> bool {
        let since = self.at.since(*self.first_at.borrow()) + Duration::from_secs(1);
        let by_time = 1 + u32::try_from(since.as_secs() / BETWEEN_TRIES.as_secs()).unwrap_or(u32::MAX - 1);
        self.number.max(by_time) >= self.last_try
    }

    /// Waits until [`Try::is_last`] may have changed; for ever, if nothing more can be learnt.
    pub(super) async fn learns(&mut self) {
        if self.first_at.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A try of WeChat that waits for the answer. Gone when WeChat hangs up.
pub(super) struct Seat<'a>(&'a Running);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn running() -> Running {
        Running::new(MessageId([1; 16]), NOW, 3)
    }

    fn is_last(running: &Running, millis: u64) -> bool {
        running.count_try(NOW + Duration::from_millis(millis)).is_last()
    }

    #[test]
    fn tries_are_counted_here_and_by_the_clock() {
        let here = running();
        assert!(!is_last(&here, 0));
        assert!(!is_last(&here, 300), "a connection that broke at once");
        assert!(is_last(&here, 900));
        assert!(is_last(&running(), 10_100), "the third, the others came elsewhere");
        assert!(!is_last(&running(), 5_000));
        assert!(is_last(&Running::new(MessageId([1; 16]), NOW, 1), 0));
    }

    #[tokio::test]
    async fn a_try_learns_that_it_is_not_the_first() {
        let late = Running::new(MessageId([1; 16]), NOW, 3);
        let mut third = late.count_try(NOW);
        assert!(!third.is_last());
        late.came_at(NOW - Duration::from_secs(10));
        third.learns().await;
        assert!(third.is_last());
    }

    #[test]
    fn either_wechat_or_the_user_gets_the_answer() {
        let one = running();
        let seat = one.sit();
        assert!(one.is_awaited());
        drop(seat);
        assert!(!one.is_awaited() && !one.is_given());
        assert_eq!(one.give_to_wechat(), GivenTo::WechatFirst);
        assert_eq!(one.give_to_wechat(), GivenTo::Wechat);
        assert!(!one.give_to_user());
        assert!(one.take_back() && !one.is_given() && !one.take_back());
        let other = running();
        assert!(other.give_to_user() && !other.take_back());
        assert_eq!(other.give_to_wechat(), GivenTo::User);
    }
}
