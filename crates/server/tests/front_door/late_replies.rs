//! Late is not lost: a reply that WeChat no longer waits for goes to the user as a customer-service message.
//!
//! `patience=1` and a backend's closed door stand for a slow backend: WeChat is answered `success`, then the reply comes.
//! WeChat's times are real, so two tests play all stories at once.

use serde_json::{Value, json};

use crate::harness::backend::{Backend, Does};
use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE};
use crate::harness::process::serve;
use crate::harness::scene::Scene;
use crate::harness::server::Flags;
use crate::harness::wechat_pushes::{
    AES, Pusher, TOKEN, USER, callback_url, element, event, fresh_msg_id, message, text,
};
use crate::late_replies_sandbox::{
    a_user_gets_the_reply_of_a_slow_backend_as_a_message, what_wechats_own_rules_refuse_stands_in_the_records,
};

const SEND: &str = "/cgi-bin/message/custom/send";
const WECOM_SEND: &str = "/cgi-bin/message/send";

/// The bodies of the calls that send to users.
fn sent(wechat: &FakeWechat, path: &str) -> Vec<Value> {
    wechat.arrived(path).iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect()
}

/// The tokens of those calls.
fn tokens(wechat: &FakeWechat, path: &str) -> Vec<String> {
    let token = |query: &str| query.strip_prefix("access_token=").unwrap().to_owned();
    wechat.arrived(path).iter().map(|call| token(&call.query)).collect()
}

/// The record of a message, as soon as its late reply is no longer waiting.
async fn settled(server: &Caller, id: &str) -> Value {
    let mut record = Value::Null;
    eventually(&format!("the late reply to {id}"), async || {
        record = server.record(id).await;
        record["late_reply"].is_object() && record["late_reply"]["state"] != "pending"
    })
    .await;
    record["late_reply"].clone()
}

impl Scene {
    /// Brings a message to a backend that will say this, but not before WeChat was answered `success`. Gives the
    /// message's id; the door is still closed.
    async fn too_slow(&self, message: &str, path: &str, says: Does, parameters: &str) -> String {
        self.backend.always(path, says);
        self.backend.close_the_door(path);
        let url = self.url(&[path]) + "&patience=1" + parameters;
        let answer = self.pusher.push(message).to(&self.server, &url).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "{path}");
        self.backend.only(path).header("webhook-id").to_owned()
    }

    /// What became of the reply, after the door is opened.
    async fn then(&self, id: &str, path: &str) -> Value {
        self.backend.open_the_door(path);
        settled(&self.server, id).await
    }
}

/// As long as WeChat waits for one try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_the_answer_goes_to_the_user_or_into_the_records() {
    tokio::join!(
        a_reply_that_is_late_goes_to_the_user_once(),
        a_long_text_arrives_in_pieces_in_its_order(),
        a_dead_token_is_healed_once_and_the_message_sent(),
        wecoms_members_get_it_from_the_agent(),
        what_wechat_refuses_stands_in_the_records_with_what_to_do(),
        what_cannot_be_sent_stands_in_the_records_and_wechat_is_not_asked(),
        killed_while_it_sends_the_next_process_sends_it(),
        what_wechats_own_rules_refuse_stands_in_the_records(),
    );
}

/// As long as all of WeChat's tries, and a little.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_none_of_wechats_tries_fetched_goes_to_the_user() {
    tokio::join!(
        seventeen_seconds_after_three_real_tries_the_user_gets_one_message(),
        the_reply_to_a_repeated_delivery_gives_way_to_the_answer(),
        killed_before_it_sends_the_next_process_sends_it(),
        a_user_gets_the_reply_of_a_slow_backend_as_a_message(),
    );
}

