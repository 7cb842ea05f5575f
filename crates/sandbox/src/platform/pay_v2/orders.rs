//! `/pay/unifiedorder`, `/pay/orderquery`, `/pay/closeorder`.
//!
//! Source: their pages of the API v2 docs. Which fields have to be the same when a number is used again is unconfirmed;
//! here it is everything but `nonce_str`, `sign` and `spbill_create_ip`.

use std::net::IpAddr;

use serde_json::Value;

use super::{Answer, Failure, Request, Success, wrong};
use crate::merchant::{
    Fields, NotClosed, NotPlaced, Order, OrderWish, Origin, TradeType, is_notify_url, is_trade_no, paid_v2,
    parse_compact, put,
};

/// The longest values, in characters.
const LONGEST: [(&str, usize); 14] = [
    ("device_info", 32),
    ("body", 128),
    ("detail", 6000),
    ("attach", 127),
    ("fee_type", 16),
    ("spbill_create_ip", 64),
    ("goods_tag", 32),
    ("notify_url", 256),
    ("product_id", 32),
    ("limit_pay", 32),
    ("openid", 128),
    ("receipt", 8),
    ("profit_sharing", 1),
    ("scene_info", 256),
];
/// What may differ when a number is used again.
const MAY_DIFFER: [&str; 3] = ["nonce_str", "sign", "spbill_create_ip"];

pub(super) fn create(request: &mut Request<'_>) -> Answer {
    let wish = wish(request)?;
    let holder = request.world.merchants.get(&request.mch_id);
    if holder.is_none_or(|holder| !holder.settings.trade_types.contains(&wish.trade_type)) {
        return Err(Failure::Refused("NOAUTH", "商户无此接口权限"));
    }
    let origin = request.origin.clone();
    let order = request.world.merchants.place(wish, request.now).map_err(|reason| match reason {
        NotPlaced::Paid => Failure::Refused("ORDERPAID", "该订单已支付"),
        NotPlaced::Closed => Failure::Refused("ORDERCLOSED", "该订单已关闭"),
        NotPlaced::Different => Failure::Refused("INVALID_REQUEST", "201 商户订单号重复"),
        NotPlaced::Expired => Failure::Refused("INVALID_REQUEST", "订单已过期"),
    })?;
    let mut fields = Fields::new();
    put(&mut fields, "device_info", &order.device_info);
    put(&mut fields, "trade_type", order.trade_type.name());
    put(&mut fields, "prepay_id", order.prepay().map(|prepay| prepay.id.clone()).unwrap_or_default());
    put(&mut fields, "code_url", order.code_url().unwrap_or_default());
    put(&mut fields, "mweb_url", order.mweb_url(&origin).unwrap_or_default());
    Ok(Success::Fields(fields))
}

