//! `/v3/refund/domestic/refunds`.
//!
//! Source: its pages of the API v3 docs. A refund is only accepted here; the notifier or the control API settles it.

use super::body::Body;
use super::refusal::Refusal;
use super::{Answer, Request, Success};
use crate::merchant::{NotRefunded, Origin, Refund, RefundWish, is_notify_url, is_refund_no, refund_v3};

pub(super) fn create(request: &mut Request<'_>) -> Answer {
    let body = Body::read(&request.call.body)?;
    let number = body.needed("/out_refund_no", 64)?.to_owned();
    if !is_refund_no(&number) {
        return Err(body.wrong("/out_refund_no", "格式不符合规则"));
    }
    let (amount, total) = (body.amount("/amount/refund")?, body.amount("/amount/total")?);
    if body.needed("/amount/currency", 16)? != "CNY" {
        return Err(body.wrong("/amount/currency", "不支持的货币类型"));
    }
    if body.text("/reason", 80)?.len() > 80 {
        return Err(body.wrong("/reason", "长度超过限制"));
    }
    let notify_url = Some(body.text("/notify_url", 256)?.to_owned()).filter(|url| !url.is_empty());
    if notify_url.as_deref().is_some_and(|url| !is_notify_url(url)) {
        return Err(body.wrong("/notify_url", "不是合法的回调地址"));
    }
    let account = match body.text("/funds_account", 32)? {
        "AVAILABLE" => "REFUND_SOURCE_RECHARGE_FUNDS",
        "" | "UNSETTLED" => "REFUND_SOURCE_UNSETTLED_FUNDS",
        _ => return Err(body.wrong("/funds_account", "取值错误")),
    };
    let merchants = &request.world.merchants;
    let order = match (body.text("/transaction_id", 32)?, body.text("/out_trade_no", 32)?) {
        ("", "") => return Err(body.wrong("/out_trade_no", "transaction_id和out_trade_no必须二选一")),
        ("", number) => merchants.order(request.mchid, number),
        (number, _) => merchants.transaction(request.mchid, number),
    };
    let order = order.ok_or_else(|| refused(NotRefunded::UnknownOrder))?;
    let trade_no = order.out_trade_no.clone();
    if order.total != total && merchants.refund(request.mchid, &number).is_none() {
        return Err(Refusal::invalid("订单金额不一致"));
    }
    let wish = RefundWish {
        out_refund_no: number,
        origin: Origin::V3,
        amount,
        reason: body.text("/reason", 80)?.to_owned(),
        notify_url,
        account,
        parameters: [("order", trade_no.clone()), ("amount", amount.to_string()), ("total", total.to_string())]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    };
    let accepted = request.world.merchants.accept(request.mchid, &trade_no, wish, request.now);
    let refund = accepted.map_err(refused)?.clone();
    Ok(told(request, &refund))
}

pub(super) fn query(request: &mut Request<'_>, number: &str) -> Answer {
    let refund = request.world.merchants.refund(request.mchid, number).cloned();
    let refund = refund.ok_or_else(|| Refusal::new(404, "RESOURCE_NOT_EXISTS", "退款单不存在"))?;
    Ok(told(request, &refund))
}

fn told(request: &Request<'_>, refund: &Refund) -> Success {
    let order = request.world.merchants.order(&refund.mch_id, &refund.out_trade_no);
    let paid = order.and_then(|order| Some(order.total - order.payment()?.discount()));
    Success::Json(refund_v3(refund, paid.unwrap_or(refund.total)))
}

fn refused(reason: NotRefunded) -> Refusal {
    match reason {
        NotRefunded::UnknownOrder | NotRefunded::NotPaid => Refusal::new(404, "RESOURCE_NOT_EXISTS", "订单不存在"),
        NotRefunded::Different => Refusal::invalid("订单金额或退款金额与之前请求不一致，请核实后再试"),
        NotRefunded::TooMuch => Refusal::invalid("申请退款金额大于订单剩余可退金额"),
        NotRefunded::TooMany => Refusal::invalid("退款次数超过限制"),
        NotRefunded::TooOld => Refusal::invalid("订单已经超过退款期限"),
        NotRefunded::TooSoon => Refusal::new(429, "FREQUENCY_LIMITED", "频率超限，请降低请求频率"),
    }
}
