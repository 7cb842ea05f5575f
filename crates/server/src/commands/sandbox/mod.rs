//! `wechat-proxy sandbox`: the simulated WeChat platform, and a proxy connected to it with a demo account and merchant,
//! on loopback.
//!
//! What must stay true: the sandbox's proxy keeps its things in a temporary folder and talks to the simulated platform,
//! whatever the environment or a config file of a real server says; only flags change that.

mod banner;
mod demo;

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sandbox::{MerchantFiles, Platform};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::banner::Addresses;
use self::demo::Demo;
use super::{failed, misconfigured, say, serve, stop_on_signal};
use crate::cli::{Options, SandboxOptions};
use crate::{Config, Server};

/// How far the port with TLS is from the one without: 8443 beside 8081.
const TLS_DISTANCE: u16 = 362;

/// What is made before the configuration is read, because the configuration depends on it.
pub(super) struct Prepared {
    platform: TcpListener,
    /// The same with TLS.
    tls: TcpListener,
    /// Removed when the program ends.
    _folder: TempDir,
    platform_only: bool,
}

/// Binds the platform's addresses and points the options of the proxy at them and at a temporary folder.
///
/// # Errors
/// The exit code, after saying what to do.
pub(super) fn prepare(options: &mut Options, sandbox: &SandboxOptions) -> Result<Prepared, ExitCode> {
    let wanted = platform_address(&sandbox.platform_listen).map_err(|problem| misconfigured(&[problem]))?;
    let (platform, address) = occupy(wanted).map_err(|reason| failed(&reason))?;
    let (tls, tls_address) = occupy_beside(address).map_err(|reason| failed(&reason))?;
    let folder = tempfile::Builder::new().prefix("wechat-proxy-sandbox-").tempdir();
    let folder = folder.map_err(|error| failed(&format!("no temporary folder could be made: {error}")))?;
    for host in [&mut options.api_url, &mut options.open_url, &mut options.qyapi_url] {
        *host = host.take().or_else(|| Some(format!("http://{address}")));
    }
    // Refunds over API v2 show a client certificate.
    options.pay_url = options.pay_url.take().or_else(|| Some(format!("https://{tls_address}")));
    if options.database.is_none() {
        options.database = Some(format!("sqlite://{}", folder.path().join("sandbox.db").display()));
        let key = folder.path().join("sandbox.key").display().to_string();
        options.master_key = options.master_key.take().or(Some(key));
    }
    options.listen.get_or_insert_with(|| "127.0.0.1:8080".to_owned());
    Ok(Prepared { platform, tls, _folder: folder, platform_only: sandbox.platform_only })
}

fn platform_address(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => {
            Err("--platform-listen: must be a loopback address, the simulated platform knows no secrets".to_owned())
        }
        Err(_) => Err("--platform-listen: is an address and a port, like 127.0.0.1:8081".to_owned()),
    }
}

fn occupy(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind(wanted)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| format!("cannot listen on {wanted}: {error}; choose another port with --platform-listen"))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((listener, address))
}

/// The address with TLS: always the same beside the same platform, or any other when that one is taken.
fn occupy_beside(platform: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let at = |port: u16| occupy(SocketAddr::new(platform.ip(), port));
    let wanted = platform.port().checked_add(TLS_DISTANCE).unwrap_or(0);
    at(wanted).or_else(|_| at(0))
}

/// Runs the platform and, unless it is to stand alone, the proxy, until a signal.
pub(super) async fn run(config: &Config, prepared: Prepared) -> ExitCode {
    match run_both(config, prepared).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason),
    }
}

async fn run_both(config: &Config, prepared: Prepared) -> Result<(), String> {
    let stop = stop_on_signal().map_err(|error| format!("signals cannot be received: {error}"))?;
    let (plain, platform_address) = asynchronous(prepared.platform)?;
    let (tls, tls_address) = asynchronous(prepared.tls)?;
    let platform = Platform::new();
    if prepared.platform_only {
        say(&banner::of_platform(platform_address, tls_address));
        platform.serve_with_tls(plain, tls, stop.cancelled_owned()).await;
        return Ok(());
    }
    let demo = Demo::make(&platform)?;
    let tasks = TaskTracker::new();
    // While the database is being made.
    let files = tasks.spawn_blocking(demo.files(&platform));
    tasks.spawn(platform.clone().serve_with_tls(plain, tls, stop.clone().cancelled_owned()));
    let stage = Stage { platform, demo, files, platform_address, tls_address };
    let served = run_proxy(config, stage, stop.clone()).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    served
}

fn asynchronous(listener: TcpListener) -> Result<(tokio::net::TcpListener, SocketAddr), String> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((listener, address))
}

/// The platform as it stands when the proxy comes.
struct Stage {
    platform: Platform,
    demo: Demo,
    /// The demo merchant's, which are being made.
    files: JoinHandle<Option<MerchantFiles>>,
    platform_address: SocketAddr,
    tls_address: SocketAddr,
}

async fn run_proxy(config: &Config, stage: Stage, stop: CancellationToken) -> Result<(), String> {
    let Stage { platform, demo, files, platform_address, tls_address } = stage;
    let listener = serve::bind(config.listen).await?;
    let proxy = listener.local_addr().unwrap_or(config.listen);
    let server = Server::build(&trusting(config, &platform)?).await.map_err(|error| error.to_string())?;
    let files = files.await.ok().flatten().ok_or("no keys could be made for the demo merchant")?;
    demo.register(&server, &files).await?;
    demo.connect(&platform, proxy, platform_address)?;
    say(&banner::of_demo(&Addresses { proxy, platform: platform_address, tls: tls_address }, &demo));
    server.run(listener, stop).await.map_err(|error| error.to_string())
}

/// The configuration, with trust in the platform's own authority.
fn trusting(config: &Config, platform: &Platform) -> Result<Config, String> {
    let authority = CertificateDer::from_pem_slice(platform.ca_pem().as_bytes());
    let authority = authority.map_err(|error| format!("the sandbox has no certificate: {error}"))?;
    let mut config = config.clone();
    config.trusted.push(authority);
    Ok(config)
}
