//! Trade bills (交易账单): the orders and refunds of one day in Beijing, as the table that both APIs give.
//!
//! Source: "Download trade bill" of both APIs. A row for each payment and for each refund that was accepted that day;
//! the fee is 0.60 %. Amounts are in yuan, the only place where they are.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::calendar::{in_beijing, spaced};
use super::order::{Order, Payment};
use super::refund::{Refund, RefundState};
use super::store::Merchants;
use crate::clock::Time;

/// The hour of the next day from which on a bill is there.
const READY_HOUR: u64 = 10;
/// How many days bills are kept.
const KEPT_DAYS: u64 = 92;

/// What a bill lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BillType {
    All,
    Success,
    Refund,
}

impl BillType {
    /// `ALL`, which is also what an absent one means, `SUCCESS` or `REFUND`.
    pub(crate) fn parse(text: &str) -> Option<BillType> {
        match text {
            "" | "ALL" => Some(BillType::All),
            "SUCCESS" => Some(BillType::Success),
            "REFUND" => Some(BillType::Refund),
            _ => None,
        }
    }
}

/// Columns of every bill, before those of refunds.
const FIRST: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
    应结订单金额,代金券金额";
const REFUND_TIMES: &str = ",退款申请时间,退款成功时间";
const REFUNDS: &str = ",微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态";
const LAST: &str = ",商品名称,商户数据包,手续费,费率,订单金额";
const APPLIED: &str = ",申请退款金额";
const REMARK: &str = ",费率备注";
const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// One row, before it is written.
struct Row<'a> {
    order: &'a Order,
    payment: &'a Payment,
    refund: Option<&'a Refund>,
}

/// Sums of the last line, in fen; fees in a hundred-thousandth of a yuan.
#[derive(Default)]
struct Sums {
    count: u64,
    settled: u64,
    refunded: u64,
    total: u64,
    fee: i64,
}

/// The bill of a day; `None` when nothing was traded.
pub(crate) fn trade_bill(merchants: &Merchants, mch_id: &str, day: u64, kind: BillType) -> Option<String> {
    let mut orders: Vec<_> = merchants.orders_of(mch_id).filter_map(|order| Some((order, order.payment()?))).collect();
    orders.sort_by_key(|(_, payment)| payment.time);
    let payments = orders.iter().filter(|(_, payment)| payment.time.day() == day);
    let payments = payments.map(|&(order, payment)| Row { order, payment, refund: None });
    let refunds = merchants.refunds_of(mch_id).into_iter().filter(|refund| refund.created.day() == day);
    let refunds = refunds.filter_map(|refund| {
        let order = merchants.order(mch_id, &refund.out_trade_no)?;
        Some(Row { order, payment: order.payment()?, refund: Some(refund) })
    });
    let rows: Vec<_> = match kind {
        BillType::All => payments.chain(refunds).collect(),
        BillType::Success => payments.collect(),
        BillType::Refund => refunds.collect(),
    };
    if rows.is_empty() {
        return None;
    }
    let mut bill = header(kind);
    let mut sums = Sums::default();
    for row in &rows {
        row.write(&mut bill, kind);
        row.add(&mut sums);
    }
    bill.push_str(SUMMARY);
    bill.push_str("\r\n");
    let Sums { count, settled, refunded, total, fee } = sums;
    let (settled, refunded, total) = (yuan(settled), yuan(refunded), yuan(total));
    let fee = fee_text(fee);
    let _ = write!(bill, "`{count},`{settled},`{refunded},`0.00,`{fee},`{total},`{refunded}\r\n");
    Some(bill)
}

fn header(kind: BillType) -> String {
    let (times, refunds, applied) = match kind {
        BillType::All => ("", REFUNDS, APPLIED),
        BillType::Success => ("", "", ""),
        BillType::Refund => (REFUND_TIMES, REFUNDS, APPLIED),
    };
    format!("{FIRST}{times}{refunds}{LAST}{applied}{REMARK}\r\n")
}

