//! Quotas, their resets, and what belongs to a request id: `/cgi-bin/clear_quota`, `/cgi-bin/openapi/…`.
//!
//! Source: the "openApi management" pages of the official account docs (clearQuota, clearQuotaByAppSecret, getApiQuota,
//! clearApiQuota, getRidInfo). Both ways to reset everything share 10 a month; resetting one API has 50 of its own.
//! The 20 forced token refreshes a day are not among the counters that are reset (unconfirmed).

use serde_json::{Map, Value, json};

use super::desk::{Answer, Desk, text};
use super::refusal::Refusal;
use super::tokens;
use crate::clock::Time;
use crate::usage;
use crate::wire::Reply;
use crate::world::Holder;

/// Resets of all quotas a month.
const CLEARS_A_MONTH: u64 = 10;
/// Resets of the quota of one API a month.
const PATH_CLEARS_A_MONTH: u64 = 50;
/// Seconds for which what belongs to a request id is kept.
const RID_KEPT_SECS: u64 = 7 * 86_400;

/// `POST /cgi-bin/clear_quota?access_token=T` `{"appid":"wx…"}`.
pub(crate) fn clear_all(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    let body = desk.body()?;
    let appid = text(&body, "appid").ok_or_else(|| Refusal::official(41002))?;
    if appid != caller.appid {
        return Err(Refusal::official(40013));
    }
    desk.admit(&caller)?;
    let now = desk.now;
    reset_all(desk.holder(&caller)?, now)
}

/// `POST /cgi-bin/clear_quota/v2` with `appid` and `appsecret` in the query or a JSON body, without a token: it works
/// when no token can be had any more.
pub(crate) fn clear_all_by_secret(desk: &mut Desk<'_>) -> Answer {
    let body = if desk.call.body.is_empty() { Value::Null } else { desk.body()? };
    let appid = desk.call.param("appid").or_else(|| text(&body, "appid"));
    let secret = desk.call.param("appsecret").or_else(|| text(&body, "appsecret"));
    let appid = tokens::identify(desk, appid, secret)?;
    let now = desk.now;
    let holder = desk.world.accounts.get_mut(&appid).ok_or_else(|| Refusal::official(40013))?;
    reset_all(holder, now)
}

/// `POST /cgi-bin/openapi/quota/get?access_token=T` `{"cgi_path":"/cgi-bin/…"}`.
pub(crate) fn show(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    let body = desk.body()?;
    let path = known_path(desk, &body)?;
    desk.admit(&caller)?;
    let now = desk.now;
    let usage = &desk.holder(&caller)?.usage;
    let limit = usage.limit(path);
    let (most, used) = (limit.day.unwrap_or(0), usage.used_today(path, now));
    let mut value = Map::new();
    value.insert("errcode".into(), 0.into());
    value.insert("errmsg".into(), "ok".into());
    value.insert("quota".into(), json!({ "daily_limit": most, "used": used, "remain": most.saturating_sub(used) }));
    if let Some(minute) = limit.minute {
        value.insert("rate_limit".into(), json!({ "call_count": minute, "refresh_second": 60 }));
    }
    Ok(Reply::success(&Value::Object(value)))
}

/// `POST /cgi-bin/openapi/quota/clear?access_token=T` `{"cgi_path":"/cgi-bin/…"}`.
pub(crate) fn clear_path(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    let body = desk.body()?;
    let path = known_path(desk, &body)?;
    desk.admit(&caller)?;
    let now = desk.now;
    let holder = desk.holder(&caller)?;
    if !holder.path_clears.add_below(PATH_CLEARS_A_MONTH, now) {
        return Err(Refusal::official(48006));
    }
    holder.usage.clear(Some(path));
    Ok(Reply::done())
}

/// `POST /cgi-bin/openapi/rid/get?access_token=T` `{"rid":"…"}`.
pub(crate) fn show_request(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    let body = desk.body()?;
    let rid = text(&body, "rid").filter(|rid| is_rid(rid)).ok_or_else(|| Refusal::official(76002))?;
    desk.admit(&caller)?;
    let record = desk.world.journal.find_rid(rid).ok_or_else(|| Refusal::official(76001))?;
    if record.appid.as_deref() != Some(&caller.appid) {
        return Err(Refusal::official(76003));
    }
    if record.time.plus_secs(RID_KEPT_SECS) < desk.now {
        return Err(Refusal::official(76004));
    }
    let details = record.details.as_deref().ok_or_else(|| Refusal::official(76001))?;
    let request = json!({
        "invoke_time": record.time.secs(),
        "cost_in_ms": record.duration_ms,
        "request_url": details.request_url,
        "request_body": details.request_body,
        "response_body": details.response_body,
        "client_ip": record.client_ip,
    });
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "request": request })))
}

fn reset_all(holder: &mut Holder, now: Time) -> Answer {
    if !holder.clears.add_below(CLEARS_A_MONTH, now) {
        return Err(Refusal::official(48006));
    }
    holder.usage.clear(None);
    Ok(Reply::done())
}

/// The API that a body names. `/sns/…` has no quota of this kind.
fn known_path<'a>(desk: &Desk<'_>, body: &'a Value) -> Result<&'a str, Refusal> {
    let is_api = |path: &str| (desk.is_official)(path) || usage::is_documented(path);
    let known = |path: &&str| !path.starts_with("/sns/") && is_api(path);
    text(body, "cgi_path").filter(known).ok_or_else(|| Refusal::official(76021))
}

fn is_rid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.len() == 3
        && groups.iter().all(|group| group.len() == 8 && group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
