//! Customer-service messages: `/cgi-bin/message/custom/send` and `/cgi-bin/message/custom/typing`.
//!
//! Source: "Customer service messages" of the official account docs and of the mini program docs. An account writes only
//! within the windows that its user opened; a refused message uses none of them. What belongs into a message of each
//! type is checked as far as the docs name a code for it.

use serde_json::{Map, Value};

use super::desk::{Answer, Caller, Desk, text};
use super::refusal::Refusal;
use crate::account::AccountKind;
use crate::callback::{Content, text_of};
use crate::chat::{Entry, Shut, Speaker};
use crate::clock::Time;
use crate::wire::Reply;
use crate::world::Holder;

/// Longest text, in bytes.
const LONGEST_TEXT: usize = 2_048;
/// Seconds after an action of the user in which the account can be shown as typing.
const TYPING_AFTER_SECS: u64 = 30;
/// Seconds for which it is shown (unconfirmed).
const TYPING_SECS: u64 = 15;

/// What official accounts can send.
const OFFICIAL_TYPES: [&str; 11] = [
    "text",
    "image",
    "voice",
    "video",
    "music",
    "news",
    "mpnews",
    "mpnewsarticle",
    "msgmenu",
    "wxcard",
    "miniprogrampage",
];
/// What mini programs can send.
const MINI_PROGRAM_TYPES: [&str; 4] = ["text", "image", "link", "miniprogrampage"];

/// `POST /cgi-bin/message/custom/send?access_token=T` `{"touser":"OPENID","msgtype":"text","text":{"content":"…"}}`.
pub(crate) fn send(desk: &mut Desk<'_>) -> Answer {
    let caller = writer(desk)?;
    let body = desk.body()?;
    let now = desk.now;
    let (openid, content) = checked(&body, desk.holder(&caller)?, now)?;
    desk.admit(&caller)?;
    let people = &mut desk.holder(&caller)?.people;
    if let Some(user) = people.find_mut(&openid) {
        user.windows.take(now).map_err(shut)?;
    }
    people.say(&openid, Entry::new(Speaker::Account, now, content));
    Ok(Reply::done())
}

/// `POST /cgi-bin/message/custom/typing?access_token=T` `{"touser":"OPENID","command":"Typing"|"CancelTyping"}`.
pub(crate) fn typing(desk: &mut Desk<'_>) -> Answer {
    let caller = writer(desk)?;
    let body = desk.body()?;
    let now = desk.now;
    let begins = match text(&body, "command") {
        Some("Typing") => true,
        Some("CancelTyping") => false,
        _ => return Err(Refusal::official(45072)),
    };
    let openid = text(&body, "touser").unwrap_or_default();
    let user = desk.holder(&caller)?.people.find_mut(openid).ok_or_else(|| Refusal::official(40003))?;
    if begins && user.last_action.is_none_or(|action| action.plus_secs(TYPING_AFTER_SECS) < now) {
        return Err(Refusal::official(45080));
    }
    if begins && user.typing_until.is_some_and(|until| until > now) {
        return Err(Refusal::official(45081));
    }
    user.typing_until = begins.then(|| now.plus_secs(TYPING_SECS));
    desk.admit(&caller)?;
    Ok(Reply::done())
}

/// The caller, if it may write to users.
fn writer(desk: &mut Desk<'_>) -> Result<Caller, Refusal> {
    let caller = desk.official_caller()?;
    if desk.holder(&caller)?.settings.rights.customer_service { Ok(caller) } else { Err(Refusal::official(48001)) }
}

/// To whom, and what they will see, if it can be sent now.
fn checked(body: &Value, holder: &Holder, now: Time) -> Result<(String, Content), Refusal> {
    let openid = text(body, "touser").ok_or_else(|| Refusal::official(40003))?;
    let user = holder.people.find(openid).ok_or_else(|| Refusal::official(40003))?;
    let content = content(body, holder, now)?;
    if let Some(agent) = body.get("customservice") {
        let account = agent.get("kf_account").and_then(Value::as_str).ok_or_else(|| Refusal::official(61451))?;
        if !account.split_once('@').is_some_and(|(name, of)| !name.is_empty() && !of.is_empty()) {
            return Err(Refusal::official(61452));
        }
    }
    if !user.receives {
        return Err(Refusal::official(48002));
    }
    if !user.following && holder.kind == AccountKind::Official {
        return Err(Refusal::official(45015));
    }
    user.windows.check(now).map_err(shut)?;
    Ok((openid.to_owned(), content))
}

fn content(body: &Value, holder: &Holder, now: Time) -> Result<Content, Refusal> {
    let types: &[&str] = if holder.kind == AccountKind::MiniProgram { &MINI_PROGRAM_TYPES } else { &OFFICIAL_TYPES };
    let kind = text(body, "msgtype").filter(|kind| types.contains(kind)).ok_or_else(|| Refusal::official(40008))?;
    let empty = Map::new();
    let part = body.get(kind).and_then(Value::as_object).unwrap_or(&empty);
    match kind {
        "text" => match part.get("content").and_then(Value::as_str).unwrap_or_default() {
            "" => return Err(Refusal::official(44004)),
            content if content.len() > LONGEST_TEXT => return Err(Refusal::official(45002)),
            _ => {}
        },
        "image" | "voice" | "video" => known_medium(holder, part, "media_id", &[kind], now)?,
        "music" | "miniprogrampage" => known_medium(holder, part, "thumb_media_id", &["thumb", "image"], now)?,
        "news" => match part.get("articles").and_then(Value::as_array).map(Vec::len).unwrap_or_default() {
            0 => return Err(Refusal::official(44003)),
            1 => {}
            _ => return Err(Refusal::official(45008)),
        },
        _ if part.is_empty() => return Err(Refusal::official(47001)),
        _ => {}
    }
    Ok(Content::of(kind, part))
}

/// There is such a medium, of one of these types.
fn known_medium(
    holder: &Holder,
    part: &Map<String, Value>,
    name: &str,
    types: &[&str],
    now: Time,
) -> Result<(), Refusal> {
    let medium = holder.media.find(&text_of(part, name), now);
    let known = medium.is_some_and(|medium| types.contains(&medium.kind.as_str()));
    if known { Ok(()) } else { Err(Refusal::official(40007)) }
}

fn shut(shut: Shut) -> Refusal {
    match shut {
        Shut::Closed => Refusal::official(45015),
        Shut::UsedUp => Refusal::official(45047),
    }
}
