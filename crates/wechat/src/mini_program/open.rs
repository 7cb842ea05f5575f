//! `encryptedData`: what WeChat sealed for a user's session, brought by the mini program.
//!
//! AES-128-CBC over a JSON object, padded by PKCS#7 to blocks of 16 bytes; `watermark` in it says for which mini program.
//!
//! What must stay true: nothing but the key protects this, no signature; so whoever sends changed bytes must not learn
//! whether the padding or the JSON in it was wrong (a "padding oracle" decrypts what it is asked about).

use aes::Aes128;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use base64::Engine;
use cbc::Decryptor;
use serde_json::{Map, Value};

use super::SessionKey;
use super::session::sixteen_bytes;
use crate::Appid;
use crate::envelope::{BASE64, padding_length, shown_id};

/// The longest `encryptedData` that is opened, in bytes of its base64 text (a year of steps has about 3,000).
pub const MAX_ENCRYPTED_LENGTH: usize = 64 * 1024;

/// The block of cipher and padding, in bytes.
const BLOCK: usize = 16;

/// Why an `encryptedData` cannot be opened. It never holds a part of the key or of the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Longer than [`MAX_ENCRYPTED_LENGTH`].
    #[error("encryptedData has {0} bytes, more than {MAX_ENCRYPTED_LENGTH}: send it as the mini program got it")]
    TooLong(usize),
    /// `encryptedData` is no base64.
    #[error("encryptedData is no base64: send it as the mini program got it, in JSON or percent-encoded")]
    Base64,
    /// `iv` is no base64 of 16 bytes.
    #[error("iv is no base64 of 16 bytes: send the iv that the mini program got with this encryptedData")]
    Iv,
    /// No whole number of cipher blocks, or none at all.
    #[error(
        "encryptedData has {0} bytes after decoding, which is no whole number of blocks: it was cut on the way, send all of it"
    )]
    Blocks(usize),
    /// What comes out is not what WeChat seals.
    #[error(
        "encryptedData is not encrypted with this session_key: each wx.login makes the one before invalid, so call wx.login \
         first, and get encryptedData and iv anew after it"
    )]
    OtherKey,
    /// The data is meant for another mini program.
    #[error(
        "encryptedData is sealed for '{found}', but '{expected}' is registered here: send it to the registration of the \
         mini program that it comes from"
    )]
    OtherApp {
        /// The appid that is registered.
        expected: String,
        /// The appid in the watermark, shortened to 64 characters.
        found: String,
    },
}

impl SessionKey {
    /// Opens what WeChat sealed for this session: user information, phone number, steps, group. All its members as they are;
    /// `watermark.timestamp` in it says when WeChat sealed it, in Unix seconds, if the caller wants to know how old it is.
    ///
    /// Spaces in the base64 texts count as `+`: that is what a form makes of it when the mini program did not encode it.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(&self, appid: &Appid, encrypted_data: &str, iv: &str) -> Result<Map<String, Value>, OpenError> {
        if encrypted_data.len() > MAX_ENCRYPTED_LENGTH {
            return Err(OpenError::TooLong(encrypted_data.len()));
        }
        let iv = sixteen_bytes(&iv.replace(' ', "+")).ok_or(OpenError::Iv)?;
        let mut buffer = BASE64.decode(encrypted_data.replace(' ', "+")).map_err(|_| OpenError::Base64)?;
        if buffer.is_empty() {
            return Err(OpenError::Blocks(0));
        }
        let blocks = Decryptor::<Aes128>::new(self.bytes().into(), (&*iv).into());
        if blocks.decrypt_padded::<NoPadding>(&mut buffer).is_err() {
            return Err(OpenError::Blocks(buffer.len()));
        }
        let object = unpadded_object(&buffer).ok_or(OpenError::OtherKey)?;
        let sealed_for = object.get("watermark").and_then(|watermark| watermark.get("appid")).and_then(Value::as_str);
        match sealed_for {
            Some(found) if found == appid.as_str() => Ok(object),
            Some(found) => Err(OpenError::OtherApp { expected: appid.to_string(), found: shown_id(found.as_bytes()) }),
            // All that WeChat seals has a watermark.
            None => Err(OpenError::OtherKey),
        }
    }
}

/// The JSON object that stands before the padding. Wrong padding costs the same work as right one.
fn unpadded_object(plain: &[u8]) -> Option<Map<String, Value>> {
    let padding = padding_length(plain, BLOCK);
    let end = plain.len() - padding.unwrap_or_default();
    let object = serde_json::from_slice(plain.get(..end)?).ok();
    padding.and(object)
}
