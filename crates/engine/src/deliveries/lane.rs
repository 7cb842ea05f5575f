//! One backend's deliveries: one after the other, those that are due longest first.

use std::sync::PoisonError;
use std::time::Duration;

use store::{BackendId, Delivery, DeliveryState, StoreError};
use tokio_util::sync::CancellationToken;

use super::Deliveries;
use super::schedule;
use crate::backends::{NotTaken, Taken};
use crate::foundation::until_stored;
use crate::messages::{Attempt, Callback, Usable, from_json, shown, to_json};

/// Deliveries that are taken at once.
const BATCH: u64 = 32;

/// How long a backend may take for a message that it gets again: longer than WeChat would ever wait, and not so long that
/// one slow answer holds up everything behind it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// And how long at most, for a message whose `late` says that its backend is slow.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(300);

/// Tries that are kept with a delivery.
const KEPT: usize = 20;

/// What became of one try.
enum Tried {
    /// It was made, well or not.
    Done,
    /// The backend took it, after it had been away.
    BackAgain,
    /// It was not even made: the backend has too much to do, or another one is just probing it.
    Refused,
}

/// The deliveries to one backend.
pub(super) struct Lane {
    pub(super) deliveries: Deliveries,
    pub(super) backend: BackendId,
    pub(super) stop: CancellationToken,
}

impl Lane {
    /// Runs until nothing is due any more.
    pub(super) async fn run(self) {
        if let Err(error) = self.deliver().await {
            tracing::error!(%error, "deliveries are interrupted; they go on when the database does");
        }
        // What was taken and not tried must not stay in the hands of a node that is alive.
        let inner = &self.deliveries.0;
        until_stored("giving back deliveries", || inner.store.release_deliveries(inner.node, Some(self.backend))).await;
    }

    async fn deliver(&self) -> Result<(), StoreError> {
        let inner = &self.deliveries.0;
        while !self.stop.is_cancelled() {
            if !inner.backends.is_open_for(self.backend) {
                return self.postpone().await;
            }
            let due = inner.store.claim_deliveries(self.backend, inner.node, inner.clock.now(), BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            for delivery in due {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                if !inner.backends.is_open_for(self.backend) {
                    inner.store.release_deliveries(inner.node, Some(self.backend)).await?;
                    break;
                }
                match self.try_again(delivery).await? {
                    Tried::Done => {}
                    Tried::BackAgain => {
                        // Older ones have become due.
                        inner.store.release_deliveries(inner.node, Some(self.backend)).await?;
                        break;
                    }
                    Tried::Refused => return self.postpone().await,
                }
            }
        }
        Ok(())
    }

    /// The backend is down: everything that is due waits, without a try and without losing its place in the schedule. When the
    /// backend takes anything, all of it is due at once.
    async fn postpone(&self) -> Result<(), StoreError> {
        let inner = &self.deliveries.0;
        self.deliveries.unreached().insert(self.backend);
        let now = inner.clock.now();
        let due_at = now + schedule::while_down(&*inner.random);
        inner.store.postpone_deliveries(self.backend, now, due_at, now - schedule::LONGEST).await
    }

    async fn try_again(&self, mut delivery: Delivery) -> Result<Tried, StoreError> {
        let inner = &self.deliveries.0;
        let Some(message) = inner.store.message(delivery.message_id).await? else {
            delivery.state = DeliveryState::Dead;
            return inner.store.settle_delivery(&delivery, inner.node).await.map(|_| Tried::Done);
        };
        let callback = Callback::of_row(message);
        let place = usize::try_from(delivery.position).unwrap_or(usize::MAX);
        let number = delivery.sent + 1;
        let began = inner.clock.now();
        let outcome = self.send(&callback, place, number).await?;
        if matches!(outcome, Err(NotTaken::Busy | NotTaken::Down)) {
            inner.store.settle_delivery(&delivery, inner.node).await?;
            return Ok(Tried::Refused);
        }
        let mut attempt = Attempt::of(place, number, began, inner.clock.now(), &outcome);
        delivery.sent = number;
        // What was never sent before (a payment) begins the schedule with this try.
        if number > 1 {
            delivery.step = schedule::next_step(delivery.step, inner.clock.now().since(delivery.received_at));
        }
        match &outcome {
            Ok(taken) => {
                delivery.state = DeliveryState::Delivered;
                self.reply(&callback, place, taken, &mut attempt).await;
            }
            Err(reason) => {
                delivery.unreachable = reason.is_unreachable();
                delivery.state = match reason {
                    NotTaken::Gone => DeliveryState::Refused,
                    NotTaken::Unregistered => DeliveryState::Dead,
                    _ => schedule::after_failure(delivery.step, inner.clock.now(), &*inner.random),
                };
                if delivery.unreachable {
                    self.deliveries.unreached().insert(self.backend);
                }
                let (id, backend) = (delivery.message_id, callback.call(place).map(shown).unwrap_or_default());
                let next = &delivery.state;
                tracing::warn!(%id, backend, attempt = number, %reason, ?next, "a delivery failed again");
            }
        }
        let mut attempts: Vec<Attempt> = from_json(&delivery.attempts);
        attempts.push(attempt);
        attempts.drain(..attempts.len().saturating_sub(KEPT));
        delivery.attempts = to_json(&attempts);
        // What was brought is written down however long the database is away: else it would be brought again.
        until_stored("the end of a delivery", || inner.store.settle_delivery(&delivery, inner.node)).await;
        let is_back = outcome.is_ok() && self.deliveries.pull(self.backend).await?;
        Ok(if is_back { Tried::BackAgain } else { Tried::Done })
    }

    async fn send(
        &self,
        callback: &Callback,
        place: usize,
        number: u32,
    ) -> Result<Result<Taken, NotTaken>, StoreError> {
        let inner = &self.deliveries.0;
        let registered = inner.directory.find(&callback.message.app_key, inner.clock.now()).await?;
        let Some(registered) = registered else { return Ok(Err(NotTaken::Unregistered)) };
        let keys = registered.webhook_keys.as_ref();
        let slow = Duration::from_secs(u64::from(callback.request.late)).min(LONGEST_TIMEOUT);
        Ok(match callback.outgoing(place, number, keys, slow.max(TIMEOUT)) {
            Some((backend, outgoing)) => inner.backends.send(backend, outgoing).await,
            None => Err(NotTaken::Gone),
        })
    }

    /// A reply to a message that came again is late; it is sent if the message gets no other. As the delivery itself it is written
    /// down however long the database is away.
    async fn reply(&self, callback: &Callback, place: usize, taken: &Taken, attempt: &mut Attempt) {
        let usable = match Usable::read(callback, taken, self.deliveries.0.clock.now()) {
            Ok(None) => return,
            Err(reason) => {
                attempt.unused = Some(reason);
                return;
            }
            Ok(Some(usable)) => usable,
        };
        attempt.reply = Some(usable.kind());
        if !until_stored("a late reply", || self.offer(callback, place, &usable)).await {
            attempt.unused = Some("the message has a reply already".to_owned());
        }
    }

    /// False: the message has a reply already.
    async fn offer(&self, callback: &Callback, place: usize, usable: &Usable) -> Result<bool, StoreError> {
        let inner = &self.deliveries.0;
        if inner.store.answer(callback.message.id).await?.is_some_and(|answer| answer.reply.is_some()) {
            return Ok(false);
        }
        inner.late_replies.offer(callback, place, usable.reply.as_ref(), false).await.map(|()| true)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.deliveries.0.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.backend);
    }
}
