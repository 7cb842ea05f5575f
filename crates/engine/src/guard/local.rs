//! Whether a request to a local server really is local.
//!
//! A web page can make a browser ask `http://evil.example/` at 127.0.0.1 (DNS rebinding), and a forgotten reverse proxy
//! can carry the world in. The host that was asked for gives the first away. The second shows in the headers that
//! reverse proxies add, or in their HTTP: nginx without any settings names 127.0.0.1 as the host and adds no such header,
//! but speaks HTTP/1.0 with `Connection: close`.

use std::net::IpAddr;

use http::header::{CONNECTION, FORWARDED, HOST, VIA};
use http::{HeaderName, HeaderValue, Version};

use super::{Caller, Denied};

/// Headers in which reverse proxies name the client or the host that it asked for.
const CLIENT_OR_HOST: [HeaderName; 3] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

/// Refuses a request that is not local.
///
/// # Errors
/// [`Denied::NotLocal`].
pub(super) fn check(caller: &Caller<'_>) -> Result<(), Denied> {
    let host = caller.headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or("?"));
    let mut hosts = host.chain(caller.authority).map(strip_port).peekable();
    if hosts.peek().is_none() || !hosts.all(is_loopback) {
        return Err(Denied::NotLocal { what: "the request's Host header is not a loopback name like 127.0.0.1" });
    }
    let foreign = |value: &HeaderValue| {
        let mut names = value.to_str().unwrap_or("?").split(',').map(|name| strip_port(name.trim()));
        names.any(|name| !is_loopback(name))
    };
    let named = CLIENT_OR_HOST.iter().any(|name| caller.headers.get_all(name).iter().any(foreign));
    if named || caller.headers.contains_key(FORWARDED) || caller.headers.contains_key(VIA) {
        return Err(Denied::NotLocal { what: "a reverse proxy passed on the request of somebody else" });
    }
    let closes = || caller.headers.get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    if caller.version < Version::HTTP_11 && closes() {
        return Err(Denied::NotLocal { what: "HTTP/1.0 with 'Connection: close' is what a reverse proxy sends" });
    }
    Ok(())
}

pub(super) fn strip_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or("", |(address, _)| address);
    }
    match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

pub(super) fn is_loopback(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_localhost = |name: &str| name.eq_ignore_ascii_case("localhost");
    is_localhost(name)
        || name.rsplit_once('.').is_some_and(|(_, last)| is_localhost(last))
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn check_with(version: Version, authority: Option<&str>, pairs: &[(&'static str, &str)]) -> Result<(), Denied> {
        let pairs = pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        let headers: HeaderMap = pairs.collect();
        check(&Caller { headers: &headers, version, authority, address: IpAddr::from([127, 0, 0, 1]) })
    }

    fn with_host(host: &str) -> Result<(), Denied> {
        check_with(Version::HTTP_11, None, &[("host", host)])
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
        assert!(check_with(Version::HTTP_11, None, &[]).is_err());
    }

    #[test]
    fn a_reverse_proxy_gives_itself_away() {
        let through = |name, value| check_with(Version::HTTP_11, None, &[("host", "127.0.0.1"), (name, value)]);
        assert!(through("x-forwarded-for", "203.0.113.9").is_err());
        assert!(through("x-forwarded-host", "shop.example.com").is_err());
        assert!(through("x-real-ip", "203.0.113.9, 127.0.0.1").is_err());
        assert!(through("forwarded", "for=203.0.113.9").is_err());
        assert!(through("via", "1.1 cache").is_err());
        let nginx = [("host", "127.0.0.1:8080"), ("connection", "close")];
        assert!(check_with(Version::HTTP_10, None, &nginx).is_err());
        assert_eq!(check_with(Version::HTTP_10, None, &[("host", "127.0.0.1:8080")]), Ok(()));
        assert_eq!(through("x-forwarded-host", "localhost:3000"), Ok(()));
    }

    #[test]
    fn the_host_of_the_target_counts_too() {
        assert_eq!(check_with(Version::HTTP_2, Some("127.0.0.1:8443"), &[]), Ok(()));
        assert!(check_with(Version::HTTP_2, Some("evil.example"), &[]).is_err());
        assert!(check_with(Version::HTTP_11, Some("evil.example"), &[("host", "127.0.0.1")]).is_err());
    }
}
