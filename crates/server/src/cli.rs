//! The command line: commands and flags, as text. What the values mean is the business of [`crate::config`].
//!
//! What must stay true: what may hold a secret as text (an admin token, an account's secret) has no `Debug`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

/// One fresh access_token for everyone: a server between WeChat and everything that a team builds on WeChat.
#[derive(Parser)]
#[command(
    name = "wechat-proxy",
    version,
    max_term_width = 110,
    after_help = "Every option is also an environment variable (--public-url: WECHAT_PROXY_PUBLIC_URL) and a key of the \
        --config file (public-url = \"…\"). Precedence: flag, environment, file, default."
)]
pub struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options, the same for all commands.
    #[command(flatten)]
    pub options: Options,
}

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the proxy (the default)
    Serve,
    /// Run a simulated WeChat platform and a proxy connected to it, on loopback, with a demo account
    Sandbox(SandboxOptions),
    /// Add, list, show and remove registrations, in the database itself
    #[command(subcommand)]
    App(AppCommand),
    /// List, show and replay WeChat's messages, in the database itself
    #[command(subcommand)]
    Message(MessageCommand),
    /// List and show orders, in the database itself
    #[command(subcommand)]
    Order(OrderCommand),
    /// Find out what is wrong: database, WeChat's hosts, clock, the accounts' secrets and IP allow lists
    Check,
}

/// Options of `sandbox`.
#[derive(Debug, Args)]
pub struct SandboxOptions {
    /// Run the platform alone, to test your own code or an SDK against it
    #[arg(long)]
    pub platform_only: bool,
    /// Where the platform listens (loopback)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    pub platform_listen: String,
}

/// What can be done with registrations.
#[derive(Subcommand)]
pub enum AppCommand {
    /// Create a registration, or merge parameters into it
    #[command(override_usage = "wechat-proxy app add --key KEY --appid APPID --secret SECRET [NAME=VALUE]...")]
    Add {
        /// The name of the registration
        #[arg(long)]
        key: Option<String>,
        /// The account's id (WeCom: corpid)
        #[arg(long)]
        appid: Option<String>,
        /// The account's secret (WeCom: corpsecret); - reads it from standard input
        #[arg(long)]
        secret: Option<String>,
        /// Any parameter of /register, like token=… aes=… call=/api check=false; the value - reads standard input
        #[arg(value_name = "NAME=VALUE")]
        parameters: Vec<String>,
    },
    /// List all registrations
    List,
    /// Show one registration, secrets as ********
    Show {
        /// Its name
        key: String,
    },
    /// Remove one registration
    Remove {
        /// Its name
        key: String,
    },
}

/// What can be done with messages.
#[derive(Debug, Subcommand)]
pub enum MessageCommand {
    /// List messages, the newest first
    List(MessageFilter),
    /// Show one message with its tries, answer and deliveries
    Show {
        /// Its id: msg_…
        id: String,
    },
    /// Send one message again to its backends; a running server does it within some seconds
    Replay {
        /// Its id: msg_…
        id: String,
        /// Only to this backend, counted from 0 in the order of the call parameters
        #[arg(long)]
        backend: Option<usize>,
    },
}

/// Which messages are listed.
#[derive(Debug, Default, Args)]
pub struct MessageFilter {
    /// Of this registration
    #[arg(long)]
    pub key: Option<String>,
    /// Of this account
    #[arg(long)]
    pub appid: Option<String>,
    /// With this MsgType
    #[arg(long = "type", value_name = "TYPE")]
    pub msg_type: Option<String>,
    /// With this Event
    #[arg(long)]
    pub event: Option<String>,
    /// From this user
    #[arg(long)]
    pub openid: Option<String>,
    /// In this state: forwarding, delivering, dead, done
    #[arg(long)]
    pub state: Option<String>,
    /// Received since then, Unix seconds
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Received before then, Unix seconds
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// After this one: the last id of the page before
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    /// So many at most [default: 50]
    #[arg(long)]
    pub limit: Option<String>,
}