/// The order that is asked for, when every field of it can be.
fn wish(request: &Request<'_>) -> Result<OrderWish, Failure> {
    for name in ["body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type"] {
        request.needed(name)?;
    }
    request.check_lengths(&LONGEST)?;
    let total = request.amount("total_fee")?;
    let field = |name: &str| request.field(name);
    let trade_type = TradeType::parse(field("trade_type")).ok_or_else(|| wrong("trade_type"))?;
    let checks = [
        ("out_trade_no", is_trade_no(field("out_trade_no"))),
        ("spbill_create_ip", field("spbill_create_ip").parse::<IpAddr>().is_ok()),
        ("notify_url", is_notify_url(field("notify_url"))),
        ("fee_type", matches!(field("fee_type"), "" | "CNY")),
        ("limit_pay", matches!(field("limit_pay"), "" | "no_credit")),
        ("profit_sharing", matches!(field("profit_sharing"), "" | "Y" | "N")),
        ("product_id", trade_type != TradeType::Native || !field("product_id").is_empty()),
        ("scene_info", trade_type != TradeType::Mweb || is_h5_scene(field("scene_info"))),
        ("detail", field("detail").is_empty() || serde_json::from_str::<Value>(field("detail")).is_ok()),
    ];
    if let Some((name, _)) = checks.iter().find(|(_, fits)| !fits) {
        return Err(wrong(name));
    }
    for name in ["time_start", "time_expire"] {
        if !field(name).is_empty() && parse_compact(field(name)).is_none() {
            return Err(wrong(name));
        }
    }
    let expires = parse_compact(field("time_expire"));
    let known = request.world.merchants.order(&request.mch_id, field("out_trade_no")).is_some();
    if !known && expires.is_some_and(|expires| expires < request.now.plus_secs(60)) {
        return Err(Failure::Refused("INVALID_REQUEST", "time_expire时间过短，刷卡至少1分钟，其他5分钟"));
    }
    let openid = Some(field("openid")).filter(|openid| !openid.is_empty() && trade_type == TradeType::Jsapi);
    if trade_type == TradeType::Jsapi {
        let openid = openid.ok_or_else(|| Failure::Malformed("JSAPI支付必须传openid".into()))?;
        let account = request.world.accounts.get(&request.appid);
        if account.is_some_and(|account| account.people.find(openid).is_none()) {
            return Err(Failure::Malformed("appid和openid不匹配".into()));
        }
    }
    let same = |(name, value): (&String, &String)| {
        (!MAY_DIFFER.contains(&name.as_str()) && !value.is_empty()).then(|| (name.clone(), value.clone()))
    };
    Ok(OrderWish {
        mch_id: request.mch_id.clone(),
        appid: request.appid.clone(),
        out_trade_no: field("out_trade_no").to_owned(),
        origin: Origin::V2 { sign_type: request.sign_type },
        trade_type,
        description: field("body").to_owned(),
        attach: field("attach").to_owned(),
        device_info: field("device_info").to_owned(),
        total,
        openid: openid.map(ToOwned::to_owned),
        notify_url: field("notify_url").to_owned(),
        expires,
        parameters: request.fields.iter().filter_map(same).collect(),
    })
}

/// `{"h5_info":{"type":"Wap",…}}`.
fn is_h5_scene(text: &str) -> bool {
    let scene: Value = serde_json::from_str(text).unwrap_or_default();
    let kind = scene.pointer("/h5_info/type").and_then(Value::as_str);
    kind.is_some_and(|kind| ["Wap", "IOS", "Android"].contains(&kind))
}

pub(super) fn query(request: &mut Request<'_>) -> Answer {
    let order = named(request)?.ok_or(Failure::Refused("ORDERNOTEXIST", "订单不存在"))?;
    let (state, text) = order.trade_state();
    let mut fields = Fields::new();
    match order.payment() {
        Some(payment) => fields.extend(paid_v2(order, payment)),
        None => {
            put(&mut fields, "device_info", &order.device_info);
            put(&mut fields, "out_trade_no", &order.out_trade_no);
            put(&mut fields, "attach", &order.attach);
        }
    }
    put(&mut fields, "trade_state", state);
    put(&mut fields, "trade_state_desc", text);
    Ok(Success::Fields(fields))
}

/// The order that a request names by WeChat's number or by the merchant's; WeChat's wins.
pub(super) fn named<'a>(request: &'a Request<'_>) -> Result<Option<&'a Order>, Failure> {
    let merchants = &request.world.merchants;
    match (request.field("transaction_id"), request.field("out_trade_no")) {
        ("", "") => Err(Failure::Malformed("缺少参数out_trade_no或transaction_id".into())),
        ("", number) => Ok(merchants.order(&request.mch_id, number)),
        (number, _) => Ok(merchants.transaction(&request.mch_id, number)),
    }
}

pub(super) fn close(request: &mut Request<'_>) -> Answer {
    let number = request.needed("out_trade_no")?.to_owned();
    let closed = request.world.merchants.close(&request.mch_id, &number, request.now);
    closed.map(|()| Success::Fields(vec![("result_msg".into(), "OK".into())])).map_err(|reason| match reason {
        NotClosed::Unknown => Failure::Refused("ORDERNOTEXIST", "订单不存在"),
        NotClosed::Paid => Failure::Refused("ORDERPAID", "订单已支付，不能发起关单"),
        NotClosed::Closed => Failure::Refused("ORDERCLOSED", "订单已关闭，无法重复关闭"),
        NotClosed::Paying => Failure::Refused("FREQUENCY_LIMITED", "用户支付中，请稍后再试"),
    })
}
