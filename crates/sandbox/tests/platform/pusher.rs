//! The pusher against servers that answer, hang up, redirect, say nothing: what they get, and what the user sees.

use sandbox::AccountKind::{MiniProgram, Official, Wecom};
use sandbox::{Account, AccountKind, Callback};
use serde_json::{Value, json};

use crate::client::{Events, Sandbox, within};
use crate::receiver::{Manner, Receiver, success, text_reply};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const NOTICE: &str = "该公众号暂时无法提供服务，请稍后再试";

/// An account whose pushes go to a receiver, in plain mode unless it is WeCom's.
async fn account(sandbox: &Sandbox, kind: AccountKind, receiver: &Receiver) -> Account {
    let account = sandbox.account(kind);
    let mut wish = json!({ "url": receiver.url(), "token": "token", "check": false });
    if kind == Wecom {
        wish["aes_key"] = json!(KEY);
    }
    let path = format!("/sandbox/accounts/{}/callback", account.appid);
    sandbox.control("PUT", &path, &wish).await.ok();
    account
}

async fn phone(sandbox: &Sandbox, account: &Account) -> String {
    let shown = sandbox.get(&format!("/sandbox/accounts/{}", account.appid)).await;
    shown["phone"].as_str().expect("the phone's user").to_owned()
}

/// Pushes and waits for the end.
async fn push(sandbox: &Sandbox, account: &Account, mut wish: Value) -> Value {
    wish["wait"] = json!(true);
    let answer = sandbox.control("POST", &format!("/sandbox/accounts/{}/push", account.appid), &wish).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

async fn chat(sandbox: &Sandbox, account: &Account) -> Vec<Value> {
    let chat = sandbox.get(&format!("/sandbox/accounts/{}/chat", account.appid)).await;
    chat["entries"].as_array().expect("entries").clone()
}

fn outcomes(push: &Value) -> Vec<&str> {
    push["tries"].as_array().expect("tries").iter().map(|tried| tried["outcome"].as_str().expect("a word")).collect()
}

#[tokio::test]
async fn a_url_is_checked_before_it_is_saved() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(Manner::Echo).await;
    let official = sandbox.account(Official);
    let path = format!("/sandbox/accounts/{}/callback", official.appid);
    let wish = json!({ "url": receiver.url(), "token": "token", "aes_key": KEY, "mode": "compatible" });
    let saved = sandbox.control("PUT", &path, &wish).await;
    saved.ok();
    assert_eq!(saved.json()["mode"], "compatible");
    let got = receiver.got().remove(0);
    assert_eq!(got.method, "GET");
    assert_eq!(got.names(), ["a", "signature", "timestamp", "nonce", "echostr"]);
    for (manner, hint) in [
        (Manner::Say(200, "\"1\"".into()), "wanted"),
        (Manner::Say(403, String::new()), "403"),
        (Manner::HangUp, "ended before"),
        (Manner::Redirect, "redirects"),
    ] {
        receiver.then([manner]);
        let refused = sandbox.control("PUT", &path, &json!({ "url": receiver.url(), "token": "other" })).await;
        assert_eq!(refused.status, 400);
        let text = refused.json()["error"].as_str().unwrap().to_owned();
        assert!(text.contains("nothing was saved") && text.contains(hint), "{text}");
    }
    assert_eq!(sandbox.get(&path).await["token"], "token");
    // WeCom's echostr is encrypted: giving it back as it is is not enough.
    let corp = sandbox.account(Wecom);
    let path = format!("/sandbox/accounts/{}/callback", corp.appid);
    let refused = sandbox.control("PUT", &path, &wish).await;
    assert!(refused.body.contains("decrypted echostr"), "{}", refused.body);
    assert_eq!(receiver.got().last().unwrap().names(), ["a", "msg_signature", "timestamp", "nonce", "echostr"]);
    sandbox.control("DELETE", &path, &Value::Null).await.ok();
    assert_eq!(sandbox.get(&path).await, Value::Null);
}

