//! Who follows an official account: `/cgi-bin/user/info` and `/cgi-bin/user/info/batchget`.
//!
//! Source: "Get user information" of the official account docs. Nickname, picture and places were withdrawn at the end
//! of 2021 and are absent here (that they are not present and empty is unconfirmed).

use serde_json::{Value, json};

use super::desk::{Answer, Caller, Desk, text};
use super::refusal::Refusal;
use crate::account::AccountKind;
use crate::wire::Reply;

/// Users in one batch.
const MOST_AT_ONCE: usize = 100;

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

/// The caller, if it is an account that can be followed.
fn account(desk: &mut Desk<'_>) -> Result<Caller, Refusal> {
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
            "remark": "",
            "groupid": 0,
            "tagid_list": [],
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
