//! Paths of WeChat's API, in one normal form.
//!
//! Made from what a caller writes behind the proxy's own part of a URL, before anything is decided about the path: who may
//! call it, with which token, counted where. So the path that was judged has to be the path that is sent.
//!
//! What must stay true: a normal path holds nothing that any server could read in another way. It is decoded once, and
//! what is left has only the characters that no URL needs to encode; another host, a second encoding, or a separator that
//! only a later reader sees would each need one more.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// The longest path that is accepted, in bytes of its normal form (WeChat's own have less than 80).
pub const MAX_PATH_LENGTH: usize = 512;

/// A path of WeChat's API: `/` and a name, once or more often, as in `/cgi-bin/user/info`; no slash at the end.
///
/// The names hold ASCII letters, digits, `-`, `_`, `.` and `~`, and no two dots in a row. Case is kept, and counts when paths
/// are compared; nobody promises that it counts for WeChat, so whoever forbids a path forbids it in any case.
///
/// It owns its text: one small allocation beside a call to WeChat, and nobody has to carry a lifetime.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiPath(Box<str>);

/// Why a text is no path of WeChat's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No name is left.
    #[error("there is no path of WeChat's API in this URL: add one, such as /cgi-bin/user/info")]
    Empty,
    /// More than [`MAX_PATH_LENGTH`] bytes.
    #[error("the path of WeChat's API is longer than {MAX_PATH_LENGTH} bytes: parameters belong behind the '?'")]
    TooLong,
    /// A byte, after decoding, that no path of WeChat's API has. An escape that is none leaves its `%`.
    #[error(
        "the path of WeChat's API has a %{0:02X} in it after decoding: its names hold only letters, digits, '-', '_', '.' \
         and '~'; write the path as in WeChat's documents, without host and encoded once at most"
    )]
    Character(u8),
    /// Two dots within a name.
    #[error("a name in the path of WeChat's API has two dots in a row: write the path as in WeChat's documents")]
    Dots,
    /// More `..` than names before them.
    #[error("the '..' in the path of WeChat's API lead above its root: write the path without them")]
    AboveRoot,
}

impl ApiPath {
    /// Takes the path of a URL as it stands in a request line, still percent-encoded, with or without `/` at its start.
    ///
    /// Each name is decoded once; empty names and `.` are left out, and `..` takes away the name before it, however the dots
    /// are written. A query is not a part of the path: `?` is refused like any other character.
    ///
    /// # Errors
    /// [`PathError`], which says what to do; it repeats at most one byte of the text.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        if raw.len() <= MAX_PATH_LENGTH && is_normal(raw) {
            return Ok(Self(raw.into()));
        }
        Self::put_in_order(raw)
    }

    fn put_in_order(raw: &str) -> Result<Self, PathError> {
        let mut path = String::with_capacity(raw.len().min(MAX_PATH_LENGTH) + 1);
        for segment in raw.split('/') {
            let start = path.len();
            path.push('/');
            for byte in percent_decode_str(segment) {
                if !is_allowed(byte) {
                    return Err(PathError::Character(byte));
                }
                path.push(char::from(byte));
            }
            match path.get(start + 1..).unwrap_or_default() {
                "" | "." => path.truncate(start),
                ".." => {
                    path.truncate(start);
                    path.truncate(path.rfind('/').ok_or(PathError::AboveRoot)?);
                }
                name if name.contains("..") => return Err(PathError::Dots),
                _ => {}
            }
        }
        match path.len() {
            0 => Err(PathError::Empty),
            1..=MAX_PATH_LENGTH => Ok(Self(path.into())),
            _ => Err(PathError::TooLong),
        }
    }

    /// The path, beginning with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path in lower case, to tell APIs apart: nobody promises that case counts for WeChat, so what is remembered or forbidden
    /// of an API holds for it in any case.
    #[must_use]
    pub fn folded(&self) -> Cow<'_, str> {
        if self.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(self.0.to_ascii_lowercase());
        }
        Cow::Borrowed(&self.0)
    }

    /// Its names, from left to right; at least one.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }

    /// The first name, which tells WeChat's kinds of API apart: `cgi-bin`, `sns`, `wxa`.
    #[must_use]
    pub fn first_segment(&self) -> &str {
        self.segments().next().unwrap_or_default()
    }

    /// Whether there are more names than one, as in all of WeChat's APIs.
    #[must_use]
    pub fn has_several_names(&self) -> bool {
        self.0.bytes().skip(1).any(|byte| byte == b'/')
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a path is in its normal form for certain, as nearly all are: then there is nothing to decode. (One with a name that
/// begins with a dot is looked at more closely.)
fn is_normal(raw: &str) -> bool {
    let mut before = b'-';
    for byte in raw.bytes() {
        let is_good = match byte {
            b'/' => before != b'/',
            b'.' => !matches!(before, b'/' | b'.'),
            byte => is_allowed(byte),
        };
        if !is_good {
            return false;
        }
        before = byte;
    }
    before != b'/' && raw.starts_with('/')
}

/// The unreserved characters of RFC 3986, section 2.3: with and without encoding they mean the same.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}
