//! What a push tells about itself.

use wechat::Format;
use wechat::message::{Identity, Message};

fn message(content: &str) -> Message {
    Message::read(format!("<xml>{content}</xml>").into_bytes()).unwrap()
}

fn event(name: &str) -> Message {
    message(&format!("<FromUserName>o</FromUserName><MsgType>event</MsgType><Event>{name}</Event>"))
}

#[test]
fn fields_are_read_from_both_formats() {
    let xml = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oA]]></FromUserName>\
               <CreateTime>1700000000</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[CLICK]]></Event>\
               <EventKey><![CDATA[k]]></EventKey><AgentID>218</AgentID></xml>";
    let json = r#"{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":1700000000,"MsgType":"event","Event":"CLICK","EventKey":"k","AgentID":218}"#;
    for (bytes, format) in [(xml, Format::Xml), (json, Format::Json)] {
        let message = Message::read(bytes.as_bytes().to_vec()).unwrap();
        assert_eq!(message.format(), format);
        assert_eq!(message.to_user_name(), Some("gh_1"));
        assert_eq!(message.from_user_name(), Some("oA"));
        assert_eq!(message.create_time(), Some("1700000000"));
        assert_eq!(
            (message.msg_type(), message.event(), message.event_key()),
            (Some("event"), Some("CLICK"), Some("k"))
        );
        assert_eq!((message.agent_id(), message.msg_id(), message.info_type()), (Some("218"), None, None));
        assert!(message.is_wecom());
        assert_eq!(message.as_xml(), xml.as_bytes());
        assert_eq!(message.as_json(), json.as_bytes());
        assert_eq!(message.bytes(), bytes.as_bytes());
    }
}

#[test]
fn a_field_that_holds_others_or_comes_twice_is_no_trap() {
    let message =
        message("<MsgType><a>text</a></MsgType><FromUserName>first</FromUserName><FromUserName>second</FromUserName>");
    assert_eq!((message.msg_type(), message.from_user_name()), (None, Some("first")));
}

#[test]
fn messages_have_an_id_and_events_are_told_by_all_their_bytes() {
    let text = message("<MsgType>text</MsgType><MsgId>24388888888888888</MsgId>");
    assert_eq!(text.identity(), Identity::MsgId("24388888888888888"));
    let others = [
        "<MsgType>event</MsgType><Event>CLICK</Event>",
        // A job's number is no message's number, and an event's is none either.
        "<MsgType>event</MsgType><Event>MASSSENDJOBFINISH</Event><MsgID>1</MsgID>",
        "<MsgType>event</MsgType><MsgId>1</MsgId>",
        "<MsgType>text</MsgType><MsgId>0</MsgId>",
        "<MsgType>text</MsgType><MsgId></MsgId>",
        "<MsgType>text</MsgType>",
        "<InfoType>component_verify_ticket</InfoType>",
    ];
    for other in others {
        assert_eq!(message(other).identity(), Identity::Whole, "{other}");
    }
}

#[test]
fn what_users_do_is_told_from_what_systems_do() {
    for msg_type in ["text", "image", "voice", "video", "shortvideo", "location", "link", "miniprogrampage", "file"] {
        assert!(message(&format!("<FromUserName>o</FromUserName><MsgType>{msg_type}</MsgType>")).is_from_user());
    }
    let by_users = [
        "subscribe",
        "SCAN",
        "CLICK",
        "VIEW",
        "scancode_push",
        "scancode_waitmsg",
        "pic_sysphoto",
        "pic_photo_or_album",
        "pic_weixin",
        "location_select",
        "user_enter_tempsession",
        "click",
        "view",
        "enter_agent",
    ];
    for name in by_users {
        assert!(event(name).is_from_user(), "{name}");
    }
    let by_systems = [
        "unsubscribe",
        "LOCATION",
        "TEMPLATESENDJOBFINISH",
        "MASSSENDJOBFINISH",
        "kf_close_session",
        "debug_demo",
        "wxa_media_check",
        "change_contact",
        "batch_job_result",
        "poi_check_notify",
        "",
        "something_new",
    ];
    for name in by_systems {
        assert!(!event(name).is_from_user(), "{name}");
    }
    assert!(!message("<MsgType>text</MsgType>").is_from_user());
    assert!(!message("<FromUserName>o</FromUserName><InfoType>suite_ticket</InfoType>").is_from_user());
    assert!(!message("<FromUserName>o</FromUserName><MsgType>device_text</MsgType>").is_from_user());
}

#[test]
fn carriers_events_want_data() {
    for name in ["add_waybill", "cancel_waybill", "check_biz", "get_quota", "debug_demo"] {
        assert!(event(name).wants_business_reply(), "{name}");
    }
    assert!(!event("CLICK").wants_business_reply());
    assert!(!message("<MsgType>text</MsgType><Event>add_waybill</Event>").wants_business_reply());
}

#[test]
fn other_bytes_are_no_message() {
    let cases: [(&[u8], &str); 5] = [
        (b"", "has to begin with <xml>"),
        (b"hello", "has to begin with <xml>"),
        (b"<root/>", "not <xml>"),
        (b"{\"a\":", "part of it is missing"),
        (b"<xml><a>", "part of it is missing"),
    ];
    for (bytes, says) in cases {
        let error = Message::read(bytes.to_vec()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
