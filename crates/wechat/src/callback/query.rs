//! The query of a callback: what WeChat says about a request beside its body.
//!
//! Made by whoever receives the request. What must stay true: a parameter that comes twice counts as its first, so that
//! nobody can add a second one that another reader of the same query would take.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::CallbackError;

/// The parameters that WeChat adds to the callback URL; absent ones are `None`, and so are empty ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallbackQuery {
    /// Covers token, timestamp and nonce. WeCom sends none.
    pub signature: Option<String>,
    /// Covers the encrypted text too.
    pub msg_signature: Option<String>,
    /// Unix seconds.
    pub timestamp: Option<String>,
    /// A random text.
    pub nonce: Option<String>,
    /// `aes`, or `raw` or nothing for plain messages. WeCom, where everything is encrypted, sends none.
    pub encrypt_type: Option<String>,
    /// The sender.
    pub openid: Option<String>,
    /// The question of a URL check.
    pub echostr: Option<String>,
}

impl CallbackQuery {
    /// Reads a query (without `?`). Other parameters are skipped.
    ///
    /// A `+` stays a `+`: no value has spaces, but WeCom's `echostr` is base64, and not everybody writes `%2B`.
    #[must_use]
    pub fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let field = match decoded(name).as_ref() {
                "signature" => &mut parsed.signature,
                "msg_signature" => &mut parsed.msg_signature,
                "timestamp" => &mut parsed.timestamp,
                "nonce" => &mut parsed.nonce,
                "encrypt_type" => &mut parsed.encrypt_type,
                "openid" => &mut parsed.openid,
                "echostr" => &mut parsed.echostr,
                _ => continue,
            };
            if field.is_none() {
                *field = Some(decoded(value).into_owned());
            }
        }
        parsed.without_empty()
    }

    /// Whether the body is encrypted, by what the query says: plain messages have `timestamp` and `nonce` as well. Without
    /// `encrypt_type` only WeCom's are, which have no `signature`: from an official account its absence is no small thing, somebody
    /// took it away.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        match &self.encrypt_type {
            Some(kind) => kind.eq_ignore_ascii_case("aes"),
            None => self.msg_signature.is_some() && self.signature.is_none(),
        }
    }

    /// `timestamp` and `nonce`, which every signature covers.
    pub(super) fn signed(&self) -> Result<(&str, &str), CallbackError> {
        let timestamp = self.timestamp.as_deref().ok_or(CallbackError::Missing("timestamp"))?;
        let nonce = self.nonce.as_deref().ok_or(CallbackError::Missing("nonce"))?;
        Ok((timestamp, nonce))
    }

    fn without_empty(self) -> Self {
        let filled = |value: Option<String>| value.filter(|value| !value.is_empty());
        Self {
            signature: filled(self.signature),
            msg_signature: filled(self.msg_signature),
            timestamp: filled(self.timestamp),
            nonce: filled(self.nonce),
            encrypt_type: filled(self.encrypt_type),
            openid: filled(self.openid),
            echostr: filled(self.echostr),
        }
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_first_one_counts() {
        let query = CallbackQuery::parse(
            "call=http://a/&signature=a%62c&signature=x&nonce=&openid=o%E4%B8%AD&echostr=a+b%2Bc==",
        );
        let expected = CallbackQuery {
            signature: Some("abc".into()),
            openid: Some("o中".into()),
            echostr: Some("a+b+c==".into()),
            ..CallbackQuery::default()
        };
        assert_eq!(query, expected);
        assert_eq!(CallbackQuery::parse(""), CallbackQuery::default());
    }

    #[test]
    fn an_empty_first_value_is_not_made_up_for_by_a_second() {
        assert_eq!(CallbackQuery::parse("signature=&signature=x").signature, None);
    }

    #[test]
    fn the_query_tells_whether_the_body_is_encrypted() {
        let cases = [
            ("signature=a", false),
            ("signature=a&encrypt_type=raw", false),
            ("signature=a&encrypt_type=aes", true),
            ("signature=a&encrypt_type=AES&msg_signature=b", true),
            ("encrypt_type=raw&msg_signature=b", false),
            ("msg_signature=b", true),
        ];
        for (query, is_encrypted) in cases {
            assert_eq!(CallbackQuery::parse(query).is_encrypted(), is_encrypted, "{query}");
        }
    }
}
