//! What the control API asks to be pushed: the body of `POST /sandbox/accounts/{appid}/push`, and the job made of it.
//!
//! Used by `pusher` and `control/pushes`. The user's side of the push happens here, at once: the message stands in the
//! chat, windows open, the user follows or does not any more.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Job, Limits, PushError};
use crate::account::AccountKind;
use crate::callback::{Callback, Content, Conversation, Message, Numbers, from_xml, text_of};
use crate::chat::{Entry, Speaker, Trigger};
use crate::clock::Time;
use crate::pushes::{Outcome, Push};
use crate::world::{Holder, World};

/// Pushes that one call may ask for.
const MOST_AT_ONCE: u32 = 5_000;
/// Tries, when nothing else is said and at most.
const USUAL_TRIES: u32 = 3;
const MOST_TRIES: u32 = 10;
/// Milliseconds for one try, when nothing else is said and at most.
const USUAL_LIMIT_MS: u64 = 5_000;
const MOST_LIMIT_MS: u64 = 600_000;

/// What is to be pushed, and how. Exactly one of `text`, `message`, `raw` and `scan`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PushWish {
    /// Whose message it is; absent: the phone's user.
    openid: Option<String>,
    /// The app, of a corp; absent: the first.
    agentid: Option<u64>,
    /// A text message.
    text: Option<String>,
    /// Any message or event, in WeChat's element names; what is missing is filled in.
    message: Option<Map<String, Value>>,
    /// A text that is sent as it is, XML or JSON.
    raw: Option<String>,
    /// The user scans a QR code: its ticket, URL or scene.
    scan: Option<String>,
    /// So many of them, at once.
    pub(crate) count: Option<u32>,
    /// Answer when they have ended.
    pub(crate) wait: bool,
    tries: Option<u32>,
    limit_ms: Option<u64>,
    /// Repeats timestamp, nonce and signature in each try, instead of new ones.
    keep_signature: bool,
    /// Signs with this time, Unix seconds, instead of the machine's.
    timestamp: Option<u64>,
}

impl PushWish {
    /// An event that WeChat pushes by itself.
    pub(crate) fn of_event(openid: String, event: Value) -> PushWish {
        PushWish { openid: Some(openid), message: Some(elements(event)), ..PushWish::default() }
    }

    fn limits(&self) -> Result<Limits, PushError> {
        let (tries, limit_ms) = (self.tries.unwrap_or(USUAL_TRIES), self.limit_ms.unwrap_or(USUAL_LIMIT_MS));
        if !(1..=MOST_TRIES).contains(&tries) {
            return Err(PushError::Unusable(format!("tries is from 1 to {MOST_TRIES}; WeChat makes {USUAL_TRIES}")));
        }
        if !(1..=MOST_LIMIT_MS).contains(&limit_ms) {
            return Err(PushError::Unusable(format!("limit_ms is from 1 to {MOST_LIMIT_MS}; WeChat waits 5000")));
        }
        Ok(Limits { tries, limit_ms, keep_signature: self.keep_signature, timestamp: self.timestamp })
    }

    fn copies(&self) -> Result<u32, PushError> {
        let count = self.count.unwrap_or(1);
        if (1..=MOST_AT_ONCE).contains(&count) {
            Ok(count)
        } else {
            Err(PushError::Unusable(format!("count is from 1 to {MOST_AT_ONCE}")))
        }
    }

    /// The message in WeChat's elements, or the text to send as it is.
    fn given(&self, holder: &mut Holder, openid: &str, now: Time) -> Result<Given, PushError> {
        match (&self.text, &self.message, &self.raw, &self.scan) {
            (Some(text), None, None, None) => {
                Ok(Given::Elements(elements(json!({ "MsgType": "text", "Content": text }))))
            }
            (None, Some(message), None, None) => Ok(Given::Elements(message.clone())),
            (None, None, Some(raw), None) => Ok(Given::Raw(raw.clone())),
            (None, None, None, Some(code)) => scanned(holder, openid, code, now).map(Given::Elements),
            _ => Err(PushError::Unusable(
                "say what is pushed by one of text, message, raw and scan, as {\"text\":\"hi\"} or \
                 {\"message\":{\"Event\":\"CLICK\",\"EventKey\":\"k\"}}"
                    .into(),
            )),
        }
    }
}

enum Given {
    Elements(Map<String, Value>),
    Raw(String),
}

