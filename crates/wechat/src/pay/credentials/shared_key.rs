//! The keys that a merchant sets on the platform and shares with WeChat: that of API v2, and that of API v3.
//!
//! Both have 32 characters, because the platform takes no other length, and cannot be told apart. What must stay true:
//! neither `Debug` nor an error shows them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;

use super::pasted::{kind_of, read};
use super::wrong::{APIV3_KEY, MCH_KEY, Wanted};
use super::{Kind, WrongCredential};

/// Length of both keys, in characters.
const LENGTH: usize = 32;

/// The longest API v2 key that is taken, in characters.
const MAX_V2_LENGTH: usize = 128;

/// The API v2 key, with which everything of v2 is signed.
#[derive(Clone)]
pub struct MchKey(SecretString);

/// The API v3 key, with which WeChat seals notifications and certificates; a clone costs a counter.
#[derive(Clone)]
pub struct Apiv3Key(Arc<LessSafeKey>);

impl MchKey {
    /// Takes the 32 characters, or an older key of another length.
    ///
    /// # Errors
    /// [`WrongCredential`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, WrongCredential> {
        Ok(Self(v2_key(text)?.into()))
    }

    pub(in crate::pay) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl TryFrom<SecretString> for MchKey {
    type Error = WrongCredential;

    fn try_from(key: SecretString) -> Result<Self, WrongCredential> {
        match v2_key(key.expose_secret())? {
            trimmed if trimmed.len() == key.expose_secret().len() => Ok(Self(key)),
            trimmed => Ok(Self(trimmed.into())),
        }
    }
}

impl Apiv3Key {
    /// Takes the 32 characters.
    ///
    /// # Errors
    /// [`WrongCredential`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, WrongCredential> {
        let text = checked(text, APIV3_KEY)?;
        let key = UnboundKey::new(&AES_256_GCM, text.as_bytes()).map_err(|_| APIV3_KEY.not(Kind::Unknown))?;
        Ok(Self(Arc::new(LessSafeKey::new(key))))
    }

    /// Opens what WeChat sealed (AES-256-GCM, base64); `None` when key, nonce or associated data are others.
    #[must_use]
    pub fn open(&self, ciphertext: &str, nonce: &str, associated_data: &str) -> Option<Vec<u8>> {
        let mut bytes = STANDARD.decode(ciphertext).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        let length = self.0.open_in_place(nonce, Aad::from(associated_data.as_bytes()), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }

    /// Seals as WeChat does; `None` when the nonce has not 12 bytes. For tests and simulators: a nonce is good once.
    #[must_use]
    pub fn seal(&self, plain: &[u8], nonce: &str, associated_data: &str) -> Option<String> {
        let mut bytes = plain.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        self.0.seal_in_place_append_tag(nonce, Aad::from(associated_data.as_bytes()), &mut bytes).ok()?;
        Some(STANDARD.encode(bytes))
    }
}

/// The platform takes 32 characters today; who has an older key of another length is not sent away.
fn v2_key(text: &str) -> Result<&str, WrongCredential> {
    let text = text.trim();
    let is_plain = !text.is_empty() && text.len() <= MAX_V2_LENGTH && text.bytes().all(|b| b.is_ascii_graphic());
    match kind_of(&read(text)) {
        Kind::Key32 | Kind::Unknown if is_plain => Ok(text),
        Kind::Unknown => Err(MCH_KEY.but("a text with characters or a length that no key has")),
        kind => Err(MCH_KEY.not(kind)),
    }
}

fn checked(text: &str, wanted: Wanted) -> Result<&str, WrongCredential> {
    let text = text.trim();
    match kind_of(&read(text)) {
        Kind::Key32 if text.len() == LENGTH => Ok(text),
        Kind::Unknown if text.is_ascii() => Err(wanted.but("a text with another length than 32 characters")),
        kind => Err(wanted.not(kind)),
    }
}

impl fmt::Debug for MchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MchKey(********)")
    }
}

impl fmt::Debug for Apiv3Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Apiv3Key(********)")
    }
}
