//! Who is in a corp, and what an app is: `/cgi-bin/user/get`, `/cgi-bin/user/simplelist`, `/cgi-bin/department/list`,
//! `/cgi-bin/agent/get`, `/cgi-bin/agent/list`.
//!
//! Source: "Reading members", "Department list" and "Get app" of the WeCom docs. The sandbox's corps have one department,
//! number 1, with everybody in it who "follows" the corp. Sensitive fields are absent, as for every app made since June
//! 2022 (`/cgi-bin/auth/getuserdetail` gives them). An app reads itself alone. The codes for a userid or department that
//! is missing (41009, 40058) and for a department that there is not (60123) are unconfirmed.

use serde_json::{Value, json};

use super::desk::{Answer, Caller, Desk};
use super::refusal::Refusal;
use crate::chat::User;
use crate::wire::Reply;
use crate::world::{App, Holder, World};

/// The department that everybody is in.
const EVERYBODY: &str = "1";

/// `GET /cgi-bin/user/get?access_token=T&userid=U`. The path is also one of official accounts: `followers` has looked at
/// the token.
pub(super) fn one(desk: &mut Desk<'_>, caller: &Caller) -> Answer {
    let userid = desk.call.param("userid").ok_or_else(|| Refusal::wecom(41009))?;
    desk.admit(caller)?;
    let holder = desk.world.accounts.get(&caller.appid).ok_or_else(|| Refusal::wecom(40014))?;
    let member = holder.people.find(userid).filter(|user| user.following);
    let member = member.ok_or_else(|| Refusal::wecom(60111))?;
    Ok(Reply::success(&json!({
        "errcode": 0,
        "errmsg": "ok",
        "userid": userid,
        "name": desk.world.person(holder, member).nickname,
        "department": [1],
        "order": [0],
        "main_department": 1,
        "is_leader_in_dept": [0],
        "direct_leader": [],
        "position": "",
        "alias": "",
        "telephone": "",
        "extattr": { "attrs": [] },
        "status": 1,
        "enable": 1,
        "isleader": 0,
        "hide_mobile": 0,
    })))
}

/// `GET /cgi-bin/user/simplelist?access_token=T&department_id=1`.
pub(crate) fn several(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    check_department(desk.call.param("department_id").ok_or_else(|| Refusal::wecom(40058))?)?;
    desk.admit(&caller)?;
    let holder = desk.world.accounts.get(&caller.appid).ok_or_else(|| Refusal::wecom(40014))?;
    let members: Vec<_> = holder.people.followers().map(|user| in_short(desk.world, holder, user)).collect();
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "userlist": members })))
}

/// `GET /cgi-bin/department/list?access_token=T&id=1`; without `id` all.
pub(crate) fn departments(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    desk.call.param("id").map_or(Ok(()), check_department)?;
    desk.admit(&caller)?;
    let name = &desk.holder(&caller)?.name;
    let only = json!({
        "id": 1, "name": name, "name_en": "", "department_leader": [], "parentid": 0, "order": 100_000_000,
    });
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "department": [only] })))
}

/// `GET /cgi-bin/agent/get?access_token=T&agentid=N`: 301002 for another app of the corp, 40056 for none.
pub(crate) fn agent(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    let named = desk.call.param("agentid").and_then(|agentid| agentid.parse().ok());
    let named: u64 = named.ok_or_else(|| Refusal::wecom(40056))?;
    let logo = logo(desk);
    let holder = desk.holder(&caller)?;
    let app = holder.app(Some(named)).ok_or_else(|| Refusal::wecom(40056))?;
    if Some(named) != caller.agentid {
        return Err(Refusal::wecom(301_002));
    }
    let members: Vec<_> = holder.people.followers().map(|user| json!({ "userid": user.openid })).collect();
    let domains: Vec<String> = holder.settings.web_domains.clone().into();
    let answer = json!({
        "errcode": 0,
        "errmsg": "ok",
        "agentid": app.agentid,
        "name": app.name,
        "square_logo_url": logo,
        "description": "",
        "allow_userinfos": { "user": members },
        "allow_partys": { "partyid": [1] },
        "allow_tags": { "tagid": [] },
        "close": 0,
        "redirect_domain": domains.first(),
        "report_location_flag": 0,
        "isreportenter": 0,
        "home_url": "",
        "customized_publish_status": 1,
    });
    desk.admit(&caller)?;
    Ok(Reply::success(&answer))
}

/// `GET /cgi-bin/agent/list?access_token=T`: the app itself.
pub(crate) fn agents(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    desk.admit(&caller)?;
    let logo = logo(desk);
    let view = |app: &App| json!({ "agentid": app.agentid, "name": app.name, "square_logo_url": logo });
    let own: Vec<_> = desk.holder(&caller)?.app(caller.agentid).map(view).into_iter().collect();
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "agentlist": own })))
}

fn check_department(id: &str) -> Result<(), Refusal> {
    if id == EVERYBODY { Ok(()) } else { Err(Refusal::wecom(60123)) }
}

fn in_short(world: &World, holder: &Holder, user: &User) -> Value {
    json!({ "userid": user.openid, "name": world.person(holder, user).nickname, "department": [1] })
}

fn logo(desk: &Desk<'_>) -> String {
    format!("{}/sandbox/page/icon.svg", desk.call.origin())
}
