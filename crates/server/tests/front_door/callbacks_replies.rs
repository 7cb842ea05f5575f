//! What backends may answer, and what WeChat gets of it.

use serde_json::json;

use crate::harness::backend::Does;
use crate::harness::scene::Scene;
use crate::harness::wechat_pushes::{ACCOUNT, USER, element, event, now, text};

/// A reply in XML whose head is put in.
fn reply(inside: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{USER}]]></ToUserName><FromUserName><![CDATA[{ACCOUNT}]]></FromUserName>{inside}</xml>"
    )
}

/// Whether WeChat would show this reply: its head is right, and `inside` stands in it, in this order.
fn is_right(given: &str, inside: &str) {
    assert_eq!((element(given, "ToUserName"), element(given, "FromUserName")), (Some(USER), Some(ACCOUNT)), "{given}");
    assert!(element(given, "MsgType").is_some_and(|kind| !kind.is_empty()), "{given}");
    let created: u64 = element(given, "CreateTime").unwrap_or_default().parse().unwrap();
    assert!(created.abs_diff(now()) < 60, "CreateTime of {given}");
    assert!(given.starts_with("<xml>") && given.ends_with("</xml>") && given.contains(inside), "{inside} in {given}");
}

/// Short forms that a backend may use, and what must stand in WeChat's XML.
fn short_forms() -> Vec<(Does, &'static str)> {
    let text = "<Content><![CDATA[hi]]></Content>";
    let article = "<Articles><item><Description><![CDATA[d]]></Description><PicUrl><![CDATA[p]]></PicUrl>\
                   <Title><![CDATA[t]]></Title><Url><![CDATA[u]]></Url></item></Articles>";
    let items = json!([{"Description": "d", "PicUrl": "p", "Title": "t", "Url": "u"}]);
    vec![
        (Does::text("hi"), text),
        (Does::Say(200, "", b"hi".to_vec()), text),
        (Does::Say(201, "text/html", b"hi".to_vec()), text),
        (Does::text(" \n hi \n"), text),
        (Does::json(&json!("hi")), text),
        (Does::text("{\"MsgType\":\"text\",\"Content\":\"hi\"}"), text),
        (Does::json(&json!({"MsgType": "text", "Content": "hi"})), text),
        (Does::json(&json!({"MsgType": "text", "Content": "1"})), "<Content><![CDATA[1]]></Content>"),
        (Does::json(&json!({"MsgType": "text", "Content": "a]]>b"})), "<![CDATA[a]]]]><![CDATA[>b]]>"),
        (Does::text("<a href=\"http://u\">中文🙂</a> & more"), "<![CDATA[<a href=\"http://u\">中文🙂</a> & more]]>"),
        (Does::xml("<xml><MsgType>text</MsgType><Content>hi</Content></xml>"), "<![CDATA[hi]]>"),
        (
            Does::json(&json!({"MsgType": "image", "Image": {"MediaId": "M"}})),
            "<Image><MediaId><![CDATA[M]]></MediaId></Image>",
        ),
        (Does::json(&json!({"MsgType": "image", "MediaId": "M"})), "<Image><MediaId><![CDATA[M]]></MediaId></Image>"),
        (
            Does::json(&json!({"MsgType": "voice", "Voice": {"MediaId": "M"}})),
            "<Voice><MediaId><![CDATA[M]]></MediaId></Voice>",
        ),
        (
            Does::json(&json!({"MsgType": "video", "Video": {"MediaId": "M", "Title": "t"}})),
            "<Title><![CDATA[t]]></Title>",
        ),
        (
            Does::json(&json!({"MsgType": "music", "Music": {"ThumbMediaId": "M"}})),
            "<ThumbMediaId><![CDATA[M]]></ThumbMediaId>",
        ),
        (Does::json(&json!({"MsgType": "news", "Articles": {"item": items}})), article),
        (Does::json(&json!({"MsgType": "news", "Articles": items})), article),
        (Does::json(&json!({"MsgType": "news", "Articles": items})), "<ArticleCount>1</ArticleCount>"),
        (
            Does::json(&json!({"MsgType": "transfer_customer_service"})),
            "<MsgType><![CDATA[transfer_customer_service]]></MsgType>",
        ),
        (
            Does::json(&json!({"MsgType": "transfer_customer_service", "TransInfo": {"KfAccount": "a@b"}})),
            "<TransInfo><KfAccount><![CDATA[a@b]]></KfAccount></TransInfo>",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_forms_become_wechats_xml() {
    let scene = Scene::safe().await;
    for (place, (does, inside)) in short_forms().into_iter().enumerate() {
        let path = format!("/{place}");
        scene.backend.always(&path, does);
        let push = scene.pusher.push(&text("hi"));
        let url = if place % 2 == 0 { scene.url(&[&path]) } else { scene.json_url(&[&path]) };
        let answer = push.to(&scene.server, &url).await;
        assert!(answer.header("content-type").starts_with("text/xml"), "{}", answer.header("content-type"));
        is_right(&scene.pusher.open(&answer, &push), inside);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complete_reply_goes_back_byte_for_byte_in_plain_mode() {
    let scene = Scene::plain().await;
    let replies = [
        "<CreateTime>1</CreateTime> <MsgType><![CDATA[text]]></MsgType>\n<Content>&lt;中文&gt;</Content><FuncFlag>0</FuncFlag>",
        "<CreateTime>1</CreateTime><MsgType><![CDATA[image]]></MsgType><Image><MediaId>1</MediaId></Image>",
        "<CreateTime>1</CreateTime><MsgType><![CDATA[news]]></MsgType><ArticleCount>1</ArticleCount><Articles><item>\
         <Title>t</Title><Description/><PicUrl/><Url>u</Url></item></Articles>",
    ];
    for (place, inside) in replies.into_iter().enumerate() {
        let whole = reply(inside);
        let answer = scene.reply_to(&text("hi"), &format!("/{place}"), Does::xml(&whole)).await;
        assert_eq!((answer.status, answer.text()), (200, whole));
    }
    // A reply to an event is a reply too.
    let answer = scene.reply_to(&event("subscribe", ""), "/event", Does::text("welcome")).await;
    is_right(&answer.text(), "<![CDATA[welcome]]>");
}

/// What says nothing.
fn nothings() -> Vec<Does> {
    vec![
        Does::nothing(),
        Does::Say(204, "", Vec::new()),
        Does::text("success"),
        Does::text(" success\r\n"),
        Does::text("\"success\""),
        Does::json(&json!("success")),
        Does::json(&json!("")),
        Does::text("\"\""),
        Does::text(" \n\t"),
        Does::json(&json!(null)),
        Does::json(&json!({})),
        Does::xml("<xml></xml>"),
    ]
}

/// What is no reply, and a word of the reason that is recorded.
fn wrong_ones() -> Vec<(Does, &'static str)> {
    let page = "<!DOCTYPE html><html><body>It works!</body></html>";
    let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
    let articles: Vec<_> = (0..9).map(|_| json!({"Title": "t"})).collect();
    vec![
        (Does::Say(200, "text/html", page.into()), "HTML"),
        (Does::Say(200, "text/plain", page.into()), "HTML"),
        (Does::json(&json!([1, 2])), "JSON"),
        (Does::json(&json!(42)), "JSON"),
        (Does::text("{\"MsgType\":\"text\","), "read"),
        (Does::xml("<xml><MsgType>text</MsgType>"), "read"),
        (Does::xml(&format!("<xml>{deep}</xml>")), "read"),
        (Does::xml("<!DOCTYPE x [<!ENTITY a \"b\">]><xml><MsgType>text</MsgType><Content>&a;</Content></xml>"), "HTML"),
        (Does::xml("<xml><MsgType>text</MsgType><Content>&a;</Content></xml>"), "read"),
        (Does::json(&json!({"Content": "hi"})), "MsgType"),
        (Does::json(&json!({"msgtype": "text", "text": {"content": "hi"}})), "msgtype"),
        (Does::json(&json!({"errcode": 0, "errmsg": "ok"})), "MsgType"),
        (Does::json(&json!({"MsgType": "Text", "Content": "hi"})), "text"),
        (Does::json(&json!({"MsgType": "text"})), "Content"),
        (Does::json(&json!({"MsgType": "text", "Content": ""})), "Content"),
        (Does::json(&json!({"MsgType": "image", "Image": {}})), "MediaId"),
        (Does::json(&json!({"MsgType": "news", "Articles": []})), "Articles"),
        (Does::json(&json!({"MsgType": "news", "Articles": articles})), "articles"),
        (Does::json(&json!({"MsgType": "music", "Music": {"Title": "t"}})), "ThumbMediaId"),
        (Does::Say(200, "text/plain; charset=gbk", vec![0xc4, 0xe3, 0xba, 0xc3]), "UTF-8"),
        (
            Does::json(&json!({"ToUserName": ACCOUNT, "FromUserName": USER, "MsgType": "text", "Content": "hi"})),
            "wrong way round",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_says_nothing_leaves_the_word_to_the_next() {
    let scene = Scene::safe().await;
    scene.backend.always("/next", Does::text("mine"));
    for (place, does) in nothings().into_iter().enumerate() {
        let path = format!("/{place}");
        let answer = scene.reply_to(&text("hi"), &path, does.clone()).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "{does:?}");
        let push = scene.pusher.push(&text("hi"));
        let answer = push.to(&scene.server, &scene.url(&[&path, "/next"])).await;
        is_right(&scene.pusher.open(&answer, &push), "<![CDATA[mine]]>");
    }
    let attempts = scene.server.messages(&[]).await;
    assert!(attempts.iter().all(|record| record["backends"][0]["attempts"][0].get("unused").is_none()), "{attempts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_reply_is_recorded_with_its_reason_and_the_next_ones_counts() {
    let scene = Scene::plain().await;
    scene.backend.always("/next", Does::text("mine"));
    for (place, (does, reason)) in wrong_ones().into_iter().enumerate() {
        let path = format!("/{place}");
        scene.backend.always(&path, does.clone());
        let answer = scene.bring(&text("hi"), &[&path, "/next"]).await;
        is_right(&answer.text(), "<![CDATA[mine]]>");
        let id = scene.backend.only(&path).header("webhook-id").to_owned();
        let record = scene.server.record_in(&id, "done").await;
        let attempt = &record["backends"][0]["attempts"][0];
        let unused = attempt["unused"].as_str().unwrap_or_default();
        assert!(unused.contains(reason), "{reason:?} in {unused:?} of {does:?}");
        assert_eq!(record["backends"][0]["state"], "taken", "it has the message: {record}");
        assert_eq!(record["answer"]["backend"], 1, "{record}");
        let alone = scene.bring(&text("hi"), &[&path]).await;
        assert_eq!((alone.status, alone.text().as_str()), (200, "success"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_like_a_page_but_is_a_text_is_one() {
    let scene = Scene::plain().await;
    for (place, text_of_user) in ["<3 you", "1 < 2", "null and void", "[doge]", "successful"].into_iter().enumerate() {
        let answer = scene.reply_to(&text("hi"), &format!("/{place}"), Does::text(text_of_user)).await;
        is_right(&answer.text(), &format!("<Content><![CDATA[{text_of_user}]]></Content>"));
    }
    // A very long text is WeChat's to judge; it is not cut here.
    let long = "长".repeat(10_000);
    let answer = scene.reply_to(&text("hi"), "/long", Does::text(&long)).await;
    is_right(&answer.text(), &long);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_consoles_own_test_and_other_business_events_are_answered_with_data() {
    let scene = Scene::safe().await;
    let push = scene.pusher.push(&event("debug_demo", "<debug_str><![CDATA[hello world]]></debug_str>"));
    scene.backend.always("/demo", Does::json(&json!({"demo_resp": "good luck"})));
    let answer = push.to(&scene.server, &scene.json_url(&["/demo"])).await;
    let reply = scene.pusher.open(&answer, &push);
    assert_eq!(element(&reply, "demo_resp"), Some("good luck"), "{reply}");
}