#[tokio::test]
async fn a_text_is_pushed_and_its_reply_is_seen() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(success()).await;
    let account = account(&sandbox, Official, &receiver).await;
    let openid = phone(&sandbox, &account).await;
    receiver.then([text_reply(&openid, &account.original_id, "<b>你好</b>")]);
    let pushed = push(&sandbox, &account, json!({ "text": "hi" })).await;
    assert_eq!((&pushed["outcome"], &pushed["msg_type"]), (&json!("replied"), &json!("text")));
    assert_eq!(pushed["shown"], json!({ "type": "text", "text": "<b>你好</b>" }));
    let tried = &pushed["tries"][0];
    assert_eq!((&tried["number"], &tried["status"], &tried["outcome"]), (&json!(1), &json!(200), &json!("replied")));
    let got = receiver.got().remove(0);
    assert_eq!(got.names(), ["a", "signature", "timestamp", "nonce", "openid"]);
    assert_eq!(got.param("openid"), openid);
    assert!(got.head.to_ascii_lowercase().contains("content-type: text/xml"), "{}", got.head);
    assert!(got.body.contains("<Content><![CDATA[hi]]></Content>"), "{}", got.body);
    assert!(got.body.contains(pushed["msg_id"].as_str().unwrap()));
    let entries = chat(&sandbox, &account).await;
    assert_eq!((&entries[0]["from"], &entries[1]["from"]), (&json!("user"), &json!("reply")));
    assert_eq!(entries[1]["push"], pushed["id"]);
    let read = sandbox.get(&format!("/sandbox/pushes/{}", pushed["id"])).await;
    assert_eq!(read, pushed);
}

#[tokio::test]
async fn three_tries_carry_the_same_message_under_new_signatures() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(success()).await;
    let account = account(&sandbox, Official, &receiver).await;
    receiver.then([Manner::HangUp, Manner::Say(500, "oops".into())]);
    let pushed = push(&sandbox, &account, json!({ "text": "hi" })).await;
    assert_eq!(outcomes(&pushed), ["hung_up", "http_status", "success"]);
    assert_eq!((&pushed["outcome"], &pushed["shown"]), (&json!("acknowledged"), &Value::Null));
    let got = receiver.got();
    assert!(got.iter().all(|one| one.body == got[0].body));
    assert_ne!(got[0].param("nonce"), got[1].param("nonce"));
    assert_ne!(got[0].param("signature"), got[1].param("signature"));
    receiver.then([Manner::HangUp]);
    push(&sandbox, &account, json!({ "text": "hi", "keep_signature": true, "timestamp": 1 })).await;
    let got = receiver.got().split_off(3);
    assert_eq!(got[0].query, got[1].query);
    assert_eq!(got[0].param("timestamp"), "1");
}

#[tokio::test]
async fn when_all_tries_fail_the_user_is_told() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(Manner::Say(200, "{\"errcode\":0}".into())).await;
    let official = account(&sandbox, Official, &receiver).await;
    let pushed = push(&sandbox, &official, json!({ "text": "hi" })).await;
    assert_eq!(outcomes(&pushed), ["malformed"; 3]);
    assert_eq!(pushed["shown"], json!({ "type": "unavailable", "text": NOTICE }));
    assert!(pushed["tries"][0]["reason"].as_str().unwrap().contains("no XML"));
    let last = chat(&sandbox, &official).await.pop().unwrap();
    assert_eq!((&last["from"], &last["content"]["text"]), (&json!("platform"), &json!(NOTICE)));
    let program = account(&sandbox, MiniProgram, &receiver).await;
    let pushed = push(&sandbox, &program, json!({ "text": "hi", "tries": 1 })).await;
    assert_eq!(pushed["shown"]["text"], "该小程序客服暂时无法提供服务，请稍后再试");
    let corp = account(&sandbox, Wecom, &receiver).await;
    let pushed = push(&sandbox, &corp, json!({ "text": "hi" })).await;
    assert_eq!((&pushed["outcome"], &pushed["shown"]), (&json!("failed"), &Value::Null));
    assert_eq!((&pushed["openid"], &pushed["agentid"]), (&json!("zhangsan"), &json!(1_000_002)));
}