async fn a_reply_that_is_late_goes_to_the_user_once() {
    let scene = Scene::safe().await;
    let message = text("hi");
    let id = scene.too_slow(&message, "/a", Does::json(&json!({"MsgType": "text", "Content": "晚了 <b>"})), "").await;
    assert!(sent(&scene.wechat, SEND).is_empty());
    let late = scene.then(&id, "/a").await;
    assert_eq!((&late["state"], &late["backend"]), (&json!("sent"), &json!(0)));
    let expected = json!({"touser": USER, "msgtype": "text", "text": {"content": "晚了 <b>"}});
    assert_eq!(sent(&scene.wechat, SEND), [expected]);
    assert!(scene.wechat.is_good(&tokens(&scene.wechat, SEND)[0]));
    let again = scene.pusher.push(&message).to(&scene.server, &scene.url(&["/a"])).await;
    assert_eq!(again.text(), "success", "a duplicate gets what WeChat was answered");
    // Nor is it sent again when the message is.
    let replayed =
        scene.server.send(http::Method::POST, &format!("/admin/messages/{id}/replay"), None, Vec::new()).await;
    assert_eq!(replayed.status, 200, "{}", replayed.text());
    scene.backend.has_received("/a", 2).await;
    let record = scene.server.record_in(&id, "done").await;
    assert_eq!(
        (&record["answer"]["body"], record["backends"][0]["attempts"].as_array().unwrap().len()),
        (&json!("success"), 2)
    );
    assert_eq!((scene.backend.calls("/a"), sent(&scene.wechat, SEND).len()), (2, 1));
}

/// The times of WeChat and of the backend as they really are.
async fn seventeen_seconds_after_three_real_tries_the_user_gets_one_message() {
    let scene = Scene::plain().await;
    scene.backend.always("/a", Does::text("late").after(std::time::Duration::from_secs(17)));
    let (message, url) = (text("hi"), scene.url(&["/a"]));
    assert!(scene.pusher.push(&message).try_to(&scene.server, &url).await.is_none());
    assert!(scene.pusher.push(&message).try_to(&scene.server, &url).await.is_none());
    let third = scene.pusher.push(&message).try_to(&scene.server, &url).await.unwrap();
    assert_eq!(third.text(), "success");
    let id = scene.backend.only("/a").header("webhook-id").to_owned();
    assert_eq!(settled(&scene.server, &id).await["state"], "sent");
    assert_eq!(sent(&scene.wechat, SEND).len(), 1);
}

async fn a_long_text_arrives_in_pieces_in_its_order() {
    let scene = Scene::plain().await;
    let long: Vec<String> = (0..700).map(|number| format!("第{number}句，很长。")).collect();
    let long = long.join("\n");
    let id = scene.too_slow(&text("hi"), "/a", Does::text(&long), "").await;
    assert_eq!(scene.then(&id, "/a").await["state"], "sent");
    let sent = sent(&scene.wechat, SEND);
    let pieces: Vec<&str> = sent.iter().map(|body| body["text"]["content"].as_str().unwrap()).collect();
    assert!(pieces.len() > 5 && pieces.iter().all(|piece| piece.len() <= 2048), "{} pieces", pieces.len());
    assert_eq!(pieces.concat(), long);
    assert!(pieces.iter().rev().skip(1).all(|piece| piece.ends_with('\n')), "between lines");
}

async fn what_wechat_refuses_stands_in_the_records_with_what_to_do() {
    let scene = Scene::plain().await;
    let refusals = [(45015, "5 seconds"), (45047, "used up"), (48001, "right")];
    let paths = refusals.map(|(code, _)| format!("/{code}"));
    let messages = paths.each_ref().map(|path| text(path));
    let slow = paths.iter().zip(&messages);
    let slow = slow.map(|(path, message)| scene.too_slow(message, path, Does::text("late"), ""));
    let ids = futures::future::join_all(slow).await;
    for (((code, hint), path), id) in refusals.iter().zip(&paths).zip(&ids) {
        scene.wechat.next(SEND, Reply::errcode(*code, "refused as told rid: 1-2"));
        let late = scene.then(id, path).await;
        assert_eq!((&late["state"], &late["errcode"]), (&json!("failed"), &json!(code)), "{late}");
        assert!(late["text"].as_str().unwrap().starts_with("refused as told"), "{late}");
        assert!(late["advice"].as_str().unwrap().contains(hint), "{late}");
    }
    assert_eq!(scene.wechat.calls(SEND), 3, "none is tried again");
}

