//! Template messages and subscription messages: who gets them, what may stand in them, what is pushed afterwards.

use sandbox::AccountKind::{MiniProgram, Official};
use serde_json::{Value, json};

use crate::client::errcode;
use crate::shop::Shop;

const SEND: &str = "/cgi-bin/message/template/send";
const SUBSCRIBED: &str = "/cgi-bin/message/subscribe/send";

impl Shop {
    /// The id of a new template.
    async fn template(&self, content: &str) -> String {
        let wish = json!({ "title": "支付成功", "content": content });
        let made = self.control("POST", "templates", &wish).await;
        made["template_id"].as_str().expect("an id").to_owned()
    }

    /// The latest push, when it has ended.
    async fn latest_push(&self) -> Value {
        let last = self.sandbox.get("/sandbox/pushes?limit=1").await["last_id"].clone();
        self.sandbox.get(&format!("/sandbox/pushes/{last}?wait=true")).await
    }
}

#[tokio::test]
async fn a_template_message_is_shown_and_an_event_says_so() {
    let shop = Shop::open(Official).await;
    let id = shop.template("{{first.DATA}}\n金额：{{amount1.DATA}}").await;
    let data = json!({ "first": { "value": "谢谢" }, "amount1": { "value": "30.00元", "color": "#173177" } });
    let body = json!({ "touser": shop.openid, "template_id": id, "url": "http://127.0.0.1/pay", "data": data });
    let sent = shop.call(SEND, &body).await;
    assert_eq!((&sent["errcode"], &sent["errmsg"]), (&json!(0), &json!("ok")));
    let msgid = sent["msgid"].as_u64().expect("a number");
    let push = shop.latest_push().await;
    assert_eq!((&push["event"], &push["openid"]), (&json!("TEMPLATESENDJOBFINISH"), &json!(shop.openid)));
    let text = push["sent"].as_str().unwrap();
    assert!(text.contains(&format!("<MsgID>{msgid}</MsgID>")), "{text}");
    assert!(text.contains("<Status><![CDATA[success]]></Status>"), "{text}");
    let shown = shop.chat().await;
    let lines = json!([{ "label": "", "value": "谢谢" }, { "label": "金额", "value": "30.00元" }]);
    let notice = json!({
        "type": "notice", "title": "支付成功", "lines": lines, "url": "http://127.0.0.1/pay", "appid": "", "path": "",
    });
    assert_eq!((shown.len(), &shown[0]["content"]), (1, &notice));

    shop.sandbox.set_user(&shop.account.appid, &shop.openid, &json!({ "receives": false })).await;
    let blocked = shop.call(SEND, &body).await;
    assert_eq!(errcode(&blocked), 0);
    assert_ne!(blocked["msgid"], sent["msgid"]);
    assert!(shop.latest_push().await["sent"].as_str().unwrap().contains("failed:user block"));
    assert_eq!(shop.chat().await.len(), 1, "the user sees nothing of it");
}

#[tokio::test]
async fn a_template_message_needs_a_follower_a_template_and_values() {
    let shop = Shop::open(Official).await;
    let id = shop.template("商品：{{thing1.DATA}}\n{{remark.DATA}}").await;
    let body = |openid: &str, id: &str, data: Value| json!({ "touser": openid, "template_id": id, "data": data });
    let thing = |text: &str| json!({ "thing1": { "value": text } });
    for (openid, id, data, code, text) in [
        ("oNobody", id.as_str(), thing("a"), 40003, "invalid openid rid: "),
        (&shop.openid, "x", thing("a"), 40037, "invalid template_id rid: "),
        (&shop.openid, &id, json!({}), 47003, "argument invalid! data.thing1.value is empty rid: "),
        (&shop.openid, &id, thing(&"x".repeat(21)), 47003, "argument invalid! data.thing1.value invalid rid: "),
        (&shop.openid, &id, json!("x"), 47003, "argument invalid! rid: "),
        (&shop.openid, &id, thing("a"), 0, "ok"),
    ] {
        let answer = shop.call(SEND, &body(openid, id, data)).await;
        assert_eq!(errcode(&answer), code, "{answer}");
        assert!(answer["errmsg"].as_str().unwrap().starts_with(text), "{answer}");
    }
    let good = body(&shop.openid, &id, thing("a"));
    shop.sandbox.set_user(&shop.account.appid, &shop.openid, &json!({ "following": false })).await;
    assert_eq!(errcode(&shop.call(SEND, &good).await), 43004);
    let program = Shop::open(MiniProgram).await;
    assert_eq!(errcode(&program.call(SEND, &good).await), 48001);
}

#[tokio::test]
async fn an_account_without_a_callback_hears_of_nothing() {
    let shop = Shop::open(Official).await;
    let id = shop.template("{{first.DATA}}").await;
    shop.control("DELETE", "callback", &Value::Null).await;
    let body = json!({ "touser": shop.openid, "template_id": id, "data": { "first": { "value": "a" } } });
    assert_eq!(errcode(&shop.call(SEND, &body).await), 0);
    assert_eq!(shop.sandbox.get("/sandbox/pushes").await["pushes"], json!([]));
}