#[tokio::test]
async fn what_goes_wrong_on_the_way_has_a_name() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(success()).await;
    let account = account(&sandbox, Official, &receiver).await;
    for (manner, outcome) in [
        (Manner::Redirect, "redirect"),
        (Manner::Half, "hung_up"),
        (Manner::HangUp, "hung_up"),
        (Manner::Say(204, String::new()), "http_status"),
        (Manner::Say(200, String::new()), "empty"),
        (Manner::Say(200, "x".repeat(1024 * 1024 + 1)), "too_long"),
    ] {
        receiver.then([manner]);
        let pushed = push(&sandbox, &account, json!({ "text": "hi", "tries": 1 })).await;
        assert_eq!(outcomes(&pushed), [outcome]);
    }
    let path = format!("/sandbox/accounts/{}/callback", account.appid);
    let nobody = format!("http://127.0.0.1:{}/", free_port().await);
    let unsafe_one = format!("https://{}/", receiver.address);
    for (url, outcome) in [(nobody, "no_connection"), (unsafe_one, "tls")] {
        sandbox.control("PUT", &path, &json!({ "url": url, "token": "token", "check": false })).await.ok();
        let pushed = push(&sandbox, &account, json!({ "text": "hi" })).await;
        assert_eq!(outcomes(&pushed), [outcome; 3], "{pushed}");
        let reason = pushed["tries"][0]["reason"].as_str().unwrap();
        assert!(!reason.contains("signature="), "{reason}");
    }
}

async fn free_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn a_try_ends_when_the_clock_has_gone_five_seconds_on() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(Manner::Never).await;
    let account = account(&sandbox, Official, &receiver).await;
    let mut events = Events::listen(&sandbox).await;
    let path = format!("/sandbox/accounts/{}/push", account.appid);
    let begun = sandbox.post(&path, &json!({ "text": "hi" })).await;
    assert_eq!((&begun["outcome"], &begun["tries"]), (&json!("under_way"), &json!([])));
    assert_eq!(events.next("push").await["outcome"], "under_way");
    for number in 1..=3 {
        sandbox.advance(4).await;
        sandbox.advance(1).await;
        let seen = events.next("push").await;
        assert_eq!(seen["tries"].as_array().unwrap().len(), number);
        assert_eq!(seen["tries"][number - 1]["outcome"], "timeout");
    }
    let ended = sandbox.get(&format!("/sandbox/pushes/{}?wait=true", begun["id"])).await;
    assert_eq!((&ended["outcome"], &ended["shown"]["text"]), (&json!("failed"), &json!(NOTICE)));
    sandbox.control("POST", "/sandbox/clock", &json!({ "pace": "live" })).await.ok();
    let pushed = push(&sandbox, &account, json!({ "text": "hi", "limit_ms": 50 })).await;
    assert_eq!(outcomes(&pushed), ["timeout"; 3]);
    assert!(pushed["tries"][0]["ms"].as_u64().unwrap() >= 50);
}

