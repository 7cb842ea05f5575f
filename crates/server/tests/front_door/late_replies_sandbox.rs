//! Late replies through a WeChat that keeps its own rules: pushes, tries, tokens, windows, the user's chat.
//!
//! Stories that the tests in `late_replies` play together with others of the same length.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::backend::{Backend, Does};
use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::playground::{Playground, of};
use crate::harness::server::{Flags, Running};
use crate::harness::wechat_pushes::{AES, TOKEN, callback_url};

/// An account of the sandbox whose messages go through the proxy to a backend.
struct Stage {
    platform: Playground,
    control: Caller,
    server: Running,
    backend: Backend,
    account: String,
    _database: Database,
}

impl Stage {
    async fn set(parameters: &str) -> Self {
        let (platform, backend, database) = (Playground::start().await, Backend::start().await, Database::sqlite());
        let server = Running::start(&Flags::new(&database, &platform.url)).await;
        let account = platform.official();
        server.register(&[&of(&account, "test")[..], &[("token", TOKEN), ("aes", AES)]].concat()).await;
        let control = Caller::of(&platform.url);
        let url = server.url.clone() + &callback_url("/app/test/msg", &[&backend.at("/a")]) + parameters;
        let callback = json!({"url": url, "token": TOKEN, "aes_key": AES}).to_string().into_bytes();
        let target = format!("/sandbox/accounts/{}/callback", account.appid);
        let set = control.send(http::Method::PUT, &target, Some("application/json"), callback).await;
        assert!(set.status < 300, "{}", set.text());
        Self { platform, control, server, backend, account: account.appid, _database: database }
    }

    /// A message of the user, and how pushing it ended.
    async fn push(&self, body: &Value) -> Value {
        self.platform.control(&format!("/sandbox/accounts/{}/push", self.account), body).await
    }

    /// The texts in the user's chat that did not come from him.
    async fn said(&self) -> Vec<(String, String)> {
        let chat = self.control.get(&format!("/sandbox/accounts/{}/chat?openid=oUser", self.account)).await.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = chat["entries"].as_array().unwrap().iter().filter(|entry| entry["from"] != "user");
        entries.map(|entry| (text(&entry["from"]), text(&entry["content"]["text"]))).collect()
    }
}

pub(crate) async fn a_user_gets_the_reply_of_a_slow_backend_as_a_message() {
    let stage = Stage::set("").await;
    stage.backend.always("/a", Does::text("late").after(Duration::from_secs(16)));
    let pushed = stage.push(&json!({"text": "hi", "openid": "oUser", "wait": true})).await;
    assert_eq!(
        (&pushed["outcome"], pushed["tries"].as_array().unwrap().len()),
        (&json!("acknowledged"), 3),
        "{pushed}"
    );
    eventually("the user has it", async || !stage.said().await.is_empty()).await;
    assert_eq!(stage.said().await, [("account".to_owned(), "late".to_owned())]);
    assert_eq!(stage.backend.calls("/a"), 1);
}

/// The user's window is used up: what is late does not reach him, and the records say why.
pub(crate) async fn what_wechats_own_rules_refuse_stands_in_the_records() {
    let stage = Stage::set("&patience=1").await;
    stage.backend.close_the_door("/a");
    let lines = "x".repeat(2000) + "\n";
    stage.backend.always("/a", Does::text(&lines.repeat(7)));
    let pushed = stage.push(&json!({"text": "hi", "openid": "oUser", "wait": true})).await;
    assert_eq!(pushed["outcome"], "acknowledged", "{pushed}");
    stage.backend.open_the_door("/a");
    let id = stage.backend.only("/a").header("webhook-id").to_owned();
    let mut late = Value::Null;
    eventually("it is over", async || {
        late = stage.server.record(&id).await["late_reply"].clone();
        late["state"] == "failed"
    })
    .await;
    assert_eq!(late["errcode"], 45047, "five messages after one of the user: {late}");
    assert!(late["advice"].as_str().unwrap().contains("used up"), "{late}");
    assert_eq!(stage.said().await.len(), 5);
}
