//! Callbacks that are not WeChat's, or make no sense: a clear refusal, no backend reached, nothing kept, and a line in the log.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::backend::Does;
use crate::harness::databases::Database;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::process::serve;
use crate::harness::scene::Scene;
use crate::harness::server::Flags;
use crate::harness::wechat_pushes::{AES, Push, Pusher, TOKEN, callback_url, fresh_msg_id, message, now, text};
use crate::harness::within;

/// The codes of refusals: the HTTP status and `errcode`.
type Code = (u16, i64);
const FORGED: Code = (403, -10020);
const SENSELESS: Code = (400, -10021);
const BAD_CALL: Code = (400, -10022);
const BAD_PARAMETER: Code = (400, -10003);

async fn refused(scene: &Scene, what: &str, push: Push, (status, errcode): Code) -> String {
    let answer = push.to(&scene.server, &scene.url(&["/a"])).await;
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    answer.is_refusal(status, errcode).errmsg()
}

/// No backend was reached, nothing is kept, and the next message is taken as ever.
async fn nothing_happened(scene: &Scene) {
    assert_eq!(scene.backend.all_calls(), 0);
    assert!(scene.server.messages(&[]).await.is_empty());
    let answer = scene.reply_to(&text("hi"), "/good", Does::text("alive")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scene.backend.calls("/good"), 1);
}

