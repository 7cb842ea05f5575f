//! The reader: one pass over the text, with a stack of the elements that are open.
//!
//! Called for each push, each envelope and each XML reply, often before anything about it is verified. What must stay
//! true: see the module above; every error names the byte where it was seen, and no part of the text.

use std::borrow::Cow;

use super::name::{MAX_ENCODED_LENGTH, MAX_NAME_LENGTH, decode, is_name};
use super::text::unescape;
use crate::document::{Attribute, Element, MAX_ATTRIBUTES, MAX_DEPTH, MAX_PARTS, ROOT, Text, trim};

/// Why bytes are no XML of WeChat's dialect. Positions are bytes from the first `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not UTF-8.
    #[error("the XML is not UTF-8 (at byte {0}): send it in UTF-8, whatever its header declares")]
    Encoding(usize),
    /// It ends in the middle.
    #[error("the XML ends before its last element does: a part of it is missing")]
    Cut,
    /// `<!DOCTYPE`, `<!ENTITY` and the like.
    #[error("the XML has a <!DOCTYPE> or other declaration (at byte {0}), which is refused: leave it out")]
    Declaration(usize),
    /// A tag that is none.
    #[error("the XML has a '<' (at byte {0}) that begins no tag: write text with '<' as CDATA")]
    Tag(usize),
    /// A closing tag for another element than the one that is open.
    #[error("the XML closes another element (at byte {0}) than the one that is open")]
    Closing(usize),
    /// A `&` that is none of the five entities and no valid numeric reference.
    #[error("the XML has a '&' (before byte {0}) that is none of XML's five entities: write text with '&' as CDATA")]
    Reference(usize),
    /// A name that is too long.
    #[error("the XML has a name of more than {MAX_NAME_LENGTH} bytes (near byte {0})")]
    Name(usize),
    /// Something after the root element.
    #[error("the XML goes on (at byte {0}) after its root element has ended")]
    AfterRoot(usize),
    /// The root has another name.
    #[error("the root element of the XML is not <xml>, as WeChat's always is")]
    Root,
    /// Nested too deep.
    #[error("the XML is nested deeper than {MAX_DEPTH} elements")]
    Depth,
    /// Too many elements and attributes.
    #[error("the XML has more than {MAX_PARTS} elements, or {MAX_ATTRIBUTES} attributes in one of them")]
    Parts,
}

/// Reads a whole document, whose root is `<xml>`.
///
/// # Errors
/// [`XmlError`] when it is not well-formed, or has what the dialect does not.
pub fn read(bytes: &[u8]) -> Result<Element<'_>, XmlError> {
    read_rooted(bytes, ROOT)
}

/// Reads a whole document, whose root has this name: WeChat Pay also has `<root>`, inside of what it sealed.
pub(crate) fn read_rooted<'a>(bytes: &'a [u8], name: &str) -> Result<Element<'a>, XmlError> {
    let text = str::from_utf8(trim(bytes)).map_err(|error| XmlError::Encoding(error.valid_up_to()))?;
    let mut reader = Reader { rest: text, length: text.len(), parts: 0 };
    reader.skip_between()?;
    let root = reader.root()?;
    reader.skip_between()?;
    if !reader.rest.is_empty() {
        return Err(XmlError::AfterRoot(reader.position()));
    }
    if root.name != name {
        return Err(XmlError::Root);
    }
    Ok(root)
}

struct Reader<'a> {
    rest: &'a str,
    length: usize,
    parts: usize,
}

/// An element whose end has not come yet.
struct Open<'a> {
    /// The name as it is written.
    tag: &'a str,
    element: Element<'a>,
    /// White space, which is text only if nothing else comes.
    blank: &'a str,
}

impl<'a> Reader<'a> {
    fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Takes `prefix` off the rest, if it is there.
    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes everything up to and with `end`, and returns what was before `end`.
    fn take_until(&mut self, end: &str) -> Result<&'a str, XmlError> {
        let (before, behind) = self.rest.split_once(end).ok_or(XmlError::Cut)?;
        self.rest = behind;
        Ok(before)
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// Skips what may stand before and after the root: white space, comments, `<?…?>`.
    fn skip_between(&mut self) -> Result<(), XmlError> {
        loop {
            self.skip_space();
            if self.take("<?") {
                self.take_until("?>")?;
            } else if self.take("<!--") {
                self.take_until("-->")?;
            } else if self.rest.starts_with("<!") {
                return Err(XmlError::Declaration(self.position()));
            } else {
                return Ok(());
            }
        }
    }

