//! Callbacks: from bytes that anybody may have sent to a message that is WeChat's.
//!
//! Called with each request to a callback URL. A [`VerifiedMessage`] comes out of [`CallbackKeys::open`] and from nowhere
//! else, so whoever has one need not ask again. Source: "message push" of the official account documents, "callback
//! configuration" of WeCom's.
//!
//! What must stay true: the timestamp is looked at after the signature, nothing is decrypted before `msg_signature` was
//! verified, and an account with a key accepts nothing that is not encrypted.

mod error;
mod query;
mod reply;

use std::fmt;

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};

pub use crate::document::Format;
pub use error::CallbackError;
pub use query::CallbackQuery;

use crate::document::{self, Element};
use crate::envelope::{EncodingAesKey, Envelope};
use crate::message::Message;
use crate::signature::{callback_signature, matches, message_signature};

/// How far a timestamp may be from now, in seconds, in both directions: what is older may have been recorded and sent
/// again, and duplicates are only known for so long.
pub const MAX_AGE_SECONDS: u64 = 3600;

/// The names of the encrypted part: WeCom's JSON has it in lower case.
const ENCRYPT: [&str; 2] = ["Encrypt", "encrypt"];

/// What an account verifies and opens its callbacks with.
pub struct CallbackKeys {
    token: SecretString,
    envelope: Option<Envelope>,
}

/// What became of a callback.
#[derive(Debug)]
pub enum Opened {
    /// A message that WeChat sent, in plain text.
    Message(VerifiedMessage),
    /// Something encrypted that WeChat sent, for which there is no key here: it can only be passed on as it is.
    Sealed,
}

/// A message that WeChat sent: its signature was good, and it is well-formed.
#[derive(Debug)]
pub struct VerifiedMessage {
    message: Message,
    was_encrypted: bool,
}

impl VerifiedMessage {
    /// The plain message, byte for byte.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.message.bytes()
    }

    /// The plain message, byte for byte.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.message.into_bytes()
    }

    /// The message, which has been read already.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The message, which has been read already.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }

    /// Whether it came encrypted; then the reply has to be encrypted too ([`CallbackKeys::seal_reply`]).
    #[must_use]
    pub fn was_encrypted(&self) -> bool {
        self.was_encrypted
    }

    /// Whether it is XML or JSON.
    #[must_use]
    pub fn format(&self) -> Format {
        self.message.format()
    }
}

impl CallbackKeys {
    /// The keys of one account: the token, the EncodingAESKey if there is one, and the id that messages are sealed for
    /// (see [`Envelope::new`]).
    #[must_use]
    pub fn new(token: &str, aes: Option<&EncodingAesKey>, receive_id: &str) -> Self {
        Self { token: token.into(), envelope: aes.map(|key| Envelope::new(key, receive_id)) }
    }

    /// Answers WeChat's check of the URL: the body to send back, exactly as it is.
    ///
    /// The timestamp is not looked at: the answer reveals nothing and changes nothing.
    ///
    /// # Errors
    /// [`CallbackError`] when WeChat did not ask, or WeCom did and there is no key that opens its question.
    pub fn echo(&self, query: &CallbackQuery) -> Result<String, CallbackError> {
        let echostr = required(query.echostr.as_deref(), "echostr")?;
        if query.msg_signature.is_none() {
            self.check_signature(query)?;
            return Ok(echostr.to_owned());
        }
        self.check_message_signature(query, echostr)?;
        let envelope = self.envelope.as_ref().ok_or(CallbackError::NoKey)?;
        String::from_utf8(envelope.open(echostr)?).map_err(|_| CallbackError::Echo)
    }

    /// Verifies a callback and opens it. `now_seconds` is Unix time. The caller bounds the size of `body`.
    ///
    /// # Errors
    /// [`CallbackError`]; its [`is_forgery`](CallbackError::is_forgery) tells whether WeChat sent this.
    pub fn open(&self, query: &CallbackQuery, body: &[u8], now_seconds: u64) -> Result<Opened, CallbackError> {
        match (&self.envelope, query.is_encrypted()) {
            (Some(envelope), true) => self.open_encrypted(envelope, query, body, now_seconds),
            (Some(_), false) => Err(CallbackError::PlainRefused),
            (None, true) => self.pass_sealed(query, body, now_seconds),
            (None, false) => {
                self.check_signature(query)?;
                check_time(query, now_seconds)?;
                let message = Message::read(Bytes::copy_from_slice(body)).map_err(CallbackError::Message)?;
                Ok(Opened::Message(VerifiedMessage { message, was_encrypted: false }))
            }
        }
    }

