//! What may be asked of WeChat Pay: the checks that both versions share.
//!
//! Used when a call is made. Lengths are the documents' `s(n)`, which say "characters"; where WeChat counts bytes (only
//! `reason` is documented so) it says so. A text that is too long is refused here, because WeChat's own answer names no
//! field.
//!
//! What must stay true: what would change the signature, the merchant or the fields of the order never passes through.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Inexpressible, Order, Refund, TradeType, Version};

/// Parameters that only the proxy sets: they are dropped when a team sends them.
const OURS: [&str; 17] = [
    "sign",
    "sign_type",
    "nonce_str",
    "mch_id",
    "mchid",
    "key",
    "appid",
    "out_trade_no",
    "transaction_id",
    "out_refund_no",
    "trade_type",
    "total_fee",
    "refund_fee",
    "body",
    "openid",
    "spbill_create_ip",
    "notify_url",
];

/// Longest value of each parameter, in characters: of v2, of v3 (0: not by this name).
const LIMITS: [(&str, usize, usize); 17] = [
    ("body", 127, 127),
    ("openid", 128, 128),
    ("notify_url", 256, 255),
    ("spbill_create_ip", 64, 45),
    ("attach", 127, 128),
    ("detail", 6000, 0),
    ("device_info", 32, 32),
    ("fee_type", 16, 16),
    ("goods_tag", 32, 32),
    ("product_id", 32, 0),
    ("limit_pay", 32, 0),
    ("receipt", 8, 8),
    ("profit_sharing", 1, 1),
    ("scene_info", 256, 0),
    ("version", 32, 0),
    ("refund_fee_type", 8, 16),
    ("refund_account", 30, 30),
];

/// Longest `refund_desc` (v3: `reason`), in bytes.
const MAX_REASON_BYTES: usize = 80;

/// The parameters that a team may set and did: no empty ones, none of the proxy's own.
pub(super) fn passed(others: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = others.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.filter(|(name, value)| !value.is_empty() && !OURS.contains(name))
}

/// Checks an order, as far as both versions agree.
pub(super) fn check_order(order: &Order, version: Version) -> Result<(), Inexpressible> {
    let wrong = |name: &str, what: &str| Err(Inexpressible::new(name, what));
    if order.body.trim().is_empty() {
        return wrong("body", "is empty: say what the payer pays for");
    }
    let openid = order.openid.as_deref().unwrap_or_default();
    if order.trade_type == TradeType::Jsapi && openid.is_empty() {
        return wrong("openid", "is missing: a payment inside WeChat (JSAPI) needs the payer's openid, from a login");
    }
    if order.trade_type == TradeType::Mweb && !passed(&order.others).any(|(name, _)| name == "scene_info") {
        let example = r#"{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"My shop"}}"#;
        return wrong("scene_info", &format!("is missing: a payment in a browser (MWEB) needs it, e.g. {example}"));
    }
    if order.client_ip.parse::<IpAddr>().is_err() {
        return wrong("spbill_create_ip", "is no IPv4 or IPv6 address");
    }
    check_notify_url(&order.notify_url)?;
    let own = [
        ("body", order.body.as_str()),
        ("openid", openid),
        ("spbill_create_ip", &order.client_ip),
        ("notify_url", &order.notify_url),
    ];
    own.into_iter().chain(passed(&order.others)).try_for_each(|(name, value)| check_text(name, value, version))
}

/// Checks a refund, as far as both versions agree.
pub(super) fn check_refund(refund: &Refund, version: Version) -> Result<(), Inexpressible> {
    if refund.refund_fee > refund.total_fee {
        return Err(Inexpressible::new("refund_fee", "is more than total_fee, the amount of the order"));
    }
    let notify_url = refund.notify_url.as_deref();
    notify_url.map_or(Ok(()), check_notify_url)?;
    let own = notify_url.map(|url| ("notify_url", url));
    own.into_iter().chain(passed(&refund.others)).try_for_each(|(name, value)| check_text(name, value, version))
}

fn check_notify_url(url: &str) -> Result<(), Inexpressible> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if !is_web || url.contains(['?', '#', '"', '<', '>']) || url.contains(char::is_whitespace) {
        return Err(Inexpressible::new("notify_url", "has to be a whole https URL without query: WeChat's rule"));
    }
    Ok(())
}

fn check_text(name: &str, value: &str, version: Version) -> Result<(), Inexpressible> {
    let wrong = |what: String| Err(Inexpressible::new(name, what));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !is_name || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(Inexpressible::new("a parameter", "has a name that is not made of letters, digits and '_'"));
    }
    // XML readers make one line feed of a carriage return, so WeChat would sign another text than we.
    let cannot_travel = |c: char| !crate::xml::is_allowed(c) || c == '\r';
    if value.chars().any(cannot_travel) {
        return wrong("has a control character, which XML cannot hold: leave it out (line ends as \\n)".to_owned());
    }
    if version == Version::V3 && value.chars().any(|c| c > '\u{FFFF}') {
        let advice = "has an emoji or another character beyond U+FFFF, which API v3 does not take: leave it out";
        return wrong(advice.to_owned());
    }
    if matches!(name, "refund_desc" | "reason") && value.len() > MAX_REASON_BYTES {
        return wrong(format!("has {} bytes, {MAX_REASON_BYTES} are allowed (26 Chinese characters)", value.len()));
    }
    let length = value.chars().count();
    match limit(name, version) {
        Some(limit) if length > limit => wrong(format!("has {length} characters, {limit} are allowed")),
        _ => Ok(()),
    }
}

fn limit(name: &str, version: Version) -> Option<usize> {
    let (_, v2, v3) = LIMITS.into_iter().find(|(known, ..)| *known == name)?;
    let limit = if version == Version::V2 { v2 } else { v3 };
    (limit > 0).then_some(limit)
}
