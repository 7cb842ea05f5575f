//! Callbacks on two equal nodes: WeChat's tries go where they like, and one of the two takes over when the other dies.
//!
//! On PostgreSQL and on MariaDB. WeChat's times are real here, so each test plays three stories at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::backend::{Arrived, Backend, Does};
use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::process::{Process, serve};
use crate::harness::server::Flags;
use crate::harness::wechat_pushes::{PATIENCE, Pusher, TOKEN, callback_url, element, text};

const SEND: &str = "/cgi-bin/message/custom/send";

/// After so long without a sign of life a node is replaced.
const LEASE: Duration = Duration::from_secs(15);

/// Two processes on one database, and what stands around them.
struct Pair {
    wechat: FakeWechat,
    backend: Backend,
    processes: [Process; 2],
    one: Caller,
    two: Caller,
    pusher: Pusher,
}

impl Pair {
    async fn start(database: &Database) -> Self {
        let (wechat, backend) = (FakeWechat::start().await, Backend::start().await);
        let flags = Flags::new(database, &wechat.url);
        let mut processes = [serve(&flags).start(), serve(&flags).start()];
        let [first, second] = &mut processes;
        let (one, two) = tokio::join!(first.caller(), second.caller());
        one.register_cold("test", &[("token", TOKEN)]).await;
        Self { wechat, backend, processes, one, two, pusher: Pusher::plain() }
    }

