//! `/secapi/pay/refund` and `/pay/refundquery`.
//!
//! Source: their pages of the API v2 docs. A refund is only accepted here; the notifier or the control API settles it.

use super::orders::named;
use super::{Answer, Failure, Request, Success, wrong};
use crate::merchant::{Fields, NotRefunded, Origin, Refund, RefundWish, is_notify_url, is_refund_no, put, spaced};

/// Refunds in one answer at most.
const MOST_ROWS: usize = 10;

pub(super) fn create(request: &mut Request<'_>) -> Answer {
    let (total, amount) = (request.amount("total_fee")?, request.amount("refund_fee")?);
    let number = request.needed("out_refund_no")?.to_owned();
    let account = match request.field("refund_account") {
        "" | "REFUND_SOURCE_UNSETTLED_FUNDS" => "REFUND_SOURCE_UNSETTLED_FUNDS",
        "REFUND_SOURCE_RECHARGE_FUNDS" => "REFUND_SOURCE_RECHARGE_FUNDS",
        _ => return Err(wrong("refund_account")),
    };
    request.check_lengths(&[("refund_desc", 80), ("notify_url", 256)])?;
    let notify_url = Some(request.field("notify_url").to_owned()).filter(|url| !url.is_empty());
    if !is_refund_no(&number) {
        return Err(wrong("out_refund_no"));
    }
    if notify_url.as_deref().is_some_and(|url| !is_notify_url(url)) {
        return Err(wrong("notify_url"));
    }
    if !matches!(request.field("refund_fee_type"), "" | "CNY") {
        return Err(wrong("refund_fee_type"));
    }
    let by_transaction = !request.field("transaction_id").is_empty();
    let unknown = if by_transaction {
        Failure::Refused("INVALID_TRANSACTIONID", "无效transaction_id")
    } else {
        Failure::Refused("ORDERNOTEXIST", "订单不存在")
    };
    let order = named(request)?.ok_or(unknown)?;
    let trade_no = order.out_trade_no.clone();
    let known = request.world.merchants.refund(&request.mch_id, &number).is_some();
    if order.total != total && !known {
        return Err(Failure::Refused("ERROR", "订单金额不一致"));
    }
    let wish = RefundWish {
        out_refund_no: number,
        origin: Origin::V2 { sign_type: request.sign_type },
        amount,
        reason: request.field("refund_desc").to_owned(),
        notify_url,
        account,
        parameters: [("order", trade_no.clone()), ("amount", amount.to_string()), ("total", total.to_string())]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    };
    let refund =
        request.world.merchants.accept(&request.mch_id, &trade_no, wish, request.now).map_err(refused)?.clone();
    let mut fields = Fields::new();
    put(&mut fields, "transaction_id", &refund.transaction_id);
    put(&mut fields, "out_trade_no", &refund.out_trade_no);
    put(&mut fields, "out_refund_no", &refund.out_refund_no);
    put(&mut fields, "refund_id", &refund.refund_id);
    put(&mut fields, "refund_fee", refund.amount);
    put(&mut fields, "settlement_refund_fee", refund.amount);
    put(&mut fields, "total_fee", refund.total);
    put(&mut fields, "fee_type", "CNY");
    put(&mut fields, "cash_fee", paid(request, &refund));
    put(&mut fields, "cash_refund_fee", refund.payer_amount);
    coupons(&mut fields, &refund);
    Ok(Success::Fields(fields))
}

fn coupons(fields: &mut Fields, refund: &Refund) {
    if refund.amount > refund.payer_amount {
        put(fields, "coupon_refund_fee", refund.amount - refund.payer_amount);
    }
}

/// What the payer paid without coupons.
fn paid(request: &Request<'_>, refund: &Refund) -> u64 {
    let order = request.world.merchants.order(&refund.mch_id, &refund.out_trade_no);
    order.and_then(|order| Some(order.total - order.payment()?.discount())).unwrap_or(refund.total)
}

fn refused(reason: NotRefunded) -> Failure {
    match reason {
        NotRefunded::UnknownOrder | NotRefunded::NotPaid => Failure::Refused("ORDERNOTEXIST", "订单不存在或未支付"),
        NotRefunded::Different => {
            Failure::Refused("REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致，请核实后再试")
        }
        NotRefunded::TooMuch => Failure::Refused("ERROR", "累计退款金额大于支付金额"),
        NotRefunded::TooMany => Failure::Refused("ERROR", "退款次数超过限制"),
        NotRefunded::TooSoon => Failure::Refused("BIZERR_NEED_RETRY", "并发情况下，业务被拒绝，商户重试即可解决"),
        NotRefunded::TooOld => Failure::Refused("TRADE_OVERDUE", "订单已经超过退款期限"),
    }
}

pub(super) fn query(request: &mut Request<'_>) -> Answer {
    let unknown = || Failure::Refused("REFUNDNOTEXIST", "退款订单查询失败");
    let offset = match request.field("offset") {
        "" => 0,
        text => text.parse::<usize>().map_err(|_| wrong("offset"))?,
    };
    let merchants = &request.world.merchants;
    let all = merchants.refunds_of(&request.mch_id);
    let one_of = |name: &str| Some(request.field(name)).filter(|value| !value.is_empty());
    let found: Vec<&Refund> = match (one_of("refund_id"), one_of("out_refund_no")) {
        (Some(id), _) => all.into_iter().filter(|refund| refund.refund_id == id).collect(),
        (None, Some(number)) => all.into_iter().filter(|refund| refund.out_refund_no == number).collect(),
        (None, None) => {
            let order = named(request)?.ok_or_else(unknown)?;
            all.into_iter().filter(|refund| refund.out_trade_no == order.out_trade_no).collect()
        }
    };
    let first = found.first().ok_or_else(unknown)?;
    let mut fields = Fields::new();
    let rows: Vec<_> = found.iter().skip(offset).take(MOST_ROWS).collect();
    put(&mut fields, "total_refund_count", found.len());
    put(&mut fields, "transaction_id", &first.transaction_id);
    put(&mut fields, "out_trade_no", &first.out_trade_no);
    put(&mut fields, "total_fee", first.total);
    put(&mut fields, "fee_type", "CNY");
    put(&mut fields, "cash_fee", paid(request, first));
    put(&mut fields, "refund_count", rows.len());
    for (number, refund) in rows.into_iter().enumerate() {
        row(&mut fields, number, refund);
    }
    Ok(Success::Fields(fields))
}

fn row(fields: &mut Fields, number: usize, refund: &Refund) {
    let mut add = |name: &str, value: String| put(fields, &format!("{name}_{number}"), value);
    add("out_refund_no", refund.out_refund_no.clone());
    add("refund_id", refund.refund_id.clone());
    add("refund_channel", "ORIGINAL".into());
    add("refund_fee", refund.amount.to_string());
    add("settlement_refund_fee", refund.amount.to_string());
    if refund.amount > refund.payer_amount {
        add("coupon_refund_fee", (refund.amount - refund.payer_amount).to_string());
    }
    add("refund_status", refund.state.v2().into());
    add("refund_account", refund.account.into());
    add("refund_recv_accout", refund.received_by().into());
    add("refund_success_time", refund.success_time().map(spaced).unwrap_or_default());
}
