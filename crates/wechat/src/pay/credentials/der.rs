//! A look at the outer structure of DER, enough to tell keys and certificates apart.
//!
//! Used to recognise what was pasted; what it is recognised as is then parsed by a library that knows the format. What
//! must stay true: any bytes may come in; lengths are checked against what is there.

use super::Kind;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1, rsaEncryption.
const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];

/// 1.2.840.113549.1.7, PKCS#7: what a p12 file consists of.
const PKCS7: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07];

/// One element: its tag and its content.
type Element<'a> = (u8, &'a [u8]);

/// What these bytes are, certificates aside: [`Kind::Certificate`] only says that it has the shape of one.
pub(super) fn kind(der: &[u8]) -> Option<Kind> {
    let ((SEQUENCE, content), []) = split(der)? else { return None };
    let (first, rest) = split(content)?;
    let (second, rest) = split(rest)?;
    match (first, second) {
        ((INTEGER, [3]), (SEQUENCE, safe)) => is_oid(safe, |oid| oid.starts_with(PKCS7)).then_some(Kind::P12),
        ((INTEGER, [0 | 1]), (SEQUENCE, algorithm)) => {
            Some(if is_oid(algorithm, |oid| oid == RSA) { Kind::PrivateKey } else { Kind::OtherPrivateKey })
        }
        ((INTEGER, [0]), (INTEGER, _)) => Some(Kind::PrivateKey),
        ((INTEGER, [1]), (OCTET_STRING, _)) => Some(Kind::OtherPrivateKey),
        ((INTEGER, _), (INTEGER, _)) if rest.is_empty() => Some(Kind::PublicKey),
        ((SEQUENCE, _), (OCTET_STRING, _)) => Some(Kind::EncryptedPrivateKey),
        ((SEQUENCE, algorithm), (BIT_STRING, _)) => {
            Some(if is_oid(algorithm, |oid| oid == RSA) { Kind::PublicKey } else { Kind::OtherPublicKey })
        }
        // A certificate begins with its version, a request for one with a bare number.
        ((SEQUENCE, [INTEGER, 1, 0, ..]), (SEQUENCE, _)) => Some(Kind::CertificateRequest),
        ((SEQUENCE, _), (SEQUENCE, _)) => Some(Kind::Certificate),
        _ => None,
    }
}

/// Whether this is one element and nothing else: neither cut nor with something behind it.
pub(super) fn is_whole(der: &[u8]) -> bool {
    matches!(split(der), Some((_, [])))
}

fn is_oid(sequence: &[u8], is_it: impl Fn(&[u8]) -> bool) -> bool {
    matches!(split(sequence), Some(((OID, oid), _)) if is_it(oid))
}

/// The first element, and what comes behind it.
fn split(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(((*tag, content), rest))
}
