//! Late replies under a turned clock, sent to a WeChat over real HTTP that does as it is told.

pub(crate) mod node;
pub(crate) mod peer;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use store::{Answer, Journal, LateReplyState, MessageId};
use wechat::reply::Reply;

use self::node::{NOW, Node, callback};
use self::peer::{Peer, Told};
use super::pieces::Outcome;
use crate::clock::Clock;
use crate::messages::Callback;

const SEND: &str = "/cgi-bin/message/custom/send";
const WECOM_SEND: &str = "/cgi-bin/message/send";

/// A WeChat that gives out tokens, and answers calls that send with these codes, and then 0.
fn wechat(codes: &[i64]) -> Peer {
    let (mut codes, mut tokens) = (VecDeque::from(codes.to_vec()), 0);
    Peer::start(move |request| {
        let answer = match request.path.as_str() {
            SEND | WECOM_SEND => json!({"errcode": codes.pop_front().unwrap_or(0), "errmsg": "as told rid: 1-2"}),
            _ => {
                tokens += 1;
                json!({"errcode": 0, "access_token": format!("TOKEN{tokens}"), "expires_in": 7200})
            }
        };
        Told::Say(200, answer.to_string())
    })
}

impl Node {
    /// A reply that came late to a message that was answered `success`.
    async fn offer(&self, callback: &Callback, reply: &str) {
        self.keep(callback, Some(Answer::success(callback.message.id, self.clock.now()))).await;
        let reply = Reply::read(reply.as_bytes(), None, callback.push.as_ref().unwrap()).unwrap();
        self.late_replies.offer(callback, 0, reply.as_ref(), false).await.unwrap();
    }

    /// Sends whatever is due.
    async fn send(&self) {
        while self.late_replies.send_step().await.unwrap() == Duration::ZERO {}
    }
}

/// A user's text message that was received now.
fn text(number: u32) -> Callback {
    callback(number, NOW, &[], &format!("<MsgType>text</MsgType><Content>hi</Content><MsgId>{number}</MsgId>"))
}

#[tokio::test]
async fn a_text_goes_to_the_user_with_the_accounts_token() {
    let wechat = wechat(&[]);
    let node = Node::start(&wechat).await;
    let message = text(1);
    node.offer(&message, "later \u{4f60}\u{597d}").await;
    node.send().await;
    let sent = wechat.arrived().pop().unwrap();
    assert_eq!((sent.path.as_str(), sent.query.as_str()), (SEND, "access_token=TOKEN1"));
    let body = String::from_utf8(sent.body).unwrap();
    assert!(body.contains("你好"), "real UTF-8: {body}");
    let expected = json!({"touser": "oUser", "msgtype": "text", "text": {"content": "later 你好"}});
    assert_eq!(wechat.bodies(SEND), [expected]);
    let (late, outcome) = node.late(&message).await.unwrap();
    assert_eq!((late.state, late.sent, outcome), (LateReplyState::Sent, 1, Outcome::default()));
    node.after(1000);
    node.send().await;
    assert_eq!(wechat.bodies(SEND).len(), 1, "once");
}

#[tokio::test]
async fn a_long_text_is_sent_in_order_and_goes_on_after_a_pause_where_it_stopped() {
    let wechat = wechat(&[0, -1]);
    let node = Node::start(&wechat).await;
    let message = text(1);
    let long: String = (0..1000).map(|number| format!("第{number}句。 ")).collect();
    node.offer(&message, &long).await;
    node.send().await;
    let (late, outcome) = node.late(&message).await.unwrap();
    let due_at = NOW + Duration::from_secs(5);
    assert_eq!((late.state, late.sent, late.tries), (LateReplyState::Pending(due_at), 1, 1));
    assert!(outcome.text.unwrap().contains("-1"));
    node.after(4);
    node.send().await;
    assert_eq!(wechat.bodies(SEND).len(), 2, "not before its time");
    node.after(1);
    node.send().await;
    let bodies = wechat.bodies(SEND);
    let pieces: Vec<&str> = bodies.iter().map(|body| body["text"]["content"].as_str().unwrap()).collect();
    assert_eq!(pieces[1], pieces[2], "the refused one again, and not the one before");
    let whole: String = [&pieces[..1], &pieces[2..]].concat().concat();
    assert_eq!(whole, long.trim_end());
    assert!(pieces.iter().all(|piece| piece.len() <= 2048));
    assert_eq!(node.late(&message).await.unwrap().0.state, LateReplyState::Sent);
}

