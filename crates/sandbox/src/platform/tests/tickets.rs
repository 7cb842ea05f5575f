//! Tickets of official accounts: by account and type, with a life of their own.

use serde_json::{Value, json};

use super::{Bench, errcode, expires_in, token};
use crate::account::AccountKind::{MiniProgram, Official};

fn ticket(bench: &mut Bench, token: &str, kind: &str) -> Value {
    bench.get(&format!("/cgi-bin/ticket/getticket?access_token={token}&type={kind}"))
}

#[test]
fn a_ticket_stays_until_less_than_five_minutes_are_left() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let first_token = token(&bench.classic(&account));
    let first = ticket(&mut bench, &first_token, "jsapi");
    assert_eq!((errcode(&first), expires_in(&first)), (0, 7200));
    assert_eq!(first["errmsg"], "ok");
    assert_eq!(first["ticket"].as_str().map(str::len), Some(86));
    bench.advance(6900);
    let again = ticket(&mut bench, &first_token, "jsapi");
    assert_eq!((&again["ticket"], expires_in(&again)), (&first["ticket"], 300));
    bench.advance(1);
    let next = ticket(&mut bench, &first_token, "jsapi");
    assert_ne!(next["ticket"], first["ticket"]);
    assert_eq!(expires_in(&next), 7200);
}

#[test]
fn a_ticket_outlasts_its_token_and_the_types_are_apart() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let first_token = token(&bench.classic(&account));
    let (jsapi, card) = (ticket(&mut bench, &first_token, "jsapi"), ticket(&mut bench, &first_token, "wx_card"));
    assert_ne!(jsapi["ticket"], card["ticket"]);
    bench.world.kill_tokens_of(&account.appid, None);
    assert_eq!(errcode(&ticket(&mut bench, &first_token, "jsapi")), 40001);
    let second_token = token(&bench.stable(&account, false));
    assert_eq!(ticket(&mut bench, &second_token, "jsapi")["ticket"], jsapi["ticket"]);
    assert_eq!(ticket(&mut bench, &second_token, "wx_card")["ticket"], card["ticket"]);
}

#[test]
fn what_is_wrong_with_a_ticket_call_is_told() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    assert_eq!(errcode(&bench.get("/cgi-bin/ticket/getticket?type=jsapi")), 41001);
    let good = token(&bench.classic(&account));
    assert_eq!(errcode(&ticket(&mut bench, &good, "other")), 40097);
    bench.patch(&account, json!({ "rights": { "jssdk": false } }));
    assert_eq!(errcode(&ticket(&mut bench, &good, "jsapi")), 48001);
    assert_eq!(errcode(&ticket(&mut bench, &good, "wx_card")), 0);
    bench.patch(&account, json!({ "rights": { "cards": false, "jssdk": true } }));
    assert_eq!(errcode(&ticket(&mut bench, &good, "wx_card")), 48001);
    assert_eq!(errcode(&ticket(&mut bench, &good, "jsapi")), 0);
}

#[test]
fn a_mini_program_has_no_right_to_tickets() {
    let mut bench = Bench::new();
    let account = bench.account(MiniProgram);
    let good = token(&bench.classic(&account));
    assert_eq!(errcode(&ticket(&mut bench, &good, "jsapi")), 48001);
}

#[test]
fn tickets_have_a_daily_quota() {
    let mut bench = Bench::new();
    let account = bench.account(Official);
    let good = token(&bench.classic(&account));
    bench.patch(&account, json!({ "daily_quota": { "/cgi-bin/ticket/getticket": 1 } }));
    assert_eq!(errcode(&ticket(&mut bench, &good, "jsapi")), 0);
    let refused = ticket(&mut bench, &good, "jsapi");
    assert_eq!(errcode(&refused), 45009);
    assert!(refused["errmsg"].as_str().unwrap().starts_with("reach max api daily quota limit rid: "));
}
