//! The credentials in a request's `Authorization` header (RFC 6750 Bearer, RFC 7617 Basic).

use std::fmt;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};

/// What the caller presented.
#[derive(Debug)]
pub enum Presented<'a> {
    /// `Bearer SECRET`.
    Bearer(Hidden<'a>),
    /// `Basic base64(user:password)`, decoded.
    Basic(SecretString),
}

/// A secret in a header, which `Debug` does not show.
pub struct Hidden<'a>(&'a str);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl<'a> Presented<'a> {
    /// Reads the header; `None` when there is none or it is neither of the two.
    #[must_use]
    pub fn read(headers: &'a HeaderMap) -> Option<Self> {
        let (scheme, value) = std::str::from_utf8(headers.get(AUTHORIZATION)?.as_bytes()).ok()?.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(Hidden(value)));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(base64_decode(value)?).ok()?;
        decoded.contains(':').then(|| Self::Basic(decoded.into()))
    }

    /// The secret part, whoever the user is.
    #[must_use]
    pub fn password(&self) -> &str {
        match self {
            Self::Bearer(Hidden(secret)) => secret,
            Self::Basic(pair) => pair.expose_secret().split_once(':').map_or("", |(_, password)| password),
        }
    }

    /// The secret part, if the user is this one; Bearer names none. The name itself may hold a colon.
    #[must_use]
    pub fn password_of(&self, user: &str) -> Option<&str> {
        match self {
            Self::Bearer(Hidden(secret)) => Some(secret),
            Self::Basic(pair) => pair.expose_secret().strip_prefix(user)?.strip_prefix(':'),
        }
    }
}

fn base64_decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn both_schemes_are_read() {
        let headers = with("bearer  wxp_abc");
        let bearer = Presented::read(&headers).unwrap();
        assert_eq!((bearer.password(), bearer.password_of("anyone")), ("wxp_abc", Some("wxp_abc")));
        // 测试:wxp_a:b
        let headers = with("Basic 5rWL6K+VOnd4cF9hOmI=");
        let basic = Presented::read(&headers).unwrap();
        assert_eq!((basic.password(), basic.password_of("测试")), ("wxp_a:b", Some("wxp_a:b")));
        assert_eq!((basic.password_of("测试:wxp_a"), basic.password_of("other")), (Some("b"), None));
        assert!(!format!("{bearer:?}{basic:?}").contains("wxp"));
    }

    #[test]
    fn what_is_neither_is_nothing() {
        for value in ["", "Bearer", "Basic !!", "Basic YWJj", "Digest x"] {
            assert!(Presented::read(&with(value)).is_none(), "{value}");
        }
    }
}
