//! What becomes of messages whose node dies in the middle: another one takes them over, with what is on disk.
//!
//! A node here is a runtime of its own on a SQLite file. It dies by losing the runtime, with everything that was under way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::{Answer, Journal, LateReplyState, MessageFilter, MessageState, NodeId, Recipient};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::{Intake, IntakeError, Received, Reply, Ways};
use crate::upstream::Roots;
use crate::backends::{Backends, CallUrls};
use crate::clock::{Clock, ManualClock};
use crate::deliveries::Deliveries;
use crate::late_replies::tests::node::{NOW, Node, callback};
use crate::late_replies::tests::peer::{Arrived, Peer, Told};
use crate::messages::{Attempt, from_json, to_json};

/// Longer than anything here takes.
const TOO_LONG: Duration = Duration::from_secs(30);

/// A node that takes messages in.
struct Desk {
    node: Node,
    intake: Intake,
    runtime: Option<Runtime>,
}

impl Desk {
    /// Opens one on this file; what others on it left is nobody's from then on.
    async fn open(file: &tempfile::TempDir, wechat: &Peer, clock: &Arc<ManualClock>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (database, at) = (format!("sqlite://{}/proxy.db", file.path().display()), wechat.at(""));
        let clock = Arc::clone(clock);
        let opening = runtime.spawn(async move { Self::parts(&database, &at, clock).await });
        let (node, intake) = opening.await.unwrap();
        Self { node, intake, runtime: Some(runtime) }
    }

    async fn parts(database: &str, wechat: &str, clock: Arc<ManualClock>) -> (Node, Intake) {
        let node = Node::at(database, wechat, clock).await;
        let foundation = &node.foundation;
        foundation.store.end_other_nodes(foundation.node, foundation.clock.now()).await.unwrap();
        let backends = Backends::new(&Roots::with(&[]).unwrap(), Arc::clone(&foundation.clock), Arc::clone(&foundation.metrics)).unwrap();
        let late_replies = node.late_replies.clone();
        let deliveries = Deliveries::new(Arc::clone(foundation), backends.clone(), late_replies.clone());
        let (journal, writer) = Journal::new(foundation.store.clone());
        foundation.tasks.spawn(writer.run(CancellationToken::new().cancelled_owned()));
        let call_urls = Arc::new(CallUrls::new(false));
        let ways = Ways { journal, call_urls, backends, deliveries, late_replies };
        let intake = Intake::new(Arc::clone(foundation), ways);
        (node, intake)
    }

    /// One of WeChat's tries of a message, on this node's runtime.
    fn bring(&self, number: u32, calls: &[String]) -> tokio::task::JoinHandle<Result<Reply, IntakeError>> {
        let (intake, foundation) = (self.intake.clone(), Arc::clone(&self.node.foundation));
        let query = calls.iter().map(|call| ("call".to_owned(), call.clone())).collect();
        let raw_query = String::new();
        let received = Received { json: false, raw_query, query, content_type: None, body: body(number) };
        self.runtime.as_ref().unwrap().spawn(async move {
            let registered = foundation.directory.find("test", NOW).await.unwrap().unwrap();
            intake.receive(&registered, received).await
        })
    }

    /// Takes over what is left, on this node's runtime.
    async fn recover(&self) -> usize {
        let intake = self.intake.clone();
        self.runtime.as_ref().unwrap().spawn(async move { intake.recovery_step().await.unwrap() }).await.unwrap()
    }

    /// kill -9.
    fn die(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    /// How many messages are in this state.
    async fn count(&self, state: MessageState) -> usize {
        let filter = MessageFilter { state: Some(state), ..MessageFilter::default() };
        self.node.foundation.store.messages(&filter, None, 1000).await.unwrap().len()
    }

    async fn all_done(&self, messages: usize) {
        eventually("everything is done", async || self.count(MessageState::Done).await == messages).await;
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn body(number: u32) -> Bytes {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser</FromUserName><CreateTime>1</CreateTime>\
         <MsgType>text</MsgType><Content>hi</Content><MsgId>{number}</MsgId></xml>"
    )
    .into()
}

async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(TOO_LONG, waiting).await.is_ok(), "waited in vain: {what}");
}

