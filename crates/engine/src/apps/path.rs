//! The paths of a registration, as they stand in addresses that others are given.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand in a segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is called when an address of this server is needed: `/app/KEY` and a path below it.
#[must_use]
pub fn app_path(key: &str, below: &str) -> String {
    let mut path = String::with_capacity("/app/".len() + key.len() + below.len());
    path.push_str("/app/");
    path.extend(utf8_percent_encode(key, SEGMENT));
    path.push_str(below);
    path
}
