//! Who follows an official account: `/cgi-bin/user/get`, `/cgi-bin/user/info`, `/cgi-bin/user/info/batchget` and
//! `/cgi-bin/user/info/updateremark`.
//!
//! Source: "Get user list", "Set user remark" and "Get user information" of the official account docs. Nickname, picture and places were withdrawn at the end
//! of 2021 and are absent here (that they are not present and empty is unconfirmed).

use serde_json::{Value, json};

use super::contacts;
use super::desk::{Answer, Caller, Desk, text};
use super::refusal::{House, Refusal};
use crate::account::AccountKind;
use crate::wire::Reply;

/// Users in one batch.
const MOST_AT_ONCE: usize = 100;
/// A remark is shorter than this, in characters.
const LONGEST_REMARK: usize = 30;

/// `GET /cgi-bin/user/info?access_token=T&openid=OPENID&lang=zh_CN`.
pub(crate) fn one(desk: &mut Desk<'_>) -> Answer {
    let caller = account(desk)?;
    let openid = desk.call.param("openid").ok_or_else(|| Refusal::official(40003))?;
    let info = info(desk, &caller, openid)?;
    desk.admit(&caller)?;
    Ok(Reply::success(&info))
}

/// `POST /cgi-bin/user/info/batchget?access_token=T` `{"user_list":[{"openid":"O1","lang":"zh_CN"}]}`.
pub(crate) fn several(desk: &mut Desk<'_>) -> Answer {
    let caller = account(desk)?;
    let body = desk.body()?;
    let list = body.get("user_list").and_then(Value::as_array).ok_or_else(|| Refusal::official(40032))?;
    if !(1..=MOST_AT_ONCE).contains(&list.len()) {
        return Err(Refusal::official(40032));
    }
    let wanted = list.iter().map(|user| info(desk, &caller, text(user, "openid").unwrap_or_default()));
    let infos = wanted.collect::<Result<Vec<_>, _>>()?;
    desk.admit(&caller)?;
    Ok(Reply::success(&json!({ "user_info_list": infos })))
}

/// `GET /cgi-bin/user/get?access_token=T&next_openid=OPENID`: the followers after that one, in the order in which they came.
/// WeCom has another API at this path, and the token says which is meant. That an openid of nobody is 40003 is unconfirmed.
pub(crate) fn list(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.caller()?;
    if caller.house == House::Wecom {
        return contacts::one(desk, &caller);
    }
    let caller = account(desk)?;
    let after = desk.call.param("next_openid").map(ToOwned::to_owned);
    desk.admit(&caller)?;
    let holder = desk.holder(&caller)?;
    let mut followers: Vec<_> = holder.people.followers().collect();
    followers.sort_by(|one, other| (one.followed, &one.openid).cmp(&(other.followed, &other.openid)));
    let begin = match after {
        None => 0,
        Some(openid) => {
            let known = followers.iter().position(|user| user.openid == openid);
            known.ok_or_else(|| Refusal::official(40003))? + 1
        }
    };
    let page = followers.iter().skip(begin).take(holder.settings.followers_page);
    let page: Vec<&str> = page.map(|user| user.openid.as_str()).collect();
    let mut answer = json!({
        "total": followers.len(), "count": page.len(), "next_openid": page.last().copied().unwrap_or_default(),
    });
    if let (false, Some(answer)) = (page.is_empty(), answer.as_object_mut()) {
        answer.insert("data".into(), json!({ "openid": page }));
    }
    Ok(Reply::success(&answer))
}

/// `POST /cgi-bin/user/info/updateremark?access_token=T` `{"openid":"O","remark":"R"}`. The code for a remark that is too
/// long is unconfirmed.
pub(crate) fn remark(desk: &mut Desk<'_>) -> Answer {
    let caller = account(desk)?;
    let body = desk.body()?;
    let remark = body.get("remark").and_then(Value::as_str).ok_or_else(|| Refusal::official(47001))?;
    let openid = text(&body, "openid").unwrap_or_default();
    let user = desk.holder(&caller)?.people.find(openid);
    if !user.ok_or_else(|| Refusal::official(40003))?.following {
        return Err(Refusal::official(43004));
    }
    if remark.chars().count() >= LONGEST_REMARK {
        return Err(Refusal::official(40097));
    }
    desk.admit(&caller)?;
    if let Some(user) = desk.holder(&caller)?.people.find_mut(openid) {
        remark.clone_into(&mut user.remark);
    }
    Ok(Reply::done())
}

/// The caller, if it is an account that can be followed.
pub(super) fn account(desk: &mut Desk<'_>) -> Result<Caller, Refusal> {
    let caller = desk.official_caller()?;
    if desk.holder(&caller)?.kind == AccountKind::Official { Ok(caller) } else { Err(Refusal::official(48001)) }
}

fn info(desk: &Desk<'_>, caller: &Caller, openid: &str) -> Result<Value, Refusal> {
    let holder = desk.world.accounts.get(&caller.appid).ok_or_else(|| Refusal::official(40014))?;
    let user = holder.people.find(openid).ok_or_else(|| Refusal::official(40003))?;
    let person = desk.world.person(holder, user);
    let mut info = if user.following {
        let number: u64 = user.scene.as_deref().and_then(|scene| scene.parse().ok()).unwrap_or(0);
        let by_code = user.scene.is_some();
        json!({
            "subscribe": 1,
            "openid": openid,
            "language": person.language,
            "subscribe_time": user.followed.secs(),
            "remark": user.remark,
            "groupid": user.tags.first().unwrap_or(&0),
            "tagid_list": user.tags,
            "subscribe_scene": if by_code { "ADD_SCENE_QR_CODE" } else { "ADD_SCENE_SEARCH" },
            "qr_scene": number,
            "qr_scene_str": user.scene.as_deref().filter(|_| number == 0).unwrap_or_default(),
        })
    } else {
        json!({ "subscribe": 0, "openid": openid })
    };
    if let (true, Some(info)) = (holder.settings.open_platform, info.as_object_mut()) {
        info.insert("unionid".into(), json!(person.unionid));
    }
    Ok(info)
}
