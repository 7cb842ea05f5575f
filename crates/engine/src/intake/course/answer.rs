//! Deciding the answer, writing it, and telling who waits.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use store::{Answer, Recipient, StoreError, Written};

use super::{Course, Decided, Event};
use crate::foundation::AFTER_FAILURE;
use crate::intake::order::Decision;
use crate::intake::running::Outcome;
use crate::messages::{Usable, to_json};

impl Course {
    pub(super) fn decide(&mut self, decision: Decision) {
        self.decision = Some(decision);
        let now = self.inner.clock.now();
        let reply = self.reply_at(decision);
        // Who waits now will get it. If nobody does, one of WeChat's later tries may, or it goes to the user.
        let is_given = reply.is_none() || self.running.is_awaited();
        if is_given {
            self.running.give_to_wechat();
        }
        let reply_from = match decision {
            Decision::Reply(place) => u32::try_from(place).ok(),
            Decision::Success => None,
        };
        let attempts = to_json(&self.attempts);
        {
            let mut answer = self.lock();
            answer.decided_at = now;
            answer.reply = reply.map(|bytes| bytes.to_vec());
            answer.reply_from = reply_from;
            answer.given_to = is_given.then_some(Recipient::Wechat);
            answer.attempts = attempts;
        }
        self.write_answer();
    }

    fn reply_at(&self, decision: Decision) -> Option<Bytes> {
        let Decision::Reply(place) = decision else { return None };
        self.replies.get(place)?.as_ref().map(|reply| reply.bytes.clone())
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Answer> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write_answer(&mut self) {
        self.decided = Decided::Writing;
        let (inner, answer) = (Arc::clone(&self.inner), Arc::clone(&self.answer));
        self.work.push(Box::pin(async move { Event::AnswerWritten(inner.ways.journal.answer(answer).await) }));
    }

    pub(super) fn answer_failed(&mut self, error: StoreError) {
        tracing::error!(id = %self.callback.message.id, %error, "an answer could not be stored, and is not given");
        self.running.take_back();
        self.running.publish(Outcome::Failed(error));
        self.work.push(Box::pin(async {
            tokio::time::sleep(AFTER_FAILURE).await;
            Event::TryAgain
        }));
    }

    /// Those who waited are gone; who waits now, and what there is to say by now, is looked at anew.
    pub(super) fn try_again(&mut self) {
        self.running.publish(Outcome::Open);
        self.decided = Decided::No;
        self.decision = None;
        self.unfinish();
    }

    pub(super) fn answer_written(&mut self, written: Written) {
        let Some(decision) = self.decision.filter(|_| written.won) else { return self.fetch_theirs() };
        self.decided = Decided::Ours(decision);
        self.finished = written.finished;
        let is_for_nobody = matches!(decision, Decision::Reply(_)) && !self.running.is_awaited();
        if is_for_nobody && self.running.take_back() {
            self.taken_back();
        }
        self.running.publish(Outcome::Decided(self.reply_at(decision)));
    }

    /// Another node answered before, as when WeChat's last try came there.
    fn fetch_theirs(&mut self) {
        let (inner, id) = (Arc::clone(&self.inner), self.callback.message.id);
        self.work.push(Box::pin(async move {
            loop {
                match inner.store.answer(id).await {
                    // Gone with its message, as when the course took longer than records are kept.
                    Ok(answer) => {
                        return Event::Theirs(answer.unwrap_or_else(|| Answer::success(id, inner.clock.now())));
                    }
                    Err(error) => tracing::error!(%id, %error, "an answer cannot be read"),
                }
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }));
    }

    pub(super) fn adopt(&mut self, mut theirs: Answer) {
        let reply = theirs.reply.clone().map(Bytes::from);
        self.decided = Decided::Theirs { is_reply: reply.is_some() };
        let place = theirs.reply_from.and_then(|place| usize::try_from(place).ok());
        if let (Some(reply), Some(place)) = (&reply, place) {
            // Should it have to go to the user, it is this one and no other.
            self.keep(place, Usable::stored(&self.callback, reply));
            self.decision = Some(Decision::Reply(place));
        }
        if let Some(to) = theirs.given_to {
            self.running.was_given(to);
        }
        self.running.publish(Outcome::Decided(reply));
        theirs.attempts = to_json(&self.attempts);
        *self.lock() = theirs;
        self.unfinish();
    }
}
