//! A WeCom corp: its members and departments, and several apps side by side.

use sandbox::AccountKind::{Official, Wecom};
use serde_json::{Value, json};

use crate::client::{Sandbox, errcode, token};
use crate::receiver::{Receiver, success};
use crate::shop::Shop;

const FIRST: u64 = 1_000_002;

/// A token of an app.
async fn fetch(sandbox: &Sandbox, corpid: &str, secret: &str) -> String {
    token(&sandbox.get(&format!("/cgi-bin/gettoken?corpid={corpid}&corpsecret={secret}")).await)
}

#[tokio::test]
async fn members_are_read_with_a_token_of_the_corp() {
    let shop = Shop::open(Wecom).await;
    shop.sandbox.set_user(&shop.account.appid, "lisi", &json!({ "nickname": "李四" })).await;
    let known = shop.get("/cgi-bin/user/get", "&userid=lisi").await;
    assert_eq!((&known["errcode"], &known["name"]), (&json!(0), &json!("李四")));
    assert_eq!((&known["department"], &known["status"]), (&json!([1]), &json!(1)));
    assert_eq!(errcode(&shop.get("/cgi-bin/user/get", "&userid=wangwu").await), 60111);
    assert_eq!(errcode(&shop.get("/cgi-bin/user/get", "").await), 41009);
    shop.sandbox.set_user(&shop.account.appid, "lisi", &json!({ "following": false })).await;
    assert_eq!(errcode(&shop.get("/cgi-bin/user/get", "&userid=lisi").await), 60111, "no member any more");
    let list = shop.get("/cgi-bin/user/simplelist", "&department_id=1").await;
    let only = json!([{ "userid": "zhangsan", "name": "小明", "department": [1] }]);
    assert_eq!((&list["errcode"], &list["userlist"]), (&json!(0), &only));
    assert_eq!(errcode(&shop.get("/cgi-bin/user/simplelist", "&department_id=2").await), 60123);
    assert_eq!(errcode(&shop.get("/cgi-bin/user/simplelist", "").await), 40058);
    let departments = shop.get("/cgi-bin/department/list", "").await;
    assert_eq!(
        (&departments["department"][0]["id"], &departments["department"][0]["parentid"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(errcode(&shop.get("/cgi-bin/department/list", "&id=2").await), 60123);
    let official = shop.sandbox.account(Official);
    let foreign = token(&shop.sandbox.stable(&official, false).await);
    let refused = shop.sandbox.get(&format!("/cgi-bin/department/list?access_token={foreign}")).await;
    assert_eq!(errcode(&refused), 40014);
    let killed = shop.sandbox.get("/cgi-bin/user/get?access_token=x&userid=lisi").await;
    assert_eq!(errcode(&killed), 40014);
}

#[tokio::test]
async fn several_apps_of_a_corp_live_side_by_side() {
    let shop = Shop::open(Wecom).await;
    let corpid = shop.account.appid.clone();
    let agent = shop.control("POST", "agents", &json!({ "name": "HR" })).await;
    let (second, secret) = (agent["agentid"].as_u64().unwrap(), agent["secret"].as_str().unwrap());
    let other = fetch(&shop.sandbox, &corpid, secret).await;
    assert_ne!(other, shop.token);
    assert_eq!(fetch(&shop.sandbox, &corpid, secret).await, other, "each has its own, and keeps it");
    assert_eq!(fetch(&shop.sandbox, &corpid, &shop.account.secret).await, shop.token);
    let get = async |token: &str, agentid: u64| {
        shop.sandbox.get(&format!("/cgi-bin/agent/get?access_token={token}&agentid={agentid}")).await
    };
    assert_eq!(get(&shop.token, FIRST).await["agentid"], FIRST);
    let known = get(&other, second).await;
    assert_eq!((&known["name"], &known["allow_partys"]["partyid"]), (&json!("HR"), &json!([1])));
    assert_eq!(errcode(&get(&other, FIRST).await), 301_002);
    assert_eq!(errcode(&get(&shop.token, second).await), 301_002);
    assert_eq!(errcode(&get(&shop.token, 7).await), 40056);
    let listed = shop.sandbox.get(&format!("/cgi-bin/agent/list?access_token={other}")).await;
    assert_eq!(listed["agentlist"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["agentlist"][0]["agentid"], second);

    let send = async |token: &str, agentid: u64| {
        let body = json!({ "touser": "@all", "msgtype": "text", "agentid": agentid, "text": { "content": "hi" } });
        errcode(&shop.sandbox.post(&format!("/cgi-bin/message/send?access_token={token}"), &body).await)
    };
    assert_eq!((send(&shop.token, FIRST).await, send(&other, second).await), (0, 0));
    assert_eq!((send(&shop.token, second).await, send(&other, FIRST).await), (301_002, 301_002));
    let agents: Vec<_> = shop.chat().await.iter().map(|entry| entry["agentid"].clone()).collect();
    assert_eq!(agents, [FIRST, second]);

    let killed = json!({ "appid": corpid, "agentid": second });
    let killed = shop.sandbox.control("POST", "/sandbox/tokens/kill", &killed).await;
    assert_eq!(killed.json(), json!({ "ended": 1 }));
    assert_eq!((shop.sandbox.judge(&other).await, shop.sandbox.judge(&shop.token).await), (40014, 0));
    assert_ne!(fetch(&shop.sandbox, &corpid, secret).await, other);
}

#[tokio::test]
async fn each_app_has_a_callback_of_its_own() {
    let shop = Shop::open(Wecom).await;
    let agent = shop.control("POST", "agents", &json!({})).await;
    let second = Receiver::start(success()).await;
    let wish = |agentid: &Value, url: &str| {
        let key = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
        json!({ "agentid": agentid, "url": url, "token": "other", "check": false, "aes_key": key })
    };
    shop.control("PUT", "callback", &wish(&agent["agentid"], &second.url())).await;
    shop.push(&json!({ "text": "to the first" })).await;
    shop.push(&json!({ "text": "to the second", "agentid": agent["agentid"] })).await;
    assert_eq!((shop.receiver.got().len(), second.got().len()), (1, 1));
    let number = agent["agentid"].to_string();
    assert!(second.got()[0].body.contains(&format!("<AgentID><![CDATA[{number}]]></AgentID>")), "its own number");
    shop.control("DELETE", &format!("callback?agentid={number}"), &Value::Null).await;
    let path = format!("/sandbox/accounts/{}/push", shop.account.appid);
    let refused = shop.sandbox.control("POST", &path, &json!({ "text": "hi", "agentid": agent["agentid"] })).await;
    assert_eq!(refused.status, 409);
    shop.push(&json!({ "text": "to the first" })).await;
    assert_eq!(shop.receiver.got().len(), 2);
}
