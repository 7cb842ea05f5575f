//! The reader: a JSON object as a document.
//!
//! It is our own because the document needs what a general reader does not give: numbers letter by letter, members
//! that are there twice, text that borrows from the input, and the same bounds as XML has. The tests and the fuzzer hold
//! it against `serde_json`.
//!
//! What must stay true: time and memory in proportion to the input, recursion no deeper than the document may be.

use std::borrow::Cow;

use super::number;
use crate::document::{Attribute, Element, MAX_ATTRIBUTES, MAX_DEPTH, MAX_PARTS, ROOT, Text, trim};
use crate::xml::name::{MAX_NAME_LENGTH, is_name};

/// What a list within a list is called; WeChat names the entries of its lists so.
const NESTED: &str = "item";

/// Why bytes are no JSON that can be a message. Positions are bytes from the first `{`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not UTF-8.
    #[error("the JSON is not UTF-8 (at byte {0}): send it in UTF-8")]
    Encoding(usize),
    /// It is something else than an object.
    #[error("the JSON is no object: it has to begin with {{")]
    Root,
    /// It ends in the middle.
    #[error("the JSON ends in the middle: a part of it is missing")]
    Cut,
    /// Something that JSON does not have.
    #[error("the JSON is malformed at byte {0}")]
    Syntax(usize),
    /// `@name` or `#text` twice in one object.
    #[error("the JSON has a member with '@' or '#' twice in one object (before byte {0})")]
    Twice(usize),
    /// Nested too deep.
    #[error("the JSON is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// Too many members.
    #[error("the JSON has more than {MAX_PARTS} members, or {MAX_ATTRIBUTES} with '@' in one object")]
    Parts,
    /// A name that is too long.
    #[error("the JSON has a name of more than {MAX_NAME_LENGTH} bytes (before byte {0})")]
    Name(usize),
}

/// Reads a whole JSON object.
///
/// # Errors
/// [`JsonError`] when it is something else, malformed, or beyond the bounds.
pub fn read(bytes: &[u8]) -> Result<Element<'_>, JsonError> {
    let text = str::from_utf8(trim(bytes)).map_err(|error| JsonError::Encoding(error.valid_up_to()))?;
    // The root counts too, as it does in XML.
    let mut reader = Reader { rest: text, length: text.len(), parts: 1 };
    if !reader.take("{") {
        return Err(JsonError::Root);
    }
    let mut root = Element::new(ROOT);
    reader.members(&mut root, 1)?;
    reader.skip_space();
    if reader.rest.is_empty() { Ok(root) } else { Err(JsonError::Syntax(reader.position())) }
}

struct Reader<'a> {
    rest: &'a str,
    length: usize,
    parts: usize,
}

impl<'a> Reader<'a> {
    fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    fn syntax(&self) -> JsonError {
        if self.rest.is_empty() { JsonError::Cut } else { JsonError::Syntax(self.position()) }
    }

