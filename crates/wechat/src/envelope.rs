//! The encryption of callbacks, the same for official accounts, mini programs, components and WeCom: AES-256-CBC over
//! 16 random bytes, the length of the message, the message, and the id of the receiver.
//!
//! Used by [`callback`](crate::callback), and by whoever sends encrypted pushes. Source: "message encryption" of the
//! official account documents.
//!
//! What must stay true: the scheme proves nothing about the sender, so nothing is opened before its `msg_signature`
//! was verified; and neither key nor plain text gets into an error or `Debug`.

use std::fmt;

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::{Decryptor, Encryptor};
use secrecy::zeroize::Zeroizing;

/// Length of an EncodingAESKey, in characters.
pub const ENCODING_AES_KEY_LENGTH: usize = 43;

/// The block of the padding, in bytes: twice the cipher's own, which is why no library's PKCS#7 fits.
const PADDING_BLOCK: usize = 32;

/// Random bytes before the length, and bytes of the length.
const RANDOM_LENGTH: usize = 16;
const LENGTH_LENGTH: usize = 4;

/// How much of a foreign receiver id an error repeats, in characters.
const MAX_SHOWN_ID: usize = 64;

/// WeChat's own base64, and what others make of it: without padding, or with spare bits that are not zero.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The EncodingAESKey of a callback: 32 bytes, written as 43 characters of base64.
#[derive(Clone)]
pub struct EncodingAesKey(Zeroizing<[u8; 32]>);

/// Why a text is no EncodingAESKey. It never holds a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodingAesKeyError {
    /// Not 43 characters.
    #[error(
        "an EncodingAESKey has 43 characters, this one {0}: copy it again from the callback settings of the account"
    )]
    Length(usize),
    /// A character that base64 does not have.
    #[error("an EncodingAESKey has only letters and digits: copy it again from the callback settings of the account")]
    Character,
}

impl EncodingAesKey {
    /// Takes the 43 characters of WeChat's settings. The two spare bits of the last one may be anything: WeChat itself
    /// gives out such keys.
    ///
    /// # Errors
    /// [`EncodingAesKeyError`] when it has another length or a character that base64 does not have.
    pub fn parse(text: &str) -> Result<Self, EncodingAesKeyError> {
        let length = text.chars().count();
        if length != ENCODING_AES_KEY_LENGTH {
            return Err(EncodingAesKeyError::Length(length));
        }
        // The buffer is a little longer than the key: the decoder reckons with whole groups of four characters.
        let mut buffer = Zeroizing::new([0; 33]);
        match BASE64.decode_slice(text, buffer.as_mut_slice()) {
            Ok(32) => buffer.first_chunk().map(|key| Self(Zeroizing::new(*key))).ok_or(EncodingAesKeyError::Character),
            _ => Err(EncodingAesKeyError::Character),
        }
    }
}

impl fmt::Debug for EncodingAesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodingAesKey(********)")
    }
}

/// Opens and seals the messages of one account. The key is expanded once, here.
#[derive(Clone)]
pub struct Envelope {
    cipher: Aes256,
    /// The first half of the key, by WeChat's rule.
    iv: Zeroizing<[u8; 16]>,
    receive_id: Box<str>,
}

/// Why a sealed text cannot be opened. It never holds a part of the key or the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The text is no base64.
    #[error(
        "the encrypted text is no base64: something between WeChat and here changed the body; let it pass unchanged"
    )]
    Base64,
    /// Its bytes are no whole number of cipher blocks, or none at all.
    #[error(
        "the encrypted text has {0} bytes, which is no whole number of blocks: something between WeChat and here \
         cut the body; let it pass unchanged"
    )]
    Blocks(usize),
    /// The padding is not what the scheme asks for: nearly always another key.
    #[error("the EncodingAESKey does not open this message: register the one that the account's console shows as aes")]
    Padding,
    /// The length inside goes beyond the end.
    #[error(
        "the decrypted message is shorter than it says: register the EncodingAESKey that the account's console shows \
         as aes"
    )]
    Length,
    /// The message is meant for another account.
    #[error(
        "the message is sealed for '{found}', but '{expected}' is registered here: compare the appid with the account \
         whose callback URL this is (a component's own appid, WeCom's corpid, for third-party apps the suite id)"
    )]
    ReceiveId {
        /// The id that is registered.
        expected: String,
        /// The id in the message, shortened to 64 characters.
        found: String,
    },
}

