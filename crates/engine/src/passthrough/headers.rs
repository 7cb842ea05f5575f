//! Which headers travel on: all but those of one connection, those that show who the caller is to this proxy, and those that
//! tell of the way here.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName,
    HeaderValue, ORIGIN, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, REFERER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VIA,
};

const OUR_NAME: HeaderValue = HeaderValue::from_static(concat!("wechat-proxy/", env!("CARGO_PKG_VERSION")));

/// Headers of one connection (RFC 9110, 7.6.1), and of its framing, which is made anew.
fn is_of_connection(name: &HeaderName) -> bool {
    matches!(*name, CONNECTION | CONTENT_LENGTH | TE | TRAILER | TRANSFER_ENCODING | UPGRADE)
        || matches!(*name, PROXY_AUTHENTICATE | PROXY_AUTHORIZATION)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Headers that are for this proxy, or tell WeChat what is none of its business. `Accept-Encoding` too: an answer is looked
/// into for a refused token.
fn is_for_us(name: &HeaderName) -> bool {
    matches!(*name, AUTHORIZATION | COOKIE | HOST | EXPECT | ACCEPT_ENCODING | ORIGIN | REFERER | FORWARDED | VIA)
        || matches!(name.as_str(), "x-real-ip" | "x-client-ip" | "cf-connecting-ip" | "true-client-ip" | "x-request-id")
        || matches!(name.as_str(), "x-http-method-override" | "x-method-override")
        || name.as_str().starts_with("x-forwarded-")
        || name.as_str().starts_with("sec-fetch-")
}

/// Hands on what of a caller's headers goes to WeChat.
pub(super) fn to_wechat(headers: &HeaderMap, mut hand_on: impl FnMut(&HeaderName, &HeaderValue)) {
    let named = named_by_connection(headers);
    for (name, value) in headers {
        if !is_of_connection(name) && !is_for_us(name) && !named.contains(name) {
            hand_on(name, value);
        }
    }
    if !headers.contains_key(USER_AGENT) {
        hand_on(&USER_AGENT, &OUR_NAME);
    }
}

/// Whether a header of WeChat's goes to the caller: cookies would be ours to the caller, and what WeChat's host promises of TLS
/// is not ours to promise. (What its `Connection` names is left out by who reads the head.)
pub(super) fn goes_to_caller(name: &HeaderName) -> bool {
    !is_of_connection(name)
        && !matches!(*name, SET_COOKIE | STRICT_TRANSPORT_SECURITY)
        && !matches!(name.as_str(), "set-cookie2" | "alt-svc")
}

/// The headers that `Connection` names as those of this connection.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let names = names.filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"));
    names.filter_map(|name| name.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let mut sent = Vec::new();
        to_wechat(&headers, |name, _| sent.push(name.to_string()));
        sent
    }

    #[test]
    fn what_is_for_the_proxy_or_the_connection_stays() {
        let stays = [
            ("authorization", "Bearer secret"),
            ("cookie", "a=b"),
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("upgrade", "h2c"),
            ("host", "proxy"),
            ("x-forwarded-for", "10.0.0.1"),
            ("forwarded", "for=x"),
            ("accept-encoding", "gzip"),
            ("expect", "100-continue"),
        ];
        assert_eq!(sent(&stays), ["user-agent"]);
    }

    #[test]
    fn what_matters_travels() {
        let travels = [("content-type", "application/json"), ("range", "bytes=0-1"), ("wechatmp-signature", "x")];
        assert_eq!(sent(&travels), ["content-type", "range", "wechatmp-signature", "user-agent"]);
        let back = ["content-type", "set-cookie", "content-disposition", "connection", "alt-svc", "keep-alive"];
        let back = back.into_iter().filter(|name| goes_to_caller(&HeaderName::from_static(name)));
        assert_eq!(back.collect::<Vec<_>>(), ["content-type", "content-disposition"]);
    }

    #[test]
    fn a_header_with_several_values_keeps_them() {
        assert_eq!(sent(&[("x-a", "1"), ("x-a", "2"), ("user-agent", "mine")]), ["x-a", "x-a", "user-agent"]);
    }
}
