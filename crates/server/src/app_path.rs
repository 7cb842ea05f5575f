//! `/app/KEY/…` taken apart: one parser for the router's guard and for the answers that are ready before any router.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The two parts of a path below `/app/`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AppPath<'a> {
    /// The registered name, percent-decoded.
    pub key: Cow<'a, str>,
    /// What follows, as it was sent: empty, or starting with `/`.
    pub rest: &'a str,
}

impl<'a> AppPath<'a> {
    /// Takes a request's path apart; `None` when it is not below `/app/` or the name is no UTF-8.
    #[must_use]
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let below = path.strip_prefix("/app/")?;
        let (key, rest) = below.find('/').map_or((below, ""), |slash| below.split_at(slash));
        let key = percent_decode_str(key).decode_utf8().ok().filter(|key| !key.is_empty())?;
        Some(Self { key, rest })
    }

    /// What follows the name, percent-decoded; `None` when it is no UTF-8.
    #[must_use]
    pub(crate) fn decoded_rest(&self) -> Option<Cow<'a, str>> {
        percent_decode_str(self.rest).decode_utf8().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_and_the_rest_is_kept() {
        let path = AppPath::parse("/app/%E6%B5%8B%E8%AF%95/js/card").unwrap();
        assert_eq!((&*path.key, path.rest), ("测试", "/js/card"));
        assert_eq!(AppPath::parse("/app/test").unwrap().rest, "");
    }

    #[test]
    fn what_is_no_app_path_is_nothing() {
        for path in ["/", "/app", "/app/", "/app//api", "/application/x", "/app/%ff/api"] {
            assert_eq!(AppPath::parse(path), None, "{path}");
        }
    }
}
