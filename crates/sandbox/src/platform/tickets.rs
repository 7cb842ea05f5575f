//! Tickets of official accounts: `/cgi-bin/ticket/getticket` for `jsapi` and `wx_card`.
//!
//! Source: appendix 1 of the JSSDK page and the card ticket page of the official account docs. A ticket lives by
//! itself: it outlasts the token that fetched it, and the two types know nothing of each other.

use serde_json::{Value, json};

use super::desk::{Answer, Desk};
use super::refusal::Refusal;
use crate::clock::Time;
use crate::ticket_book::Ticket;
use crate::wire::Reply;

/// `GET /cgi-bin/ticket/getticket?access_token=T&type=jsapi|wx_card`.
pub(crate) fn official(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    let kind = match desk.call.param("type") {
        Some("jsapi") => "jsapi",
        Some("wx_card") => "wx_card",
        _ => return Err(Refusal::official(40097)),
    };
    let rights = desk.holder(&caller)?.settings.rights;
    let allowed = if kind == "jsapi" { rights.jssdk } else { rights.cards };
    if !allowed {
        return Err(Refusal::official(48001));
    }
    desk.admit(&caller)?;
    let now = desk.now;
    let holder = desk.holder(&caller)?;
    let lifetime = holder.settings.ticket_lifetime;
    let ticket = holder.tickets.entry(kind).or_default().fresh(lifetime, now);
    Ok(reply(&ticket, now))
}

/// The answer of all ticket APIs.
pub(crate) fn reply(ticket: &Ticket, now: Time) -> Reply {
    let value: Value = json!({
        "errcode": 0,
        "errmsg": "ok",
        "ticket": ticket.text,
        "expires_in": now.secs_until(ticket.expires),
    });
    Reply::success(&value)
}
