//! Tags of followers: `/cgi-bin/tags/get`, `/create`, `/getidlist`, `/members/batchtagging`, `/members/batchuntagging`.
//!
//! Source: "User tag management" of the official account docs. Either all followers of a list get a tag or none does; that
//! an openid of another account is 40003 and not 49003 is unconfirmed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::desk::{Answer, Desk, text};
use super::followers::account;
use super::refusal::Refusal;
use crate::chat::MOST_TAGS_OF_ONE;
use crate::wire::Reply;

/// Followers in one list.
const MOST_AT_ONCE: usize = 50;

/// `GET /cgi-bin/tags/get?access_token=T`.
pub(crate) fn list(desk: &mut Desk<'_>) -> Answer {
    let caller = account(desk)?;
    desk.admit(&caller)?;
    let holder = desk.holder(&caller)?;
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for id in holder.people.followers().flat_map(|user| &user.tags) {
        *counts.entry(*id).or_default() += 1;
    }
    let view = |(id, name)| json!({ "id": id, "name": name, "count": counts.get(&id).unwrap_or(&0) });
    Ok(Reply::success(&json!({ "tags": holder.tags.all().map(view).collect::<Vec<_>>() })))
}

/// `POST /cgi-bin/tags/create?access_token=T` `{"tag":{"name":"广东"}}`.
pub(crate) fn create(desk: &mut Desk<'_>) -> Answer {
    let caller = account(desk)?;
    let body = desk.body()?;
    let name = body.pointer("/tag/name").and_then(Value::as_str).unwrap_or_default();
    desk.admit(&caller)?;
    let id = desk.holder(&caller)?.tags.create(name).map_err(Refusal::official)?;
    Ok(Reply::success(&json!({ "tag": { "id": id, "name": name } })))
}

/// `POST /cgi-bin/tags/getidlist?access_token=T` `{"openid":"O"}`.
pub(crate) fn of_one(desk: &mut Desk<'_>) -> Answer {
    let caller = account(desk)?;
    let body = desk.body()?;
    desk.admit(&caller)?;
    let openid = text(&body, "openid").unwrap_or_default();
    let user = desk.holder(&caller)?.people.find(openid).ok_or_else(|| Refusal::official(40003))?;
    Ok(Reply::success(&json!({ "tagid_list": user.tags })))
}

/// `POST /cgi-bin/tags/members/batchtagging?access_token=T` `{"openid_list":["O1"],"tagid":134}`.
pub(crate) fn give(desk: &mut Desk<'_>) -> Answer {
    change(desk, true)
}

/// `POST /cgi-bin/tags/members/batchuntagging?access_token=T` with the same body.
pub(crate) fn take(desk: &mut Desk<'_>) -> Answer {
    change(desk, false)
}

fn change(desk: &mut Desk<'_>, gives: bool) -> Answer {
    let caller = account(desk)?;
    let body = desk.body()?;
    let list = body.get("openid_list").and_then(Value::as_array).ok_or_else(|| Refusal::official(40032))?;
    if !(1..=MOST_AT_ONCE).contains(&list.len()) {
        return Err(Refusal::official(40032));
    }
    let holder = desk.holder(&caller)?;
    let id = body.get("tagid").and_then(Value::as_u64).filter(|id| holder.tags.has(*id));
    let id = id.ok_or_else(|| Refusal::official(45159))?;
    let openids: Vec<_> = list.iter().map(|openid| openid.as_str().unwrap_or_default()).collect();
    for openid in &openids {
        let user = holder.people.find(openid).filter(|user| user.following);
        let tags = &user.ok_or_else(|| Refusal::official(40003))?.tags;
        if gives && !tags.contains(&id) && tags.len() >= MOST_TAGS_OF_ONE {
            return Err(Refusal::official(45059));
        }
    }
    desk.admit(&caller)?;
    let people = &mut desk.holder(&caller)?.people;
    for openid in openids {
        let Some(user) = people.find_mut(openid) else { continue };
        if gives {
            user.tags.insert(id);
        } else {
            user.tags.remove(&id);
        }
    }
    Ok(Reply::done())
}
