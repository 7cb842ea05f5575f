//! WeCom's tokens and tickets: `/cgi-bin/gettoken`, `/cgi-bin/get_jsapi_ticket`, `/cgi-bin/ticket/get`.
//!
//! Source: pages "Get access_token" and "JS-SDK signature" of the WeCom docs. One token for each app (corpid and
//! secret); calling again gives the same one until its end (unconfirmed). The corp's ticket is shared by its apps, the
//! agent ticket belongs to one.

use serde_json::json;

use super::desk::{Answer, Caller, Desk};
use super::refusal::{House, Refusal};
use super::tickets;
use crate::account::AccountKind;
use crate::chance;
use crate::counter::{Counter, Period};
use crate::token_book::{Issue, Space};
use crate::usage::Exhausted;
use crate::wire::Reply;

/// Ticket calls an hour for each app and API.
const APP_TICKETS_AN_HOUR: u64 = 100;

/// `GET /cgi-bin/gettoken?corpid=ID&corpsecret=SECRET`. The address is not looked at here: WeCom's 60020 comes with
/// the calls that are made with the token.
pub(crate) fn token(desk: &mut Desk<'_>) -> Answer {
    let corpid = desk.call.param("corpid").ok_or_else(|| Refusal::wecom(41002))?;
    let secret = desk.call.param("corpsecret").ok_or_else(|| Refusal::wecom(41004))?;
    let holder = desk.world.accounts.get_mut(corpid).filter(|holder| holder.kind == AccountKind::Wecom);
    let holder = holder.ok_or_else(|| Refusal::wecom(40013))?;
    let app = holder.apps.iter_mut().find(|app| app.secret == secret).ok_or_else(|| Refusal::wecom(40001))?;
    if holder.settings.frozen {
        return Err(Refusal::wecom(50003));
    }
    let (path, now) = (desk.path, desk.now);
    holder.usage.admit(path, now).map_err(|exhausted| Refusal::exhausted(House::Wecom, path, exhausted))?;
    let tokens = &mut desk.world.tokens;
    let current = tokens.current(&app.slot, now).map(|(text, token)| (text.to_owned(), token.remaining(now)));
    let (token, expires_in) = current.unwrap_or_else(|| {
        let text = chance::wecom_token();
        let lifetime = holder.settings.token_lifetime;
        let issue = Issue { owner: &holder.appid, agentid: Some(app.agentid), space: Space::Wecom, lifetime };
        tokens.rotate(&mut app.slot, text.clone(), &issue, now);
        (text, lifetime)
    });
    let value = json!({ "errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": expires_in });
    Ok(Reply::success(&value))
}

/// `GET /cgi-bin/get_jsapi_ticket?access_token=T`: the ticket of the corp.
pub(crate) fn corp_ticket(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    may_have_ticket(desk, &caller)?;
    desk.admit(&caller)?;
    let now = desk.now;
    let holder = desk.holder(&caller)?;
    let lifetime = holder.settings.ticket_lifetime;
    let ticket = holder.tickets.entry("jsapi").or_default().fresh(lifetime, now);
    Ok(tickets::reply(&ticket, now))
}

/// `GET /cgi-bin/ticket/get?access_token=T&type=agent_config`: the ticket of one app.
pub(crate) fn agent_ticket(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    if desk.call.param("type") != Some("agent_config") {
        return Err(Refusal::wecom(40097));
    }
    may_have_ticket(desk, &caller)?;
    desk.admit(&caller)?;
    let now = desk.now;
    let holder = desk.holder(&caller)?;
    let lifetime = holder.settings.ticket_lifetime;
    let app = holder.apps.iter_mut().find(|app| Some(app.agentid) == caller.agentid);
    let app = app.ok_or_else(|| Refusal::wecom(40014))?;
    Ok(tickets::reply(&app.tickets.fresh(lifetime, now), now))
}

/// The right to the JSSDK, and the hourly limit of the app.
fn may_have_ticket(desk: &mut Desk<'_>, caller: &Caller) -> Result<(), Refusal> {
    let (path, now) = (desk.path, desk.now);
    let holder = desk.holder(caller)?;
    if !holder.settings.rights.jssdk {
        return Err(Refusal::wecom(48001));
    }
    let Some(app) = holder.apps.iter_mut().find(|app| Some(app.agentid) == caller.agentid) else { return Ok(()) };
    let calls = app.ticket_calls.entry(path).or_insert_with(|| Counter::per(Period::Hour));
    if calls.add_below(APP_TICKETS_AN_HOUR, now) {
        Ok(())
    } else {
        Err(Refusal::exhausted(House::Wecom, path, Exhausted::Hour))
    }
}
