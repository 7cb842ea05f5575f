//! Logins of a mini program's users: `/sns/jscode2session`, `/wxa/checksession`, `/wxa/resetusersessionkey`, and
//! `/wxa/business/getuserphonenumber`.
//!
//! Source: "Mini program login" (code2Session), "Check session key", "Reset user session key" and "Get phone number" of the
//! mini program docs. Only mini programs have them. Checks of a login in this order: grant_type, appid, secret, code,
//! account, its state, the user, quotas; the docs do not give the live order. What the phone gives is made by the control
//! API (`control/mini_program`).

use serde_json::json;

use super::desk::{Answer, Caller, Desk, text};
use super::refusal::{House, Refusal};
use crate::account::AccountKind;
use crate::login::{Session, Spent, state_signature};
use crate::usage::Exhausted;
use crate::wire::Reply;
use crate::world::Holder;

/// Exchanges of codes a minute for one user.
const LOGINS_A_MINUTE: u64 = 100;
/// The only way to sign a login state.
const SIG_METHOD: &str = "hmac_sha256";
/// The country code of all telephone numbers here.
const COUNTRY_CODE: u32 = 86;

/// `GET /sns/jscode2session?appid=ID&secret=SECRET&js_code=CODE&grant_type=authorization_code`.
pub(crate) fn exchange(desk: &mut Desk<'_>) -> Answer {
    if desk.call.param("grant_type") != Some("authorization_code") {
        return Err(Refusal::official(40002));
    }
    let appid = desk.call.param("appid").ok_or_else(|| Refusal::official(41002))?;
    let secret = desk.call.param("secret").ok_or_else(|| Refusal::official(41004))?;
    let code = desk.call.param("js_code").ok_or_else(|| Refusal::official(41008))?;
    may_log_in(desk.world.accounts.get(appid), secret)?;
    // Codes that are too old have no errcode of their own here, unlike those of web pages.
    let session = desk.world.logins.look_up_login(code, appid, desk.now).map_err(|spent| match spent {
        Spent::Unknown | Spent::TooOld => Refusal::official(40029),
        Spent::Used => Refusal::official(40163),
    })?;
    admit(desk, &session)?;
    desk.world.logins.use_login_up(code);
    let holder = desk.world.accounts.get(appid).ok_or_else(|| Refusal::official(40013))?;
    let user = holder.people.find(&session.openid).ok_or_else(|| Refusal::official(40029))?;
    let mut answer = json!({ "session_key": session.session_key, "openid": session.openid });
    if let (true, Some(answer)) = (holder.settings.open_platform, answer.as_object_mut()) {
        answer.insert("unionid".into(), json!(desk.world.person(holder, user).unionid));
    }
    Ok(Reply::success(&answer))
}

/// `POST /wxa/business/getuserphonenumber?access_token=T` `{"code":"CODE"}`. Whether `countryCode` is a number or a text
/// is unconfirmed: the sample shows the one, the table of fields the other.
pub(crate) fn phone_number(desk: &mut Desk<'_>) -> Answer {
    let caller = mini_program(desk)?;
    let body = desk.body()?;
    let code = text(&body, "code").ok_or_else(|| Refusal::official(40029))?;
    let known = desk.world.logins.look_up_phone(code, &caller.appid, desk.now);
    let openid = known.map_err(|_| Refusal::official(40029))?.openid;
    desk.admit(&caller)?;
    desk.world.logins.use_phone_up(code);
    let holder = desk.world.accounts.get(&caller.appid).ok_or_else(|| Refusal::official(40014))?;
    let user = holder.people.find(&openid).ok_or_else(|| Refusal::official(40029))?;
    let number = &desk.world.person(holder, user).phone_number;
    Ok(Reply::success(&json!({
        "errcode": 0,
        "errmsg": "ok",
        "phone_info": {
            "phoneNumber": number,
            "purePhoneNumber": number,
            "countryCode": COUNTRY_CODE,
            "watermark": { "timestamp": desk.now.secs(), "appid": caller.appid },
        },
    })))
}

/// `GET /wxa/checksession?access_token=T&signature=SIGNATURE&openid=OPENID&sig_method=hmac_sha256`.
pub(crate) fn check(desk: &mut Desk<'_>) -> Answer {
    let (caller, _) = logged_in(desk)?;
    desk.admit(&caller)?;
    Ok(Reply::done())
}

/// `GET /wxa/resetusersessionkey` with the same parameters: another session key is the current one from now on.
pub(crate) fn reset(desk: &mut Desk<'_>) -> Answer {
    let (caller, openid) = logged_in(desk)?;
    desk.admit(&caller)?;
    let session_key = desk.world.logins.renew_session(&caller.appid, &openid);
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "openid": openid, "session_key": session_key })))
}

/// The caller, if it is a mini program.
pub(super) fn mini_program(desk: &mut Desk<'_>) -> Result<Caller, Refusal> {
    let caller = desk.official_caller()?;
    if desk.holder(&caller)?.kind == AccountKind::MiniProgram { Ok(caller) } else { Err(Refusal::official(48001)) }
}

fn may_log_in(holder: Option<&Holder>, secret: &str) -> Result<(), Refusal> {
    let holder = holder.filter(|holder| holder.kind == AccountKind::MiniProgram);
    let holder = holder.ok_or_else(|| Refusal::official(40013))?;
    if holder.secret != secret {
        return Err(Refusal::official(40125));
    }
    if holder.settings.secret_frozen {
        return Err(Refusal::official(40243));
    }
    if holder.settings.frozen {
        return Err(Refusal::official(50007));
    }
    Ok(())
}

/// Counts a login, of the user and of the account, unless the user may not log in.
fn admit(desk: &mut Desk<'_>, session: &Session) -> Result<(), Refusal> {
    let (path, now) = (desk.path, desk.now);
    let holder = desk.world.accounts.get_mut(&session.appid).ok_or_else(|| Refusal::official(40013))?;
    let user = holder.people.find_mut(&session.openid).ok_or_else(|| Refusal::official(40029))?;
    if user.high_risk {
        return Err(Refusal::official(40226));
    }
    if user.logins.used(now) >= LOGINS_A_MINUTE {
        return Err(Refusal::exhausted(House::Official, path, Exhausted::Minute));
    }
    let admitted = holder.usage.admit(path, now);
    admitted.map_err(|exhausted| Refusal::exhausted(House::Official, path, exhausted))?;
    if let Some(user) = holder.people.find_mut(&session.openid) {
        user.logins.add(now);
    }
    Ok(())
}

/// The caller and its user, whose login state is signed with the current session key. WeChat's session keys also end by
/// themselves, at a time that is not published; these do not.
fn logged_in(desk: &mut Desk<'_>) -> Result<(Caller, String), Refusal> {
    let caller = mini_program(desk)?;
    let openid = desk.call.param("openid").ok_or_else(|| Refusal::official(40003))?.to_owned();
    if desk.holder(&caller)?.people.find(&openid).is_none() {
        return Err(Refusal::official(40003));
    }
    if desk.call.param("sig_method") != Some(SIG_METHOD) {
        return Err(Refusal::official(87008));
    }
    let session_key = desk.world.logins.session_key(&caller.appid, &openid).ok_or_else(|| Refusal::official(87007))?;
    let signature = state_signature("", session_key);
    if desk.call.param("signature") != Some(&signature) {
        return Err(Refusal::official(87009));
    }
    Ok((caller, openid))
}
