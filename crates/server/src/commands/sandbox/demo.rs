//! What the sandbox comes with: an account and a merchant with values that never change, so that documents can print
//! lines that work, and their registrations at the proxy.
//!
//! Only keys of RSA and what hangs on them are made anew each time: a private key in a public program is no key.

use std::net::SocketAddr;

use engine::apps::Registration;
use sandbox::{Account, AccountKind, Callback, Merchant, MerchantFiles, NewAccount, NewMerchant, Platform};

use crate::Server;

/// The name of the demo registration. Its merchant speaks API v3.
pub(super) const KEY: &str = "test";

/// The registration of the same account and merchant that speaks API v2.
pub(super) const V2_KEY: &str = "v2";

/// The registration through which the demo account's messages go. It is another one, so that what is tried out with the
/// first finds no callback settings in its way.
const CHAT_KEY: &str = "chat";

/// What protects the demo account's messages.
const CHAT_TOKEN: &str = "sandboxtoken";
const CHAT_AES: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

const APPID: &str = "wx0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

const MCH_ID: &str = "1900000109";
const MCH_KEY: &str = "v20123456789abcdef0123456789abcd";
const APIV3_KEY: &str = "v30123456789abcdef0123456789abcd";

/// The demo account and the demo merchant.
pub(super) struct Demo {
    pub(super) account: Account,
    pub(super) merchant: Merchant,
}

impl Demo {
    /// Makes both on the platform.
    pub(super) fn make(platform: &Platform) -> Result<Self, String> {
        let account = NewAccount {
            name: Some("演示公众号".to_owned()),
            appid: Some(APPID.to_owned()),
            secret: Some(SECRET.to_owned()),
            ..NewAccount::of(AccountKind::Official)
        };
        let merchant = NewMerchant {
            mch_id: Some(MCH_ID.to_owned()),
            name: Some("演示商户".to_owned()),
            appids: vec![APPID.to_owned()],
            v2_key: Some(MCH_KEY.to_owned()),
            v3_key: Some(APIV3_KEY.to_owned()),
            ..NewMerchant::default()
        };
        Ok(Self {
            account: platform.create_account(account).map_err(|error| error.to_string())?,
            merchant: platform.create_merchant(merchant).map_err(|error| error.to_string())?,
        })
    }

    /// The merchant's certificate and keys. Making them takes a moment of a processor's time: not for a thread that
    /// others wait for.
    pub(super) fn files(&self, platform: &Platform) -> impl FnOnce() -> Option<MerchantFiles> + Send + use<> {
        let (platform, mch_id) = (platform.clone(), self.merchant.mch_id.clone());
        move || platform.merchant_files(&mch_id)
    }

    /// Registers both at the proxy.
    pub(super) async fn register(&self, server: &Server, files: &MerchantFiles) -> Result<(), String> {
        let Merchant { mch_id, v2_key, v3_key, serial, .. } = &self.merchant;
        let mch_cert = format!("{}{}", files.certificate, files.private_key);
        let v2 = [("mch_id", mch_id.as_str()), ("mch_key", v2_key), ("mch_cert", &mch_cert)];
        let v3 = [("mch_serial", serial.as_str()), ("mch_private_key", &files.private_key), ("apiv3_key", v3_key)];
        self.register_as(server, KEY, &[v2, v3].concat()).await?;
        self.register_as(server, V2_KEY, &[&v2[..], &[("pay", "v2")]].concat()).await?;
        self.register_as(server, CHAT_KEY, &[("token", CHAT_TOKEN), ("aes", CHAT_AES)]).await
    }

    async fn register_as(&self, server: &Server, key: &str, more: &[(&str, &str)]) -> Result<(), String> {
        let account = [("key", key), ("appid", &self.account.appid), ("secret", &self.account.secret)];
        let pairs = account.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let parsed = Registration::parse(&pairs.collect::<Vec<_>>());
        let registration = parsed.map_err(|problems| format!("{problems:?}"))?;
        server.engine.registrar.register(&registration).await.map(drop).map_err(|error| error.to_string())
    }

    /// What the account's users say goes through the proxy to a small backend that answers, and its menu shows what
    /// there is.
    pub(super) fn connect(&self, platform: &Platform, proxy: SocketAddr, at: SocketAddr) -> Result<(), String> {
        let url = format!("http://{proxy}/app/{CHAT_KEY}/msg/json?call={}", backend(at));
        let callback = Callback::new(&url, CHAT_TOKEN, CHAT_AES).map_err(|error| error.to_string())?;
        platform.set_callback(&self.account.appid, callback).map_err(|error| error.to_string())?;
        platform.set_demo_menu(&self.account.appid, &links(proxy)).map_err(|error| error.to_string())
    }
}

/// The backend that answers everything, and remembers it.
pub(super) fn backend(platform: SocketAddr) -> String {
    format!("http://{platform}/sandbox/backend")
}

/// Pages that show login, JSSDK and payment.
fn links(proxy: SocketAddr) -> [(&'static str, String); 4] {
    let at = |path: &str| format!("http://{proxy}{path}");
    [
        ("登录", at(&format!("/app/{KEY}/auth/info?call=/echo"))),
        ("静默登录", at(&format!("/app/{KEY}/auth?call=/echo"))),
        ("JSSDK 例子", at("/example/jsapi.html")),
        ("支付页面", at("/example/jspay.html")),
    ]
}
