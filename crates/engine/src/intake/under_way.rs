//! A message under way on this node: it is new, or another node has it, or one that died left it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::{Answer, Message, StoreError};
use tokio::sync::OwnedSemaphorePermit;

use super::Inner;
use super::course::Course;
use super::order::Call;
use super::running::{Outcome, Running};
use crate::apps::Registered;
use crate::foundation::until_stored;
use crate::messages::{Attempt, Callback, from_json};

/// How often a node that waits for another one looks whether it has the answer.
const LOOK_AGAIN: Duration = Duration::from_millis(150);

/// How long it looks at most: WeChat's tries are over then.
const LOOK_UNTIL: Duration = Duration::from_secs(20);

/// The work on a message; dropping it takes the message from the list of those under way.
pub(super) struct UnderWay {
    pub(super) inner: Arc<Inner>,
    pub(super) running: Arc<Running>,
    pub(super) _budget: OwnedSemaphorePermit,
}

/// What another process has made of a message so far.
enum Elsewhere {
    /// All is done.
    Finished(Answer),
    /// It is at it, and perhaps has an answer already.
    InHand(Option<Answer>),
    /// It is gone, and this node has the message now.
    Ours(Message),
}

impl UnderWay {
    /// A message came: stores it, and forwards it unless another node does.
    pub(super) async fn start(self, callback: Arc<Callback>, registered: Arc<Registered>) {
        match self.inner.ways.journal.message(Arc::clone(&callback.message)).await {
            Ok(true) => {
                let calls = vec![Call::Open; callback.request.calls.len()];
                self.course(callback, registered, calls, Vec::new()).run(1).await;
            }
            Ok(false) => self.join_elsewhere(&registered).await,
            Err(error) => {
                tracing::error!(id = %self.running.id, %error, "a message could not be stored; WeChat sends it again");
                self.running.publish(Outcome::Failed(error));
            }
        }
    }

    /// The message is known: its answer, or that of the node that has it, or this node takes it over.
    async fn join_elsewhere(&self, registered: &Arc<Registered>) {
        let began = self.inner.clock.now();
        let mut time_is_up = self.running.time_is_up();
        while self.inner.clock.now().since(began) < LOOK_UNTIL {
            match self.look_elsewhere().await {
                Ok(Elsewhere::Finished(answer) | Elsewhere::InHand(Some(answer))) => return self.adopt(answer),
                Ok(Elsewhere::Ours(message)) => return self.resume(message, Arc::clone(registered)).await,
                Ok(Elsewhere::InHand(None)) => {}
                Err(error) => return self.running.publish(Outcome::Failed(error)),
            }
            let is_up = time_is_up.wait_for(|is_up| *is_up);
            if tokio::time::timeout(LOOK_AGAIN, is_up).await.is_ok() {
                return self.answer_success().await;
            }
        }
    }

    async fn look_elsewhere(&self) -> Result<Elsewhere, StoreError> {
        let (store, id, node) = (&self.inner.store, self.running.id, self.inner.node);
        let answer = store.answer(id).await?;
        if let Some(finished) = answer.clone().filter(|answer| answer.finished_at.is_some()) {
            return Ok(Elsewhere::Finished(finished));
        }
        let Some(message) = store.message(id).await? else { return Ok(Elsewhere::InHand(answer)) };
        self.running.came_at(message.received_at);
        let is_left = message.node == node || !store.is_alive(message.node, self.inner.clock.now()).await?;
        if is_left && store.take_over_message(id, message.node, node).await? {
            return Ok(Elsewhere::Ours(message));
        }
        Ok(Elsewhere::InHand(answer))
    }

    /// WeChat's last try came here, and the node that has the message has no answer yet. If it has one in this very
    /// moment, that one stands.
    async fn answer_success(&self) {
        let now = self.inner.clock.now();
        let success = Answer::success(self.running.id, now);
        let written = self.inner.ways.journal.answer(Arc::new(std::sync::Mutex::new(success.clone()))).await;
        match written {
            Err(error) => self.running.publish(Outcome::Failed(error)),
            Ok(written) if written.won => self.adopt(success),
            Ok(_) => match self.inner.store.answer(self.running.id).await {
                Ok(answer) => self.adopt(answer.unwrap_or(success)),
                Err(error) => self.running.publish(Outcome::Failed(error)),
            },
        }
    }

    /// Tells who waits here what is on disk.
    fn adopt(&self, answer: Answer) {
        if let Some(to) = answer.given_to {
            self.running.was_given(to);
        }
        self.running.publish(Outcome::Decided(answer.reply.map(Bytes::from)));
    }

    /// Goes on with a message that a node left, from what is on disk: backends that have it are not called again.
    pub(super) async fn resume(&self, message: Message, registered: Arc<Registered>) {
        let id = message.id;
        self.running.came_at(message.received_at);
        // What was taken over is gone on with, however long the database is away.
        let left = || async {
            let answer = self.inner.store.answer(id).await?;
            Ok((answer, self.inner.store.deliveries(&[id]).await?))
        };
        let (answer, deliveries) = until_stored("going on with a message that another process left", left).await;
        if let Some(finished) = answer.clone().filter(|answer| answer.finished_at.is_some()) {
            // One of WeChat's tries was faster, and has gone on with it.
            return self.adopt(finished);
        }
        let callback = Arc::new(Callback::of_row(message));
        let attempts: Vec<Attempt> = answer.as_ref().map(|answer| from_json(&answer.attempts)).unwrap_or_default();
        let mut calls = vec![Call::Open; callback.request.calls.len()];
        let taken =
            attempts.iter().filter(|attempt| attempt.error.is_none()).map(|attempt| (attempt.backend, Call::Silent));
        let failed = deliveries.iter().map(|delivery| (delivery.position, Call::Failed));
        for (backend, call) in taken.chain(failed) {
            if let Some(known) = usize::try_from(backend).ok().and_then(|place| calls.get_mut(place)) {
                *known = call;
            }
        }
        tracing::info!(%id, "a message that another process left unfinished is taken over");
        let course = self.course(callback, registered, calls, attempts);
        match answer {
            Some(answer) => {
                self.adopt(answer.clone());
                course.answered(answer).run(2).await;
            }
            None => course.run(2).await,
        }
    }

    fn course(
        &self,
        callback: Arc<Callback>,
        registered: Arc<Registered>,
        calls: Vec<Call>,
        attempts: Vec<Attempt>,
    ) -> Course {
        Course::new(Arc::clone(&self.inner), Arc::clone(&self.running), callback, registered, calls, attempts)
    }
}

impl Drop for UnderWay {
    /// Also when the work ends by a panic: nobody waits for what will not come.
    fn drop(&mut self) {
        if matches!(*self.running.outcome().borrow(), Outcome::Open) {
            self.running.publish(Outcome::Failed(StoreError::Conflict));
        }
        self.inner.running.pin().remove(&self.running.id);
    }
}
