//! Cards: what `wx.addCard` and `wx.chooseCard` sign, verified.
//!
//! Used by the bridge. Source: appendix 4 of the JSSDK page of the official account docs: the values that are not empty,
//! sorted by their bytes, joined, SHA-1. A call that names no account is verified for each: the ticket tells which one
//! it is. Texts of failures are unconfirmed.

use serde_json::{Map, Value, json};

use super::{account_named, bare, done, is_signed, said, sha1_of};
use crate::chance;
use crate::clock::Time;
use crate::platform::desk::{Desk, text};
use crate::wire::Reply;
use crate::world::Holder;

/// Cards that are added at once.
const MOST: usize = 20;

/// What a card call says.
pub(super) fn card(desk: &Desk<'_>, body: &Value) -> Reply {
    let kind = if text(body, "kind") == Some("chooseCard") { "chooseCard" } else { "addCard" };
    let named = account_named(body);
    let asked = desk.world.accounts.values().filter(|holder| named.is_empty() || holder.appid == named);
    let holders: Vec<&Holder> = asked.filter(|holder| holder.settings.rights.cards).collect();
    if holders.is_empty() {
        return said(kind, "fail, invalid appid");
    }
    let answered = if kind == "addCard" { added(&holders, body, desk.now) } else { chosen(&holders, body, desk.now) };
    match answered {
        Ok(cards) => done(&json!({ "errMsg": format!("{kind}:ok"), "cardList": cards }), 0),
        Err(problem) => said(kind, problem),
    }
}

/// `cardList` of `wx.addCard`: `[{"cardId","cardExt"}]`, where `cardExt` is JSON in a text.
fn added(holders: &[&Holder], body: &Value, now: Time) -> Result<Value, &'static str> {
    let cards = body.get("cardList").and_then(Value::as_array).filter(|cards| (1..=MOST).contains(&cards.len()));
    let cards = cards.ok_or("fail, cardList has to be a list of 1 to 20 cards")?;
    let mut added = Vec::new();
    for card in cards {
        let id = text(card, "cardId").ok_or("fail, a card has no cardId")?;
        let ext = text(card, "cardExt").and_then(|ext| serde_json::from_str::<Map<String, Value>>(ext).ok());
        let ext = ext.ok_or("fail, cardExt has to be JSON in a text")?;
        let field = |name: &str| ext.get(name).map(bare).unwrap_or_default();
        let values = [field("timestamp"), id.to_owned(), field("code"), field("openid"), field("nonce_str")];
        if !is_signed_card(holders, &values, &field("signature"), now, false) {
            return Err("fail, invalid signature");
        }
        added.push(json!({ "cardId": id, "cardExt": card.get("cardExt"), "isSuccess": true }));
    }
    Ok(Value::Array(added))
}

/// `wx.chooseCard`: `shopId`, `cardType`, `cardId`, `timestamp`, `nonceStr`, `cardSign`. The answer is JSON in a text.
fn chosen(holders: &[&Holder], body: &Value, now: Time) -> Result<Value, &'static str> {
    let field = |name: &str| body.get(name).map(bare).unwrap_or_default();
    if !matches!(text(body, "signType"), None | Some("SHA1")) {
        return Err("fail, signType has to be SHA1");
    }
    let values = ["shopId", "timestamp", "nonceStr", "cardId", "cardType"].map(field);
    if !is_signed_card(holders, &values, &field("cardSign"), now, true) {
        return Err("fail, invalid signature");
    }
    let id = text(body, "cardId").unwrap_or("pSandboxCard");
    Ok(json!(json!([{ "card_id": id, "encrypt_code": chance::member_ticket() }]).to_string()))
}

fn is_signed_card(holders: &[&Holder], values: &[String], signature: &str, now: Time, with_appid: bool) -> bool {
    holders.iter().any(|holder| {
        let appid = with_appid.then_some(holder.appid.as_str());
        is_signed(holder.tickets.get("wx_card"), signature, now, |ticket| {
            let mut parts: Vec<&str> = values.iter().map(String::as_str).chain(appid).chain([ticket]).collect();
            parts.sort_unstable();
            sha1_of(&parts.concat())
        })
    })
}
