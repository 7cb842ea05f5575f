//! `/sandbox/accounts/{appid}/mini-program/…`: what a mini program on the phone gets from `wx.login()`,
//! `wx.getUserProfile()` and the button `getPhoneNumber`, to be sent to its server.

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::accounts::unknown;
use super::input::Body;
use crate::account::AccountKind;
use crate::chance;
use crate::login::{data_signature, seal};
use crate::platform::Platform;
use crate::shared_world::Event;
use crate::world::World;

/// The country code of all telephone numbers here.
const COUNTRY_CODE: &str = "86";

/// Whose phone it is; absent: the phone's user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    openid: Option<String>,
}

/// `wx.login()`: a code for `/sns/jscode2session`, and a new session key.
pub(super) async fn log_in(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Body(whose): Body<Whose>,
) -> Result<Json<Value>, ControlError> {
    let answer = {
        let mut world = platform.world();
        let openid = user(&mut world, &appid, whose)?;
        let now = world.clock.now();
        json!({ "code": world.logins.log_in(&appid, &openid, now), "openid": openid })
    };
    platform.tell(Event::Change("chat"));
    Ok(Json(answer))
}

/// `wx.getUserProfile()`: who the user is, signed and encrypted with the current session key.
pub(super) async fn profile(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    headers: HeaderMap,
    Body(whose): Body<Whose>,
) -> Result<Json<Value>, ControlError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let mut world = platform.world();
    let openid = user(&mut world, &appid, whose)?;
    let session_key = world.logins.session_key(&appid, &openid).ok_or_else(|| {
        ControlError::conflict("the user has not logged in yet; POST …/mini-program/login first, and exchange its code")
    })?;
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    let user = holder.people.find(&openid).ok_or_else(|| unknown(&appid))?;
    let person = world.person(holder, user);
    let mut info = json!({
        "nickName": person.nickname,
        "gender": person.sex,
        "language": person.language,
        "city": person.city,
        "province": person.province,
        "country": person.country,
        "avatarUrl": person.picture(&format!("http://{host}")),
    });
    let raw = info.to_string();
    let signature = data_signature(&raw, session_key);
    if let Some(info) = info.as_object_mut() {
        info.insert("openId".into(), json!(openid));
        if holder.settings.open_platform {
            info.insert("unionId".into(), json!(person.unionid));
        }
    }
    let (sealed, iv) = sealed(&world, &appid, session_key, info);
    Ok(Json(json!({ "rawData": raw, "signature": signature, "encryptedData": sealed, "iv": iv, "openid": openid })))
}

/// The button `getPhoneNumber`: a code for `/wxa/business/getuserphonenumber` and, for a user who has logged in, the
/// number in the older way, encrypted.
pub(super) async fn phone_number(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Body(whose): Body<Whose>,
) -> Result<Json<Value>, ControlError> {
    let mut world = platform.world();
    let openid = user(&mut world, &appid, whose)?;
    let now = world.clock.now();
    let code = world.logins.issue_phone_code(&appid, &openid, now);
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    let user = holder.people.find(&openid).ok_or_else(|| unknown(&appid))?;
    let number = &world.person(holder, user).phone_number;
    let info = json!({ "phoneNumber": number, "purePhoneNumber": number, "countryCode": COUNTRY_CODE });
    let mut answer = json!({ "code": code, "openid": openid });
    if let (Some(session_key), Some(answer)) = (world.logins.session_key(&appid, &openid), answer.as_object_mut()) {
        let (sealed, iv) = sealed(&world, &appid, session_key, info);
        answer.extend([("encryptedData".to_owned(), json!(sealed)), ("iv".to_owned(), json!(iv))]);
    }
    Ok(Json(answer))
}

/// A user of a mini program, known or from now on.
fn user(world: &mut World, appid: &str, whose: Whose) -> Result<String, ControlError> {
    let now = world.clock.now();
    let holder = world.accounts.get_mut(appid).ok_or_else(|| unknown(appid))?;
    if holder.kind != AccountKind::MiniProgram {
        return Err(ControlError::bad_request(format!(
            "account {appid} is no mini program; make one with POST /sandbox/accounts {{\"kind\":\"mini_program\"}}"
        )));
    }
    let openid = whose.openid.unwrap_or_else(|| holder.people.phone().to_owned());
    holder.people.meet(&openid, now).map_err(ControlError::bad_request)?;
    Ok(openid)
}

/// Something with its watermark, encrypted; and the IV.
fn sealed(world: &World, appid: &str, session_key: &str, mut info: Value) -> (String, String) {
    if let Some(info) = info.as_object_mut() {
        info.insert("watermark".into(), json!({ "timestamp": world.clock.now().secs(), "appid": appid }));
    }
    let iv = chance::iv();
    (seal(&info.to_string(), session_key, iv), STANDARD.encode(iv))
}
