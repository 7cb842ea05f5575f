//! The notifier: settles refunds when their time has come, and carries notifications to merchants until they accept
//! them.
//!
//! Called after every call that may have left something to do. Source: the notification pages of the API v2 and v3
//! docs: 5 seconds a try, no redirects, resends after 15 s, 15 s, 30 s, 3 min and so on, each signed anew. What must
//! stay true: all waiting goes by the sandbox's clock, live or stepped.

mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chance;
use crate::clock::Time;
use crate::merchant::{
    About, GAPS, Job, LIMIT_MS, Letter, Notice, NoticeKnob, NoticeOutcome, NoticeState, NoticeTry, Origin, next_notice,
};
use crate::pusher::{Broken, Messenger};
use crate::pushes::{TryOutcome, clipped};
use crate::shared_world::{Event, SharedWorld};

/// Sends under way at the same time; others wait for their turn.
const AT_ONCE: usize = 200;
/// Characters kept of an answer.
const LONGEST_ANSWER: usize = 1_024;

/// What all notifications share.
#[derive(Debug)]
pub(crate) struct Notifier {
    world: SharedWorld,
    messenger: Messenger,
    turns: Semaphore,
    tasks: TaskTracker,
    /// Something about a notification changed.
    changed: Notify,
}

impl Notifier {
    /// A notifier of what happens in this world.
    pub(crate) fn new(world: SharedWorld) -> Notifier {
        Notifier {
            world,
            messenger: Messenger::new(),
            turns: Semaphore::new(AT_ONCE),
            tasks: TaskTracker::new(),
            changed: Notify::new(),
        }
    }

    /// Begins what calls have left to do.
    pub(crate) fn start_jobs(self: &Arc<Self>) {
        let (jobs, stopped) = {
            let mut world = self.world.lock();
            (world.merchants.take_jobs(), world.pushes.stopped())
        };
        for job in jobs {
            let (notifier, stopped) = (Arc::clone(self), stopped.clone());
            self.tasks.spawn(async move {
                match job {
                    Job::Send(id) => notifier.deliver(id, &stopped).await,
                    Job::Resend(id) => notifier.resend(id, &stopped).await,
                    Job::Settle { key, at } => notifier.settle(key, at, &stopped).await,
                }
            });
        }
    }

    /// Waits for everything under way to end.
    pub(crate) async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Waits until nothing happens about these notifications without the clock being turned, at most for the given
    /// time.
    pub(crate) async fn quiet(&self, ids: &[u64], longest: Duration) {
        let busy = || {
            let world = self.world.lock();
            let now = world.clock.now();
            ids.iter().any(|id| world.merchants.notices.find(*id).is_some_and(|notice| notice.is_busy(now)))
        };
        let all = async {
            loop {
                let mut changed = std::pin::pin!(self.changed.notified());
                changed.as_mut().enable();
                if !busy() {
                    return;
                }
                changed.await;
            }
        };
        // Whoever waited in vain sees what is still under way.
        drop(tokio::time::timeout(longest, all).await);
    }

    async fn settle(self: Arc<Self>, key: (String, String), at: Time, stopped: &CancellationToken) {
        tokio::select! {
            () = stopped.cancelled() => return,
            () = self.world.clock_reaches(at) => {}
        }
        {
            let mut world = self.world.lock();
            let (now, (mch_id, number)) = (world.clock.now(), &key);
            let settles = world.merchants.get(mch_id).map(|holder| holder.settings.refund_outcome);
            let untouched = world.merchants.refund(mch_id, number).is_some_and(|refund| refund.settled.is_none());
            if let Some(outcome) = settles.filter(|_| untouched) {
                world.merchants.settle(mch_id, number, outcome, now);
            }
        }
        self.world.tell(Event::Change("refunds"));
        self.start_jobs();
    }

    async fn deliver(&self, id: u64, stopped: &CancellationToken) {
        for (gap, number) in GAPS.into_iter().map(Some).chain([None]).zip(1..) {
            let at = self.world.lock().clock.now();
            let accepted = self.attempt(id, number, stopped).await;
            let next = gap.map(|secs| at.plus_secs(secs));
            let state = match next {
                _ if accepted => NoticeState::Acknowledged,
                _ if stopped.is_cancelled() => NoticeState::Cancelled,
                Some(_) => NoticeState::Waiting,
                None => NoticeState::GivenUp,
            };
            self.change(id, |notice| {
                // A resend by hand may have been accepted meanwhile.
                if notice.state != NoticeState::Acknowledged {
                    (notice.state, notice.next) = (state, next.filter(|_| state == NoticeState::Waiting));
                }
            });
            let Some(next) = next.filter(|_| state == NoticeState::Waiting) else { return };
            tokio::select! {
                () = stopped.cancelled() => {}
                () = self.world.clock_reaches(next) => {}
            }
            let waits = |notice: &Notice| notice.state == NoticeState::Waiting;
            if !self.world.lock().merchants.notices.find(id).is_some_and(waits) {
                return;
            }
            self.change(id, |notice| (notice.state, notice.next) = (NoticeState::Sending, None));
        }
    }

