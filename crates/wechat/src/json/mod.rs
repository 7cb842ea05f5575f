//! WeChat's JSON form of messages, and the way from XML to it and back.
//!
//! The documents define no rule, they only show the same messages in both forms. What follows from those samples:
//!
//! | XML | JSON |
//! |---|---|
//! | the root `<xml>` | the top object; names are kept letter by letter |
//! | CDATA, other text | a string |
//! | a bare whole number of at most 64 bits, written canonically | a number |
//! | a bare decimal of at most 15 digits | a number, without zeros at its end: `15.0` becomes `15`, `1.20` becomes `1.2` |
//! | other bare text: `007`, `1e5`, `-0`, more digits than a double keeps | a string, letter by letter |
//! | an element with elements | an object |
//! | elements of one name under one parent | an array, in their order; those of [`LIST_NAMES`] also when there is one |
//! | an empty element | `""` |
//! | an attribute (WeChat has none) | a string member `@name` |
//! | text beside attributes or elements (WeChat has none) | a member `#text` |
//!
//! On the way back a string becomes CDATA, a number bare text (an exponent is written out), `true` and `false` their
//! names, `null` and `{}` an empty element, an array its elements one after the other, an empty array nothing, an array
//! in an array an element with `item`s. Names that XML does not allow are escaped as [`xml::name`]
//! says. The events `subscribe_msg_*` differ, in both directions: `subscribe_msg.rs` says how.
//!
//! So nothing that WeChat sends is lost in either direction, and XML that was made of JSON becomes the same JSON again,
//! but for what has two forms there: an array of one (outside of [`LIST_NAMES`]), `null`, `true`, long decimals.

mod number;
mod reader;
mod subscribe_msg;
mod writer;

pub use reader::{JsonError, read};
pub(crate) use writer::write_string;
pub use writer::{LIST_NAMES, write};

use crate::xml::{self, XmlError};

/// A message in XML as JSON.
///
/// # Errors
/// [`XmlError`] when it is no well-formed XML of WeChat's dialect.
pub fn xml_to_json(xml: &[u8]) -> Result<Vec<u8>, XmlError> {
    let mut root = xml::read(xml)?;
    let all_strings = subscribe_msg::unwrap(&mut root);
    Ok(writer::write_as(&root, all_strings))
}

/// A message in JSON as XML.
///
/// # Errors
/// [`JsonError`] when it is no well-formed JSON object.
pub fn json_to_xml(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    let mut root = read(json)?;
    subscribe_msg::wrap(&mut root);
    Ok(xml::write(&root))
}
