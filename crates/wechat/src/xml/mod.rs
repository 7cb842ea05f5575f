//! WeChat's dialect of XML: what a push or reply may be made of, and nothing that could hurt.
//!
//! Read: elements, text, CDATA, the five entities, numeric references, attributes. Skipped: a byte order mark, `<?…?>`,
//! comments, white space between elements and around CDATA. Refused: `<!DOCTYPE` and whatever else begins with `<!`,
//! entities of one's own, more than [`MAX_DEPTH`](crate::document::MAX_DEPTH) levels, more than
//! [`MAX_PARTS`](crate::document::MAX_PARTS) parts. Line ends are kept as they are.
//!
//! Written: strings as CDATA (`]]>` in them split over two), numbers bare, as WeChat does; characters that XML cannot
//! hold become U+FFFD; names that XML cannot hold are written by [`name`]'s rule, and come back when read.
//!
//! What must stay true: reading takes time and memory in proportion to the input, and never recurses.

pub mod name;
mod reader;
mod text;
mod writer;

pub(crate) use reader::read_rooted;
pub use reader::{XmlError, read};
pub(crate) use text::is_allowed;
pub use writer::write;
pub(crate) use writer::write_text;
