//! `/sandbox/accounts/{appid}/…` as the phone sees it: users, the chat of each, media, QR codes.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ControlError;
use super::accounts::unknown;
use super::input::{Body, Params};
use crate::chat::{Scene, User, picture_type};
use crate::clock::Time;
use crate::person::{Person, PersonPatch};
use crate::platform::Platform;
use crate::qrcode;
use crate::shared_world::Event;
use crate::world::{Holder, World};

/// Entries of a chat in one answer, when nothing else is said and at most.
const USUAL_LIMIT: usize = 100;
const MOST_LIMIT: usize = 200;
/// Templates that a user may have accepted, twice as many as there can be.
const MOST_SUBSCRIPTIONS: usize = 50;
/// QR codes that are listed.
const MOST_CODES: usize = 50;

/// A user as the control API shows it.
#[derive(Serialize)]
pub(super) struct UserView {
    openid: String,
    /// The user of the phone, who stands for whoever is not named.
    phone: bool,
    #[serde(flatten)]
    person: Person,
    following: bool,
    /// A virtual identity, of a snapshot page.
    snapshot: bool,
    receives: bool,
    /// Accepted subscription messages by template.
    subscriptions: BTreeMap<String, u32>,
    /// Cannot log in to a mini program.
    high_risk: bool,
    /// Customer-service messages that the account may still send, and until when.
    messages_left: u32,
    messages_until: Option<Time>,
    typing: bool,
}

/// A change of a user. Nothing is pushed because of it. Who the phone's user is changes for all accounts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserPatch {
    following: Option<bool>,
    receives: Option<bool>,
    high_risk: Option<bool>,
    /// How many messages of a template the user has accepted, by its id; 0: none.
    #[serde(default)]
    subscriptions: BTreeMap<String, u32>,
    nickname: Option<String>,
    language: Option<String>,
    sex: Option<u8>,
    country: Option<String>,
    province: Option<String>,
    city: Option<String>,
    headimgurl: Option<String>,
    unionid: Option<String>,
    phone_number: Option<String>,
}

impl UserPatch {
    /// What it changes about the person.
    fn of_person(self) -> PersonPatch {
        let UserPatch { nickname, language, sex, country, province, city, headimgurl, unionid, phone_number, .. } =
            self;
        PersonPatch { nickname, language, sex, country, province, city, headimgurl, unionid, phone_number }
    }
}

/// Which part of which chat.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChatWanted {
    openid: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

/// What a QR code stands for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewScene {
    scene: String,
}

/// What a picture shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Drawn {
    text: String,
}

pub(super) async fn list(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let world = platform.world();
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    let users: Vec<_> = holder.people.all().map(|user| user_view(&world, holder, user)).collect();
    Ok(Json(json!({ "users": users })))
}

pub(super) async fn change(
    State(platform): State<Platform>,
    Path((appid, openid)): Path<(String, String)>,
    Body(patch): Body<UserPatch>,
) -> Result<Json<UserView>, ControlError> {
    let view = changed(&mut platform.world(), &appid, &openid, patch)?;
    platform.tell(Event::Change("chat"));
    Ok(Json(view))
}

fn changed(world: &mut World, appid: &str, openid: &str, patch: UserPatch) -> Result<UserView, ControlError> {
    let now = world.clock.now();
    let people = &mut world.accounts.get_mut(appid).ok_or_else(|| unknown(appid))?.people;
    let is_phone = people.phone() == openid;
    let user = people.meet(openid, now).map_err(ControlError::bad_request)?;
    let (following, receives, high_risk) = (patch.following, patch.receives, patch.high_risk);
    let (subscriptions, person) = (patch.subscriptions.clone(), patch.of_person());
    if user.subscriptions.len() + subscriptions.len() > MOST_SUBSCRIPTIONS {
        return Err(ControlError::bad_request(format!(
            "a user has accepted messages of at most {MOST_SUBSCRIPTIONS} templates; set some to 0"
        )));
    }
    if let Some(problem) = person.problem() {
        return Err(ControlError::bad_request(problem));
    }
    match following {
        Some(true) if !user.following => user.follow(None, now),
        Some(following) => user.following = following,
        None => {}
    }
    user.receives = receives.unwrap_or(user.receives);
    for (template_id, messages) in subscriptions {
        user.accept(template_id, messages);
    }
    user.high_risk = high_risk.unwrap_or(user.high_risk);
    if is_phone {
        world.phone.person.apply(person);
    } else {
        user.person.apply(person);
    }
    let holder = world.accounts.get(appid).ok_or_else(|| unknown(appid))?;
    let user = holder.people.find(openid).ok_or_else(|| no_user(openid))?;
    Ok(user_view(world, holder, user))
}