#[tokio::test]
async fn events_change_what_the_account_knows_and_notifications_are_not_answered() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(success()).await;
    let account = account(&sandbox, Official, &receiver).await;
    let openid = phone(&sandbox, &account).await;
    let event = |name: &str| json!({ "message": { "Event": name } });
    let reply = || text_reply(&openid, &account.original_id, "hi");
    let users = format!("/sandbox/accounts/{}/users", account.appid);
    receiver.then([reply()]);
    assert_eq!(push(&sandbox, &account, event("unsubscribe")).await["outcome"], "ignored");
    assert_eq!(sandbox.get(&users).await["users"][0]["following"], false);
    receiver.then([reply()]);
    let scanned = push(&sandbox, &account, json!({ "scan": "shop" })).await;
    assert_eq!((&scanned["event"], &scanned["outcome"]), (&json!("subscribe"), &json!("replied")));
    let user = &sandbox.get(&users).await["users"][0];
    assert_eq!((&user["following"], &user["messages_left"]), (&json!(true), &json!(3)));
    let scanned = push(&sandbox, &account, json!({ "scan": "shop" })).await;
    assert_eq!(scanned["event"], "SCAN");
    let bodies = receiver.got();
    assert!(bodies[1].body.contains("<EventKey><![CDATA[qrscene_shop]]></EventKey><Ticket>"), "{}", bodies[1].body);
    assert!(bodies[2].body.contains("<EventKey><![CDATA[shop]]></EventKey><Ticket>"), "{}", bodies[2].body);
    receiver.then([reply()]);
    let wish = json!({ "message": { "Event": "TEMPLATESENDJOBFINISH", "MsgID": 200_163_836, "Status": "success" } });
    let notified = push(&sandbox, &account, wish).await;
    assert_eq!((&notified["outcome"], &notified["shown"]), (&json!("ignored"), &Value::Null));
    assert!(receiver.got().pop().unwrap().body.contains("<MsgID>200163836</MsgID>"));
    receiver.then([Manner::HangUp, Manner::HangUp, Manner::HangUp]);
    let failed = push(&sandbox, &account, event("TEMPLATESENDJOBFINISH")).await;
    assert_eq!((&failed["outcome"], &failed["shown"]), (&json!("failed"), &Value::Null));
}

#[tokio::test]
async fn media_and_raw_texts_are_pushed() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(success()).await;
    let account = account(&sandbox, Official, &receiver).await;
    for kind in ["image", "voice", "video", "location", "link", "miniprogrampage"] {
        let pushed = push(&sandbox, &account, json!({ "message": { "MsgType": kind } })).await;
        assert_eq!(pushed["outcome"], "acknowledged");
    }
    let image = receiver.got().remove(0).body;
    let (_, rest) = image.split_once("<PicUrl><![CDATA[http://localhost").expect("a link");
    let path = rest.split_once("]]>").expect("its end").0;
    let mut connection = sandbox.connect().await;
    connection.send("GET", path, &[], "").await;
    let head = connection.head().await.expect("a head");
    assert!(head.contains("content-type: image/png") && head.contains("nosniff"), "{head}");
    push(&sandbox, &account, json!({ "raw": "<xml><a>1</a></xml>" })).await;
    assert_eq!(receiver.got().pop().unwrap().body, "<xml><a>1</a></xml>");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_pushes_at_once_all_arrive() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(success()).await;
    let account = account(&sandbox, Official, &receiver).await;
    let pushed = push(&sandbox, &account, json!({ "text": "hi", "count": 500 })).await;
    let pushes = pushed["pushes"].as_array().unwrap();
    assert_eq!(pushes.len(), 500);
    assert!(pushes.iter().all(|one| one["outcome"] == "acknowledged"));
    let ids: std::collections::HashSet<_> = pushes.iter().map(|one| one["msg_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), receiver.got().len()), (500, 500));
    let listed = sandbox.get(&format!("/sandbox/pushes?appid={}&limit=5000", account.appid)).await;
    assert_eq!(listed["pushes"].as_array().map(Vec::len), Some(500));
    assert_eq!(sandbox.control("DELETE", "/sandbox/pushes", &Value::Null).await.json(), json!({ "deleted": 500 }));
}

#[tokio::test]
async fn the_echo_backend_answers_in_the_format_that_it_gets() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let url = format!("http://{}/sandbox/backend", sandbox.address);
    let path = format!("/sandbox/accounts/{}/callback", account.appid);
    // It gives echostr back, so that it can be checked like any other.
    sandbox.control("PUT", &path, &json!({ "url": url, "token": "token" })).await.ok();
    let pushed = push(&sandbox, &account, json!({ "text": "hi" })).await;
    assert_eq!(pushed["shown"]["text"], "你说：hi");
    let pushed = push(&sandbox, &account, json!({ "message": { "MsgType": "image" } })).await;
    assert_eq!(pushed["shown"]["type"], "image");
    let message = r#"{"ToUserName":"gh","FromUserName":"o","MsgType":"text","Content":"hi"}"#;
    let answer = sandbox.send("POST", "/sandbox/backend?status=503", message).await;
    assert_eq!((answer.status, &answer.json()["Content"]), (503, &json!("你说：hi")));
    assert_eq!(sandbox.send("POST", "/sandbox/backend?empty=1", message).await.body, "");
    let received = sandbox.get("/sandbox/backend/received").await;
    let received = received["received"].as_array().unwrap();
    assert_eq!(received.len(), 5);
    assert_eq!((&received[3]["query"], &received[3]["status"]), (&json!("status=503"), &json!(503)));
    assert_eq!(received[3]["body"], message);
    assert_eq!(sandbox.send("POST", "/sandbox/backend?delay=9999999", message).await.status, 400);
}

