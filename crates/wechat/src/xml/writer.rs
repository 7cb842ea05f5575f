//! The writer: a document as WeChat writes it.
//!
//! Called to convert pushes and to render replies. What must stay true: whatever is in the tree, what comes out is
//! well-formed XML, and [`read`](super::read) makes the same tree of it (white space beside other content aside).

use super::name::{encode, is_name};
use super::text::{escape_into, is_allowed};
use crate::document::{Element, Text};

/// Bytes that are set aside for the tags of one element.
const EXPECTED_TAGS: usize = 32;

/// The document as XML, without declaration, line ends or indentation.
#[must_use]
pub fn write(root: &Element<'_>) -> Vec<u8> {
    let mut out = String::with_capacity(EXPECTED_TAGS * (root.children.len() + 1) * 2);
    write_element(&mut out, root);
    out.into_bytes()
}

/// Writes `<name><![CDATA[text]]></name>`, for the envelopes that need no tree. `name` has to be a name of XML.
pub(crate) fn write_text(out: &mut String, name: &str, text: &str) {
    open_tag(out, name);
    out.push('>');
    write_cdata(out, text);
    close_tag(out, name);
}

fn write_element(out: &mut String, element: &Element<'_>) {
    let name = encode(&element.name);
    open_tag(out, &name);
    for attribute in &element.attributes {
        // The readers give attributes only names of XML; one that somebody else made up would break the tag.
        if is_name(&attribute.name) {
            out.push(' ');
            out.push_str(&attribute.name);
            out.push_str("=\"");
            escape_into(out, &attribute.value, true);
            out.push('"');
        }
    }
    out.push('>');
    match &element.text {
        Text::Empty => {}
        Text::Quoted(text) => write_cdata(out, text),
        Text::Bare(text) => escape_into(out, text, false),
    }
    for child in &element.children {
        write_element(out, child);
    }
    close_tag(out, &name);
}

fn open_tag(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
}

fn close_tag(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// A CDATA section ends at the first `]]>`, so one in the text is divided between two sections.
fn write_cdata(out: &mut String, text: &str) {
    out.push_str("<![CDATA[");
    let mut pieces = text.split("]]>");
    push_allowed(out, pieces.next().unwrap_or_default());
    for piece in pieces {
        out.push_str("]]]]><![CDATA[>");
        push_allowed(out, piece);
    }
    out.push_str("]]>");
}

fn push_allowed(out: &mut String, text: &str) {
    if text.chars().all(is_allowed) {
        out.push_str(text);
    } else {
        out.extend(text.chars().map(|c| if is_allowed(c) { c } else { char::REPLACEMENT_CHARACTER }));
    }
}
