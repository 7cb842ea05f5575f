//! Characters and references: what XML allows, how references are undone and made.
//!
//! Used by the reader and the writer beside it. What must stay true: what [`is_allowed`] refuses is never written and
//! never made by a reference; read it is all the same, because WeChat lets its users type it.

use std::borrow::Cow;

/// Longest reference without `&` and `;`, in bytes: `#x10FFFF`, with some leading zeros.
const MAX_REFERENCE: usize = 12;

/// Char of XML 1.0.
pub(crate) fn is_allowed(character: char) -> bool {
    !matches!(character, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// The text with its references undone; `None` when one is none of the five entities and no valid character.
pub(super) fn unescape(text: &str) -> Option<Cow<'_, str>> {
    let Some((mut plain, mut rest)) = text.split_once('&') else {
        return Some(Cow::Borrowed(text));
    };
    let mut unescaped = String::with_capacity(text.len());
    loop {
        unescaped.push_str(plain);
        let (reference, behind) =
            rest.split_at_checked(rest.bytes().take(MAX_REFERENCE + 1).position(|b| b == b';')?)?;
        unescaped.push(referenced(reference)?);
        let behind = behind.strip_prefix(';')?;
        let Some(next) = behind.split_once('&') else {
            unescaped.push_str(behind);
            return Some(Cow::Owned(unescaped));
        };
        (plain, rest) = next;
    }
}

fn referenced(reference: &str) -> Option<char> {
    let (digits, radix) = match reference {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => match reference.strip_prefix("#x") {
            Some(digits) => (digits, 16),
            None => (reference.strip_prefix('#')?, 10),
        },
    };
    // from_str_radix would take a sign.
    let code = digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, radix).ok())??;
    char::from_u32(code).filter(|character| is_allowed(*character))
}

/// Writes text with references for what would be markup, in attributes also for quotes and line ends.
pub(super) fn escape_into(out: &mut String, text: &str, in_attribute: bool) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\r' if in_attribute => out.push_str("&#13;"),
            _ => out.push(if is_allowed(character) { character } else { char::REPLACEMENT_CHARACTER }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_entities_and_numbers_are_undone() {
        assert_eq!(unescape("a&lt;b&gt;&amp;&quot;&apos;").as_deref(), Some("a<b>&\"'"));
        assert_eq!(unescape("&#65;&#x4e2D;&#x1F600;&#xa;").as_deref(), Some("A中😀\n"));
        assert_eq!(unescape("&amp;lt;").as_deref(), Some("&lt;"));
    }

    #[test]
    fn other_references_are_refused() {
        let wrong = [
            "&",
            "&;",
            "&lt",
            "a & b",
            "&nbsp;",
            "&#;",
            "&#x;",
            "&#0;",
            "&#8;",
            "&#xD800;",
            "&#x110000;",
            "&#xFFFE;",
            "&#+65;",
            "&#a;",
            "&#X41;",
            "&LT;",
            "&#00000000000065;",
        ];
        for text in wrong {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
