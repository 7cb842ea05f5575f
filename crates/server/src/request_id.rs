//! The id of a request: what the caller sent in `X-Request-Id`, else a new one. It comes back in the same header.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use engine::random::{OsRandom, Random};
use http::{HeaderMap, HeaderName, HeaderValue};

/// `x-request-id`
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over, in bytes.
const MAX_LENGTH: usize = 64;

/// 16 hexadecimal digits, different in each process.
static PROCESS: LazyLock<u64> = LazyLock::new(|| {
    let mut bytes = [0; 8];
    OsRandom.fill(&mut bytes);
    u64::from_le_bytes(bytes)
});

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// An id that is safe in a header and in a log.
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The id of a request with these headers.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(REQUEST_ID).filter(|value| {
            let bytes = value.as_bytes();
            let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !bytes.is_empty() && bytes.len() <= MAX_LENGTH && bytes.iter().all(plain)
        });
        Self(sent.map_or_else(Self::fresh, HeaderValue::clone))
    }

    /// A counter mixed with a number of this process: unique, and cheap enough for the hottest path.
    fn fresh() -> HeaderValue {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mixed = (*PROCESS).wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut digits = [0; 16];
        let nibbles = (0..16).rev().map(|place| (mixed >> (4 * place)) & 15);
        for (digit, nibble) in digits.iter_mut().zip(nibbles) {
            *digit = b"0123456789abcdef".get(usize::try_from(nibble).unwrap_or(0)).copied().unwrap_or(b'0');
        }
        HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("none"))
    }

    /// For the answer's header.
    pub(crate) fn into_header(self) -> HeaderValue {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn new_ids_differ_and_good_ones_are_taken_over() {
        let ids: HashSet<String> = (0..1000).map(|_| RequestId::of(&HeaderMap::new()).to_string()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 16));
        let sent = |text: &'static str| HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(text))]);
        assert_eq!(RequestId::of(&sent("req-1_2.3")).to_string(), "req-1_2.3");
        assert_eq!(RequestId::of(&sent("a b\"c")).to_string().len(), 16);
    }
}
