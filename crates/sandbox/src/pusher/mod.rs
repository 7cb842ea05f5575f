//! The pusher: carries messages and events to the callback URLs of accounts, as WeChat does.
//!
//! Called by the control API, also to fetch pictures that the phone scans. Source: "Message push" and "Receiving
//! messages" of the official account docs: 5 seconds a try, three tries with the same MsgId and CreateTime, an end at a
//! reply, `success` or an empty 200. Whether a malformed answer is tried again and whether tries are signed anew is
//! unconfirmed; here both are so. What must stay true: the limit of a try goes by the sandbox's clock, so that a clock
//! that stands still waits, and one that is advanced lets a try end at once.

mod exchange;
mod wish;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use exchange::{Broken, Messenger};
pub(crate) use wish::PushWish;

use crate::account::AccountKind;
use crate::callback::{
    Answered, Callback, Content, Conversation, Expected, Malformed, Message, Stamp, push, read, url_check,
};
use crate::chance;
use crate::chat::{Entry, Speaker};
use crate::clock::machine_time;
use crate::pushes::{Outcome, Try, TryOutcome, clipped};
use crate::shared_world::{Event, SharedWorld};

/// Pushes under way at the same time; others wait for their turn. Below the number of files that a process may usually
/// have open.
const AT_ONCE: usize = 200;
/// How long the check of a URL may take, in real time.
const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// What the users of an account see instead of an answer.
const ACCOUNT_UNAVAILABLE: &str = "该公众号暂时无法提供服务，请稍后再试";
const MINI_PROGRAM_UNAVAILABLE: &str = "该小程序客服暂时无法提供服务，请稍后再试";

/// What all pushes share.
#[derive(Debug)]
pub(crate) struct Pusher {
    world: SharedWorld,
    messenger: Messenger,
    turns: Semaphore,
    tasks: TaskTracker,
    /// A push ended.
    ended: Notify,
}

/// Why nothing is pushed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PushError {
    /// No such account.
    #[error("there is no account {0:?}")]
    NoAccount(String),
    /// The account has no callback.
    #[error("account {0} has no callback yet; set one with PUT /sandbox/accounts/{0}/callback")]
    NoCallback(String),
    /// What was asked for cannot be pushed.
    #[error("{0}")]
    Unusable(String),
}

/// How a push is made.
#[derive(Clone, Copy, Debug)]
struct Limits {
    tries: u32,
    limit_ms: u64,
    keep_signature: bool,
    timestamp: Option<u64>,
}

/// One push, ready to be carried out.
#[derive(Debug)]
struct Job {
    id: u64,
    appid: String,
    kind: AccountKind,
    who: Conversation,
    message: Message,
    callback: Callback,
    limits: Limits,
    stopped: CancellationToken,
}

/// What came of one try.
struct Tried {
    record: Try,
    answer: Option<Answered>,
}

impl Pusher {
    /// A pusher of what happens in this world.
    pub(crate) fn new(world: SharedWorld) -> Pusher {
        Pusher {
            world,
            messenger: Messenger::new(),
            turns: Semaphore::new(AT_ONCE),
            tasks: TaskTracker::new(),
            ended: Notify::new(),
        }
    }

    /// Waits for all pushes to end.
    pub(crate) async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Begins to push what is wished and gives the ids of the pushes. `host` is how the sandbox was reached.
    ///
    /// # Errors
    /// [`PushError`] says what to do.
    pub(crate) fn push(self: &Arc<Self>, appid: &str, wish: &PushWish, host: &str) -> Result<Vec<u64>, PushError> {
        let jobs = wish::jobs(&mut self.world.lock(), appid, wish, &format!("http://{host}"))?;
        let ids = jobs.iter().map(|job| job.id).collect();
        for job in jobs {
            self.tell_push(job.id);
            let pusher = Arc::clone(self);
            self.tasks.spawn(async move { pusher.carry_out(&job).await });
        }
        self.world.tell(Event::Change("chat"));
        Ok(ids)
    }

