//! The signatures of callbacks: the SHA-1 of sorted strings.
//!
//! Used by [`callback`](crate::callback) to verify what arrives and to sign encrypted replies; public for whoever
//! sends pushes. Source: "message push" and "message encryption" of the official account documents.
//!
//! What must stay true: a signature that came from outside is only ever compared by [`matches`], in constant time.

use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

/// `signature`: the SHA-1 of token, timestamp and nonce in byte-wise ascending order, as lower-case hex.
///
/// It does not cover the body: it only proves that the sender knows the token.
#[must_use]
pub fn callback_signature(token: &str, timestamp: &str, nonce: &str) -> String {
    sorted_sha1(&mut [token, timestamp, nonce])
}

/// `msg_signature`: the same over token, timestamp, nonce and the text of `Encrypt` (WeCom's URL check: of `echostr`).
#[must_use]
pub fn message_signature(token: &str, timestamp: &str, nonce: &str, encrypt: &str) -> String {
    sorted_sha1(&mut [token, timestamp, nonce, encrypt])
}

/// Whether two signatures are the same; how long it takes does not tell where they differ.
pub(crate) fn matches(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

/// The SHA-1 of `parts` in byte-wise ascending order, as lower-case hex; they are left in that order.
pub(crate) fn sorted_sha1(parts: &mut [&str]) -> String {
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_signatures_come_out() {
        let url_check = callback_signature("AAAAA", "1714036504", "1514711492");
        assert_eq!(url_check, "f464b24fc39322e44b38aa78f5edd27bd1441696");
        let plain_push = callback_signature("AAAAA", "1714037059", "486452656");
        assert_eq!(plain_push, "899cf89e464efb63f54ddac96b0a0a235f53aa78");
    }

    #[test]
    fn only_the_whole_signature_matches() {
        assert!(matches("f464", "f464"));
        for other in ["", "f46", "f4644", "F464", "f465"] {
            assert!(!matches("f464", other), "{other}");
        }
    }
}
