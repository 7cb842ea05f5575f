//! WeCom's messages: `/cgi-bin/message/send`.
//!
//! Source: "Send application messages" of the WeCom docs. A part of the receivers may be wrong and the answer is still a
//! success that names them; what goes beyond 30 a minute or 1000 an hour to one member is dropped without a word. The
//! sandbox's corps have one department, number 1, with everybody in it, and no tags.

use serde_json::{Map, Value, json};

use super::desk::{Answer, Caller, Desk, text};
use super::refusal::Refusal;
use crate::callback::Content;
use crate::chance;
use crate::chat::{Entry, Speaker};
use crate::clock::Time;
use crate::wire::Reply;
use crate::world::Holder;

/// Longest text, in bytes; what is longer is cut.
const LONGEST_TEXT: usize = 2_048;
/// Messages to one member.
const A_MINUTE: u64 = 30;
const AN_HOUR: u64 = 1_000;
/// The department that everybody is in.
const EVERYBODY: &str = "1";

const TYPES: [&str; 11] = [
    "text",
    "image",
    "voice",
    "video",
    "file",
    "textcard",
    "news",
    "mpnews",
    "markdown",
    "miniprogram_notice",
    "template_card",
];

/// Whom a message reaches, and who of those that were named does not exist.
#[derive(Debug, Default, PartialEq, Eq)]
struct Receivers {
    reached: Vec<String>,
    invalid_users: Vec<String>,
    invalid_parties: Vec<String>,
    invalid_tags: Vec<String>,
}

/// `POST /cgi-bin/message/send?access_token=T` `{"touser":"a|b","msgtype":"text","agentid":1,"text":{"content":"…"}}`.
pub(crate) fn send(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.wecom_caller()?;
    let body = desk.body()?;
    of_own_app(&body, &caller, desk.holder(&caller)?)?;
    let now = desk.now;
    let kind = text(&body, "msgtype").filter(|kind| TYPES.contains(kind)).ok_or_else(|| Refusal::wecom(40008))?;
    let empty = Map::new();
    let part = body.get(kind).and_then(Value::as_object).unwrap_or(&empty);
    let content = content(kind, part, desk.holder(&caller)?, now)?;
    let receivers = receivers(&body, desk.holder(&caller)?);
    if receivers.reached.is_empty() {
        return Err(Refusal::wecom(81013));
    }
    desk.admit(&caller)?;
    let people = &mut desk.holder(&caller)?.people;
    for openid in &receivers.reached {
        let Some(user) = people.find_mut(openid) else { continue };
        if user.minute.used(now) < A_MINUTE && user.hour.add_below(AN_HOUR, now) {
            user.minute.add(now);
            let entry = Entry::new(Speaker::Account, now, content.clone());
            people.say(openid, Entry { agentid: caller.agentid, ..entry });
        }
    }
    Ok(success(kind, &receivers))
}

/// A token is for the app that it was fetched for.
fn of_own_app(body: &Value, caller: &Caller, holder: &Holder) -> Result<(), Refusal> {
    // Both a number and its text are taken.
    let agentid = body.get("agentid").map(|agentid| agentid.to_string().trim_matches('"').to_owned());
    let agentid = agentid.and_then(|agentid| agentid.parse().ok()).ok_or_else(|| Refusal::wecom(40056))?;
    if Some(agentid) == caller.agentid {
        return Ok(());
    }
    let known = holder.app(Some(agentid)).is_some();
    Err(Refusal::wecom(if known { 301_002 } else { 40056 }))
}

fn content(kind: &str, part: &Map<String, Value>, holder: &Holder, now: Time) -> Result<Content, Refusal> {
    let given = |name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default();
    match kind {
        "text" | "markdown" => {
            if given("content").is_empty() {
                return Err(Refusal::wecom(44004));
            }
            let mut part = part.clone();
            part.insert("content".into(), json!(cut(given("content"))));
            return Ok(Content::of(kind, &part));
        }
        "image" | "voice" | "video" | "file" if holder.media.find(given("media_id"), now).is_none() => {
            return Err(Refusal::wecom(40007));
        }
        "news" | "mpnews" => {
            let articles = part.get("articles").and_then(Value::as_array).map(Vec::len).unwrap_or_default();
            match articles {
                0 => return Err(Refusal::wecom(44003)),
                1..=8 => {}
                _ => return Err(Refusal::wecom(45008)),
            }
        }
        _ => {}
    }
    Ok(Content::of(kind, part))
}

/// The beginning of a text, at most as long as WeCom sends.
fn cut(text: &str) -> String {
    let ends = text.char_indices().map(|(at, letter)| at + letter.len_utf8());
    let end = ends.take_while(|end| *end <= LONGEST_TEXT).last().unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

fn receivers(body: &Value, holder: &Holder) -> Receivers {
    let named = |name: &str| -> Vec<String> {
        let names = body.get(name).and_then(Value::as_str).unwrap_or_default();
        names.split('|').filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
    };
    let everybody = || holder.people.all().map(|user| user.openid.clone());
    let mut receivers = Receivers::default();
    for user in named("touser") {
        match user.as_str() {
            "@all" => receivers.reached.extend(everybody()),
            known if holder.people.find(known).is_some() => receivers.reached.push(user),
            _ => receivers.invalid_users.push(user),
        }
    }
    for party in named("toparty") {
        match party.as_str() {
            EVERYBODY => receivers.reached.extend(everybody()),
            _ => receivers.invalid_parties.push(party),
        }
    }
    receivers.invalid_tags = named("totag");
    receivers.reached.sort_unstable();
    receivers.reached.dedup();
    receivers
}

fn success(kind: &str, receivers: &Receivers) -> Reply {
    let mut answer = json!({
        "errcode": 0,
        "errmsg": "ok",
        "invaliduser": receivers.invalid_users.join("|"),
        "invalidparty": receivers.invalid_parties.join("|"),
        "invalidtag": receivers.invalid_tags.join("|"),
        "unlicenseduser": "",
        "msgid": chance::media_id(),
    });
    if let (true, Some(answer)) = (kind == "template_card", answer.as_object_mut()) {
        answer.insert("response_code".into(), json!(chance::media_id()));
    }
    Reply::success(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_letters() {
        assert_eq!(cut("短"), "短");
        assert_eq!(cut(&"你".repeat(700)).len(), 2_046);
        assert_eq!(cut(&"x".repeat(3_000)).len(), 2_048);
    }
}
