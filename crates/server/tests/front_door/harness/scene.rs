//! The scene of most tests of callbacks: a server, a backend that remembers, and one registration, `test`.
//!
//! Paths of the backend are backends of their own, so tests that share a scene do not meet.

use serde_json::Value;

use super::backend::{Backend, Does};
use super::caller::{Answer, Caller, encoded};
use super::databases::Database;
use super::eventually;
use super::fake_wechat::FakeWechat;
use super::server::{Flags, Running};
use super::wechat_pushes::{AES, Pusher, TOKEN, callback_url};

/// A server and what stands around it.
pub(crate) struct Scene {
    pub(crate) server: Running,
    pub(crate) backend: Backend,
    pub(crate) wechat: FakeWechat,
    pub(crate) database: Database,
    /// The api_key of `test`.
    pub(crate) api_key: String,
    /// What signs the pushes to `test`.
    pub(crate) pusher: Pusher,
}

impl Scene {
    /// `test` is in plain mode: it has a token.
    pub(crate) async fn plain() -> Self {
        Self::registered(&[("token", TOKEN)], Pusher::plain()).await
    }

    /// `test` is in safe mode: it has a token and an EncodingAESKey.
    pub(crate) async fn safe() -> Self {
        Self::registered(&[("token", TOKEN), ("aes", AES)], Pusher::safe()).await
    }

    /// `test` has neither.
    pub(crate) async fn unverified() -> Self {
        Self::registered(&[], Pusher::plain()).await
    }

    pub(crate) async fn registered(extra: &[(&str, &str)], pusher: Pusher) -> Self {
        let (wechat, backend, database) = (FakeWechat::start().await, Backend::start().await, Database::sqlite());
        let server = Running::start(&Flags::new(&database, &wechat.url)).await;
        let api_key = server.register_cold("test", extra).await;
        Self { server, backend, wechat, database, api_key, pusher }
    }

    /// The callback URL that names these backends: paths here, or whole URLs.
    pub(crate) fn url(&self, calls: &[&str]) -> String {
        self.url_at("/app/test/msg", calls)
    }

    /// The same for messages as JSON.
    pub(crate) fn json_url(&self, calls: &[&str]) -> String {
        self.url_at("/app/test/msg/json", calls)
    }

    fn url_at(&self, path: &str, calls: &[&str]) -> String {
        let whole = |call: &&str| if call.starts_with('/') { self.backend.at(call) } else { (*call).to_owned() };
        let calls: Vec<String> = calls.iter().map(whole).collect();
        callback_url(path, &calls.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A message brought to these backends, and what WeChat is answered.
    pub(crate) async fn bring(&self, message: &str, calls: &[&str]) -> Answer {
        self.pusher.push(message).to(&self.server, &self.url(calls)).await
    }

    /// A message brought to one backend that says this, and what WeChat is answered.
    pub(crate) async fn reply_to(&self, message: &str, path: &str, does: Does) -> Answer {
        self.backend.always(path, does);
        self.bring(message, &[path]).await
    }
}

/// What operators look at, whoever the caller is.
impl Caller {
    /// The messages of a page, the newest first.
    pub(crate) async fn messages(&self, filter: &[(&str, &str)]) -> Vec<Value> {
        let answer = self.get(&format!("/admin/messages?{}", encoded(filter))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["messages"].as_array().unwrap().clone()
    }

    pub(crate) async fn record(&self, id: &str) -> Value {
        let answer = self.get(&format!("/admin/messages/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The record of a message, as soon as it is in this state.
    pub(crate) async fn record_in(&self, id: &str, state: &str) -> Value {
        let mut record = Value::Null;
        eventually(&format!("{id} is {state}"), async || {
            record = self.record(id).await;
            record["state"] == *state
        })
        .await;
        record
    }
}
