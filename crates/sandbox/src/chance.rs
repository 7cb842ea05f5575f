//! Randomness, and the ids, secrets and tokens made of it, in the shapes that WeChat gives them.
//!
//! The only place of the crate that asks the operating system for random bytes. Everything here only has to be
//! unique and look right; nothing of value is protected by a sandbox's secrets.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::clock::Time;

/// Characters of a token after its number and underscore.
const TOKEN_LENGTH: usize = 136;
/// Characters of a WeCom token, which has no number in front.
pub(crate) const WECOM_TOKEN_LENGTH: usize = 214;
/// Characters of a ticket after `bxLd`.
const TICKET_TAIL: usize = 82;

/// An appid of an official account or a mini program: `wx` and 16 hex digits.
pub(crate) fn appid() -> String {
    format!("wx{}", hex_digits::<8>())
}

/// The AppSecret of an official account or a mini program: 32 hex digits.
pub(crate) fn secret() -> String {
    hex_digits::<16>()
}

/// The original id of an account, the `ToUserName` of pushes: `gh_` and 12 hex digits.
pub(crate) fn original_id() -> String {
    format!("gh_{}", hex_digits::<6>())
}

/// A WeCom corpid: `ww` and 16 hex digits.
pub(crate) fn corpid() -> String {
    format!("ww{}", hex_digits::<8>())
}

/// The secret of a WeCom app: 43 characters.
pub(crate) fn corp_secret() -> String {
    url_safe(43)
}

/// An access_token as the official account docs show it: a number, an underscore, URL-safe text.
pub(crate) fn token() -> String {
    let number = 20 + u64::from_le_bytes(bytes::<8>()) % 80;
    format!("{number}_{}", url_safe(TOKEN_LENGTH))
}

