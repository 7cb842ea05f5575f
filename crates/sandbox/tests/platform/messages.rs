//! What an account sends by itself, over the control API's clock: windows, counts, menus, QR codes, media.

use sandbox::AccountKind::{MiniProgram, Official, Wecom};
use serde_json::{Value, json};

use crate::client::{errcode, token};
use crate::shop::Shop;

#[tokio::test]
async fn messages_go_out_only_within_the_windows_that_the_user_opened() {
    let shop = Shop::open(Official).await;
    assert_eq!(shop.say().await, 45015);
    shop.push(&json!({ "text": "hi" })).await;
    for _ in 0..5 {
        assert_eq!(shop.say().await, 0);
    }
    assert_eq!(shop.say().await, 45047);
    // A click opens three more, for a minute.
    shop.push(&json!({ "message": { "Event": "CLICK", "EventKey": "k" } })).await;
    for _ in 0..3 {
        assert_eq!(shop.say().await, 0);
    }
    assert_eq!(shop.say().await, 45047);
    shop.push(&json!({ "message": { "Event": "VIEW", "EventKey": "http://a" } })).await;
    shop.sandbox.advance(60).await;
    assert_eq!(shop.say().await, 45047);
    shop.push(&json!({ "text": "hi" })).await;
    shop.sandbox.advance(48 * 3600 - 61).await;
    // The token has ended meanwhile; the window has not.
    let fresh = Shop { token: token(&shop.sandbox.stable(&shop.account, false).await), ..shop };
    assert_eq!(fresh.say().await, 0);
    fresh.sandbox.advance(61).await;
    assert_eq!(fresh.say().await, 45015);
}

#[tokio::test]
async fn who_left_or_turned_receiving_off_is_not_reached() {
    let shop = Shop::open(Official).await;
    shop.push(&json!({ "text": "hi" })).await;
    let user = format!("/sandbox/accounts/{}/users/{}", shop.account.appid, shop.openid);
    shop.sandbox.control("PATCH", &user, &json!({ "receives": false })).await.ok();
    assert_eq!(shop.say().await, 48002);
    shop.sandbox.control("PATCH", &user, &json!({ "receives": true })).await.ok();
    shop.patch(&json!({ "rights": { "customer_service": false } })).await;
    assert_eq!(shop.say().await, 48001);
    shop.patch(&json!({ "rights": { "customer_service": true } })).await;
    assert_eq!(shop.say().await, 0);
    shop.push(&json!({ "message": { "Event": "unsubscribe" } })).await;
    assert_eq!(shop.say().await, 45015);
    shop.push(&json!({ "message": { "Event": "subscribe" } })).await;
    assert_eq!(shop.say().await, 0);
}

#[tokio::test]
async fn each_type_has_its_own_checks() {
    let shop = Shop::open(Official).await;
    shop.push(&json!({ "text": "hi" })).await;
    let picture = shop.sandbox.get(&format!("/sandbox/accounts/{}/chat", shop.account.appid)).await;
    assert_eq!(picture["user"]["messages_left"], 5);
    let article = json!({ "title": "t", "description": "d", "url": "http://u", "picurl": "" });
    for (kind, part, code) in [
        ("text", json!({ "content": "" }), 44004),
        ("text", json!({}), 44004),
        ("text", json!({ "content": "你".repeat(683) }), 45002),
        ("text", json!({ "content": "你".repeat(682) }), 0),
        ("image", json!({ "media_id": "x" }), 40007),
        ("voice", json!({}), 40007),
        ("music", json!({ "thumb_media_id": "x" }), 40007),
        ("news", json!({ "articles": [] }), 44003),
        ("news", json!({ "articles": [article, article] }), 45008),
        ("news", json!({ "articles": [article] }), 0),
        ("msgmenu", json!({ "head_content": "h", "list": [{ "id": "1", "content": "yes" }], "tail_content": "t" }), 0),
        ("wxcard", json!({ "card_id": "C" }), 0),
        ("link", json!({ "title": "t" }), 40008),
        ("dance", json!({ "title": "t" }), 40008),
    ] {
        assert_eq!(shop.send(kind, part.clone()).await, code, "{kind} {part}");
    }
    let path = format!("/cgi-bin/message/custom/send?access_token={}", shop.token);
    assert_eq!(errcode(&shop.sandbox.send("POST", &path, "{").await.json()), 47001);
    assert_eq!(errcode(&shop.sandbox.send("POST", &path, "").await.json()), 44002);
    let to = |openid: &str, agent: &str| {
        json!({
            "touser": openid, "msgtype": "text", "text": { "content": "hi" }, "customservice": { "kf_account": agent },
        })
    };
    assert_eq!(errcode(&shop.call("/cgi-bin/message/custom/send", &to("oNobody", "a@b")).await), 40003);
    assert_eq!(errcode(&shop.call("/cgi-bin/message/custom/send", &to(&shop.openid, "a")).await), 61452);
    let shown: Vec<_> = shop.chat().await.into_iter().filter(|entry| entry["from"] == "account").collect();
    let kinds: Vec<_> = shown.iter().map(|entry| entry["content"]["type"].clone()).collect();
    assert_eq!(kinds, ["text", "news", "msg_menu", "reference"]);
}

