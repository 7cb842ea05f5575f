//! How long the work on one callback takes: `cargo run --release -p wechat --example codec_bench`.
//!
//! Prints nanoseconds per message for an encrypted push of 1 KiB, as a whole and in its parts: the best of several
//! rounds, because a busy machine only ever adds. The whole has to stay below 10 µs.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program to look at")]

use std::hint::black_box;
use std::time::Instant;

use wechat::callback::{CallbackKeys, CallbackQuery, Opened};
use wechat::envelope::{EncodingAesKey, Envelope};
use wechat::json::{json_to_xml, xml_to_json};
use wechat::reply::Reply;
use wechat::signature::{callback_signature, message_signature};
use wechat::{Format, Message, xml};

/// Rounds, and messages in each.
const ROUNDS: usize = 20;
const MESSAGES: u32 = 2_000;

const TOKEN: &str = "spamtest";
const APPID: &str = "wxb11529c136998cb6";
const NOW: u64 = 1_700_000_000;

fn main() {
    let key = EncodingAesKey::parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    let keys = CallbackKeys::new(TOKEN, Some(&key), APPID);
    let envelope = Envelope::new(&key, APPID);
    let push = push();
    let json = xml_to_json(&push).unwrap();
    let encrypt = envelope.seal(&push, [7; 16]);
    let body = format!("<xml><ToUserName><![CDATA[gh_0]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");
    let timestamp = NOW.to_string();
    let query = format!(
        "signature={}&timestamp={timestamp}&nonce=415670741&openid=o9AgO5Kd5ggOC-bXrbNODIiE3bGY&encrypt_type=aes\
         &msg_signature={}",
        callback_signature(TOKEN, &timestamp, "415670741"),
        message_signature(TOKEN, &timestamp, "415670741", &encrypt),
    );
    let message = Message::read(push.clone()).unwrap();
    println!("a push of {} bytes, {} bytes encrypted; ns per message:", push.len(), body.len());

    measure("verify + decrypt + XML to JSON", || {
        let query = CallbackQuery::parse(black_box(&query));
        let Ok(Opened::Message(message)) = keys.open(&query, black_box(body.as_bytes()), NOW) else { return };
        black_box(message.into_message().as_json());
    });
    measure("verify + decrypt", || {
        let query = CallbackQuery::parse(black_box(&query));
        let _ = black_box(keys.open(&query, black_box(body.as_bytes()), NOW));
    });
    measure("  the query", || drop(black_box(CallbackQuery::parse(black_box(&query)))));
    measure("  the outer XML", || drop(black_box(xml::read(black_box(body.as_bytes())))));
    measure("  msg_signature", || {
        black_box(message_signature(TOKEN, &timestamp, "415670741", black_box(&encrypt)));
    });
    measure("  opening the envelope", || drop(black_box(envelope.open(black_box(&encrypt)))));
    measure("  reading the message", || drop(black_box(Message::read(push.clone()))));
    measure("XML to JSON", || drop(black_box(xml_to_json(black_box(&push)))));
    measure("JSON to XML", || drop(black_box(json_to_xml(black_box(&json)))));
    measure("a text reply, read and rendered", || {
        let reply = Reply::read(black_box(b"{\"MsgType\":\"text\",\"Content\":\"hello\"}"), None, &message);
        if let Ok(Some(reply)) = reply {
            black_box(reply.render(&message, NOW));
        }
    });
    measure("a reply, sealed", || {
        black_box(keys.seal_reply(black_box(&push), Format::Xml, NOW, "415670741", [7; 16]));
    });
}

/// A text message of 1 KiB, as WeChat writes it, with text in Chinese.
fn push() -> Vec<u8> {
    let text = "你好，我想问一下昨天的订单什么时候发货？ ".repeat(12);
    let push = format!(
        "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName>\n<FromUserName><![CDATA[o9AgO5Kd5ggOC-bXrbNODIiE3bGY]]>\
         </FromUserName>\n<CreateTime>{NOW}</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[{text}]]>\
         </Content>\n<MsgId>24388888888888888</MsgId>\n</xml>"
    );
    push.into_bytes()
}

fn measure(name: &str, mut work: impl FnMut()) {
    let round = |work: &mut dyn FnMut()| {
        let begin = Instant::now();
        for _ in 0..MESSAGES {
            work();
        }
        begin.elapsed() / MESSAGES
    };
    let best = (0..ROUNDS).map(|_| round(&mut work)).min().unwrap_or_default();
    println!("{:>8}  {name}", best.as_nanos());
}
