//! WeChat's APIs over HTTP: each rule once, as a client sees it.

use sandbox::AccountKind::{MiniProgram, Official, Wecom};
use serde_json::json;

use crate::client::{Sandbox, errcode, token};

#[tokio::test]
async fn classic_tokens_are_replaced_and_die_after_five_minutes() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let first = sandbox.classic(&account).await;
    assert_eq!(first["expires_in"], 7200);
    let second = token(&sandbox.classic(&account).await);
    assert_eq!(sandbox.judge(&token(&first)).await, 0);
    sandbox.advance(300).await;
    assert_eq!(sandbox.judge(&token(&first)).await, 40001);
    assert_eq!(sandbox.judge(&second).await, 0);
    sandbox.advance(6900).await;
    assert_eq!(sandbox.judge(&second).await, 42001);
}

#[tokio::test]
async fn stable_tokens_stay_and_are_forced_at_a_distance() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(MiniProgram);
    let first = token(&sandbox.stable(&account, false).await);
    sandbox.advance(100).await;
    let again = sandbox.stable(&account, false).await;
    assert_eq!((token(&again), &again["expires_in"]), (first.clone(), &json!(7100)));
    let second = token(&sandbox.stable(&account, true).await);
    assert_ne!(first, second);
    assert_eq!(token(&sandbox.stable(&account, true).await), second);
    for _ in 0..19 {
        sandbox.advance(30).await;
        assert_eq!(errcode(&sandbox.stable(&account, true).await), 0);
    }
    sandbox.advance(30).await;
    assert_eq!(errcode(&sandbox.stable(&account, true).await), 45009);
    assert_eq!(sandbox.judge(&first).await, 40001);
}

#[tokio::test]
async fn errors_have_http_200_and_name_the_request() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let good = token(&sandbox.stable(&account, false).await);
    let answer = sandbox
        .send("GET", &format!("/cgi-bin/token?grant_type=client_credential&appid={}&secret=x", account.appid), "")
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; encoding=utf-8"));
    let refused = answer.json();
    assert_eq!(refused["errcode"], 40125);
    let (text, rid) = refused["errmsg"].as_str().unwrap().split_once(" rid: ").expect("a request id");
    assert_eq!(text, "invalid appsecret");

    let target = format!("/cgi-bin/openapi/rid/get?access_token={good}");
    let shown = sandbox.post(&target, &json!({ "rid": rid })).await;
    assert_eq!(shown["errcode"], 0);
    let request = &shown["request"];
    assert!(request["request_url"].as_str().unwrap().starts_with("https://api.weixin.qq.com/cgi-bin/token?"));
    assert!(request["response_body"].as_str().unwrap().contains("40125"));
    assert_eq!(request["client_ip"], "127.0.0.1");
    let another = token(&sandbox.stable(&sandbox.account(Official), false).await);
    let not_mine = format!("/cgi-bin/openapi/rid/get?access_token={another}");
    assert_eq!(errcode(&sandbox.post(&not_mine, &json!({ "rid": rid })).await), 76003);
    assert_eq!(errcode(&sandbox.post(&target, &json!({ "rid": "00000000-00000000-00000000" })).await), 76001);
    assert_eq!(errcode(&sandbox.post(&target, &json!({ "rid": "x" })).await), 76002);
    sandbox.advance(7 * 86_400 + 1).await;
    let good = token(&sandbox.stable(&account, false).await);
    let target = format!("/cgi-bin/openapi/rid/get?access_token={good}");
    assert_eq!(errcode(&sandbox.post(&target, &json!({ "rid": rid })).await), 76004);
}

#[tokio::test]
async fn tickets_outlast_tokens() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let first = token(&sandbox.stable(&account, false).await);
    let ticket = sandbox.get(&format!("/cgi-bin/ticket/getticket?access_token={first}&type=jsapi")).await;
    assert_eq!(ticket["errcode"], 0);
    sandbox.control("POST", "/sandbox/tokens/kill", &json!({ "access_token": first })).await.ok();
    let target = format!("/cgi-bin/ticket/getticket?access_token={first}&type=jsapi");
    assert_eq!(errcode(&sandbox.get(&target).await), 40001);
    let second = token(&sandbox.stable(&account, false).await);
    let again = sandbox.get(&format!("/cgi-bin/ticket/getticket?access_token={second}&type=jsapi")).await;
    assert_eq!(again["ticket"], ticket["ticket"]);
}

