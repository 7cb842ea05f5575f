//! The id of an account: `appid` of an official account or mini program, `corpid` of a WeCom corporation.
//!
//! WeChat's ids are `wx` or `ww` and 16 hexadecimal digits today, but no document promises that. So the rule here
//! is only what keeps an id safe inside URLs, logs and file names; WeChat itself says whether the account exists.

use std::fmt;

/// The longest id that is accepted, in bytes (WeChat's own have 18).
pub const MAX_LENGTH: usize = 64;

/// A well-formed account id: 1 to [`MAX_LENGTH`] ASCII letters, digits, `_` or `-`. Case matters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Appid(Box<str>);

/// Why a text is no account id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an appid has 1 to {MAX_LENGTH} letters, digits, '_' or '-' (WeChat's own look like wx1234567890abcdef)")]
pub struct InvalidAppid;

impl Appid {
    /// Takes `text` as an account id.
    ///
    /// # Errors
    /// [`InvalidAppid`] when it is empty, too long, or holds other characters.
    pub fn parse(text: &str) -> Result<Self, InvalidAppid> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if text.is_empty() || text.len() > MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(InvalidAppid);
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for ids that only WeCom gives out (`ww…`). Older corporations have `wx…` ids like everybody else.
    #[must_use]
    pub fn is_surely_wecom(&self) -> bool {
        self.0.starts_with("ww")
    }
}

impl fmt::Display for Appid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Appid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_wechat_gives_out() {
        for id in ["wx1234567890abcdef", "ww1234567890abcdef", "tj42"] {
            assert_eq!(Appid::parse(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn refuses_what_would_hurt_in_a_url_or_a_log() {
        for id in ["", " ", "wx 1", "wx&secret=1", "wx/..", "公众号", "wx\n1", &"x".repeat(65)] {
            assert_eq!(Appid::parse(id), Err(InvalidAppid), "{id:?}");
        }
    }
}