    fn open_encrypted(
        &self,
        envelope: &Envelope,
        query: &CallbackQuery,
        body: &[u8],
        now_seconds: u64,
    ) -> Result<Opened, CallbackError> {
        required(query.msg_signature.as_deref(), "msg_signature")?;
        // Official accounts send this one too; it costs less than reading the body.
        if query.signature.is_some() {
            self.check_signature(query)?;
        }
        let (_, outer) = document::read(body).map_err(CallbackError::Body)?;
        let encrypt = encrypted_part(&outer).ok_or(CallbackError::NoEncrypt)?;
        self.check_message_signature(query, encrypt)?;
        check_time(query, now_seconds)?;
        let message = Message::read(envelope.open(encrypt)?).map_err(CallbackError::Message)?;
        Ok(Opened::Message(VerifiedMessage { message, was_encrypted: true }))
    }

    /// Verifies what can be verified without the key. Something has to be: `signature`, else `msg_signature`.
    fn pass_sealed(&self, query: &CallbackQuery, body: &[u8], now_seconds: u64) -> Result<Opened, CallbackError> {
        let is_signed = query.signature.is_some();
        if is_signed {
            self.check_signature(query)?;
        } else {
            required(query.msg_signature.as_deref(), "signature")?;
        }
        if query.msg_signature.is_some() {
            let outer = document::read(body);
            match outer.as_ref().map(|(_, outer)| encrypted_part(outer)) {
                Ok(Some(encrypt)) => self.check_message_signature(query, encrypt)?,
                _ if is_signed => {}
                Ok(None) => return Err(CallbackError::NoEncrypt),
                Err(error) => return Err(CallbackError::Body(error.clone())),
            }
        }
        check_time(query, now_seconds)?;
        Ok(Opened::Sealed)
    }

    fn check_signature(&self, query: &CallbackQuery) -> Result<(), CallbackError> {
        let given = required(query.signature.as_deref(), "signature")?;
        let (timestamp, nonce) = query.signed()?;
        let expected = callback_signature(self.token.expose_secret(), timestamp, nonce);
        if matches(&expected, given) { Ok(()) } else { Err(CallbackError::Signature("signature")) }
    }

    fn check_message_signature(&self, query: &CallbackQuery, encrypt: &str) -> Result<(), CallbackError> {
        let given = required(query.msg_signature.as_deref(), "msg_signature")?;
        let (timestamp, nonce) = query.signed()?;
        let expected = message_signature(self.token.expose_secret(), timestamp, nonce, encrypt);
        if matches(&expected, given) { Ok(()) } else { Err(CallbackError::Signature("msg_signature")) }
    }
}

impl fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackKeys").field("envelope", &self.envelope).finish_non_exhaustive()
    }
}

fn required<'q>(value: Option<&'q str>, name: &'static str) -> Result<&'q str, CallbackError> {
    value.ok_or(CallbackError::Missing(name))
}

/// The text to decrypt. In compatible mode plain fields stand beside it: they are nobody's word and do not count.
fn encrypted_part<'d>(outer: &'d Element<'_>) -> Option<&'d str> {
    ENCRYPT.iter().find_map(|name| outer.child_text(name)).filter(|text| !text.is_empty())
}

fn check_time(query: &CallbackQuery, now_seconds: u64) -> Result<(), CallbackError> {
    let (timestamp, _) = query.signed()?;
    let sent: u64 = timestamp.parse().map_err(|_| CallbackError::Timestamp)?;
    match sent.abs_diff(now_seconds) {
        0..=MAX_AGE_SECONDS => Ok(()),
        seconds => Err(CallbackError::Stale { seconds, is_past: sent < now_seconds }),
    }
}
