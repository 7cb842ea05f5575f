//! The sandbox as the faithful peer: a platform that keeps WeChat's rules, with its control API.

use sandbox::{Account, AccountKind, NewAccount, Platform};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::caller::Caller;

/// A running platform. It stops when it is dropped.
pub(crate) struct Playground {
    pub(crate) url: String,
    platform: Platform,
    control: Caller,
    _stop: DropGuard,
}

impl Playground {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (platform, stop) = (Platform::new(), CancellationToken::new());
        TaskTracker::new().spawn(platform.clone().serve(listener, stop.clone().cancelled_owned()));
        Self { control: Caller::of(&url), url, platform, _stop: stop.drop_guard() }
    }

    pub(crate) fn official(&self) -> Account {
        self.platform.create_account(NewAccount::of(AccountKind::Official)).unwrap()
    }

    /// A corp of WeCom, and the secrets of two of its apps.
    pub(crate) async fn corp(&self) -> (String, [String; 2]) {
        self.corp_named(None).await
    }

    pub(crate) async fn corp_named(&self, corpid: Option<&str>) -> (String, [String; 2]) {
        let wanted = NewAccount { appid: corpid.map(str::to_owned), ..NewAccount::of(AccountKind::Wecom) };
        let corp = self.platform.create_account(wanted).unwrap();
        let second = self.control(&format!("/sandbox/accounts/{}/agents", corp.appid), &json!({})).await;
        (corp.appid, [corp.secret, second["secret"].as_str().unwrap().to_owned()])
    }

    /// Something of the control API that is posted.
    pub(crate) async fn control(&self, path: &str, body: &Value) -> Value {
        let answer = self.control.post_json(path, body).await;
        assert!(answer.status < 300, "{}", answer.text());
        answer.json()
    }

    /// Changes an account.
    pub(crate) async fn change(&self, appid: &str, body: &Value) {
        let (path, body) = (format!("/sandbox/accounts/{appid}"), body.to_string().into_bytes());
        let answer = self.control.send(reqwest::Method::PATCH, &path, Some("application/json"), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// How many calls of this path were received.
    pub(crate) async fn calls(&self, path: &str) -> u64 {
        let answer = self.control.get(&format!("/sandbox/calls/count?path={path}")).await;
        answer.json()["count"].as_u64().unwrap()
    }

    /// How often the stable token of an account was forced today.
    pub(crate) async fn forced_refreshes(&self, appid: &str) -> u64 {
        let account = self.control.get(&format!("/sandbox/accounts/{appid}")).await.json();
        account["forced_refreshes_today"].as_u64().unwrap_or_else(|| panic!("{account}"))
    }

    /// What an API says to a token: 0 when it is good.
    pub(crate) async fn judges(&self, token: &str) -> i64 {
        self.control.get(&format!("/cgi-bin/getcallbackip?access_token={token}")).await.errcode()
    }
}

/// The three parameters that every registration needs.
pub(crate) fn of<'a>(account: &'a Account, key: &'a str) -> [(&'static str, &'a str); 3] {
    [("key", key), ("appid", &account.appid), ("secret", &account.secret)]
}
