//! The writer: a document as a JSON object, without white space, in UTF-8 without needless escapes.
//!
//! Called for each push whose backends want JSON, so it writes straight from the tree. What must stay true: no object
//! has a name twice, whatever the tree looks like.

use std::collections::BTreeMap;

use super::number;
use crate::document::{Attribute, Element, Text};

/// Names whose elements are an array also when there is only one: XML cannot show that, the documents do.
///
/// One `PicList` alone with `item`s in it is no list but holds one; some traffic repeats `PicList` itself.
pub const LIST_NAMES: [&str; 10] = [
    "Actions",
    "AroundBeacon",
    "DetailList",
    "List",
    "PicList",
    "detail",
    "fail_idx",
    "item",
    "material",
    "proof_material_id",
];

/// Up to this many children are searched for their like; more are sorted.
const FEW: usize = 32;

/// The document as JSON.
#[must_use]
pub fn write(root: &Element<'_>) -> Vec<u8> {
    write_as(root, false)
}

/// The document as JSON; with `all_strings`, numbers become strings.
pub(super) fn write_as(root: &Element<'_>, all_strings: bool) -> Vec<u8> {
    let mut writer = Writer { out: String::with_capacity(1024), all_strings };
    writer.object(root);
    writer.out.into_bytes()
}

/// Writes `text` as a JSON string, with its quotes.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(length) = rest.bytes().position(needs_escape) {
        let (plain, from) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut characters = from.chars();
        if let Some(character) = characters.next() {
            write_escape(out, character);
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn write_escape(out: &mut String, character: char) {
    match character {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\u{8}' => out.push_str("\\b"),
        '\u{C}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ => {
            out.push_str("\\u00");
            out.extend([16, 1].map(|place| char::from_digit(u32::from(character) / place % 16, 16).unwrap_or('0')));
        }
    }
}

struct Writer {
    out: String,
    all_strings: bool,
}

impl Writer {
    fn object(&mut self, element: &Element<'_>) {
        self.out.push('{');
        if element.attributes.is_empty() && element.text == Text::Empty {
            self.members(&element.children);
        } else {
            self.members(&marked(element));
        }
        self.out.push('}');
    }

    fn members(&mut self, children: &[Element<'_>]) {
        if children.len() <= FEW { self.few(children) } else { self.many(children) }
    }

    /// The members of an object with few children: each looks for its like.
    fn few(&mut self, children: &[Element<'_>]) {
        let mut is_first = true;
        for (index, child) in children.iter().enumerate() {
            if children.iter().take(index).any(|earlier| earlier.name == child.name) {
                continue;
            }
            let mut later = children.iter().skip(index + 1).filter(|later| later.name == child.name);
            self.name(&mut is_first, &child.name);
            match later.next() {
                None => self.lone(child),
                Some(second) => self.array([child, second].into_iter().chain(later)),
            }
        }
    }

    /// The members of an object with many children, grouped by their names, in the order of their first.
    fn many(&mut self, children: &[Element<'_>]) {
        let mut groups: BTreeMap<&str, Vec<&Element<'_>>> = BTreeMap::new();
        for child in children {
            groups.entry(&child.name).or_default().push(child);
        }
        let mut is_first = true;
        for child in children {
            let Some(group) = groups.remove(child.name.as_ref()) else { continue };
            self.name(&mut is_first, &child.name);
            match group.as_slice() {
                [lone] => self.lone(lone),
                several => self.array(several.iter().copied()),
            }
        }
    }

    /// A child that has no like.
    fn lone(&mut self, child: &Element<'_>) {
        let holds_list = child.name == "PicList" && child.child("item").is_some();
        if LIST_NAMES.contains(&child.name.as_ref()) && !holds_list {
            self.array([child].into_iter());
        } else {
            self.value(child);
        }
    }

    fn array<'e, 'a: 'e>(&mut self, elements: impl Iterator<Item = &'e Element<'a>>) {
        self.out.push('[');
        for (index, element) in elements.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.value(element);
        }
        self.out.push(']');
    }

    fn value(&mut self, element: &Element<'_>) {
        if element.attributes.is_empty() && element.children.is_empty() {
            self.text(&element.text);
        } else {
            self.object(element);
        }
    }

    fn text(&mut self, text: &Text<'_>) {
        match text {
            Text::Bare(text) if !self.all_strings => match number::from_text(text) {
                Some(number) => self.out.push_str(number),
                None => write_string(&mut self.out, text),
            },
            text => write_string(&mut self.out, text.as_str()),
        }
    }

    fn name(&mut self, is_first: &mut bool, name: &str) {
        if !std::mem::take(is_first) {
            self.out.push(',');
        }
        write_string(&mut self.out, name);
        self.out.push(':');
    }
}

/// What an element has, all as children: attributes by names with `@`, text by `#text`.
fn marked<'a>(element: &Element<'a>) -> Vec<Element<'a>> {
    let attribute = |one: &Attribute<'a>| Element::quoted(format!("@{}", one.name), one.value.clone());
    let text = Element { text: element.text.clone(), ..Element::new("#text") };
    let text = (element.text != Text::Empty).then_some(text);
    element.attributes.iter().map(attribute).chain(text).chain(element.children.iter().cloned()).collect()
}
