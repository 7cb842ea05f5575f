//! Sending late replies: what is due is claimed, sent piece by piece with the account's token, and written down.
//!
//! A step that tests can call, and a loop around it.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use store::{LateReply, LateReplyState, StoreError};
use tokio_util::sync::CancellationToken;
use wechat::ApiError;
use wechat::calls::{Call, read_sent};
use wechat::errcode::ErrorClass;

use super::LateReplies;
use super::pieces::{Outcome, Pieces};
use crate::apps::{Registered, Wanted as WantedToken};
use crate::credentials::CallError;
use crate::foundation::{AFTER_FAILURE, until_stored};
use crate::messages::{from_json, to_json};
use crate::upstream::UpstreamError;

/// Late replies that are sent one after the other in one step.
const BATCH: u64 = 16;

/// The longest sleep between two looks.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// After failures that may pass, how long until the next try.
const PAUSES: [u64; 3] = [5, 30, 120];

/// While the message itself is not answered yet, how long until the next look.
const NOT_YET: Duration = Duration::from_secs(1);

/// Whether a late reply is still to be sent.
enum Wanted {
    Yes,
    No(&'static str),
    /// The message itself is not answered yet, or another backend's late reply is being sent.
    NotYetKnown,
}

/// Why a piece did not reach the user.
enum NotSent {
    /// WeChat refused it for good.
    Refused(ApiError),
    /// It may work later.
    Later(String),
    /// It will not work.
    Never(String),
}

/// Sends what is due until `stop`.
pub async fn run(late_replies: LateReplies, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = late_replies.send_step().await.unwrap_or_else(|error| {
            tracing::error!(%error, "looking for late replies failed");
            AFTER_FAILURE
        });
        // A step is never cut: a call to WeChat that is under way would be made again after the next start.
        let _ = stop.run_until_cancelled(tokio::time::timeout(pause, late_replies.0.offered.notified())).await;
    }
}

impl LateReplies {
    /// Sends what is due now. Gives how long nothing else will be due.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer; nothing is lost then.
    pub async fn send_step(&self) -> Result<Duration, StoreError> {
        let due = self.0.store.claim_late_replies(self.0.node, self.0.clock.now(), BATCH).await?;
        if !due.is_empty() {
            futures::future::join_all(due.into_iter().map(|reply| self.send(reply))).await;
            return Ok(Duration::ZERO);
        }
        let next = self.0.store.next_late_reply().await?;
        let wait = next.map_or(LONGEST_SLEEP, |next| next.since(self.0.clock.now()));
        Ok(wait.clamp(Duration::from_millis(100), LONGEST_SLEEP))
    }

    async fn send(&self, mut reply: LateReply) {
        let pieces: Pieces = from_json(&reply.pieces);
        match self.is_wanted(&reply, &pieces).await {
            Err(error) => return self.not_sent(reply, NotSent::Later(error.to_string())).await,
            Ok(Wanted::NotYetKnown) => return self.postpone(reply).await,
            Ok(Wanted::No(reason)) => return self.not_sent(reply, NotSent::Never(reason.to_owned())).await,
            Ok(Wanted::Yes) => {}
        }
        while let Some(body) = usize::try_from(reply.sent).ok().and_then(|sent| pieces.bodies.get(sent)) {
            if let Err(reason) = self.send_piece(&reply, pieces.wecom, body).await {
                return self.not_sent(reply, reason).await;
            }
            reply.sent += 1;
            // Before the next piece: what the user has is not sent again after a crash.
            if !self.settle(&reply, true).await {
                return;
            }
        }
        reply.state = LateReplyState::Sent;
        reply.outcome = to_json(&Outcome::default());
        self.0.metrics.late_reply("sent");
        tracing::info!(id = %reply.message_id, "a late reply was sent to the user");
        self.settle(&reply, false).await;
    }

    /// Whether the user has no other reply to the message, and will get none.
    async fn is_wanted(&self, reply: &LateReply, pieces: &Pieces) -> Result<Wanted, StoreError> {
        let Some(answer) = self.0.store.answer(reply.message_id).await? else { return Ok(Wanted::NotYetKnown) };
        if pieces.is_answer {
            return Ok(Wanted::Yes);
        }
        if answer.reply.is_some() {
            return Ok(Wanted::No("the message has a reply already"));
        }
        // They come in the order in which they were made.
        let all = self.0.store.late_replies(&[reply.message_id]).await?;
        let before = || all.iter().take_while(|other| other.reply_from != reply.reply_from);
        if before().any(|other| other.state == LateReplyState::Sent) {
            return Ok(Wanted::No("another backend's late reply came before"));
        }
        let is_next = before().all(|other| other.state == LateReplyState::Failed);
        Ok(if is_next { Wanted::Yes } else { Wanted::NotYetKnown })
    }

