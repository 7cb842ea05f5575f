//! Whether a request to a local server really is local.
//!
//! A web page can make a browser ask `http://evil.example/` at 127.0.0.1 (DNS rebinding), and a forgotten reverse proxy
//! can carry the world in: the `Host` header and the headers that reverse proxies add give both away.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Denied;

/// Headers in which reverse proxies name the client or the host that it asked for.
const FORWARDED: [HeaderName; 3] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

/// Refuses a request that is not local.
///
/// # Errors
/// [`Denied::NotLocal`].
pub(super) fn check(headers: &HeaderMap) -> Result<(), Denied> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| is_loopback(strip_port(host))) {
        return Err(Denied::NotLocal { what: "the request's Host header is not a loopback name like 127.0.0.1" });
    }
    let foreign = |value: &HeaderValue| {
        let mut names = value.to_str().unwrap_or("?").split(',').map(|name| strip_port(name.trim()));
        names.any(|name| !is_loopback(name))
    };
    if FORWARDED.iter().any(|name| headers.get_all(name).iter().any(foreign)) {
        return Err(Denied::NotLocal { what: "a reverse proxy passed on the request of somebody else" });
    }
    Ok(())
}

/// Refuses what a page of another site makes a browser send to an operator's path. Without this any page on the web
/// could register accounts on a developer's machine.
///
/// # Errors
/// [`Denied::NotLocal`].
pub(super) fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Denied> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let other_site = text("sec-fetch-site") == Some("cross-site");
    let other_origin = text(ORIGIN.as_str()).is_some_and(|origin| {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        !is_loopback(strip_port(host))
    });
    if other_site || other_origin {
        return Err(Denied::NotLocal { what: "a page of another site sent the request" });
    }
    Ok(())
}

fn strip_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or("", |(address, _)| address);
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_localhost = |name: &str| name.eq_ignore_ascii_case("localhost");
    is_localhost(name)
        || name.rsplit_once('.').is_some_and(|(_, last)| is_localhost(last))
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn with_host(host: &str) -> Result<(), Denied> {
        check(&headers(&[("host", host)]))
    }

    #[test]
    fn loopback_names_are_local() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.8.9.1:80", "[::1]:8080", "::1", "a.localhost:1"] {
            assert_eq!(with_host(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:8080",
            "localhost.evil",
            "0.0.0.0",
            "",
            "[::2]",
            "1:2:3",
        ] {
            assert!(with_host(host).is_err(), "{host}");
        }
        assert!(check(&HeaderMap::new()).is_err());
    }

    #[test]
    fn a_reverse_proxy_gives_itself_away() {
        let through = |name, value| check(&headers(&[("host", "127.0.0.1"), (name, value)]));
        assert!(through("x-forwarded-for", "203.0.113.9").is_err());
        assert!(through("x-forwarded-host", "shop.example.com").is_err());
        assert!(through("x-real-ip", "203.0.113.9, 127.0.0.1").is_err());
        assert_eq!(through("x-forwarded-host", "localhost:3000"), Ok(()));
    }

    #[test]
    fn pages_of_other_sites_are_told_from_our_own() {
        let from = |name, value| refuse_other_sites(&headers(&[(name, value)]));
        assert!(from("origin", "https://evil.example").is_err());
        assert!(from("origin", "null").is_err());
        assert!(from("sec-fetch-site", "cross-site").is_err());
        assert_eq!(from("origin", "http://127.0.0.1:8081"), Ok(()));
        assert_eq!(from("sec-fetch-site", "none"), Ok(()));
    }
}
