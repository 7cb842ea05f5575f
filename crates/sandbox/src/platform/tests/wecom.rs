//! WeCom: tokens for each app, tickets of the corp and of the app, its own manner of refusing.

use serde_json::{Value, json};

use super::{Bench, errcode, expires_in, token};
use crate::account::AccountKind::{Official, Wecom};
use crate::account::{Account, NewAgent};
use crate::chance;

fn fetch(bench: &mut Bench, corpid: &str, secret: &str) -> Value {
    bench.get(&format!("/cgi-bin/gettoken?corpid={corpid}&corpsecret={secret}"))
}

fn fetched(bench: &mut Bench, account: &Account) -> String {
    token(&fetch(bench, &account.appid, &account.secret))
}

#[test]
fn the_same_token_is_given_until_its_end() {
    let mut bench = Bench::new();
    let corp = bench.account(Wecom);
    let first = fetch(&mut bench, &corp.appid, &corp.secret);
    assert_eq!((errcode(&first), expires_in(&first)), (0, 7200));
    assert_eq!(first["errmsg"], "ok");
    bench.advance(7100);
    let again = fetch(&mut bench, &corp.appid, &corp.secret);
    assert_eq!((token(&again), expires_in(&again)), (token(&first), 100));
    bench.advance(100);
    let next = fetch(&mut bench, &corp.appid, &corp.secret);
    assert_ne!(token(&next), token(&first));
    assert_eq!(bench.judge(&token(&first)), 42001);
}

#[test]
fn each_app_has_its_token_and_its_ticket_and_shares_the_corps() {
    let mut bench = Bench::new();
    let corp = bench.account(Wecom);
    let agent = bench.world.create_agent(&corp.appid, NewAgent::default()).unwrap().unwrap();
    assert_eq!((corp.agents[0].agentid, agent.agentid), (1_000_002, 1_000_003));
    let one = fetched(&mut bench, &corp);
    let two = token(&fetch(&mut bench, &corp.appid, &agent.secret));
    assert_ne!(one, two);
    let mut corp_ticket = |token: &str| bench.get(&format!("/cgi-bin/get_jsapi_ticket?access_token={token}"));
    assert_eq!(corp_ticket(&one)["ticket"], corp_ticket(&two)["ticket"]);
    let mut agent_ticket =
        |token: &str| bench.get(&format!("/cgi-bin/ticket/get?access_token={token}&type=agent_config"));
    assert_ne!(agent_ticket(&one)["ticket"], agent_ticket(&two)["ticket"]);
    assert_eq!(agent_ticket(&one)["ticket"], agent_ticket(&one)["ticket"]);
    assert_eq!(errcode(&bench.get(&format!("/cgi-bin/ticket/get?access_token={one}&type=jsapi"))), 40097);
}

#[test]
fn what_is_wrong_with_a_token_call_is_told() {
    let mut bench = Bench::new();
    let corp = bench.account(Wecom);
    let official = bench.account(Official);
    assert_eq!(errcode(&bench.get("/cgi-bin/gettoken")), 41002);
    assert_eq!(errcode(&bench.get("/cgi-bin/gettoken?corpid=ww0")), 41004);
    assert_eq!(errcode(&fetch(&mut bench, "ww0", "x")), 40013);
    assert_eq!(errcode(&fetch(&mut bench, &official.appid, &official.secret)), 40013);
    let refused = fetch(&mut bench, &corp.appid, "x");
    assert_eq!(errcode(&refused), 40001);
    let text = refused["errmsg"].as_str().unwrap();
    assert!(text.starts_with("invalid credential, hint: [1700000000"), "{text}");
    assert!(text.ends_with(", from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=40001"));
    bench.patch(&corp, json!({ "frozen": true }));
    assert_eq!(errcode(&fetch(&mut bench, &corp.appid, &corp.secret)), 50003);
}

#[test]
fn a_revoked_token_is_invalid_and_another_one_can_be_had() {
    let mut bench = Bench::new();
    let corp = bench.account(Wecom);
    let first = fetched(&mut bench, &corp);
    assert_eq!(bench.world.kill_tokens_of(&corp.appid, None), Some(1));
    assert_eq!(bench.judge(&first), 40014);
    let second = fetched(&mut bench, &corp);
    assert_ne!(first, second);
    assert_eq!(bench.judge(&second), 0);
    bench.patch(&corp, json!({ "secret": "another" }));
    assert_eq!(bench.judge(&second), 40014);
    assert_eq!(errcode(&fetch(&mut bench, &corp.appid, &corp.secret)), 40001);
    assert_eq!(errcode(&fetch(&mut bench, &corp.appid, "another")), 0);
}

#[test]
fn shared_paths_tell_the_houses_apart_by_the_token() {
    let mut bench = Bench::new();
    let (corp, official) = (bench.account(Wecom), bench.account(Official));
    let (corp_token, official_token) = (fetched(&mut bench, &corp), token(&bench.classic(&official)));
    let mut list = |token: &str| bench.get(&format!("/cgi-bin/get_api_domain_ip?access_token={token}"));
    let of_corp = list(&corp_token);
    assert_eq!((&of_corp["errcode"], &of_corp["errmsg"]), (&json!(0), &json!("ok")));
    let of_official = list(&official_token);
    assert!(of_official.get("errcode").is_none());
    assert_ne!(of_corp["ip_list"], of_official["ip_list"]);
    let never_issued = list(&chance::wecom_token());
    assert_eq!(errcode(&never_issued), 40014);
    assert!(never_issued["errmsg"].as_str().unwrap().contains("more info at"));
    // A token of the other house is no token.
    assert_eq!(errcode(&bench.get(&format!("/cgi-bin/get_jsapi_ticket?access_token={official_token}"))), 40014);
    let ticket = bench.get(&format!("/cgi-bin/ticket/getticket?type=jsapi&access_token={corp_token}"));
    assert_eq!(errcode(&ticket), 40014);
    assert!(ticket["errmsg"].as_str().unwrap().contains(" rid: "));
}

#[test]
fn a_corp_is_called_from_listed_addresses_only() {
    let mut bench = Bench::new();
    let corp = bench.account(Wecom);
    bench.patch(&corp, json!({ "ip_allow_list": ["10.0.0.1"] }));
    bench.client_ip = "114.132.235.244";
    let good = fetched(&mut bench, &corp);
    let refused = bench.get(&format!("/cgi-bin/getcallbackip?access_token={good}"));
    assert_eq!(errcode(&refused), 60020);
    let text = refused["errmsg"].as_str().unwrap();
    assert!(text.starts_with("not allow to access from your ip, hint: ["), "{text}");
    assert!(text.contains("], from ip: 114.132.235.244, more info at "), "{text}");
    bench.client_ip = "10.0.0.1";
    assert_eq!(bench.judge(&good), 0);
}

#[test]
fn tickets_are_limited_by_the_hour() {
    let mut bench = Bench::new();
    let corp = bench.account(Wecom);
    let good = fetched(&mut bench, &corp);
    let target = format!("/cgi-bin/get_jsapi_ticket?access_token={good}");
    for _ in 0..100 {
        assert_eq!(errcode(&bench.get(&target)), 0);
    }
    assert_eq!(errcode(&bench.get(&target)), 45009);
    assert_eq!(errcode(&bench.get(&format!("/cgi-bin/ticket/get?access_token={good}&type=agent_config"))), 0);
    bench.advance(3600);
    assert_eq!(errcode(&bench.get(&target)), 0);
}
