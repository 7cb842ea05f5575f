//! What v3 signs: requests, answers and callbacks, what clients hand over; and the `Authorization` header.
//!
//! The keys are those of `certificate`. Source: "Signature" of the API v3 docs. What must stay true: each line of what
//! is signed ends with a line feed, the last one too, and bodies are the exact bytes.

/// The scheme of the `Authorization` header, and `Wechatpay-Signature-Type`.
pub(crate) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// Longest nonce of a request, in characters.
const LONGEST_NONCE: usize = 32;

/// What the `Authorization` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) mchid: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) timestamp: u64,
    pub(crate) serial: &'a str,
    pub(crate) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header: five items, each once, in any order, all quoted.
    pub(crate) fn parse(header: &'a str) -> Option<Authorization<'a>> {
        let items = header.strip_prefix(SCHEME)?.strip_prefix(' ')?.trim();
        let mut found: [Option<&str>; 5] = [None; 5];
        for item in items.split(',') {
            let (name, value) = item.trim().split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let place =
                ["mchid", "nonce_str", "timestamp", "serial_no", "signature"].iter().position(|n| *n == name)?;
            let slot = found.get_mut(place)?;
            if value.is_empty() || value.contains('"') || slot.replace(value).is_some() {
                return None;
            }
        }
        let [Some(mchid), Some(nonce), Some(timestamp), Some(serial), Some(signature)] = found else { return None };
        let fits = nonce.len() <= LONGEST_NONCE && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let digits = timestamp.len() == 10 && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let timestamp = timestamp.parse().ok().filter(|_| fits && digits)?;
        Some(Authorization { mchid, nonce, timestamp, serial, signature })
    }
}

/// Lines, each ended by a line feed, and a body that is ended by one too.
pub(crate) fn lines(lines: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len() + 256);
    for line in lines {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_header_in_any_order_is_read(mut order in Just(vec![0, 1, 2, 3, 4]).prop_shuffle(), nonce in "[0-9A-Za-z]{1,32}") {
            let items = [
                "mchid=\"1900000109\"".to_owned(),
                format!("nonce_str=\"{nonce}\""),
                "timestamp=\"1767234896\"".to_owned(),
                "serial_no=\"2F1E\"".to_owned(),
                "signature=\"ab+/=\"".to_owned(),
            ];
            let header: Vec<_> = order.drain(..).map(|at: usize| items[at].clone()).collect();
            let header = format!("{SCHEME} {}", header.join(","));
            let read = Authorization::parse(&header).unwrap();
            prop_assert_eq!((read.nonce, read.signature), (nonce.as_str(), "ab+/="));
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC{0,80}") {
            Authorization::parse(&text);
            Authorization::parse(&format!("{SCHEME} {text}"));
        }
    }
}
