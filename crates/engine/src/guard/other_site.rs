//! Requests that a page of another site makes a browser send to paths of operators and teams. Without this refusal any
//! page on the web could register accounts or force refreshes on a developer's machine, or with the credentials that a
//! browser remembers.

use http::HeaderMap;
use http::header::{HOST, HeaderName, ORIGIN};

use super::local::{is_loopback, strip_port};
use super::{Denied, Mode};

/// What browsers say of the page that sends a request (W3C Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that a page of another site sent.
///
/// # Errors
/// [`Denied::OtherSite`].
pub(super) fn refuse(headers: &HeaderMap, mode: Mode) -> Result<(), Denied> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(SEC_FETCH_SITE) == Some("cross-site") {
        return Err(Denied::OtherSite);
    }
    // A reverse proxy in front of a public server may have replaced Host, so there is nothing to compare with.
    let Some(origin) = text(ORIGIN).filter(|_| mode != Mode::Public) else { return Ok(()) };
    let origin = origin.split_once("://").map_or(origin, |(_, host)| host);
    if Some(origin) == text(HOST) || is_loopback(strip_port(origin)) {
        return Ok(());
    }
    Err(Denied::OtherSite)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn from(name: &'static str, value: &'static str) -> Result<(), Denied> {
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("10.0.0.5:8080"))]);
        headers.insert(name, HeaderValue::from_static(value));
        refuse(&headers, Mode::Open)
    }

    #[test]
    fn pages_of_other_sites_are_told_from_our_own() {
        assert!(from("origin", "https://evil.example").is_err());
        assert!(from("origin", "null").is_err());
        assert!(from("sec-fetch-site", "cross-site").is_err());
        assert_eq!(from("origin", "http://10.0.0.5:8080"), Ok(()));
        assert_eq!(from("origin", "http://127.0.0.1:8081"), Ok(()));
        assert_eq!(from("sec-fetch-site", "none"), Ok(()));
    }
}
