//! An account with all that it needs to write to a user who is there: token, callback, receiver.

use sandbox::Account;
use sandbox::AccountKind::{self, Wecom};
use serde_json::{Value, json};

use crate::client::{Sandbox, errcode, token};
use crate::receiver::{Receiver, success};

/// An account with a token, a receiver and the phone's user.
pub(crate) struct Shop {
    pub(crate) sandbox: Sandbox,
    pub(crate) receiver: Receiver,
    pub(crate) account: Account,
    pub(crate) token: String,
    pub(crate) openid: String,
}

impl Shop {
    pub(crate) async fn open(kind: AccountKind) -> Shop {
        let sandbox = Sandbox::start().await;
        let receiver = Receiver::start(success()).await;
        let account = sandbox.account(kind);
        let Account { appid, secret, .. } = &account;
        let wish = json!({
            "url": receiver.url(), "token": "token", "check": false, "aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        });
        sandbox.control("PUT", &format!("/sandbox/accounts/{appid}/callback"), &wish).await.ok();
        let fetched = if kind == Wecom {
            sandbox.get(&format!("/cgi-bin/gettoken?corpid={appid}&corpsecret={secret}")).await
        } else {
            sandbox.stable(&account, false).await
        };
        let shown = sandbox.get(&format!("/sandbox/accounts/{appid}")).await;
        let openid = shown["phone"].as_str().expect("a user").to_owned();
        Shop { token: token(&fetched), sandbox, receiver, account, openid }
    }

    pub(crate) async fn call(&self, path: &str, body: &Value) -> Value {
        self.sandbox.post(&format!("{path}?access_token={}", self.token), body).await
    }

    /// Sends a customer-service message and gives its errcode.
    pub(crate) async fn send(&self, kind: &str, part: Value) -> i64 {
        let body = json!({ "touser": self.openid, "msgtype": kind, kind: part });
        errcode(&self.call("/cgi-bin/message/custom/send", &body).await)
    }

    pub(crate) async fn say(&self) -> i64 {
        self.send("text", json!({ "content": "hi" })).await
    }

    pub(crate) async fn push(&self, wish: &Value) {
        let mut wish = wish.clone();
        wish["wait"] = json!(true);
        let path = format!("/sandbox/accounts/{}/push", self.account.appid);
        assert_eq!(self.sandbox.control("POST", &path, &wish).await.status, 201);
    }

    pub(crate) async fn patch(&self, patch: &Value) {
        self.sandbox.control("PATCH", &format!("/sandbox/accounts/{}", self.account.appid), patch).await.ok();
    }

    pub(crate) async fn chat(&self) -> Vec<Value> {
        let chat = self.sandbox.get(&format!("/sandbox/accounts/{}/chat", self.account.appid)).await;
        chat["entries"].as_array().expect("entries").clone()
    }

    /// A call of the control API below the account's address; its status has to be a success.
    pub(crate) async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let target = format!("/sandbox/accounts/{}/{path}", self.account.appid);
        let answer = self.sandbox.control(method, &target, body).await;
        assert!(answer.status < 300, "{target}: {}", answer.body);
        answer.json()
    }

    /// An API call with GET; `more` are its further parameters, each with an ampersand before it.
    pub(crate) async fn get(&self, path: &str, more: &str) -> Value {
        self.sandbox.get(&format!("{path}?access_token={}{more}", self.token)).await
    }
}
