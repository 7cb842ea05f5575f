//! What WeChat tells about a paid order and about a refund, in v2's fields and in v3's JSON.
//!
//! Used by queries and by notifications, which say the same. Source: the query and notification pages of both APIs.

use serde_json::{Value, json};

use super::calendar::{compact, rfc3339, spaced};
use super::order::{Order, Payment};
use super::refund::{Refund, RefundState};

/// Fields of v2, in the order in which they are written.
pub(crate) type Fields = Vec<(String, String)>;

/// The value of a field: a text or a number.
pub(crate) struct FieldText(String);

impl From<String> for FieldText {
    fn from(text: String) -> FieldText {
        FieldText(text)
    }
}

impl From<&String> for FieldText {
    fn from(text: &String) -> FieldText {
        FieldText(text.clone())
    }
}

impl From<&str> for FieldText {
    fn from(text: &str) -> FieldText {
        FieldText(text.to_owned())
    }
}

impl From<u64> for FieldText {
    fn from(number: u64) -> FieldText {
        FieldText(number.to_string())
    }
}

impl From<usize> for FieldText {
    fn from(number: usize) -> FieldText {
        FieldText(number.to_string())
    }
}

/// Adds a field; nothing when it is empty.
pub(crate) fn put(fields: &mut Fields, name: &str, value: impl Into<FieldText>) {
    let FieldText(value) = value.into();
    if !value.is_empty() {
        fields.push((name.to_owned(), value));
    }
}

/// What v2 says about a payment.
pub(crate) fn paid_v2(order: &Order, payment: &Payment) -> Fields {
    let mut fields = Fields::new();
    let discount = payment.discount();
    put(&mut fields, "device_info", &order.device_info);
    put(&mut fields, "openid", &payment.openid);
    put(&mut fields, "is_subscribe", "N");
    put(&mut fields, "trade_type", order.trade_type.name());
    put(&mut fields, "bank_type", &payment.bank_type);
    put(&mut fields, "total_fee", order.total);
    if payment.unsettled() > 0 {
        put(&mut fields, "settlement_total_fee", order.total - payment.unsettled());
    }
    put(&mut fields, "fee_type", "CNY");
    put(&mut fields, "cash_fee", order.total.saturating_sub(discount));
    if !payment.coupons.is_empty() {
        put(&mut fields, "coupon_fee", discount);
        put(&mut fields, "coupon_count", payment.coupons.len());
    }
    for (number, coupon) in payment.coupons.iter().enumerate() {
        put(&mut fields, &format!("coupon_type_{number}"), if coupon.cash { "CASH" } else { "NO_CASH" });
        put(&mut fields, &format!("coupon_id_{number}"), coupon.id.as_deref().unwrap_or_default());
        put(&mut fields, &format!("coupon_fee_{number}"), coupon.amount);
    }
    put(&mut fields, "transaction_id", &payment.transaction_id);
    put(&mut fields, "out_trade_no", &order.out_trade_no);
    put(&mut fields, "attach", &order.attach);
    put(&mut fields, "time_end", compact(payment.time));
    fields
}

/// What v3 says about an order.
pub(crate) fn transaction_v3(order: &Order) -> Value {
    let (state, text) = order.trade_state();
    let mut answer = json!({
        "appid": order.appid, "mchid": order.mch_id, "out_trade_no": order.out_trade_no,
        "trade_state": state, "trade_state_desc": text,
    });
    let rest = match order.payment() {
        None => json!({
            "amount": { "payer_currency": "CNY", "total": order.total },
            "promotion_detail": [], "scene_info": { "device_id": order.device_info },
        }),
        Some(payment) => {
            let mut paid = json!({
                "transaction_id": payment.transaction_id, "trade_type": order.trade_type.name(),
                "bank_type": payment.bank_type, "attach": order.attach, "success_time": rfc3339(payment.time),
                "payer": { "openid": payment.openid },
                "amount": {
                    "total": order.total, "payer_total": order.total.saturating_sub(payment.discount()),
                    "currency": "CNY", "payer_currency": "CNY",
                },
            });
            if !payment.coupons.is_empty() {
                merge(&mut paid, json!({ "promotion_detail": promotions(payment) }));
            }
            paid
        }
    };
    merge(&mut answer, rest);
    answer
}