async fn what_cannot_be_sent_stands_in_the_records_and_wechat_is_not_asked() {
    let scene = Scene::plain().await;
    let transfer = || Does::json(&json!({"MsgType": "transfer_customer_service"}));
    let finished = event("TEMPLATESENDJOBFINISH", "<MsgID>200163836</MsgID><Status><![CDATA[success]]></Status>");
    let unsubscribed = event("unsubscribe", "<EventKey><![CDATA[]]></EventKey>");
    let (first, second) = (text("/transfer"), text("/over"));
    let ids = tokio::join!(
        scene.too_slow(&finished, "/finished", Does::text("late"), ""),
        scene.too_slow(&unsubscribed, "/unsubscribed", Does::text("late"), ""),
        scene.too_slow(&first, "/transfer", transfer(), ""),
        scene.too_slow(&second, "/over", Does::text("late"), "&late=1"),
    );
    let cases = [
        (ids.0, "/finished", "no reply to a user's message"),
        (ids.1, "/unsubscribed", "no reply to a user's message"),
        (ids.2, "/transfer", "transfer_customer_service works only as an answer"),
        (ids.3, "/over", "more than 1 s after the message (late=)"),
    ];
    for (id, path, reason) in cases {
        let late = scene.then(&id, path).await;
        assert_eq!(late["state"], "failed", "{path}");
        assert!(late["text"].as_str().unwrap().contains(reason), "{path}: {late}");
    }
    assert_eq!(scene.wechat.all_calls(), 0, "not even for a token");
}

async fn a_dead_token_is_healed_once_and_the_message_sent() {
    let scene = Scene::plain().await;
    scene.server.token("test").await;
    let id = scene.too_slow(&text("hi"), "/a", Does::text("late"), "").await;
    scene.wechat.next(SEND, Reply::errcode(40001, "invalid credential, access_token is invalid rid: 1-2"));
    assert_eq!(scene.then(&id, "/a").await["state"], "sent");
    let tokens = tokens(&scene.wechat, SEND);
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(scene.server.token("test").await, tokens[1], "everybody has the new one");
    assert_eq!(scene.wechat.calls(STABLE), 2);
}

async fn wecoms_members_get_it_from_the_agent() {
    let corp = "wwcorp0123456789";
    let scene = Scene::registered(&[], Pusher::wecom(TOKEN, AES, corp)).await;
    let pairs = [("key", "corp"), ("appid", corp), ("secret", "s"), ("check", "false"), ("token", TOKEN), ("aes", AES)];
    scene.server.register(&pairs).await;
    let message = message("text", "<Content><![CDATA[hi]]></Content><AgentID>1000002</AgentID>", fresh_msg_id());
    scene.backend.always("/a", Does::text("late"));
    scene.backend.close_the_door("/a");
    let url = callback_url("/app/corp/msg", &[&scene.backend.at("/a")]) + "&patience=1";
    assert_eq!(scene.pusher.push(&message).to(&scene.server, &url).await.text(), "success");
    let id = scene.backend.only("/a").header("webhook-id").to_owned();
    assert_eq!(scene.then(&id, "/a").await["state"], "sent");
    let expected = json!({"touser": USER, "agentid": 1_000_002, "msgtype": "text", "text": {"content": "late"}});
    assert_eq!(sent(&scene.wechat, WECOM_SEND), [expected]);
    assert_eq!((scene.wechat.calls("/cgi-bin/gettoken"), scene.wechat.calls(SEND)), (1, 0));
}

/// One backend is slow, the other failed at first and answered when it got the message again: the user gets one reply.
async fn the_reply_to_a_repeated_delivery_gives_way_to_the_answer() {
    let scene = Scene::plain().await;
    let ids = tokio::join!(two_backends(&scene, "/fetched"), two_backends(&scene, "/left"));
    // WeChat's second try comes for the first message. Nobody comes for the second one.
    let second = scene.pusher.push(&ids.0.1);
    let url = scene.url(&["/fetched/slow", "/fetched/repeated"]);
    let (answer, ()) = tokio::join!(second.to(&scene.server, &url), async {
        scene.backend.open_the_door("/fetched/slow");
        scene.backend.open_the_door("/left/slow");
    });
    assert_eq!(element(&answer.text(), "Content"), Some("slow"));
    for (id, _) in [&ids.0, &ids.1] {
        scene.server.record_in(id, "done").await;
    }
    let late = settled(&scene.server, &ids.1.0).await;
    assert_eq!(late["state"], "sent", "{late}");
    let expected = json!({"touser": USER, "msgtype": "text", "text": {"content": "slow"}});
    assert_eq!(sent(&scene.wechat, SEND), [expected]);
    // A try that comes after all gets what WeChat may still show: the one reply, or nothing more.
    let again = scene.pusher.push(&ids.0.1).to(&scene.server, &url).await;
    assert_eq!(again.text(), answer.text());
    let url = scene.url(&["/left/slow", "/left/repeated"]);
    assert_eq!(scene.pusher.push(&ids.1.1).to(&scene.server, &url).await.text(), "success", "the user has it");
}

