//! Names of elements, and what becomes of names that XML does not allow.
//!
//! JSON members may have any name. One that XML cannot hold is written with `_xHHHH_` in place of each character
//! that does not fit (as ISO 9075-14 and .NET's `XmlConvert` do), and an empty one as `_x_`; [`decode`] undoes it.
//!
//! What must stay true: `decode(encode(name)) == name` for any name, so no two names are written the same.

use std::borrow::Cow;
use std::fmt::Write;

/// Longest name that is read, in bytes, as JSON shows it. WeChat's longest have about 40.
pub const MAX_NAME_LENGTH: usize = 128;

/// Longest name that is read from XML, in bytes: what [`encode`] makes of the longest.
pub(crate) const MAX_ENCODED_LENGTH: usize = 8 * MAX_NAME_LENGTH;

/// Most hexadecimal digits of a character.
const MAX_DIGITS: usize = 6;

/// Whether XML allows this name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(is_start) && characters.all(is_part)
}

/// The name as XML can hold it.
#[must_use]
pub fn encode(name: &str) -> Cow<'_, str> {
    if is_name(name) && decode(name) == name {
        return Cow::Borrowed(name);
    }
    if name.is_empty() {
        return Cow::Borrowed("_x_");
    }
    let mut encoded = String::with_capacity(name.len() + 8);
    let mut rest = name.chars();
    while let Some(character) = rest.next() {
        let fits = if encoded.is_empty() { is_start(character) } else { is_part(character) };
        // So that each `_x` in what is written begins an escape, whatever follows.
        let looks_encoded = character == '_' && rest.as_str().starts_with('x');
        if fits && !looks_encoded {
            encoded.push(character);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "_x{:04X}_", u32::from(character));
        }
    }
    Cow::Owned(encoded)
}

/// The name that [`encode`] was given.
#[must_use]
pub fn decode(name: &str) -> Cow<'_, str> {
    if !name.contains("_x") {
        return Cow::Borrowed(name);
    }
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        rest = match escape(after).filter(|_| character == '_') {
            Some((escaped, behind)) => {
                decoded.extend(escaped);
                behind
            }
            None => {
                decoded.push(character);
                after
            }
        };
    }
    Cow::Owned(decoded)
}

/// What follows the `_` of an escape: the character that it stands for (none for the empty name), and the rest.
fn escape(after_underscore: &str) -> Option<(Option<char>, &str)> {
    let (digits, rest) = after_underscore.strip_prefix('x')?.split_once('_')?;
    if digits.is_empty() {
        return Some((None, rest));
    }
    let is_hex = digits.len() <= MAX_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let code = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    Some((Some(char::from_u32(code)?), rest))
}

/// NameStartChar of XML 1.0.
fn is_start(character: char) -> bool {
    matches!(character,
        'a'..='z' | 'A'..='Z' | '_' | ':' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// NameChar of XML 1.0.
fn is_part(character: char) -> bool {
    is_start(character)
        || matches!(character,
            '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wechats_names_stay_as_they_are() {
        for name in ["ToUserName", "Location_X", "publish_id", "MediaId16K", "_", "x_x", "_xyz_"] {
            assert_eq!((encode(name).as_ref(), decode(name).as_ref()), (name, name));
        }
    }

    #[test]
    fn other_names_are_written_with_escapes() {
        let pairs = [
            ("a b", "a_x0020_b"),
            ("1st", "_x0031_st"),
            ("", "_x_"),
            ("_x0020_", "_x005F_x0020_"),
            ("_x_", "_x005F_x_"),
            ("_x<", "_x005F_x_x003C_"),
            ("名", "名"),
            ("😀", "😀"),
            ("a<b", "a_x003C_b"),
            ("@a", "_x0040_a"),
            ("#text", "_x0023_text"),
        ];
        for (name, encoded) in pairs {
            assert_eq!(encode(name), encoded);
            assert_eq!(decode(encoded), name);
        }
    }

    #[test]
    fn what_only_looks_like_an_escape_stays() {
        for name in ["_xD800_", "_x00110000_", "_xZZ_", "_x0020", "_x+20_"] {
            assert_eq!(decode(name), name);
        }
    }

    proptest! {
        #[test]
        fn any_name_comes_back(name in "[_x0-9a-f:<é😀]{0,12}|\\PC{0,12}|(?s).{0,12}") {
            let encoded = encode(&name);
            prop_assert!(is_name(&encoded));
            prop_assert!(encoded.len() <= 8 * name.len().max(1));
            prop_assert_eq!(decode(&encoded).into_owned(), name);
        }
    }
}
