//! `wechat-proxy serve`: the proxy.

use std::net::SocketAddr;
use std::process::ExitCode;

use engine::guard::Mode;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

use super::{cannot_start, failed, say, stop_on_signal};
use crate::{Config, Server};

/// Runs the proxy until a signal.
pub(super) async fn run(config: &Config) -> ExitCode {
    // First the port: a second server must not touch the database of the first.
    let listener = match bind(config.listen).await {
        Ok(listener) => listener,
        Err(reason) => return failed(&reason),
    };
    let stop = match stop_on_signal() {
        Ok(stop) => stop,
        Err(error) => return failed(&format!("signals cannot be received: {error}")),
    };
    let server = match Server::build(config).await {
        Ok(server) => server,
        Err(error) => return cannot_start(&error),
    };
    announce(config, &server, listener.local_addr().unwrap_or(config.listen));
    match server.run(listener, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

/// Binds an address.
///
/// # Errors
/// A sentence that says what to do.
pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another port",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE",
            std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
            _ => "choose another address",
        };
        format!("cannot listen on {address}: {error}; {advice} (--listen)")
    })
}

fn announce(config: &Config, server: &Server, address: SocketAddr) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mode = match config.mode {
        Mode::Local => "local: open to this machine, closed to everyone else",
        Mode::Open => {
            "OPEN: whoever reaches this address may do everything, also read every token; no keys are asked for"
        }
        Mode::Public => "public: operators need the admin token, teams' servers their api_key",
    };
    if config.mode == Mode::Open {
        tracing::warn!(%address, mode, "listening");
    } else {
        tracing::info!(%address, mode, database = %config.database, "listening");
    }
    say(&format!("wechat-proxy listens on {scheme}://{address} ({mode})"));
    if let Some(token) = &server.new_admin_token {
        say("");
        say("The admin token, shown this once; keep it. It opens /register, /admin and /metrics:");
        say(&format!("    {}", token.expose_secret()));
        say("");
    }
}
