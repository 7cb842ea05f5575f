//! `wechat-proxy sandbox`: the simulated WeChat platform, and a proxy connected to it with a demo account, on loopback.
//!
//! What must stay true: the sandbox's proxy keeps its things in a temporary folder and talks to the simulated platform,
//! whatever the environment or a config file of a real server says; only flags change that.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use engine::apps::Registration;
use sandbox::{Account, AccountKind, Callback, NewAccount, Platform};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{failed, misconfigured, say, serve, stop_on_signal};
use crate::cli::{Options, SandboxOptions};
use crate::{Config, Server};

/// The name of the demo registration.
const DEMO_KEY: &str = "test";

/// The registration through which the demo account's messages go. It is another one, so that what is tried out with the
/// first finds no callback settings in its way.
const CHAT_KEY: &str = "chat";

/// What protects the demo account's messages.
const CHAT_TOKEN: &str = "sandboxtoken";
const CHAT_AES: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// The demo account: always the same, so that documents can print lines that work.
const DEMO_APPID: &str = "wx0123456789abcdef";
const DEMO_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What is made before the configuration is read, because the configuration depends on it.
pub(super) struct Prepared {
    platform: TcpListener,
    /// Removed when the program ends.
    _folder: TempDir,
    platform_only: bool,
}

/// Binds the platform's address and points the options of the proxy at it and at a temporary folder.
///
/// # Errors
/// The exit code, after saying what to do.
pub(super) fn prepare(options: &mut Options, sandbox: &SandboxOptions) -> Result<Prepared, ExitCode> {
    let wanted = platform_address(&sandbox.platform_listen).map_err(|problem| misconfigured(&[problem]))?;
    let (platform, address, folder) = occupy(wanted).map_err(|reason| failed(&reason))?;
    let url = || Some(format!("http://{address}"));
    for host in [&mut options.api_url, &mut options.open_url, &mut options.pay_url, &mut options.qyapi_url] {
        *host = host.take().or_else(url);
    }
    if options.database.is_none() {
        options.database = Some(format!("sqlite://{}", folder.path().join("sandbox.db").display()));
        let key = folder.path().join("sandbox.key").display().to_string();
        options.master_key = options.master_key.take().or(Some(key));
    }
    options.listen.get_or_insert_with(|| "127.0.0.1:8080".to_owned());
    Ok(Prepared { platform, _folder: folder, platform_only: sandbox.platform_only })
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

fn occupy(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr, TempDir), String> {
    let platform = TcpListener::bind(wanted)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| format!("cannot listen on {wanted}: {error}; choose another port with --platform-listen"))?;
    let address = platform.local_addr().map_err(|error| error.to_string())?;
    let folder = tempfile::Builder::new().prefix("wechat-proxy-sandbox-").tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder could be made: {error}"))?;
    Ok((platform, address, folder))
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
    let listener = tokio::net::TcpListener::from_std(prepared.platform).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let platform = Platform::new();
    if prepared.platform_only {
        say(&format!("the simulated WeChat platform listens on http://{address} (API, page and /sandbox/… control)"));
        platform.serve(listener, stop.cancelled_owned()).await;
        return Ok(());
    }
    let tasks = TaskTracker::new();
    let account = demo_account(&platform)?;
    tasks.spawn(platform.clone().serve(listener, stop.clone().cancelled_owned()));
    let served = run_proxy(config, &platform, address, &account, stop.clone()).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    served
}

fn demo_account(platform: &Platform) -> Result<Account, String> {
    let wanted = NewAccount {
        name: Some("演示公众号".to_owned()),
        appid: Some(DEMO_APPID.to_owned()),
        secret: Some(DEMO_SECRET.to_owned()),
        ..NewAccount::of(AccountKind::Official)
    };
    platform.create_account(wanted).map_err(|error| error.to_string())
}

async fn run_proxy(
    config: &Config,
    platform: &Platform,
    platform_address: SocketAddr,
    account: &Account,
    stop: CancellationToken,
) -> Result<(), String> {
    let listener = serve::bind(config.listen).await?;
    let address = listener.local_addr().unwrap_or(config.listen);
    let server = Server::build(config).await.map_err(|error| error.to_string())?;
    register(&server, DEMO_KEY, account, &[]).await?;
    register(&server, CHAT_KEY, account, &[("token", CHAT_TOKEN), ("aes", CHAT_AES)]).await?;
    let callback = chat_callback(address, platform_address)?;
    platform.set_callback(&account.appid, callback).map_err(|error| error.to_string())?;
    platform.set_demo_menu(&account.appid, &demo_links(address)).map_err(|error| error.to_string())?;
    banner(address, platform_address, account);
    server.run(listener, stop).await.map_err(|error| error.to_string())
}

async fn register(server: &Server, key: &str, account: &Account, more: &[(&str, &str)]) -> Result<(), String> {
    let pairs = [("key", key), ("appid", &account.appid), ("secret", &account.secret)];
    let pairs = pairs.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let registration = Registration::parse(&pairs.collect::<Vec<_>>()).map_err(|problems| format!("{problems:?}"))?;
    server.engine.registrar.register(&registration).await.map(drop).map_err(|error| error.to_string())
}

/// What the demo account's users say goes through the proxy to a small backend that answers.
fn chat_callback(proxy: SocketAddr, platform: SocketAddr) -> Result<Callback, String> {
    let url = format!("http://{proxy}/app/{CHAT_KEY}/msg/json?call=http://{platform}/sandbox/backend");
    Callback::new(&url, CHAT_TOKEN, CHAT_AES).map_err(|error| error.to_string())
}

/// Pages that show login and JSSDK.
fn demo_links(proxy: SocketAddr) -> [(&'static str, String); 4] {
    let at = |path: &str| format!("http://{proxy}{path}");
    [
        ("登录", at(&format!("/app/{DEMO_KEY}/auth/info?call=/echo"))),
        ("静默登录", at(&format!("/app/{DEMO_KEY}/auth?call=/echo"))),
        ("JSSDK 例子", at("/example/jsapi.html")),
        ("支付页面", at("/example/jspay.html")),
    ]
}

fn banner(proxy: SocketAddr, platform: SocketAddr, account: &Account) {
    let Account { appid, secret, .. } = account;
    say(&format!(
        "
  wechat-proxy sandbox

  平台 / platform   http://{platform}   打开看看: 一部手机, 和它旁边的每一次推送, 应答, 调用 / a phone, and what happens
  代理 / proxy      http://{proxy}
  演示账号 / demo   {appid} (已登记为 / registered as: {DEMO_KEY})

  试一试 / try:

    curl 'http://{proxy}/app/{DEMO_KEY}/api'
    curl 'http://{proxy}/app/{DEMO_KEY}/api'          # 同一个令牌 / the same token
    curl 'http://{proxy}/app/{DEMO_KEY}/api/new'      # 换一个新的 / a new one
    curl 'http://{proxy}/app/{DEMO_KEY}/jsapi'
    curl 'http://{proxy}/register?key=测试&appid={appid}&secret={secret}'
    curl 'http://{proxy}/app/测试/api'
    curl 'http://{platform}/sandbox/accounts/{appid}/push' -d '{{\"text\":\"你好\",\"wait\":true}}'   # 用户发一条消息
    curl 'http://{proxy}/admin/messages'        # 它去了哪里, 谁回的 / where it went, who answered
    curl 'http://{platform}/sandbox/calls'      # 微信收到了什么 / what WeChat saw

  在手机上点菜单 “网页”: 登录, JSSDK / tap 网页 in the phone’s menu: login, JSSDK

  Ctrl-C 结束 / ends it
"
    ));
}
