//! The paths that a registration may use (`call=` of `/register`): prefixes of whole segments.

/// A path prefix below `/app/KEY`: `/js` covers `/js` and `/js/config`, not `/jsapi`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Takes `text` as a prefix; a `/` at its end is dropped.
    ///
    /// # Errors
    /// A sentence that says what a prefix is.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str =
            "is a path below /app/KEY that starts with '/', like /js or /pay/qrcode, without '?', '#' or '..'";
        let trimmed = text.trim_end_matches('/');
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '?' | '#' | '%' | '\\');
        let segments_fit = trimmed.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
        if !text.starts_with('/') || text.len() > 256 || !text.chars().all(plain) || !segments_fit {
            return Err(WRONG);
        }
        Ok(Self(trimmed.to_owned()))
    }

    /// The prefix without a `/` at its end; `/` for all paths.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// Whether `path` (below `/app/KEY`, decoded, starting with `/`) is this prefix or below it.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_cover_whole_segments_only() {
        let js = Scope::parse("/js/").unwrap();
        assert!(js.covers("/js") && js.covers("/js/config"));
        assert!(!js.covers("/jsapi") && !js.covers("/") && !js.covers("/api/js"));
        assert!(Scope::parse("/").unwrap().covers("/anything"));
    }

    #[test]
    fn what_is_no_plain_path_is_refused() {
        for bad in ["", "js", "/js?x", "/../api", "/a//b", "/%61pi", "/a b", "/a\\b"] {
            assert!(Scope::parse(bad).is_err(), "{bad:?}");
        }
    }
}
