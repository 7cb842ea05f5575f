//! Answers that are almost JSON.
//!
//! Nicknames are older than WeChat's checks of them: some hold bare control characters, bytes that are no UTF-8, or half of an
//! emoji, and WeChat puts them into its answers as they are. Their owners want to log in too. Called by `answers.rs` for
//! profiles, after the answer turned out to be no JSON.
//!
//! What must stay true: mending only takes away or replaces characters within texts; it never ends a text, so that
//! a nickname cannot become a member of the answer.

/// How far a `\u` escape goes: two characters and four digits, in bytes.
const ESCAPE: usize = 6;

/// `body` without what JSON forbids in texts: control characters are left out, and what is no character becomes U+FFFD.
pub(super) fn mended(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut mended = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(character) = rest.chars().next() {
        let length = if character == '\\' { escape(rest, &mut mended) } else { plain(character, &mut mended) };
        rest = rest.get(length..).unwrap_or_default();
    }
    mended
}

/// Copies a character that is not part of an escape; says how long it was.
fn plain(character: char, mended: &mut String) -> usize {
    if character >= ' ' {
        mended.push(character);
    }
    character.len_utf8()
}

/// Copies the escape at the start of `rest`; says how long it was.
fn escape(rest: &str, mended: &mut String) -> usize {
    let length = match (unit(rest), rest.get(ESCAPE..).and_then(unit)) {
        (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => 2 * ESCAPE,
        (Some(0xD800..0xE000), _) => {
            mended.push(char::REPLACEMENT_CHARACTER);
            return ESCAPE;
        }
        (Some(_), _) => ESCAPE,
        // The backslash and what it escapes; behind a control character it would escape something else.
        (None, _) => rest.chars().take(2).map(char::len_utf8).sum(),
    };
    mended.push_str(rest.get(..length).unwrap_or(rest));
    length
}

/// The UTF-16 unit that `\uXXXX` at the start of `text` stands for.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
}
