//! A message or event with all that WeChat adds to it: who, to whom, when, its number.
//!
//! Made by `pusher` from what the control API was told, in WeChat's own element names; `envelope` writes it as XML or
//! JSON. What was given stays as it was given: only what is missing is filled in.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::xml::to_xml;
use super::{Format, text_of};

/// Elements that stand first, in this order; the rest follows by name, and the numbers stand last.
const FIRST: [&str; 6] = ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "EventKey"];
const LAST: [&str; 3] = ["MsgId", "AgentID", "Encrypt"];
/// Elements that the JSON form leaves out, for what they hold.
const WRAPPERS: [&str; 3] = ["SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent"];

/// Who talks with whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// `gh_…`, or the corpid.
    pub(crate) account: String,
    /// openid or userid.
    pub(crate) user: String,
    /// The app, of a corp.
    pub(crate) agentid: Option<u64>,
}

/// What makes a message one of its kind; the same in every try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Unix seconds.
    pub(crate) create_time: u64,
    /// Beyond 2^53, as WeChat's are.
    pub(crate) msg_id: u64,
}

/// What is pushed.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    elements: Map<String, Value>,
    /// Sent as it is instead of the elements, which say then what is known of it.
    raw: Option<String>,
}

impl Message {
    /// Fills in what is missing of a message given by its elements.
    ///
    /// # Errors
    /// A text that says what cannot stand in XML, or that a type is missing.
    pub(crate) fn complete(given: Map<String, Value>, who: &Conversation, numbers: Numbers) -> Result<Message, String> {
        if let Some(name) = wrong_name(&given) {
            return Err(format!("{name:?} cannot be the name of an element; names have letters, digits and _"));
        }
        let mut elements = given;
        elements.entry("ToUserName").or_insert_with(|| json!(who.account));
        elements.entry("FromUserName").or_insert_with(|| json!(who.user));
        elements.entry("CreateTime").or_insert_with(|| json!(numbers.create_time));
        if let Some(agentid) = who.agentid {
            elements.entry("AgentID").or_insert_with(|| json!(agentid));
        }
        if elements.contains_key("Event") {
            elements.entry("MsgType").or_insert(json!("event"));
        }
        let kind = elements.get("MsgType").and_then(Value::as_str).map(ToOwned::to_owned);
        let kind = kind.ok_or("MsgType is missing; give it, as \"text\", or give Event")?;
        for (name, value) in usual(&kind) {
            elements.entry(name).or_insert(value);
        }
        if kind == "event" {
            elements.entry("Event").or_insert(json!(""));
        } else {
            elements.entry("MsgId").or_insert(json!(numbers.msg_id));
        }
        Ok(Message { elements, raw: None })
    }

    /// A text that is sent as it is.
    pub(crate) fn raw(text: String, elements: Map<String, Value>) -> Message {
        Message { elements, raw: Some(text) }
    }

    pub(crate) fn elements(&self) -> &Map<String, Value> {
        &self.elements
    }

    /// `text`, `image`, … or `event`.
    pub(crate) fn kind(&self) -> String {
        text_of(&self.elements, "MsgType")
    }

    /// The name of the event, empty for a message.
    pub(crate) fn event(&self) -> String {
        text_of(&self.elements, "Event")
    }

    /// The plain text.
    pub(crate) fn plain(&self, format: Format) -> String {
        let lifted = if format == Format::Json { without_wrapper(&self.elements) } else { None };
        let elements = lifted.as_ref().unwrap_or(&self.elements);
        self.raw.clone().unwrap_or_else(|| written(elements, format))
    }

    /// The plain text with the ciphertext beside it, as compatible mode wants it.
    pub(crate) fn with_ciphertext(&self, encrypted: &str, format: Format) -> String {
        let end = if format == Format::Xml { "</xml>" } else { "}" };
        let beside = match format {
            Format::Xml => format!("<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"),
            Format::Json => format!(",\"Encrypt\":{}}}", json!(encrypted)),
        };
        let plain = self.plain(format);
        let before = plain.trim_end().strip_suffix(end).unwrap_or(&plain);
        format!("{before}{beside}")
    }
}

/// Subscription message events in JSON: their list stands at the top, and every scalar is a string.
fn without_wrapper(elements: &Map<String, Value>) -> Option<Map<String, Value>> {
    let wrapper = WRAPPERS.iter().find(|name| elements.contains_key(**name))?;
    let mut lifted = elements.clone();
    if let Some(Value::Object(inner)) = lifted.remove(*wrapper) {
        lifted.extend(inner);
    }
    lifted.values_mut().for_each(to_text);
    Some(lifted)
}

fn to_text(value: &mut Value) {
    match value {
        Value::Object(children) => children.values_mut().for_each(to_text),
        Value::Array(items) => items.iter_mut().for_each(to_text),
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Bool(_) | Value::String(_) | Value::Null => {}
    }
}

