//! From a pasted text to its parts: what each is, and its bytes.
//!
//! [`recognise`] is for people ("this is …"); the types of this folder take the parts. What must stay true: whatever
//! the text, there is at least one part; the bytes are wiped when they are dropped.

use secrecy::zeroize::Zeroizing;

use super::certificate::Certificate;
use super::{Kind, der, pem};

/// Longest text that is looked at, in bytes: the largest credential, a p12 file, has about 4,000.
const MAX_LENGTH: usize = 64 * 1024;

/// Most parts of one text.
const MAX_PARTS: usize = 16;

/// Endings of the files that the merchant platform hands out.
const ENDINGS: [&str; 7] = [".pem", ".p12", ".pfx", ".key", ".crt", ".cer", ".txt"];

/// A piece of a pasted text.
pub(super) struct Part {
    pub(super) kind: Kind,
    /// DER of keys, certificates and p12 files; of all else nothing.
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// Tells what a pasted text is.
#[must_use]
pub fn recognise(text: &str) -> Kind {
    kind_of(&read(text))
}

/// What the parts are together.
pub(super) fn kind_of(parts: &[Part]) -> Kind {
    let has = |is: fn(Kind) -> bool| parts.iter().any(|part| is(part.kind));
    if has(Kind::is_certificate) && has(|kind| kind == Kind::PrivateKey) {
        return Kind::CertificateWithKey;
    }
    parts.first().map_or(Kind::Empty, |part| part.kind)
}

/// Takes a text apart.
pub(super) fn read(text: &str) -> Vec<Part> {
    let text = text.trim_start_matches('\u{FEFF}').trim().trim_matches(['"', '\'']).trim();
    if text.len() > MAX_LENGTH {
        return vec![Part::of(Kind::Unknown)];
    }
    if pem::is_pem(text) {
        return pem::blocks(text).into_iter().take(MAX_PARTS).map(Part::from).collect();
    }
    let kind = plain(text);
    if kind != Kind::Unknown {
        return vec![Part::of(kind)];
    }
    let Some(bytes) = pem::decode(text) else { return vec![Part::of(Kind::Unknown)] };
    match str::from_utf8(&bytes) {
        // base64 of a PEM file.
        Ok(inner) if pem::is_pem(inner) => pem::blocks(inner).into_iter().take(MAX_PARTS).map(Part::from).collect(),
        _ => vec![Part::from_der(bytes).unwrap_or_else(|| Part::of(Kind::Unknown))],
    }
}

/// What a text is that is neither PEM nor base64 of DER.
fn plain(text: &str) -> Kind {
    let all = |is: fn(u8) -> bool| text.bytes().all(is);
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    let lower = text.to_ascii_lowercase();
    if text.is_empty() {
        Kind::Empty
    } else if text.starts_with("PUB_KEY_ID_") {
        Kind::PublicKeyId
    } else if serial(text).is_some() {
        Kind::Serial
    } else if text.len() == 32 && all(|b| b.is_ascii_graphic()) {
        Kind::Key32
    } else if text.len() == 18 && text.strip_prefix("wx").is_some_and(is_hex) {
        Kind::Appid
    } else if text.len() <= 20 && all(|b| b.is_ascii_digit()) {
        Kind::MchId
    } else if lower.starts_with("http://") || lower.starts_with("https://") {
        Kind::Url
    } else if text.len() < 1024 && ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
        Kind::FileName
    } else if text.starts_with('<') {
        Kind::Markup
    } else {
        Kind::Unknown
    }
}

/// A serial of 40 hexadecimal digits, as the platform or OpenSSL writes it, in upper case.
pub(super) fn serial(text: &str) -> Option<String> {
    let text = text.strip_prefix("serial=").unwrap_or(text);
    let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace() && *c != ':').collect();
    let is_serial = digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_serial.then(|| digits.to_ascii_uppercase())
}

impl Part {
    fn of(kind: Kind) -> Self {
        Self { kind, der: Zeroizing::default() }
    }

    /// A part that is DER, if it is of a known kind.
    fn from_der(der: Zeroizing<Vec<u8>>) -> Option<Self> {
        let kind = match der::kind(&der)? {
            Kind::Certificate => Certificate::kind_of(&der)?,
            kind => kind,
        };
        Some(Self { kind, der })
    }
}

impl From<pem::Block> for Part {
    fn from(block: pem::Block) -> Self {
        match block {
            pem::Block::Der(der) => Self::from_der(der).unwrap_or_else(|| Self::of(Kind::DamagedPem)),
            pem::Block::Encrypted => Self::of(Kind::EncryptedPrivateKey),
            pem::Block::Cut => Self::of(Kind::CutPem),
            pem::Block::Damaged => Self::of(Kind::DamagedPem),
        }
    }
}
