//! An order in v3's objects, from v2's flat names.
//!
//! Source: the order documents of both versions. A team may also use v3's own names where v2 has none or another. What
//! must stay true: what v3 has no place for is refused, but for three parameters of v2 that change nothing for the
//! payer.

use serde_json::{Map, Value};

use super::items::{array, boolean, inner, object, rename};
use crate::pay::parameters::{check_order, passed};
use crate::pay::{Inexpressible, Order, TradeType, Version, time};

/// v2's names of what is in `detail`, and v3's.
const DETAIL: [(&str, &str); 1] = [("receipt_id", "invoice_id")];
const GOODS: [(&str, &str); 3] =
    [("goods_id", "merchant_goods_id"), ("wxpay_goods_id", "wechatpay_goods_id"), ("price", "unit_price")];

/// v2's names of what is in `scene_info.h5_info`, and v3's.
const H5: [(&str, &str); 2] = [("wap_url", "app_url"), ("wap_name", "app_name")];

/// The body of the request that creates an order.
pub(super) fn order_body(order: &Order, mch_id: &str) -> Result<Map<String, Value>, Inexpressible> {
    check_order(order, Version::V3)?;
    let mut body = Map::new();
    let texts = [
        ("appid", order.appid.as_str()),
        ("mchid", mch_id),
        ("description", &order.body),
        ("out_trade_no", order.out_trade_no.as_str()),
        ("notify_url", &order.notify_url),
    ];
    body.extend(texts.map(|(name, text)| (name.to_owned(), Value::from(text))));
    let amount = [("total", Value::from(order.total_fee.fen())), ("currency", "CNY".into())];
    body.insert("amount".to_owned(), amount.into_iter().collect());
    if order.trade_type == TradeType::Jsapi {
        let openid = order.openid.as_deref().unwrap_or_default();
        body.insert("payer".to_owned(), [("openid", Value::from(openid))].into_iter().collect());
    }
    for (name, value) in passed(&order.others) {
        add(&mut body, name, value)?;
    }
    if let Some(scene) = inner(&mut body, "scene_info") {
        scene.insert("payer_client_ip".to_owned(), order.client_ip.as_str().into());
        if order.trade_type == TradeType::Mweb && !scene.get("h5_info").is_some_and(Value::is_object) {
            return Err(Inexpressible::new("scene_info", r#"needs "h5_info" for a payment in a browser (MWEB)"#));
        }
    }
    Ok(body)
}

/// Adds a parameter of the team's own.
fn add(body: &mut Map<String, Value>, name: &str, value: &str) -> Result<(), Inexpressible> {
    match name {
        "attach" | "goods_tag" => {
            body.insert(name.to_owned(), value.into());
        }
        "time_expire" => {
            let unix = time::parse_compact(value).or_else(|| time::parse_rfc3339(value));
            let what = "is no time: write yyyyMMddHHmmss in Beijing time, or RFC 3339";
            let unix = unix.ok_or_else(|| Inexpressible::new(name, what))?;
            body.insert(name.to_owned(), time::rfc3339(unix).into());
        }
        "fee_type" => put(body, "amount", "currency", value.into()),
        "device_info" => put(body, "scene_info", "device_id", value.into()),
        "scene_info" => {
            for (name, value) in scene(value)? {
                put(body, "scene_info", &name, value);
            }
        }
        "detail" => {
            body.insert(name.to_owned(), detail(value)?.into());
        }
        "receipt" | "support_fapiao" => {
            body.insert("support_fapiao".to_owned(), boolean(name, value)?.into());
        }
        "profit_sharing" => put(body, "settle_info", name, boolean(name, value)?.into()),
        "settle_info" => {
            for (name, value) in object(name, value)? {
                put(body, "settle_info", &name, value);
            }
        }
        "limit_pay" => {
            body.insert(name.to_owned(), limits(name, value)?.into());
        }
        // v2's own number of a product, its own clock, the version of `detail`.
        "product_id" | "time_start" | "version" => {}
        _ => return Err(Inexpressible::new(name, "the order API v3 has no such parameter: leave it out")),
    }
    Ok(())
}

fn put(body: &mut Map<String, Value>, outer: &str, name: &str, value: Value) {
    if let Some(object) = inner(body, outer) {
        object.insert(name.to_owned(), value);
    }
}

/// One limit in v2; several in v3, as JSON or with commas.
fn limits(name: &str, value: &str) -> Result<Vec<Value>, Inexpressible> {
    if value.trim_start().starts_with('[') {
        return array(name, value);
    }
    Ok(value.split(',').map(|limit| Value::from(limit.trim())).collect())
}

fn scene(text: &str) -> Result<Map<String, Value>, Inexpressible> {
    let mut scene = object("scene_info", text)?;
    if let Some(h5) = scene.get_mut("h5_info").and_then(Value::as_object_mut) {
        rename(h5, &H5);
        // v2 writes IOS.
        if h5.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("ios")) {
            h5.insert("type".to_owned(), "iOS".into());
        }
    }
    Ok(scene)
}

fn detail(text: &str) -> Result<Map<String, Value>, Inexpressible> {
    let mut detail = object("detail", text)?;
    rename(&mut detail, &DETAIL);
    let goods = detail.get_mut("goods_detail").and_then(Value::as_array_mut);
    for item in goods.into_iter().flatten().filter_map(Value::as_object_mut) {
        rename(item, &GOODS);
    }
    Ok(detail)
}
