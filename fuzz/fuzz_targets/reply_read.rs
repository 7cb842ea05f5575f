//! A reply that was accepted is rendered as a document of the push's format that is accepted again, says the same, and
//! stays the same; and whatever can be sent later fits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::Message;
use wechat::document;
use wechat::reply::{Content, MAX_TEXT_BYTES, Reply};

const PUSH: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime>\
                    <MsgType>text</MsgType><Content>hi</Content><MsgId>1</MsgId></xml>";
const EVENT: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime>\
                     <MsgType>event</MsgType><Event>add_waybill</Event></xml>";

fuzz_target!(|data: &[u8]| {
    let kinds = [None, Some("application/json"), Some("text/html"), Some("text/xml")];
    let (first, body) = data.split_first().unwrap_or((&0, &[]));
    let content_type = kinds[usize::from(*first) % kinds.len()];
    let push = if *first < 128 { PUSH } else { EVENT };
    let xml = Message::read(push).expect("a push");
    let json = Message::read(xml.as_json()).expect("a push");
    let Ok(Some(reply)) = Reply::read(body, content_type, &xml) else { return };
    for push in [&xml, &json] {
        let rendered = reply.render(push, 2);
        let (format, _) = document::read(&rendered).expect("a document");
        // What a carrier answers may be an envelope of nothing, and controls characters do not survive.
        assert_eq!(format, push.format());
        let Ok(Some(again)) = Reply::read(&rendered, None, push) else { continue };
        assert_eq!(again.msg_type(), reply.msg_type());
        assert_eq!(again.render(push, 3), rendered);
    }
    for body in reply.as_customer_service("o1").unwrap_or_default() {
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert!(body["text"]["content"].as_str().unwrap_or_default().len() <= MAX_TEXT_BYTES);
    }
    let can_be_sent = !matches!(reply.content(), Content::TransferCustomerService { .. } | Content::Raw { .. });
    assert_eq!(reply.as_customer_service("o1").is_ok(), can_be_sent);
});