#[tokio::test]
async fn a_refusal_for_good_is_written_down_with_what_to_do() {
    for (code, hint) in [(45015, "5 seconds"), (45047, "used up"), (48001, "right"), (40003, "openid")] {
        let wechat = wechat(&[code]);
        let node = Node::start(&wechat).await;
        let message = text(1);
        node.offer(&message, "late").await;
        node.send().await;
        let (late, outcome) = node.late(&message).await.unwrap();
        assert_eq!((late.state, outcome.errcode), (LateReplyState::Failed, Some(code)));
        assert!(outcome.advice.as_ref().unwrap().contains(hint), "{outcome:?}");
        node.after(1000);
        node.send().await;
        assert_eq!(wechat.bodies(SEND).len(), 1, "{code} is not tried again");
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_three_times_more() {
    let wechat = wechat(&[-1, 45011, -1, -1]);
    let node = Node::start(&wechat).await;
    let message = text(1);
    node.offer(&message, "late").await;
    for (calls, pause) in [(1, 5), (2, 30), (3, 120)] {
        node.send().await;
        node.after(pause - 1);
        node.send().await;
        assert_eq!(wechat.bodies(SEND).len(), calls);
        node.after(1);
    }
    node.send().await;
    assert_eq!(wechat.bodies(SEND).len(), 4);
    assert_eq!(node.late(&message).await.unwrap().0.state, LateReplyState::Failed);
}

#[tokio::test]
async fn a_dead_token_is_healed_once() {
    let wechat = wechat(&[0, 40001]);
    let node = Node::start(&wechat).await;
    node.offer(&text(9), "the token is good").await;
    node.send().await;
    node.after(1);
    node.offer(&text(1), "late").await;
    node.send().await;
    let tokens: Vec<String> =
        wechat.arrived().into_iter().filter(|one| one.path == SEND).map(|one| one.query).collect();
    assert_eq!(tokens, ["access_token=TOKEN1", "access_token=TOKEN1", "access_token=TOKEN2"]);
    assert_eq!(node.late(&text(1)).await.unwrap().0.state, LateReplyState::Sent);

    let wechat = self::wechat(&[42001, 40001]);
    let node = Node::start(&wechat).await;
    node.offer(&text(1), "late").await;
    node.send().await;
    assert_eq!(wechat.bodies(SEND).len(), 2, "once, and not again and again");
    node.after(5);
    node.send().await;
    assert_eq!(node.late(&text(1)).await.unwrap().0.state, LateReplyState::Sent);
}

#[tokio::test]
async fn wecom_gets_it_as_a_message_of_the_agent() {
    let wechat = wechat(&[]);
    let node = Node::start(&wechat).await;
    let message =
        callback(1, NOW, &[], "<MsgType>text</MsgType><Content>hi</Content><MsgId>1</MsgId><AgentID>1000002</AgentID>");
    node.offer(&message, "late").await;
    node.send().await;
    let expected = json!({"touser": "oUser", "agentid": 1000002, "msgtype": "text", "text": {"content": "late"}});
    assert_eq!((wechat.bodies(WECOM_SEND), wechat.bodies(SEND).len()), (vec![expected], 0));
    let paths: Vec<String> = wechat.arrived().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/cgi-bin/gettoken", WECOM_SEND], "with the agent's own token");
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_and_wechat_is_not_asked() {
    let wechat = wechat(&[]);
    let node = Node::start(&wechat).await;
    let event = |number, name: &str| {
        callback(number, NOW, &[], &format!("<MsgType>event</MsgType><Event>{name}</Event><EventKey>k</EventKey>"))
    };
    let transfer = r#"{"MsgType":"transfer_customer_service"}"#;
    let cases = [
        (event(1, "TEMPLATESENDJOBFINISH"), "late", "nobody can be sent it"),
        (event(2, "unsubscribe"), "late", "nobody can be sent it"),
        (text(3), transfer, "transfer_customer_service works only"),
    ];
    for (message, reply, reason) in cases {
        node.offer(&message, reply).await;
        node.send().await;
        let (late, outcome) = node.late(&message).await.unwrap();
        assert_eq!(late.state, LateReplyState::Failed);
        assert!(outcome.text.as_ref().unwrap().contains(reason), "{outcome:?}");
    }
    node.offer(&event(4, "CLICK"), "late").await;
    node.send().await;
    assert_eq!(wechat.bodies(SEND).len(), 1, "a tap on the menu is a user's");
}

#[tokio::test]
async fn a_reply_counts_until_its_last_moment() {
    let wechat = wechat(&[]);
    let node = Node::start(&wechat).await;
    node.after(300);
    node.offer(&text(1), "in time").await;
    node.clock.advance(Duration::from_millis(1));
    node.offer(&text(2), "too late").await;
    node.send().await;
    assert_eq!(wechat.bodies(SEND).len(), 1);
    let (late, outcome) = node.late(&text(2)).await.unwrap();
    assert_eq!(late.state, LateReplyState::Failed);
    assert!(outcome.text.as_ref().unwrap().contains("300 s after the message (late=)"), "{outcome:?}");
}

#[tokio::test]
async fn when_nobody_knows_whether_wechat_took_it_it_is_not_sent_twice() {
    let mut wechat = wechat(&[]);
    let node = Node::start(&wechat).await;
    node.offer(&text(1), "the token is fetched").await;
    node.send().await;
    wechat.does(|_| Told::Drop);
    node.offer(&text(2), "late").await;
    node.send().await;
    let (late, outcome) = node.late(&text(2)).await.unwrap();
    assert_eq!(late.state, LateReplyState::Failed);
    assert!(outcome.text.as_ref().unwrap().contains("may have taken it"), "{outcome:?}");
    // A connection that never came about is another thing.
    wechat.go_down().await;
    node.offer(&text(3), "late").await;
    node.send().await;
    assert!(matches!(node.late(&text(3)).await.unwrap().0.state, LateReplyState::Pending(_)));
    wechat.does(|_| Told::Say(200, r#"{"errcode":0}"#.into()));
    wechat.come_up();
    node.after(5);
    node.send().await;
    assert_eq!(node.late(&text(3)).await.unwrap().0.state, LateReplyState::Sent);
}

/// Before the message is answered nobody knows whether this reply is needed.
#[tokio::test]
async fn a_late_reply_waits_for_the_answer_of_its_message() {
    let wechat = wechat(&[]);
    let node = Node::start(&wechat).await;
    let success = Answer::success(MessageId([0; 16]), NOW);
    let reply = Answer { reply: Some(b"<xml></xml>".to_vec()), reply_from: Some(0), ..success.clone() };
    // The message's answer, whether the late reply is that answer, and whether it is sent.
    let cases = [(1, success, false, 1), (2, reply.clone(), false, 0), (3, reply, true, 1)];
    let mut expected = 0;
    for (number, answer, is_answer, sent) in cases {
        let message = text(number);
        node.keep(&message, None).await;
        let late = Reply::read(b"late", None, message.push.as_ref().unwrap()).unwrap();
        node.late_replies.offer(&message, 0, late.as_ref(), is_answer).await.unwrap();
        node.send().await;
        assert_eq!(wechat.bodies(SEND).len(), expected, "it may get another reply yet");
        answered(&node, Answer { message_id: message.message.id, ..answer }).await;
        node.after(2);
        node.send().await;
        expected += sent;
        assert_eq!(wechat.bodies(SEND).len(), expected, "message {number}");
    }
}

async fn answered(node: &Node, answer: Answer) {
    let (journal, writer) = Journal::new(node.foundation.store.clone());
    let stop = tokio::sync::Notify::new();
    let writing = async {
        assert!(journal.answer(Arc::new(Mutex::new(answer))).await.unwrap().won);
        stop.notify_one();
    };
    tokio::join!(writing, writer.run(stop.notified()));
}