/// What can be done with orders.
#[derive(Debug, Subcommand)]
pub enum OrderCommand {
    /// List orders, the newest first
    List(Box<OrderFilter>),
    /// Show one order with its history, refunds and deliveries
    Show {
        /// Its id (ord_…) or its out_trade_no
        id: String,
    },
}

/// Which orders are listed.
#[derive(Debug, Default, Args)]
pub struct OrderFilter {
    /// Of this registration
    #[arg(long)]
    pub key: Option<String>,
    /// Of this account
    #[arg(long)]
    pub appid: Option<String>,
    /// Of this merchant
    #[arg(long)]
    pub mch_id: Option<String>,
    /// With this number of yours
    #[arg(long)]
    pub out_trade_no: Option<String>,
    /// With this number of WeChat's
    #[arg(long)]
    pub transaction_id: Option<String>,
    /// In this state: placing, unpaid, paid, refunded, closed, refused
    #[arg(long)]
    pub state: Option<String>,
    /// Of this trade_type: JSAPI, NATIVE, APP, MWEB
    #[arg(long = "type", value_name = "TYPE")]
    pub trade_type: Option<String>,
    /// By this payer
    #[arg(long)]
    pub openid: Option<String>,
    /// Made since then, Unix seconds
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Made before then, Unix seconds
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// After this one: the last id of the page before
    #[arg(long, value_name = "ID")]
    pub after: Option<String>,
    /// So many at most [default: 50]
    #[arg(long)]
    pub limit: Option<String>,
}

/// The options of `serve`. All are texts here, so that flags, environment and file are judged by the same rules.
#[derive(Default, Args)]
pub struct Options {
    /// Read options from this TOML file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The https address the world uses; setting it makes the server public
    #[arg(long, global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// sqlite://FILE, or postgres://… or mysql://… for several nodes [default: sqlite://wechat-proxy.db]
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<String>,
    /// For /register, /admin and /metrics when public [default: made at the first public start, printed once]
    #[arg(long, global = true, value_name = "TOKEN")]
    pub admin_token: Option<String>,
    /// Key that seals secrets in the database [default: wechat-proxy.key beside the SQLite file, made when missing]
    #[arg(long, global = true, value_name = "FILE")]
    pub master_key: Option<String>,
    /// Certificate chain (PEM): serve HTTPS directly
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// Private key of the certificate (PEM)
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// WeChat's API host [default: https://api.weixin.qq.com]
    #[arg(long, global = true, value_name = "URL")]
    pub api_url: Option<String>,
    /// WeChat's pages for browsers [default: https://open.weixin.qq.com]
    #[arg(long, global = true, value_name = "URL")]
    pub open_url: Option<String>,
    /// WeChat Pay [default: https://api.mch.weixin.qq.com]
    #[arg(long, global = true, value_name = "URL")]
    pub pay_url: Option<String>,
    /// Asked when no connection to WeChat Pay comes about [default: https://api2.mch.weixin.qq.com, for the default of --pay-url]
    #[arg(long, global = true, value_name = "URL")]
    pub pay_backup_url: Option<String>,
    /// WeCom's API host [default: https://qyapi.weixin.qq.com]
    #[arg(long, global = true, value_name = "URL")]
    pub qyapi_url: Option<String>,
    /// Certificates (PEM) of authorities that may vouch for WeChat's hosts and for backends, besides the public ones
    #[arg(long, global = true, value_name = "FILE")]
    pub trust_cert: Option<String>,
    /// No api keys on a public or LAN address, for a network that is trusted as a whole
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub open: bool,
    /// How long messages and their records are kept, at least 1h: 7d, 36h, 90m [default: 7d]
    #[arg(long, global = true, value_name = "TIME")]
    pub retention: Option<String>,
    /// text or json [default: text on a terminal, else json]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log: Option<String>,
}
