//! The document of a push or reply: the tree that WeChat's XML and JSON share.
//!
//! Both readers ([`xml::read`](crate::xml::read), [`json::read`](crate::json::read)) make it, both writers take it, and
//! everything that looks into a message looks here, whatever format it came in.
//!
//! What must stay true: the tree borrows from what was read, and is at most [`MAX_DEPTH`] deep and [`MAX_PARTS`] large,
//! so that what walks it may recurse.

use std::borrow::Cow;

use crate::json::JsonError;
use crate::xml::XmlError;

/// How deep elements may be nested, the root included. WeChat's deepest documented push has 8 levels.
pub const MAX_DEPTH: usize = 32;

/// How many elements and attributes a document may have. WeChat's largest pushes have some hundred.
pub const MAX_PARTS: usize = 20_000;

/// How many attributes an element may have: each is compared with those before it. WeChat has none at all.
pub const MAX_ATTRIBUTES: usize = 32;

/// The root of every XML document. JSON has no name for it.
pub const ROOT: &str = "xml";

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `<xml>…</xml>`
    Xml,
    /// `{…}`
    Json,
}

impl Format {
    /// The format that `bytes` can only be in, by the first character after a byte order mark and white space.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        match trim(bytes).first() {
            Some(b'<') => Some(Self::Xml),
            Some(b'{') => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why bytes are no document of WeChat's dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It begins with neither `<` nor `{`.
    #[error("neither XML nor a JSON object: it has to begin with <xml> or {{")]
    Format,
    /// It is no well-formed XML with the root `<xml>`.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is no well-formed JSON object.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// Reads a document, XML or JSON.
///
/// # Errors
/// [`DocumentError`] when it is neither.
pub fn read(bytes: &[u8]) -> Result<(Format, Element<'_>), DocumentError> {
    match Format::detect(bytes) {
        Some(Format::Xml) => Ok((Format::Xml, crate::xml::read(bytes)?)),
        Some(Format::Json) => Ok((Format::Json, crate::json::read(bytes)?)),
        None => Err(DocumentError::Format),
    }
}

/// An element, or a member of a JSON object. A name that is repeated among the children is a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element<'a> {
    /// The name, as JSON shows it.
    pub name: Cow<'a, str>,
    /// Attributes: WeChat has none; they are kept so that nothing is lost. In JSON members with `@` before the name.
    pub attributes: Vec<Attribute<'a>>,
    /// The text of the element itself. In JSON, beside attributes or children, the member `#text`.
    pub text: Text<'a>,
    /// The elements inside, in their order.
    pub children: Vec<Self>,
}

/// An attribute of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name, without `@`.
    pub name: Cow<'a, str>,
    /// The value, references undone.
    pub value: Cow<'a, str>,
}

/// The text of an element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Text<'a> {
    /// No text: an empty element, or one that has only children.
    #[default]
    Empty,
    /// A string: CDATA in XML, quoted in JSON.
    Quoted(Cow<'a, str>),
    /// Text without CDATA, perhaps a number; in JSON a number, `true` or `false`.
    Bare(Cow<'a, str>),
}

impl<'a> Element<'a> {
    /// An empty element.
    #[must_use]
    pub fn new(name: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// An element that holds a string.
    #[must_use]
    pub fn quoted(name: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), text: Text::Quoted(text.into()), ..Self::default() }
    }

    /// An element that holds a whole number.
    #[must_use]
    pub fn number(name: impl Into<Cow<'a, str>>, number: u64) -> Self {
        Self { name: name.into(), text: Text::Bare(number.to_string().into()), ..Self::default() }
    }

    /// An element that holds others.
    #[must_use]
    pub fn with(name: impl Into<Cow<'a, str>>, children: Vec<Self>) -> Self {
        Self { name: name.into(), children, ..Self::default() }
    }

    /// The first child of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name; `None` when there is none or it holds other elements.
    #[must_use]
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).and_then(Self::scalar)
    }

    /// The text of an element that holds nothing else; empty when it is empty.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        self.children.is_empty().then(|| self.text.as_str())
    }

    /// Whether there is nothing in it: no text, no attributes, no children.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.as_str().is_empty() && self.attributes.is_empty() && self.children.is_empty()
    }

    /// The same document, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Element<'static> {
        let attribute = |attribute: Attribute<'a>| Attribute {
            name: attribute.name.into_owned().into(),
            value: attribute.value.into_owned().into(),
        };
        Element {
            name: self.name.into_owned().into(),
            attributes: self.attributes.into_iter().map(attribute).collect(),
            text: self.text.into_owned(),
            children: self.children.into_iter().map(Element::into_owned).collect(),
        }
    }
}

impl<'a> Text<'a> {
    /// The text, empty when there is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Empty => "",
            Self::Quoted(text) | Self::Bare(text) => text,
        }
    }

    /// The same text, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        match self {
            Self::Empty => Text::Empty,
            Self::Quoted(text) => Text::Quoted(text.into_owned().into()),
            Self::Bare(text) => Text::Bare(text.into_owned().into()),
        }
    }

    /// Adds a piece at the end; one quoted piece makes the whole a string.
    pub(crate) fn push(&mut self, piece: Cow<'a, str>, quoted: bool) {
        let (text, quoted) = match std::mem::take(self) {
            Self::Empty => (piece, quoted),
            Self::Quoted(text) => (joined(text, &piece), true),
            Self::Bare(text) => (joined(text, &piece), quoted),
        };
        *self = if quoted { Self::Quoted(text) } else { Self::Bare(text) };
    }
}

fn joined<'a>(mut text: Cow<'a, str>, piece: &str) -> Cow<'a, str> {
    text.to_mut().push_str(piece);
    text
}

/// Without a byte order mark at the start and white space at both ends.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.trim_ascii_start();
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii()
}