#[tokio::test]
async fn wecom_has_its_own_tokens_tickets_and_texts() {
    let sandbox = Sandbox::start().await;
    let corp = sandbox.account(Wecom);
    let target = format!("/cgi-bin/gettoken?corpid={}&corpsecret={}", corp.appid, corp.secret);
    let first = sandbox.get(&target).await;
    assert_eq!((&first["errcode"], &first["expires_in"]), (&json!(0), &json!(7200)));
    assert_eq!(token(&sandbox.get(&target).await), token(&first));
    let first = token(&first);
    assert_eq!(errcode(&sandbox.get(&format!("/cgi-bin/get_jsapi_ticket?access_token={first}")).await), 0);
    let agent = format!("/cgi-bin/ticket/get?access_token={first}&type=agent_config");
    assert_eq!(errcode(&sandbox.get(&agent).await), 0);
    sandbox.control("POST", "/sandbox/tokens/kill", &json!({ "appid": corp.appid })).await.ok();
    let refused = sandbox.get(&agent).await;
    assert_eq!(refused["errcode"], 40014);
    assert!(refused["errmsg"].as_str().unwrap().contains("], from ip: 127.0.0.1, more info at "));
    assert_ne!(token(&sandbox.get(&target).await), first);
}

#[tokio::test]
async fn accounts_can_be_closed_in_every_way() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let corp = sandbox.account(Wecom);
    let good = token(&sandbox.stable(&account, false).await);
    let ticket = format!("/cgi-bin/ticket/getticket?access_token={good}&type=jsapi");
    for (patch, expected) in [
        (json!({ "secret_frozen": true }), 40243),
        (json!({ "secret_frozen": false, "frozen": true }), 50007),
        (json!({ "frozen": false, "token_api_disabled": true }), 50004),
        (json!({ "token_api_disabled": false, "ip_allow_list": ["192.0.2.0/24"] }), 40164),
        (json!({ "ip_allow_list": ["127.0.0.0/8"], "daily_quota": { "/cgi-bin/token": 0 } }), 45009),
        (json!({ "daily_quota": { "/cgi-bin/token": null }, "rights": { "jssdk": false } }), 0),
        (json!({ "secret": "another" }), 40125),
    ] {
        sandbox.control("PATCH", &format!("/sandbox/accounts/{}", account.appid), &patch).await.ok();
        assert_eq!(errcode(&sandbox.classic(&account).await), expected, "{patch}");
        if patch["rights"]["jssdk"] == false {
            assert_eq!(errcode(&sandbox.get(&ticket).await), 48001);
        }
    }
    assert_eq!(sandbox.judge(&good).await, 40001);
    let of_corp = sandbox.get(&format!("/cgi-bin/gettoken?corpid={}&corpsecret={}", corp.appid, corp.secret)).await;
    let patch = json!({ "ip_allow_list": ["192.0.2.1"] });
    sandbox.control("PATCH", &format!("/sandbox/accounts/{}", corp.appid), &patch).await.ok();
    assert_eq!(sandbox.judge(&token(&of_corp)).await, 60020);
}

#[tokio::test]
async fn quotas_run_out_and_are_reset() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let patch = json!({ "daily_quota": { "/cgi-bin/token": 2 } });
    sandbox.control("PATCH", &format!("/sandbox/accounts/{}", account.appid), &patch).await.ok();
    let good = token(&sandbox.classic(&account).await);
    let last = token(&sandbox.classic(&account).await);
    assert_eq!(errcode(&sandbox.classic(&account).await), 45009);
    let shown = format!("/cgi-bin/openapi/quota/get?access_token={last}");
    let shown = sandbox.post(&shown, &json!({ "cgi_path": "/cgi-bin/token" })).await;
    assert_eq!(shown["quota"], json!({ "daily_limit": 2, "used": 2, "remain": 0 }));
    let cleared = format!("/cgi-bin/clear_quota?access_token={good}");
    assert_eq!(errcode(&sandbox.post(&cleared, &json!({ "appid": account.appid })).await), 0);
    assert_eq!(errcode(&sandbox.classic(&account).await), 0);
    let one = format!("/cgi-bin/openapi/quota/clear?access_token={last}");
    assert_eq!(errcode(&sandbox.post(&one, &json!({ "cgi_path": "/cgi-bin/token" })).await), 0);
    let by_secret = format!("/cgi-bin/clear_quota/v2?appid={}&appsecret={}", account.appid, account.secret);
    assert_eq!(errcode(&sandbox.post(&by_secret, &json!({})).await), 0);
}
