//! From a request to a callback that can be trusted: signature, decryption, identity, destinations.
//!
//! What must stay true: nothing here stores or calls anything; a request that fails here leaves no trace but a log line.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use store::{Message, MessageId, NodeId, Timestamp};
use wechat::callback::{CallbackError, CallbackKeys, CallbackQuery, Opened};
use wechat::message::{Identity, Message as Push};

use crate::apps::Registered;
use crate::backends::{CallProblem, CallUrls};
use crate::messages::{Callback, MAX_LATE, Request, TRIES, to_json};

/// How long a reply is sent to the user, in seconds, unless `late` says otherwise.
const LATE: u32 = 300;

/// A POST of WeChat as it came.
#[derive(Debug)]
pub struct Received {
    /// It came to `/msg/json`.
    pub json: bool,
    /// The query as it was sent.
    pub raw_query: String,
    /// The query, decoded as a form.
    pub query: Vec<(String, String)>,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why a callback is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Signature, age, envelope or form.
    #[error(transparent)]
    Callback(#[from] CallbackError),
    /// Where it should go.
    #[error(transparent)]
    Call(#[from] CallProblem),
    /// A parameter.
    #[error("{0}")]
    Parameter(&'static str),
}

/// What a callback needs to be answered.
pub(super) struct Arrival {
    /// The callback itself.
    pub callback: Arc<Callback>,
    /// The reply must be encrypted.
    pub was_encrypted: bool,
}

impl Received {
    /// The values of a parameter.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter, unless it is empty.
    pub(super) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next().filter(|value| !value.is_empty())
    }

    /// The backends that the request names, or the registered ones.
    pub(super) fn calls(&self, urls: &CallUrls, registered: &Registered) -> Result<Arc<[String]>, CallProblem> {
        urls.of_message(self.values("call").filter(|call| !call.is_empty()), registered)
    }

    /// WeChat's part of the query: percent-decoded only, because in the base64 of an `echostr` a `+` is a `+`.
    pub(super) fn callback_query(&self) -> CallbackQuery {
        CallbackQuery::parse(&self.raw_query)
    }

    /// Checks, opens and reads it.
    pub(super) fn accept(
        self,
        registered: &Registered,
        urls: &CallUrls,
        node: NodeId,
        now: Timestamp,
    ) -> Result<Arrival, Refused> {
        let opened = self.open(registered.callback_keys.as_ref(), now)?;
        if !opened.is_verified {
            registered.tell_unverified();
        }
        let calls = self.calls(urls, registered)?;
        let request = self.request(calls, opened.push.is_none(), opened.was_encrypted)?;
        let message = message(registered, &request, &opened, &self, node, now);
        let callback = Arc::new(Callback::new(Arc::new(message), request, opened.push));
        Ok(Arrival { callback, was_encrypted: opened.was_encrypted })
    }

    fn open(&self, keys: Option<&CallbackKeys>, now: Timestamp) -> Result<OpenedBody, CallbackError> {
        let seconds = u64::try_from(now.as_seconds()).unwrap_or(0);
        let Some(keys) = keys else {
            // Nothing can be verified here: what can be read is read, everything else passes on.
            let is_encrypted = self.value("encrypt_type") == Some("aes") || self.value("msg_signature").is_some();
            let push = Some(()).filter(|()| !is_encrypted).and_then(|()| Push::read(self.body.clone()).ok());
            return Ok(OpenedBody { push, bytes: self.body.clone(), was_encrypted: false, is_verified: false });
        };
        match keys.open(&self.callback_query(), &self.body, seconds)? {
            Opened::Sealed => {
                Ok(OpenedBody { push: None, bytes: self.body.clone(), was_encrypted: false, is_verified: true })
            }
            Opened::Message(verified) => {
                let was_encrypted = verified.was_encrypted();
                let push = verified.into_message();
                Ok(OpenedBody { bytes: push.bytes().clone(), push: Some(push), was_encrypted, is_verified: true })
            }
        }
    }

    fn request(&self, calls: Arc<[String]>, as_is: bool, decrypted: bool) -> Result<Request, Refused> {
        let tries = match self.value("patience").map(str::parse) {
            None => TRIES,
            Some(Ok(tries @ 1..=TRIES)) => tries,
            Some(_) => return Err(Refused::Parameter("patience is 1, 2 or 3: with which try of WeChat the wait ends")),
        };
        let late = match self.value("late").map(str::parse) {
            None => LATE,
            Some(Ok(late @ 0..=MAX_LATE)) => late,
            Some(_) => return Err(Refused::Parameter("late is a number of seconds from 0 to 3600")),
        };
        Ok(Request {
            json: self.json,
            as_is,
            notice: false,
            content_type: self.content_type.clone().filter(|_| as_is),
            query: Request::passed_on(&self.query, decrypted),
            calls,
            tries,
            late,
        })
    }
}

struct OpenedBody {
    push: Option<Push>,
    bytes: Bytes,
    was_encrypted: bool,
    is_verified: bool,
}

fn message(
    registered: &Registered,
    request: &Request,
    opened: &OpenedBody,
    received: &Received,
    node: NodeId,
    now: Timestamp,
) -> Message {
    let said = |read: fn(&Push) -> Option<&str>| opened.push.as_ref().and_then(read).unwrap_or_default().to_owned();
    let sender = said(Push::from_user_name);
    Message {
        id: message_id(registered, opened),
        app_key: registered.app.key.clone(),
        appid: registered.app.appid.clone(),
        received_at: now,
        node,
        msg_type: said(Push::msg_type),
        event: said(Push::event),
        openid: if sender.is_empty() { received.value("openid").unwrap_or_default().to_owned() } else { sender },
        request: to_json(request),
        body: opened.bytes.clone(),
    }
}

/// The same for all tries of a message, on all nodes: by appid and MsgId; what has none (events), by a hash of all of it.
/// 12 bytes of SHA-256 tell the messages of one second apart.
fn message_id(registered: &Registered, opened: &OpenedBody) -> MessageId {
    let mut hash = Sha256::new();
    hash.update(&registered.app.appid);
    // What nobody has verified must not take the place of a message that somebody will.
    hash.update(if opened.is_verified { b"\0verified\0" } else { b"\0unchecked" });
    let push = opened.push.as_ref();
    // The apps of a WeCom corp number their messages each for itself.
    if let Some(agent) = push.and_then(Push::agent_id) {
        hash.update(b"\0AgentID\0");
        hash.update(agent);
    }
    // And they get the same events of the corp, which stands in ToUserName.
    if push.and_then(Push::to_user_name) == Some(registered.app.appid.as_str()) {
        hash.update(b"\0key\0");
        hash.update(&registered.app.key);
    }
    match push.map(Push::identity) {
        Some(Identity::MsgId(id)) => {
            hash.update(b"\0MsgId\0");
            hash.update(id);
        }
        Some(Identity::Whole) | None => {
            hash.update(b"\0whole\0");
            hash.update(&opened.bytes);
        }
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    let (time, rest) = id.split_at_mut(4);
    time.copy_from_slice(&neighbourhood(push).to_be_bytes());
    rest.copy_from_slice(hash.split_at(rest.len()).0);
    MessageId(id)
}

/// Something of the message that grows with time, and is the same in all tries: an id that begins with it has its place beside
/// the last ones in the tables' indexes, not on a page of its own somewhere. It must not tell more apart than the hash does.
fn neighbourhood(push: Option<&Push>) -> u32 {
    let number = match push.map(|push| (push.identity(), push)) {
        Some((Identity::MsgId(id), _)) => id.parse::<u64>().unwrap_or(0) >> 8,
        Some((Identity::Whole, push)) => push.create_time().and_then(|time| time.parse().ok()).unwrap_or(0),
        None => 0,
    };
    let [.., a, b, c, d] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