#[tokio::test]
async fn templates_are_added_listed_and_deleted() {
    let shop = Shop::open(Official).await;
    let wish = json!({ "template_id_short": "TM00015", "keyword_name_list": ["金额", "时间"] });
    let added = shop.call("/cgi-bin/template/api_add_template", &wish).await;
    let id = added["template_id"].as_str().expect("an id").to_owned();
    let list = shop.get("/cgi-bin/template/get_all_private_template", "").await;
    let listed = &list["template_list"][0];
    assert_eq!((&listed["template_id"], &listed["title"]), (&json!(id), &json!("TM00015")));
    assert_eq!(listed["content"], "金额：{{keyword1.DATA}}\n时间：{{keyword2.DATA}}");
    assert_eq!(errcode(&shop.call("/cgi-bin/template/api_add_template", &json!({})).await), 40037);
    for _ in 1..25 {
        shop.template("x").await;
    }
    assert_eq!(errcode(&shop.call("/cgi-bin/template/api_add_template", &wish).await), 45026);
    let delete = json!({ "template_id": id });
    assert_eq!(errcode(&shop.call("/cgi-bin/template/del_private_template", &delete).await), 0);
    assert_eq!(errcode(&shop.call("/cgi-bin/template/del_private_template", &delete).await), 40037);

    let path = format!("/sandbox/accounts/{}/templates", shop.account.appid);
    let own = json!({ "template_id": "T1" });
    assert_eq!(shop.sandbox.control("POST", &path, &own).await.status, 201);
    assert_eq!(shop.sandbox.control("POST", &path, &own).await.status, 409, "there are 25 again");
    assert_eq!(shop.sandbox.get(&path).await["templates"].as_array().map(Vec::len), Some(25));
    shop.sandbox.control("DELETE", &format!("{path}/T1"), &Value::Null).await.ok();
    assert_eq!(shop.sandbox.control("DELETE", &format!("{path}/T1"), &Value::Null).await.status, 404);
    assert_eq!(shop.sandbox.control("POST", &path, &json!({ "content": "" })).await.status, 400);
}

#[tokio::test]
async fn each_acceptance_pays_for_one_subscription_message() {
    let shop = Shop::open(MiniProgram).await;
    let id = shop.template("商品：{{thing1.DATA}}").await;
    let body = json!({
        "touser": shop.openid, "template_id": id, "page": "pages/index", "miniprogram_state": "formal",
        "data": { "thing1": { "value": "茶" } },
    });
    assert_eq!(errcode(&shop.call(SUBSCRIBED, &body).await), 43101);
    let patch = json!({ "subscriptions": { id.as_str(): 2 } });
    let user = shop.sandbox.set_user(&shop.account.appid, &shop.openid, &patch).await;
    assert_eq!(user["subscriptions"], patch["subscriptions"]);
    let many: Value = (0..50).map(|number| (number.to_string(), json!(1))).collect::<serde_json::Map<_, _>>().into();
    let path = format!("/sandbox/accounts/{}/users/{}", shop.account.appid, shop.openid);
    assert_eq!(shop.sandbox.control("PATCH", &path, &json!({ "subscriptions": many })).await.status, 400);
    for (name, wrong, code) in [
        ("touser", json!("oNobody"), 40003),
        ("template_id", json!("x"), 40037),
        ("data", json!({}), 47003),
        ("page", json!("https://a/"), 41030),
        ("miniprogram_state", json!("x"), 40097),
    ] {
        let mut body = body.clone();
        body[name] = wrong;
        assert_eq!(errcode(&shop.call(SUBSCRIBED, &body).await), code, "{name}");
    }
    for _ in 0..2 {
        assert_eq!(errcode(&shop.call(SUBSCRIBED, &body).await), 0);
        let push = shop.latest_push().await;
        assert_eq!(push["event"], "subscribe_msg_sent_event");
        assert!(push["sent"].as_str().unwrap().contains(&id));
    }
    assert_eq!(errcode(&shop.call(SUBSCRIBED, &body).await), 43101, "both are used");
    assert_eq!(shop.chat().await[1]["content"]["lines"], json!([{ "label": "商品", "value": "茶" }]));
    let listed = shop.get("/wxaapi/newtmpl/gettemplate", "").await;
    assert_eq!(listed["data"][0]["priTmplId"], id);
}

#[tokio::test]
async fn official_accounts_have_subscription_messages_of_their_own() {
    let shop = Shop::open(Official).await;
    let id = shop.template("{{thing1.DATA}}").await;
    let body = json!({
        "touser": shop.openid, "template_id": id, "page": "https://a.example/", "data": { "thing1": { "value": "茶" } },
    });
    assert_eq!(errcode(&shop.call(SUBSCRIBED, &body).await), 48001);
    shop.sandbox.set_user(&shop.account.appid, &shop.openid, &json!({ "subscriptions": { id: 1 } })).await;
    assert_eq!(errcode(&shop.call("/cgi-bin/message/subscribe/bizsend", &body).await), 0);
    assert_eq!(shop.chat().await[0]["content"]["url"], "https://a.example/");
}
