//! What v3 says, in v2's flat names.
//!
//! Used for answers and notifications. Source: the documents of both versions, field by field. What must stay true: a
//! name means what it means in v2; what v2 has no name for is left to `resource`.

use serde_json::{Map, Value};

use super::refund_body::FUNDS;
use super::said;
use crate::pay::{RefundStatus, fields, time};

type Fields = Map<String, Value>;

/// The fields that every answer has.
pub(super) fn success(mch_id: &str) -> Fields {
    ["return_code", "result_code"]
        .map(|name| (name.to_owned(), Value::from("SUCCESS")))
        .into_iter()
        .chain([("mch_id".to_owned(), Value::from(mch_id))])
        .collect()
}

/// A payment: the answer to a query, and what is in a notification.
pub(super) fn payment(mch_id: &str, said: &Value) -> Fields {
    let mut flat = success(mch_id);
    let same =
        ["appid", "out_trade_no", "transaction_id", "trade_type", "trade_state", "trade_state_desc", "bank_type"];
    for name in same.into_iter().chain(["attach"]) {
        text(&mut flat, name, said, &format!("/{name}"));
    }
    text(&mut flat, "openid", said, "/payer/openid");
    text(&mut flat, "device_info", said, "/scene_info/device_id");
    number(&mut flat, "total_fee", said, "/amount/total");
    number(&mut flat, "cash_fee", said, "/amount/payer_total");
    text(&mut flat, "fee_type", said, "/amount/currency");
    moment(&mut flat, "time_end", said, "/success_time", time::compact);
    let coupons = said::list(said, "/promotion_detail");
    if !coupons.is_empty() {
        let discount = said::number(said, "/amount/total").zip(said::number(said, "/amount/payer_total"));
        let sum = || coupons.iter().filter_map(|coupon| said::number(coupon, "/amount")).fold(0, i64::saturating_add);
        let discount = discount.map_or_else(sum, |(total, paid)| total.saturating_sub(paid));
        flat.insert("coupon_fee".to_owned(), discount.into());
        flat.insert("coupon_count".to_owned(), coupons.len().into());
    }
    for (n, coupon) in coupons.iter().enumerate() {
        text(&mut flat, &format!("coupon_id_{n}"), coupon, "/coupon_id");
        number(&mut flat, &format!("coupon_fee_{n}"), coupon, "/amount");
        coupon_type(&mut flat, &format!("coupon_type_{n}"), coupon, "/type");
    }
    flat
}

/// A refund that was accepted.
pub(super) fn refund(mch_id: &str, said: &Value) -> Fields {
    let mut flat = of_payment(mch_id, said);
    for name in ["out_refund_no", "refund_id"] {
        text(&mut flat, name, said, &format!("/{name}"));
    }
    number(&mut flat, "refund_fee", said, "/amount/refund");
    number(&mut flat, "settlement_refund_fee", said, "/amount/settlement_refund");
    number(&mut flat, "cash_refund_fee", said, "/amount/payer_refund");
    refunded_coupons(&mut flat, "", said);
    flat
}

/// A refund that was asked for: v2 answers a list, so all its names have an index; here there is always one.
pub(super) fn refunds(mch_id: &str, said: &Value) -> Fields {
    let mut flat = of_payment(mch_id, said);
    flat.insert("refund_count".to_owned(), 1.into());
    for (name, member) in [("out_refund_no_0", "out_refund_no"), ("refund_id_0", "refund_id")] {
        text(&mut flat, name, said, &format!("/{member}"));
    }
    text(&mut flat, "refund_channel_0", said, "/channel");
    number(&mut flat, "refund_fee_0", said, "/amount/refund");
    number(&mut flat, "settlement_refund_fee_0", said, "/amount/settlement_refund");
    status(&mut flat, "refund_status_0", said, "/status");
    text(&mut flat, "refund_recv_accout_0", said, "/user_received_account");
    let funds = said::text(said, "/funds_account");
    let account = FUNDS.into_iter().find_map(|(v2, v3)| (v3 == funds).then_some(v2)).unwrap_or(funds);
    fields::add(&mut flat, "refund_account_0", account);
    moment(&mut flat, "refund_success_time_0", said, "/success_time", time::spaced);
    refunded_coupons(&mut flat, "_0", said);
    flat
}

