//! The hosts that `call=` URLs may name (`allow=` of `/register`).

use std::fmt;

/// One entry: `shop.example.com`, `*.example.com` (sub domains, not the domain itself), `10.0.0.5:9000`, `[::1]:9000`.
/// Without a port every port is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    wildcard: bool,
    host: String,
    port: Option<u16>,
}

impl AllowedHost {
    /// Takes `text` as an entry. Case does not matter.
    ///
    /// # Errors
    /// A sentence that says what an entry is.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str =
            "is a host without scheme and path: shop.example.com, *.example.com, 10.0.0.5:9000 or [::1]:9000";
        let lower = text.to_ascii_lowercase();
        let (wildcard, rest) = lower.strip_prefix("*.").map_or((false, lower.as_str()), |rest| (true, rest));
        let (host, port) = split_port(rest).ok_or(WRONG)?;
        // A wildcard directly below a top-level domain would allow half the world.
        let is_name = host.split('.').all(is_label) && (!wildcard || host.contains('.'));
        let is_ipv6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).is_some_and(is_ipv6_address);
        if host.len() > 253 || !(is_name || (is_ipv6 && !wildcard)) {
            return Err(WRONG);
        }
        Ok(Self { wildcard, host: host.to_owned(), port })
    }

    /// Whether a URL with this host (lower case, IPv6 in brackets) and this port is covered.
    #[must_use]
    pub fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|allowed| allowed != port) {
            return false;
        }
        if !self.wildcard {
            return host == self.host;
        }
        host.strip_suffix(self.host.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wildcard { "*." } else { "" })?;
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.ends_with(']') {
        return Some((text, None));
    }
    match text.rsplit_once(':') {
        None => Some((text, None)),
        Some((host, port)) => port.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port))),
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_ipv6_address(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_cover_what_they_say() {
        let one = AllowedHost::parse("Shop.Example.com").unwrap();
        assert!(one.covers("shop.example.com", 443) && one.covers("shop.example.com", 8443));
        assert!(!one.covers("evil-shop.example.com", 443));
        let all = AllowedHost::parse("*.example.com").unwrap();
        assert!(all.covers("a.example.com", 443) && all.covers("a.b.example.com", 80));
        assert!(
            !all.covers("example.com", 443) && !all.covers("evilexample.com", 443) && !all.covers(".example.com", 1)
        );
        let port = AllowedHost::parse("10.0.0.5:9000").unwrap();
        assert!(port.covers("10.0.0.5", 9000) && !port.covers("10.0.0.5", 80));
        assert!(AllowedHost::parse("[::1]:9000").unwrap().covers("[::1]", 9000));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in ["", "*", "*.com", "https://a.com", "a.com/x", "a..b", "a.com:0", "a.com:x", "u@a.com", "-a.com"] {
            assert!(AllowedHost::parse(bad).is_err(), "{bad:?}");
        }
    }
}