fn forgeries(pusher: &Pusher) -> Vec<(&'static str, Push)> {
    let good = || pusher.push(&text("hi"));
    let at = |seconds: u64| pusher.push_at(&text("hi"), seconds);
    vec![
        ("another token", pusher.with_token("BBBBB").push(&text("hi"))),
        ("a wrong signature", good().with("signature", &"0".repeat(40))),
        ("a short signature", good().with("signature", "0")),
        ("no nonce", good().without("nonce")),
        ("another nonce", good().with("nonce", "1")),
        ("no timestamp", good().without("timestamp")),
        ("another timestamp", good().with("timestamp", &(now() + 1).to_string())),
        ("an old timestamp", at(now() - 3700)),
        ("a future timestamp", at(now() + 3700)),
        ("a timestamp of the last century", at(0)),
        ("a timestamp of no time", at(u64::MAX)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_message_that_is_not_surely_wechats_is_refused() {
    let scene = Scene::plain().await;
    let mut forged = forgeries(&scene.pusher);
    let good = || scene.pusher.push(&text("hi"));
    forged.push(("no signature", good().without("signature")));
    forged.push(("an empty signature", good().with("signature", "")));
    let (token, nonce) = (TOKEN, "1");
    let signed = crate::harness::wechat_pushes::signature(&[token, "soon", nonce]);
    forged.push((
        "a timestamp that is no number",
        good().with("timestamp", "soon").with("nonce", nonce).with("signature", &signed),
    ));
    for (what, push) in forged {
        refused(&scene, what, push, FORGED).await;
    }
    let errmsg = refused(&scene, "an old one", scene.pusher.push_at(&text("hi"), now() - 7200), FORGED).await;
    assert!(errmsg.contains("72") && errmsg.contains("clock"), "{errmsg}");
    // Almost an hour old, or ahead, is none of it: clocks differ, and WeChat's tries take their time.
    for seconds in [now() - 3500, now() + 3500] {
        let answer = scene.pusher.push_at(&text("hi"), seconds).to(&scene.server, &scene.url(&["/in-time"])).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!((scene.backend.all_calls(), scene.backend.calls("/in-time")), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_safe_mode_nothing_gets_round_the_encryption() {
    let scene = Scene::safe().await;
    let pusher = &scene.pusher;
    let good = || pusher.push(&text("hi"));
    let mut forged = forgeries(pusher);
    forged.extend([
        ("a wrong msg_signature", good().with("msg_signature", &"0".repeat(40))),
        ("no msg_signature", good().without("msg_signature")),
        ("an empty msg_signature", good().with("msg_signature", "")),
        ("neither encrypt_type nor msg_signature", good().without("encrypt_type").without("msg_signature")),
        ("encrypt_type raw", good().with("encrypt_type", "raw")),
        ("a plain message", Pusher::plain().push(&text("hi"))),
        ("a plain message that says aes", Pusher::plain().push(&text("hi")).with("encrypt_type", "aes")),
        ("compatible mode without encrypt_type and msg_signature", {
            pusher.compatible(&text("hi")).without("encrypt_type").without("msg_signature")
        }),
        ("the msg_signature of another message", { good().with_body(pusher.push(&text("other")).body) }),
    ]);
    for (what, push) in forged {
        refused(&scene, what, push, FORGED).await;
    }
    let errmsg = refused(&scene, "plain", Pusher::plain().push(&text("hi")), FORGED).await;
    assert!(errmsg.contains("safe mode") && errmsg.contains("clear aes"), "{errmsg}");

    let envelope = |encrypt: &str| format!("<xml><ToUserName>gh</ToUserName><Encrypt>{encrypt}</Encrypt></xml>");
    let sealed = |encrypt: &str| pusher.signed(Some(encrypt), envelope(encrypt).as_bytes(), now());
    let mut cut = pusher.encrypt(text("hi").as_bytes());
    cut.replace_range(..8, "");
    let senseless = [
        ("for another appid", pusher.for_id("wxffffffffffffffff").push(&text("hi"))),
        ("for no appid", pusher.for_id("").push(&text("hi"))),
        ("no base64", sealed("%%%%")),
        ("half a block", sealed("AAAAAAAA")),
        ("noise", sealed(&"A".repeat(128))),
        ("a cut ciphertext", sealed(&cut)),
        ("no message inside", pusher.push("this is no message")),
        ("a page inside", pusher.push("<html></html>")),
        ("plain under a signed envelope", good().with_body(text("hi"))),
        ("no envelope", good().with_body("nothing at all")),
        ("an empty body", good().with_body("")),
    ];
    for (what, push) in senseless {
        let errmsg = refused(&scene, what, push, SENSELESS).await;
        assert!(!errmsg.contains(TOKEN) && !errmsg.contains(AES), "{errmsg}");
    }
    nothing_happened(&scene).await;
}

/// Bodies that no message has, as XML or JSON.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let whole = text("hi");
    let deep = format!("<xml>{}{}</xml>", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let deep_json = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let entity = |name: &str| whole.replace("hi", name).replace("<![CDATA[", "").replace("]]>", "");
    let bomb = "<!DOCTYPE xml [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
    let file = "<!DOCTYPE xml [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    vec![
        ("truncated", whole.as_bytes()[..whole.len() - 20].to_vec()),
        ("two roots", format!("{whole}{whole}").into()),
        ("another root", whole.replace("xml>", "XML>").into()),
        ("deep", deep.into()),
        ("deep JSON", deep_json.into()),
        ("a DTD", format!("<!DOCTYPE xml>{whole}").into()),
        ("a bomb", format!("{bomb}{}", entity("&b;")).into()),
        ("a file", format!("{file}{}", entity("&x;")).into()),
        ("an unknown entity", entity("&nbsp;").into()),
        (
            "no UTF-8",
            whole.replace("hi", "\u{0}").into_bytes().iter().map(|b| if *b == 0 { 0xff } else { *b }).collect(),
        ),
        ("GBK", [b"<xml><Content>".to_vec(), vec![0xc4, 0xe3], b"</Content></xml>".to_vec()].concat()),
        ("crossed", whole.replace("</Content>", "</content>").into()),
        ("an array", b"[1,2]".to_vec()),
        ("half JSON", b"{\"MsgType\":\"text\",".to_vec()),
        ("a number", b"42".to_vec()),
        ("many elements", format!("<xml>{}</xml>", "<a/>".repeat(50_000)).into()),
        ("nothing", Vec::new()),
        ("white space", b" \n ".to_vec()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_bodies_are_refused_in_plain_mode_and_inside_envelopes() {
    let (plain, safe) = (Scene::plain().await, Scene::safe().await);
    for (what, body) in malformed() {
        refused(&plain, what, plain.pusher.signed(None, &body, now()), SENSELESS).await;
        let encrypt = safe.pusher.encrypt(&body);
        let envelope = format!("<xml><ToUserName>gh</ToUserName><Encrypt>{encrypt}</Encrypt></xml>");
        let push = safe.pusher.signed(Some(&encrypt), envelope.as_bytes(), now());
        refused(&safe, what, push, SENSELESS).await;
        // As the envelope itself, which is read before its signature can be checked.
        let push = safe.pusher.push(&text("hi")).with_body(body);
        refused(&safe, what, push, SENSELESS).await;
    }
    nothing_happened(&plain).await;
    nothing_happened(&safe).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_may_have_a_megabyte_and_no_more() {
    let scene = Scene::plain().await;
    let padded = |length: usize| {
        let message = message("text", "<Content></Content>", fresh_msg_id());
        let padding = "x".repeat(length - message.len());
        message.replace("<Content>", &format!("<Content>{padding}"))
    };
    let largest = padded(1024 * 1024);
    let answer = scene.bring(&largest, &["/a"]).await;
    assert_eq!((answer.status, scene.backend.only("/a").text().len()), (200, largest.len()), "{}", answer.text());
    refused(&scene, "a byte more", scene.pusher.push(&padded(1024 * 1024 + 1)), (413, -10007)).await;
    // Of much more the server does not hear the end: then the refusal may be lost with the connection.
    let much_more = scene.pusher.push(&padded(30 * 1024 * 1024)).try_to(&scene.server, &scene.url(&["/a"])).await;
    assert!(much_more.is_none_or(|answer| answer.status == 413));
    assert_eq!(scene.backend.all_calls(), 1);
    assert_eq!(scene.server.messages(&[]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let scene = Scene::plain().await;
    let push = scene.pusher.push(&text("hi"));
    let address = scene.server.url.strip_prefix("http://").unwrap();
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n",
        push.target(&scene.url(&["/a"])),
        push.body.len()
    );
    let half = [head.as_bytes(), &push.body[..push.body.len() / 2]].concat();

    let mut broken = TcpStream::connect(address).await.unwrap();
    broken.write_all(&half).await.unwrap();
    drop(broken);
    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(&half).await.unwrap();
    let (begin, mut said) = (Instant::now(), vec![0; 12]);
    within("an answer", silent.read_exact(&mut said)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&said), "HTTP/1.1 400");
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    nothing_happened(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_parameters_that_make_no_sense_are_refused_with_a_sentence() {
    let scene = Scene::plain().await;
    let calls = [
        ("", "msg_call"),
        ("call=", "msg_call"),
        ("call=nonsense", "number 1"),
        ("call=ftp%3A%2F%2Fa%2F", "number 1"),
        ("call=file%3A%2F%2F%2Fetc%2Fpasswd", "number 1"),
        ("call=http%3A%2F%2F", "number 1"),
        ("call=%2F%2Fevil.example%2F", "number 1"),
        ("call=http%3A%2F%2Fa%20b%2F", "number 1"),
        ("call=javascript%3Aalert(1)", "number 1"),
        ("call=http%3A%2F%2Fa%2F&call=x", "number 2"),
    ];
    let too_many = "&call=http%3A%2F%2Fa%2F".repeat(21);
    let too_long = format!("call=http%3A%2F%2Fa%2F{}", "x".repeat(3000));
    for (query, says) in calls.into_iter().chain([(too_many.as_str(), "at most"), (too_long.as_str(), "number 1")]) {
        let url = format!("/app/test/msg?{query}");
        let answer = scene.pusher.push(&text("hi")).to(&scene.server, &url).await;
        let errmsg = answer.is_refusal(BAD_CALL.0, BAD_CALL.1).errmsg();
        assert!(errmsg.contains(says), "{query}: {errmsg}");
        // The signature comes first: who has none learns nothing.
        scene.pusher.push(&text("hi")).with("nonce", "1").to(&scene.server, &url).await.is_refusal(FORGED.0, FORGED.1);
    }
    for query in ["patience=0", "patience=4", "patience=9", "patience=x", "late=x", "late=-1", "late=3601", "late=1.5"]
    {
        let url = format!("{}&{query}", scene.url(&["/a"]));
        let answer = scene.pusher.push(&text("hi")).to(&scene.server, &url).await;
        let errmsg = answer.is_refusal(BAD_PARAMETER.0, BAD_PARAMETER.1).errmsg();
        assert!(errmsg.contains(query.split('=').next().unwrap()), "{errmsg}");
    }
    let answer =
        scene.pusher.push(&text("hi")).to(&scene.server, &callback_url("/app/nobody/msg", &["http://a/"])).await;
    answer.is_refusal(404, -10004);
    for query in ["x=%ff", "signature=%ff"] {
        let url = format!("{}&{query}", scene.url(&["/a"]));
        scene.pusher.push(&text("hi")).to(&scene.server, &url).await.is_refusal(400, -10003);
    }
    nothing_happened(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_sites_send_no_callbacks() {
    let scene = Scene::unverified().await;
    let url = scene.url(&["/a"]);
    for (name, value) in [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let page = scene.server.caller.with(name, value);
        scene.pusher.push(&text("hi")).to(&page, &url).await.is_refusal(403, -10019);
        page.get(&format!("{url}&echostr=1")).await.is_refusal(403, -10019);
    }
    let reverse_proxy = scene.server.caller.with("x-forwarded-for", "203.0.113.7");
    scene.pusher.push(&text("hi")).to(&reverse_proxy, &url).await.is_refusal(403, -10008);
    nothing_happened(&scene).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_leaves_a_line_in_the_log_without_secrets() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    let mut process = serve(&Flags::new(&database, &wechat.url)).start();
    let server = process.caller().await;
    server.register_cold("locked", &[("token", TOKEN), ("aes", AES)]).await;
    server.register_cold("free", &[]).await;
    let url = |key: &str| callback_url(&format!("/app/{key}/msg"), &["http://127.0.0.1:9/hook?password=HUSH"]);
    let safe = Pusher::safe();
    let refusals = [
        (safe.push(&text("HUSH")).with("msg_signature", &"0".repeat(40)), "msg_signature does not match"),
        (Pusher::plain().push(&text("HUSH")), "switch the account's console to safe mode"),
        (safe.for_id("wxffffffffffffffff").push(&text("HUSH")), "appid"),
        (safe.push_at(&text("HUSH"), now() - 4000), "s old"),
    ];
    for (push, says) in refusals {
        let before = process.err().lines().count();
        let answer = push.to(&server, &url("locked")).await;
        assert!((400..500).contains(&answer.status), "{}", answer.text());
        process_logged(&process, before, &["locked", says]).await;
    }
    let before = process.err().lines().count();
    for _ in 0..3 {
        let answer = Pusher::plain().push(&text("HUSH")).to(&server, &url("free")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    process_logged(&process, before, &["free", "not verified"]).await;
    let log = process.err();
    assert_eq!(log.matches("not verified").count(), 1, "said once: {log}");
    for secret in ["HUSH", TOKEN, AES] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

/// Waits for a line with all of these words behind the first `before` lines.
async fn process_logged(process: &crate::harness::process::Process, before: usize, words: &[&str]) {
    let what = format!("a log line with {words:?}");
    crate::harness::eventually(&what, async || {
        process.err().lines().skip(before).any(|line| words.iter().all(|word| line.contains(word)))
    })
    .await;
}
