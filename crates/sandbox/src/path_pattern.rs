//! A path, or the beginning of one: `/cgi-bin/token` or `/cgi-bin/*`.
//!
//! Faults and the call list are told with it which calls they are about.

use serde::{Deserialize, Serialize};

/// An exact path, or with a `*` at the end every path that begins so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PathPattern {
    text: String,
    prefix: bool,
}

impl PathPattern {
    pub(crate) fn matches(&self, path: &str) -> bool {
        if self.prefix { path.starts_with(&self.text) } else { path == self.text }
    }
}

impl TryFrom<String> for PathPattern {
    type Error = String;

    fn try_from(text: String) -> Result<PathPattern, String> {
        let (body, prefix) = match text.strip_suffix('*') {
            Some(body) => (body.to_owned(), true),
            None => (text, false),
        };
        let anything = prefix && body.is_empty();
        if !anything && !body.starts_with('/') || body.contains('*') || body.len() > 512 {
            return Err(format!(
                "path {body:?} is not understood; give an exact path such as /cgi-bin/token, or the beginning of one \
                 with a * at its end such as /cgi-bin/*"
            ));
        }
        Ok(PathPattern { text: body, prefix })
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> String {
        let PathPattern { mut text, prefix } = pattern;
        if prefix {
            text.push('*');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::try_from(text.to_owned()).expect("a pattern")
    }

    #[test]
    fn matches_exactly_or_by_its_beginning() {
        assert!(pattern("/cgi-bin/token").matches("/cgi-bin/token"));
        assert!(!pattern("/cgi-bin/token").matches("/cgi-bin/token2"));
        assert!(pattern("/cgi-bin/*").matches("/cgi-bin/token"));
        assert!(!pattern("/cgi-bin/*").matches("/sns/userinfo"));
        assert!(pattern("*").matches("/sns/userinfo"));
        assert_eq!(String::from(pattern("/cgi-bin/*")), "/cgi-bin/*");
    }

    #[test]
    fn refuses_what_could_never_match() {
        for text in ["", "cgi-bin/token", "/a*b", "**"] {
            assert!(PathPattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