impl Row<'_> {
    fn write(&self, bill: &mut String, kind: BillType) {
        let Row { order, payment, refund } = self;
        let is_payment = refund.is_none();
        let or_zero = |fen: u64| if is_payment { yuan(fen) } else { yuan(0) };
        let state = if is_payment { "SUCCESS" } else { "REFUND" };
        let time = refund.map_or(payment.time, |refund| refund.created);
        let mut cells = vec![
            spaced(time),
            order.appid.clone(),
            order.mch_id.clone(),
            "0".into(),
            order.device_info.clone(),
            payment.transaction_id.clone(),
            order.out_trade_no.clone(),
            payment.openid.clone(),
            order.trade_type.name().into(),
            state.into(),
            payment.bank_type.clone(),
            "CNY".into(),
            or_zero(order.total - payment.unsettled()),
            or_zero(payment.discount()),
        ];
        if kind == BillType::Refund {
            cells.push(refund.map(|refund| spaced(refund.created)).unwrap_or_default());
            cells.push(refund.and_then(|refund| refund.success_time()).map(spaced).unwrap_or_default());
        }
        if kind != BillType::Success {
            cells.push(refund.map_or_else(|| "0".into(), |refund| refund.refund_id.clone()));
            cells.push(refund.map_or_else(|| "0".into(), |refund| refund.out_refund_no.clone()));
            cells.push(yuan(refund.map_or(0, |refund| refund.amount)));
            cells.push(yuan(0));
            cells.push(refund.map(|_| "ORIGINAL".to_owned()).unwrap_or_default());
            cells.push(refund.map(|refund| state_of(refund.state).to_owned()).unwrap_or_default());
        }
        cells.extend([clean(&order.description), clean(&order.attach)]);
        cells.extend([fee_text(self.fee()), "0.60%".into(), or_zero(order.total)]);
        if kind != BillType::Success {
            cells.push(yuan(refund.map_or(0, |refund| refund.amount)));
        }
        cells.push(String::new());
        let line: Vec<_> = cells.iter().map(|cell| format!("`{cell}")).collect();
        bill.push_str(&line.join(","));
        bill.push_str("\r\n");
    }

    /// 0.60 % of what is settled, in a hundred-thousandth of a yuan: back with a refund.
    fn fee(&self) -> i64 {
        let (fen, sign) = match self.refund {
            Some(refund) => (refund.amount, -1),
            None => (self.order.total - self.payment.unsettled(), 1),
        };
        i64::try_from(fen * 6).unwrap_or(i64::MAX) * sign
    }

    fn add(&self, sums: &mut Sums) {
        sums.count += 1;
        sums.fee += self.fee();
        match self.refund {
            Some(refund) => sums.refunded += refund.amount,
            None => {
                sums.settled += self.order.total - self.payment.unsettled();
                sums.total += self.order.total;
            }
        }
    }
}

fn state_of(state: RefundState) -> &'static str {
    match state {
        RefundState::Processing => "PROCESSING",
        RefundState::Success => "SUCCESS",
        RefundState::Closed => "FAIL",
        RefundState::Abnormal => "CHANGE",
    }
}

fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// A hundred-thousandth of a yuan as yuan, five decimals.
fn fee_text(fee: i64) -> String {
    let sign = if fee < 0 { "-" } else { "" };
    let fee = fee.unsigned_abs();
    format!("{sign}{}.{:05}", fee / 100_000, fee % 100_000)
}

/// What would be read as the next cell or line.
fn clean(text: &str) -> String {
    text.replace([',', '`', '\r', '\n'], " ")
}

/// A bill that can be downloaded.
#[derive(Clone, Debug)]
pub(crate) struct Bill {
    pub(crate) mch_id: String,
    pub(crate) text: String,
    pub(crate) zipped: bool,
    pub(crate) until: Time,
}

/// Whether the bill of a day is made; `None` when there never will be one, or not any more.
pub(crate) fn is_bill_ready(day: u64, now: Time) -> Option<bool> {
    if day > now.day() || day + KEPT_DAYS < now.day() {
        return None;
    }
    let ten_past = |days: u64| in_beijing(now).hour >= READY_HOUR || days > 1;
    Some(now.day() > day && ten_past(now.day() - day))
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into memory does not fail.
    let written = encoder.write_all(plain).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}