/// The chat of a user (absent: the phone's) with the account, and the user.
pub(super) async fn chat(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Params(wanted): Params<ChatWanted>,
) -> Result<Json<Value>, ControlError> {
    let limit = wanted.limit.unwrap_or(USUAL_LIMIT);
    if !(1..=MOST_LIMIT).contains(&limit) {
        return Err(ControlError::bad_request(format!("limit is from 1 to {MOST_LIMIT}")));
    }
    let world = platform.world();
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    let openid = wanted.openid.as_deref().unwrap_or(holder.people.phone());
    let user = holder.people.find(openid).ok_or_else(|| no_user(openid))?;
    let entries = user.entries(wanted.after.unwrap_or(0), limit);
    Ok(Json(json!({ "user": user_view(&world, holder, user), "entries": entries })))
}

pub(super) async fn clear(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Params(wanted): Params<ChatWanted>,
) -> Result<Json<Value>, ControlError> {
    {
        let mut world = platform.world();
        let people = &mut world.accounts.get_mut(&appid).ok_or_else(|| unknown(&appid))?.people;
        let openid = wanted.openid.unwrap_or_else(|| people.phone().to_owned());
        people.find_mut(&openid).ok_or_else(|| no_user(&openid))?.clear();
    }
    platform.tell(Event::Change("chat"));
    Ok(Json(json!({ "cleared": true })))
}

/// Keeps a picture, the body, as a temporary medium.
pub(super) async fn upload(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    picture: Bytes,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    if picture_type(&picture).is_none() {
        return Err(ControlError::bad_request(
            "the body is no picture; send the bytes of a PNG, JPEG, GIF, WebP or BMP",
        ));
    }
    let mut world = platform.world();
    let now = world.clock.now();
    let holder = world.accounts.get_mut(&appid).ok_or_else(|| unknown(&appid))?;
    let id = holder.media.keep("image", picture, now);
    Ok((StatusCode::CREATED, Json(json!({ "media_id": id }))))
}

/// A picture. Anything else is not shown: what came in as media is never run by a browser.
pub(super) async fn medium(
    State(platform): State<Platform>,
    Path((appid, id)): Path<(String, String)>,
) -> Result<Response, ControlError> {
    let world = platform.world();
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    let medium = holder.media.find(&id, world.clock.now());
    let medium = medium.ok_or_else(|| ControlError::not_found("there is no such medium; they are kept for 3 days"))?;
    let kind = medium.picture_type().ok_or_else(|| ControlError::not_found("that medium is no picture"))?;
    Ok(picture(kind, medium.bytes.clone()))
}

/// The QR codes that work, latest first.
pub(super) async fn codes(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let world = platform.world();
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    let codes: Vec<&Scene> = holder.scenes.working(world.clock.now()).take(MOST_CODES).collect();
    Ok(Json(json!({ "qrcodes": codes })))
}

pub(super) async fn make_code(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Body(wish): Body<NewScene>,
) -> Result<(StatusCode, Json<Scene>), ControlError> {
    if wish.scene.is_empty() || wish.scene.chars().count() > 64 {
        return Err(ControlError::bad_request("scene has 1 to 64 characters"));
    }
    let mut world = platform.world();
    let now = world.clock.now();
    let holder = world.accounts.get_mut(&appid).ok_or_else(|| unknown(&appid))?;
    let code = holder.scenes.of_scene(&wish.scene, now);
    Ok((StatusCode::CREATED, Json(code)))
}

/// A text as a QR code.
pub(super) async fn draw(Params(drawn): Params<Drawn>) -> Result<Response, ControlError> {
    let svg = qrcode::svg(&drawn.text).ok_or_else(|| ControlError::bad_request("text is too long for a QR code"))?;
    Ok(picture("image/svg+xml", svg.into()))
}

fn picture(kind: &'static str, bytes: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, max-age=86400"),
    ];
    (headers, bytes).into_response()
}

fn no_user(openid: &str) -> ControlError {
    ControlError::not_found(format!("the account has no user {openid:?}; GET …/users lists those that it has"))
}

fn user_view(world: &World, holder: &Holder, user: &User) -> UserView {
    let now = world.clock.now();
    let (messages_left, messages_until) = user.windows.left(now);
    UserView {
        openid: user.openid.clone(),
        phone: user.openid == holder.people.phone(),
        person: world.person(holder, user).clone(),
        following: user.following,
        snapshot: user.snapshot,
        receives: user.receives,
        subscriptions: user.subscriptions.clone(),
        high_risk: user.high_risk,
        messages_left,
        messages_until,
        typing: user.typing_until.is_some_and(|until| until > now),
    }
}
