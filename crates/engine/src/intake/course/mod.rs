//! The course of one message: forward to all backends at once, decide, write, answer; what failed goes to the deliveries,
//! what comes late to the user.
//!
//! One task runs it, whatever becomes of WeChat's connections. Everything that takes time is a future in one set; each
//! event changes the state, then [`Course::advance`] looks what follows from it. What must stay true: an answer is on
//! disk before anybody is given it, and the course is finished on disk only after every failed delivery is.

mod answer;
mod late;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use store::{Answer, DeliveryState, Recipient, SharedAnswer, StoreError, Timestamp, Written};

use super::Inner;
use super::order::{Call, Decision, decide};
use super::running::Running;
use crate::apps::Registered;
use crate::backends::{Backends, NotTaken, Taken};
use crate::deliveries::schedule;
use crate::foundation::until_stored;
use crate::messages::{Attempt, Callback, Usable, shown, to_json};

enum Event {
    Called { place: usize, attempt: Attempt, outcome: Result<Taken, NotTaken> },
    DeliveryWritten,
    AnswerWritten(Result<Written, StoreError>),
    TryAgain,
    Theirs(Answer),
    Updated,
    TimeIsUp,
    TakenBack,
    NobodyCame,
    Given(Option<Recipient>),
    LateWritten,
}

/// Where the answer stands.
enum Decided {
    /// Not yet.
    No,
    /// It is being written.
    Writing,
    /// It is on disk, and it is this node's.
    Ours(Decision),
    /// Another node was faster.
    Theirs { is_reply: bool },
}

/// The course of one message.
pub(super) struct Course {
    inner: Arc<Inner>,
    running: Arc<Running>,
    callback: Arc<Callback>,
    registered: Arc<Registered>,
    work: FuturesUnordered<BoxFuture<'static, Event>>,
    calls: Vec<Call>,
    replies: Vec<Option<Usable>>,
    attempts: Vec<Attempt>,
    answer: SharedAnswer,
    decision: Option<Decision>,
    decided: Decided,
    deliveries_to_write: usize,
    time_is_up: bool,
    /// Every backend is done.
    finishing: bool,
    updating: bool,
    /// And that is on disk.
    finished: bool,
    late: LateStep,
}

/// Where a late reply stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LateStep {
    /// There is none (yet).
    None,
    /// The answer is decided, and nobody of WeChat's waits for it: will another try come?
    Waiting,
    /// It is being handed over.
    HandingOver,
    /// It is in the store, or will never be.
    Over,
}

impl Course {
    /// The course of a message. What `done` says of a backend is behind it (after a restart); the others are called.
    pub(super) fn new(
        inner: Arc<Inner>,
        running: Arc<Running>,
        callback: Arc<Callback>,
        registered: Arc<Registered>,
        done: Vec<Call>,
        attempts: Vec<Attempt>,
    ) -> Self {
        let answer = Answer {
            message_id: callback.message.id,
            decided_at: Timestamp::ZERO,
            reply: None,
            reply_from: None,
            given_to: None,
            finished_at: None,
            attempts: Vec::new(),
        };
        Self {
            replies: done.iter().map(|_| None).collect(),
            calls: done,
            attempts,
            answer: Arc::new(std::sync::Mutex::new(answer)),
            inner,
            running,
            callback,
            registered,
            work: FuturesUnordered::new(),
            decision: None,
            decided: Decided::No,
            deliveries_to_write: 0,
            time_is_up: false,
            finishing: false,
            updating: false,
            finished: false,
            late: LateStep::None,
        }
    }

    /// The message has its answer already (from before a restart): only what is missing is done.
    pub(super) fn answered(mut self, answer: Answer) -> Self {
        self.decided = Decided::Theirs { is_reply: answer.reply.is_some() };
        let place = answer.reply_from.and_then(|place| usize::try_from(place).ok());
        if let (Some(reply), Some(place)) = (&answer.reply, place) {
            self.keep(place, Usable::stored(&self.callback, reply));
            if answer.given_to == Some(Recipient::User) {
                // The process died between taking the answer for the user and handing it over; twice does no harm.
                self.hand_over(place, true);
            }
        }
        self.answer = Arc::new(std::sync::Mutex::new(answer));
        self
    }

    /// Runs to the end. `attempt`: 1, or more when some backends may have got the message before.
    pub(super) async fn run(mut self, attempt: u32) {
        for place in 0..self.calls.len() {
            if self.calls.get(place) == Some(&Call::Open) {
                self.call(place, attempt);
            }
        }
        let mut time_is_up = self.running.time_is_up();
        self.work.push(Box::pin(async move {
            // The sender lives as long as the course.
            let _ = time_is_up.wait_for(|is_up| *is_up).await;
            Event::TimeIsUp
        }));
        self.advance();
        while !self.is_over() {
            let Some(event) = self.work.next().await else { break };
            self.handle(event);
            self.advance();
        }
    }

    fn is_over(&self) -> bool {
        self.finished && matches!(self.late, LateStep::None | LateStep::Over)
    }

