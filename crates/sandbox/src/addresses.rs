//! Where the sandbox listens, plain and with TLS, and how a browser is led back to it.
//!
//! Told by the listener when it starts, asked where WeChat would name an address of its own.

use std::net::SocketAddr;

use crate::wire::Call;

/// The addresses of the listeners.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) plain: Option<SocketAddr>,
    pub(crate) tls: Option<SocketAddr>,
}

impl Addresses {
    /// How a browser reaches the sandbox, as `http://127.0.0.1:8081`: without TLS where it can, since no browser knows
    /// the sandbox's authority.
    pub(crate) fn page_origin(&self, call: &Call) -> String {
        match self.plain {
            Some(plain) if call.is_over_tls() => {
                let host = call.header("host").unwrap_or("localhost");
                let name = match host.rsplit_once(':') {
                    Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
                    _ => host,
                };
                format!("http://{name}:{}", plain.port())
            }
            _ => call.origin(),
        }
    }
}