impl Envelope {
    /// An envelope for messages to `receive_id`: the appid; for components theirs, for WeCom the corpid (third-party
    /// apps: the suite id; bots: empty).
    #[must_use]
    pub fn new(key: &EncodingAesKey, receive_id: &str) -> Self {
        let mut iv = Zeroizing::new([0; 16]);
        for (to, from) in iv.iter_mut().zip(key.0.iter()) {
            *to = *from;
        }
        Self { cipher: Aes256::new((&*key.0).into()), iv, receive_id: receive_id.into() }
    }

    /// Opens the text of `Encrypt`; white space in it does not count. Verify its `msg_signature` first.
    ///
    /// # Errors
    /// [`EnvelopeError`], which says what to do.
    pub fn open(&self, encrypt: &str) -> Result<Vec<u8>, EnvelopeError> {
        let mut buffer = decode_base64(encrypt)?;
        if buffer.is_empty() {
            return Err(EnvelopeError::Blocks(0));
        }
        let blocks = Decryptor::inner_iv_init(&self.cipher, (&*self.iv).into());
        if blocks.decrypt_padded::<NoPadding>(&mut buffer).is_err() {
            return Err(EnvelopeError::Blocks(buffer.len()));
        }
        let padding = padding_length(&buffer, PADDING_BLOCK).ok_or(EnvelopeError::Padding)?;
        buffer.truncate(buffer.len() - padding);
        let message = self.message_length(&buffer)?;
        buffer.drain(..RANDOM_LENGTH + LENGTH_LENGTH);
        buffer.truncate(message);
        Ok(buffer)
    }

    /// Seals a message: the text for `Encrypt`. `random` has to be new for each message.
    ///
    /// Messages end at 4 GiB, where the length no longer fits; callers bound them far below.
    #[must_use]
    pub fn seal(&self, message: &[u8], random: [u8; RANDOM_LENGTH]) -> String {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let content = RANDOM_LENGTH + LENGTH_LENGTH + message.len() + self.receive_id.len();
        let padding = PADDING_BLOCK - content % PADDING_BLOCK;
        let mut buffer = Vec::with_capacity(content + padding);
        buffer.extend_from_slice(&random);
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(message);
        buffer.extend_from_slice(self.receive_id.as_bytes());
        buffer.resize(content + padding, u8::try_from(padding).unwrap_or_default());
        let blocks = Encryptor::inner_iv_init(&self.cipher, (&*self.iv).into());
        let sealed = blocks.encrypt_padded::<NoPadding>(&mut buffer, content + padding);
        sealed.map(|sealed| BASE64.encode(sealed)).unwrap_or_default()
    }

    /// The length of the message in `plain` (random bytes, length, message, receiver), whose receiver is ours.
    fn message_length(&self, plain: &[u8]) -> Result<usize, EnvelopeError> {
        let (_, rest) = plain.split_first_chunk::<RANDOM_LENGTH>().ok_or(EnvelopeError::Length)?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_LENGTH>().ok_or(EnvelopeError::Length)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| EnvelopeError::Length)?;
        let (_, receive_id) = rest.split_at_checked(length).ok_or(EnvelopeError::Length)?;
        if receive_id == self.receive_id.as_bytes() {
            return Ok(length);
        }
        Err(EnvelopeError::ReceiveId { expected: self.receive_id.to_string(), found: shown_id(receive_id) })
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("receive_id", &self.receive_id).finish_non_exhaustive()
    }
}

/// The bytes of a base64 text that may hold line breaks.
fn decode_base64(text: &str) -> Result<Vec<u8>, EnvelopeError> {
    let decoded = if text.bytes().any(|b| b.is_ascii_whitespace()) {
        BASE64.decode(text.split_ascii_whitespace().collect::<String>())
    } else {
        BASE64.decode(text)
    };
    decoded.map_err(|_| EnvelopeError::Base64)
}

/// A foreign id, fit to stand in an error: shortened to 64 characters, without control characters.
pub(crate) fn shown_id(id: &[u8]) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(id).chars().take(MAX_SHOWN_ID).map(shown).collect()
}

/// The length of the padding at the end: 1 to `block` bytes, each of which is the length.
pub(crate) fn padding_length(plain: &[u8], block: usize) -> Option<usize> {
    let last = *plain.last()?;
    let length = usize::from(last);
    let start = plain.len().checked_sub(length)?;
    let whole = plain.get(start..)?.iter().all(|byte| *byte == last);
    ((1..=block).contains(&length) && whole).then_some(length)
}