/// A first try in vain; then the delivery that failed is repeated, and its reply is known. Gives id and message.
async fn two_backends(scene: &Scene, path: &str) -> (String, String) {
    let [slow, repeated] = ["slow", "repeated"].map(|name| format!("{path}/{name}"));
    scene.backend.always(&slow, Does::text("slow"));
    scene.backend.close_the_door(&slow);
    scene.backend.next(&repeated, Does::status(500));
    scene.backend.always(&repeated, Does::text("repeated"));
    let message = text(path);
    let url = scene.url(&[&slow, &repeated]);
    scene.pusher.push(&message).to(&scene.server, &url).await.is_refusal(504, -10024);
    let id = scene.backend.only(&slow).header("webhook-id").to_owned();
    eventually("the repeated delivery is over", async || {
        let record = scene.server.record(&id).await;
        record["backends"][1]["state"] == "taken"
    })
    .await;
    (id, message)
}

/// A process, a slow backend, and a message that WeChat was answered.
async fn killed_while_it_sends_the_next_process_sends_it() {
    let (wechat, backend, database) = (FakeWechat::start().await, Backend::start().await, Database::sqlite());
    let flags = Flags::new(&database, &wechat.url);
    let mut first = serve(&flags).start();
    let caller = first.caller().await;
    caller.register_cold("test", &[("token", TOKEN)]).await;
    caller.token("test").await;
    backend.always("/a", Does::text("late"));
    backend.close_the_door("/a");
    let url = callback_url("/app/test/msg", &[&backend.at("/a")]) + "&patience=1";
    assert_eq!(Pusher::plain().push(&text("hi")).to(&caller, &url).await.text(), "success");
    wechat.close_the_door();
    backend.open_the_door("/a");
    wechat.has_received(SEND, 1).await;
    first.kill().await;
    wechat.open_the_door();

    let mut second = serve(&flags).start();
    let caller = second.caller().await;
    let id = backend.only("/a").header("webhook-id").to_owned();
    assert_eq!(settled(&caller, &id).await["state"], "sent");
    let sent = sent(&wechat, SEND);
    assert_eq!((sent.len(), &sent[0]), (2, &sent[1]), "nobody knows whether the first was taken");
    assert_eq!(backend.calls("/a"), 1);
}

/// The reply was there, but none of WeChat's tries, and the process died before the user got it.
async fn killed_before_it_sends_the_next_process_sends_it() {
    let (wechat, backend, database) = (FakeWechat::start().await, Backend::start().await, Database::sqlite());
    let flags = Flags::new(&database, &wechat.url);
    let mut first = serve(&flags).start();
    let caller = first.caller().await;
    caller.register_cold("test", &[("token", TOKEN)]).await;
    backend.always("/a", Does::text("late"));
    backend.close_the_door("/a");
    let url = callback_url("/app/test/msg", &[&backend.at("/a")]);
    // Nobody has a reply yet; after this nobody waits any more.
    Pusher::plain().push(&text("hi")).to(&caller, &url).await.is_refusal(504, -10024);
    let id = backend.only("/a").header("webhook-id").to_owned();
    backend.open_the_door("/a");
    eventually("the reply is on disk", async || caller.record(&id).await["answer"].is_object()).await;
    first.kill().await;

    let mut second = serve(&flags).start();
    let caller = second.caller().await;
    let late = settled(&caller, &id).await;
    assert_eq!(late["state"], "sent", "{late}");
    assert_eq!((sent(&wechat, SEND).len(), backend.calls("/a")), (1, 1));
}
