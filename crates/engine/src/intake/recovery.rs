//! What nodes that died left unfinished: their messages are taken over. What they owed to backends and users lies in the
//! queues and is found there.

use std::sync::Arc;
use std::time::Duration;

use store::{Answer, Message, NodeId, StoreError, Timestamp};

use super::Intake;
use super::running::Running;
use super::under_way::UnderWay;
use crate::apps::Registered;
use crate::foundation::until_stored;
use crate::messages::{Callback, MAX_LATE};

/// Messages that are taken over at once.
const BATCH: u64 = 200;

/// How long before a node's end the messages that it did not finish were received, at most: as long as the slowest backend may
/// take, twice, because a message that was taken over is forwarded anew, and some time for clocks that differ.
const LONGEST: Duration = Duration::from_secs(2 * MAX_LATE as u64 + 3600);

/// What this node has, is not working on, and received longer ago than this, was lost sight of.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// When this node is short of memory, how long until it looks again.
const LATER: Duration = Duration::from_millis(200);

impl Intake {
    /// Takes over what dead nodes left, and forgets them. Gives how many messages there were.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; nothing is lost then.
    pub async fn recovery_step(&self) -> Result<usize, StoreError> {
        let now = self.0.clock.now();
        let mut count = 0;
        for (node, alive_until) in self.0.store.dead_nodes(now).await? {
            if node != self.0.node {
                count += self.take_over(node, alive_until).await?;
            }
        }
        Ok(count)
    }

    /// Goes on with what this node has taken over and lost sight of, as when the database took something and its answer was lost.
    /// Gives how many messages there were.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn lost_step(&self) -> Result<usize, StoreError> {
        let now = self.0.clock.now();
        let (since, until) = (now - LONGEST, now - LOST_AFTER);
        let mut lost = self.0.store.unfinished_messages(self.0.node, since, until, BATCH).await?;
        let running = self.0.running.pin_owned();
        lost.retain(|message| !running.contains_key(&message.id));
        drop(running);
        let count = lost.len();
        for message in lost {
            tracing::warn!(id = %message.id, "this node has a message that nothing works on; it goes on with it");
            self.take_over_message(self.0.node, message).await?;
        }
        Ok(count)
    }

    async fn take_over(&self, node: NodeId, alive_until: Timestamp) -> Result<usize, StoreError> {
        let (since, until) = (alive_until - LONGEST, Timestamp::MAX);
        let mut count = 0;
        loop {
            let left = self.0.store.unfinished_messages(node, since, until, BATCH).await?;
            if left.is_empty() {
                break;
            }
            let before = count;
            for message in left {
                count += usize::from(self.take_over_message(node, message).await?);
            }
            if count == before {
                // What cannot be read now must not hold up what other nodes left; this one is looked at again.
                return Ok(count);
            }
        }
        self.0.store.forget_node(node).await?;
        if count > 0 {
            tracing::info!(count, "messages that another process left unfinished are taken over");
        }
        Ok(count)
    }

    async fn take_over_message(&self, from: NodeId, message: Message) -> Result<bool, StoreError> {
        // First what may fail: what has been taken over is gone on with.
        let registered = match self.0.directory.find(&message.app_key, self.0.clock.now()).await {
            Ok(registered) => registered,
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => {
                tracing::error!(id = %message.id, key = message.app_key, %error, "a message cannot be taken over");
                return Ok(false);
            }
        };
        if !self.0.store.take_over_message(message.id, from, self.0.node).await? {
            return Ok(false);
        }
        let intake = self.clone();
        self.0.tasks.spawn(async move {
            match registered {
                Some(registered) => intake.go_on(message, registered).await,
                None => until_stored("the end of a message", || intake.abandon(&message)).await,
            }
        });
        Ok(true)
    }

    /// Goes on with a message as soon as there is memory for it, and no try of WeChat is just looking at it.
    async fn go_on(&self, message: Message, registered: Arc<Registered>) {
        let callback = Callback::of_row(message.clone());
        let ours = Arc::new(Running::new(message.id, message.received_at, callback.request.tries));
        let budget = loop {
            match self.budget(&callback) {
                Some(budget) => break budget,
                None => tokio::time::sleep(LATER).await,
            }
        };
        while !Arc::ptr_eq(self.0.running.pin().get_or_insert(message.id, Arc::clone(&ours)), &ours) {
            tokio::time::sleep(LATER).await;
        }
        UnderWay { inner: Arc::clone(&self.0), running: ours, _budget: budget }.resume(message, registered).await;
    }

    /// The registration is gone: there is nobody to forward for.
    async fn abandon(&self, message: &Message) -> Result<(), StoreError> {
        let (id, now) = (message.id, self.0.clock.now());
        tracing::warn!(%id, key = message.app_key, "its registration is gone; it is not forwarded");
        let known = self.0.store.answer(id).await?;
        let end = Answer { finished_at: Some(now), ..known.clone().unwrap_or_else(|| Answer::success(id, now)) };
        let end = Arc::new(std::sync::Mutex::new(end));
        match known {
            Some(_) => self.0.ways.journal.update(end).await,
            None => self.0.ways.journal.answer(end).await.map(drop),
        }
    }
}
