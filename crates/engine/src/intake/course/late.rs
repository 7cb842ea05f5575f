//! What comes when WeChat waits no longer: a reply that nobody fetched, or one that is later than the answer.

use std::sync::Arc;
use std::time::Duration;

use store::Recipient;

use super::{Course, Decided, Event, LateStep};
use crate::foundation::until_stored;
use crate::intake::order::Decision;

/// However the clock is set meanwhile, no try of WeChat comes later than this.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

impl Course {
    /// Whether no reply can still have to go to the user, once all backends are done.
    pub(super) fn nothing_is_late(&self) -> bool {
        match (self.late, self.decision) {
            (LateStep::Over, _) => true,
            (LateStep::Waiting | LateStep::HandingOver, _) => false,
            (LateStep::None, Some(Decision::Reply(_))) => self.running.is_given(),
            (LateStep::None, Some(Decision::Success)) => self.replies.iter().all(Option::is_none),
            // Another process decided: what follows from that is looked for first.
            (LateStep::None, None) => matches!(self.decided, Decided::Theirs { is_reply: false }),
        }
    }

    /// What came when WeChat was answered already.
    pub(super) fn look_for_a_late_reply(&mut self) {
        if self.late != LateStep::None {
            return;
        }
        match self.decided {
            Decided::No | Decided::Writing => {}
            Decided::Ours(Decision::Success) | Decided::Theirs { is_reply: false } => {
                if let Some(place) = self.replies.iter().position(Option::is_some) {
                    self.hand_over(place, false);
                }
            }
            Decided::Ours(Decision::Reply(_)) | Decided::Theirs { is_reply: true } => {
                if self.running.is_given() {
                    self.late = LateStep::Over;
                } else {
                    self.wait_for_another_try();
                }
            }
        }
    }

    /// Whoever waited when it was decided hung up before it was on disk, as when the database took its time.
    pub(super) fn taken_back(&mut self) {
        self.late = LateStep::Waiting;
        self.unfinish();
        let (inner, id) = (Arc::clone(&self.inner), self.callback.message.id);
        self.work.push(Box::pin(async move {
            until_stored("that nobody has an answer", || inner.store.take_answer_back(id)).await;
            Event::TakenBack
        }));
    }

    pub(super) fn wait_for_another_try(&mut self) {
        self.late = LateStep::Waiting;
        let last = self.callback.request.last_try_by(self.callback.message.received_at);
        let wait = last.since(self.inner.clock.now()).min(LONGEST_WAIT);
        self.work.push(Box::pin(async move {
            tokio::time::sleep(wait).await;
            Event::NobodyCame
        }));
    }

    pub(super) fn nobody_came(&mut self) {
        if !self.running.give_to_user() {
            self.late = LateStep::Over;
            return;
        }
        let (inner, id) = (Arc::clone(&self.inner), self.callback.message.id);
        self.work.push(Box::pin(async move {
            let give = || inner.store.give_answer(id, Recipient::User);
            Event::Given(until_stored("who gets an answer", give).await)
        }));
    }

    pub(super) fn given(&mut self, to: Option<Recipient>) {
        if to != Some(Recipient::User) {
            // A try of WeChat came for it on another node.
            self.running.was_given(Recipient::Wechat);
            self.late = LateStep::Over;
            return;
        }
        let decided = match self.decision {
            Some(Decision::Reply(place)) => Some(place),
            // From before a restart: the only one that is kept.
            _ => self.replies.iter().position(Option::is_some),
        };
        match decided {
            Some(place) => self.hand_over(place, true),
            None => self.late = LateStep::Over,
        }
    }

    pub(super) fn hand_over(&mut self, place: usize, is_answer: bool) {
        self.late = LateStep::HandingOver;
        let reply = self.replies.get_mut(place).and_then(Option::take);
        let (inner, callback) = (Arc::clone(&self.inner), Arc::clone(&self.callback));
        self.work.push(Box::pin(async move {
            let reply = reply.as_ref().and_then(|reply| reply.reply.as_ref());
            until_stored("a late reply", || inner.ways.late_replies.offer(&callback, place, reply, is_answer)).await;
            Event::LateWritten
        }));
    }
}
