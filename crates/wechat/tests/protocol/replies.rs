//! What backends answer, and what WeChat gets of it.

use serde_json::{Value, json};
use wechat::message::Message;
use wechat::reply::{Article, Content, Reply, ReplyError};

const XML_PUSH: &str = "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><FromUserName><![CDATA[oABC]]></FromUserName>\
                        <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType>\
                        <Content><![CDATA[hi]]></Content><MsgId>1</MsgId></xml>";
const JSON: Option<&str> = Some("application/json; charset=utf-8");
const HTML: Option<&str> = Some("text/html; charset=UTF-8");
/// What every complete reply to the push begins with.
const HEAD: &str = "<ToUserName><![CDATA[oABC]]></ToUserName><FromUserName><![CDATA[gh_0123456789ab]]></FromUserName>\
                    <CreateTime>1700000001</CreateTime>";

fn push() -> Message {
    Message::read(XML_PUSH).unwrap()
}

fn json_push() -> Message {
    Message::read(push().as_json()).unwrap()
}

pub(crate) fn reply(body: &str) -> Reply {
    read(body, None).unwrap_or_else(|error| panic!("{body}: {error}")).unwrap_or_else(|| panic!("{body}: no reply"))
}

fn read(body: &str, content_type: Option<&str>) -> Result<Option<Reply>, ReplyError> {
    Reply::read(body.as_bytes(), content_type, &push())
}

fn refused(body: &str) -> ReplyError {
    read(body, None).err().unwrap_or_else(|| panic!("{body} was accepted"))
}

fn rendered(body: &str, content_type: Option<&str>) -> String {
    let reply = read(body, content_type).unwrap().unwrap();
    String::from_utf8(reply.render(&push(), 1_700_000_001)).unwrap()
}

#[test]
fn no_reply_has_many_forms() {
    let bodies = [
        "",
        " \r\n\t",
        "success",
        " success\n",
        "\"success\"",
        "'success'",
        "null",
        "\"\"",
        "{}",
        " { } ",
        "[]",
        "<xml></xml>",
        "<xml/>",
        "\u{FEFF}success",
        "\u{FEFF}",
    ];
    for body in bodies {
        for content_type in [None, JSON, HTML, Some("text/xml")] {
            assert!(read(body, content_type).unwrap().is_none(), "{body:?}");
        }
    }
    assert!(read("\" success \"", JSON).unwrap().is_none());
}

#[test]
fn a_complete_reply_goes_on_byte_for_byte() {
    let replies = [
        "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hello]]></Content>",
        "<MsgType>text</MsgType>\n  <Content>1 &lt; 2</Content>\n<FuncFlag>0</FuncFlag>",
        "<MsgType><![CDATA[image]]></MsgType><Image><MediaId><![CDATA[M]]></MediaId></Image>",
        "<MsgType><![CDATA[voice]]></MsgType><Voice><MediaId><![CDATA[M]]></MediaId></Voice>",
        "<MsgType><![CDATA[video]]></MsgType><Video><MediaId><![CDATA[M]]></MediaId><Title><![CDATA[t]]></Title>\
         <Description><![CDATA[d]]></Description></Video>",
        "<MsgType><![CDATA[music]]></MsgType><Music><Title><![CDATA[t]]></Title><Description><![CDATA[d]]></Description>\
         <MusicUrl><![CDATA[u]]></MusicUrl><HQMusicUrl><![CDATA[hu]]></HQMusicUrl><ThumbMediaId><![CDATA[M]]></ThumbMediaId>\
         </Music>",
        "<MsgType><![CDATA[news]]></MsgType><ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[t]]></Title>\
         <Description><![CDATA[d]]></Description><PicUrl><![CDATA[p]]></PicUrl><Url><![CDATA[u]]></Url></item></Articles>",
        "<MsgType><![CDATA[transfer_customer_service]]></MsgType><TransInfo><KfAccount><![CDATA[test1@test]]></KfAccount>\
         </TransInfo>",
        "<MsgType><![CDATA[update_button]]></MsgType><Button><ReplaceName><![CDATA[R]]></ReplaceName></Button>",
    ];
    for content in replies {
        let body = format!("<xml>{HEAD}{content}</xml>");
        assert_eq!(rendered(&body, None), body);
        assert_eq!(
            rendered(&format!("\u{FEFF}\n<?xml version='1.0'?>{body}\n"), HTML),
            format!("<?xml version='1.0'?>{body}")
        );
        // In another format, and back, it says the same.
        let as_json = reply(&body).render(&json_push(), 1);
        let again = Reply::read(&as_json, JSON, &json_push()).unwrap().unwrap();
        assert_eq!(again.content(), reply(&body).content());
        assert_eq!(again.render(&json_push(), 1), as_json);
    }
}

