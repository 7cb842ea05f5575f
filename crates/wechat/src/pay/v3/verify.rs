//! Whether WeChat signed what came in.
//!
//! Used for every answer and notification. What must stay true: all parts of the signature have to be there, its time
//! has to be near, and only the key that is named is tried. WeChat now and then sends a wrong signature on purpose; it
//! gets no treatment of its own but a name.

use super::sign::{SCHEME, response_text};
use crate::pay::credentials::{PlatformCertificate, PublicKey};
use crate::pay::{Doubt, NoticeError, SignatureHeaders};

/// From how far on a signature's time is refused, in seconds; the official SDKs refuse exactly 300 as well.
const WINDOW: u64 = 300;

/// How a signature begins that is wrong on purpose.
const PROBE: &str = "WECHATPAY/SIGNTEST/";

/// How much of a foreign serial an error repeats, in characters.
const MAX_SHOWN: usize = 64;

/// Why it is not verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unverified {
    Probe,
    Missing(&'static str),
    BadTimestamp,
    Stale { seconds: i64 },
    UnknownSerial(String),
    BadSignature,
}

/// The keys that WeChat may sign with.
pub(super) struct Keys<'a> {
    pub(super) public_key: Option<(&'a str, &'a PublicKey)>,
    pub(super) certificates: &'a [PlatformCertificate],
}

impl<'a> Keys<'a> {
    /// Whether this body was signed by WeChat; `now` is in Unix seconds.
    pub(super) fn verify(&self, headers: &SignatureHeaders, body: &[u8], now: i64) -> Result<(), Unverified> {
        let serial = present(headers.serial.as_ref(), "Wechatpay-Serial")?;
        let timestamp = present(headers.timestamp.as_ref(), "Wechatpay-Timestamp")?;
        let nonce = present(headers.nonce.as_ref(), "Wechatpay-Nonce")?;
        let signature = present(headers.signature.as_ref(), "Wechatpay-Signature")?;
        if signature.starts_with(PROBE) {
            return Err(Unverified::Probe);
        }
        if !timestamp.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Unverified::BadTimestamp);
        }
        let signed_at: i64 = timestamp.parse().map_err(|_| Unverified::BadTimestamp)?;
        if now.abs_diff(signed_at) >= WINDOW {
            return Err(Unverified::Stale { seconds: now.saturating_sub(signed_at) });
        }
        let key = self.find(serial, now).ok_or_else(|| Unverified::UnknownSerial(shown(serial)))?;
        let is_rsa = headers.signature_type.as_deref().is_none_or(|kind| kind == SCHEME);
        if is_rsa && key.verifies(&response_text(timestamp, nonce, body), signature) {
            Ok(())
        } else {
            Err(Unverified::BadSignature)
        }
    }

    /// The key with this id or serial. A certificate that has expired is no longer one.
    fn find(&self, serial: &str, now: i64) -> Option<&'a PublicKey> {
        if let Some((_, key)) = self.public_key.filter(|(id, _)| *id == serial) {
            return Some(key);
        }
        let is_it = |certificate: &&PlatformCertificate| is_same(certificate.serial(), serial);
        let certificate = self.certificates.iter().find(is_it).filter(|certificate| now < certificate.not_after())?;
        Some(certificate.key())
    }
}

/// Whether two serials are the same number: some programs drop zeros at the front, or write lower case.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let number = |serial| str::trim_start_matches(serial, '0');
    !other.is_empty() && number(one).eq_ignore_ascii_case(number(other))
}

fn present<'a>(value: Option<&'a String>, name: &'static str) -> Result<&'a str, Unverified> {
    value.map(String::as_str).filter(|value| !value.is_empty()).ok_or(Unverified::Missing(name))
}

fn shown(serial: &str) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    serial.chars().take(MAX_SHOWN).map(shown).collect()
}

impl From<Unverified> for Doubt {
    fn from(why: Unverified) -> Self {
        match why {
            Unverified::Probe => Self::SignatureProbe,
            Unverified::Missing(name) => Self::MissingHeader(name),
            Unverified::BadTimestamp => Self::BadTimestamp,
            Unverified::Stale { seconds } => Self::Stale { seconds },
            Unverified::UnknownSerial(serial) => Self::UnknownSerial(serial),
            Unverified::BadSignature => Self::BadSignature,
        }
    }
}

impl From<Unverified> for NoticeError {
    fn from(why: Unverified) -> Self {
        match why {
            Unverified::Probe => Self::SignatureProbe,
            Unverified::Missing(name) => Self::MissingHeader(name),
            Unverified::BadTimestamp => Self::BadTimestamp,
            Unverified::Stale { seconds } => Self::Stale { seconds },
            Unverified::UnknownSerial(serial) => Self::UnknownSerial(serial),
            Unverified::BadSignature => Self::BadSignature,
        }
    }
}
