//! One node under a turned clock: the parts of the engine up to late replies, and callbacks to try them with.
//!
//! For the tests of this part and of those below it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use store::{
    Answer, App, DatabaseUrl, Journal, Keyring, LateReply, Message, MessageId, NodeId, Secrets, Settings, Store,
    Timestamp,
};
use url::Url;

use super::peer::Peer;
use crate::clock::{Clock, ManualClock};
use crate::credentials::Credentials;
use crate::foundation::Foundation;
use crate::late_replies::LateReplies;
use crate::late_replies::pieces::Outcome;
use crate::messages::{Callback, Request, TRIES, from_json, to_json};
use crate::metrics::Metrics;
use crate::random::OsRandom;
use crate::upstream::{Hosts, Roots, Upstream};

pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// The parts of one node up to late replies, on a database of its own, with two registrations: `test` and `wecom`.
pub(crate) struct Node {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) foundation: Arc<Foundation>,
    pub(crate) late_replies: LateReplies,
}

impl Node {
    pub(crate) async fn start(wechat: &Peer) -> Self {
        Self::at("sqlite://:memory:", &wechat.at(""), Arc::new(ManualClock::at(NOW))).await
    }

    /// On this database, with WeChat at this address.
    pub(crate) async fn at(database: &str, wechat: &str, clock: Arc<ManualClock>) -> Self {
        let url = DatabaseUrl::parse(database).unwrap();
        let store = Store::open(&url, Keyring::generate([7; 32]), clock.now()).await.unwrap();
        for (key, appid) in [("test", "wx0123456789abcdef"), ("wecom", "ww0123456789abcdef")] {
            store.insert_app(&app(key, appid)).await.unwrap();
        }
        let metrics = Metrics::new();
        let at = Url::parse(wechat).unwrap();
        let hosts = Hosts { api: at.clone(), qyapi: at.clone(), open: at.clone(), pay: at, pay_backup: None };
        let upstream = Upstream::new(hosts, &Roots::with(&[]).unwrap(), Arc::clone(&metrics)).unwrap();
        let foundation = Foundation::new(store, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(OsRandom), metrics);
        let far = clock.now() + Duration::from_secs(400 * 24 * 3600);
        foundation.store.beat(foundation.node, far).await.unwrap();
        let credentials = Credentials::new(Arc::clone(&foundation), upstream);
        let late_replies = LateReplies::new(Arc::clone(&foundation), credentials);
        Self { clock, foundation, late_replies }
    }

    pub(crate) fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Writes a message down, and what it was answered.
    pub(crate) async fn keep(&self, callback: &Callback, answer: Option<Answer>) {
        let (journal, writer) = Journal::new(self.foundation.store.clone());
        let stop = tokio::sync::Notify::new();
        let writing = async {
            assert!(journal.message(Arc::clone(&callback.message)).await.unwrap());
            if let Some(answer) = answer {
                assert!(journal.answer(Arc::new(Mutex::new(answer))).await.unwrap().won);
            }
            stop.notify_one();
        };
        tokio::join!(writing, writer.run(stop.notified()));
    }

    /// The late reply to a message.
    pub(crate) async fn late(&self, callback: &Callback) -> Option<(LateReply, Outcome)> {
        let late = self.foundation.store.late_replies(&[callback.message.id]).await.unwrap().pop()?;
        let outcome = from_json(&late.outcome);
        Some((late, outcome))
    }
}

fn app(key: &str, appid: &str) -> App {
    App {
        key: key.into(),
        appid: appid.into(),
        settings: Settings::default(),
        secrets: Secrets::new("a-secret".into(), "an-api-key".into()),
        secret_checked_at: None,
        expires_at: None,
        created_at: NOW,
        updated_at: NOW,
        revision: 1,
    }
}

/// A callback to `test` that was received at `at` and goes to these backends.
pub(crate) fn callback(number: u32, at: Timestamp, calls: &[String], elements: &str) -> Callback {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser</FromUserName><CreateTime>1</CreateTime>{elements}</xml>"
    );
    let request = Request { calls: calls.iter().cloned().collect(), tries: TRIES, late: 300, ..Request::default() };
    let is_wecom = elements.contains("AgentID");
    Callback::of_row(Message {
        id: MessageId(id),
        app_key: if is_wecom { "wecom" } else { "test" }.into(),
        appid: "wx0123456789abcdef".into(),
        received_at: at,
        node: NodeId([9; 16]),
        msg_type: "text".into(),
        event: String::new(),
        openid: "oUser".into(),
        request: to_json(&request),
        body: body.into(),
    })
}