fn promotions(payment: &Payment) -> Vec<Value> {
    let detail = |coupon: &super::order::Coupon| {
        json!({
            "coupon_id": coupon.id, "name": "代金券", "scope": "GLOBAL",
            "type": if coupon.cash { "CASH" } else { "NOCASH" }, "amount": coupon.amount, "currency": "CNY",
        })
    };
    payment.coupons.iter().map(detail).collect()
}

/// What v2's refund notification says, before it is encrypted.
pub(crate) fn refund_v2(refund: &Refund) -> Fields {
    let mut fields = Fields::new();
    put(&mut fields, "out_refund_no", &refund.out_refund_no);
    put(&mut fields, "out_trade_no", &refund.out_trade_no);
    put(&mut fields, "refund_account", refund.account);
    put(&mut fields, "refund_fee", refund.amount);
    put(&mut fields, "refund_id", &refund.refund_id);
    put(&mut fields, "refund_recv_accout", refund.received_by());
    put(&mut fields, "refund_request_source", "API");
    put(&mut fields, "refund_status", refund.state.v2());
    put(&mut fields, "settlement_refund_fee", refund.amount);
    put(&mut fields, "settlement_total_fee", refund.total);
    put(&mut fields, "success_time", refund.success_time().map(spaced).unwrap_or_default());
    put(&mut fields, "total_fee", refund.total);
    put(&mut fields, "transaction_id", &refund.transaction_id);
    fields
}

/// What v3's refund notification says, before it is encrypted.
pub(crate) fn refund_notice_v3(refund: &Refund, payer_total: u64) -> Value {
    let mut notice = json!({
        "mchid": refund.mch_id, "out_trade_no": refund.out_trade_no, "transaction_id": refund.transaction_id,
        "out_refund_no": refund.out_refund_no, "refund_id": refund.refund_id, "refund_status": refund.state.v3(),
        "user_received_account": refund.received_by(),
        "amount": {
            "total": refund.total, "refund": refund.amount,
            "payer_total": payer_total, "payer_refund": refund.payer_amount,
        },
    });
    if let Some(time) = refund.success_time() {
        merge(&mut notice, json!({ "success_time": rfc3339(time) }));
    }
    notice
}

/// What v3 answers about a refund.
pub(crate) fn refund_v3(refund: &Refund, payer_total: u64) -> Value {
    let funds = if refund.account == "REFUND_SOURCE_RECHARGE_FUNDS" { "AVAILABLE" } else { "UNSETTLED" };
    let mut answer = json!({
        "refund_id": refund.refund_id, "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id, "out_trade_no": refund.out_trade_no, "channel": "ORIGINAL",
        "user_received_account": refund.received_by(), "create_time": rfc3339(refund.created),
        "status": refund.state.v3(), "funds_account": funds, "promotion_detail": [],
        "amount": {
            "total": refund.total, "refund": refund.amount, "from": [], "payer_total": payer_total,
            "payer_refund": refund.payer_amount, "settlement_refund": refund.amount,
            "settlement_total": refund.total, "discount_refund": refund.amount - refund.payer_amount, "currency": "CNY",
        },
    });
    if let Some(time) = refund.success_time() {
        merge(&mut answer, json!({ "success_time": rfc3339(time) }));
    }
    answer
}

/// The `event_type` of a refund's notification, and its `summary`.
pub(crate) fn refund_event(state: RefundState) -> (&'static str, &'static str) {
    match state {
        RefundState::Abnormal => ("REFUND.ABNORMAL", "退款异常"),
        RefundState::Closed => ("REFUND.CLOSED", "退款关闭"),
        RefundState::Success | RefundState::Processing => ("REFUND.SUCCESS", "退款成功"),
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