    fn url(&self, calls: &[&str]) -> String {
        let calls: Vec<String> = calls.iter().map(|path| self.backend.at(path)).collect();
        callback_url("/app/test/msg", &calls.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn id(&self, path: &str) -> String {
        self.backend.arrived(path)[0].header("webhook-id").to_owned()
    }

    /// The numbers of the attempts that a backend saw, in their order, by message.
    fn attempts(&self, path: &str) -> HashMap<String, Vec<String>> {
        let mut attempts: HashMap<String, Vec<String>> = HashMap::new();
        for request in self.backend.arrived(path) {
            let number = request.header("x-wechat-attempt").to_owned();
            attempts.entry(request.header("webhook-id").to_owned()).or_default().push(number);
        }
        attempts
    }

    /// A try that nobody answers in WeChat's time.
    async fn in_vain(&self, node: &Caller, message: &str, url: &str) {
        let begin = Instant::now();
        let answer = self.pusher.push(message).try_to(node, url).await;
        assert!(answer.is_none_or(|answer| answer.status != 200), "answered before the backend did");
        tokio::time::sleep(PATIENCE.saturating_sub(begin.elapsed())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wechats_tries_go_to_the_node_they_like() {
    tokio::join!(
        on_each(tries_on_both_nodes_are_one_message_with_one_answer),
        on_each(the_second_try_on_the_other_node_gets_the_answer_of_the_first),
        on_each(the_last_try_on_the_other_node_is_known_as_the_last_and_the_user_gets_the_reply_once),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_brings_what_is_owed_and_what_the_other_left() {
    tokio::join!(
        on_each(deliveries_are_brought_by_one_of_the_two_nodes),
        on_each(what_a_node_leaves_behind_the_other_has_soon),
        on_each(when_a_node_dies_in_the_middle_the_other_takes_over),
    );
}

/// The story on PostgreSQL and on MariaDB at once, each on a database of its own.
async fn on_each<F: Future<Output = ()>>(story: impl Fn(Database) -> F) {
    let databases = [Database::postgres().await, Database::mariadb().await];
    futures::future::join_all(databases.into_iter().flatten().map(story)).await;
}

async fn tries_on_both_nodes_are_one_message_with_one_answer(database: Database) {
    let pair = Pair::start(&database).await;
    pair.backend.always("/a", Does::Tell(|request| format!("nonce {}", request.parameter("nonce"))));
    let url = pair.url(&["/a"]);
    for number in 0..20 {
        let message = text(&format!("number {number}"));
        let pushes = [pair.pusher.push(&message), pair.pusher.push(&message), pair.pusher.push(&message)];
        let (here, there, again) =
            tokio::join!(pushes[0].to(&pair.one, &url), pushes[1].to(&pair.two, &url), pushes[2].to(&pair.two, &url));
        let answers = [here, there, again].map(|answer| (answer.status, answer.text()));
        assert!(answers[0].1.contains("nonce "), "{answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    assert_eq!(pair.backend.calls("/a"), 20, "each was forwarded once");
    assert_eq!(pair.wechat.all_calls(), 0);
}

async fn the_last_try_on_the_other_node_is_known_as_the_last_and_the_user_gets_the_reply_once(database: Database) {
    let pair = Pair::start(&database).await;
    pair.backend.always("/a", Does::text("late"));
    pair.backend.close_the_door("/a");
    let (message, url) = (text("hi"), pair.url(&["/a"]));
    pair.in_vain(&pair.one, &message, &url).await;
    pair.in_vain(&pair.one, &message, &url).await;
    let third = pair.pusher.push(&message).to(&pair.two, &url).await;
    assert_eq!(third.text(), "success", "an earlier try would be told to come again");
    pair.backend.open_the_door("/a");
    pair.wechat.has_received(SEND, 1).await;
    let record = pair.two.record_in(&pair.id("/a"), "done").await;
    assert_eq!(record["answer"]["body"], "success");
    eventually("it is written down", async || pair.one.record(&pair.id("/a")).await["late_reply"]["state"] == "sent")
        .await;
    assert_eq!((pair.backend.calls("/a"), pair.wechat.calls(SEND)), (1, 1));
}

async fn the_second_try_on_the_other_node_gets_the_answer_of_the_first(database: Database) {
    let pair = Pair::start(&database).await;
    pair.backend.always("/a", Does::text("hi"));
    pair.backend.close_the_door("/a");
    let (message, url) = (text("hi"), pair.url(&["/a"]));
    pair.in_vain(&pair.one, &message, &url).await;
    let push = pair.pusher.push(&message);
    let (second, ()) = tokio::join!(push.to(&pair.two, &url), async {
        // Time enough for the try to sit down and wait; if it comes after the reply, it gets the same.
        tokio::time::sleep(Duration::from_millis(500)).await;
        pair.backend.open_the_door("/a");
    });
    assert_eq!(element(&second.text(), "Content"), Some("hi"), "{}", second.text());
    let again = pair.pusher.push(&message).to(&pair.one, &url).await;
    assert_eq!(again.text(), second.text());
    // If the user were to get it as well, it would be after the time of WeChat's last try.
    pair.one.record_in(&pair.id("/a"), "done").await;
    assert_eq!((pair.backend.calls("/a"), pair.wechat.all_calls()), (1, 0));
}

async fn when_a_node_dies_in_the_middle_the_other_takes_over(database: Database) {
    let mut pair = Pair::start(&database).await;
    pair.backend.always("/slow", Does::text("late"));
    pair.backend.close_the_door("/slow");
    let url = pair.url(&["/quick", "/slow"]);
    let messages: Vec<String> = (0..5).map(|number| text(&format!("number {number}"))).collect();
    let pushes: Vec<_> = messages.iter().map(|message| pair.pusher.push(message)).collect();
    let tries = pushes.iter().map(|push| push.try_to(&pair.one, &url));
    tokio::select! {
        answers = futures::future::join_all(tries) => panic!("answered: {answers:?}"),
        () = pair.backend.has_received("/slow", 5) => {}
    }
    pair.processes[0].kill().await;
    let killed = Instant::now();
    pair.backend.open_the_door("/slow");
    pair.backend.has_received("/slow", 10).await;
    // Its last sign of life may have been some seconds old when it was killed, and more where all is slow.
    assert!(killed.elapsed() > LEASE / 3, "not while it may be alive: {:?}", killed.elapsed());
    let attempts = pair.attempts("/slow");
    assert!(attempts.len() == 5 && attempts.values().all(|seen| seen == &["1", "2"]), "{attempts:?}");
    for id in attempts.keys() {
        pair.two.record_in(id, "done").await;
    }
    assert_eq!(pair.two.messages(&[("state", "done")]).await.len(), 5);
}

/// Forty deliveries that are due together, and two nodes that want to bring them.
async fn deliveries_are_brought_by_one_of_the_two_nodes(database: Database) {
    let pair = Pair::start(&database).await;
    let paths: Vec<String> = (0..8).map(|number| format!("/{number}")).collect();
    let calls: Vec<&str> = paths.iter().map(String::as_str).collect();
    for path in &paths {
        let fails_at_first = |request: &Arrived| match request.header("x-wechat-attempt") {
            "1" => Does::status(500),
            _ => Does::text("success"),
        };
        pair.backend.always(path, Does::Decide(fails_at_first));
    }
    for (number, node) in [&pair.one, &pair.two, &pair.one, &pair.two, &pair.one].into_iter().enumerate() {
        let message = text(&format!("number {number}"));
        assert_eq!(pair.pusher.push(&message).to(node, &pair.url(&calls)).await.text(), "success");
    }
    eventually("all are delivered", async || pair.one.messages(&[("state", "done")]).await.len() == 5).await;
    for path in &paths {
        let attempts = pair.attempts(path);
        assert!(attempts.len() == 5 && attempts.values().all(|seen| seen == &["1", "2"]), "{path}: {attempts:?}");
    }
}

/// A node that is told to stop gives away at once what it has in hand.
async fn what_a_node_leaves_behind_the_other_has_soon(database: Database) {
    let Pair { wechat, backend, processes: [first, _second], one, two, pusher } = Pair::start(&database).await;
    backend.always("/a", Does::text("late"));
    backend.close_the_door("/a");
    let url = callback_url("/app/test/msg", &[&backend.at("/a")]) + "&patience=1";
    assert_eq!(pusher.push(&text("hi")).to(&one, &url).await.text(), "success");
    first.signal("TERM");
    assert_eq!(first.ended().await.code, Some(0));
    let ended = Instant::now();
    backend.open_the_door("/a");
    wechat.has_received(SEND, 1).await;
    assert!(ended.elapsed() < LEASE, "without waiting for the end of the lease: {:?}", ended.elapsed());
    let id = backend.arrived("/a")[0].header("webhook-id").to_owned();
    let mut record = Value::Null;
    eventually("it is written down", async || {
        record = two.record(&id).await;
        record["late_reply"]["state"] == "sent"
    })
    .await;
    assert_eq!((backend.calls("/a"), wechat.calls(SEND)), (2, 1), "{record}");
}
