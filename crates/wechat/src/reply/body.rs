//! What kind of thing a backend's body is.
//!
//! Used by [`Reply::read`](super::Reply::read) only. What must stay true: nothing that a framework shows on an error is
//! ever taken for a text that a user should see.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::ReplyError;
use crate::document::trim;

/// A body, told apart but not read.
pub(super) enum Body<'b> {
    /// No reply.
    Empty,
    /// XML or a JSON object.
    Document(&'b [u8]),
    /// A text for the user.
    Text(Cow<'b, str>),
}

impl<'b> Body<'b> {
    pub(super) fn tell(body: &'b [u8], content_type: Option<&str>) -> Result<Self, ReplyError> {
        let text = str::from_utf8(trim(body)).map_err(|_| ReplyError::Encoding)?;
        let kind = content_type.unwrap_or_default().trim_ascii_start().to_ascii_lowercase();
        if is_no_reply(text) {
            return Ok(Self::Empty);
        }
        if text.starts_with('{') {
            return Ok(Self::Document(text.as_bytes()));
        }
        if text.starts_with('<') {
            return Self::tell_markup(text, &kind);
        }
        if is_json(&kind) {
            return Self::tell_json(text);
        }
        Ok(Self::Text(text.into()))
    }

    /// XML, a page, or a text that begins with a link.
    fn tell_markup(text: &'b str, kind: &str) -> Result<Self, ReplyError> {
        let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
        let is_link = ["<a ", "<a\t", "<a\r", "<a\n"].iter().any(|prefix| begins(prefix));
        if begins("<xml") || begins("<?xml") || begins("<!--") {
            return Ok(Self::Document(text.as_bytes()));
        }
        if begins("<!doctype") || begins("<html") || (kind.starts_with("text/html") && !is_link && is_tag(text)) {
            return Err(ReplyError::Html);
        }
        if is_xml(kind) && !is_link {
            return Ok(Self::Document(text.as_bytes()));
        }
        Ok(Self::Text(text.into()))
    }

    /// A body that says it is JSON: a string is a text. What is no JSON after all is taken for the text that it is.
    fn tell_json(text: &'b str) -> Result<Self, ReplyError> {
        if let Ok(string) = serde_json::from_str::<Cow<'b, str>>(text) {
            let is_empty = is_no_reply(string.trim());
            return Ok(if is_empty { Self::Empty } else { Self::Text(string) });
        }
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(ReplyError::JsonValue),
            Err(_) => Ok(Self::Text(text.into())),
        }
    }
}

fn is_no_reply(text: &str) -> bool {
    if matches!(text, "" | "null" | "\"\"" | "success" | "\"success\"" | "'success'") {
        return true;
    }
    // An empty object or array, with white space inside.
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let inside = inside.or_else(|| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// `<` and a letter, `/` or `!`: what a browser takes for a tag. `<3` is none.
fn is_tag(text: &str) -> bool {
    text.chars().nth(1).is_some_and(|second| second.is_ascii_alphabetic() || matches!(second, '/' | '!' | '?'))
}

fn is_json(kind: &str) -> bool {
    media_type(kind).ends_with("json")
}

fn is_xml(kind: &str) -> bool {
    media_type(kind).ends_with("xml") && !media_type(kind).contains("html")
}

fn media_type(kind: &str) -> &str {
    kind.split_once(';').map_or(kind, |(media_type, _)| media_type).trim_ascii_end()
}
