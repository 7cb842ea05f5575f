//! The database goes away in the middle of deliveries and late replies: when it is back, everything goes on by itself.
//!
//! On PostgreSQL behind a relay that can be cut; the node that had things in hand stays alive all the time.

use serde_json::{Value, json};

use crate::harness::backend::{Backend, Does};
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::relay::Relay;
use crate::harness::server::{Flags, Running};
use crate::harness::wechat_pushes::{Pusher, TOKEN, callback_url, text};

const SEND: &str = "/cgi-bin/message/custom/send";

struct Stage {
    wechat: FakeWechat,
    backend: Backend,
    relay: Relay,
    server: Running,
    _database: Database,
}

async fn stage() -> Option<Stage> {
    let database = Database::postgres().await?;
    let (wechat, backend) = (FakeWechat::start().await, Backend::start().await);
    let relay = Relay::to(&database.address()).await;
    let flags = Flags::new(&database, &wechat.url).but("--database", &database.url_by(relay.address.port()));
    let server = Running::start(&flags).await;
    server.register_cold("test", &[("token", TOKEN)]).await;
    Some(Stage { wechat, backend, relay, server, _database: database })
}

impl Stage {
    fn url(&self, path: &str) -> String {
        callback_url("/app/test/msg", &[&self.backend.at(path)])
    }

    /// The database goes away, and the server has noticed.
    async fn cut(&self) {
        self.relay.cut();
        eventually("it misses the database", async || self.server.get("/readyz").await.status == 503).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_hand_when_the_database_went_away_goes_on() {
    tokio::join!(
        deliveries_that_were_in_hand_when_the_database_went_away_go_on_when_it_is_back(),
        a_late_reply_that_could_not_be_written_down_is_not_forgotten_and_not_sent_twice(),
    );
}

async fn deliveries_that_were_in_hand_when_the_database_went_away_go_on_when_it_is_back() {
    let Some(stage) = stage().await else { return };
    let pusher = Pusher::plain();
    let mut ids = Vec::new();
    for number in 0..5 {
        stage.backend.next("/a", Does::status(500));
        let answer = pusher.push(&text(&format!("{number}"))).to(&stage.server, &stage.url("/a")).await;
        assert_eq!(answer.text(), "success");
        ids.push(stage.backend.arrived("/a")[number].header("webhook-id").to_owned());
    }
    stage.backend.close_the_door("/a");
    stage.backend.has_received("/a", 6).await;
    // The node has claimed what was due, and one is under way.
    stage.cut().await;
    stage.backend.open_the_door("/a");
    stage.relay.mend();
    for id in &ids {
        let record = stage.server.record_in(id, "done").await;
        assert_eq!(record["backends"][0]["state"], "taken");
    }
    assert!(stage.backend.calls("/a") <= 11, "at most the one that could not be written down came twice");
}

async fn a_late_reply_that_could_not_be_written_down_is_not_forgotten_and_not_sent_twice() {
    let Some(stage) = stage().await else { return };
    stage.server.token("test").await;
    stage.backend.always("/a", Does::text("late"));
    stage.backend.close_the_door("/a");
    let push = Pusher::plain().push(&text("hi"));
    let answer = push.to(&stage.server, &(stage.url("/a") + "&patience=1")).await;
    assert_eq!(answer.text(), "success");
    let id = stage.backend.only("/a").header("webhook-id").to_owned();
    stage.wechat.close_the_door();
    stage.backend.open_the_door("/a");
    stage.wechat.has_received(SEND, 1).await;
    stage.cut().await;
    stage.wechat.open_the_door();
    stage.relay.mend();
    let mut late = Value::Null;
    eventually("it is written down", async || {
        let answer = stage.server.get(&format!("/admin/messages/{id}")).await;
        late = answer.json()["late_reply"].clone();
        late["state"] == json!("sent")
    })
    .await;
    assert_eq!(stage.wechat.calls(SEND), 1);
}

/// WeChat is not told `success` for what is not on disk; when the database is back, its next try is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_nothing_is_acknowledged() {
    let Some(stage) = stage().await else { return };
    let (pusher, message, url) = (Pusher::plain(), text("hi"), stage.url("/a"));
    assert_eq!(pusher.push(&text("first")).to(&stage.server, &url).await.text(), "success");
    stage.cut().await;
    let refused = pusher.push(&message).to(&stage.server, &url).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(stage.backend.calls("/a"), 1, "no backend sees what is not on disk");
    stage.relay.mend();
    eventually("it is ready again", async || stage.server.get("/readyz").await.status == 200).await;
    assert_eq!(pusher.push(&message).to(&stage.server, &url).await.text(), "success");
    assert_eq!(stage.backend.calls("/a"), 2);
}
