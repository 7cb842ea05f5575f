//! The page that a browser outside WeChat pays on (H5): `mweb_url` of v2, `h5_url` of v3.
//!
//! Source: "H5 payment" of both APIs. WeChat's own page starts the client, which pays; here it is the phone's user who
//! pays, on the page itself. `redirect_url` may be put behind the address; going back says nothing about whether it was
//! paid.

use super::html::{Fill, Html, fill, page};
use crate::merchant::{Refused, Sheet};
use crate::platform::desk::Desk;
use crate::platform::payments::{self, Purse};
use crate::wire::{Call, Reply};

const BODY: &str = include_str!("mweb.html");
const OVER: &str = include_str!("mweb_over.html");

/// `GET /cgi-bin/mmpayweb-bin/checkmweb?prepay_id=…&package=…&redirect_url=…`.
pub(super) fn open(desk: &mut Desk<'_>) -> Reply {
    let param = |name: &str| desk.call.param(name).unwrap_or_default().to_owned();
    let (prepay, package, back) = (param("prepay_id"), param("package"), param("redirect_url"));
    match look(desk, &prepay, &package) {
        Err(refused) => objection(&refused),
        Ok(sheet) => ask(&sheet, &prepay, &package, &back),
    }
}

/// `POST /cgi-bin/mmpayweb-bin/decide`: `prepay_id`, `package`, `redirect_url`, `decision` (`pay`, `cancel`).
pub(super) fn decide(desk: &mut Desk<'_>) -> Reply {
    let field = |name: &str| desk.call.field(name).unwrap_or_default();
    let (prepay, package, back) = (field("prepay_id"), field("package"), field("redirect_url"));
    let pays = field("decision") == "pay";
    let order = match desk.world.merchants.opened(&prepay, &package, desk.now) {
        Ok(order) => order.clone(),
        Err(refused) => return objection(&refused),
    };
    if pays && let Err(refused) = payments::pay_order(desk.world, &order, Purse::default()) {
        return objection(&refused);
    }
    let note = if pays { "paid on the H5 page" } else { "cancelled on the H5 page" };
    match reqwest::Url::parse(&back).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
        Some(back) => Reply::redirect(back.as_str()).with_note(note),
        None if pays => over("ok", "支付成功", "Paid.").with_note(note),
        None => over("no", "已取消支付", "Cancelled.").with_note(note),
    }
}

fn look(desk: &mut Desk<'_>, prepay: &str, package: &str) -> Result<Sheet, Refused> {
    let agent = desk.call.header("user-agent").unwrap_or_default();
    // The sandbox's phone shows pages in a frame.
    if agent.contains("MicroMessenger") || desk.call.header("sec-fetch-dest") == Some("iframe") {
        return Err(Refused::new("请在微信外打开订单，进行支付", "an H5 payment starts in a browser outside WeChat"));
    }
    let order = desk.world.merchants.opened(prepay, package, desk.now)?.clone();
    check_referer(desk.call, desk, &order.mch_id)?;
    let sheet = payments::sheet(desk.world, &order, None, desk.now);
    sheet.refused.clone().map_or(Ok(sheet), Err)
}

/// A merchant that has named domains wants to be come from there.
fn check_referer(call: &Call, desk: &Desk<'_>, mch_id: &str) -> Result<(), Refused> {
    let Some(holder) = desk.world.merchants.get(mch_id) else { return Ok(()) };
    let domains = &holder.settings.h5_domains;
    if domains.is_empty() {
        return Ok(());
    }
    let referer = call.header("referer").and_then(|referer| reqwest::Url::parse(referer).ok());
    match referer {
        None => Err(Refused::new("商家参数格式有误，请联系商家解决", "no Referer came from the page that led here")),
        Some(page) if domains.allow_host(&page) => Ok(()),
        Some(page) => {
            let hint = format!("{} is not among the merchant's h5_domains", page.host_str().unwrap_or_default());
            Err(Refused::new("商家存在未配置的参数，请联系商家解决", hint))
        }
    }
}

fn ask(sheet: &Sheet, prepay: &str, package: &str, back: &str) -> Reply {
    let amount = format!("{}.{:02}", sheet.total / 100, sheet.total % 100);
    let texts = [
        ("merchant", sheet.merchant_name.as_str()),
        ("description", sheet.description.as_str()),
        ("amount", &amount),
        ("prepay_id", prepay),
        ("package", package),
        ("redirect_url", back),
    ];
    let fills = texts.map(|(name, text)| (name, Fill::Text(text)));
    page("微信支付", Html::none(), fill(BODY, &fills)).with_note("asks whether to pay")
}

fn objection(refused: &Refused) -> Reply {
    over("no", refused.text, &refused.hint).with_note(refused.hint.clone())
}

fn over(mark: &str, title: &str, english: &str) -> Reply {
    let fills = [("mark", Fill::Text(mark)), ("title", Fill::Text(title)), ("english", Fill::Text(english))];
    page(title, Html::none(), fill(OVER, &fills))
}