#[tokio::test]
async fn what_cannot_be_pushed_is_refused_and_a_reset_ends_what_is_under_way() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(Manner::Never).await;
    let account = account(&sandbox, Official, &receiver).await;
    let without = sandbox.account(Official);
    let path = |account: &Account| format!("/sandbox/accounts/{}/push", account.appid);
    for (path, body, status, hint) in [
        (path(&without), json!({ "text": "hi" }), 409, "/callback"),
        ("/sandbox/accounts/wx0/push".into(), json!({ "text": "hi" }), 404, "lists those"),
        (path(&account), json!({}), 400, "one of text"),
        (path(&account), json!({ "text": "hi", "raw": "x" }), 400, "one of text"),
        (path(&account), json!({ "message": { "Content": "hi" } }), 400, "MsgType"),
        (path(&account), json!({ "text": "hi", "openid": "a b" }), 400, "openid"),
        (path(&account), json!({ "text": "hi", "count": 0 }), 400, "count"),
        (path(&account), json!({ "text": "hi", "tries": 99 }), 400, "tries"),
        (path(&account), json!({ "scan": "gQunknown" }), 400, "expired"),
    ] {
        let answer = sandbox.control("POST", &path, &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(answer.body.contains(hint), "{body}: {}", answer.body);
    }
    let mut waiting = sandbox.connect().await;
    waiting.send("POST", &path(&account), &[], r#"{"text":"hi","wait":true}"#).await;
    while receiver.got().is_empty() {
        tokio::task::yield_now().await;
    }
    sandbox.control("POST", "/sandbox/reset", &Value::Null).await.ok();
    assert_eq!(within(waiting.answer()).await.expect("an answer").json(), json!({ "pushes": [] }));
}

#[tokio::test]
async fn the_embedding_program_sets_callbacks_without_a_check() {
    let sandbox = Sandbox::start().await;
    let receiver = Receiver::start(success()).await;
    let account = sandbox.account(Official);
    let callback = Callback::new(&receiver.url(), "sandboxtoken", KEY).expect("usable settings");
    assert!(!format!("{callback:?}").contains("sandboxtoken"));
    sandbox.platform.set_callback(&account.appid, callback.clone()).expect("an account");
    sandbox.platform.set_demo_menu(&account.appid, &[("网页", "http://127.0.0.1:1/".to_owned())]).expect("an account");
    assert!(sandbox.platform.set_callback("wx0", callback).is_err());
    assert!(receiver.got().is_empty());
    let pushed = push(&sandbox, &account, json!({ "text": "hi" })).await;
    assert_eq!(pushed["outcome"], "acknowledged");
    let got = receiver.got().remove(0);
    assert_eq!(got.names(), ["a", "signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature"]);
    assert!(!got.body.contains("<Content>"), "{}", got.body);
    let shown = sandbox.get(&format!("/sandbox/accounts/{}", account.appid)).await;
    assert_eq!(shown["menu"]["button"].as_array().map(Vec::len), Some(3));
    assert_eq!(shown["callback"]["aes_key"], KEY);
}