    fn call(&mut self, place: usize, number: u32) {
        let (inner, callback, registered) =
            (Arc::clone(&self.inner), Arc::clone(&self.callback), Arc::clone(&self.registered));
        self.work.push(Box::pin(async move {
            let late = Duration::from_secs(u64::from(callback.request.late)).max(super::TIMEOUT);
            let began = inner.clock.now();
            let outcome = match callback.outgoing(place, number, registered.webhook_keys.as_ref(), late) {
                Some((backend, outgoing)) => inner.ways.backends.send(backend, outgoing).await,
                None => Err(NotTaken::NoConnection("it has no URL".to_owned())),
            };
            let attempt = Attempt::of(place, number, began, inner.clock.now(), &outcome);
            Event::Called { place, attempt, outcome }
        }));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Called { place, attempt, outcome } => self.called(place, attempt, outcome),
            Event::DeliveryWritten => self.deliveries_to_write = self.deliveries_to_write.saturating_sub(1),
            Event::AnswerWritten(Ok(written)) => self.answer_written(written),
            Event::AnswerWritten(Err(error)) => self.answer_failed(error),
            Event::TryAgain => self.try_again(),
            Event::Theirs(answer) => self.adopt(answer),
            Event::Updated => self.finished = true,
            Event::TimeIsUp => self.time_is_up = true,
            Event::TakenBack => self.wait_for_another_try(),
            Event::NobodyCame => self.nobody_came(),
            Event::Given(to) => self.given(to),
            Event::LateWritten => self.late = LateStep::Over,
        }
    }

    fn called(&mut self, place: usize, mut attempt: Attempt, outcome: Result<Taken, NotTaken>) {
        if outcome.is_ok() {
            self.inner.ways.deliveries.is_back(Backends::id_of(self.callback.call(place).unwrap_or_default()));
        }
        let call = match outcome {
            Ok(taken) => match Usable::read(&self.callback, &taken, self.inner.clock.now()) {
                Ok(None) => Call::Silent,
                Ok(Some(reply)) => {
                    attempt.reply = Some(reply.kind());
                    self.keep(place, reply);
                    Call::Replied
                }
                Err(reason) => {
                    self.warn(place, &reason, "a reply cannot be used");
                    attempt.unused = Some(reason);
                    Call::Silent
                }
            },
            Err(reason) => {
                self.warn(place, &reason.to_string(), "a backend does not have the message; it is sent again");
                self.write_delivery(place, &reason, &attempt);
                Call::Failed
            }
        };
        if let Some(known) = self.calls.get_mut(place) {
            *known = call;
        }
        self.attempts.push(attempt);
        if self.decision.is_some() || matches!(self.decided, Decided::Theirs { .. }) {
            self.lock().attempts = to_json(&self.attempts);
        }
    }

    fn keep(&mut self, place: usize, reply: Usable) {
        if let Some(known) = self.replies.get_mut(place) {
            *known = Some(reply);
        }
    }

    fn warn(&self, place: usize, reason: &str, what: &str) {
        let backend = self.callback.call(place).map(shown).unwrap_or_default();
        let id = self.callback.message.id;
        tracing::warn!(%id, key = self.callback.message.app_key, backend, reason, "{what}");
    }

    fn write_delivery(&mut self, place: usize, reason: &NotTaken, attempt: &Attempt) {
        let inner = Arc::clone(&self.inner);
        let state = match reason {
            NotTaken::Gone => DeliveryState::Refused,
            _ => schedule::after_failure(0, inner.clock.now(), &*inner.random),
        };
        let unreachable = reason.is_unreachable();
        let delivery = self.callback.delivery(place, state, unreachable, std::slice::from_ref(attempt));
        let backend = delivery.backend;
        self.deliveries_to_write += 1;
        self.work.push(Box::pin(async move {
            until_stored("a failed delivery", || inner.ways.journal.delivery(delivery.clone())).await;
            inner.ways.deliveries.is_owed(backend, unreachable);
            Event::DeliveryWritten
        }));
    }

    /// Does what follows from the state.
    fn advance(&mut self) {
        let is_open = matches!(self.decided, Decided::No);
        if let Some(decision) = decide(&self.calls, self.time_is_up).filter(|_| is_open) {
            self.decide(decision);
        }
        self.look_for_a_late_reply();
        self.finish();
    }

    /// Something is left to be done after all: the end is written when it is.
    fn unfinish(&mut self) {
        self.finishing = false;
        self.updating = false;
        self.finished = false;
        self.lock().finished_at = None;
    }

    /// Every backend is done, what failed is on disk, and nothing is left to be given to the user: so says the answer's row
    /// from now on. If it is not written yet, its writer finds it so.
    fn finish(&mut self) {
        let is_done = self.deliveries_to_write == 0 && !self.calls.contains(&Call::Open) && self.nothing_is_late();
        if is_done && !self.finishing {
            self.finishing = true;
            let (now, attempts) = (self.inner.clock.now(), to_json(&self.attempts));
            let mut answer = self.lock();
            answer.finished_at = Some(now);
            answer.attempts = attempts;
        }
        let is_on_disk = matches!(self.decided, Decided::Ours(_) | Decided::Theirs { .. });
        if self.finishing && is_on_disk && !self.finished && !self.updating {
            self.updating = true;
            let (inner, answer) = (Arc::clone(&self.inner), Arc::clone(&self.answer));
            self.work.push(Box::pin(async move {
                until_stored("the end of a message", || inner.ways.journal.update(Arc::clone(&answer))).await;
                Event::Updated
            }));
        }
    }
}