/// Whether a text has the shape of an official account's or mini program's token, issued or not.
pub(crate) fn looks_like_token(text: &str) -> bool {
    text.split_once('_').is_some_and(|(number, rest)| {
        !number.is_empty()
            && number.len() <= 3
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && rest.len() >= 100
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

/// A WeCom access_token: 214 URL-safe characters.
pub(crate) fn wecom_token() -> String {
    url_safe(WECOM_TOKEN_LENGTH)
}

/// A jsapi, card or agent ticket: 86 characters.
pub(crate) fn ticket() -> String {
    format!("bxLd{}", url_safe(TICKET_TAIL))
}

/// An openid: 28 characters that begin with `o`.
pub(crate) fn openid() -> String {
    format!("o{}", url_safe(27))
}

/// A code of a login: 32 letters and digits.
pub(crate) fn code() -> String {
    format!("0{}", plain(31))
}

/// The session key of a mini program's user: 16 bytes in base64.
pub(crate) fn session_key() -> String {
    STANDARD.encode(bytes::<16>())
}

/// What stands before the first block of what is encrypted for a mini program.
pub(crate) fn iv() -> [u8; 16] {
    bytes::<16>()
}

/// The code that gives a telephone number: 64 hex digits.
pub(crate) fn phone_code() -> String {
    hex_digits::<32>()
}

/// The id of a template: 43 URL-safe characters.
pub(crate) fn template_id() -> String {
    url_safe(43)
}

/// WeCom's `user_ticket`: 128 letters and digits.
pub(crate) fn member_ticket() -> String {
    plain(128)
}

/// The name of a page that waits for an answer, or of a QR code on one: 16 letters and digits.
pub(crate) fn page_ticket() -> String {
    plain(16)
}

/// The id of a temporary medium: 64 URL-safe characters.
pub(crate) fn media_id() -> String {
    url_safe(64)
}

/// The ticket of a QR code: `gQ` and 94 characters.
pub(crate) fn qr_ticket() -> String {
    format!("gQ{}", url_safe(94))
}

/// The end of the address that a QR code shows.
pub(crate) fn qr_tail() -> String {
    url_safe(20)
}

/// The `nonce` of a push: decimal digits.
pub(crate) fn nonce() -> String {
    (u64::from_le_bytes(bytes::<8>()) % 9_000_000_000 + 1_000_000_000).to_string()
}

/// The `echostr` of a URL check: 19 decimal digits.
pub(crate) fn echo() -> String {
    (u64::from_le_bytes(bytes::<8>()) % 9_000_000_000_000_000_000 + 1_000_000_000_000_000_000).to_string()
}

/// What stands in front of a message within its ciphertext: 16 characters, as WeChat's are.
pub(crate) fn sixteen() -> [u8; 16] {
    hex_digits::<8>().into_bytes().try_into().unwrap_or([b'0'; 16])
}

/// The id of one request in error texts: three groups of 8 hex digits, the first one the time in Unix seconds.
pub(crate) fn rid(now: Time) -> String {
    format!("{:08x}-{}-{}", now.secs(), hex_digits::<4>(), hex_digits::<4>())
}

/// WeCom's id of one request in error texts: 25 digits, the first ten of them the time in Unix seconds.
pub(crate) fn hint(now: Time) -> String {
    let tail = u64::from_le_bytes(bytes::<8>()) % 1_000_000_000_000_000;
    format!("{:010}{tail:015}", now.secs())
}

/// The serial number of a certificate: 40 upper-case hex digits. The first one keeps the number positive.
pub(crate) fn serial() -> String {
    format!("5{}", hex_digits::<20>().to_uppercase().chars().skip(1).collect::<String>())
}

/// A nonce of WeChat Pay: 32 letters and digits.
pub(crate) fn pay_nonce() -> String {
    plain(32)
}

/// A key of a merchant: 32 letters and digits.
pub(crate) fn merchant_key() -> String {
    plain(32)
}

/// Some letters and digits.
pub(crate) fn letters(length: usize) -> String {
    plain(length)
}

/// Some decimal digits, at most 19.
pub(crate) fn digits(length: usize) -> String {
    let number = u64::from_le_bytes(bytes::<8>()) % 10_u64.saturating_pow(u32::try_from(length.min(19)).unwrap_or(19));
    format!("{number:0length$}")
}

/// An id in the form of a UUID.
pub(crate) fn uuid() -> String {
    let [a, b, c, d] = [hex_digits::<2>(), hex_digits::<2>(), hex_digits::<2>(), hex_digits::<6>()];
    format!("{}-{a}-{b}-{c}-{d}", hex_digits::<4>())
}

/// The id of a request to v3, as its `Request-ID` names it.
pub(crate) fn request_id() -> String {
    format!("{}-0", hex_digits::<18>().to_uppercase())
}

/// Whether something happens that happens in a part of all cases, from 0 (never) to 1 (always).
pub(crate) fn happens(rate: f64) -> bool {
    let [low, high] = bytes::<2>();
    f64::from(u16::from_le_bytes([low, high])) < rate * 65_536.0
}

fn hex_digits<const N: usize>() -> String {
    hex::encode(bytes::<N>())
}

fn url_safe(length: usize) -> String {
    let mut raw = vec![0; length];
    fill(&mut raw);
    URL_SAFE_NO_PAD.encode(raw).chars().take(length).collect()
}

/// Letters and digits only.
fn plain(length: usize) -> String {
    url_safe(length).replace('-', "x").replace('_', "y")
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut raw = [0; N];
    fill(&mut raw);
    raw
}

#[expect(clippy::disallowed_methods, reason = "the one place of this crate that implements randomness")]
fn fill(raw: &mut [u8]) {
    if getrandom::fill(raw).is_err() {
        fill_by_counting(raw);
    }
}

/// What stands in when the operating system gives no randomness: unique within the process, and that is all a
/// sandbox needs.
fn fill_by_counting(raw: &mut [u8]) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    for chunk in raw.chunks_mut(8) {
        // The mixing step of SplitMix64.
        let mut mixed = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        for (to, from) in chunk.iter_mut().zip((mixed ^ (mixed >> 31)).to_le_bytes()) {
            *to = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_are_those_of_wechat() {
        assert_eq!(appid().len(), 18);
        assert_eq!(secret().len(), 32);
        assert_eq!(original_id().len(), 15);
        assert_eq!(corpid().len(), 18);
        assert_eq!(corp_secret().len(), 43);
        assert_eq!(ticket().len(), 86);
        assert_eq!(wecom_token().len(), 214);
        assert_eq!(hint(Time::from_secs(1_724_828_925)).len(), 25);
        assert!(rid(Time::from_secs(0x5fa2_6c60)).starts_with("5fa26c60-"));
        assert!(looks_like_token(&token()));
        assert!(!looks_like_token("25_short"));
        assert!(!looks_like_token(&wecom_token()));
    }

    #[test]
    fn without_randomness_the_texts_still_differ() {
        let (mut one, mut two) = ([0; 20], [0; 20]);
        fill_by_counting(&mut one);
        fill_by_counting(&mut two);
        assert_ne!(one, two);
    }
}