    /// Waits until none of these pushes is under way, at most for the given time.
    pub(crate) async fn pushes_ended(&self, ids: &[u64], longest: Duration) {
        let under_way =
            |id: &u64| self.world.lock().pushes.find(*id).is_some_and(|push| push.outcome == Outcome::UnderWay);
        let all = async {
            loop {
                let mut ended = std::pin::pin!(self.ended.notified());
                ended.as_mut().enable();
                if !ids.iter().any(under_way) {
                    return;
                }
                ended.await;
            }
        };
        // Whoever waited in vain sees what is still under way.
        drop(tokio::time::timeout(longest, all).await);
    }

    /// Makes WeChat's check of a callback URL.
    ///
    /// # Errors
    /// A text that says what the URL answered and what it should have.
    pub(crate) async fn check_url(&self, callback: &Callback, receiver: &str, wecom: bool) -> Result<(), String> {
        let echo = chance::echo();
        let stamp = Stamp { timestamp: machine_time().secs(), nonce: chance::nonce(), random: chance::sixteen() };
        let url = url_check(callback, receiver, wecom, &stamp, &echo);
        let answered = tokio::time::timeout(CHECK_LIMIT, self.messenger.get(url)).await;
        let body = match answered {
            Err(_) => return Err(format!("no answer within {} s", CHECK_LIMIT.as_secs())),
            Ok(Err(broken)) => return Err(broken.reason),
            Ok(Ok(whole)) => whole.body,
        };
        if body == echo.as_bytes() {
            return Ok(());
        }
        let got: String = String::from_utf8_lossy(&body).chars().take(80).collect();
        let wanted = if wecom { "the decrypted echostr" } else { "echostr" };
        Err(format!(
            "it answered {got:?} where {wanted} was wanted, and nothing else: {echo:?}; is the token the same on both sides?"
        ))
    }

    /// What is at an address.
    ///
    /// # Errors
    /// Why nothing was got from there.
    pub(crate) async fn fetch(&self, url: reqwest::Url) -> Result<Bytes, String> {
        self.messenger.get(url).await.map(|whole| whole.body).map_err(|broken| broken.reason)
    }

    async fn carry_out(&self, job: &Job) {
        // The semaphore is never closed; without a permit the push would only be less patient.
        let _turn = self.turns.acquire().await;
        let fixed = job.limits.keep_signature.then(|| job.stamp());
        let mut last = None;
        for number in 1..=job.limits.tries {
            let stamp = fixed.clone().unwrap_or_else(|| job.stamp());
            let tried = self.attempt(job, number, &stamp).await;
            let over = tried.record.outcome.is_final();
            if let Some(push) = self.world.lock().pushes.find_mut(job.id) {
                push.tries.push(tried.record.clone());
            }
            self.tell_push(job.id);
            last = Some(tried);
            if over {
                break;
            }
        }
        self.conclude(job, last);
    }

