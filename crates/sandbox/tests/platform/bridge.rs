//! The JSSDK's server side: which signatures are good, and for what.

use sandbox::Account;
use sandbox::AccountKind::{MiniProgram, Official, Wecom};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::client::{Sandbox, token};

const PAGE: &str = "http://shop.example:8000/a/b?x=1&y=%E6%B5%8B";

fn sha1_of(text: &str) -> String {
    hex::encode(Sha1::digest(text))
}

async fn ticket(sandbox: &Sandbox, account: &Account, kind: &str) -> String {
    let token = token(&sandbox.stable(account, false).await);
    let ticket = sandbox.get(&format!("/cgi-bin/ticket/getticket?access_token={token}&type={kind}")).await;
    ticket["ticket"].as_str().expect("a ticket").to_owned()
}

fn signature(ticket: &str, url: &str) -> String {
    sha1_of(&format!("jsapi_ticket={ticket}&noncestr=n0nce&timestamp=1414587457&url={url}"))
}

fn config(appid: &str, signature: &str) -> Value {
    json!({
        "kind": "config", "url": PAGE, "appId": appid, "timestamp": 1_414_587_457, "nonceStr": "n0nce",
        "signature": signature, "jsApiList": ["chooseImage", "fly", "scanQRCode"], "openTagList": ["wx-open-audio", "b"],
    })
}

fn with(config: &Value, field: &str, value: Value) -> Value {
    let mut changed = config.clone();
    changed[field] = value;
    changed
}

async fn said(sandbox: &Sandbox, body: &Value) -> String {
    sandbox.post("/jsbridge/verify", body).await["errMsg"].as_str().expect("a text").to_owned()
}

#[tokio::test]
async fn a_good_signature_is_granted_what_there_is() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let ticket = ticket(&sandbox, &account, "jsapi").await;
    let good = config(&account.appid, &signature(&ticket, PAGE));
    let mut connection = sandbox.connect().await;
    let headers = ["origin: http://shop.example:8000", "content-type: text/plain"];
    connection.send("POST", "/jsbridge/verify", &headers, &good.to_string()).await;
    let answer = connection.answer().await.expect("an answer");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let granted = json!({
        "errMsg": "config:ok", "jsApiList": ["chooseImage", "scanQRCode"], "openTagList": ["wx-open-audio"],
    });
    assert_eq!(answer.json(), granted);
    let call = sandbox.last_call().await;
    assert_eq!(
        (&call["note"], &call["appid"], &call["errcode"]),
        (&json!("config:ok"), &json!(account.appid), &json!(0))
    );
    for (field, value) in [("url", json!(format!("{PAGE}#/route"))), ("timestamp", json!("1414587457"))] {
        assert_eq!(said(&sandbox, &with(&good, field, value)).await, "config:ok", "{field}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_has_its_text() {
    let sandbox = Sandbox::start().await;
    let (account, other, mini) = (sandbox.account(Official), sandbox.account(Official), sandbox.account(MiniProgram));
    let (jsapi, card) = (ticket(&sandbox, &account, "jsapi").await, ticket(&sandbox, &account, "wx_card").await);
    ticket(&sandbox, &other, "jsapi").await;
    let good = config(&account.appid, &signature(&jsapi, PAGE));
    for (wrong, text) in [
        (with(&good, "url", json!("http://shop.example:8000/a/b")), "invalid signature"),
        (with(&good, "nonceStr", json!("N0nce")), "invalid signature"),
        (with(&good, "timestamp", json!(1_414_587_458)), "invalid signature"),
        (with(&good, "signature", json!(signature(&jsapi, PAGE).to_uppercase())), "invalid signature"),
        (with(&good, "signature", json!(signature(&card, PAGE))), "invalid signature"),
        (with(&good, "signature", Value::Null), "invalid signature"),
        (with(&good, "appId", json!(other.appid)), "invalid signature"),
        (with(&good, "appId", json!("wx0")), "invalid appid"),
        (with(&good, "appId", json!(mini.appid)), "invalid appid"),
        (with(&good, "timestamp", json!(1_414_587_457_000_u64)), "fail, timestamp"),
        (with(&good, "timestamp", Value::Null), "fail, timestamp"),
        (with(&good, "jsApiList", json!("chooseImage")), "fail, jsApiList"),
        (with(&good, "url", json!("file:///a")), "invalid url domain"),
        (with(&good, "url", Value::Null), "invalid url domain"),
    ] {
        let text = format!("config:{text}");
        assert!(said(&sandbox, &wrong).await.starts_with(&text), "{wrong}: {text}");
    }
    assert_eq!(sandbox.last_call().await["errcode"], -1);
    assert!(
        sandbox.send("POST", "/jsbridge/verify", "x").await.json()["errMsg"]
            .as_str()
            .unwrap()
            .starts_with("config:fail")
    );
    for (domains, text) in [
        (json!(["example"]), "config:invalid url domain"),
        (json!(["shop.example:80"]), "config:invalid url domain"),
        (json!(["shop.example"]), "config:ok"),
        (json!(["shop.example:8000"]), "config:ok"),
    ] {
        sandbox.set_account(&account.appid, &json!({ "js_domains": domains })).await;
        assert_eq!(said(&sandbox, &good).await, text, "{domains}");
    }
}

#[tokio::test]
async fn an_old_ticket_is_good_until_its_end() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let first = ticket(&sandbox, &account, "jsapi").await;
    sandbox.advance(6_901).await;
    let second = ticket(&sandbox, &account, "jsapi").await;
    assert_ne!(first, second);
    let of = |ticket: &str| config(&account.appid, &signature(ticket, PAGE));
    sandbox.advance(298).await;
    assert_eq!(said(&sandbox, &of(&first)).await, "config:ok");
    sandbox.advance(1).await;
    assert_eq!(said(&sandbox, &of(&first)).await, "config:invalid signature");
    assert_eq!(said(&sandbox, &of(&second)).await, "config:ok");
}

