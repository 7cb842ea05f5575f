//! Classic and stable tokens: who replaces whom, and how a token is judged.

use http::Method;
use serde_json::json;

use super::{Bench, TO_MIDNIGHT, errcode, expires_in, token};
use crate::account::AccountKind::{MiniProgram, Official};
use crate::chance;

#[test]
fn each_classic_call_gives_a_new_token_and_the_old_one_has_five_minutes() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let first = bench.classic(&account);
    assert_eq!(expires_in(&first), 7200);
    assert!(first.get("errcode").is_none());
    let first = token(&first);
    let second = token(&bench.classic(&account));
    assert_ne!(first, second);
    bench.advance(299);
    assert_eq!(bench.judge(&first), 0);
    assert_eq!(bench.judge(&second), 0);
    bench.advance(1);
    assert_eq!(bench.judge(&first), 40001);
    assert_eq!(bench.judge(&second), 0);
}

#[test]
fn at_most_two_classic_tokens_are_good() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let tokens: Vec<_> = (0..4).map(|_| token(&bench.classic(&account))).collect();
    let judged: Vec<_> = tokens.iter().map(|token| bench.judge(token)).collect();
    assert_eq!(judged, [40001, 40001, 0, 0]);
}

#[test]
fn a_token_is_judged_by_what_is_wrong_with_it() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let answer = bench.get("/cgi-bin/getcallbackip");
    assert_eq!(errcode(&answer), 41001);
    assert!(answer["errmsg"].as_str().unwrap().starts_with("access_token missing rid: "));
    assert_eq!(errcode(&bench.get("/cgi-bin/getcallbackip?access_token=")), 41001);
    assert_eq!(bench.judge("garbage"), 40014);
    assert_eq!(bench.judge(&chance::token()), 40001);
    let good = token(&bench.classic(&account));
    bench.advance(7199);
    assert_eq!(bench.judge(&good), 0);
    bench.advance(1);
    assert_eq!(bench.judge(&good), 42001);
}

#[test]
fn a_new_secret_ends_all_tokens() {
    let mut bench = Bench::new();
    let account = bench.account(MiniProgram);
    let (classic, stable) = (token(&bench.classic(&account)), token(&bench.stable(&account, false)));
    bench.patch(&account, json!({ "reset_secret": true }));
    assert_eq!(bench.judge(&classic), 40001);
    assert_eq!(bench.judge(&stable), 40001);
    assert_eq!(errcode(&bench.classic(&account)), 40125);
}

#[test]
fn classic_and_stable_tokens_leave_each_other_alone() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let stable = token(&bench.stable(&account, false));
    for _ in 0..3 {
        bench.classic(&account);
    }
    assert_eq!(bench.judge(&stable), 0);
    let classic = token(&bench.classic(&account));
    for _ in 0..3 {
        bench.advance(30);
        bench.stable(&account, true);
    }
    assert_eq!(bench.judge(&classic), 0);
    assert_eq!(bench.judge(&stable), 40001);
}

#[test]
fn a_stable_token_stays_until_less_than_five_minutes_are_left() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let first = token(&bench.stable(&account, false));
    bench.advance(6900);
    let again = bench.stable(&account, false);
    assert_eq!((token(&again), expires_in(&again)), (first.clone(), 300));
    bench.advance(1);
    let next = bench.stable(&account, false);
    assert_ne!(token(&next), first);
    assert_eq!(expires_in(&next), 7200);
    assert_eq!(bench.judge(&first), 0);
    assert_eq!(bench.judge(&token(&next)), 0);
    bench.advance(299);
    assert_eq!(bench.judge(&first), 42001);
}

#[test]
fn a_forced_refresh_retires_and_a_second_one_kills() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let leaked = token(&bench.stable(&account, false));
    let second = token(&bench.stable(&account, true));
    assert_ne!(leaked, second);
    assert_eq!(bench.judge(&leaked), 0);
    bench.advance(29);
    let early = bench.stable(&account, true);
    assert_eq!((token(&early), expires_in(&early)), (second.clone(), 7171));
    bench.advance(1);
    let third = token(&bench.stable(&account, true));
    assert_ne!(third, second);
    assert_eq!(bench.judge(&leaked), 40001);
    assert_eq!(bench.judge(&second), 0);
}

#[test]
fn there_are_twenty_forced_refreshes_a_day() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    for _ in 0..20 {
        assert_eq!(errcode(&bench.stable(&account, true)), 0);
        bench.advance(30);
    }
    assert_eq!(errcode(&bench.stable(&account, true)), 45009);
    assert_eq!(errcode(&bench.stable(&account, false)), 0);
    bench.advance(TO_MIDNIGHT - 20 * 30 - 1);
    assert_eq!(errcode(&bench.stable(&account, true)), 45009);
    bench.advance(1);
    assert_eq!(errcode(&bench.stable(&account, true)), 0);
}

#[test]
fn a_killed_stable_token_is_not_given_out_again() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let first = token(&bench.stable(&account, false));
    assert_eq!(bench.world.kill_tokens_of(&account.appid, None), Some(1));
    assert_eq!(bench.judge(&first), 40001);
    let second = token(&bench.stable(&account, false));
    assert_ne!(first, second);
    assert_eq!(bench.world.expire_tokens_of(&account.appid, None), Some(1));
    assert_eq!(bench.judge(&second), 42001);
    assert_eq!(bench.judge(&first), 40001);
}

