//! What numbers and addresses of merchants have to look like, for both APIs alike.
//!
//! Source: the field tables of "create order" and "refund" of both APIs. That plain http and addresses of the own
//! machine are refused for v3 is left out on purpose: a sandbox notifies programs on the same machine.

use std::net::IpAddr;

/// Whether a text can be an `out_trade_no`.
pub(crate) fn is_trade_no(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-|*".contains(&byte);
    (6..=32).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether a text can be an `out_refund_no`.
pub(crate) fn is_refund_no(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-|*@".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Whether notifications can be sent there: a whole address without a query, https unless the host is not public.
pub(crate) fn is_notify_url(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    let whole = text.len() <= 256 && url.query().is_none() && url.fragment().is_none() && url.has_host();
    whole && (url.scheme() == "https" || url.scheme() == "http" && !is_public(&url))
}

fn is_public(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => !(address.is_loopback() || address.is_private() || address.is_link_local()),
        Ok(IpAddr::V6(address)) => !(address.is_loopback() || address.is_unique_local()),
        Err(_) => host.contains('.') && !host.ends_with(".localhost") && !host.ends_with(".local"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert!(is_trade_no("TEST20260101_-|*") && !is_trade_no("short") && !is_trade_no("with space"));
        assert!(!is_trade_no(&"x".repeat(33)) && !is_trade_no("refund@1"));
        assert!(is_refund_no("refund@1") && !is_refund_no("") && !is_refund_no(&"x".repeat(65)));
    }

    #[test]
    fn addresses() {
        for good in ["https://pay.example.com/n", "http://127.0.0.1:8080/n", "http://[::1]/n", "http://proxy:8080/n"] {
            assert!(is_notify_url(good), "{good}");
        }
        for bad in
            ["http://pay.example.com/n", "https://pay.example.com/n?a=1", "/n", "ftp://127.0.0.1/", "https://a/#b"]
        {
            assert!(!is_notify_url(bad), "{bad}");
        }
    }
}