    /// One more try by hand, with the number 0; it changes nothing about when the others come.
    async fn resend(&self, id: u64, stopped: &CancellationToken) {
        let accepted = self.attempt(id, 0, stopped).await;
        self.change(id, |notice| {
            notice.resending = notice.resending.saturating_sub(1);
            if accepted {
                (notice.state, notice.next) = (NoticeState::Acknowledged, None);
            }
        });
    }

    /// Sends all copies of one try; says whether one was accepted.
    async fn attempt(&self, id: u64, number: u32, stopped: &CancellationToken) -> bool {
        let copies = {
            let world = self.world.lock();
            let holder = world.merchants.notices.find(id).and_then(|notice| world.merchants.get(&notice.mch_id));
            holder.map_or(0, |holder| holder.settings.copies)
        };
        join_all((0..copies).map(|_| self.send(id, number, stopped))).await.contains(&true)
    }

    async fn send(&self, id: u64, number: u32, stopped: &CancellationToken) -> bool {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let Some((notice, letter, fault, at)) = self.write(id) else { return false };
        let started = Instant::now();
        let sent = async {
            if fault == Some(NoticeKnob::Withheld) {
                return Err((NoticeOutcome::Withheld, None, "kept back by a fault".to_owned()));
            }
            let url = notice.url.parse().map_err(|_| (NoticeOutcome::NoConnection, None, "no address".to_owned()))?;
            let sent = self.messenger.deliver(url, letter.content_type, &letter.headers, letter.body.clone());
            sent.await.map_err(|Broken { outcome, status, reason }| (outcome_of(outcome), status, reason))
        };
        let answered = tokio::select! {
            biased;
            () = stopped.cancelled() => Err((NoticeOutcome::Cancelled, None, "the sandbox was stopped or reset".into())),
            answered = sent => answered,
            () = self.world.clock_reaches(at.plus_millis(LIMIT_MS)) => {
                Err((NoticeOutcome::Timeout, None, "no whole answer within 5 s; the connection was closed".into()))
            }
        };
        let (outcome, status, reason, answer) = match answered {
            Err((outcome, status, reason)) => (outcome, status, Some(reason), String::new()),
            Ok((status, body)) => {
                let answer: String = String::from_utf8_lossy(&body).chars().take(LONGEST_ANSWER).collect();
                let objection = match notice.origin {
                    Origin::V2 { .. } => verdict::objection_v2(status, &body),
                    Origin::V3 => verdict::objection_v3(status),
                };
                let accepted = if objection.is_none() { NoticeOutcome::Acknowledged } else { NoticeOutcome::Rejected };
                (accepted, Some(status), objection, answer)
            }
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (headers, sent) = (letter.headers, clipped(&letter.body));
        let tried = NoticeTry { number, at, ms, status, outcome, reason, fault, headers, sent, answer };
        self.change(id, |notice| notice.add(tried));
        outcome == NoticeOutcome::Acknowledged
    }

    /// What is to be sent now; `None` when the notification or what it is about is gone.
    fn write(&self, id: u64) -> Option<(Notice, Letter, Option<NoticeKnob>, Time)> {
        let mut world = self.world.lock();
        let now = world.clock.now();
        let notice = world.merchants.notices.find(id)?.clone();
        let settings = &mut world.merchants.get_mut(&notice.mch_id)?.settings;
        let probed = chance::happens(settings.signtest_rate).then_some(NoticeKnob::Signtest);
        let fault = next_notice(&mut settings.notice_faults).or(probed);
        let merchants = &world.merchants;
        let refund = notice.out_refund_no.as_ref().map(|number| merchants.refund(&notice.mch_id, number));
        let about = About {
            merchant: merchants.get(&notice.mch_id)?,
            notice: &notice,
            order: merchants.order(&notice.mch_id, &notice.out_trade_no)?,
            refund: match refund {
                None => None,
                Some(refund) => Some(refund?),
            },
        };
        let letter = about.write(fault, now);
        Some((notice, letter, fault, now))
    }

    /// Changes a notification, and tells whoever waits or listens.
    fn change(&self, id: u64, change: impl FnOnce(&mut Notice)) {
        let text = {
            let mut world = self.world.lock();
            let Some(notice) = world.merchants.notices.find_mut(id) else { return };
            change(notice);
            self.world.is_listened_to().then(|| serde_json::to_string(notice).ok()).flatten()
        };
        self.changed.notify_waiters();
        if let Some(text) = text {
            self.world.tell(Event::Notification(text.into()));
        }
    }
}

fn outcome_of(outcome: TryOutcome) -> NoticeOutcome {
    match outcome {
        TryOutcome::Redirect => NoticeOutcome::Redirect,
        TryOutcome::Timeout => NoticeOutcome::Timeout,
        TryOutcome::NoConnection => NoticeOutcome::NoConnection,
        TryOutcome::Tls => NoticeOutcome::Tls,
        TryOutcome::TooLong => NoticeOutcome::TooLong,
        _ => NoticeOutcome::HungUp,
    }
}
