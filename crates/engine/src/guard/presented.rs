//! The credentials in a request's `Authorization` header (RFC 6750 Bearer, RFC 7617 Basic).

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;

/// What the caller presented.
#[derive(Debug)]
pub enum Presented {
    /// `Bearer SECRET`.
    Bearer(SecretString),
    /// `Basic base64(user:password)`.
    Basic {
        /// The user: a registration's key, or anything for an operator.
        user: String,
        /// The password.
        password: SecretString,
    },
}

impl Presented {
    /// Reads the header; `None` when there is none or it is neither of the two.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let (scheme, value) = std::str::from_utf8(headers.get(AUTHORIZATION)?.as_bytes()).ok()?.split_once(' ')?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(value.into()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(base64_decode(value)?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Self::Basic { user: user.to_owned(), password: password.into() })
    }

    /// The secret part.
    #[must_use]
    pub fn password(&self) -> &SecretString {
        match self {
            Self::Bearer(secret) | Self::Basic { password: secret, .. } => secret,
        }
    }

    /// The user of Basic.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Bearer(_) => None,
            Self::Basic { user, .. } => Some(user),
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
    use secrecy::ExposeSecret;

    use super::*;

    fn read(value: &str) -> Option<Presented> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        Presented::read(&headers)
    }

    #[test]
    fn both_schemes_are_read() {
        let bearer = read("bearer  wxp_abc").unwrap();
        assert_eq!((bearer.user(), bearer.password().expose_secret()), (None, "wxp_abc"));
        // 测试:wxp_a:b
        let basic = read("Basic 5rWL6K+VOnd4cF9hOmI=").unwrap();
        assert_eq!((basic.user(), basic.password().expose_secret()), (Some("测试"), "wxp_a:b"));
    }

    #[test]
    fn what_is_neither_is_nothing() {
        for value in ["", "Bearer", "Basic !!", "Basic YWJj", "Digest x"] {
            assert!(read(value).is_none(), "{value}");
        }
    }
}
