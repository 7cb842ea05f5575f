//! access_tokens of official accounts and mini programs: `/cgi-bin/token` and `/cgi-bin/stable_token`.
//!
//! Source: pages "Get access token" (getAccessToken) and "Get stable access token" (getStableAccessToken) of the official
//! account docs. Two separate spaces: neither endpoint ends a token of the other. Checks in this order: method, body,
//! grant_type, appid, secret, state of the account, address, quota; the docs do not give the live order.

use serde_json::{Value, json};

use super::desk::{Answer, Desk, text};
use super::refusal::{House, Refusal};
use crate::account::AccountKind;
use crate::chance;
use crate::clock::Time;
use crate::settings::renewal_secs;
use crate::token_book::{Issue, Space, TokenBook};
use crate::wire::Reply;
use crate::world::Holder;

/// The only grant_type there is.
const GRANT_TYPE: &str = "client_credential";
/// Forced refreshes of the stable token a day.
const FORCED_A_DAY: u64 = 20;
/// Seconds from one forced refresh to the next; an earlier one refreshes nothing.
const FORCED_APART_SECS: u64 = 30;

/// `GET /cgi-bin/token`: a new token with every call.
pub(crate) fn classic(desk: &mut Desk<'_>) -> Answer {
    if desk.call.param("grant_type") != Some(GRANT_TYPE) {
        return Err(Refusal::official(40002));
    }
    let (appid, secret) = (desk.call.param("appid"), desk.call.param("secret"));
    let appid = identify(desk, appid, secret)?;
    let (path, now) = (desk.path, desk.now);
    let holder = desk.world.accounts.get_mut(&appid).ok_or_else(|| Refusal::official(40013))?;
    if holder.settings.token_api_disabled {
        return Err(Refusal::official(50004));
    }
    may_fetch(holder, desk.call.client_ip)?;
    holder.usage.admit(path, now).map_err(|exhausted| Refusal::exhausted(House::Official, path, exhausted))?;
    let token = renew(holder, &mut desk.world.tokens, Space::Classic, now);
    Ok(granted(&token, holder.settings.token_lifetime))
}

/// `POST /cgi-bin/stable_token`: the same token until less than 5 minutes are left, or a forced refresh.
pub(crate) fn stable(desk: &mut Desk<'_>) -> Answer {
    let body = desk.body()?;
    if text(&body, "grant_type") != Some(GRANT_TYPE) {
        return Err(Refusal::official(40002));
    }
    let force = match body.get("force_refresh") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(force)) => *force,
        Some(_) => return Err(Refusal::official(47001)),
    };
    let appid = identify(desk, text(&body, "appid"), text(&body, "secret"))?;
    let (path, now) = (desk.path, desk.now);
    let holder = desk.world.accounts.get_mut(&appid).ok_or_else(|| Refusal::official(40013))?;
    may_fetch(holder, desk.call.client_ip)?;
    holder.usage.admit(path, now).map_err(|exhausted| Refusal::exhausted(House::Official, path, exhausted))?;
    let tokens = &mut desk.world.tokens;
    if force && may_force(holder, now)? {
        let token = renew(holder, tokens, Space::Stable, now);
        return Ok(granted(&token, holder.settings.token_lifetime));
    }
    if let Some((token, remaining)) = still_fresh(holder, tokens, now) {
        return Ok(granted(&token, remaining));
    }
    let token = renew(holder, tokens, Space::Stable, now);
    Ok(granted(&token, holder.settings.token_lifetime))
}

/// The account whose id and secret these are.
pub(crate) fn identify(desk: &Desk<'_>, appid: Option<&str>, secret: Option<&str>) -> Result<String, Refusal> {
    let appid = appid.ok_or_else(|| Refusal::official(41002))?;
    let secret = secret.ok_or_else(|| Refusal::official(41004))?;
    let has_tokens = |kind: AccountKind| matches!(kind, AccountKind::Official | AccountKind::MiniProgram);
    let holder = desk.world.accounts.get(appid).filter(|holder| has_tokens(holder.kind));
    let holder = holder.ok_or_else(|| Refusal::official(40013))?;
    if holder.secret != secret {
        return Err(Refusal::official(40125));
    }
    Ok(holder.appid.clone())
}

fn may_fetch(holder: &Holder, client_ip: std::net::IpAddr) -> Result<(), Refusal> {
    if holder.settings.secret_frozen {
        return Err(Refusal::official(40243));
    }
    if holder.settings.frozen {
        return Err(Refusal::official(50007));
    }
    if !holder.settings.ip_allow_list.allows(client_ip) {
        return Err(Refusal::address(client_ip));
    }
    Ok(())
}

/// Whether a forced refresh refreshes: not within 30 seconds of the last one. The 21st of a day is refused (that it is
/// with 45009 is unconfirmed).
fn may_force(holder: &mut Holder, now: Time) -> Result<bool, Refusal> {
    if holder.last_forced.is_some_and(|last| now < last.plus_secs(FORCED_APART_SECS)) {
        return Ok(false);
    }
    if !holder.forced.add_below(FORCED_A_DAY, now) {
        return Err(Refusal::official(45009));
    }
    holder.last_forced = Some(now);
    Ok(true)
}

/// The current stable token and its remaining seconds, while it has at least 5 minutes left.
fn still_fresh(holder: &Holder, tokens: &TokenBook, now: Time) -> Option<(String, u64)> {
    let (text, token) = tokens.current(&holder.stable, now)?;
    let enough = token.good_until() >= now.plus_secs(renewal_secs(holder.settings.token_lifetime));
    enough.then(|| (text.to_owned(), token.remaining(now)))
}

fn renew(holder: &mut Holder, tokens: &mut TokenBook, space: Space, now: Time) -> String {
    let token = chance::token();
    let issue = Issue { owner: &holder.appid, agentid: None, space, lifetime: holder.settings.token_lifetime };
    let slot = if space == Space::Stable { &mut holder.stable } else { &mut holder.classic };
    tokens.rotate(slot, token.clone(), &issue, now);
    token
}

fn granted(token: &str, expires_in: u64) -> Reply {
    Reply::success(&json!({ "access_token": token, "expires_in": expires_in }))
}