/// Makes the jobs of a wish; the user's side of it has happened then. `media_url` is where pictures are.
pub(super) fn jobs(world: &mut World, appid: &str, wish: &PushWish, media_url: &str) -> Result<Vec<Job>, PushError> {
    let (limits, copies) = (wish.limits()?, wish.copies()?);
    let mut jobs = Vec::new();
    for _ in 0..copies {
        jobs.push(job(world, appid, wish, limits, media_url)?);
    }
    Ok(jobs)
}

fn job(world: &mut World, appid: &str, wish: &PushWish, limits: Limits, media_url: &str) -> Result<Job, PushError> {
    let now = world.clock.now();
    let holder = world.accounts.get_mut(appid).ok_or_else(|| PushError::NoAccount(appid.to_owned()))?;
    let (callback, agentid) = destination(holder, wish.agentid)?;
    let openid = wish.openid.clone().unwrap_or_else(|| holder.people.phone().to_owned());
    holder.people.meet(&openid, now).map_err(PushError::Unusable)?;
    let who = Conversation { account: holder.original_id.clone(), user: openid.clone(), agentid };
    let given = wish.given(holder, &openid, now)?;
    let numbers = Numbers { create_time: now.secs(), msg_id: world.pushes.next_msg_id(now) };
    let message = match given {
        Given::Raw(text) => as_it_is(text),
        Given::Elements(mut elements) => {
            add_media(holder, &mut elements, media_url, now);
            Message::complete(elements, &who, numbers).map_err(PushError::Unusable)?
        }
    };
    let kind = holder.kind;
    let push = record(appid, &who, &message, &callback, now);
    let id = world.pushes.add(push);
    if let Some(holder) = world.accounts.get_mut(appid) {
        happens(holder, &who, &message, id, now);
    }
    let stopped = world.pushes.stopped();
    Ok(Job { id, appid: appid.to_owned(), kind, who, message, callback, limits, stopped })
}

/// The callback that a push goes to, and the app, of a corp.
fn destination(holder: &Holder, agentid: Option<u64>) -> Result<(Callback, Option<u64>), PushError> {
    let missing = || PushError::NoCallback(holder.appid.clone());
    if holder.kind != AccountKind::Wecom {
        return Ok((holder.callback.clone().ok_or_else(missing)?, None));
    }
    let app = holder
        .app(agentid)
        .ok_or_else(|| PushError::Unusable("the corp has no such app; leave agentid out for the first".into()))?;
    Ok((app.callback.clone().ok_or_else(missing)?, Some(app.agentid)))
}

fn as_it_is(text: String) -> Message {
    let known = from_xml(&text).ok().or_else(|| serde_json::from_str(&text).ok());
    Message::raw(text, known.unwrap_or_default())
}

/// A follower who scans reports a `SCAN`, anybody else follows by it.
fn scanned(holder: &mut Holder, openid: &str, code: &str, now: Time) -> Result<Map<String, Value>, PushError> {
    let looks_like_ticket = code.starts_with("gQ") || code.starts_with("http://weixin.qq.com/q/");
    let code = match holder.scenes.find(code, now) {
        Some(found) => found.clone(),
        None if looks_like_ticket => {
            return Err(PushError::Unusable(
                "that QR code is unknown or has expired; make one with qrcode/create".into(),
            ));
        }
        None => holder.scenes.of_scene(code, now),
    };
    let following = holder.people.find(openid).is_some_and(|user| user.following);
    Ok(elements(if following {
        json!({ "MsgType": "event", "Event": "SCAN", "EventKey": code.scene, "Ticket": code.ticket })
    } else {
        let key = format!("qrscene_{}", code.scene);
        json!({ "MsgType": "event", "Event": "subscribe", "EventKey": key, "Ticket": code.ticket })
    }))
}

fn elements(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(elements) => elements,
        _ => Map::new(),
    }
}

/// Media for messages that need some and name none.
fn add_media(holder: &mut Holder, elements: &mut Map<String, Value>, media_url: &str, now: Time) {
    let kind = elements.get("MsgType").and_then(Value::as_str).unwrap_or_default().to_owned();
    let wanted: &[(&str, &str)] = match kind.as_str() {
        "image" => &[("MediaId", "image")],
        "voice" => &[("MediaId", "voice")],
        "video" | "shortvideo" => &[("MediaId", "video"), ("ThumbMediaId", "thumb")],
        "miniprogrampage" => &[("ThumbMediaId", "thumb")],
        _ => &[],
    };
    for (name, medium) in wanted {
        if !elements.contains_key(*name) {
            elements.insert((*name).to_owned(), Value::String(holder.media.keep_placeholder(medium, now)));
        }
    }
    if kind == "image" && !elements.contains_key("PicUrl") {
        let id = elements.get("MediaId").and_then(Value::as_str).unwrap_or_default();
        elements.insert("PicUrl".into(), json!(format!("{media_url}/sandbox/accounts/{}/media/{id}", holder.appid)));
    }
}

