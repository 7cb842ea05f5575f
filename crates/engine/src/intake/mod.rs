//! Intake: WeChat's callbacks, from the request to the answer.
//!
//! * [`arrival`]: signature, decryption, identity, destinations;
//! * [`order`]: whose reply counts, as a pure function;
//! * `running`: a message under way, and WeChat's tries that wait for it;
//! * `under_way`: who forwards a message: this node, or another one;
//! * `course`: one message from the first byte on disk to the last backend;
//! * `url_check`: the GET with which WeChat checks a callback URL;
//! * [`recovery`]: what nodes that died left unfinished.
//!
//! The first try of a message starts its course, all others join it, on this node by memory, on others by the database.
//! What must stay true: a message is on disk before any backend sees it; an answer is on disk before WeChat gets it; what is
//! not verified reaches no backend.

pub mod arrival;
mod course;
pub mod order;
pub mod recovery;
mod running;
mod under_way;
mod url_check;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use papaya::HashMap;
use store::{Journal, MessageId, Recipient, StoreError, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use wechat::document::Format;

use self::arrival::Arrival;
pub use self::arrival::{Received, Refused};
use self::running::{GivenTo, Outcome, Running, Try};
use self::under_way::UnderWay;
use crate::apps::Registered;
use crate::backends::{Backends, CallUrls};
use crate::deliveries::Deliveries;
use crate::foundation::Foundation;
use crate::late_replies::LateReplies;
use crate::messages::Callback;

/// When WeChat's last try is answered `success`, if nothing is decided by then: half a second before it hangs up.
const LAST_WAIT: Duration = Duration::from_millis(4500);

/// How long the tries before the last are held: WeChat hangs up after five seconds.
const OTHER_WAIT: Duration = Duration::from_millis(5200);

/// After the last wait, how long writing the answer may take.
const WRITING: Duration = Duration::from_millis(1500);

/// How long a backend may take at least, however small `late` is: as long as WeChat's tries.
const TIMEOUT: Duration = Duration::from_secs(15);

/// KiB of messages that are under way on this node at once. More are refused, and WeChat sends them again: so hanging
/// backends cannot fill the memory.
const BUDGET: usize = 128 * 1024;

/// What a message costs besides its body, in KiB.
const OVERHEAD: u32 = 4;

/// Why a callback gets no proper answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntakeError {
    /// It is not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// No backend has answered, and WeChat will ask again.
    #[error("no backend has answered yet; WeChat sends the message again, and that try waits for the same answer")]
    NotYet,
    /// Too much is under way.
    #[error("too many messages are under way, because backends do not answer; WeChat sends this one again")]
    Busy,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No backend answered the check of a callback URL.
    #[error("{0}")]
    Unanswered(String),
}

/// What WeChat gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `success`.
    Success,
    /// This body.
    Body(Bytes),
}

/// Where messages go from here.
pub struct Ways {
    /// To the disk.
    pub journal: Journal,
    /// Which URLs may be called.
    pub call_urls: Arc<CallUrls>,
    /// To backends, at once.
    pub backends: Backends,
    /// To backends, later.
    pub deliveries: Deliveries,
    /// To users.
    pub late_replies: LateReplies,
}

/// Takes WeChat's callbacks. Cheap to clone.
#[derive(Clone)]
pub struct Intake(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    ways: Ways,
    running: HashMap<MessageId, Arc<Running>>,
    budget: Arc<Semaphore>,
}

impl std::ops::Deref for Inner {
    type Target = Foundation;
    fn deref(&self) -> &Foundation {
        &self.foundation
    }
}