/// What is in a refund notification.
pub(super) fn refund_notice(mch_id: &str, said: &Value) -> Fields {
    let mut flat =
        Fields::from_iter([("return_code".to_owned(), "SUCCESS".into()), ("mch_id".to_owned(), mch_id.into())]);
    for name in ["out_trade_no", "transaction_id", "out_refund_no", "refund_id"] {
        text(&mut flat, name, said, &format!("/{name}"));
    }
    status(&mut flat, "refund_status", said, "/refund_status");
    moment(&mut flat, "success_time", said, "/success_time", time::spaced);
    text(&mut flat, "refund_recv_accout", said, "/user_received_account");
    number(&mut flat, "total_fee", said, "/amount/total");
    number(&mut flat, "refund_fee", said, "/amount/refund");
    flat
}

/// What answers about refunds say of the payment.
fn of_payment(mch_id: &str, said: &Value) -> Fields {
    let mut flat = success(mch_id);
    for name in ["out_trade_no", "transaction_id"] {
        text(&mut flat, name, said, &format!("/{name}"));
    }
    number(&mut flat, "total_fee", said, "/amount/total");
    number(&mut flat, "settlement_total_fee", said, "/amount/settlement_total");
    number(&mut flat, "cash_fee", said, "/amount/payer_total");
    text(&mut flat, "fee_type", said, "/amount/currency");
    flat
}

/// Coupons that go back; `of` is the index of the refund, where names have one.
fn refunded_coupons(flat: &mut Fields, of: &str, said: &Value) {
    let coupons = said::list(said, "/promotion_detail");
    if coupons.is_empty() {
        return;
    }
    let sum = coupons.iter().filter_map(|coupon| said::number(coupon, "/refund_amount")).fold(0, i64::saturating_add);
    let total = said::number(said, "/amount/discount_refund").unwrap_or(sum);
    flat.insert(format!("coupon_refund_fee{of}"), total.into());
    flat.insert(format!("coupon_refund_count{of}"), coupons.len().into());
    for (n, coupon) in coupons.iter().enumerate() {
        text(flat, &format!("coupon_refund_id{of}_{n}"), coupon, "/promotion_id");
        number(flat, &format!("coupon_refund_fee{of}_{n}"), coupon, "/refund_amount");
        coupon_type(flat, &format!("coupon_type{of}_{n}"), coupon, "/type");
    }
}

/// Coupons that were bought or topped up are CASH; those that the merchant only grants are not.
fn coupon_type(flat: &mut Fields, name: &str, said: &Value, place: &str) {
    let kind = match said::text(said, place) {
        "NOCASH" | "DISCOUNT" => "NO_CASH",
        "COUPON" => "CASH",
        other => other,
    };
    fields::add(flat, name, kind);
}

fn status(flat: &mut Fields, name: &str, said: &Value, place: &str) {
    let status = said::text(said, place);
    fields::add(flat, name, RefundStatus::parse(status).map_or(status, |status| status.as_str()));
}

/// A time; one that cannot be read stays as it is.
fn moment(flat: &mut Fields, name: &str, said: &Value, place: &str, write: fn(i64) -> String) {
    let said = said::text(said, place);
    match time::parse_rfc3339(said) {
        Some(unix) => fields::add(flat, name, &write(unix)),
        None => fields::add(flat, name, said),
    }
}

fn text(flat: &mut Fields, name: &str, said: &Value, place: &str) {
    fields::add(flat, name, said::text(said, place));
}

fn number(flat: &mut Fields, name: &str, said: &Value, place: &str) {
    if let Some(number) = said::number(said, place) {
        flat.insert(name.to_owned(), number.into());
    }
}
