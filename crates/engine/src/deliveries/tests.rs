//! Deliveries under a turned clock: backends over real HTTP that are down, refuse, hang, and come back.
//!
//! The loop is not run: each test turns the clock to the next moment and takes the step that the loop would take.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use store::{Answer, BackendId, Delivery, DeliveryState, LateReplyState, NodeId, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Deliveries, schedule};
use crate::backends::{Backends, NotTaken};
use crate::clock::Clock;
use crate::late_replies::tests::node::{NOW, Node, callback};
use crate::late_replies::tests::peer::{Arrived, Peer, Told};
use crate::messages::{Attempt, Callback, from_json};
use crate::random::OsRandom;
use crate::upstream::Roots;

/// How long the tries are apart, in seconds.
const SCHEDULE: [u64; 10] = [5, 30, 120, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400];

/// A node that delivers.
struct Courier {
    node: Node,
    wechat: Peer,
    backends: Backends,
    deliveries: Deliveries,
    stop: CancellationToken,
}

impl Courier {
    async fn start() -> Self {
        let wechat = Peer::start(|request| match request.path.as_str() {
            "/cgi-bin/stable_token" => Told::Say(200, r#"{"access_token":"T","expires_in":7200}"#.into()),
            _ => Told::Say(200, r#"{"errcode":0,"errmsg":"ok"}"#.into()),
        });
        let node = Node::start(&wechat).await;
        let clock = Arc::clone(&node.foundation.clock);
        let backends = Backends::new(&Roots::with(&[]).unwrap(), clock, Arc::clone(&node.foundation.metrics)).unwrap();
        let late_replies = node.late_replies.clone();
        let deliveries = Deliveries::new(Arc::clone(&node.foundation), backends.clone(), late_replies);
        Self { node, wechat, backends, deliveries, stop: CancellationToken::new() }
    }

    fn now(&self) -> Timestamp {
        self.node.clock.now()
    }

    /// A message that was received now, was answered `success`, and is owed to this backend after one failed try.
    async fn owe(&self, number: u32, backend: &str, reason: &NotTaken) -> Callback {
        let message = self.message(number, backend);
        self.node.keep(&message, Some(Answer::success(message.message.id, self.now()))).await;
        self.fail(&message, reason).await;
        message
    }

    fn message(&self, number: u32, backend: &str) -> Callback {
        let elements = format!("<MsgType>text</MsgType><Content>{number}</Content><MsgId>{number}</MsgId>");
        callback(number, self.now(), &[backend.to_owned()], &elements)
    }

    async fn fail(&self, message: &Callback, reason: &NotTaken) {
        let attempt = Attempt::of(0, 1, self.now(), self.now(), &Err(reason.clone()));
        let state = schedule::after_failure(0, self.now(), &OsRandom);
        let owed = message.delivery(0, state, reason.is_unreachable(), &[attempt]);
        self.node.foundation.store.renew_deliveries(std::slice::from_ref(&owed)).await.unwrap();
        self.deliveries.is_owed(owed.backend, owed.unreachable);
    }

    /// Does what is due now, until nothing more follows from it.
    async fn work(&self) {
        loop {
            self.deliveries.step(&self.stop).await.unwrap();
            self.rest().await;
            match self.next().await {
                Some(next) if next <= self.now() => {}
                _ => return,
            }
        }
    }

    /// Waits until what runs beside has ended.
    async fn rest(&self) {
        let tasks = &self.node.foundation.tasks;
        tasks.close();
        tasks.wait().await;
        tasks.reopen();
    }

    async fn next(&self) -> Option<Timestamp> {
        self.node.foundation.store.next_delivery().await.unwrap()
    }

    /// Turns the clock to the next moment at which something is due, and works. False: nothing ever will be.
    async fn go_on(&self) -> bool {
        let Some(next) = self.next().await else { return false };
        self.node.clock.advance(next.since(self.now()));
        self.work().await;
        true
    }

    async fn delivery(&self, message: &Callback) -> Delivery {
        self.node.foundation.store.deliveries(&[message.message.id]).await.unwrap().remove(0)
    }
}

fn down() -> NotTaken {
    NotTaken::NoConnection("refused".into())
}

fn says(text: &'static str) -> impl FnMut(&Arrived) -> Told + Send + 'static {
    move |_| Told::Say(200, text.into())
}

/// The numbers of the messages that arrived.
fn numbers(backend: &Peer) -> Vec<u32> {
    let content = |request: &Arrived| -> u32 {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let (_, rest) = body.split_once("<Content>").unwrap();
        rest.split_once("</Content>").unwrap().0.parse().unwrap()
    };
    backend.arrived().iter().map(content).collect()
}

#[tokio::test]
async fn a_backend_that_was_down_for_an_hour_gets_everything_once_and_by_age() {
    let courier = Courier::start().await;
    let mut backend = Peer::start(says("success"));
    backend.go_down().await;
    for number in 0..40 {
        courier.owe(number, &backend.at("/msg"), &down()).await;
        for _ in 0..9 {
            courier.node.after(10);
            courier.work().await;
        }
    }
    backend.come_up();
    while backend.arrived().is_empty() {
        assert!(courier.go_on().await, "some delivery finds out that it is back");
    }
    let arrived = numbers(&backend);
    assert_eq!(arrived.iter().collect::<HashSet<_>>().len(), 40, "everything, at once: {arrived:?}");
    assert_eq!(arrived.len(), 40, "once: {arrived:?}");
    assert!(arrived[1..].is_sorted(), "after the one that found out, by age: {arrived:?}");
    assert_eq!(courier.next().await, None);
}

#[tokio::test]
async fn the_schedule_is_kept_and_comes_to_an_end() {
    let courier = Courier::start().await;
    let backend = Peer::start(|_| Told::Say(500, "not today".into()));
    let message = courier.owe(1, &backend.at("/msg?k=v"), &NotTaken::Status(500)).await;
    let mut last = courier.now();
    for (number, seconds) in (1..).zip(SCHEDULE) {
        assert!(courier.go_on().await);
        let pause = courier.now().since(last).as_millis();
        let seconds = u128::from(seconds);
        assert!((900 * seconds..=1100 * seconds).contains(&pause), "try {number} came after {pause} ms");
        assert_eq!(backend.arrived().len(), number, "one try at a time");
        last = courier.now();
    }
    assert!(!courier.go_on().await, "its time is over");
    let settled = courier.delivery(&message).await;
    assert_eq!((settled.state, settled.sent), (DeliveryState::Dead, 11));
    assert_eq!(from_json::<Vec<Attempt>>(&settled.attempts).len(), 11);

    let id = message.message.id.to_string();
    let stamp = |request: &Arrived| request.headers["webhook-timestamp"].parse::<i64>().unwrap();
    for (number, request) in (2..).zip(backend.arrived()) {
        assert_eq!(request.headers["webhook-id"], id);
        assert_eq!(request.headers["x-wechat-attempt"], u32::to_string(&number));
        assert!(request.headers["webhook-signature"].starts_with("v1,"));
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/msg", "k=v&appid=wx0123456789abcdef"));
    }
    assert!(backend.arrived().is_sorted_by(|one, next| stamp(one) < stamp(next)), "each is signed when it is sent");
}

#[tokio::test]
async fn a_backend_that_wants_it_no_more_is_left_alone() {
    let courier = Courier::start().await;
    let backend = Peer::start(|_| Told::Say(410, String::new()));
    let message = courier.owe(1, &backend.at("/msg"), &NotTaken::Status(500)).await;
    assert!(courier.go_on().await);
    assert_eq!(courier.delivery(&message).await.state, DeliveryState::Refused);
    assert!(!courier.go_on().await);
    assert_eq!(backend.arrived().len(), 1);
}

#[tokio::test]
async fn a_message_that_a_backend_cannot_take_holds_up_no_other() {
    let courier = Courier::start().await;
    let backend = Peer::start(|request| {
        let is_poison = request.body.windows(13).any(|part| part == b"<Content>7</C".as_slice());
        Told::Say(if is_poison { 500 } else { 200 }, "success".into())
    });
    for number in 0..30 {
        courier.owe(number, &backend.at("/msg"), &NotTaken::Status(500)).await;
    }
    courier.node.after(6);
    courier.work().await;
    assert_eq!(numbers(&backend).into_iter().collect::<HashSet<_>>().len(), 30, "all were tried");
    while courier.go_on().await {
        let backend = Backends::id_of(&backend.at("/msg"));
        assert!(courier.backends.is_open_for(backend), "the circuit is for backends that are down");
    }
    let arrived = numbers(&backend);
    assert_eq!(arrived.iter().filter(|number| **number != 7).count(), 29, "the others once: {arrived:?}");
    assert_eq!(arrived.iter().filter(|number| **number == 7).count(), 10);
}

/// A thousand messages wait for a backend behind a gateway that says 503 for two days.
#[tokio::test]
async fn a_backend_that_is_down_for_long_is_tried_seldom_however_much_waits() {
    let courier = Courier::start().await;
    let backend = Peer::start(|_| Told::Say(503, String::new()));
    for number in 0..1000 {
        courier.owe(number, &backend.at("/msg"), &NotTaken::Status(503)).await;
    }
    for _ in 0..48 * 6 {
        courier.node.after(600);
        courier.work().await;
    }
    let tries = backend.arrived().len();
    eprintln!("{tries} tries in two days, with 1000 deliveries waiting");
    assert!((5..48 * 6 + 10).contains(&tries), "one at each look, and those that opened the circuit: {tries}");
}

#[tokio::test]
async fn what_waits_for_another_reason_keeps_its_time_when_a_backend_is_back() {
    let courier = Courier::start().await;
    let backend = Peer::start(says("success"));
    courier.owe(1, &backend.at("/msg"), &NotTaken::Status(500)).await;
    courier.owe(2, &backend.at("/msg"), &down()).await;
    courier.owe(3, &backend.at("/other"), &down()).await;
    courier.deliveries.is_back(Backends::id_of(&backend.at("/msg")));
    courier.rest().await;
    courier.work().await;
    assert_eq!(numbers(&backend), [2]);
    courier.deliveries.is_back(Backends::id_of(&backend.at("/msg")));
    courier.rest().await;
    courier.work().await;
    assert_eq!(numbers(&backend), [2]);
}

#[tokio::test]
async fn a_backend_that_hangs_holds_up_no_other() {
    let courier = Courier::start().await;
    let (hanging, well) = (Peer::start(|_| Told::Hang), Peer::start(says("success")));
    for number in 0..10 {
        courier.owe(number, &hanging.at("/msg"), &NotTaken::Status(500)).await;
        courier.owe(100 + number, &well.at("/msg"), &NotTaken::Status(500)).await;
    }
    courier.node.after(6);
    courier.deliveries.step(&courier.stop).await.unwrap();
    let all_there = async {
        while well.arrived().len() < 10 || hanging.arrived().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_there).await.unwrap();
    assert_eq!(hanging.arrived().len(), 1, "one after the other");
}

#[tokio::test]
async fn what_was_not_tried_before_a_stop_is_free_for_others() {
    let courier = Courier::start().await;
    let stop = courier.stop.clone();
    let backend = Peer::start(move |_| {
        stop.cancel();
        Told::Say(200, "success".into())
    });
    for number in 0..10 {
        courier.owe(number, &backend.at("/msg"), &down()).await;
    }
    courier.node.after(6);
    courier.deliveries.step(&courier.stop).await.unwrap();
    courier.rest().await;
    assert_eq!(backend.arrived().len(), 1);
    let store = &courier.node.foundation.store;
    let shop = Backends::id_of(&backend.at("/msg"));
    let free = store.claim_deliveries(shop, NodeId([3; 16]), courier.now(), 100).await.unwrap();
    assert_eq!(free.len(), 9);
}

#[tokio::test]
async fn what_nobody_needs_any_more_is_not_delivered() {
    let courier = Courier::start().await;
    let backend = Peer::start(says("success"));
    let of_gone = courier.owe(1, &backend.at("/msg"), &down()).await;
    let unknown = courier.message(2, &backend.at("/msg"));
    courier.fail(&unknown, &down()).await;
    courier.node.foundation.store.remove_app("test", courier.now()).await.unwrap();
    courier.node.foundation.directory.drop_all_loaded();
    courier.node.after(6);
    courier.work().await;
    assert!(backend.arrived().is_empty());
    assert_eq!(courier.delivery(&of_gone).await.state, DeliveryState::Dead, "its registration is gone");
    assert_eq!(courier.delivery(&unknown).await.state, DeliveryState::Dead, "the message itself is gone");
    assert_eq!(courier.next().await, None);
}

#[tokio::test]
async fn the_reply_to_a_message_that_came_again_is_a_late_reply() {
    let cases: [(&str, u64, Option<LateReplyState>); 4] = [
        ("later", 0, Some(LateReplyState::Sent)),
        ("later", 295, Some(LateReplyState::Failed)),
        ("success", 0, None),
        ("<html>no reply</html>", 0, None),
    ];
    for (reply, wait, expected) in cases {
        let courier = Courier::start().await;
        let backend = Peer::start(says(reply));
        let message = courier.owe(1, &backend.at("/msg"), &NotTaken::Status(500)).await;
        courier.node.after(6 + wait);
        courier.work().await;
        assert_eq!(courier.delivery(&message).await.state, DeliveryState::Delivered);
        courier.node.late_replies.send_step().await.unwrap();
        let late = courier.node.late(&message).await.map(|(late, _)| late.state);
        assert_eq!(late, expected, "{reply} after {wait} s");
    }
}

#[tokio::test]
async fn a_message_that_has_a_reply_gets_no_late_one() {
    let courier = Courier::start().await;
    let backend = Peer::start(says("later"));
    let message = courier.message(1, &backend.at("/msg"));
    let reply = Answer {
        reply: Some(b"<xml></xml>".to_vec()),
        reply_from: Some(1),
        ..Answer::success(message.message.id, NOW)
    };
    courier.node.keep(&message, Some(reply)).await;
    courier.fail(&message, &NotTaken::Status(500)).await;
    courier.node.after(6);
    courier.work().await;
    assert_eq!(courier.delivery(&message).await.state, DeliveryState::Delivered);
    courier.node.late_replies.send_step().await.unwrap();
    assert!(courier.wechat.arrived().is_empty(), "nothing is sent to the user");
}

/// A backend is what its URL names without the query.
#[test]
fn the_same_backend_with_another_query_is_the_same() {
    let id: BackendId = Backends::id_of("http://shop/msg?a=1");
    assert_eq!(id, Backends::id_of("http://shop/msg?a=2#x"));
    assert_ne!(id, Backends::id_of("http://shop/msg/?a=1"));
}
