//! Why a backend's answer is no reply.
//!
//! The texts are recorded beside the attempt, for the author of the backend. What must stay true: they say what is wrong
//! and how to make it right, and repeat nothing of the body.

use super::content::MAX_ARTICLES;
use crate::document::{DocumentError, Element};

/// Why a body is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// Not UTF-8.
    #[error("the reply is not UTF-8: answer in UTF-8")]
    Encoding,
    /// An HTML page.
    #[error(
        "the reply is an HTML page, perhaps an error page of the framework: answer with a text (as text/plain), with \
         WeChat's XML or JSON, or with 'success' for no reply"
    )]
    Html,
    /// A JSON number, boolean or array.
    #[error(
        "the reply is JSON, but neither a string (a text reply) nor an object with MsgType: answer with one of them, or with \
         'success' for no reply"
    )]
    JsonValue,
    /// Malformed XML or JSON.
    #[error("the reply cannot be read: {0}")]
    Document(#[from] DocumentError),
    /// No `MsgType`.
    #[error("the reply has no MsgType: add it (text, image, news …), or answer with 'success' for no reply")]
    NoMsgType,
    /// `msgtype`: the form of customer-service messages.
    #[error(
        "the reply has msgtype instead of MsgType: passive replies have the names of WeChat's XML, such as \
         {{\"MsgType\":\"text\",\"Content\":\"…\"}}; msgtype is the form of customer-service messages"
    )]
    LowerCaseNames,
    /// `Text` for `text`.
    #[error("the reply's MsgType is written in capitals: WeChat writes it '{right}'")]
    MsgTypeCase {
        /// What it should be.
        right: &'static str,
    },
    /// Spaces, signs, or far too long.
    #[error("the reply's MsgType is no name of a type: it has only letters, digits and '_', and no spaces around it")]
    MsgTypeName,
    /// The ids of the push, not exchanged.
    #[error(
        "the reply's ToUserName and FromUserName are the wrong way round: ToUserName is the user (FromUserName of the \
         message), FromUserName the account; or leave both out"
    )]
    Swapped,
    /// An element that this type needs is missing or empty.
    #[error("a reply of type {msg_type} needs {element}, which is missing or empty")]
    Missing {
        /// The type.
        msg_type: &'static str,
        /// Where the element belongs, such as `Image.MediaId`.
        element: &'static str,
    },
    /// More articles than WeChat shows.
    #[error("the reply has {0} articles; WeChat takes at most {MAX_ARTICLES}: leave out the others")]
    TooManyArticles(usize),
}

impl ReplyError {
    pub(super) fn without_msg_type(document: &Element<'_>) -> Self {
        if document.child("msgtype").is_some() { Self::LowerCaseNames } else { Self::NoMsgType }
    }
}
