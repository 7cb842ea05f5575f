//! Who a visitor of a WeCom app's page is: `/cgi-bin/auth/getuserinfo`, `/cgi-bin/auth/getuserdetail`, and the older
//! `/cgi-bin/user/getuserinfo`.
//!
//! Source: "Get the visitor's identity" and "Get sensitive information of the visitor" of the WeCom docs. A user who does not
//! "follow" the corp in the sandbox is no member of it. That a code of one app can be exchanged with another app's token
//! is unconfirmed; here it can, as long as the corp is the same.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use super::desk::{Answer, Caller, Desk, text};
use super::refusal::Refusal;
use crate::login::{Grant, Scope, Spent};
use crate::wire::Reply;

/// `GET /cgi-bin/auth/getuserinfo?access_token=T&code=CODE`.
pub(crate) fn who(desk: &mut Desk<'_>) -> Answer {
    identified(desk, &Names { userid: "userid", openid: "openid", old: false })
}

/// `GET /cgi-bin/user/getuserinfo?access_token=T&code=CODE`, which WeCom keeps for older programs.
pub(crate) fn who_in_the_old_way(desk: &mut Desk<'_>) -> Answer {
    identified(desk, &Names { userid: "UserId", openid: "OpenId", old: true })
}

/// `POST /cgi-bin/auth/getuserdetail?access_token=T` `{"user_ticket":"TICKET"}`.
pub(crate) fn detail(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    let body = desk.body()?;
    let ticket = text(&body, "user_ticket").ok_or_else(|| Refusal::wecom(84015))?;
    let known = desk.world.logins.look_up_member(ticket, &caller.appid, desk.now);
    let Grant { openid: userid, .. } = known.map_err(|spent| match spent {
        Spent::TooOld => Refusal::wecom(84014),
        Spent::Unknown | Spent::Used => Refusal::wecom(84015),
    })?;
    desk.admit(&caller)?;
    let holder = desk.world.accounts.get(&caller.appid).ok_or_else(|| Refusal::wecom(40014))?;
    let user = holder.people.find(&userid).ok_or_else(|| Refusal::wecom(84015))?;
    let person = desk.world.person(holder, user);
    Ok(Reply::success(&json!({
        "errcode": 0,
        "errmsg": "ok",
        "userid": userid,
        "gender": person.sex.to_string(),
        "avatar": person.picture(&desk.call.origin()),
        "qr_code": format!("https://open.work.weixin.qq.com/wwopen/userQRCode?vcode={userid}"),
        "mobile": person.phone_number,
        "email": format!("{userid}@example.com"),
        "biz_mail": format!("{userid}@corp.example.com"),
        "address": "广州市海珠区新港中路",
    })))
}

/// How the fields of an answer are spelled.
struct Names {
    userid: &'static str,
    openid: &'static str,
    old: bool,
}

fn identified(desk: &mut Desk<'_>, names: &Names) -> Answer {
    let caller = desk.wecom_caller()?;
    let code = desk.call.param("code").ok_or_else(|| Refusal::wecom(40029))?;
    // Unknown, used and too old are one to WeCom.
    let grant = desk.world.logins.look_up(code, &caller.appid, desk.now).map_err(|_| Refusal::wecom(40029))?;
    desk.admit(&caller)?;
    desk.world.logins.use_up(code);
    let mut answer = Map::from_iter([("errcode".to_owned(), json!(0)), ("errmsg".to_owned(), json!("ok"))]);
    answer.extend(identity(desk, &caller, &grant, names)?);
    if names.old {
        answer.insert("DeviceId".into(), json!(hashed(&["device", &grant.openid])));
    }
    Ok(Reply::success(&Value::Object(answer)))
}

fn identity(
    desk: &mut Desk<'_>,
    caller: &Caller,
    grant: &Grant,
    names: &Names,
) -> Result<Vec<(String, Value)>, Refusal> {
    let now = desk.now;
    let user = desk.holder(caller)?.people.find(&grant.openid).ok_or_else(|| Refusal::wecom(40029))?;
    if !user.following {
        // Such a visitor has ids of the corp's own, always the same ones.
        let (openid, external) =
            (hashed(&["openid", &caller.appid, &grant.openid]), hashed(&["external", &caller.appid, &grant.openid]));
        let openid = (names.openid.to_owned(), json!(format!("o{openid}")));
        return Ok(vec![openid, ("external_userid".to_owned(), json!(format!("wm{external}")))]);
    }
    let mut identity = vec![(names.userid.to_owned(), json!(grant.openid))];
    if grant.scope == Scope::PrivateInfo {
        let ticket = desk.world.logins.issue_member_ticket(grant.clone(), now);
        identity.push(("user_ticket".to_owned(), json!(ticket)));
    }
    Ok(identity)
}

/// 27 characters that are always the same for the same parts.
fn hashed(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(Sha1::digest(parts.join("\n")))
}