#[test]
fn characters_that_xml_cannot_hold_cost_only_themselves() {
    let body = format!("<xml>{HEAD}<MsgType>text</MsgType><Content>a\u{7}b</Content></xml>");
    let expected =
        format!("<xml>{HEAD}<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[a\u{FFFD}b]]></Content></xml>");
    assert_eq!(rendered(&body, None), expected);
}

#[test]
fn what_a_reply_leaves_out_is_filled_in() {
    let complete = format!("<xml>{HEAD}<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hello]]></Content></xml>");
    let bodies = [
        ("hello", None),
        ("hello\n", Some("text/plain")),
        ("\"hello\"", JSON),
        ("hello", HTML),
        ("hello", JSON),
        (r#"{"MsgType":"text","Content":"hello"}"#, JSON),
        (r#" {"MsgType":"text","Content":"hello"}"#, None),
        ("<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hello]]></Content></xml>", None),
        (
            "<xml><ToUserName></ToUserName><CreateTime/><MsgType><![CDATA[text]]></MsgType>\
             <Content><![CDATA[hello]]></Content></xml>",
            None,
        ),
    ];
    for (body, content_type) in bodies {
        assert_eq!(rendered(body, content_type), complete, "{body}");
    }
}

#[test]
fn a_reply_is_rendered_in_the_format_of_the_push() {
    let reply = reply("<xml><MsgType>text</MsgType><Content>123</Content></xml>");
    let rendered: Value = serde_json::from_slice(&reply.render(&json_push(), 5)).unwrap();
    let expected = json!({
        "ToUserName": "oABC", "FromUserName": "gh_0123456789ab", "CreateTime": 5, "MsgType": "text", "Content": "123",
    });
    assert_eq!(rendered, expected);
}

#[test]
fn a_number_for_a_text_becomes_a_string() {
    let body =
        r#"{"ToUserName":"oABC","FromUserName":"gh_0123456789ab","CreateTime":5,"MsgType":"text","Content":123}"#;
    let reply = Reply::read(body.as_bytes(), None, &json_push()).unwrap().unwrap();
    let rendered = String::from_utf8(reply.render(&json_push(), 6)).unwrap();
    assert_eq!(rendered, body.replace(":123}", ":\"123\"}"));
}

#[test]
fn a_time_in_quotes_becomes_a_number_where_that_matters() {
    let xml = "<xml><CreateTime><![CDATA[5]]></CreateTime><MsgType>text</MsgType><Content>x</Content></xml>";
    let rendered = reply(xml).render(&json_push(), 6);
    let rendered: Value = serde_json::from_slice(&rendered).unwrap();
    assert_eq!(rendered["CreateTime"], 5);
}

#[test]
fn json_may_be_written_loosely() {
    let image = Content::Image { media_id: "M".into() };
    for body in [r#"{"MsgType":"image","Image":{"MediaId":"M"}}"#, r#"{"MsgType":"image","MediaId":"M"}"#] {
        assert_eq!(reply(body).content(), &image);
        let expected = format!(
            "<xml>{HEAD}<MsgType><![CDATA[image]]></MsgType><Image><MediaId><![CDATA[M]]></MediaId></Image></xml>"
        );
        assert_eq!(rendered(body, None), expected);
    }
    let music = reply(r#"{"MsgType":"music","MusicUrl":"u","ThumbMediaId":"M","Other":1}"#);
    let Content::Music(content) = music.content() else { panic!("{music:?}") };
    assert_eq!((content.music_url.as_str(), content.thumb_media_id.as_str()), ("u", "M"));
    let rendered = String::from_utf8(music.render(&push(), 1)).unwrap();
    assert!(rendered.contains("<Other><![CDATA[1]]></Other><Music><MusicUrl>"), "{rendered}");
}

#[test]
fn articles_may_be_a_list_or_hold_items() {
    let expected = format!(
        "<xml>{HEAD}<MsgType><![CDATA[news]]></MsgType><ArticleCount>2</ArticleCount><Articles>\
         <item><Title><![CDATA[t]]></Title><Url><![CDATA[u]]></Url><Description><![CDATA[]]></Description>\
         <PicUrl><![CDATA[]]></PicUrl></item>\
         <item><Title><![CDATA[2]]></Title><Description><![CDATA[]]></Description><PicUrl><![CDATA[]]></PicUrl>\
         <Url><![CDATA[]]></Url></item></Articles></xml>"
    );
    let bodies = [
        r#"{"MsgType":"news","Articles":[{"Title":"t","Url":"u"},{"Title":2}]}"#,
        r#"{"MsgType":"news","Articles":{"item":[{"Title":"t","Url":"u"},{"Title":"2"}]}}"#,
        r#"{"MsgType":"news","ArticleCount":7,"Articles":[{"Title":"t","Url":"u"},{"Title":"2"}]}"#,
        "<xml><MsgType>news</MsgType><Articles><item><Title>t</Title><Url>u</Url></item><item><Title>2</Title></item>\
         </Articles></xml>",
    ];
    for body in bodies {
        assert_eq!(rendered(body, None), expected, "{body}");
    }
    let one = Article { title: "t".into(), url: "u".into(), ..Article::default() };
    let reply = reply(r#"{"MsgType":"news","Articles":{"item":{"Title":"t","Url":"u"}}}"#);
    assert_eq!(reply.content(), &Content::News(vec![one]));
}

#[test]
fn texts_may_hold_markup_but_pages_are_none() {
    let texts = [
        ("<a href=\"http://u\">hello</a>", None),
        ("<a href=\"http://u\">hello</a>", HTML),
        ("<a\nhref='u'>x</a>", Some("text/xml")),
        ("<3", HTML),
        ("<b>x", Some("text/plain")),
        ("1 < 2", HTML),
        ("[微笑]", None),
        ("[微笑]", JSON),
        ("true", None),
        ("42", None),
        ("\"quoted\"", None),
    ];
    for (body, content_type) in texts {
        assert_eq!(read(body, content_type).unwrap().unwrap().content(), &Content::Text(body.into()), "{body}");
    }
    let pages = [
        ("<!DOCTYPE html><html><body>502</body></html>", None),
        ("  <!doctype HTML>", Some("text/plain")),
        ("<html lang=\"en\">", None),
        ("<HTML>", None),
        ("<h1>Not Found</h1>", HTML),
        ("<br />\n<b>Fatal error</b>: Uncaught", HTML),
        ("<pre>Error: x</pre>", Some("Text/HTML")),
    ];
    for (body, content_type) in pages {
        assert_eq!(read(body, content_type).unwrap_err(), ReplyError::Html, "{body}");
    }
    for body in ["true", "false", "42", "[1]", "[{\"MsgType\":\"text\"}]"] {
        assert_eq!(read(body, JSON).unwrap_err(), ReplyError::JsonValue, "{body}");
    }
    assert_eq!(Reply::read(b"\xC4\xE3\xBA\xC3", None, &push()).unwrap_err(), ReplyError::Encoding);
}

#[test]
fn each_type_needs_what_the_documents_say() {
    let missing = [
        (r#"{"MsgType":"text"}"#, "Content"),
        (r#"{"MsgType":"text","Content":" "}"#, "Content"),
        (r#"{"MsgType":"text","Content":{"a":1}}"#, "Content"),
        (r#"{"MsgType":"image"}"#, "Image.MediaId"),
        ("<xml><MsgType>image</MsgType><Image><MediaId></MediaId></Image></xml>", "Image.MediaId"),
        (r#"{"MsgType":"voice"}"#, "Voice.MediaId"),
        (r#"{"MsgType":"video","Video":{"Title":"t"}}"#, "Video.MediaId"),
        (r#"{"MsgType":"music","Music":{"MusicUrl":"u"}}"#, "Music.ThumbMediaId"),
        (r#"{"MsgType":"news"}"#, "Articles.item"),
        (r#"{"MsgType":"news","Articles":[]}"#, "Articles.item"),
        (r#"{"MsgType":"news","Articles":[{"Url":"u"}]}"#, "Articles.item.Title"),
    ];
    for (body, expected) in missing {
        let ReplyError::Missing { element, .. } = refused(body) else { panic!("{body}") };
        assert_eq!(element, expected, "{body}");
        assert!(refused(body).to_string().contains(expected));
    }
    let articles = vec![json!({ "Title": "t" }); 9];
    let many = json!({ "MsgType": "news", "Articles": articles }).to_string();
    assert_eq!(refused(&many), ReplyError::TooManyArticles(9));
    assert!(read(&many.replacen("{\"Title\":\"t\"},", "", 1), None).is_ok());
}

#[test]
fn what_is_wrong_is_named() {
    assert_eq!(refused(r#"{"Content":"x"}"#), ReplyError::NoMsgType);
    assert_eq!(refused("<xml><Content>x</Content></xml>"), ReplyError::NoMsgType);
    assert_eq!(refused(r#"{"touser":"o","msgtype":"text","text":{"content":"x"}}"#), ReplyError::LowerCaseNames);
    assert_eq!(
        refused(r#"{"MsgType":"Text","Content":"x"}"#).to_string(),
        "the reply's MsgType is written in capitals: WeChat writes it 'text'"
    );
    for msg_type in [" text", "te xt", "文", &"x".repeat(65)] {
        let body = json!({ "MsgType": msg_type, "Content": "x" }).to_string();
        assert_eq!(refused(&body), ReplyError::MsgTypeName, "{msg_type}");
    }
    for body in ["<xml><MsgType>text</MsgType>", "{\"MsgType\":", "<?xml version='1.0'?><html/>", "{hello}"] {
        let ReplyError::Document(_) = refused(body) else { panic!("{body}") };
    }
    let swapped = "<xml><ToUserName>gh_0123456789ab</ToUserName><FromUserName>oABC</FromUserName><CreateTime>1</CreateTime>\
                   <MsgType>text</MsgType><Content>x</Content></xml>";
    assert_eq!(refused(swapped), ReplyError::Swapped);
    assert_eq!(refused(r#"{"ToUserName":"gh_0123456789ab","MsgType":"text","Content":"x"}"#), ReplyError::Swapped);
}

#[test]
fn errors_repeat_nothing_of_the_body() {
    let bodies = [
        "<html>HUSH</html>",
        "<xml>HUSH",
        "<xml><MsgType>text</MsgType><Content>&HUSH;</Content></xml>",
        "{\"a\":\"HUSH",
        "<xml><HUSH></xml>",
        r#"{"Content":"HUSH"}"#,
    ];
    for body in bodies {
        let error = refused(body);
        assert!(!format!("{error} {error:?}").contains("HUSH"), "{error:?}");
    }
}

#[test]
fn carriers_answer_with_their_own_data() {
    let event = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o</FromUserName><MsgType>event</MsgType>\
                 <Event>add_waybill</Event></xml>";
    let xml = Message::read(event).unwrap();
    let json = Message::read(xml.as_json()).unwrap();
    let reply = Reply::read(br#"{"ResultCode":0,"WaybillId":"1"}"#, JSON, &xml).unwrap().unwrap();
    assert_eq!(reply.render(&json, 1), br#"{"ResultCode":0,"WaybillId":"1"}"#);
    assert_eq!(reply.render(&xml, 1), b"<xml><ResultCode>0</ResultCode><WaybillId><![CDATA[1]]></WaybillId></xml>");
    let typed =
        Reply::read(br#"{"MsgType":"event","Event":"add_waybill","ResultCode":0}"#, JSON, &xml).unwrap().unwrap();
    let typed = String::from_utf8(typed.render(&json, 1)).unwrap();
    assert!(
        typed.starts_with(r#"{"ToUserName":"o","FromUserName":"gh_1","CreateTime":1,"MsgType":"event""#),
        "{typed}"
    );
    // The console's test event, with the answer of its document.
    let demo = "{\"FromUserName\":\"o\",\"MsgType\":\"event\",\"Event\":\"debug_demo\"}";
    let demo = Message::read(demo).unwrap();
    let reply = Reply::read(b"{\"demo_resp\":\"good luck\"}", None, &demo).unwrap().unwrap();
    assert_eq!(reply.render(&demo, 1), b"{\"demo_resp\":\"good luck\"}");
    assert_eq!((reply.msg_type(), reply.is_transfer()), ("", false));
}
