//! Limits that are reached on purpose: by a fault, by a lowered quota; tokens that somebody else has refreshed.

use sandbox::AccountKind::{Official, Wecom};
use serde_json::json;

use crate::client::{errcode, token};
use crate::shop::Shop;

const PATH: &str = "/cgi-bin/getcallbackip";

#[tokio::test]
async fn a_fault_says_that_a_limit_is_reached_as_often_as_asked_for() {
    let shop = Shop::open(Official).await;
    for code in [45009, 45011] {
        let fault = json!({ "path": PATH, "appid": shop.account.appid, "errcode": code, "times": 2 });
        shop.sandbox.fault(&fault).await;
        for expected in [code, code, 0] {
            assert_eq!(errcode(&shop.get(PATH, "").await), expected);
        }
    }
}

#[tokio::test]
async fn a_day_and_a_minute_run_out_when_their_quotas_are_lowered() {
    let shop = Shop::open(Official).await;
    shop.patch(&json!({ "minute_quota": { PATH: 2 } })).await;
    for expected in [0, 0, 45011] {
        assert_eq!(errcode(&shop.get(PATH, "").await), expected);
    }
    shop.sandbox.advance(60).await;
    assert_eq!(errcode(&shop.get(PATH, "").await), 0);
    shop.patch(&json!({ "minute_quota": { PATH: null }, "daily_quota": { PATH: 4 } })).await;
    for expected in [0, 45009] {
        assert_eq!(errcode(&shop.get(PATH, "").await), expected, "a refused call uses none");
    }
    let shown = shop.sandbox.get(&format!("/sandbox/accounts/{}", shop.account.appid)).await;
    assert_eq!((&shown["minute_quota"], &shown["daily_quota"]), (&json!({}), &json!({ PATH: 4 })));
    shop.patch(&json!({ "daily_quota": { PATH: null } })).await;
    assert_eq!(errcode(&shop.get(PATH, "").await), 0);
    let path = format!("/sandbox/accounts/{}", shop.account.appid);
    let wrong = shop.sandbox.control("PATCH", &path, &json!({ "minute_quota": { "x": 1 } })).await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);

    let corp = Shop::open(Wecom).await;
    corp.patch(&json!({ "minute_quota": { PATH: 0 } })).await;
    assert_eq!(errcode(&corp.get(PATH, "").await), 45009, "WeCom has one code for all limits");
}

#[tokio::test]
async fn somebody_else_refreshes_the_token_in_mid_run() {
    let shop = Shop::open(Official).await;
    // Another system forces the stable token: the one in hand is good for 5 minutes more.
    let theirs = token(&shop.sandbox.stable(&shop.account, true).await);
    assert_ne!(theirs, shop.token);
    assert_eq!(shop.sandbox.judge(&shop.token).await, 0);
    shop.sandbox.advance(300).await;
    assert_eq!(shop.sandbox.judge(&shop.token).await, 40001);
    assert_eq!(token(&shop.sandbox.stable(&shop.account, false).await), theirs, "asking gives theirs");
    // Without the grace: dead at once, and the next fetch gives another one.
    shop.sandbox.control("POST", "/sandbox/tokens/kill", &json!({ "appid": shop.account.appid })).await.ok();
    assert_eq!(shop.sandbox.judge(&theirs).await, 40001);
    let ours = token(&shop.sandbox.stable(&shop.account, false).await);
    assert_eq!((ours != theirs, shop.sandbox.judge(&ours).await), (true, 0));
}
