//! The login of a mini program: a code becomes an openid and a session_key.

use std::fmt;

use base64::Engine;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha1::{Digest, Sha1};

use crate::Appid;
use crate::calls::{AnswerError, Call, Host, successful_object};
use crate::envelope::BASE64;
use crate::{login, signature};

/// The longest base64 text of 16 bytes, in characters.
const KEY_TEXT_LENGTH: usize = 24;

impl Call {
    /// `GET /sns/jscode2session`: the code of `wx.login` for openid and session_key; each code works once, for 5 minutes.
    /// Read by [`read_session`].
    #[must_use]
    pub fn mini_program_session(appid: &Appid, secret: &SecretString, code: &str) -> Self {
        let query = [
            ("appid", appid.as_str()),
            ("secret", secret.expose_secret()),
            ("js_code", code),
            ("grant_type", "authorization_code"),
        ];
        Self::get(Host::Api, "/sns/jscode2session", &query)
    }
}

/// What a code of `wx.login` was exchanged for.
#[derive(Debug, Clone)]
pub struct Session {
    /// The user, as this mini program knows him.
    pub openid: String,
    /// The user, as all accounts of one open platform account know him; only if the mini program belongs to one.
    pub unionid: Option<String>,
    /// The key of what the mini program gets sealed until the user's next login. It must never leave the server.
    pub session_key: SessionKey,
}

/// Reads the answer of [`Call::mini_program_session`]. An `errcode` of 0 is success, as is none at all.
///
/// # Errors
/// [`AnswerError`], which never holds a part of a key; also when openid or session_key is missing or unusable.
pub fn read_session(body: &[u8]) -> Result<Session, AnswerError> {
    let object = successful_object(body)?;
    let session_key = object.get("session_key").and_then(Value::as_str).and_then(|text| SessionKey::parse(text).ok());
    Ok(Session {
        openid: login::id(&object, &["openid"])?.ok_or(AnswerError::Malformed("it has no openid"))?,
        unionid: login::id(&object, &["unionid"])?,
        session_key: session_key.ok_or(AnswerError::Malformed("it has no usable session_key"))?,
    })
}

/// The key of a user's session: 16 bytes. Its text is kept as WeChat wrote it, because signatures are made with the text.
#[derive(Clone)]
pub struct SessionKey {
    text: SecretString,
    bytes: Zeroizing<[u8; 16]>,
}

/// Why a text is no session_key. It never holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session_key is the base64 of 16 bytes: give it exactly as WeChat's login answered it")]
pub struct SessionKeyError;

impl SessionKey {
    /// Takes the base64 text of a session_key; with or without `=` at its end, and whatever its spare bits are.
    ///
    /// # Errors
    /// [`SessionKeyError`] when it is no base64, or not of 16 bytes.
    pub fn parse(text: &str) -> Result<Self, SessionKeyError> {
        let bytes = sixteen_bytes(text).ok_or(SessionKeyError)?;
        Ok(Self { text: text.into(), bytes })
    }

    /// The base64 text, as WeChat wrote it. A secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Whether `signature` is the one that WeChat gave the mini program with `raw_data`: the SHA-1 of `raw_data` and the text
    /// of this key, in hex of either case. How long it takes does not tell where they differ.
    #[must_use]
    pub fn signature_fits(&self, raw_data: &str, signature: &str) -> bool {
        let hash = Sha1::new().chain_update(raw_data).chain_update(self.expose());
        signature::matches(&hex::encode(hash.finalize()), &signature.to_ascii_lowercase())
    }

    pub(super) fn bytes(&self) -> &[u8; 16] {
        &self.bytes
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(********)")
    }
}

/// The 16 bytes of a base64 text; `None` when it is none, or of another length.
pub(super) fn sixteen_bytes(text: &str) -> Option<Zeroizing<[u8; 16]>> {
    // A little longer than the bytes: the decoder reckons with whole groups of four characters.
    let mut buffer = Zeroizing::new([0; 18]);
    let fits = text.len() <= KEY_TEXT_LENGTH && BASE64.decode_slice(text, buffer.as_mut_slice()) == Ok(16);
    let bytes = buffer.first_chunk().filter(|_| fits)?;
    Some(Zeroizing::new(*bytes))
}
