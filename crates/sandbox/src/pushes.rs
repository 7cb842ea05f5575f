//! What became of each push: its tries, how they ended, what the user saw.
//!
//! Written by `pusher`, read by the control API and the page. A ring of bounded length, and bounded in what each record
//! holds.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::callback::Content;
use crate::clock::Time;

/// Pushes kept; the oldest ones go first.
const MOST: usize = 5_000;
/// Characters kept of what was sent and of what came back.
const LONGEST_TEXT: usize = 8_192;

/// How one try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TryOutcome {
    /// A reply that can be shown.
    Replied,
    /// The word `success`.
    Success,
    /// No byte, with status 200.
    Empty,
    /// An answer that is none.
    Malformed,
    /// Another status than 200.
    HttpStatus,
    /// A redirect, which WeChat does not follow.
    Redirect,
    /// Not within the time.
    Timeout,
    /// No connection.
    NoConnection,
    /// No connection because of TLS.
    Tls,
    /// The connection ended before the answer was whole.
    HungUp,
    /// More than is read.
    TooLong,
    /// The sandbox stopped or was reset.
    Cancelled,
}

impl TryOutcome {
    /// Whether there is nothing more to try.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, TryOutcome::Replied | TryOutcome::Success | TryOutcome::Empty | TryOutcome::Cancelled)
    }
}

/// One try.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Try {
    /// From 1.
    pub(crate) number: u32,
    /// When it began, on the sandbox's clock.
    pub(crate) at: Time,
    /// Real milliseconds.
    pub(crate) ms: u64,
    pub(crate) status: Option<u16>,
    pub(crate) outcome: TryOutcome,
    /// What happened and what to do, when it went wrong.
    pub(crate) reason: Option<String>,
}

/// How a push ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Not yet.
    UnderWay,
    /// The reply was shown.
    Replied,
    /// There was a reply, but nothing is shown in answer to this event.
    Ignored,
    /// Taken, with nothing to show.
    Acknowledged,
    /// All tries failed.
    Failed,
    /// The sandbox stopped or was reset.
    Cancelled,
}

/// A push.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Push {
    pub(crate) id: u64,
    /// When it was asked for, on the sandbox's clock.
    pub(crate) time: Time,
    pub(crate) appid: String,
    pub(crate) openid: String,
    pub(crate) agentid: Option<u64>,
    /// `text`, `image`, … or `event`.
    pub(crate) msg_type: String,
    /// The event, empty for a message.
    pub(crate) event: String,
    /// As a decimal text, since it is beyond what JavaScript counts to; absent for events.
    pub(crate) msg_id: Option<String>,
    pub(crate) url: String,
    /// The message in plain text.
    pub(crate) sent: String,
    pub(crate) tries: Vec<Try>,
    pub(crate) outcome: Outcome,
    /// The reply in plain text.
    pub(crate) reply: Option<String>,
    /// What the user sees because of it.
    pub(crate) shown: Option<Content>,
}

/// An event that is due because of an API call.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) appid: String,
    /// The user whom it is about.
    pub(crate) openid: String,
    /// In WeChat's element names.
    pub(crate) event: Value,
}

/// The pushes of late, oldest first.
#[derive(Debug)]
pub(crate) struct Pushes {
    records: VecDeque<Push>,
    last_id: u64,
    last_msg_id: u64,
    /// Waits for the end of the call that led to it.
    due: Vec<Due>,
    /// Ends what is under way with this world.
    stop: DropGuard,
}

impl Default for Pushes {
    fn default() -> Pushes {
        let stop = CancellationToken::new().drop_guard();
        Pushes { records: VecDeque::new(), last_id: 0, last_msg_id: 0, due: Vec::new(), stop }
    }
}

impl Pushes {
    /// Keeps a record and gives it its id.
    pub(crate) fn add(&mut self, push: Push) -> u64 {
        self.last_id += 1;
        if self.records.len() >= MOST {
            self.records.pop_front();
        }
        self.records.push_back(Push { id: self.last_id, sent: clipped(&push.sent), ..push });
        self.last_id
    }

    /// An event is to be pushed when the call that led to it has been carried out.
    pub(crate) fn announce(&mut self, due: Due) {
        self.due.push(due);
    }

    /// The events that are due.
    pub(crate) fn take_due(&mut self) -> Vec<Due> {
        std::mem::take(&mut self.due)
    }

    /// A MsgId that no message had, of this run or an earlier one: receivers remember them.
    pub(crate) fn next_msg_id(&mut self, now: Time) -> u64 {
        self.last_msg_id = now.millis().saturating_mul(14_000).max(self.last_msg_id.saturating_add(1));
        self.last_msg_id
    }

    /// The id of the latest push, 0 before the first.
    pub(crate) fn last_id(&self) -> u64 {
        self.last_id
    }

    pub(crate) fn find(&self, id: u64) -> Option<&Push> {
        self.records.iter().find(|push| push.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: u64) -> Option<&mut Push> {
        // The latest ones change.
        self.records.iter_mut().rev().find(|push| push.id == id)
    }

    /// The first `limit` after an id, oldest first; without an id, the latest `limit`.
    pub(crate) fn list(&self, wanted: impl Fn(&Push) -> bool, after: Option<u64>, limit: usize) -> Vec<&Push> {
        match after {
            Some(id) => self.records.iter().filter(|push| push.id > id && wanted(push)).take(limit).collect(),
            None => {
                let mut latest: Vec<_> = self.records.iter().rev().filter(|push| wanted(push)).take(limit).collect();
                latest.reverse();
                latest
            }
        }
    }

    /// Forgets those that have ended; says how many.
    pub(crate) fn clear(&mut self) -> usize {
        let before = self.records.len();
        self.records.retain(|push| push.outcome == Outcome::UnderWay);
        before - self.records.len()
    }

    /// Is cancelled when the sandbox stops or is reset.
    pub(crate) fn stopped(&self) -> CancellationToken {
        self.stop_token().clone()
    }

    /// Ends what is under way.
    pub(crate) fn stop(&self) {
        self.stop_token().cancel();
    }

    fn stop_token(&self) -> &CancellationToken {
        self.stop.token()
    }
}

/// The beginning of a text.
pub(crate) fn clipped(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_never_repeat_and_are_beyond_what_a_double_counts_to() {
        let mut pushes = Pushes::default();
        let now = Time::from_secs(1_700_000_000);
        let (one, two) = (pushes.next_msg_id(now), pushes.next_msg_id(now));
        assert!(one > 1 << 53);
        assert!(two > one);
        assert!(pushes.next_msg_id(now.plus_secs(1)) > two + 1_000_000);
    }

    #[test]
    fn dropping_the_records_ends_what_is_under_way() {
        let pushes = Pushes::default();
        let stopped = pushes.stopped();
        assert!(!stopped.is_cancelled());
        drop(pushes);
        assert!(stopped.is_cancelled());
    }
}