#[tokio::test]
async fn a_corp_signs_with_its_own_ticket_and_an_app_with_the_apps() {
    let sandbox = Sandbox::start().await;
    let corp = sandbox.account(Wecom);
    let agent = sandbox.control("POST", &format!("/sandbox/accounts/{}/agents", corp.appid), &json!({})).await.json();
    let fetch = format!("/cgi-bin/gettoken?corpid={}&corpsecret={}", corp.appid, corp.secret);
    let token = token(&sandbox.get(&fetch).await);
    let text = |answer: &Value| answer["ticket"].as_str().expect("a ticket").to_owned();
    let of_corp = text(&sandbox.get(&format!("/cgi-bin/get_jsapi_ticket?access_token={token}")).await);
    let of_app = text(&sandbox.get(&format!("/cgi-bin/ticket/get?access_token={token}&type=agent_config")).await);
    let mut good = config(&corp.appid, &signature(&of_corp, PAGE));
    assert_eq!(said(&sandbox, &good).await, "config:ok");
    good["kind"] = json!("agentConfig");
    good["corpid"] = good["appId"].take();
    good["agentid"] = json!("1000002");
    assert_eq!(said(&sandbox, &good).await, "agentConfig:invalid signature");
    good["signature"] = json!(signature(&of_app, PAGE));
    good["jsApiList"] = json!(["selectExternalContact", "a b"]);
    let granted = sandbox.post("/jsbridge/verify", &good).await;
    assert_eq!(
        (&granted["errMsg"], &granted["jsApiList"]),
        (&json!("agentConfig:ok"), &json!(["selectExternalContact"]))
    );
    assert_eq!(said(&sandbox, &with(&good, "agentid", json!(1_000_002))).await, "agentConfig:ok");
    assert_eq!(
        said(&sandbox, &with(&good, "agentid", agent["agentid"].clone())).await,
        "agentConfig:invalid signature"
    );
    assert_eq!(said(&sandbox, &with(&good, "agentid", json!(9))).await, "agentConfig:invalid agentid");
    assert_eq!(said(&sandbox, &with(&good, "corpid", json!("ww0"))).await, "agentConfig:invalid corpid");
    let official = sandbox.account(Official);
    assert_eq!(said(&sandbox, &with(&good, "corpid", json!(official.appid))).await, "agentConfig:invalid corpid");
}

/// The rule of all card signatures: values that are not empty, sorted, joined.
fn card_signature(values: &[&str]) -> String {
    let mut values = values.to_vec();
    values.sort_unstable();
    sha1_of(&values.concat())
}

