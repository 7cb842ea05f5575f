//! Whose request it is, for limits on failures: the peer's address, or what our own reverse proxy says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, HeaderMap};

/// The address of the client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(of(&parts.headers, peer(&parts.extensions))))
    }
}

/// Who is at the other end of the connection, where the router has noted it.
pub(crate) fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    extensions.get().copied()
}

/// The peer's address. A reverse proxy on this machine or in its private network names the real one as the last entry of
/// `X-Forwarded-For`; from anybody else that header is hearsay.
pub(crate) fn of(headers: &HeaderMap, peer: Option<SocketAddr>) -> IpAddr {
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    if !is_near(peer) {
        return peer;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let last = forwarded.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
    last.and_then(|address| address.trim().parse::<IpAddr>().ok()).map_or(peer, |address| address.to_canonical())
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &str) -> String {
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        of(&headers, Some(peer)).to_string()
    }

    #[test]
    fn only_a_reverse_proxy_nearby_is_believed_and_only_its_own_entry() {
        assert_eq!(seen("127.0.0.1", "6.6.6.6, 203.0.113.9"), "203.0.113.9");
        assert_eq!(seen("203.0.113.1", "6.6.6.6"), "203.0.113.1");
        assert_eq!(seen("10.0.0.2", "nonsense"), "10.0.0.2");
    }
}