    fn root(&mut self) -> Result<Element<'a>, XmlError> {
        let mut stack: Vec<Open<'a>> = Vec::with_capacity(4);
        loop {
            let Some(mut ended) = self.next_end(&mut stack)? else { continue };
            if ended.element.children.is_empty() && ended.element.text == Text::Empty && !ended.blank.is_empty() {
                ended.element.text = Text::Bare(ended.blank.into());
            }
            match stack.last_mut() {
                Some(parent) => parent.element.children.push(ended.element),
                None => return Ok(ended.element),
            }
        }
    }

    /// Reads up to the next tag, and the tag; returns the element that ends with it.
    fn next_end(&mut self, stack: &mut Vec<Open<'a>>) -> Result<Option<Open<'a>>, XmlError> {
        if let Some(open) = stack.last_mut() {
            self.text(open)?;
        }
        if self.take("</") {
            let open = stack.pop().ok_or(XmlError::Tag(self.position()))?;
            self.end_tag(open.tag)?;
            return Ok(Some(open));
        }
        if !self.take("<") {
            return Err(if self.rest.is_empty() { XmlError::Cut } else { XmlError::Tag(self.position()) });
        }
        let (opened, is_whole) = self.start_tag()?;
        if stack.len() >= MAX_DEPTH {
            return Err(XmlError::Depth);
        }
        if is_whole {
            return Ok(Some(opened));
        }
        stack.push(opened);
        Ok(None)
    }

    /// Takes text, CDATA, comments and instructions up to the next tag.
    fn text(&mut self, open: &mut Open<'a>) -> Result<(), XmlError> {
        loop {
            let start = self.rest.bytes().position(|b| b == b'<').ok_or(XmlError::Cut)?;
            let (piece, rest) = self.rest.split_at_checked(start).ok_or(XmlError::Cut)?;
            self.rest = rest;
            if !piece.trim_ascii_start().is_empty() {
                let piece = unescape(piece).ok_or(XmlError::Reference(self.position()))?;
                open.element.text.push(piece, false);
            } else if open.blank.is_empty() {
                open.blank = piece;
            }
            if self.take("<![CDATA[") {
                let piece = self.take_until("]]>")?;
                open.element.text.push(Cow::Borrowed(piece), true);
            } else if self.take("<!--") {
                self.take_until("-->")?;
            } else if self.take("<?") {
                self.take_until("?>")?;
            } else if self.rest.starts_with("<!") {
                return Err(XmlError::Declaration(self.position()));
            } else {
                return Ok(());
            }
        }
    }

    /// Reads a start tag after its `<`; true when the element ends with it.
    fn start_tag(&mut self) -> Result<(Open<'a>, bool), XmlError> {
        let tag = self.name()?;
        let name = decode(tag);
        if name.len() > MAX_NAME_LENGTH {
            return Err(XmlError::Name(self.position()));
        }
        let mut attributes = Vec::new();
        loop {
            let before = self.rest.len();
            self.skip_space();
            let is_whole = self.take("/>");
            if is_whole || self.take(">") {
                let element = Element { name, attributes, ..Element::default() };
                return Ok((Open { tag, element, blank: "" }, is_whole));
            }
            if self.rest.len() == before {
                return Err(self.tag_error());
            }
            if attributes.len() >= MAX_ATTRIBUTES {
                return Err(XmlError::Parts);
            }
            let attribute = self.attribute()?;
            if attributes.iter().any(|known: &Attribute<'_>| known.name == attribute.name) {
                return Err(XmlError::Tag(self.position()));
            }
            attributes.push(attribute);
        }
    }

    fn attribute(&mut self) -> Result<Attribute<'a>, XmlError> {
        let name = self.name()?;
        // In JSON there is a mark before it.
        if name.len() >= MAX_NAME_LENGTH {
            return Err(XmlError::Name(self.position()));
        }
        self.skip_space();
        if !self.take("=") {
            return Err(self.tag_error());
        }
        self.skip_space();
        let quote = if self.take("\"") {
            "\""
        } else if self.take("'") {
            "'"
        } else {
            return Err(self.tag_error());
        };
        let value = self.take_until(quote)?;
        if value.contains('<') {
            return Err(XmlError::Tag(self.position()));
        }
        let value = unescape(value).ok_or(XmlError::Reference(self.position()))?;
        Ok(Attribute { name: name.into(), value })
    }

    fn end_tag(&mut self, tag: &str) -> Result<(), XmlError> {
        let position = self.position();
        if !self.take(tag) {
            return Err(if self.rest.contains('>') { XmlError::Closing(position) } else { XmlError::Cut });
        }
        self.skip_space();
        if self.take(">") { Ok(()) } else { Err(self.tag_error()) }
    }

    /// Takes a name, which counts as one part of the document.
    fn name(&mut self) -> Result<&'a str, XmlError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(XmlError::Parts);
        }
        let is_end = |b: u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'/' | b'=' | b'<');
        let Some(length) = self.rest.bytes().take(MAX_ENCODED_LENGTH + 1).position(is_end) else {
            let is_cut = self.rest.len() <= MAX_ENCODED_LENGTH;
            return Err(if is_cut { XmlError::Cut } else { XmlError::Name(self.position()) });
        };
        let (name, rest) = self.rest.split_at_checked(length).ok_or(XmlError::Cut)?;
        if !is_name(name) {
            return Err(XmlError::Tag(self.position()));
        }
        self.rest = rest;
        Ok(name)
    }

    /// What is wrong where a tag cannot go on.
    fn tag_error(&self) -> XmlError {
        if self.rest.is_empty() { XmlError::Cut } else { XmlError::Tag(self.position()) }
    }
}