/// Elements in a format, in WeChat's usual order.
pub(crate) fn written(elements: &Map<String, Value>, format: Format) -> String {
    let rank = |name: &str| {
        let first = FIRST.iter().position(|known| *known == name);
        let last = LAST.iter().position(|known| *known == name);
        first.unwrap_or_else(|| last.map_or(FIRST.len(), |at| FIRST.len() + 1 + at))
    };
    let mut ordered: Vec<_> = elements.iter().map(|(name, value)| (name.as_str(), value)).collect();
    ordered.sort_by_key(|(name, _)| rank(name));
    match format {
        Format::Xml => to_xml(ordered),
        Format::Json => serde_json::to_string(&InOrder(ordered)).unwrap_or_default(),
    }
}

/// A JSON object whose members keep their order.
struct InOrder<'a>(Vec<(&'a str, &'a Value)>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// What a message of a kind holds when nothing else is said. Media are the business of whoever has some.
fn usual(kind: &str) -> Vec<(&'static str, Value)> {
    match kind {
        "text" => vec![("Content", json!(""))],
        "voice" => vec![("Format", json!("amr"))],
        "location" => vec![
            ("Location_X", json!(23.134_521)),
            ("Location_Y", json!(113.358_803)),
            ("Scale", json!(15)),
            ("Label", json!("广州市海珠区新港中路397号")),
        ],
        "link" => vec![("Title", json!("")), ("Description", json!("")), ("Url", json!(""))],
        _ => Vec::new(),
    }
}

/// A name that could not be an XML element, at any depth.
fn wrong_name(elements: &Map<String, Value>) -> Option<&str> {
    let fits = |name: &str| {
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    elements.iter().find_map(|(name, value)| if fits(name) { wrong_name_within(value) } else { Some(name.as_str()) })
}

fn wrong_name_within(value: &Value) -> Option<&str> {
    match value {
        Value::Object(children) => wrong_name(children),
        Value::Array(items) => items.iter().find_map(wrong_name_within),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: Numbers = Numbers { create_time: 1_700_000_000, msg_id: 24_388_888_888_888_888 };

    fn who(agentid: Option<u64>) -> Conversation {
        Conversation { account: "gh_0".into(), user: "oABC".into(), agentid }
    }

    fn message(given: &Value) -> Result<Message, String> {
        Message::complete(given.as_object().cloned().unwrap(), &who(None), NUMBERS)
    }

    #[test]
    fn a_text_message_gets_what_wechat_adds() {
        let text = message(&json!({ "MsgType": "text", "Content": "hi" })).unwrap();
        assert_eq!(
            text.plain(Format::Xml),
            "<xml><ToUserName><![CDATA[gh_0]]></ToUserName><FromUserName><![CDATA[oABC]]></FromUserName>\
             <CreateTime>1700000000</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hi]]></Content>\
             <MsgId>24388888888888888</MsgId></xml>"
        );
        assert_eq!(
            text.plain(Format::Json),
            r#"{"ToUserName":"gh_0","FromUserName":"oABC","CreateTime":1700000000,"MsgType":"text","Content":"hi","MsgId":24388888888888888}"#
        );
        assert_eq!(text.with_ciphertext("E", Format::Json).matches("\"Encrypt\":\"E\"}").count(), 1);
        assert!(text.with_ciphertext("E", Format::Xml).ends_with("<Encrypt><![CDATA[E]]></Encrypt></xml>"));
    }

    #[test]
    fn an_event_has_no_number_and_keeps_what_was_given() {
        let event =
            message(&json!({ "Event": "CLICK", "EventKey": "k", "FromUserName": "sys", "CreateTime": 5 })).unwrap();
        assert_eq!(event.kind(), "event");
        assert_eq!(
            event.plain(Format::Json),
            r#"{"ToUserName":"gh_0","FromUserName":"sys","CreateTime":5,"MsgType":"event","Event":"CLICK","EventKey":"k"}"#
        );
        let to_app = Message::complete(event.elements().clone(), &who(Some(7)), NUMBERS).unwrap();
        assert!(to_app.plain(Format::Xml).ends_with("<AgentID>7</AgentID></xml>"));
    }

    #[test]
    fn subscription_events_lose_their_wrapper_in_json() {
        let list = json!([{ "TemplateId": "T", "SubscribeStatusString": "accept", "PopupScene": 0 }]);
        let given = json!({ "Event": "subscribe_msg_popup_event", "SubscribeMsgPopupEvent": { "List": list } });
        let event = message(&given).unwrap();
        assert_eq!(
            event.plain(Format::Json),
            r#"{"ToUserName":"gh_0","FromUserName":"oABC","CreateTime":"1700000000","MsgType":"event","Event":"subscribe_msg_popup_event","List":[{"PopupScene":"0","SubscribeStatusString":"accept","TemplateId":"T"}]}"#
        );
        assert!(event.plain(Format::Xml).contains("<SubscribeMsgPopupEvent><List><PopupScene>0</PopupScene>"));
    }

    #[test]
    fn what_cannot_be_an_element_is_refused() {
        assert!(message(&json!({ "Content": "hi" })).is_err());
        assert!(message(&json!({ "MsgType": "text", "a><b": 1 })).is_err());
        assert!(message(&json!({ "MsgType": "text", "a": [{ "b": { "<": 1 } }] })).is_err());
    }
}
