//! `/v3/pay/transactions/…`: order, query, close.
//!
//! Source: their pages of the API v3 docs. Which fields have to be the same when a number is used again is unconfirmed;
//! here it is everything but the payer's address.

use serde_json::{Value, json};

use super::body::Body;
use super::refusal::Refusal;
use super::{Answer, Request, Success};
use crate::merchant::{
    NotClosed, NotPlaced, Order, OrderWish, Origin, TradeType, is_notify_url, is_trade_no, parse_rfc3339,
    transaction_v3,
};

/// What may differ when a number is used again.
const MAY_DIFFER: &str = "/scene_info/payer_client_ip";
/// Optional texts and their lengths.
const LONGEST: [(&str, usize); 12] = [
    ("/goods_tag", 32),
    ("/detail/invoice_id", 32),
    ("/scene_info/device_id", 32),
    ("/scene_info/store_info/name", 256),
    ("/scene_info/store_info/area_code", 32),
    ("/scene_info/store_info/address", 512),
    ("/scene_info/h5_info/app_name", 64),
    ("/scene_info/h5_info/app_url", 128),
    ("/scene_info/h5_info/bundle_id", 128),
    ("/scene_info/h5_info/package_name", 128),
    ("/attach", 128),
    ("/time_expire", 64),
];

/// Whether a segment of a path is one of the ways to pay.
pub(super) fn is_kind(kind: &str) -> bool {
    trade_type(kind).is_some()
}

fn trade_type(kind: &str) -> Option<TradeType> {
    match kind {
        "native" => Some(TradeType::Native),
        "jsapi" => Some(TradeType::Jsapi),
        "app" => Some(TradeType::App),
        "h5" => Some(TradeType::Mweb),
        _ => None,
    }
}

