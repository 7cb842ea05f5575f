//! `/js/card`: what pages pass to `wx.addCard` and `wx.chooseCard`.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::harness::caller::{Answer, encoded};
use crate::harness::fake_wechat::{FakeWechat, Reply, TICKET};
use crate::harness::server::{ADMIN, local, public};
use crate::harness::wechat_pushes::{APPID, now};

const PATH: &str = "/app/test/js/card";

/// WeChat's document, appendix 4: the values that are there, sorted as texts, joined by nothing.
fn signature(values: &[&str]) -> String {
    let mut values: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
    values.sort_unstable();
    hex::encode(Sha1::digest(values.concat()))
}

/// The answer and the JSON in its `cardExt`, both checked against the ticket.
fn checked(answer: &Answer, ticket: &str, asked: &[(&str, &str)]) -> (Value, Value) {
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text());
    let card = answer.json();
    let given =
        |name: &str| asked.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).unwrap_or_default();
    let text =
        |value: &Value, name: &str| value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}")).to_owned();
    let ext: Value = serde_json::from_str(&text(&card, "cardExt")).unwrap();
    let (timestamp, nonce) = (text(&ext, "timestamp"), text(&ext, "nonce_str"));
    assert!(now().abs_diff(timestamp.parse().unwrap()) < 60);
    let values = [ticket, &timestamp, &nonce, given("card_id"), given("code"), given("openid")];
    assert_eq!(ext["signature"], signature(&values), "{card}");
    let (timestamp, nonce) = (card["timestamp"].to_string(), text(&card, "nonceStr"));
    let values = [ticket, APPID, given("location_id"), &timestamp, &nonce, given("card_id"), given("card_type")];
    assert_eq!(card["cardSign"], signature(&values), "{card}");
    assert_eq!((&card["cardId"], &card["signType"]), (&json!(given("card_id")), &json!("SHA1")));
    assert_eq!((&card["shopId"], &card["cardType"]), (&json!(given("location_id")), &json!(given("card_type"))));
    (card, ext)
}

/// The example of WeChat's document, whose ticket ends with a space.
#[test]
fn the_harness_signs_cards_as_documented() {
    let card = "pjZ8Yt1XGILfi-FUsewpnnolGgZk";
    let values = ["jonyqin_1434008071", "1404896688", card, "ojZ8YtyVyr30HheH3CM73y7h4jJE ", "jonyqin"];
    assert_eq!(signature(&values), "6b81fbf6af16e856334153b39737556063c82689");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_signed_for_adding_and_for_choosing() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let ticket = server.get(PATH).await.ticket();
    let id = "pjZ8Yt1XGILfi-FUsewpnnolGgZk";
    let all = [
        ("card_id", id),
        ("code", "123"),
        ("openid", "ojZ8YtyVyr30HheH3CM73y7h4jJE"),
        ("outer_str", "12b \"&"),
        ("location_id", "42"),
        ("card_type", "GROUPON"),
        ("fixed_begintimestamp", "1700000000"),
    ];
    for asked in [&[("card_id", id)][..], &all[..2], &all[..3], &all] {
        let (card, ext) = checked(&server.get(&format!("{PATH}?{}", encoded(asked))).await, &ticket, asked);
        for (name, value) in &asked[1..] {
            match *name {
                "location_id" | "card_type" => {}
                "fixed_begintimestamp" => assert_eq!(ext[*name], 1_700_000_000),
                _ => assert_eq!(ext[*name], *value, "{card}"),
            }
        }
        assert_eq!(ext.get("code").is_some(), asked.len() > 1, "what is not there is not in it: {ext}");
        checked(&server.post_form(PATH, asked).await, &ticket, asked);
        let object = asked.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        checked(&server.post_json(PATH, &Value::Object(object)).await, &ticket, asked);
    }
    let (one, _) = checked(&server.get(&format!("{PATH}?card_id={id}")).await, &ticket, &[("card_id", id)]);
    let (two, _) = checked(&server.get(&format!("{PATH}?card_id={id}")).await, &ticket, &[("card_id", id)]);
    assert_ne!(one["nonceStr"], two["nonceStr"]);
    // As wx.chooseCard names them.
    let asked = [("card_id", id), ("location_id", "42"), ("card_type", "GIFT")];
    checked(&server.get(&format!("{PATH}?card_id={id}&shopId=42&cardType=GIFT")).await, &ticket, &asked);
    server.get(&format!("{PATH}?card_id={id}&fixed_begintimestamp=now")).await.is_refusal(400, -10003);
    assert_eq!(server.get(&format!("{PATH}?card_id=")).await.ticket(), ticket, "without a card the ticket");
    assert_eq!(wechat.calls(TICKET), 1);
    assert_eq!(wechat.arrived(TICKET)[0].parameter("type"), "wx_card");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_and_cards_are_the_teams_and_without_a_ticket_wechat_says_why() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    let api_key = server.bearer(ADMIN).register_cold("test", &[]).await;
    let target = format!("{PATH}?card_id=p1");
    for target in [&*target, PATH, "/app/test/jsapi", "/app/test/qyjsapi"] {
        server.get(target).await.is_refusal(401, -10010);
    }
    let team = server.bearer(&api_key);
    let ticket = team.get(PATH).await.ticket();
    checked(&team.get(&target).await, &ticket, &[("card_id", "p1")]);

    let wechat = FakeWechat::start().await;
    wechat.always(TICKET, Reply::errcode(48001, "api unauthorized rid: 1"));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for _ in 0..3 {
        let answer = server.get(&target).await;
        assert_eq!((answer.status, answer.errcode()), (200, 48001));
    }
    assert_eq!(wechat.calls(TICKET), 1, "a refusal is remembered");
}
