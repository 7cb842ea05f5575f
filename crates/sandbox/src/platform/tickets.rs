//! Tickets of official accounts: `/cgi-bin/ticket/getticket` for `jsapi` and `wx_card`.
//!
//! Source: appendix 1 of the JSSDK page and the card ticket page of the official account docs. A ticket lives by
//! itself: it outlasts the token that fetched it, and the two types know nothing of each other. That a ticket
//! stays the same while more than 5 minutes are left is unconfirmed.

use serde_json::{Value, json};

use super::desk::{Answer, Desk};
use super::refusal::Refusal;
use crate::chance;
use crate::clock::Time;
use crate::settings::renewal_secs;
use crate::wire::Reply;
use crate::world::Ticket;

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
    let ticket = fresh(holder.tickets.remove(kind), lifetime, now);
    let answer = reply(&ticket, now);
    holder.tickets.insert(kind, ticket);
    Ok(answer)
}

/// The ticket that there is, or a new one when little of it is left.
pub(crate) fn fresh(ticket: Option<Ticket>, lifetime: u64, now: Time) -> Ticket {
    let enough = now.plus_secs(renewal_secs(lifetime));
    ticket.filter(|ticket| ticket.expires > now && ticket.expires >= enough).unwrap_or_else(|| Ticket {
        text: chance::ticket(),
        issued: now,
        expires: now.plus_secs(lifetime),
    })
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
