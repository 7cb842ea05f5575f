//! The address that a login leads back to.
//!
//! Made from `redirect_uri` and used by all login pages. What is added stands in the query, before the fragment, behind
//! `?` or `&`. Nothing but visible ASCII gets into the header that leads there.

use std::fmt::Write as _;

use reqwest::Url;

/// Longest `redirect_uri`, in bytes (unconfirmed).
const LONGEST: usize = 8_192;

/// A place that can be led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) url: Url,
    /// The address as it was given, in visible ASCII.
    text: String,
}

impl Target {
    /// The target that a `redirect_uri` names; only whole addresses of http and https do.
    pub(super) fn parse(redirect_uri: &str) -> Option<Target> {
        let url = Url::parse(redirect_uri).ok()?;
        let usable = matches!(url.scheme(), "http" | "https") && url.has_host() && redirect_uri.len() <= LONGEST;
        // A host in other letters is led to by the name that it has in the DNS.
        let text = if redirect_uri.is_ascii() { visible(redirect_uri) } else { url.to_string() };
        usable.then_some(Target { url, text })
    }

    /// The address with these parameters added.
    pub(super) fn with(&self, params: &[(&str, &str)]) -> String {
        let (address, fragment) = match self.text.split_once('#') {
            Some((address, fragment)) => (address, Some(fragment)),
            None => (self.text.as_str(), None),
        };
        let added = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        let glue = if !address.contains('?') {
            "?"
        } else if address.ends_with(['?', '&']) {
            ""
        } else {
            "&"
        };
        let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
        format!("{address}{glue}{added}{fragment}")
    }
}

/// A text with everything percent-encoded that is not visible.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            visible.push(char::from(byte));
        } else if write!(visible, "%{byte:02X}").is_err() {
            break;
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(redirect_uri: &str) -> Option<String> {
        Target::parse(redirect_uri).map(|target| target.with(&[("code", "C"), ("state", "s")]))
    }

    #[test]
    fn code_and_state_are_added() {
        for (given, expected) in [
            ("http://a.example", "http://a.example?code=C&state=s"),
            ("https://a.example/x?y=1", "https://a.example/x?y=1&code=C&state=s"),
            ("http://a.example/?", "http://a.example/?code=C&state=s"),
            ("http://a.example/#/path", "http://a.example/?code=C&state=s#/path"),
            ("http://a.example/a b", "http://a.example/a%20b?code=C&state=s"),
            ("http://a.example/测", "http://a.example/%E6%B5%8B?code=C&state=s"),
        ] {
            assert_eq!(led(given).as_deref(), Some(expected));
        }
        for wrong in ["", "/x", "a.example", "javascript:alert(1)", "data:text/html,x", "ftp://a.example/", "http://"] {
            assert_eq!(led(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_always_fits_into_a_header(tail in "\\PC{0,40}[\r\n\t]{0,2}\\PC{0,10}") {
            if let Some(led) = led(&format!("http://a.example/{tail}")) {
                proptest::prop_assert!(led.bytes().all(|byte| byte.is_ascii_graphic()), "{led}");
            }
        }
    }
}
