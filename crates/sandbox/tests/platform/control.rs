//! The control API: what it does, and what it says when it cannot.

use sandbox::AccountKind::{MiniProgram, Official, Wecom};
use sandbox::{AccountError, NewAccount};
use serde_json::{Value, json};

use crate::client::{Events, Sandbox, errcode, token};

#[tokio::test]
async fn accounts_are_made_shown_and_deleted() {
    let sandbox = Sandbox::start().await;
    let created = sandbox.send("POST", "/sandbox/accounts", "").await;
    assert_eq!(created.status, 201);
    let made_up = created.json();
    assert!(made_up["appid"].as_str().unwrap().starts_with("wx"));
    let wish = json!({ "kind": "wecom", "appid": "ww1", "secret": "s", "name": "测试" });
    let given = sandbox.control("POST", "/sandbox/accounts", &wish).await.json();
    assert_eq!((&given["appid"], &given["secret"], &given["name"]), (&json!("ww1"), &json!("s"), &json!("测试")));
    let agent = sandbox.control("POST", "/sandbox/accounts/ww1/agents", &json!({ "agentid": 7, "secret": "t" })).await;
    assert_eq!((agent.status, &agent.json()["agentid"]), (201, &json!(7)));
    let listed = sandbox.get("/sandbox/accounts").await;
    assert_eq!(listed["accounts"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed["accounts"][1]["agents"][1]["secret"], "t");
    sandbox.control("DELETE", "/sandbox/accounts/ww1", &Value::Null).await.ok();
    assert_eq!(sandbox.control("GET", "/sandbox/accounts/ww1", &Value::Null).await.status, 404);
}

#[tokio::test]
async fn the_library_refuses_what_the_control_api_refuses() {
    let sandbox = Sandbox::start().await;
    let with = |appid: &str, secret: &str| {
        let wish = NewAccount { appid: Some(appid.into()), secret: Some(secret.into()), ..NewAccount::of(Official) };
        sandbox.platform.create_account(wish)
    };
    assert_eq!(with("wx1", "s").map(|account| account.secret), Ok("s".to_owned()));
    assert_eq!(with("wx1", "s"), Err(AccountError::Taken("wx1".into())));
    assert_eq!(with("a/b", "s"), Err(AccountError::BadAppid("a/b".into())));
    assert_eq!(with("wx2", ""), Err(AccountError::BadSecret));
}

#[tokio::test]
async fn calls_are_listed_counted_and_cleared() {
    let sandbox = Sandbox::start().await;
    let (one, two) = (sandbox.account(Official), sandbox.account(MiniProgram));
    let good = token(&sandbox.classic(&one).await);
    sandbox.stable(&two, false).await;
    sandbox.judge(&good).await;
    sandbox.get("/cgi-bin/token").await;
    let listed = sandbox.get("/sandbox/calls").await;
    let calls = listed["calls"].as_array().unwrap();
    let column = |name: &str| calls.iter().map(|call| call[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("path"), ["/cgi-bin/token", "/cgi-bin/stable_token", "/cgi-bin/getcallbackip", "/cgi-bin/token"]);
    assert_eq!(column("appid"), [json!(one.appid), json!(two.appid), json!(one.appid), Value::Null]);
    assert_eq!(column("errcode"), [0, 0, 0, 40002]);
    assert_eq!(calls[0]["client_ip"], "127.0.0.1");
    assert_eq!(sandbox.count("").await, 4);
    assert_eq!(sandbox.count("?path=/cgi-bin/token").await, 2);
    assert_eq!(sandbox.count(&format!("?path=/cgi-bin/*&appid={}", one.appid)).await, 2);
    let after = listed["calls"][2]["id"].as_u64().unwrap();
    let rest = sandbox.get(&format!("/sandbox/calls?after={after}&limit=10")).await;
    assert_eq!(rest["calls"].as_array().map(Vec::len), Some(1));
    assert_eq!(sandbox.control("DELETE", "/sandbox/calls", &Value::Null).await.json(), json!({ "deleted": 4 }));
    assert_eq!(sandbox.count("").await, 0);
}

#[tokio::test]
async fn tokens_end_when_told_to() {
    let sandbox = Sandbox::start().await;
    let account = sandbox.account(Official);
    let (classic, stable) = (token(&sandbox.classic(&account).await), token(&sandbox.stable(&account, false).await));
    let killed = sandbox.control("POST", "/sandbox/tokens/kill", &json!({ "access_token": classic })).await;
    assert_eq!(killed.json(), json!({ "ended": 1 }));
    assert_eq!(sandbox.judge(&classic).await, 40001);
    assert_eq!(sandbox.judge(&stable).await, 0);
    let expired = sandbox.control("POST", "/sandbox/tokens/expire", &json!({ "appid": account.appid })).await;
    assert_eq!(expired.json(), json!({ "ended": 1 }));
    assert_eq!(sandbox.judge(&stable).await, 42001);
}

#[tokio::test]
async fn the_clock_is_turned() {
    let sandbox = Sandbox::start().await;
    let before = sandbox.get("/sandbox/clock").await;
    assert_eq!(before["pace"], "stepped");
    sandbox.advance(3600).await;
    let after = sandbox.get("/sandbox/clock").await;
    assert_eq!(after["now"].as_u64().unwrap() - before["now"].as_u64().unwrap(), 3_600_000);
    let live = sandbox.control("POST", "/sandbox/clock", &json!({ "pace": "live", "advance": 1 })).await.json();
    assert_eq!(live["pace"], "live");
    assert!(live["now"].as_u64() > after["now"].as_u64());
}

#[tokio::test]
async fn the_state_shows_everything_and_reset_forgets_it() {
    let sandbox = Sandbox::start().await;
    let mut events = Events::listen(&sandbox).await;
    let account = sandbox.account(Official);
    assert_eq!(events.next("change").await["what"], "accounts");
    let good = token(&sandbox.stable(&account, false).await);
    assert_eq!(events.next("call").await["path"], "/cgi-bin/stable_token");
    sandbox.get(&format!("/cgi-bin/ticket/getticket?access_token={good}&type=wx_card")).await;
    sandbox.fault(&json!({ "path": "*", "errcode": -1 })).await;
    let state = sandbox.get("/sandbox/state").await;
    let shown = &state["accounts"][0];
    assert_eq!(shown["appid"], account.appid);
    assert_eq!(shown["tokens"][0]["access_token"], good);
    assert_eq!((&shown["tokens"][0]["space"], &shown["tokens"][0]["state"]), (&json!("stable"), &json!("valid")));
    assert_eq!(shown["tickets"][0]["type"], "wx_card");
    assert_eq!(shown["quotas"][0], json!({ "path": "/cgi-bin/stable_token", "used": 1, "limit": 500_000 }));
    assert_eq!(state["faults"][0]["errcode"], -1);
    assert_eq!(state["calls"].as_array().map(Vec::len), Some(2));
    sandbox.control("POST", "/sandbox/reset", &Value::Null).await;
    let state = sandbox.send("POST", "/sandbox/reset", "").await;
    assert_eq!(state.json(), json!({ "reset": true }));
    let state = sandbox.get("/sandbox/state").await;
    assert_eq!((&state["accounts"], &state["faults"], &state["calls"]), (&json!([]), &json!([]), &json!([])));
    assert_eq!(state["clock"]["pace"], "live");
    assert_eq!(errcode(&sandbox.stable(&account, false).await), 40013);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let sandbox = Sandbox::start().await;
    let official = sandbox.account(Official).appid;
    let corp = sandbox.account(Wecom).appid;
    let (one, agents) = (format!("/sandbox/accounts/{official}"), format!("/sandbox/accounts/{corp}/agents"));
    let taken = json!({ "appid": official }).to_string();
    for (method, target, body, status, hint) in [
        ("GET", "/sandbox/nothing", "", 404, "README"),
        ("PUT", "/sandbox/accounts", "", 405, "does not take PUT"),
        ("POST", "/sandbox/accounts", "{", 400, "JSON"),
        ("POST", "/sandbox/accounts", r#"{"kind":"bank"}"#, 400, "unknown variant"),
        ("POST", "/sandbox/accounts", r#"{"apid":"x"}"#, 400, "unknown field"),
        ("POST", "/sandbox/accounts", r#"{"appid":"a b"}"#, 400, "cannot be used"),
        ("POST", "/sandbox/accounts", r#"{"name":" "}"#, 400, "the name"),
        ("POST", "/sandbox/accounts", &taken, 409, "already"),
        ("GET", "/sandbox/accounts/wx0", "", 404, "lists those"),
        ("PATCH", "/sandbox/accounts/wx0", "{}", 404, "lists those"),
        ("DELETE", "/sandbox/accounts/wx0", "", 404, "lists those"),
        ("PATCH", &one, r#"{"ip_allow_list":["x"]}"#, 400, "10.0.0.0/8"),
        ("PATCH", &one, r#"{"token_lifetime":0}"#, 400, "seconds"),
        ("PATCH", &one, r#"{"daily_quota":{"x":1}}"#, 400, "/cgi-bin/token"),
        ("PATCH", &one, r#"{"web_domains":["http://a/"]}"#, 400, "a host name such as"),
        ("PATCH", &one, r#"{"js_domains":["*"]}"#, 400, "a host name such as"),
        ("PATCH", &one, r#"{"secret":""}"#, 400, "secret"),
        ("POST", &format!("{one}/agents"), "", 400, "not a WeCom corp"),
        ("POST", &agents, r#"{"agentid":1000002}"#, 409, "there already"),
        ("POST", &agents, r#"{"secret":"t"}"#, 201, ""),
        ("PATCH", &format!("/sandbox/accounts/{corp}"), r#"{"secret":"t"}"#, 409, "same secret"),
        ("PUT", &format!("{one}/callback"), r#"{"url":"x","token":"abc"}"#, 400, "whole address"),
        ("PUT", &format!("{one}/callback"), r#"{"url":"http://a","token":"a"}"#, 400, "3 to 32"),
        ("PUT", &format!("{one}/callback"), r#"{"url":"http://a","token":"abc","mode":"secure"}"#, 400, "43 letters"),
        (
            "PUT",
            &format!("{one}/callback"),
            r#"{"url":"http://a","token":"abc","format":"json"}"#,
            400,
            "mini programs",
        ),
        ("PUT", "/sandbox/accounts/wx0/callback", r#"{"url":"http://a","token":"abc"}"#, 404, "lists those"),
        ("GET", &format!("{one}/chat?openid=oNobody"), "", 404, "no user"),
        ("GET", &format!("{one}/media/x"), "", 404, "3 days"),
        ("POST", &format!("{one}/qrcodes"), r#"{"scene":""}"#, 400, "64 characters"),
        ("PATCH", &format!("{one}/users/a%20b"), "{}", 400, "cannot be one"),
        ("PATCH", &format!("{one}/users/o1"), r#"{"language":"de"}"#, 400, "zh_TW"),
        ("PATCH", &format!("{one}/users/o1"), r#"{"sex":3}"#, 400, "female"),
        ("PATCH", &format!("{one}/users/o1"), r#"{"unionid":"a b"}"#, 400, "unionid"),
        ("PATCH", &format!("{one}/users/o1"), r#"{"headimgurl":"http://a\n"}"#, 400, "control characters"),
        ("PATCH", &format!("{one}/users/o1"), r#"{"nick":"a"}"#, 400, "unknown field"),
        ("GET", "/sandbox/pushes/9", "", 404, "lists the latest"),
        ("GET", "/sandbox/pushes?limit=0", "", 400, "limit"),
        ("POST", "/sandbox/clock", "{}", 400, "advance"),
        ("POST", "/sandbox/clock", r#"{"advance":-1}"#, 400, "invalid value"),
        ("POST", "/sandbox/clock", r#"{"advance":99999999999}"#, 400, "at most"),
        ("POST", "/sandbox/clock", r#"{"pace":"fast"}"#, 400, "stepped"),
        ("POST", "/sandbox/faults", "{}", 400, "path"),
        ("POST", "/sandbox/faults", r#"{"path":"x","errcode":1}"#, 400, "/cgi-bin/*"),
        ("POST", "/sandbox/faults", r#"{"path":"*"}"#, 400, "say what goes wrong"),
        ("POST", "/sandbox/faults", r#"{"path":"*","drop":true,"hang":true}"#, 400, "only one"),
        ("DELETE", "/sandbox/faults/9", "", 404, "no fault 9"),
        ("GET", "/sandbox/calls?limit=0", "", 400, "limit"),
        ("GET", "/sandbox/calls?limit=x", "", 400, "query"),
        ("GET", "/sandbox/calls/count?paht=/", "", 400, "unknown field"),
        ("POST", "/sandbox/tokens/kill", "{}", 400, "give access_token"),
        ("POST", "/sandbox/tokens/kill", r#"{"access_token":"x"}"#, 404, "no such"),
        ("POST", "/sandbox/tokens/expire", r#"{"appid":"wx0"}"#, 404, "lists those"),
    ] {
        let answer = sandbox.send(method, target, body).await;
        assert_eq!(answer.status, status, "{method} {target} {body}: {}", answer.body);
        let said = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains(hint), "{method} {target} {body}: {said}");
    }
}
