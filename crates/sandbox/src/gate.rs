//! Who may talk to the sandbox: whoever names it by loopback, and no foreign web page.
//!
//! A page anywhere on the web can let its own name point to 127.0.0.1 (DNS rebinding) or send a form to it. So the
//! `Host` header must be a loopback name or an allowed one, and a call that changes something over the control API must
//! not come from a page of another site.

use std::net::IpAddr;

use http::request::Parts;
use http::{Method, header};

/// Why a request is refused, as a text that says what to do about it.
pub(crate) fn objection(request: &Parts, allowed: &[String]) -> Option<String> {
    let named = |name: header::HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok());
    let authority = request.uri.authority().map(http::uri::Authority::as_str);
    let Some(host) = authority.or_else(|| named(header::HOST)) else {
        return Some("the request has no Host header; send one, such as Host: localhost".into());
    };
    if !is_allowed(host, allowed) {
        return Some(format!(
            "the sandbox answers only when it is reached by a loopback name, not by {host:?}; open it as \
             http://localhost, or allow this name when it is started"
        ));
    }
    let changes = request.method != Method::GET && request.method != Method::HEAD;
    if !changes || !request.uri.path().starts_with("/sandbox") {
        return None;
    }
    let foreign_origin = named(header::ORIGIN)
        .is_some_and(|origin| !origin.split_once("://").is_some_and(|(_, host)| is_allowed(host, allowed)));
    let cross_site = request.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    (foreign_origin || cross_site)
        .then(|| "a web page of another site may not change the sandbox; use its own page or a command line".into())
}

fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let name = without_port(host).to_ascii_lowercase();
    is_loopback(&name) || allowed.iter().any(|entry| entry == "*" || *entry == name)
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(v6, |(address, _)| address),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(method: &str, path: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        objection(&parts, &["sandbox.lan".to_owned()]).is_some()
    }

    #[test]
    fn only_loopback_names_and_allowed_ones_are_answered() {
        for host in [
            "localhost",
            "localhost:8081",
            "127.0.0.1:8081",
            "127.8.9.1",
            "[::1]:8081",
            "SANDBOX.lan:80",
            "a.localhost",
        ] {
            assert!(!objects("GET", "/", &[("host", host)]), "{host}");
        }
        for host in
            ["example.com", "192.168.0.7:8081", "localhost.example.com", "127.0.0.1.example.com", "", "[2001:db8::1]"]
        {
            assert!(objects("GET", "/", &[("host", host)]), "{host}");
        }
        assert!(objects("GET", "/", &[]));
    }

    #[test]
    fn a_foreign_page_changes_nothing() {
        let local = ("host", "localhost:8081");
        assert!(!objects("POST", "/sandbox/reset", &[local]));
        assert!(!objects("POST", "/sandbox/reset", &[local, ("origin", "http://localhost:8081")]));
        assert!(objects("POST", "/sandbox/reset", &[local, ("origin", "https://evil.example")]));
        assert!(objects("POST", "/sandbox/reset", &[local, ("origin", "null")]));
        assert!(objects("POST", "/sandbox/reset", &[local, ("sec-fetch-site", "cross-site")]));
        assert!(!objects("POST", "/cgi-bin/stable_token", &[local, ("origin", "https://shop.example")]));
    }
}
