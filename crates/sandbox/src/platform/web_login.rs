//! Logins of visitors of web pages: `/sns/oauth2/access_token`, `/sns/oauth2/refresh_token`, `/sns/userinfo`, `/sns/auth`.
//!
//! Source: "Web page authorization" of the official account docs, "Website application login" of the open platform docs.
//! The tokens here are not the account's: `login/web_tokens` keeps them. Checks in this order: grant_type, appid, secret,
//! code, account, its state, quota; the docs do not give the live order.

use serde_json::{Value, json};

use super::desk::{Answer, Desk};
use super::refusal::{House, Refusal};
use crate::account::AccountKind;
use crate::chat::User;
use crate::login::{Grant, Judged, Lapsed, Scope, Spent, WEB_TOKEN_SECS};
use crate::person::Person;
use crate::wire::Reply;
use crate::world::Holder;

/// `GET /sns/oauth2/access_token?appid=ID&secret=SECRET&code=CODE&grant_type=authorization_code`.
pub(crate) fn exchange(desk: &mut Desk<'_>) -> Answer {
    if desk.call.param("grant_type") != Some("authorization_code") {
        return Err(Refusal::official(40002));
    }
    let appid = desk.call.param("appid").ok_or_else(|| Refusal::official(41002))?;
    let secret = desk.call.param("secret").ok_or_else(|| Refusal::official(41004))?;
    let code = desk.call.param("code").ok_or_else(|| Refusal::official(41008))?;
    let holder = site(desk, appid)?;
    if holder.secret != secret {
        return Err(Refusal::official(40125));
    }
    if holder.settings.secret_frozen {
        return Err(Refusal::official(40243));
    }
    if holder.settings.frozen {
        return Err(Refusal::official(50007));
    }
    let grant = desk.world.logins.look_up(code, appid, desk.now).map_err(|spent| match spent {
        Spent::Unknown => Refusal::official(40029),
        Spent::Used => Refusal::official(40163),
        Spent::TooOld => Refusal::official(42003),
    })?;
    admit(desk, appid)?;
    desk.world.logins.use_up(code);
    let (token, refresh) = desk.world.logins.issue_tokens(grant.clone(), desk.now);
    let mut answer = granted(&token, &refresh, &grant);
    let (holder, user, person) = visitor(desk, &grant)?;
    if let Some(answer) = answer.as_object_mut() {
        if user.snapshot {
            answer.insert("is_snapshotuser".into(), json!(1));
        }
        if holder.settings.open_platform && grant.scope != Scope::Base {
            answer.insert("unionid".into(), json!(person.unionid));
        }
    }
    Ok(Reply::success(&answer))
}

/// `GET /sns/oauth2/refresh_token?appid=ID&grant_type=refresh_token&refresh_token=RT`.
pub(crate) fn refresh(desk: &mut Desk<'_>) -> Answer {
    if desk.call.param("grant_type") != Some("refresh_token") {
        return Err(Refusal::official(40002));
    }
    let appid = desk.call.param("appid").ok_or_else(|| Refusal::official(41002))?;
    let refresh = desk.call.param("refresh_token").ok_or_else(|| Refusal::official(41003))?;
    site(desk, appid)?;
    admit(desk, appid)?;
    let refreshed = desk.world.logins.refresh(refresh, appid, desk.now);
    let (token, grant) = refreshed.map_err(|lapsed| match lapsed {
        Lapsed::Unknown => Refusal::official(40030),
        Lapsed::TooOld => Refusal::official(42002),
    })?;
    Ok(Reply::success(&granted(&token, refresh, &grant)))
}

/// `GET /sns/userinfo?access_token=AT&openid=OPENID&lang=zh_CN`. `lang` chooses the language of the places, which are
/// empty since October 2021.
pub(crate) fn profile(desk: &mut Desk<'_>) -> Answer {
    let grant = grant(desk)?;
    if grant.scope == Scope::Base {
        return Err(Refusal::official(48001));
    }
    admit(desk, &grant.appid)?;
    let (holder, _, person) = visitor(desk, &grant)?;
    let mut answer = json!({
        "openid": grant.openid,
        "nickname": person.nickname,
        "sex": person.sex,
        "city": person.city,
        "province": person.province,
        "country": person.country,
        "headimgurl": person.picture(&desk.call.origin()),
        "privilege": [],
    });
    if let (true, Some(answer)) = (holder.settings.open_platform, answer.as_object_mut()) {
        answer.insert("unionid".into(), json!(person.unionid));
    }
    Ok(Reply::success(&answer))
}

/// `GET /sns/auth?access_token=AT&openid=OPENID`.
pub(crate) fn check(desk: &mut Desk<'_>) -> Answer {
    let grant = grant(desk)?;
    admit(desk, &grant.appid)?;
    Ok(Reply::done())
}

/// What the web token of a call stands for, when it belongs to the visitor that the call names.
fn grant(desk: &Desk<'_>) -> Result<Grant, Refusal> {
    let token = desk.call.param("access_token").ok_or_else(|| Refusal::official(41001))?;
    let openid = desk.call.param("openid").ok_or_else(|| Refusal::official(41009))?;
    let grant = desk.world.logins.judge(token, desk.now).map_err(|judged| match judged {
        Judged::Invalid => Refusal::official(40001),
        Judged::Expired => Refusal::official(42001),
        Judged::Garbage => Refusal::official(40014),
    })?;
    if grant.openid == openid { Ok(grant.clone()) } else { Err(Refusal::official(40003)) }
}

/// An account that has logins of this kind.
fn site<'a>(desk: &'a Desk<'_>, appid: &str) -> Result<&'a Holder, Refusal> {
    let holder = desk.world.accounts.get(appid);
    let has_logins = |holder: &&Holder| matches!(holder.kind, AccountKind::Official | AccountKind::Website);
    holder.filter(has_logins).ok_or_else(|| Refusal::official(40013))
}

/// The visitor behind a grant.
fn visitor<'a>(desk: &'a Desk<'_>, grant: &Grant) -> Result<(&'a Holder, &'a User, &'a Person), Refusal> {
    let holder = desk.world.accounts.get(&grant.appid).ok_or_else(|| Refusal::official(40001))?;
    let user = holder.people.find(&grant.openid).ok_or_else(|| Refusal::official(40003))?;
    Ok((holder, user, desk.world.person(holder, user)))
}

fn admit(desk: &mut Desk<'_>, appid: &str) -> Result<(), Refusal> {
    let (path, now) = (desk.path, desk.now);
    let holder = desk.world.accounts.get_mut(appid).ok_or_else(|| Refusal::official(40001))?;
    holder.usage.admit(path, now).map_err(|exhausted| Refusal::exhausted(House::Official, path, exhausted))
}

fn granted(token: &str, refresh: &str, grant: &Grant) -> Value {
    json!({
        "access_token": token,
        "expires_in": WEB_TOKEN_SECS,
        "refresh_token": refresh,
        "openid": grant.openid,
        "scope": grant.scope.as_str(),
    })
}
