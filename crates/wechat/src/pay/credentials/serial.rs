//! Which key is meant: the serial of the merchant's API certificate, the id of WeChat Pay's public key.
//!
//! Both stand in header fields of API v3. What must stay true: they are safe there.

use std::fmt;

use super::certificate::Certificate;
use super::pasted::{kind_of, read, serial};
use super::wrong::{PUBLIC_KEY_ID, SERIAL};
use super::{Kind, WrongCredential};

/// Longest id of a public key, in bytes: 28 to 34 digits have been seen behind its prefix.
const MAX_ID_LENGTH: usize = 64;

/// The serial of the merchant's API certificate, upper-case hex.
#[derive(Clone, PartialEq, Eq)]
pub struct MerchantSerial(Box<str>);

/// The id of WeChat Pay's public key: `PUB_KEY_ID_…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKeyId(Box<str>);

impl MerchantSerial {
    /// Reads 40 hexadecimal digits (in either case, also with colons), or takes the serial of a pasted
    /// `apiclient_cert.pem`, with or without its private key.
    ///
    /// # Errors
    /// [`WrongCredential`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, WrongCredential> {
        if let Some(serial) = serial(text.trim()) {
            return Ok(Self(serial.into()));
        }
        let parts = read(text);
        if kind_of(&parts) == Kind::Unknown && is_other_serial(text.trim()) {
            return Ok(Self(text.trim().to_ascii_uppercase().into()));
        }
        let own = parts.iter().find(|part| matches!(part.kind, Kind::MerchantCertificate | Kind::Certificate));
        match own.and_then(|part| Certificate::from_der(&part.der)) {
            Some(certificate) => Ok(Self(certificate.serial.into())),
            None => Err(SERIAL.not(kind_of(&parts))),
        }
    }

    /// Upper-case hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// WeChat's serials have 40 digits. Those of certificates that others make may have fewer; 32 are an API key in the
/// wrong place.
fn is_other_serial(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.len() != 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

impl PublicKeyId {
    /// Reads `PUB_KEY_ID_` and what follows, which WeChat does not explain.
    ///
    /// # Errors
    /// [`WrongCredential`] when it is something else.
    pub fn parse(text: &str) -> Result<Self, WrongCredential> {
        let id = text.trim();
        let is_id = id.len() <= MAX_ID_LENGTH && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match kind_of(&read(id)) {
            Kind::PublicKeyId if is_id => Ok(Self(id.into())),
            Kind::PublicKeyId => Err(PUBLIC_KEY_ID.but("an id with characters that do not belong there")),
            kind => Err(PUBLIC_KEY_ID.not(kind)),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! shown_as_text {
    ($($id:ty),*) => {$(
        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

shown_as_text!(MerchantSerial, PublicKeyId);