pub(super) fn create(request: &mut Request<'_>, kind: &str) -> Answer {
    let trade_type = trade_type(kind).ok_or_else(|| Refusal::new(404, "NOT_FOUND", "此接口不存在"))?;
    let body = Body::read(&request.call.body)?;
    let wish = wish(&body, trade_type)?;
    is_callers(request, &wish.mch_id)?;
    let holder = request.world.merchants.get(request.mchid);
    if !holder.is_some_and(|holder| holder.appids.contains(&wish.appid)) {
        return Err(Refusal::new(400, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系"));
    }
    if !holder.is_some_and(|holder| holder.settings.trade_types.contains(&trade_type)) {
        return Err(Refusal::new(403, "NO_AUTH", "商户无权限"));
    }
    let account = request.world.accounts.get(&wish.appid);
    if let (Some(openid), Some(account)) = (&wish.openid, account)
        && account.people.find(openid).is_none()
    {
        return Err(body.wrong("/payer/openid", "appid和openid不匹配"));
    }
    let origin = request.world.addresses.page_origin(request.call);
    let order = request.world.merchants.place(wish, request.now).map_err(|reason| match reason {
        NotPlaced::Paid => Refusal::new(400, "ORDERPAID", "该订单已支付"),
        NotPlaced::Closed => Refusal::new(400, "ORDER_CLOSED", "该订单已关闭"),
        NotPlaced::Different => Refusal::invalid("请求重入时，参数与首次请求时不一致"),
        NotPlaced::Expired => Refusal::invalid("订单已过期"),
    })?;
    Ok(Success::Json(match trade_type {
        TradeType::Native => json!({ "code_url": order.code_url() }),
        TradeType::Jsapi | TradeType::App => json!({ "prepay_id": order.prepay().map(|prepay| &prepay.id) }),
        TradeType::Mweb => json!({ "h5_url": order.mweb_url(&origin) }),
    }))
}

/// The order that is asked for, when every field of it can be.
fn wish(body: &Body, trade_type: TradeType) -> Result<OrderWish, Refusal> {
    let appid = body.needed("/appid", 32)?;
    let mch_id = body.needed("/mchid", 32)?;
    let description = body.needed("/description", 127)?;
    let out_trade_no = body.needed("/out_trade_no", 32)?;
    let notify_url = body.needed("/notify_url", 255)?;
    let total = body.amount("/amount/total")?;
    for (field, longest) in LONGEST {
        body.text(field, longest)?;
    }
    check_goods(body)?;
    for field in ["/support_fapiao", "/settle_info/profit_sharing"] {
        body.flag(field)?;
    }
    let currency = body.text("/amount/currency", 16)?;
    if !is_trade_no(out_trade_no) {
        return Err(body.wrong("/out_trade_no", "格式不符合规则"));
    }
    if !is_notify_url(notify_url) {
        return Err(body.wrong("/notify_url", "不是合法的回调地址"));
    }
    if !matches!(currency, "" | "CNY") {
        return Err(body.wrong("/amount/currency", "不支持的货币类型"));
    }
    let expires = match body.text("/time_expire", 64)? {
        "" => None,
        text => Some(parse_rfc3339(text).ok_or_else(|| body.wrong("/time_expire", "格式不符合RFC3339"))?),
    };
    let openid = match trade_type {
        TradeType::Jsapi => Some(body.needed("/payer/openid", 128)?.to_owned()),
        _ => None,
    };
    if trade_type == TradeType::Mweb || body.has("/scene_info") {
        body.needed("/scene_info/payer_client_ip", 45)?;
    }
    if body.has("/scene_info/store_info") {
        body.needed("/scene_info/store_info/id", 32)?;
    }
    if trade_type == TradeType::Mweb
        && !["Wap", "iOS", "Android"].contains(&body.needed("/scene_info/h5_info/type", 32)?)
    {
        return Err(body.wrong("/scene_info/h5_info/type", "取值错误"));
    }
    let mut parameters = body.parameters();
    parameters.remove(MAY_DIFFER);
    parameters.insert("trade_type".into(), trade_type.name().into());
    Ok(OrderWish {
        mch_id: mch_id.to_owned(),
        appid: appid.to_owned(),
        out_trade_no: out_trade_no.to_owned(),
        origin: Origin::V3,
        trade_type,
        description: description.to_owned(),
        attach: body.text("/attach", 128)?.to_owned(),
        device_info: body.text("/scene_info/device_id", 32)?.to_owned(),
        total,
        openid,
        notify_url: notify_url.to_owned(),
        expires,
        parameters,
    })
}

/// `detail.goods_detail`: a list whose entries have id, quantity and price.
fn check_goods(body: &Body) -> Result<(), Refusal> {
    let list = "/detail/goods_detail";
    for number in 0..body.length(list)? {
        body.needed(&format!("{list}/{number}/merchant_goods_id"), 32)?;
        body.text(&format!("{list}/{number}/goods_name"), 256)?;
        body.amount(&format!("{list}/{number}/quantity"))?;
        body.amount(&format!("{list}/{number}/unit_price"))?;
    }
    Ok(())
}

pub(super) fn by_number(request: &mut Request<'_>, number: &str) -> Answer {
    check_query(request)?;
    if !is_trade_no(number) {
        return Err(Refusal::field("out_trade_no", &json!(number), "格式不符合规则"));
    }
    found(request.world.merchants.order(request.mchid, number))
}

pub(super) fn by_transaction(request: &mut Request<'_>, number: &str) -> Answer {
    check_query(request)?;
    found(request.world.merchants.transaction(request.mchid, number))
}

fn found(order: Option<&Order>) -> Answer {
    let order = order.ok_or_else(|| Refusal::new(404, "ORDER_NOT_EXIST", "订单不存在"))?;
    Ok(Success::Json(transaction_v3(order)))
}

/// `mchid` has to stand in the query.
fn check_query(request: &Request<'_>) -> Result<(), Refusal> {
    let mchid = request.call.param("mchid");
    let mchid = mchid.ok_or_else(|| Refusal::field("mchid", &Value::Null, "必填参数缺失"))?;
    is_callers(request, mchid)
}

fn is_callers(request: &Request<'_>, mchid: &str) -> Result<(), Refusal> {
    if mchid == request.mchid {
        return Ok(());
    }
    Err(Refusal::parameter("Http头Authorization中的mchid与请求参数中的mchid不一致"))
}

pub(super) fn close(request: &mut Request<'_>, number: &str) -> Answer {
    let body = Body::read(&request.call.body)?;
    is_callers(request, body.needed("/mchid", 32)?)?;
    let closed = request.world.merchants.close(request.mchid, number, request.now);
    closed.map(|()| Success::Nothing).map_err(|reason| match reason {
        NotClosed::Unknown => Refusal::new(404, "ORDER_NOT_EXIST", "订单不存在"),
        NotClosed::Paid => Refusal::new(400, "ORDERPAID", "订单已支付"),
        NotClosed::Closed => Refusal::new(400, "ORDER_CLOSED", "订单已关闭"),
        NotClosed::Paying => Refusal::new(202, "USERPAYING", "用户支付中，需要输入密码"),
    })
}