impl Intake {
    /// An intake on this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, ways: Ways) -> Self {
        let budget = Arc::new(Semaphore::new(BUDGET));
        Self(Arc::new(Inner { foundation, ways, running: HashMap::new(), budget }))
    }

    /// Takes a POST of WeChat, and gives what WeChat is to be answered.
    ///
    /// # Errors
    /// [`IntakeError`]; WeChat then sends the message again, unless it gives up.
    pub async fn receive(&self, registered: &Arc<Registered>, received: Received) -> Result<Reply, IntakeError> {
        let now = self.0.clock.now();
        let nonce = received.callback_query().nonce.unwrap_or_default();
        let accepted = received.accept(registered, &self.0.ways.call_urls, self.0.node, now);
        let Arrival { callback, was_encrypted } = accepted.inspect_err(|_| self.0.metrics.callback("refused"))?;
        let format = callback.push.as_ref().map(wechat::message::Message::format);
        let running = self.join_or_start(callback, registered, now);
        let running = running.inspect_err(|_| self.0.metrics.callback("busy"))?;
        let reply = self.wait(&running, now).await;
        self.0.metrics.callback(match &reply {
            Ok(Some(_)) => "reply",
            Ok(None) => "success",
            Err(IntakeError::NotYet) => "not_yet",
            Err(_) => "failed",
        });
        let Some(reply) = reply? else { return Ok(Reply::Success) };
        let sealed = format.filter(|_| was_encrypted).and_then(|format| self.seal(registered, &reply, format, &nonce));
        Ok(Reply::Body(sealed.unwrap_or(reply)))
    }

    fn seal(&self, registered: &Registered, reply: &[u8], format: Format, nonce: &str) -> Option<Bytes> {
        let mut random = [0; 16];
        self.0.random.fill(&mut random);
        let seconds = u64::try_from(self.0.clock.now().as_seconds()).unwrap_or(0);
        let keys = registered.callback_keys.as_ref()?;
        keys.seal_reply(reply, format, seconds, nonce, random).map(Bytes::from)
    }

    fn join_or_start(
        &self,
        callback: Arc<Callback>,
        registered: &Arc<Registered>,
        now: Timestamp,
    ) -> Result<Arc<Running>, IntakeError> {
        let id = callback.message.id;
        let all = self.0.running.pin();
        if let Some(running) = all.get(&id) {
            return Ok(Arc::clone(running));
        }
        let ours = Arc::new(Running::new(id, now, callback.request.tries));
        let budget = self.budget(&callback).ok_or(IntakeError::Busy)?;
        let running = all.get_or_insert(id, Arc::clone(&ours));
        if Arc::ptr_eq(running, &ours) {
            let work = UnderWay { inner: Arc::clone(&self.0), running: ours, _budget: budget };
            let registered = Arc::clone(registered);
            self.0.tasks.spawn(async move { work.start(callback, registered).await });
        }
        Ok(Arc::clone(running))
    }

    fn budget(&self, callback: &Callback) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(callback.message.body.len() / 1024).unwrap_or(u32::MAX).saturating_add(OVERHEAD);
        Arc::clone(&self.0.budget).try_acquire_many_owned(kib).ok()
    }

    /// Waits as long as WeChat does.
    async fn wait(&self, running: &Running, now: Timestamp) -> Result<Option<Bytes>, IntakeError> {
        let seat = running.sit();
        let told = tell(running.count_try(now), running).await;
        drop(seat);
        let Some(reply) = told.ok_or(IntakeError::NotYet)?? else { return Ok(None) };
        match running.give_to_wechat() {
            GivenTo::Wechat => Ok(Some(reply)),
            GivenTo::User => Ok(None),
            // Nobody waited when it was decided: this try takes it, if another node has not given it to the user.
            GivenTo::WechatFirst => {
                let holder = self.0.store.give_answer(running.id, Recipient::Wechat).await?;
                if holder == Some(Recipient::User) {
                    running.was_given(Recipient::User);
                    return Ok(None);
                }
                Ok(Some(reply))
            }
        }
    }
}

/// What is decided while WeChat waits; when its last try can wait no longer, that is brought about.
async fn tell(mut this: Try, running: &Running) -> Option<Told> {
    let arrived = tokio::time::Instant::now();
    let mut told = std::pin::pin!(told(running.outcome()));
    loop {
        let is_last = this.is_last();
        let limit = arrived + if is_last { LAST_WAIT } else { OTHER_WAIT };
        tokio::select! {
            biased;
            told = &mut told => return told,
            () = tokio::time::sleep_until(limit) => {
                if !is_last {
                    return None;
                }
                running.call_time();
                return tokio::time::timeout(WRITING, told).await.ok().flatten();
            }
            () = this.learns() => {}
        }
    }
}

type Told = Result<Option<Bytes>, StoreError>;

/// Waits for the decision. A failure from before is being tried again: what comes of that is waited for.
async fn told(mut outcome: watch::Receiver<Outcome>) -> Option<Told> {
    if matches!(*outcome.borrow_and_update(), Outcome::Failed(_)) {
        outcome.changed().await.ok()?;
    }
    match &*outcome.wait_for(|outcome| !matches!(outcome, Outcome::Open)).await.ok()? {
        Outcome::Open => None,
        Outcome::Decided(reply) => Some(Ok(reply.clone())),
        Outcome::Failed(error) => Some(Err(error.clone())),
    }
}