fn says(text: &'static str) -> impl FnMut(&Arrived) -> Told + Send + 'static {
    move |_| Told::Say(200, text.into())
}

fn attempts(peer: &Peer) -> Vec<String> {
    peer.arrived().into_iter().map(|request| request.headers["x-wechat-attempt"].clone()).collect()
}

struct Scene {
    file: tempfile::TempDir,
    clock: Arc<ManualClock>,
    wechat: Peer,
}

fn scene() -> Scene {
    let wechat = Peer::start(|request| match request.path.as_str() {
        "/cgi-bin/stable_token" => Told::Say(200, r#"{"access_token":"T","expires_in":7200}"#.into()),
        _ => Told::Say(200, r#"{"errcode":0,"errmsg":"ok"}"#.into()),
    });
    Scene { file: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(NOW)), wechat }
}

impl Scene {
    async fn desk(&self) -> Desk {
        Desk::open(&self.file, &self.wechat, &self.clock).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_had_not_answered_gets_it_from_the_next_node_and_the_answer_stays() {
    let scene = scene();
    let (quick, slow) = (Peer::start(says("the first")), Peer::start(|_| Told::Hang));
    let calls = [quick.at("/a"), slow.at("/b")];
    let first = scene.desk().await;
    let Ok(Reply::Body(answer)) = first.bring(1, &calls).await.unwrap() else { panic!("no reply") };
    eventually("the slow one has it", async || slow.arrived().len() == 1).await;
    first.die();

    let second = scene.desk().await;
    slow.does(says("too late"));
    assert_eq!(second.recover().await, 1);
    second.all_done(1).await;
    assert_eq!((attempts(&quick), attempts(&slow)), (vec!["1".to_owned()], vec!["1".to_owned(), "2".to_owned()]));
    let again = second.bring(1, &calls).await.unwrap().unwrap();
    assert_eq!(again, Reply::Body(answer), "a duplicate gets the same answer");
    assert_eq!(second.recover().await, 0, "once");
    assert!(scene.wechat.arrived().is_empty(), "the user has a reply");
    let filter = MessageFilter::default();
    let message = second.node.foundation.store.messages(&filter, None, 1).await.unwrap().remove(0);
    let answer = second.node.foundation.store.answer(message.id).await.unwrap().unwrap();
    let tries = from_json::<Vec<Attempt>>(&answer.attempts);
    assert_eq!(tries.len(), 2, "who had it already, and who has it now: {tries:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_not_decided_is_decided_by_the_next_node() {
    let scene = scene();
    let backend = Peer::start(|_| Told::Hang);
    let calls = [backend.at("/a")];
    let first = scene.desk().await;
    let lost = first.bring(1, &calls);
    eventually("it is forwarded", async || backend.arrived().len() == 1).await;
    first.die();
    assert!(lost.await.is_err());

    // WeChat's next try arrives while the message is being taken over.
    let second = scene.desk().await;
    backend.does(says("now"));
    let (recovered, answer) = tokio::join!(second.recover(), second.bring(1, &calls));
    assert!(recovered <= 1);
    assert!(matches!(answer.unwrap().unwrap(), Reply::Body(body) if body.windows(3).any(|part| part == b"now")));
    second.all_done(1).await;
    assert_eq!(attempts(&backend), ["1", "2"]);
}

/// Nobody of WeChat's was waiting when the reply came, and the process died before it could go to the user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_nobody_fetched_outlives_its_node() {
    let scene = scene();
    let backend = Peer::start(|_| Told::Hang);
    let calls = [backend.at("/a")];
    let first = scene.desk().await;
    let hung_up = first.bring(1, &calls);
    eventually("it is forwarded", async || backend.arrived().len() == 1).await;
    first.die();
    drop(hung_up);
    // The next node forwards it again, and nobody waits there.
    let second = scene.desk().await;
    backend.does(says("for the user"));
    assert_eq!(second.recover().await, 1);
    eventually("it is answered", async || {
        let store = &second.node.foundation.store;
        let message = store.messages(&MessageFilter::default(), None, 1).await.unwrap().remove(0);
        store.answer(message.id).await.unwrap().is_some_and(|answer| answer.reply.is_some())
    })
    .await;
    assert_eq!(second.count(MessageState::Forwarding).await, 1, "the user does not have it yet");
    second.die();

    scene.clock.advance(Duration::from_secs(13));
    let third = scene.desk().await;
    assert_eq!(third.recover().await, 1);
    third.all_done(1).await;
    assert_eq!(attempts(&backend).len(), 2, "the backend has it");
    let store = &third.node.foundation.store;
    let message = store.messages(&MessageFilter::default(), None, 1).await.unwrap().remove(0);
    let late = store.late_replies(&[message.id]).await.unwrap();
    assert_eq!((late.len(), late[0].state), (1, LateReplyState::Pending(scene.clock.now())));
    let holder = store.give_answer(message.id, Recipient::Wechat).await.unwrap();
    assert_eq!(holder, Some(Recipient::User), "WeChat does not get it any more");
}

/// The moment between two writes: the answer is the user's, and his message is not written down yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_was_meant_for_the_user_when_its_node_died_goes_to_him() {
    const DEAD: NodeId = NodeId([9; 16]);
    let scene = scene();
    let backend = Peer::start(says("again"));
    let desk = scene.desk().await;
    let elements = "<MsgType>text</MsgType><Content>hi</Content><MsgId>1</MsgId>";
    let message = callback(1, NOW, &[backend.at("/a")], elements);
    let reply = "<xml><ToUserName>oUser</ToUserName><FromUserName>gh_1</FromUserName><CreateTime>1</CreateTime>\
                 <MsgType>text</MsgType><Content>late</Content></xml>";
    let answer = Answer {
        reply: Some(reply.into()),
        reply_from: Some(0),
        given_to: Some(Recipient::User),
        attempts: to_json(&[Attempt { attempt: 1, ..Attempt::default() }]),
        ..Answer::success(message.message.id, NOW)
    };
    desk.node.keep(&message, Some(answer)).await;
    desk.node.foundation.store.beat(DEAD, NOW).await.unwrap();
    assert_eq!((message.message.node, desk.recover().await), (DEAD, 1));
    desk.all_done(1).await;
    let (late, _) = desk.node.late(&message).await.unwrap();
    assert_eq!((late.state, late.reply_from), (LateReplyState::Pending(NOW), 0));
    assert!(backend.arrived().is_empty(), "it had the message");
}

/// WeChat's tries and the recovery look at the same messages at once: no backend is forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_that_come_while_messages_are_taken_over_lose_nothing() {
    const MESSAGES: u32 = 60;
    let scene = scene();
    let (quick, slow) = (Peer::start(says("hi")), Peer::start(|_| Told::Hang));
    let calls = [quick.at("/a"), slow.at("/b")];
    let first = scene.desk().await;
    let tries: Vec<_> = (0..MESSAGES).map(|number| first.bring(number, &calls)).collect();
    for one in tries {
        assert!(matches!(one.await.unwrap(), Ok(Reply::Body(_))));
    }
    eventually("the slow one has all", async || slow.arrived().len() == MESSAGES as usize).await;
    first.die();

    let second = scene.desk().await;
    slow.does(says("success"));
    let tries: Vec<_> = (0..MESSAGES).map(|number| second.bring(number, &calls)).collect();
    second.recover().await;
    for one in tries {
        assert!(matches!(one.await.unwrap(), Ok(Reply::Body(_))), "the answer that is on disk");
    }
    second.all_done(MESSAGES as usize).await;
    assert_eq!(attempts(&quick).len(), MESSAGES as usize);
    assert_eq!(attempts(&slow).into_iter().filter(|attempt| attempt == "2").count(), MESSAGES as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_for_a_registration_that_is_gone_comes_to_an_end() {
    let scene = scene();
    let backend = Peer::start(|_| Told::Hang);
    let first = scene.desk().await;
    drop(first.bring(1, &[backend.at("/a")]));
    eventually("it is forwarded", async || backend.arrived().len() == 1).await;
    first.node.foundation.store.remove_app("test", NOW).await.unwrap();
    first.die();
    let second = scene.desk().await;
    second.node.foundation.store.remove_app("test", NOW).await.unwrap();
    assert_eq!(second.recover().await, 1);
    second.all_done(1).await;
    assert_eq!(backend.arrived().len(), 1);
}
