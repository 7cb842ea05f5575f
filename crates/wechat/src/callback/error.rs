//! Why a callback was not accepted.
//!
//! The texts go to the log of the operator who sets up a callback URL, and into the answer. What must stay true: they say
//! what to do, and hold no token, no key, and nothing of the body.

use super::MAX_AGE_SECONDS;
use crate::document::DocumentError;
use crate::envelope::EnvelopeError;
use crate::message::MessageError;

/// Why a callback was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// A parameter that WeChat always sends is not there.
    #[error(
        "the query has no {0}: WeChat always sends it, so this request is not WeChat's, or something on the way cut \
         its query"
    )]
    Missing(&'static str),
    /// The named signature is another one.
    #[error("{0} does not match: register the token that the account's console shows in its callback settings")]
    Signature(&'static str),
    /// A plain message for an account with a key.
    #[error(
        "the message is not encrypted, but this registration has aes and accepts only encrypted ones: switch the \
         account's console to safe mode (安全模式), or clear aes here"
    )]
    PlainRefused,
    /// The timestamp is no number.
    #[error("the timestamp is no number of seconds")]
    Timestamp,
    /// The timestamp is too far from now.
    #[error(
        "the timestamp is {seconds} s {}, more than {MAX_AGE_SECONDS}: set this machine's clock; if it is right, somebody \
         sent an old request again",
        if *is_past { "old" } else { "in the future" }
    )]
    Stale {
        /// How far it is from now.
        seconds: u64,
        /// Whether it is before now.
        is_past: bool,
    },
    /// WeCom checks the URL, but there is no key.
    #[error("WeCom's check of the URL is encrypted: register its EncodingAESKey as aes")]
    NoKey,
    /// The body is no document.
    #[error("the body is not what WeChat sends: {0}")]
    Body(DocumentError),
    /// The query says that the body is encrypted, but it is not.
    #[error("the query says that the message is encrypted, but the body has no Encrypt")]
    NoEncrypt,
    /// The encrypted part cannot be opened.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The message itself is no document.
    #[error(transparent)]
    Message(MessageError),
    /// The decrypted answer to a URL check is no text.
    #[error("the decrypted echostr is no text: register the EncodingAESKey that WeCom's console shows as aes")]
    Echo,
}

impl CallbackError {
    /// Whether the request is not known to be WeChat's, now: to be answered with 403 and to reach nobody. Otherwise it was
    /// signed well, or nothing could be told, but makes no sense: 400.
    #[must_use]
    pub fn is_forgery(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Signature(_) | Self::PlainRefused | Self::Timestamp | Self::Stale { .. } => true,
            Self::NoKey | Self::Body(_) | Self::NoEncrypt | Self::Envelope(_) | Self::Message(_) | Self::Echo => false,
        }
    }
}
