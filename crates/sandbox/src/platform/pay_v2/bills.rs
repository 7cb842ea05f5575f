//! `/pay/downloadbill`: the table in the body, or XML when there is none.
//!
//! Source: its page of the API v2 docs. A bill is there from 10:00 of the next day on, for three months.

use super::{Answer, Failure, Request, Success};
use crate::merchant::{BillType, gzip, is_bill_ready, parse_day, trade_bill};

pub(super) fn download(request: &mut Request<'_>) -> Answer {
    let missing = Failure::NoBill("missing parameter", "20001");
    let date = request.fields.get("bill_date").ok_or(missing)?;
    let day = parse_day(date, false).ok_or(Failure::NoBill("data format error", "20001"))?;
    let kind = BillType::parse(request.field("bill_type")).ok_or(Failure::NoBill("invalid bill_type", "20001"))?;
    match is_bill_ready(day, request.now) {
        Some(true) => {}
        Some(false) => return Err(Failure::NoBill("Bill Creating", "20002")),
        None => return Err(Failure::NoBill("No Bill Exist", "20002")),
    }
    let bill = trade_bill(&request.world.merchants, &request.mch_id, day, kind);
    let bill = bill.ok_or(Failure::NoBill("No Bill Exist", "20002"))?;
    match request.field("tar_type") {
        "" => Ok(Success::File("text/plain", bill.into_bytes())),
        "GZIP" => Ok(Success::File("application/x-gzip", gzip(bill.as_bytes()))),
        _ => Err(Failure::NoBill("data format error", "20001")),
    }
}
