//! WeChat's XML, by way of JSON values: elements with children are objects, repeated ones arrays, the rest strings.
//!
//! Used by `envelope`, `reply` and the echo backend. No document types, no entities beyond the five, bounded depth:
//! what is more than that is no reply to WeChat. Writing: strings become CDATA, numbers stand bare.

use serde_json::{Map, Value};

/// Elements within elements at most.
const DEEPEST: usize = 32;
/// The mark at the end of a CDATA section.
const CDATA_END: &str = "]]>";

/// Why a text is not read as XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no XML that WeChat would read: {0}")]
pub(crate) struct XmlError(&'static str);

/// The children of the root element `<xml>`.
///
/// # Errors
/// [`XmlError`] says what is wrong.
pub(crate) fn from_xml(text: &str) -> Result<Map<String, Value>, XmlError> {
    let mut reader = Reader { rest: text };
    reader.skip_prolog()?;
    let (name, value) = reader.element(0)?;
    if name != "xml" {
        return Err(XmlError("the root element is not <xml>"));
    }
    reader.skip_space_and_comments()?;
    if !reader.rest.is_empty() {
        return Err(XmlError("something follows the root element"));
    }
    match value {
        Value::Object(children) => Ok(children),
        _ => Err(XmlError("the root element holds no elements")),
    }
}

/// `<xml>` with these elements, in their order.
pub(crate) fn to_xml<'a>(elements: impl IntoIterator<Item = (&'a str, &'a Value)>) -> String {
    let mut text = String::from("<xml>");
    for (name, value) in elements {
        write(&mut text, name, value);
    }
    text.push_str("</xml>");
    text
}

fn write(text: &mut String, name: &str, value: &Value) {
    if let Value::Array(items) = value {
        for item in items {
            write(text, name, item);
        }
        return;
    }
    text.push_str(&format!("<{name}>"));
    match value {
        Value::String(content) => {
            let content = content.replace(CDATA_END, "]]]]><![CDATA[>");
            text.push_str(&format!("<![CDATA[{content}]]>"));
        }
        Value::Object(children) => children.iter().for_each(|(name, value)| write(text, name, value)),
        Value::Null | Value::Array(_) => {}
        Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
    text.push_str(&format!("</{name}>"));
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_prolog(&mut self) -> Result<(), XmlError> {
        if self.rest.starts_with('\u{feff}') {
            return Err(XmlError("it begins with a byte order mark"));
        }
        self.skip_space_and_comments()?;
        if self.take("<?xml") {
            self.until("?>", "the XML declaration has no end")?;
        }
        self.skip_space_and_comments()
    }

    fn skip_space_and_comments(&mut self) -> Result<(), XmlError> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !self.take("<!--") {
                return Ok(());
            }
            self.until("-->", "a comment has no end")?;
        }
    }

    fn element(&mut self, depth: usize) -> Result<(&'a str, Value), XmlError> {
        if depth >= DEEPEST {
            return Err(XmlError("the elements are nested too deeply"));
        }
        if !self.take("<") {
            return Err(XmlError("an element is expected where something else stands"));
        }
        let tag = self.until(">", "a tag has no end")?;
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split([' ', '\t', '\r', '\n']).next().unwrap_or_default();
        if !is_name(name) {
            return Err(XmlError("a tag has no usable name"));
        }
        let value = if empty { Value::String(String::new()) } else { self.content(name, depth)? };
        Ok((name, value))
    }

    /// What stands up to and with the end tag.
    fn content(&mut self, name: &str, depth: usize) -> Result<Value, XmlError> {
        let (mut text, mut children) = (String::new(), Map::new());
        loop {
            if self.take("</") {
                let end = self.until(">", "a tag has no end")?;
                if end.trim_end() != name {
                    return Err(XmlError("an end tag does not fit its start tag"));
                }
                return Ok(if children.is_empty() { Value::String(text) } else { Value::Object(children) });
            }
            if self.take("<![CDATA[") {
                text.push_str(self.until(CDATA_END, "a CDATA section has no end")?);
            } else if self.take("<!--") {
                self.until("-->", "a comment has no end")?;
            } else if self.rest.starts_with('<') {
                let (name, value) = self.element(depth + 1)?;
                add(&mut children, name, value);
            } else {
                let end = self.rest.find('<').ok_or(XmlError("an element has no end"))?;
                let (plain, rest) = self.rest.split_at_checked(end).ok_or(XmlError("an element has no end"))?;
                self.rest = rest;
                unescape(plain, &mut text)?;
            }
        }
    }

    fn take(&mut self, mark: &str) -> bool {
        self.rest.strip_prefix(mark).map(|rest| self.rest = rest).is_some()
    }

    fn until(&mut self, mark: &str, otherwise: &'static str) -> Result<&'a str, XmlError> {
        let (before, rest) = self.rest.split_once(mark).ok_or(XmlError(otherwise))?;
        self.rest = rest;
        Ok(before)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':'))
}

