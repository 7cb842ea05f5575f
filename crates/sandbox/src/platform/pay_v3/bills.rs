//! `/v3/bill/tradebill` gives an address, `/v3/billdownload/file` the table behind it.
//!
//! Source: their pages of the API v3 docs. The address is good for 5 minutes; what it gives is not signed, but the hash
//! of the table was.

use serde_json::json;
use sha1::{Digest as _, Sha1};

use super::refusal::Refusal;
use super::{Answer, Request, Success};
use crate::merchant::{Bill, BillType, gzip, is_bill_ready, parse_day, trade_bill};

/// How long an address is good, in seconds.
const ADDRESS_SECS: u64 = 300;

pub(super) fn trade(request: &mut Request<'_>) -> Answer {
    let param = |name: &str| request.call.param(name).unwrap_or_default();
    let wrong = |name: &str, issue: &str| Refusal::field(name, &json!(param(name)), issue);
    let day = parse_day(param("bill_date"), true).ok_or_else(|| wrong("bill_date", "格式不符合规则"))?;
    let kind = BillType::parse(param("bill_type")).ok_or_else(|| wrong("bill_type", "取值错误"))?;
    let zipped = match param("tar_type") {
        "" => false,
        "GZIP" => true,
        _ => return Err(wrong("tar_type", "取值错误")),
    };
    let none =
        || Refusal::new(400, "NO_STATEMENT_EXIST", "请求的账单文件不存在，请检查当前商户号在指定日期内是否有交易");
    match is_bill_ready(day, request.now) {
        Some(true) => {}
        Some(false) => return Err(Refusal::new(400, "STATEMENT_CREATING", "账单生成中，请稍后再试")),
        None => return Err(none()),
    }
    let text = trade_bill(&request.world.merchants, request.mchid, day, kind).ok_or_else(none)?;
    let hash = hex::encode(Sha1::digest(&text));
    let bill = Bill { mch_id: request.mchid.to_owned(), text, zipped, until: request.now.plus_secs(ADDRESS_SECS) };
    let token = request.world.merchants.keep_bill(bill, request.now);
    Ok(Success::Json(json!({
        "hash_type": "SHA1", "hash_value": hash,
        "download_url": format!("{}/v3/billdownload/file?token={token}", request.call.origin()),
    })))
}

pub(super) fn file(request: &mut Request<'_>) -> Answer {
    let bill = request.call.param("token").and_then(|token| request.world.merchants.bill(token));
    let bill = bill.filter(|bill| bill.mch_id == request.mchid && bill.until > request.now);
    let bill = bill.ok_or_else(|| Refusal::invalid("账单下载地址无效或已过期"))?;
    Ok(if bill.zipped {
        Success::File("application/x-gzip", gzip(bill.text.as_bytes()))
    } else {
        Success::File("text/plain", bill.text.clone().into_bytes())
    })
}