#[tokio::test]
async fn a_mini_program_writes_less() {
    let shop = Shop::open(MiniProgram).await;
    shop.push(&json!({ "message": { "Event": "user_enter_tempsession", "SessionFrom": "s" } })).await;
    assert_eq!(shop.send("link", json!({ "title": "t", "url": "http://u" })).await, 0);
    assert_eq!(shop.send("news", json!({ "articles": [] })).await, 40008);
    assert_eq!(shop.say().await, 0);
    assert_eq!(shop.say().await, 45047);
    shop.sandbox.advance(60).await;
    assert_eq!(shop.say().await, 45015);
}

#[tokio::test]
async fn typing_needs_a_user_who_is_there() {
    let shop = Shop::open(MiniProgram).await;
    let typing = async |command: &str| {
        let body = json!({ "touser": shop.openid, "command": command });
        errcode(&shop.call("/cgi-bin/message/custom/typing", &body).await)
    };
    assert_eq!(typing("Typing").await, 45080);
    shop.push(&json!({ "text": "hi" })).await;
    assert_eq!(typing("Sing").await, 45072);
    assert_eq!(typing("Typing").await, 0);
    assert_eq!(typing("Typing").await, 45081);
    assert_eq!(typing("CancelTyping").await, 0);
    assert_eq!(typing("Typing").await, 0);
    shop.sandbox.advance(31).await;
    assert_eq!(typing("Typing").await, 45080);
}

#[tokio::test]
async fn a_corp_writes_to_its_members() {
    let shop = Shop::open(Wecom).await;
    let send = async |body: Value| shop.call("/cgi-bin/message/send", &body).await;
    let text = |to: &str, agentid: u64| json!({ "touser": to, "msgtype": "text", "agentid": agentid, "text": { "content": "hi" } });
    let sent = send(text("zhangsan|lisi", 1_000_002)).await;
    assert_eq!((errcode(&sent), &sent["invaliduser"]), (0, &json!("lisi")));
    assert_eq!(errcode(&send(text("lisi", 1_000_002)).await), 81013);
    assert_eq!(errcode(&send(text("zhangsan", 7)).await), 40056);
    let agents = format!("/sandbox/accounts/{}/agents", shop.account.appid);
    shop.sandbox.control("POST", &agents, &json!({ "agentid": 7 })).await;
    assert_eq!(errcode(&send(text("zhangsan", 7)).await), 301_002);
    for _ in 0..40 {
        assert_eq!(errcode(&send(text("@all", 1_000_002)).await), 0);
    }
    // 30 a minute to one member, the rest is dropped without a word.
    assert_eq!(shop.chat().await.len(), 30);
    assert_eq!(shop.chat().await[0]["agentid"], 1_000_002);
}

#[tokio::test]
async fn menus_are_made_shown_and_deleted() {
    let shop = Shop::open(Official).await;
    let get = async |path: &str| shop.sandbox.get(&format!("{path}?access_token={}", shop.token)).await;
    assert_eq!(errcode(&get("/cgi-bin/menu/get").await), 46003);
    let menu = json!({ "button": [{ "type": "click", "name": "歌曲", "key": "k" }] });
    assert_eq!(errcode(&shop.call("/cgi-bin/menu/create", &menu).await), 0);
    assert_eq!(get("/cgi-bin/menu/get").await["menu"]["button"], menu["button"]);
    let shown = shop.sandbox.get(&format!("/sandbox/accounts/{}", shop.account.appid)).await;
    assert_eq!(shown["menu"]["button"], menu["button"]);
    assert_eq!(get("/cgi-bin/get_current_selfmenu_info").await["selfmenu_info"]["button"], menu["button"]);
    let below = json!({ "button": [{ "name": "更多", "sub_button": menu["button"] }] });
    assert_eq!(errcode(&shop.call("/cgi-bin/menu/create", &below).await), 0);
    let current = get("/cgi-bin/get_current_selfmenu_info").await;
    assert_eq!(current["selfmenu_info"]["button"][0]["sub_button"]["list"], menu["button"]);
    assert_eq!(current["is_menu_open"], 1);
    assert_eq!(errcode(&shop.call("/cgi-bin/menu/create", &json!({ "button": [] })).await), 40016);
    assert_eq!(errcode(&get("/cgi-bin/menu/delete").await), 0);
    assert_eq!(get("/cgi-bin/get_current_selfmenu_info").await, json!({ "is_menu_open": 0 }));
    assert_eq!(errcode(&get("/cgi-bin/menu/get").await), 46003);
}