fn record(appid: &str, who: &Conversation, message: &Message, callback: &Callback, now: Time) -> Push {
    let number = message.elements().get("MsgId");
    Push {
        id: 0,
        time: now,
        appid: appid.to_owned(),
        openid: who.user.clone(),
        agentid: who.agentid,
        msg_type: message.kind(),
        event: message.event(),
        msg_id: number.map(|number| number.to_string().trim_matches('"').to_owned()),
        url: callback.url.to_string(),
        sent: message.plain(callback.format),
        tries: Vec::new(),
        outcome: Outcome::UnderWay,
        reply: None,
        shown: None,
    }
}

/// The user's side: what stands in the chat, which windows open, whether the user follows.
fn happens(holder: &mut Holder, who: &Conversation, message: &Message, push: u64, now: Time) {
    let (kind, event) = (message.kind(), message.event());
    let by_user = kind != "event" || is_by_user(&event);
    if by_user && !kind.is_empty() {
        let content = Content::of(&kind, message.elements());
        let entry = Entry::new(Speaker::User, now, content);
        holder.people.say(&who.user, Entry { push: Some(push), agentid: who.agentid, ..entry });
    }
    let Some(user) = holder.people.find_mut(&who.user) else { return };
    if by_user {
        user.last_action = Some(now);
    }
    match event.as_str() {
        "subscribe" => {
            let key = text_of(message.elements(), "EventKey");
            user.follow(key.strip_prefix("qrscene_").map(ToOwned::to_owned), now);
        }
        "unsubscribe" => {
            user.following = false;
            user.windows.close();
        }
        _ => {}
    }
    if let Some(trigger) = trigger(&kind, &event) {
        user.windows.open(trigger, now);
    }
}

fn trigger(kind: &str, event: &str) -> Option<Trigger> {
    match (kind, event) {
        ("", _) => None,
        ("event", "subscribe") => Some(Trigger::Follow),
        ("event", "SCAN") => Some(Trigger::Scan),
        ("event", "user_enter_tempsession") => Some(Trigger::Session),
        ("event", event) if is_menu(event) => Some(Trigger::Menu),
        ("event", _) => None,
        _ => Some(Trigger::Message),
    }
}

/// Events that come from tapping the menu.
fn is_menu(event: &str) -> bool {
    let tapped = ["CLICK", "VIEW", "view_miniprogram", "location_select", "click", "view"];
    tapped.contains(&event) || event.starts_with("scancode_") || event.starts_with("pic_")
}

/// Events by which a user does something; everything else is a notification, and not answered (exact list unconfirmed).
fn is_by_user(event: &str) -> bool {
    let others = ["subscribe", "unsubscribe", "SCAN", "LOCATION", "user_enter_tempsession", "enter_agent"];
    is_menu(event) || others.contains(&event) || event.starts_with("template_card_") || event == "taskcard_click"
}

/// Whether a reply to this is shown. Nobody sees a reply to a page that was opened, or after having left.
pub(super) fn is_answered(kind: &str, event: &str) -> bool {
    let unseen = ["unsubscribe", "VIEW", "view", "view_miniprogram"];
    kind != "event" || is_by_user(event) && !unseen.contains(&event)
}

/// Messages that are answered with at most one article.
pub(super) fn takes_one_article(kind: &str) -> bool {
    ["text", "image", "voice", "video", "shortvideo", "news", "link", "location"].contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_does_is_answered_and_what_is_notified_is_not() {
        for (kind, event, answered) in [
            ("text", "", true),
            ("event", "subscribe", true),
            ("event", "SCAN", true),
            ("event", "CLICK", true),
            ("event", "scancode_waitmsg", true),
            ("event", "VIEW", false),
            ("event", "unsubscribe", false),
            ("event", "TEMPLATESENDJOBFINISH", false),
            ("event", "user_get_card", false),
        ] {
            assert_eq!(is_answered(kind, event), answered, "{kind} {event}");
        }
    }

    #[test]
    fn each_action_opens_its_window() {
        assert_eq!(trigger("text", ""), Some(Trigger::Message));
        assert_eq!(trigger("event", "CLICK"), Some(Trigger::Menu));
        assert_eq!(trigger("event", "scancode_push"), Some(Trigger::Menu));
        assert_eq!(trigger("event", "subscribe"), Some(Trigger::Follow));
        assert_eq!(trigger("event", "TEMPLATESENDJOBFINISH"), None);
        assert_eq!(trigger("", ""), None);
    }
}