#[test]
fn a_short_lifetime_for_tests_is_kept_as_whatever_it_is() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    bench.patch(&account, json!({ "token_lifetime": 60 }));
    let first = bench.stable(&account, false);
    assert_eq!(expires_in(&first), 60);
    bench.advance(58);
    assert_eq!(token(&bench.stable(&account, false)), token(&first));
    bench.advance(1);
    assert_ne!(token(&bench.stable(&account, false)), token(&first));
}

#[test]
fn the_checks_of_the_classic_endpoint_come_in_order() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let (appid, secret) = (&account.appid, &account.secret);
    assert_eq!(errcode(&bench.call(Method::POST, "/cgi-bin/token", "")), 43001);
    assert_eq!(errcode(&bench.get("/cgi-bin/token")), 40002);
    assert_eq!(errcode(&bench.get("/cgi-bin/token?grant_type=x&appid=&secret=")), 40002);
    let mut with = |rest: &str| errcode(&bench.get(&format!("/cgi-bin/token?grant_type=client_credential{rest}")));
    assert_eq!(with(""), 41002);
    assert_eq!(with("&appid=wx0"), 41004);
    assert_eq!(with("&appid=wx0&secret=x"), 40013);
    assert_eq!(with(&format!("&appid={}&secret={secret}", appid.to_uppercase())), 40013);
    assert_eq!(with(&format!("&appid={appid}&secret=x")), 40125);
    assert_eq!(with(&format!("&appid={appid}&secret={secret}")), 0);
}

#[test]
fn the_checks_of_the_stable_endpoint_come_in_order() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let path = "/cgi-bin/stable_token";
    assert_eq!(errcode(&bench.get(path)), 43002);
    assert_eq!(errcode(&bench.call(Method::POST, path, "")), 44002);
    assert_eq!(errcode(&bench.call(Method::POST, path, "{")), 47001);
    assert_eq!(errcode(&bench.call(Method::POST, path, "[]")), 47001);
    let mut with = |body: serde_json::Value| errcode(&bench.post(path, &body));
    assert_eq!(with(json!({})), 40002);
    assert_eq!(with(json!({ "grant_type": "client_credential" })), 41002);
    assert_eq!(with(json!({ "grant_type": "client_credential", "appid": "wx0" })), 41004);
    assert_eq!(with(json!({ "grant_type": "client_credential", "appid": "wx0", "secret": "x" })), 40013);
    assert_eq!(with(json!({ "grant_type": "client_credential", "appid": account.appid, "secret": "x" })), 40125);
}

#[test]
fn the_state_of_the_account_is_told() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    bench.patch(&account, json!({ "token_api_disabled": true }));
    assert_eq!(errcode(&bench.classic(&account)), 50004);
    assert_eq!(errcode(&bench.stable(&account, false)), 0);
    bench.patch(&account, json!({ "token_api_disabled": false, "frozen": true }));
    assert_eq!(errcode(&bench.classic(&account)), 50007);
    assert_eq!(errcode(&bench.stable(&account, false)), 50007);
    bench.patch(&account, json!({ "frozen": false, "secret_frozen": true }));
    assert_eq!(errcode(&bench.classic(&account)), 40243);
    assert_eq!(errcode(&bench.stable(&account, false)), 40243);
    // A wrong secret is found first.
    let mut wrong = account.clone();
    wrong.secret = "x".into();
    assert_eq!(errcode(&bench.classic(&wrong)), 40125);
}

#[test]
fn only_listed_addresses_fetch_tokens() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let good = token(&bench.classic(&account));
    bench.patch(&account, json!({ "ip_allow_list": ["10.0.0.0/8"] }));
    bench.client_ip = "120.244.112.8";
    let refused = bench.classic(&account);
    assert_eq!(errcode(&refused), 40164);
    let text = refused["errmsg"].as_str().unwrap();
    assert!(text.starts_with("invalid ip 120.244.112.8 ipv6 ::ffff:120.244.112.8, not in whitelist rid: "), "{text}");
    assert_eq!(errcode(&bench.stable(&account, false)), 40164);
    assert_eq!(bench.judge(&good), 0);
    bench.client_ip = "10.1.2.3";
    assert_eq!(errcode(&bench.classic(&account)), 0);
}

#[test]
fn the_daily_quota_of_tokens_runs_out_until_midnight_in_china() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    for _ in 0..2000 {
        assert_eq!(errcode(&bench.classic(&account)), 0);
    }
    let refused = bench.classic(&account);
    assert_eq!(errcode(&refused), 45009);
    let text = refused["errmsg"].as_str().unwrap();
    assert!(text.starts_with("reach max api daily quota limit, could get access_token by getStableAccessToken"));
    assert_eq!(errcode(&bench.stable(&account, false)), 0);
    bench.advance(TO_MIDNIGHT - 1);
    assert_eq!(errcode(&bench.classic(&account)), 45009);
    bench.advance(1);
    assert_eq!(errcode(&bench.classic(&account)), 0);
}

#[test]
fn stable_tokens_have_a_limit_a_minute() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    for _ in 0..10_000 {
        assert_eq!(errcode(&bench.stable(&account, false)), 0);
    }
    assert_eq!(errcode(&bench.stable(&account, false)), 45011);
    bench.advance(60);
    assert_eq!(errcode(&bench.stable(&account, false)), 0);
}

#[test]
fn a_deleted_account_is_unknown() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let good = token(&bench.classic(&account));
    assert!(bench.world.remove_account(&account.appid));
    assert_eq!(bench.judge(&good), 40001);
    assert_eq!(errcode(&bench.classic(&account)), 40013);
}

#[test]
fn unknown_apis_are_answered_in_json() {
    assert_eq!(errcode(&Bench::new().get("/cgi-bin/no/such/api")), 40066);
}
