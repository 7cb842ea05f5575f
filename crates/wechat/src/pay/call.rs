//! A request to WeChat Pay, ready to be sent.
//!
//! Made by [`Merchant`](super::Merchant), sent by the engine. The host is not part of any signature: the same call may
//! go to WeChat's main host and, when that cannot be reached, to its backup host. What must stay true: body and target
//! are sent as they are, byte for byte; `Debug` shows neither the body nor the headers.

use std::fmt;

use bytes::Bytes;

/// What WeChat Pay is told about the program that calls.
pub const USER_AGENT: &str = concat!("wechat-proxy/", env!("CARGO_PKG_VERSION"));

/// Time and chance of one call.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Unix seconds.
    pub at: i64,
    /// 32 random characters of `0-9 A-Z a-z`.
    pub nonce: String,
}

/// What is asked of WeChat Pay.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operation {
    /// Create an order.
    Order,
    /// Ask how a payment stands.
    Query,
    /// Close an order that is not paid.
    Close,
    /// Send money back.
    Refund,
    /// Ask how a refund stands.
    QueryRefund,
}

/// The method of a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
}

impl Method {
    /// As it stands in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// One HTTP request to WeChat Pay, ready to be sent to any of its hosts.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Path and query, as signed; safe to log.
    pub target: String,
    /// Header fields, to be sent beside those of HTTP itself.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for `GET`.
    pub body: Bytes,
    /// Whether the connection has to show the merchant's client certificate (v2's `/secapi`).
    pub client_certificate: bool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("client_certificate", &self.client_certificate)
            .finish_non_exhaustive()
    }
}

/// A parameter that this version of the API has no place for, or that is malformed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{name}: {what}")]
pub struct Inexpressible {
    /// The parameter, as the team named it.
    pub name: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Inexpressible {
    pub(super) fn new(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self { name: name.into(), what: what.into() }
    }
}
