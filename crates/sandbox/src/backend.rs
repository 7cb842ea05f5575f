//! A team's server that echoes, for trying things out: what it received, and what it answers.
//!
//! `control/backend` is the door to it. It is the other end of a proxy: it gets plain messages, as XML or JSON, and answers
//! in the same format. It knows no token and no key.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::callback::{from_xml, text_of, to_xml};
use crate::clock::Time;

/// Requests kept; the oldest ones go first.
const MOST: usize = 1_000;
/// Characters kept of a body.
const LONGEST_BODY: usize = 8_192;

/// One request that was received.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Received {
    pub(crate) id: u64,
    pub(crate) time: Time,
    pub(crate) method: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    /// The status that it was answered with.
    pub(crate) status: u16,
}

/// What the backend received.
#[derive(Debug, Default)]
pub(crate) struct Backend {
    received: VecDeque<Received>,
    last_id: u64,
}

impl Backend {
    /// Keeps a request and gives it its id.
    pub(crate) fn add(&mut self, received: Received) {
        self.last_id += 1;
        if self.received.len() >= MOST {
            self.received.pop_front();
        }
        let body = received.body.chars().take(LONGEST_BODY).collect();
        self.received.push_back(Received { id: self.last_id, body, ..received });
    }

    /// Those after an id, oldest first.
    pub(crate) fn after(&self, id: u64) -> Vec<&Received> {
        self.received.iter().filter(|received| received.id > id).collect()
    }

    /// Forgets all; says how many.
    pub(crate) fn clear(&mut self) -> usize {
        let before = self.received.len();
        self.received.clear();
        before
    }
}

/// What the backend answers to a body: content type and text. `success` to whatever it does not know.
pub(crate) fn answer(body: &str, now: Time) -> (&'static str, String) {
    let success = ("text/plain; charset=utf-8", "success".to_owned());
    if let Ok(Value::Object(message)) = serde_json::from_str(body) {
        let reply = reply(&message, now);
        return reply.map_or(success, |reply| ("application/json", Value::Object(reply).to_string()));
    }
    let Ok(message) = from_xml(body) else { return success };
    let reply = reply(&message, now);
    reply.map_or(success, |reply| {
        ("text/xml; charset=utf-8", to_xml(reply.iter().map(|(name, value)| (name.as_str(), value))))
    })
}

fn reply(message: &Map<String, Value>, now: Time) -> Option<Map<String, Value>> {
    let text = |name: &str| text_of(message, name);
    let (kind, event, key) = (text("MsgType"), text("Event"), text("EventKey"));
    let said = match (kind.as_str(), event.as_str()) {
        ("text", _) => format!("你说：{}", text("Content")),
        ("image", _) => return Some(reply_of(message, now, "image", "Image", json!({ "MediaId": text("MediaId") }))),
        ("voice", _) => return Some(reply_of(message, now, "voice", "Voice", json!({ "MediaId": text("MediaId") }))),
        ("location", _) => format!("你在：{}（{}, {}）", text("Label"), text("Location_X"), text("Location_Y")),
        ("link", _) => format!("你分享了：{}", text("Title")),
        ("event", "subscribe") if key.is_empty() => "你来了，欢迎关注！发什么，我就回什么。".to_owned(),
        ("event", "subscribe") => format!("欢迎关注！你扫的是：{}", key.trim_start_matches("qrscene_")),
        ("event", "SCAN") => format!("你扫的是：{key}"),
        ("event", "CLICK" | "click") => format!("你点了：{key}"),
        ("event", "scancode_waitmsg") => {
            let result = message.get("ScanCodeInfo").and_then(Value::as_object);
            format!("扫到：{}", result.map(|info| text_of(info, "ScanResult")).unwrap_or_default())
        }
        _ => return None,
    };
    Some(reply_of(message, now, "text", "Content", json!(said)))
}

fn reply_of(message: &Map<String, Value>, now: Time, kind: &str, name: &str, part: Value) -> Map<String, Value> {
    Map::from_iter([
        ("ToUserName".to_owned(), json!(text_of(message, "FromUserName"))),
        ("FromUserName".to_owned(), json!(text_of(message, "ToUserName"))),
        ("CreateTime".to_owned(), json!(now.secs())),
        ("MsgType".to_owned(), json!(kind)),
        (name.to_owned(), part),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn each_format_is_answered_in_itself() {
        let (kind, text) = answer(r#"{"ToUserName":"gh","FromUserName":"o","MsgType":"text","Content":"hi"}"#, NOW);
        assert_eq!(kind, "application/json");
        let reply: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(reply["Content"], "你说：hi");
        assert_eq!((&reply["ToUserName"], &reply["FromUserName"]), (&json!("o"), &json!("gh")));
        let (kind, text) = answer(
            "<xml><ToUserName>gh</ToUserName><FromUserName>o</FromUserName><MsgType>image</MsgType><MediaId>M</MediaId></xml>",
            NOW,
        );
        assert!(kind.starts_with("text/xml"));
        assert!(text.contains("<Image><MediaId><![CDATA[M]]></MediaId></Image>"), "{text}");
    }

    #[test]
    fn what_is_not_known_is_acknowledged() {
        for body in ["", "x", r#"{"a":1}"#, "<xml><MsgType>event</MsgType><Event>VIEW</Event></xml>"] {
            assert_eq!(answer(body, NOW).1, "success", "{body}");
        }
    }
}