    /// WeChat may still get another backend's reply: then this one is not needed.
    async fn postpone(&self, mut reply: LateReply) {
        reply.state = LateReplyState::Pending(self.0.clock.now() + NOT_YET);
        self.settle(&reply, false).await;
    }

    /// What this node has taken must not stay in its hands without being worked on. False: another node has it by now.
    async fn settle(&self, reply: &LateReply, kept: bool) -> bool {
        until_stored("a late reply", || self.0.store.settle_late_reply(reply, self.0.node, kept)).await
    }

    async fn not_sent(&self, mut reply: LateReply, reason: NotSent) {
        let pause = usize::try_from(reply.tries).ok().and_then(|tries| PAUSES.get(tries));
        let (outcome, state) = match (reason, pause) {
            (NotSent::Later(text), Some(pause)) => {
                let due_at = self.0.clock.now() + Duration::from_secs(*pause);
                (Outcome { text: Some(text), ..Outcome::default() }, LateReplyState::Pending(due_at))
            }
            (NotSent::Later(text) | NotSent::Never(text), _) => (Outcome::unsendable(text), LateReplyState::Failed),
            (NotSent::Refused(error), _) => (refused(&error), LateReplyState::Failed),
        };
        let failed = state == LateReplyState::Failed;
        self.0.metrics.late_reply(if failed { "failed" } else { "retried" });
        let (text, advice) = (outcome.text.as_deref(), outcome.advice.as_deref());
        tracing::warn!(id = %reply.message_id, text, advice, failed, "a late reply was not sent");
        reply.tries += 1;
        reply.state = state;
        reply.outcome = to_json(&outcome);
        self.settle(&reply, false).await;
    }

    async fn send_piece(&self, reply: &LateReply, wecom: bool, body: &str) -> Result<(), NotSent> {
        let later = |error: StoreError| NotSent::Later(error.to_string());
        let message = self.0.store.message(reply.message_id).await.map_err(later)?;
        let message = message.ok_or_else(|| NotSent::Never("the message is no longer kept".to_owned()))?;
        let found = self.0.directory.find(&message.app_key, self.0.clock.now()).await.map_err(later)?;
        let registered = found.ok_or_else(|| NotSent::Never("the registration is gone".to_owned()))?;
        self.send_with_token(&registered, wecom, body).await
    }

    async fn send_with_token(&self, registered: &Arc<Registered>, wecom: bool, body: &str) -> Result<(), NotSent> {
        let wanted = if wecom { WantedToken::WecomToken } else { WantedToken::AccessToken };
        let slot = registered.slot(wanted, &self.0.slots);
        let make = |token: &SecretString| {
            let (token, body) = (token.expose_secret(), body.as_bytes());
            if wecom { Call::wecom_send(token, body) } else { Call::custom_send(token, body) }
        };
        self.0.credentials.call(slot, make, read_sent).await.map_err(|error| match error {
            CallError::NoToken(error) => NotSent::Later(error.to_string()),
            // Whether WeChat has sent it nobody knows: twice would be worse than a line in the records.
            CallError::NoAnswer(error @ (UpstreamError::Timeout { .. } | UpstreamError::Broken { .. })) => {
                NotSent::Never(format!("{error}; it is not sent again, because WeChat may have taken it"))
            }
            CallError::NoAnswer(error) => NotSent::Later(error.to_string()),
            CallError::Refused(error) => match error.errcode.class() {
                ErrorClass::TokenDead | ErrorClass::Transient => NotSent::Later(error.to_string()),
                ErrorClass::Permanent => NotSent::Refused(error),
            },
            CallError::Malformed(what) => NotSent::Never(format!("WeChat's answer makes no sense: {what}")),
        })
    }
}

fn refused(error: &ApiError) -> Outcome {
    Outcome {
        errcode: Some(error.errcode.0),
        text: Some(error.errmsg.clone()),
        advice: error.errcode.advice().map(str::to_owned),
    }
}
