//! A push: a message of a user or an event, as it came from WeChat.
//!
//! [`callback`](crate::callback) makes it of what was verified; others may make it of bytes that they trust, as a store
//! does with what it kept. It owns the bytes and the fields that decisions need; conversions happen when asked for.
//!
//! What must stay true: the bytes are never changed, and have been read once as a whole, so that conversions cannot fail.

mod user;

use bytes::Bytes;

use crate::document::{self, DocumentError, Element, Format};
use crate::json::{json_to_xml, xml_to_json};

/// `MsgType` of what is no message of a user.
const EVENT: &str = "event";

/// Events that are answered with data of the one who answers: logistics events to carriers, and the test event of the
/// console (whose documented answer is `{"demo_resp":"…"}`).
const BUSINESS_EVENTS: [&str; 5] = ["add_waybill", "cancel_waybill", "check_biz", "get_quota", "debug_demo"];

/// A push, read.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
    format: Format,
    fields: Fields,
}

/// The fields that decisions need. An element that holds others has no text and counts as absent.
#[derive(Debug, Clone, Default)]
struct Fields {
    to_user_name: Option<Box<str>>,
    from_user_name: Option<Box<str>>,
    create_time: Option<Box<str>>,
    msg_type: Option<Box<str>>,
    event: Option<Box<str>>,
    event_key: Option<Box<str>>,
    msg_id: Option<Box<str>>,
    agent_id: Option<Box<str>>,
    info_type: Option<Box<str>>,
}

/// What tells one push from another, within one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Identity<'a> {
    /// A message has an id of its own.
    MsgId(&'a str),
    /// Anything else is told by all of its bytes, never by a few fields: two different events may happen in one second.
    /// WeChat repeats the same bytes when it sends again.
    Whole,
}

impl Message {
    /// Reads a push in XML or JSON; the bytes tell which.
    ///
    /// # Errors
    /// [`MessageError`] when they are neither, malformed, or beyond the bounds of a [`document`].
    pub fn read(bytes: impl Into<Bytes>) -> Result<Self, MessageError> {
        let bytes = bytes.into();
        let (format, root) = document::read(&bytes)?;
        let fields = Fields::of(&root);
        Ok(Self { format, fields, bytes })
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes as they came.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// What the bytes are.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The push as XML: the same bytes when it came so.
    #[must_use]
    pub fn as_xml(&self) -> Bytes {
        match self.format {
            Format::Xml => self.bytes.clone(),
            // `read` has read these bytes, so they can be read again.
            Format::Json => json_to_xml(&self.bytes).map_or_else(|_| self.bytes.clone(), Bytes::from),
        }
    }

    /// The push in WeChat's JSON form ([`json`](crate::json)): the same bytes when it came so.
    #[must_use]
    pub fn as_json(&self) -> Bytes {
        match self.format {
            Format::Json => self.bytes.clone(),
            // As above.
            Format::Xml => xml_to_json(&self.bytes).map_or_else(|_| self.bytes.clone(), Bytes::from),
        }
    }

    /// `ToUserName`: the account's original id (`gh_…`); WeCom: the corpid.
    #[must_use]
    pub fn to_user_name(&self) -> Option<&str> {
        self.fields.to_user_name.as_deref()
    }

    /// `FromUserName`: the user's openid; WeCom: the member's userid, or `sys`.
    #[must_use]
    pub fn from_user_name(&self) -> Option<&str> {
        self.fields.from_user_name.as_deref()
    }

    /// `CreateTime`: Unix seconds, as text.
    #[must_use]
    pub fn create_time(&self) -> Option<&str> {
        self.fields.create_time.as_deref()
    }

    /// `MsgType`: `text`, `image`, `event` …
    #[must_use]
    pub fn msg_type(&self) -> Option<&str> {
        self.fields.msg_type.as_deref()
    }

    /// `Event`: the name of an event.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.fields.event.as_deref()
    }

    /// `EventKey`: which menu entry, which QR code.
    #[must_use]
    pub fn event_key(&self) -> Option<&str> {
        self.fields.event_key.as_deref()
    }

    /// `MsgId`: the id of a message, up to 64 bits. Not `MsgID`, which in the events of finished jobs names the job.
    #[must_use]
    pub fn msg_id(&self) -> Option<&str> {
        self.fields.msg_id.as_deref()
    }

    /// `AgentID`: the WeCom app.
    #[must_use]
    pub fn agent_id(&self) -> Option<&str> {
        self.fields.agent_id.as_deref()
    }

    /// `InfoType`: the name of an event of a component or a WeCom suite, which has no `MsgType`.
    #[must_use]
    pub fn info_type(&self) -> Option<&str> {
        self.fields.info_type.as_deref()
    }

    /// What tells this push from others of its account.
    #[must_use]
    pub fn identity(&self) -> Identity<'_> {
        match self.msg_id() {
            Some(id) if self.msg_type() != Some(EVENT) && !id.is_empty() && id != "0" => Identity::MsgId(id),
            _ => Identity::Whole,
        }
    }

    /// Whether a user did something that lets the account send customer-service messages for a while: sent a message,
    /// followed, scanned a code, tapped a menu entry, entered the conversation.
    #[must_use]
    pub fn is_from_user(&self) -> bool {
        match (self.from_user_name(), self.msg_type()) {
            (None | Some(""), _) | (_, None) => false,
            (_, Some(EVENT)) => self.event().is_some_and(user::is_user_event),
            (_, Some(msg_type)) => user::is_user_message(msg_type),
        }
    }

    /// Whether it is of a WeCom app. Its events about contacts and customers name no app, so they are not told from
    /// others by this.
    #[must_use]
    pub fn is_wecom(&self) -> bool {
        self.agent_id().is_some()
    }

    /// Whether the answer is neither `success` nor a chat message but data, whose form depends on the event.
    #[must_use]
    pub fn wants_business_reply(&self) -> bool {
        self.msg_type() == Some(EVENT) && self.event().is_some_and(|event| BUSINESS_EVENTS.contains(&event))
    }
}

impl Fields {
    fn of(root: &Element<'_>) -> Self {
        let mut fields = Self::default();
        for child in &root.children {
            let field = match child.name.as_ref() {
                "ToUserName" => &mut fields.to_user_name,
                "FromUserName" => &mut fields.from_user_name,
                "CreateTime" => &mut fields.create_time,
                "MsgType" => &mut fields.msg_type,
                "Event" => &mut fields.event,
                "EventKey" => &mut fields.event_key,
                "MsgId" => &mut fields.msg_id,
                "AgentID" => &mut fields.agent_id,
                "InfoType" => &mut fields.info_type,
                _ => continue,
            };
            if field.is_none() {
                *field = child.scalar().map(Into::into);
            }
        }
        fields
    }
}

/// Why bytes are no push.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no message of WeChat: {0}")]
pub struct MessageError(#[from] pub DocumentError);