/// Siblings of one name become one array.
fn add(children: &mut Map<String, Value>, name: &str, value: Value) {
    match children.get_mut(name) {
        None => drop(children.insert(name.to_owned(), value)),
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

fn unescape(plain: &str, into: &mut String) -> Result<(), XmlError> {
    let mut pieces = plain.split('&');
    into.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (entity, rest) = piece.split_once(';').ok_or(XmlError("a & begins no entity; write &amp; or CDATA"))?;
        into.push(character(entity).ok_or(XmlError("an entity is none of the five that XML has"))?);
        into.push_str(rest);
    }
    Ok(())
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Result<Value, XmlError> {
        from_xml(text).map(Value::Object)
    }

    #[test]
    fn a_reply_is_read() {
        let text = "<?xml version=\"1.0\"?>\n<xml>\n <ToUserName><![CDATA[o<1>]]></ToUserName><!-- c -->\
            <CreateTime>12</CreateTime><A>x &amp; &#20320;</A><Empty/><E2></E2>\
            <Articles><item><T>1</T></item><item><T>2</T></item></Articles></xml>\n";
        let expected = json!({
            "ToUserName": "o<1>", "CreateTime": "12", "A": "x & 你", "Empty": "", "E2": "",
            "Articles": { "item": [{ "T": "1" }, { "T": "2" }] },
        });
        assert_eq!(value(text), Ok(expected));
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for text in [
            "",
            "success",
            "<xml>",
            "<xml></xml>",
            "<xml><a></b></xml>",
            "<xml><a>1</a></xml>x",
            "\u{feff}<xml><a>1</a></xml>",
            "<root><a>1</a></root>",
            "<xml><a>&nbsp;</a></xml>",
            "<xml><a>a & b</a></xml>",
            "<!DOCTYPE x [<!ENTITY y \"z\">]><xml><a>&y;</a></xml>",
            "<xml><![CDATA[x</xml>",
            "<xml>< a>1</ a></xml>",
        ] {
            assert!(value(text).is_err(), "{text}");
        }
        let deep = format!("<xml>{}{}</xml>", "<a>".repeat(40), "</a>".repeat(40));
        assert!(value(&deep).is_err());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let elements = json!({ "A": "x]]>y", "B": 5, "C": { "D": ["1", "2"] } });
        let text = to_xml(elements.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value)));
        assert_eq!(
            text,
            "<xml><A><![CDATA[x]]]]><![CDATA[>y]]></A><B>5</B><C><D><![CDATA[1]]></D><D><![CDATA[2]]></D></C></xml>"
        );
        assert_eq!(value(&text), Ok(json!({ "A": "x]]>y", "B": "5", "C": { "D": ["1", "2"] } })));
    }

    proptest::proptest! {
        #[test]
        fn foreign_text_never_panics(text in "[<>/a&;!\\[\\]\\-? x#CDATA]{0,60}") {
            value(&text).ok();
            value(&format!("<xml><a>{text}</a></xml>")).ok();
        }

        #[test]
        fn every_text_comes_back(content in "\\PC{0,40}") {
            let inside = json!(content);
            let text = to_xml([("Content", &inside)]);
            assert_eq!(value(&text), Ok(json!({ "Content": content })));
        }
    }
}