#[tokio::test]
async fn cards_are_signed_by_their_values() {
    let sandbox = Sandbox::start().await;
    let (account, other) = (sandbox.account(Official), sandbox.account(Official));
    let api_ticket = ticket(&sandbox, &account, "wx_card").await;
    let signed = card_signature(&[&api_ticket, "1404896688", "pCard", "n", "c1"]);
    let ext = json!({ "code": "c1", "openid": "", "timestamp": "1404896688", "nonce_str": "n", "signature": signed, "outer_str": "x" });
    let add = json!({ "appId": account.appid, "kind": "addCard", "cardList": [{ "cardId": "pCard", "cardExt": ext.to_string() }] });
    let card = async |body: &Value| sandbox.post("/jsbridge/card", body).await;
    assert_eq!(card(&add).await["errMsg"], "addCard:ok");
    let mut nameless = add.clone();
    nameless["appId"].take();
    assert_eq!(card(&nameless).await["errMsg"], "addCard:ok", "the ticket tells whose it is");
    let mut wrong = add.clone();
    wrong["cardList"][0]["cardId"] = json!("pOther");
    assert_eq!(card(&wrong).await["errMsg"], "addCard:fail, invalid signature");
    wrong["appId"] = json!(other.appid);
    assert_eq!(card(&wrong).await["errMsg"], "addCard:fail, invalid signature");
    wrong["appId"] = json!("wx0");
    assert_eq!(card(&wrong).await["errMsg"], "addCard:fail, invalid appid");
    for list in [json!([]), json!("x"), json!([{ "cardId": "p" }]), json!([{ "cardExt": "{}" }])] {
        let text = card(&with(&add, "cardList", list)).await["errMsg"].as_str().unwrap().to_owned();
        assert!(text.starts_with("addCard:fail"), "{text}");
    }
    let sign = card_signature(&[&api_ticket, &account.appid, "1404896688", "n", "GROUPON"]);
    let choose = json!({
        "appId": account.appid, "kind": "chooseCard", "shopId": "", "cardType": "GROUPON", "timestamp": 1_404_896_688,
        "nonceStr": "n", "signType": "SHA1", "cardSign": sign,
    });
    let chosen = card(&choose).await;
    assert_eq!(chosen["errMsg"], "chooseCard:ok");
    let list: Value = serde_json::from_str(chosen["cardList"].as_str().unwrap()).unwrap();
    assert!(list[0]["encrypt_code"].is_string());
    assert_eq!(card(&with(&choose, "shopId", json!("7"))).await["errMsg"], "chooseCard:fail, invalid signature");
    assert_eq!(
        card(&with(&choose, "signType", json!("MD5"))).await["errMsg"],
        "chooseCard:fail, signType has to be SHA1"
    );
}

#[tokio::test]
async fn the_script_and_the_phone_are_there_for_every_origin() {
    let sandbox = Sandbox::start().await;
    let mut scripts = Vec::new();
    for path in ["/open/js/jweixin-1.6.0.js", "/open/js/jweixin-1.2.0.js", "/wwopen/js/jwxwork-1.0.0.js"] {
        let script = sandbox.open(path, &["origin: https://shop.example"]).await;
        assert_eq!((script.status, script.header("content-type")), (200, Some("text/javascript; charset=utf-8")));
        assert_eq!(script.header("access-control-allow-origin"), Some("*"));
        assert!(script.body.contains("WeixinJSBridge"));
        scripts.push(script.body);
    }
    assert!(scripts.iter().all(|script| *script == scripts[0]));
    sandbox.control("PATCH", "/sandbox/phone", &json!({ "system": "ios" })).await.ok();
    let phone = sandbox.open("/jsbridge/phone", &["origin: https://shop.example"]).await;
    assert_eq!(phone.header("access-control-allow-origin"), Some("*"));
    assert_eq!(phone.json()["system"], "ios");
    assert!(phone.json()["user_agent"].as_str().unwrap().contains("MicroMessenger/8.0"));
    let preflight = sandbox.send("OPTIONS", "/jsbridge/verify", "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, Some("content-type")));
    let wrong = sandbox.send("GET", "/jsbridge/verify", "").await;
    assert_eq!((wrong.status, wrong.header("access-control-allow-origin")), (405, Some("*")));
}
