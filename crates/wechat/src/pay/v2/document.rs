//! The XML of API v2: a root with one flat level of texts.
//!
//! Written for requests, read from answers and notifications. Read with the parser of [`crate::xml`], which knows no
//! DTD and no entities of one's own; what is allowed there but not in v2 (nesting, attributes, a name twice) is refused
//! here.
//!
//! What must stay true: elements that no document names are kept, because they are signed too.

use std::collections::BTreeMap;

use crate::document::ROOT;
use crate::xml::{self, XmlError};

/// Why a body is no document of API v2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is no well-formed XML with the right root.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// An element holds others or has attributes.
    #[error("an element of the XML holds others or has attributes: API v2 has one flat level of texts")]
    Nested,
    /// A name is there twice: then it is not clear what was signed.
    #[error("an element of the XML is there twice")]
    Twice,
}

/// The elements of a document, by name.
pub(super) type Fields = BTreeMap<String, String>;

/// Reads a document whose root is `<xml>`.
pub(super) fn read(body: &[u8]) -> Result<Fields, DocumentError> {
    read_rooted(body, ROOT)
}

/// Reads a document whose root has this name.
pub(super) fn read_rooted(body: &[u8], root: &str) -> Result<Fields, DocumentError> {
    let document = xml::read_rooted(body, root)?;
    if !document.attributes.is_empty() || !document.text.as_str().trim().is_empty() {
        return Err(DocumentError::Nested);
    }
    let mut fields = Fields::new();
    for element in document.children {
        let text = element.scalar().filter(|_| element.attributes.is_empty()).ok_or(DocumentError::Nested)?;
        if fields.insert(element.name.to_string(), text.to_owned()).is_some() {
            return Err(DocumentError::Twice);
        }
    }
    Ok(fields)
}

/// Writes a document: each value as CDATA, empty ones left out.
pub(super) fn write<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("<xml>");
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        xml::write_text(&mut out, name, value);
    }
    out.push_str("</xml>");
    out
}

/// The pairs of a map, borrowed.
pub(super) fn pairs(fields: &Fields) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// A field, if it is there and not empty.
pub(super) fn text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.get(name).map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_cdata_are_the_same() {
        let read = read("<xml><a>1&lt;2</a><b><![CDATA[1<2]]></b><c/><d> </d></xml>".as_bytes()).unwrap();
        let expected = [("a", "1<2"), ("b", "1<2"), ("c", ""), ("d", " ")];
        assert!(pairs(&read).eq(expected));
    }

    #[test]
    fn what_is_not_flat_is_refused() {
        let wrong = [
            "<xml><a><b>1</b></a></xml>",
            "<xml><a x=\"1\">1</a></xml>",
            "<xml x=\"1\"><a>1</a></xml>",
            "<xml>text<a>1</a></xml>",
        ];
        for body in wrong {
            assert_eq!(read(body.as_bytes()), Err(DocumentError::Nested), "{body}");
        }
        assert_eq!(read(b"<xml><a>1</a><a>1</a></xml>"), Err(DocumentError::Twice));
        let xml = [
            "<!DOCTYPE xml [<!ENTITY e \"x\">]><xml><a>&e;</a></xml>",
            "<xml><a>&e;</a></xml>",
            "<xml><a>1</a></xml><xml><a>2</a></xml>",
            "<root><a>1</a></root>",
            "<xml><a>1</a>",
            "{}",
            "",
        ];
        for body in xml {
            assert!(matches!(read(body.as_bytes()), Err(DocumentError::Xml(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            fields in proptest::collection::btree_map("[a-zA-Z][a-z0-9]{0,9}", "[^\\p{C}]{1,20}", 0..8)
        ) {
            let written = write(pairs(&fields));
            // Texts of white space alone are texts all the same: CDATA says so.
            prop_assert_eq!(read(written.as_bytes()).unwrap(), fields);
        }
    }
}
