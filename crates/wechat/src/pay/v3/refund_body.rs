//! A refund in v3's objects, from v2's flat names.
//!
//! Source: the refund documents of both versions. What must stay true: what v3 has no place for is refused.

use serde_json::{Map, Value};

use super::items::{array, inner, rename};
use crate::pay::parameters::{check_refund, passed};
use crate::pay::{Inexpressible, PaymentNo, Refund, Version};

/// v2's names of what is in `goods_detail`, and v3's.
const GOODS: [(&str, &str); 3] =
    [("goods_id", "merchant_goods_id"), ("wxpay_goods_id", "wechatpay_goods_id"), ("price", "unit_price")];

/// v2's names of the funds that are used, and v3's.
pub(super) const FUNDS: [(&str, &str); 2] =
    [("REFUND_SOURCE_UNSETTLED_FUNDS", "UNSETTLED"), ("REFUND_SOURCE_RECHARGE_FUNDS", "AVAILABLE")];

/// The body of the request that sends money back.
pub(super) fn refund_body(refund: &Refund) -> Result<Map<String, Value>, Inexpressible> {
    check_refund(refund, Version::V3)?;
    let mut body = Map::new();
    let (name, number) = match &refund.payment {
        PaymentNo::OutTradeNo(number) => ("out_trade_no", number.as_str()),
        PaymentNo::TransactionId(number) => ("transaction_id", number.as_str()),
    };
    body.insert(name.to_owned(), number.into());
    body.insert("out_refund_no".to_owned(), refund.out_refund_no.as_str().into());
    if let Some(url) = refund.notify_url.as_deref() {
        body.insert("notify_url".to_owned(), url.into());
    }
    let amount = [
        ("total", Value::from(refund.total_fee.fen())),
        ("refund", refund.refund_fee.fen().into()),
        ("currency", "CNY".into()),
    ];
    body.insert("amount".to_owned(), amount.into_iter().collect());
    for (name, value) in passed(&refund.others) {
        add(&mut body, name, value)?;
    }
    Ok(body)
}

/// Adds a parameter of the team's own.
fn add(body: &mut Map<String, Value>, name: &str, value: &str) -> Result<(), Inexpressible> {
    match name {
        "refund_desc" | "reason" => {
            body.insert("reason".to_owned(), value.into());
        }
        "refund_account" | "funds_account" => {
            let funds = FUNDS.into_iter().find_map(|(v2, v3)| (v2 == value).then_some(v3)).unwrap_or(value);
            body.insert("funds_account".to_owned(), funds.into());
        }
        "fee_type" | "refund_fee_type" => {
            if let Some(amount) = inner(body, "amount") {
                amount.insert("currency".to_owned(), value.into());
            }
        }
        "goods_detail" | "detail" => {
            let mut goods = array(name, value)?;
            for item in goods.iter_mut().filter_map(Value::as_object_mut) {
                rename(item, &GOODS);
            }
            body.insert("goods_detail".to_owned(), goods.into());
        }
        "version" | "device_info" | "op_user_id" => {}
        _ => return Err(Inexpressible::new(name, "the refund API v3 has no such parameter: leave it out")),
    }
    Ok(())
}
