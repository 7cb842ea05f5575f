//! What WeChat's own client asks its server when a page calls the JSSDK: are these signatures good, and for what?
//!
//! Called by the JSSDK's script in the phone. Source: "JS-SDK" of the official account docs with its appendix on
//! signatures, "JS-SDK" and `agentConfig` of the WeCom docs. The wire between client and server is not published: paths
//! and fields here are the sandbox's own, the texts are those that pages get to see. Signatures are computed here once
//! more, from every ticket that is still good.

mod cards;
mod names;
mod pay;

pub(super) use pay::{decide as decide_payment, look as look_at_payment};

use http::header;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::desk::{Desk, text};
use crate::account::AccountKind;
use crate::clock::Time;
use crate::domains::Domains;
use crate::ticket_book::Tickets;
use crate::wire::{Call, Reply};
use crate::world::Holder;

/// The code that WeChat's developer tools show for it.
const INVALID_SIGNATURE: i64 = 63002;

/// `POST /jsbridge/verify`: what `wx.config` and `wx.agentConfig` say.
pub(super) fn verify(desk: &mut Desk<'_>) -> Reply {
    let Some(body) = desk.call.json() else { return said("config", "fail, the call has to be a JSON object") };
    let kind = if text(&body, "kind") == Some("agentConfig") { "agentConfig" } else { "config" };
    match verified(desk.world.accounts.get(&account_named(&body)), kind, &body, desk.now) {
        Err(problem) => said(kind, problem),
        Ok(wecom) => {
            let granted = names::granted(&body, "jsApiList", |name| wecom || names::is_api(name));
            let tags = names::granted(&body, "openTagList", names::is_tag);
            let answer = json!({ "errMsg": format!("{kind}:ok"), "jsApiList": granted, "openTagList": tags });
            done(&answer, 0)
        }
    }
}

/// `POST /jsbridge/card`: what `wx.addCard` and `wx.chooseCard` say.
pub(super) fn card(desk: &mut Desk<'_>) -> Reply {
    let Some(body) = desk.call.json() else { return said("addCard", "fail, the call has to be a JSON object") };
    cards::card(desk, &body)
}

/// `GET /jsbridge/phone`: what the phone is, for the script in it.
pub(super) fn phone(desk: &mut Desk<'_>) -> Reply {
    let system = desk.world.phone.system;
    let answer = json!({
        "system": system,
        "user_agent": system.user_agent(),
        "wecom_user_agent": system.wecom_user_agent(),
    });
    done(&answer, 0)
}

/// What the bridge says when a fault wants that.
pub(super) fn failed(call: &Call, errcode: i64) -> Reply {
    let body = call.json().unwrap_or_default();
    let kind = text(&body, "kind").filter(|kind| kind.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let reply = said(kind.unwrap_or("config"), "fail");
    Reply { errcode: Some(errcode), ..reply }
}

/// The account that a call names.
fn account_named(body: &Value) -> String {
    ["appId", "appid", "corpid"].into_iter().find_map(|name| text(body, name)).unwrap_or_default().to_owned()
}

/// Whether the signature of a page is good; says whether it is one of a corp.
fn verified(holder: Option<&Holder>, kind: &str, body: &Value, now: Time) -> Result<bool, &'static str> {
    let agent = kind == "agentConfig";
    let has_jssdk = |holder: &&Holder| match holder.kind {
        AccountKind::Official => !agent,
        AccountKind::Wecom => true,
        AccountKind::MiniProgram | AccountKind::Website => false,
    };
    let unknown = if agent { "invalid corpid" } else { "invalid appid" };
    let holder = holder.filter(has_jssdk).ok_or(unknown)?;
    let tickets = if agent {
        let agentid = body.get("agentid").map(bare).and_then(|agentid| agentid.parse().ok());
        let app = agentid.and_then(|agentid| holder.app(Some(agentid))).ok_or("invalid agentid")?;
        Some(&app.tickets)
    } else {
        holder.tickets.get("jsapi")
    };
    let url = text(body, "url").map(|url| url.split('#').next().unwrap_or_default()).unwrap_or_default();
    if !is_page(url, &holder.settings.js_domains) {
        return Err("invalid url domain");
    }
    let timestamp = body.get("timestamp").map(bare).unwrap_or_default();
    if !is_timestamp(&timestamp) {
        return Err("fail, timestamp has to be Unix seconds");
    }
    if body.get("jsApiList").is_none_or(|list| !list.is_array()) {
        return Err("fail, jsApiList has to be a list");
    }
    let nonce = text(body, "nonceStr").unwrap_or_default();
    let signature = text(body, "signature").unwrap_or_default();
    let signed =
        |ticket: &str| sha1_of(&format!("jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url}"));
    if is_signed(tickets, signature, now, signed) {
        Ok(holder.kind == AccountKind::Wecom)
    } else {
        Err("invalid signature")
    }
}

/// Whether a signature is that of one of the tickets that are still good.
fn is_signed(tickets: Option<&Tickets>, signature: &str, now: Time, signed: impl Fn(&str) -> String) -> bool {
    tickets.is_some_and(|tickets| tickets.good(now).any(|ticket| signed(ticket) == signature))
}

/// A page of http or https on a domain that the account has named.
fn is_page(url: &str, domains: &Domains) -> bool {
    let page = reqwest::Url::parse(url).ok().filter(|page| matches!(page.scheme(), "http" | "https"));
    page.is_some_and(|page| domains.allow_host(&page))
}

/// Unix seconds as WeChat takes them: digits, and not milliseconds. How old they may be is not published; the ticket's
/// end bounds it here.
fn is_timestamp(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number or a text, as it is signed.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Lower-case hex.
fn sha1_of(text: &str) -> String {
    hex::encode(Sha1::digest(text))
}

/// An answer that is an error text alone.
fn said(kind: &str, text: &str) -> Reply {
    let errcode = if text.ends_with("invalid signature") { INVALID_SIGNATURE } else { -1 };
    done(&json!({ "errMsg": format!("{kind}:{text}") }), errcode)
}

fn done(answer: &Value, errcode: i64) -> Reply {
    let note = answer.get("errMsg").and_then(Value::as_str).map(ToOwned::to_owned);
    let reply = Reply::page(200, "application/json; charset=utf-8", answer.to_string());
    Reply { errcode: Some(errcode), note, ..reply }.with_header(header::CACHE_CONTROL, "no-store")
}
