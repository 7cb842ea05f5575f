//! Quotas: what is left, how it is reset, how often.

use serde_json::{Value, json};

use super::{Bench, errcode, token};
use crate::account::AccountKind::Official;

fn show(bench: &mut Bench, token: &str, path: &str) -> Value {
    bench.post(&format!("/cgi-bin/openapi/quota/get?access_token={token}"), &json!({ "cgi_path": path }))
}

#[test]
fn what_is_left_is_told() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let good = token(&bench.classic(&account));
    let shown = show(&mut bench, &good, "/cgi-bin/token");
    assert_eq!(errcode(&shown), 0);
    assert_eq!(shown["quota"], json!({ "daily_limit": 2000, "used": 1, "remain": 1999 }));
    assert!(shown.get("rate_limit").is_none());
    let shown = show(&mut bench, &good, "/cgi-bin/stable_token");
    assert_eq!(shown["quota"], json!({ "daily_limit": 500_000, "used": 0, "remain": 500_000 }));
    assert_eq!(shown["rate_limit"], json!({ "call_count": 10_000, "refresh_second": 60 }));
    assert_eq!(errcode(&show(&mut bench, &good, "/cgi-bin/message/custom/send")), 0);
    for unknown in ["/cgi-bin/no/such", "/sns/userinfo", "cgi-bin/token", "/cgi-bin/gettoken", ""] {
        assert_eq!(errcode(&show(&mut bench, &good, unknown)), 76021, "{unknown}");
    }
    assert_eq!(errcode(&show(&mut bench, "garbage", "/cgi-bin/token")), 40014);
}

#[test]
fn all_quotas_are_reset_ten_times_a_month_by_both_ways_together() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let good = token(&bench.stable(&account, false));
    bench.patch(&account, json!({ "daily_quota": { "/cgi-bin/token": 1 } }));
    let by_token = format!("/cgi-bin/clear_quota?access_token={good}");
    let by_secret = format!("/cgi-bin/clear_quota/v2?appid={}&appsecret={}", account.appid, account.secret);
    for number in 0..10 {
        assert_eq!(errcode(&bench.classic(&account)), 0);
        assert_eq!(errcode(&bench.classic(&account)), 45009);
        let cleared = if number % 2 == 0 {
            bench.post(&by_token, &json!({ "appid": account.appid }))
        } else {
            bench.call(http::Method::POST, &by_secret, "")
        };
        assert_eq!(cleared, json!({ "errcode": 0, "errmsg": "ok" }));
    }
    assert_eq!(errcode(&bench.post(&by_token, &json!({ "appid": account.appid }))), 48006);
    let in_body = json!({ "appid": account.appid, "appsecret": account.secret });
    assert_eq!(errcode(&bench.post("/cgi-bin/clear_quota/v2", &in_body)), 48006);
    // It is the middle of November.
    bench.advance(16 * 86_400);
    assert_eq!(errcode(&bench.post("/cgi-bin/clear_quota/v2", &in_body)), 0);
}

#[test]
fn what_is_wrong_with_a_reset_is_told() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let good = token(&bench.stable(&account, false));
    let by_token = format!("/cgi-bin/clear_quota?access_token={good}");
    assert_eq!(errcode(&bench.get(&by_token)), 43002);
    assert_eq!(errcode(&bench.call(http::Method::POST, &by_token, "")), 44002);
    assert_eq!(errcode(&bench.post(&by_token, &json!({}))), 41002);
    assert_eq!(errcode(&bench.post(&by_token, &json!({ "appid": "wx0" }))), 40013);
    let path = "/cgi-bin/clear_quota/v2";
    assert_eq!(errcode(&bench.call(http::Method::POST, path, "")), 41002);
    assert_eq!(errcode(&bench.post(path, &json!({ "appid": account.appid }))), 41004);
    assert_eq!(errcode(&bench.post(path, &json!({ "appid": account.appid, "appsecret": "x" }))), 40125);
}

#[test]
fn the_quota_of_one_api_is_reset_fifty_times_a_month() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let good = token(&bench.stable(&account, false));
    bench.patch(&account, json!({ "daily_quota": { "/cgi-bin/token": 1 } }));
    let target = format!("/cgi-bin/openapi/quota/clear?access_token={good}");
    let path = json!({ "cgi_path": "/cgi-bin/token" });
    for _ in 0..50 {
        assert_eq!(errcode(&bench.classic(&account)), 0);
        assert_eq!(errcode(&bench.post(&target, &path)), 0);
    }
    assert_eq!(errcode(&bench.post(&target, &path)), 48006);
    assert_eq!(errcode(&bench.post(&target, &json!({ "cgi_path": "/cgi-bin/no/such" }))), 76021);
}
