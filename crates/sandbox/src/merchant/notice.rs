//! Notifications of payments and refunds: what was sent to whom, each try, and what comes next.
//!
//! Written by the notifier, read by the control API and the page. A ring of bounded length, bounded in what each record
//! holds. Source of the gaps: "Payment notification" of the API v2 and v3 docs.

use std::collections::VecDeque;

use serde::Serialize;

use super::knobs::NoticeKnob;
use super::order::Origin;
use crate::clock::Time;

/// Seconds from one try to the next; after the last one nothing more is sent.
pub(crate) const GAPS: [u64; 15] =
    [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600];
/// How long a try may take, in milliseconds.
pub(crate) const LIMIT_MS: u64 = 5_000;
/// Notifications kept; the oldest ones go first.
const MOST: usize = 5_000;
/// Tries that a notification keeps; the oldest ones go first.
const MOST_TRIES: usize = 200;

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    Payment,
    Refund,
}

/// How one try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoticeOutcome {
    /// Accepted, as strictly as WeChat judges it.
    Acknowledged,
    /// Answered, but not with what accepts it.
    Rejected,
    Redirect,
    Timeout,
    NoConnection,
    Tls,
    HungUp,
    TooLong,
    /// A fault kept it back.
    Withheld,
    /// The sandbox stopped or was reset.
    Cancelled,
}

/// One try.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NoticeTry {
    /// From 1; copies that are sent at once have the same.
    pub(crate) number: u32,
    pub(crate) at: Time,
    /// Real milliseconds.
    pub(crate) ms: u64,
    pub(crate) status: Option<u16>,
    pub(crate) outcome: NoticeOutcome,
    /// What went wrong and what to do.
    pub(crate) reason: Option<String>,
    /// What was wrong with it on purpose.
    pub(crate) fault: Option<NoticeKnob>,
    /// The headers that were sent, but for the usual ones.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) sent: String,
    /// The beginning of the answer's body.
    pub(crate) answer: String,
}

/// Where a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoticeState {
    /// A try is under way.
    Sending,
    /// The next try comes at `next`.
    Waiting,
    Acknowledged,
    /// All tries failed.
    GivenUp,
    /// The merchant gets none, or the refund has no address.
    Off,
    /// The sandbox stopped or was reset.
    Cancelled,
}

/// A notification.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Notice {
    pub(crate) id: u64,
    /// When it became due, on the sandbox's clock.
    pub(crate) time: Time,
    pub(crate) mch_id: String,
    pub(crate) subject: Subject,
    #[serde(flatten)]
    pub(crate) origin: Origin,
    pub(crate) out_trade_no: String,
    pub(crate) out_refund_no: Option<String>,
    pub(crate) url: String,
    /// v3: the `id` of the envelope, the same in each try.
    pub(crate) envelope: String,
    pub(crate) state: NoticeState,
    pub(crate) next: Option<Time>,
    pub(crate) tries: Vec<NoticeTry>,
    /// Tries by hand that are under way.
    #[serde(skip)]
    pub(crate) resending: u32,
}

impl Notice {
    /// Whether something about it happens now, without the clock being turned.
    pub(crate) fn is_busy(&self, now: Time) -> bool {
        match self.state {
            _ if self.resending > 0 => true,
            NoticeState::Sending => true,
            NoticeState::Waiting => self.next.is_none_or(|next| next <= now),
            _ => false,
        }
    }

    /// A try by hand begins.
    pub(crate) fn resend(&mut self) {
        self.resending += 1;
    }

    /// Keeps a try.
    pub(crate) fn add(&mut self, tried: NoticeTry) {
        if self.tries.len() >= MOST_TRIES {
            self.tries.remove(0);
        }
        self.tries.push(tried);
    }
}

/// The notifications of late, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    records: VecDeque<Notice>,
    last_id: u64,
}

impl Notices {
    /// Keeps a notification and gives it its id.
    pub(crate) fn add(&mut self, notice: Notice) -> u64 {
        self.last_id += 1;
        if self.records.len() >= MOST {
            self.records.pop_front();
        }
        self.records.push_back(Notice { id: self.last_id, ..notice });
        self.last_id
    }

    pub(crate) fn last_id(&self) -> u64 {
        self.last_id
    }

    pub(crate) fn find(&self, id: u64) -> Option<&Notice> {
        self.records.iter().rev().find(|notice| notice.id == id)
    }

    pub(crate) fn find_mut(&mut self, id: u64) -> Option<&mut Notice> {
        self.records.iter_mut().rev().find(|notice| notice.id == id)
    }

    /// The first `limit` after an id, oldest first; without an id, the latest `limit`.
    pub(crate) fn list(&self, wanted: impl Fn(&Notice) -> bool, after: Option<u64>, limit: usize) -> Vec<&Notice> {
        match after {
            Some(id) => self.records.iter().filter(|notice| notice.id > id && wanted(notice)).take(limit).collect(),
            None => {
                let mut latest: Vec<_> = self.records.iter().rev().filter(|n| wanted(n)).take(limit).collect();
                latest.reverse();
                latest
            }
        }
    }
}
