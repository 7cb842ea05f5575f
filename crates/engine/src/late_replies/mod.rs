//! Late replies: what a backend says when WeChat waits no longer goes to the user as a customer-service message (WeCom: as a
//! message of the agent).
//!
//! At most one reply for each message reaches the user, whichever way: this one only when WeChat was answered `success`, or
//! when nobody fetched the answer. It is kept in the store until WeChat has taken all of it; WeChat's refusals are written
//! down with what they mean. A reply is sent once more when nobody knows whether WeChat got it (this process died):
//! rather twice than not at all.
//!
//! * [`pieces`]: a reply as the calls that send it;
//! * `sender`: sending what is due.

pub mod pieces;
pub mod sender;

use std::sync::Arc;

use store::{LateReply, LateReplyState, StoreError};
use tokio::sync::Notify;
use wechat::reply::Reply;

use self::pieces::{Outcome, Pieces};
use crate::credentials::Credentials;
use crate::foundation::Foundation;
use crate::messages::{Callback, to_json};

/// Cares for late replies. Cheap to clone.
#[derive(Clone)]
pub struct LateReplies(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    credentials: Credentials,
    /// Wakes the sender.
    offered: Notify,
}

impl std::ops::Deref for Inner {
    type Target = Foundation;
    fn deref(&self) -> &Foundation {
        &self.foundation
    }
}

impl LateReplies {
    /// On this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, credentials: Credentials) -> Self {
        Self(Arc::new(Inner { foundation, credentials, offered: Notify::new() }))
    }

    /// Takes the reply that the backend at `place` gave when WeChat waited no longer. `None`: it cannot be read here.
    /// `is_answer`: it is the message's answer, which goes to the user because no try of WeChat came for it. It is sent if it
    /// can be and its time is not over; if not, the reason is written down.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn offer(
        &self,
        callback: &Callback,
        place: usize,
        reply: Option<&Reply>,
        is_answer: bool,
    ) -> Result<(), StoreError> {
        let now = self.0.clock.now();
        let pieces = if now > callback.late_until() {
            Err(format!("it came more than {} s after the message (late=)", callback.request.late))
        } else {
            Pieces::of(callback, reply, is_answer)
        };
        let (state, pieces, outcome) = match pieces {
            Ok(pieces) => (LateReplyState::Pending(now), to_json(&pieces), Outcome::default()),
            Err(reason) => (LateReplyState::Failed, b"{}".to_vec(), Outcome::unsendable(reason)),
        };
        if let Some(reason) = &outcome.text {
            tracing::warn!(id = %callback.message.id, reason, "a late reply does not reach the user");
        }
        let late = LateReply {
            message_id: callback.message.id,
            reply_from: u32::try_from(place).unwrap_or(u32::MAX),
            created_at: now,
            state,
            tries: 0,
            sent: 0,
            pieces,
            outcome: to_json(&outcome),
        };
        if self.0.store.insert_late_reply(&late).await? {
            if state == LateReplyState::Failed {
                self.0.metrics.late_reply("unsendable");
            }
            self.0.offered.notify_one();
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
