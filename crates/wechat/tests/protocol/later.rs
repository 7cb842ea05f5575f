//! Replies that come too late: as customer-service messages and as messages of a WeCom app.

use proptest::prelude::*;
use serde_json::{Value, json};
use wechat::reply::{MAX_TEXT_BYTES, NotSendable, Reply, split_text};

use crate::replies::reply;

fn service(reply: &Reply) -> Vec<Value> {
    let bodies = reply.as_customer_service("oABC").unwrap();
    bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
}

fn wecom(reply: &Reply) -> Vec<Value> {
    let bodies = reply.as_wecom("zhangsan", "218").unwrap();
    bodies.iter().map(|body| serde_json::from_slice(body).unwrap()).collect()
}

#[test]
fn each_kind_has_its_customer_service_message() {
    let cases = [
        ("你好", json!({ "touser": "oABC", "msgtype": "text", "text": { "content": "你好" } })),
        (
            r#"{"MsgType":"image","MediaId":"M"}"#,
            json!({ "touser": "oABC", "msgtype": "image", "image": { "media_id": "M" } }),
        ),
        (
            r#"{"MsgType":"voice","MediaId":"M"}"#,
            json!({ "touser": "oABC", "msgtype": "voice", "voice": { "media_id": "M" } }),
        ),
        (
            r#"{"MsgType":"video","Video":{"MediaId":"M","Title":"t","Description":"d"}}"#,
            json!({
                "touser": "oABC",
                "msgtype": "video",
                "video": { "media_id": "M", "title": "t", "description": "d" },
            }),
        ),
        (
            r#"{"MsgType":"music","Music":{"Title":"t","Description":"d","MusicUrl":"u","HQMusicUrl":"h","ThumbMediaId":"M"}}"#,
            json!({
                "touser": "oABC",
                "msgtype": "music",
                "music": { "title": "t", "description": "d", "musicurl": "u", "hqmusicurl": "h", "thumb_media_id": "M" },
            }),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(service(&reply(body)), [expected], "{body}");
    }
}

#[test]
fn texts_are_sent_as_they_are_not_as_escapes() {
    let body = reply("你好😀").as_customer_service("o").unwrap().remove(0);
    assert!(String::from_utf8(body).unwrap().contains("你好😀"));
}

#[test]
fn articles_are_sent_one_by_one_and_in_wecom_together() {
    let news = reply(
        r#"{"MsgType":"news","Articles":[{"Title":"1","PicUrl":"p"},{"Title":"2","Description":"d","Url":"u"}]}"#,
    );
    let articles = [
        json!({ "title": "1", "description": "", "url": "", "picurl": "p" }),
        json!({ "title": "2", "description": "d", "url": "u", "picurl": "" }),
    ];
    let one_by_one = articles
        .clone()
        .map(|article| json!({ "touser": "oABC", "msgtype": "news", "news": { "articles": [article] } }));
    assert_eq!(service(&news), one_by_one);
    let together = json!({ "touser": "zhangsan", "agentid": 218, "msgtype": "news", "news": { "articles": articles } });
    assert_eq!(wecom(&news), [together]);
}

#[test]
fn wecom_messages_name_their_app() {
    let expected = json!({ "touser": "zhangsan", "agentid": 218, "msgtype": "text", "text": { "content": "x" } });
    assert_eq!(wecom(&reply("x")), [expected]);
    let image = json!({ "touser": "zhangsan", "agentid": 218, "msgtype": "image", "image": { "media_id": "M" } });
    assert_eq!(wecom(&reply(r#"{"MsgType":"image","MediaId":"M"}"#)), [image]);
    let odd = reply("x").as_wecom("z", "app").unwrap().remove(0);
    assert!(String::from_utf8(odd).unwrap().contains(r#""agentid":"app""#));
}

#[test]
fn what_exists_only_as_a_passive_reply_cannot_be_sent() {
    let transfer = reply(r#"{"MsgType":"transfer_customer_service"}"#);
    assert!(transfer.is_transfer());
    assert_eq!(transfer.as_customer_service("o"), Err(NotSendable::Transfer));
    assert_eq!(transfer.as_wecom("z", "1"), Err(NotSendable::Transfer));
    let unknown = reply(r#"{"MsgType":"update_button","Button":{"ReplaceName":"x"}}"#);
    assert_eq!(unknown.as_customer_service("o"), Err(NotSendable::Unknown("update_button".into())));
    assert_eq!(unknown.as_wecom("z", "1"), Err(NotSendable::Unknown("update_button".into())));
    let music = reply(r#"{"MsgType":"music","ThumbMediaId":"M"}"#);
    assert_eq!(music.as_wecom("z", "1"), Err(NotSendable::Music));
}

#[test]
fn long_texts_are_sent_in_pieces() {
    let text = format!("{}\n{}", "字".repeat(600), "b".repeat(2000));
    let pieces: Vec<_> = service(&reply(&text)).into_iter().map(|body| body["text"]["content"].clone()).collect();
    assert_eq!(pieces, [json!(format!("{}\n", "字".repeat(600))), json!("b".repeat(2000))]);
    // Nothing but white space is no message.
    let text = format!("{}\n\nx", "a".repeat(2048 * 2));
    let pieces = service(&reply(&text));
    assert_eq!(pieces.len(), 3);
}

#[test]
fn a_text_is_cut_where_it_hurts_least() {
    assert_eq!(split_text("", 8), [""]);
    assert_eq!(split_text("12345678", 8), ["12345678"]);
    assert_eq!(split_text("123456789", 8), ["12345678", "9"]);
    assert_eq!(split_text("123456 89", 8), ["123456 ", "89"]);
    assert_eq!(split_text("12345\n 89", 8), ["12345\n ", "89"]);
    assert_eq!(split_text("123456\n8 9", 8), ["123456\n", "8 9"]);
    assert_eq!(
        split_text("1 3456789", 8),
        ["1 345678", "9"],
        "a break far from the end is no reason for a short piece"
    );
    assert_eq!(split_text("一二三四", 8), ["一二", "三四"]);
    assert_eq!(split_text("😀😀", 1), ["😀", "😀"]);
}

#[test]
fn links_stay_whole_when_they_can() {
    let link = "<a href=\"http://u/x y\">click me</a>";
    let text = format!("{}{link}", "x".repeat(20));
    assert_eq!(split_text(&text, 40), [&"x".repeat(20), link]);
    let text = format!("{link}{link}");
    assert_eq!(split_text(&text, 40), [link, link]);
    let text = format!("x{}", link.repeat(2));
    assert_eq!(split_text(&text, 50), [&format!("x{link}"), link]);
    // One that is longer than a piece has to be cut.
    let pieces = split_text(link, 10);
    assert_eq!(pieces.concat(), link);
    assert!(pieces.iter().all(|piece| piece.len() <= 10));
}

proptest! {
    #[test]
    fn pieces_fit_and_are_the_text(
        text in "([a字😀\n ]{0,9}|<a [x ]{0,9}>y{0,9}</a>|</a>|<a ){0,30}",
        max in 4_usize..60,
    ) {
        let pieces = split_text(&text, max);
        prop_assert_eq!(pieces.concat(), text.as_str());
        prop_assert!(pieces.iter().all(|piece| piece.len() <= max));
        prop_assert!(pieces.len() == 1 || pieces.iter().all(|piece| !piece.is_empty()));
    }

    #[test]
    fn pieces_of_any_text_fit(text in "\\PC{0,3000}") {
        let pieces = split_text(&text, MAX_TEXT_BYTES);
        prop_assert_eq!(pieces.concat(), text.as_str());
        prop_assert!(pieces.iter().all(|piece| piece.len() <= MAX_TEXT_BYTES));
    }
}
