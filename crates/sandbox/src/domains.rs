//! Lists of domains of an account: where visitors may be led after a login, on which pages the JSSDK works.
//!
//! Set by the control API, asked by the pages of `platform`. An empty list allows every domain, so that nothing has to
//! be set up to try things out. WeChat compares whole host names: a subdomain is another domain.

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// Domains on one list at most.
const MOST: usize = 100;

/// Host names, each with or without a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub(crate) struct Domains(Vec<Domain>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Domain {
    host: String,
    port: Option<u16>,
}

impl Domains {
    /// Whether nothing was named, which allows everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a URL's host is on the list; an entry without a port is good for every port.
    pub(crate) fn allow_host(&self, url: &Url) -> bool {
        self.0.is_empty() || self.named(url).any(|port| port.is_none() || port == url.port_or_known_default())
    }

    /// Whether a URL's host and port are on the list; an entry without a port is good for the usual one of the scheme
    /// only, as WeCom compares them.
    pub(crate) fn allow_host_and_port(&self, url: &Url) -> bool {
        let fits = |port: Option<u16>| match port {
            None => url.port().is_none(),
            Some(_) => port == url.port_or_known_default(),
        };
        self.0.is_empty() || self.named(url).any(fits)
    }

    /// The ports of the entries with a URL's host.
    fn named<'a>(&'a self, url: &'a Url) -> impl Iterator<Item = Option<u16>> + 'a {
        self.0.iter().filter(|domain| url.host_str() == Some(&domain.host)).map(|domain| domain.port)
    }
}

impl TryFrom<Vec<String>> for Domains {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Domains, String> {
        if texts.len() > MOST {
            return Err(format!("a list has at most {MOST} domains"));
        }
        texts.iter().map(|text| Domain::parse(text)).collect::<Result<_, _>>().map(Domains)
    }
}

impl Domain {
    fn parse(text: &str) -> Result<Domain, String> {
        let wrong = || {
            format!("domain {text:?} is not understood; give a host name such as shop.example.com, or 127.0.0.1:8080")
        };
        let bare = text.bytes().all(|byte| !b"/?#@\\".contains(&byte) && byte > b' ');
        let url =
            Url::parse(&format!("http://{text}/")).ok().filter(|_| bare && text.len() <= 255).ok_or_else(wrong)?;
        let host = url.host_str().filter(|host| !host.is_empty() && !host.contains('*')).ok_or_else(wrong)?;
        let port = if text.ends_with(":80") { Some(80) } else { url.port() };
        Ok(Domain { host: host.to_owned(), port })
    }
}

impl From<Domains> for Vec<String> {
    fn from(domains: Domains) -> Vec<String> {
        let text = |Domain { host, port }: Domain| match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        domains.0.into_iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(texts: &[&str]) -> Domains {
        Domains::try_from(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).expect("domains")
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn whole_host_names_are_compared() {
        let list = domains(&["Shop.example.com", "127.0.0.1:8080"]);
        for (text, allowed) in [
            ("http://shop.example.com/a", true),
            ("https://SHOP.example.com:8443/", true),
            ("http://www.shop.example.com/", false),
            ("http://example.com/", false),
            ("http://127.0.0.1:8080/", true),
            ("http://127.0.0.1:8081/", false),
            ("http://shop.example.com@evil.example/", false),
        ] {
            assert_eq!(list.allow_host(&url(text)), allowed, "{text}");
        }
        assert!(Domains::default().allow_host(&url("http://a.example/")));
    }

    #[test]
    fn wecom_compares_the_port_too() {
        let list = domains(&["a.example", "b.example:8080", "c.example:80"]);
        for (text, allowed) in [
            ("http://a.example/", true),
            ("https://a.example:443/", true),
            ("https://a.example:8443/", false),
            ("http://b.example:8080/", true),
            ("http://b.example/", false),
            ("http://c.example/", true),
            ("https://c.example/", false),
        ] {
            assert_eq!(list.allow_host_and_port(&url(text)), allowed, "{text}");
        }
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for text in ["", "http://a.example", "a.example/x", "*.example.com", "a b", "a@b", "a:x"] {
            assert!(Domains::try_from(vec![text.to_owned()]).is_err(), "{text}");
        }
        assert_eq!(Vec::from(domains(&["[::1]:81", "a.example"])), ["[::1]:81", "a.example"]);
    }
}