#[tokio::test]
async fn a_qr_code_is_made_shown_and_scanned() {
    let shop = Shop::open(Official).await;
    let body = json!({ "action_name": "QR_STR_SCENE", "action_info": { "scene": { "scene_str": "shop" } }, "expire_seconds": 600 });
    let code = shop.call("/cgi-bin/qrcode/create", &body).await;
    assert_eq!(code["expire_seconds"], 600);
    let ticket = code["ticket"].as_str().unwrap();
    let picture = shop.sandbox.send("GET", &format!("/cgi-bin/showqrcode?ticket={ticket}"), "").await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/svg+xml")));
    shop.push(&json!({ "scan": ticket })).await;
    let listed = shop.sandbox.get("/sandbox/pushes").await;
    assert_eq!(listed["pushes"][0]["event"], "SCAN");
    assert!(listed["pushes"][0]["sent"].as_str().unwrap().contains(ticket));
    assert_eq!(shop.receiver.got().len(), 1);
    shop.sandbox.advance(600).await;
    assert_eq!(shop.sandbox.send("GET", &format!("/cgi-bin/showqrcode?ticket={ticket}"), "").await.status, 404);
}

#[tokio::test]
async fn what_was_uploaded_can_be_sent_and_fetched() {
    let shop = Shop::open(Official).await;
    shop.push(&json!({ "text": "hi" })).await;
    let upload = async |kind: &str, data: &str| {
        let path = format!("/cgi-bin/media/upload?access_token={}&type={kind}", shop.token);
        let form =
            format!("--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a\"\r\n\r\n{data}\r\n--b--\r\n");
        shop.sandbox.send("POST", &path, &form).await.json()
    };
    assert_eq!(errcode(&upload("song", "x").await), 40004);
    assert_eq!(errcode(&upload("image", "").await), 44001);
    assert_eq!(errcode(&upload("image", "<svg>").await), 40005);
    // As large as WeChat allows each type.
    let sized = |begin: &str, bytes: usize| format!("{begin}{}", "x".repeat(bytes - begin.len()));
    for (kind, most, errcode_above) in
        [("image", 10 << 20, 40009), ("voice", 2 << 20, 40010), ("video", 10 << 20, 40011), ("thumb", 64 << 10, 40012)]
    {
        let begin = if matches!(kind, "image" | "thumb") { "GIF89a" } else { "" };
        assert_eq!(errcode(&upload(kind, &sized(begin, most)).await), 0, "{kind}");
        assert_eq!(errcode(&upload(kind, &sized(begin, most + 1)).await), errcode_above, "{kind}");
    }
    let image = upload("image", "GIF89a...").await;
    let id = image["media_id"].as_str().unwrap().to_owned();
    assert_eq!(shop.send("image", json!({ "media_id": id })).await, 0);
    assert_eq!(shop.send("voice", json!({ "media_id": id })).await, 40007);
    let path = format!("/cgi-bin/media/get?access_token={}&media_id={id}", shop.token);
    let fetched = shop.sandbox.send("GET", &path, "").await;
    assert_eq!((fetched.body.as_str(), fetched.header("content-type")), ("GIF89a...", Some("image/gif")));
    let voice = upload("voice", "<script>").await["media_id"].as_str().unwrap().to_owned();
    let shown = format!("/sandbox/accounts/{}/media", shop.account.appid);
    assert_eq!(shop.sandbox.send("GET", &format!("{shown}/{voice}"), "").await.status, 404);
    assert_eq!(shop.sandbox.send("POST", &shown, "<script>").await.status, 400);
    assert_eq!(shop.sandbox.send("POST", &shown, "GIF89a").await.status, 201);
}
