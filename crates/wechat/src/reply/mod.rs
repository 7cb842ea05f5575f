//! Replies: what a backend answers to a message, and what WeChat gets of it.
//!
//! A backend's body is read by [`Reply::read`], which takes WeChat's XML, the same in JSON, and plain text. In time it is
//! rendered as the answer to the push ([`Reply::render`]); too late, it is sent as customer-service messages or, in WeCom,
//! as messages of the app ([`Reply::as_customer_service`], [`Reply::as_wecom`]). Source: "passive reply", "customer
//! service messages" of the official account documents, "send application messages" of WeCom's.
//!
//! What must stay true: a reply is complete but for what the message tells, so rendering cannot fail; and one that
//! was complete in the push's own format goes back byte for byte.

mod active;
mod body;
mod content;
mod error;
mod shape;
mod split;

use bytes::Bytes;

pub use active::{MAX_TEXT_BYTES, NotSendable};
pub use content::{Article, Content, MAX_ARTICLES, Music, Video};
pub use error::ReplyError;
pub use split::split_text;

use crate::document::{self, Element, Format, ROOT};
use crate::message::Message;
use crate::{json, xml};
use body::Body;

/// A reply that makes sense.
#[derive(Debug, Clone)]
pub struct Reply {
    content: Content,
    /// The whole reply; `ToUserName`, `FromUserName` and `CreateTime` may be missing.
    document: Element<'static>,
    /// The bytes it was read from, when nothing is missing in them.
    complete: Option<(Format, Bytes)>,
}

impl Reply {
    /// Reads what a backend answered to the message `to`. `None`: the backend has no reply (an empty body, `success`, JSON
    /// `null`, `""`, `{}`, `[]`).
    ///
    /// * `<xml>…` is a reply in XML, `{…}` the same in JSON: the names of the XML. `ToUserName`, `FromUserName`,
    ///   `CreateTime` and `ArticleCount` may be left out; `Articles` may be an array; what stands in `Image`, `Voice`, `Video`
    ///   or `Music` may stand beside `MsgType`.
    /// * A JSON string (with a JSON content type) and any other text is a text reply; links (`<a href=…>`) may be in it.
    /// * HTML pages and other JSON are none.
    ///
    /// XML answers a push in JSON, and the other way round, just as well.
    ///
    /// # Errors
    /// [`ReplyError`], whose text tells the backend's author what is wrong; it holds nothing of the body.
    pub fn read(body: &[u8], content_type: Option<&str>, to: &Message) -> Result<Option<Self>, ReplyError> {
        match Body::tell(body, content_type)? {
            Body::Empty => Ok(None),
            Body::Text(text) => Ok(Some(Self::text(text.as_ref()))),
            Body::Document(bytes) => Self::from_document(bytes, to),
        }
    }

    /// A text reply.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let document =
            Element::with(ROOT, vec![Element::quoted("MsgType", "text"), Element::quoted("Content", text.to_owned())]);
        Self { content: Content::Text(text.to_owned()), document, complete: None }
    }

    /// What it says.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Its `MsgType`, for records; empty for the rare reply that has none.
    #[must_use]
    pub fn msg_type(&self) -> &str {
        self.content.msg_type()
    }

    /// Whether it moves the conversation to the account's customer service.
    #[must_use]
    pub fn is_transfer(&self) -> bool {
        matches!(self.content, Content::TransferCustomerService { .. })
    }

    /// The answer to the push `to`, in its format. `create_time` is Unix time in seconds, for replies that have none.
    #[must_use]
    pub fn render(&self, to: &Message, create_time: u64) -> Vec<u8> {
        if let Some((format, bytes)) = &self.complete
            && *format == to.format()
        {
            return bytes.to_vec();
        }
        let mut document = self.document.clone();
        if !self.msg_type().is_empty() {
            let sender = to.from_user_name().unwrap_or_default().to_owned();
            let account = to.to_user_name().unwrap_or_default().to_owned();
            shape::fill(&mut document, Element::number("CreateTime", create_time));
            shape::fill(&mut document, Element::quoted("FromUserName", account));
            shape::fill(&mut document, Element::quoted("ToUserName", sender));
        }
        match to.format() {
            Format::Xml => xml::write(&document),
            Format::Json => json::write(&document),
        }
    }

    fn from_document(bytes: &[u8], to: &Message) -> Result<Option<Self>, ReplyError> {
        let (format, root) = document::read(bytes)?;
        if root.is_empty() {
            return Ok(None);
        }
        let mut document = root.into_owned();
        check_ids(&document, to)?;
        let msg_type = document.child_text("MsgType").unwrap_or_default().to_owned();
        if msg_type.is_empty() && !to.wants_business_reply() {
            return Err(ReplyError::without_msg_type(&document));
        }
        let was_right = shape::put_right(&mut document, &msg_type, format);
        let content = Content::of(&document, &msg_type)?;
        let is_complete = was_right && (msg_type.is_empty() || shape::is_complete(&document)) && !has_control(bytes);
        let complete = is_complete.then(|| (format, Bytes::copy_from_slice(bytes)));
        Ok(Some(Self { content, document, complete }))
    }
}

/// A reply goes from the account to the sender. Other ids than the push has are left to WeChat's judgement.
fn check_ids(document: &Element<'_>, to: &Message) -> Result<(), ReplyError> {
    let (Some(sender), Some(account)) = (to.from_user_name(), to.to_user_name()) else { return Ok(()) };
    let is_swapped =
        document.child_text("ToUserName") == Some(account) || document.child_text("FromUserName") == Some(sender);
    if is_swapped && sender != account { Err(ReplyError::Swapped) } else { Ok(()) }
}

/// Whether there are characters that XML cannot hold: the writer replaces them, WeChat would refuse the whole.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// Whether an element is there and not empty.
fn has(element: &Element<'_>, name: &str) -> bool {
    element.child_text(name).is_some_and(|text| !text.is_empty())
}