    async fn attempt(&self, job: &Job, number: u32, stamp: &Stamp) -> Tried {
        let at = self.world.lock().clock.now();
        let started = Instant::now();
        let delivery = push(&job.callback, &job.receiver(), &job.who, &job.message, stamp);
        let sent = self.messenger.post(delivery.url, delivery.content_type, delivery.body);
        let answered = tokio::select! {
            biased;
            () = job.stopped.cancelled() => Err(Broken {
                outcome: TryOutcome::Cancelled,
                status: None,
                reason: "the sandbox was stopped or reset".into(),
            }),
            answered = sent => answered,
            () = self.world.clock_reaches(at.plus_millis(job.limits.limit_ms)) => Err(Broken {
                outcome: TryOutcome::Timeout,
                status: None,
                reason: format!("no whole answer within {} ms; the connection was closed", job.limits.limit_ms),
            }),
        };
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, outcome, reason, answer) = match answered {
            Err(Broken { outcome, status, reason }) => (status, outcome, Some(reason), None),
            Ok(whole) => match read(&whole.body, &job.expected()) {
                Err(Malformed(reason)) => (Some(200), TryOutcome::Malformed, Some(reason), None),
                Ok(answer) => (Some(200), outcome_of(&answer), None, Some(answer)),
            },
        };
        Tried { record: Try { number, at, ms, status, outcome, reason }, answer }
    }

    /// Writes down how a push ended, and lets the user see it.
    fn conclude(&self, job: &Job, last: Option<Tried>) {
        let (kind, event) = (job.message.kind(), job.message.event());
        let answered = wish::is_answered(&kind, &event);
        let cancelled = last.as_ref().is_some_and(|tried| tried.record.outcome == TryOutcome::Cancelled);
        let (outcome, reply, shown) = match last.and_then(|tried| tried.answer) {
            Some(Answered::Reply { content, plain }) if answered => (Outcome::Replied, Some(plain), Some(content)),
            Some(Answered::Reply { plain, .. }) => (Outcome::Ignored, Some(plain), None),
            Some(Answered::Nothing | Answered::Success) => (Outcome::Acknowledged, None, None),
            None if cancelled => (Outcome::Cancelled, None, None),
            None if answered => (Outcome::Failed, None, unavailable(job.kind)),
            None => (Outcome::Failed, None, None),
        };
        {
            let mut world = self.world.lock();
            let now = world.clock.now();
            if let Some(push) = world.pushes.find_mut(job.id) {
                push.outcome = outcome;
                push.reply = reply.as_deref().map(clipped);
                push.shown.clone_from(&shown);
            }
            if let (Some(content), Some(holder)) = (shown, world.accounts.get_mut(&job.appid)) {
                let speaker = if outcome == Outcome::Replied { Speaker::Reply } else { Speaker::Platform };
                let entry = Entry::new(speaker, now, content);
                holder.people.say(&job.who.user, Entry { push: Some(job.id), agentid: job.who.agentid, ..entry });
            }
        }
        self.tell_push(job.id);
        self.world.tell(Event::Change("chat"));
        self.ended.notify_waiters();
    }

    fn tell_push(&self, id: u64) {
        if !self.world.is_listened_to() {
            return;
        }
        let text = self.world.lock().pushes.find(id).and_then(|push| serde_json::to_string(push).ok());
        if let Some(text) = text {
            self.world.tell(Event::Push(text.into()));
        }
    }
}

impl Job {
    /// Whose key and id the ciphertext is made with.
    fn receiver(&self) -> String {
        self.appid.clone()
    }

    fn stamp(&self) -> Stamp {
        // The machine's time: a receiver compares it with its own, which nobody turns.
        let timestamp = self.limits.timestamp.unwrap_or_else(|| machine_time().secs());
        Stamp { timestamp, nonce: chance::nonce(), random: chance::sixteen() }
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            callback: &self.callback,
            kind: self.kind,
            receiver: &self.appid,
            who: &self.who,
            one_article: wish::takes_one_article(&self.message.kind()),
        }
    }
}

fn outcome_of(answer: &Answered) -> TryOutcome {
    match answer {
        Answered::Nothing => TryOutcome::Empty,
        Answered::Success => TryOutcome::Success,
        Answered::Reply { .. } => TryOutcome::Replied,
    }
}

/// What WeChat says when an account does not answer. WeCom says nothing.
fn unavailable(kind: AccountKind) -> Option<Content> {
    let text = match kind {
        AccountKind::Official => ACCOUNT_UNAVAILABLE,
        AccountKind::MiniProgram => MINI_PROGRAM_UNAVAILABLE,
        AccountKind::Wecom | AccountKind::Website => return None,
    };
    Some(Content::Unavailable { text: text.to_owned() })
}