    /// Takes `prefix` off the rest, if it is there.
    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, prefix: &str) -> Result<(), JsonError> {
        if self.take(prefix) { Ok(()) } else { Err(self.syntax()) }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes the bytes for which `belongs` is true; they have to be ASCII.
    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a str {
        let length = self.rest.bytes().position(|b| !belongs(b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or(("", self.rest));
        self.rest = rest;
        taken
    }

    /// The members of an object after its `{`, into `parent`, which is at `depth`.
    fn members(&mut self, parent: &mut Element<'a>, depth: usize) -> Result<(), JsonError> {
        self.skip_space();
        if self.take("}") {
            return Ok(());
        }
        loop {
            self.expect("\"")?;
            let name = self.string()?;
            if name.len() > MAX_NAME_LENGTH {
                return Err(JsonError::Name(self.position()));
            }
            self.skip_space();
            self.expect(":")?;
            self.skip_space();
            self.member(parent, name, depth)?;
            self.skip_space();
            if self.take("}") {
                return Ok(());
            }
            self.expect(",")?;
            self.skip_space();
        }
    }

    fn member(&mut self, parent: &mut Element<'a>, name: Cow<'a, str>, depth: usize) -> Result<(), JsonError> {
        if self.take("[") {
            return self.entries(depth + 1, |reader, depth| {
                let entry = reader.value(name.clone(), depth)?;
                parent.children.push(entry);
                Ok(())
            });
        }
        if !self.rest.starts_with('{') {
            if let Some(attribute) = attribute_name(&name) {
                return self.attribute(parent, attribute);
            }
            if name == "#text" {
                let text = self.scalar()?;
                let is_first = parent.text == Text::Empty;
                parent.text = text;
                return if is_first { Ok(()) } else { Err(JsonError::Twice(self.position())) };
            }
        }
        let member = self.value(name, depth + 1)?;
        parent.children.push(member);
        Ok(())
    }

    fn attribute(&mut self, parent: &mut Element<'a>, name: Cow<'a, str>) -> Result<(), JsonError> {
        self.count_part()?;
        if parent.attributes.len() >= MAX_ATTRIBUTES {
            return Err(JsonError::Parts);
        }
        let value = match self.scalar()? {
            Text::Empty => Cow::Borrowed(""),
            Text::Quoted(text) | Text::Bare(text) => text,
        };
        if parent.attributes.iter().any(|known| known.name == name) {
            return Err(JsonError::Twice(self.position()));
        }
        parent.attributes.push(Attribute { name, value });
        Ok(())
    }

    /// The entries of an array after its `[`, each read by `entry` at `depth`.
    fn entries(
        &mut self,
        depth: usize,
        mut entry: impl FnMut(&mut Self, usize) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.skip_space();
        if self.take("]") {
            return Ok(());
        }
        loop {
            self.skip_space();
            entry(self, depth)?;
            self.skip_space();
            if self.take("]") {
                return Ok(());
            }
            self.expect(",")?;
        }
    }

    /// A value as an element of that name at `depth`.
    fn value(&mut self, name: Cow<'a, str>, depth: usize) -> Result<Element<'a>, JsonError> {
        self.count_part()?;
        if depth > MAX_DEPTH {
            return Err(JsonError::Depth);
        }
        let mut element = Element::new(name);
        if self.take("{") {
            self.members(&mut element, depth)?;
        } else if self.take("[") {
            self.entries(depth + 1, |reader, depth| {
                element.children.push(reader.value(Cow::Borrowed(NESTED), depth)?);
                Ok(())
            })?;
        } else {
            element.text = self.scalar()?;
        }
        Ok(element)
    }

    fn count_part(&mut self) -> Result<(), JsonError> {
        self.parts += 1;
        if self.parts > MAX_PARTS { Err(JsonError::Parts) } else { Ok(()) }
    }

    fn scalar(&mut self) -> Result<Text<'a>, JsonError> {
        if self.take("\"") {
            return self.string().map(Text::Quoted);
        }
        for literal in ["true", "false"] {
            if self.take(literal) {
                return Ok(Text::Bare(Cow::Borrowed(literal)));
            }
        }
        if self.take("null") {
            return Ok(Text::Empty);
        }
        self.number().map(|number| Text::Bare(number::to_text(number)))
    }

    fn number(&mut self) -> Result<&'a str, JsonError> {
        let start = self.rest;
        self.take("-");
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.syntax());
        }
        if self.take(".") {
            self.digits()?;
        }
        if self.take("e") || self.take("E") {
            let _ = self.take("-") || self.take("+");
            self.digits()?;
        }
        let length = start.len() - self.rest.len();
        start.get(..length).ok_or(JsonError::Cut)
    }

    fn digits(&mut self) -> Result<&'a str, JsonError> {
        let digits = self.take_while(|b| b.is_ascii_digit());
        if digits.is_empty() { Err(self.syntax()) } else { Ok(digits) }
    }

    /// A string after its opening quote.
    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let mut whole = Cow::Borrowed("");
        loop {
            let is_end = |b: u8| b == b'"' || b == b'\\' || b < b' ';
            let length = self.rest.bytes().position(is_end).ok_or(JsonError::Cut)?;
            let (piece, rest) = self.rest.split_at_checked(length).ok_or(JsonError::Cut)?;
            self.rest = rest;
            whole += piece;
            if self.take("\"") {
                return Ok(whole);
            }
            self.expect("\\")?;
            let character = self.escape()?;
            whole.to_mut().push(character);
        }
    }

    /// The character that an escape stands for, after its backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let error = self.syntax();
        let mut characters = self.rest.chars();
        let kind = characters.next().ok_or(JsonError::Cut)?;
        self.rest = characters.as_str();
        Ok(match kind {
            '"' | '\\' | '/' => kind,
            'b' => '\u{8}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(),
            _ => return Err(error),
        })
    }

    /// `\uXXXX`, after its `u`. Half of a surrogate pair becomes U+FFFD: some systems cut nicknames in the middle of an
    /// emoji, and a message is worth more than half a character.
    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let unit = self.hex4()?;
        if let Some(character) = char::from_u32(unit) {
            return Ok(character);
        }
        let before = self.rest;
        if (0xD800..0xDC00).contains(&unit) && self.take("\\u") {
            let low = self.hex4()?;
            if (0xDC00..0xE000).contains(&low) {
                let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                return char::from_u32(code).ok_or(JsonError::Syntax(self.position()));
            }
        }
        self.rest = before;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let (digits, rest) = self.rest.split_at_checked(4).ok_or(self.syntax())?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(self.syntax());
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).map_err(|_| self.syntax())
    }
}

/// The attribute that a member `@name` stands for, if XML can hold its name.
fn attribute_name<'a>(member: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    let name = match member {
        Cow::Borrowed(member) => Cow::Borrowed(member.strip_prefix('@')?),
        Cow::Owned(member) => Cow::Owned(member.strip_prefix('@')?.to_owned()),
    };
    is_name(&name).then_some(name)
}
