//! What a backend gets to know: the members of a JSON body, signed.
//!
//! What must stay true: whoever only holds the body cannot change it, nor pass it off as another registration's; it holds no
//! token; and `sign` reads in one way only (see [`wechat::sign::is_plain`]).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use store::Timestamp;
use wechat::sign;

use crate::random::Random;

/// The wide form of `&`.
const WIDE_AMPERSAND: &str = "\u{FF06}";

/// Members that only the proxy sets.
const OURS: [&str; 10] =
    ["appid", "agentid", "origin", "state", "timestamp", "nonce", "sign", "error", "error_description", "errcode"];

/// How old a body may be that is still believed, in seconds.
const MAX_AGE_SECONDS: i64 = 300;

/// The longest text of a profile that is passed on, in bytes. WeChat's nicknames have at most 32 characters.
const MAX_TEXT: usize = 2048;

/// The members of a body, not signed yet.
pub(super) struct Visitor(Map<String, Value>);

impl Visitor {
    /// Nobody yet.
    pub(super) fn new() -> Self {
        Self(Map::new())
    }

    /// Sets a member of the proxy's own; it counts, whatever WeChat called so.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Takes over what WeChat says of somebody, as far as it can be signed.
    pub(super) fn take(&mut self, profile: Map<String, Value>) {
        for (name, value) in profile {
            let plain_name = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if name.is_empty() || OURS.contains(&name.as_str()) {
                continue;
            }
            let separated = value.as_str().is_some_and(|text| sign::separators(text).next().is_some());
            // An address would no longer be one.
            if separated && value.as_str().is_some_and(|text| text.starts_with("http")) {
                continue;
            }
            let value = without_separators(value);
            let text = sign::value_of(&value);
            // What is null or an empty list says nothing, and not everybody takes it for empty when verifying.
            let says_nothing = value.is_null() || (value.is_array() && text.as_deref() == Some(""));
            if plain_name && !says_nothing && text.is_some_and(|text| text.len() <= MAX_TEXT) {
                self.0.insert(name, value);
            }
        }
    }

    /// The body: with `state`, `timestamp`, `nonce` and `sign`. `sign` covers all other members that are not empty. `None`: a
    /// member cannot be signed so that it reads in one way.
    pub(super) fn signed(
        mut self,
        state: Option<&str>,
        api_key: &SecretString,
        now: Timestamp,
        random: &dyn Random,
    ) -> Option<String> {
        let mut nonce = [0; 16];
        random.fill(&mut nonce);
        if let Some(state) = state {
            self.set("state", state);
        }
        self.set("timestamp", now.as_seconds());
        self.set("nonce", STANDARD.encode(nonce));
        self.0.remove(sign::MEMBER);
        let texts: Vec<_> = self.0.iter().filter_map(|(name, value)| Some((name, sign::value_of(value)?))).collect();
        if !texts.iter().all(|(name, text)| *name == "state" || sign::is_plain(name, text)) {
            return None;
        }
        let members = texts.iter().map(|(name, text)| (name.as_str(), &**text));
        let signature = sign::hmac_sha256(members, api_key.expose_secret());
        drop(texts);
        self.set(sign::MEMBER, signature);
        Some(Value::Object(self.0).to_string())
    }
}

/// What a body says that this server signed.
#[derive(Clone, PartialEq, Eq)]
pub enum Verified {
    /// Who the visitor is.
    Openid(String),
    /// Why that is not known (`error`).
    Error(String),
}

/// What a body tells that this server signed not long ago; `None` for anything else. This is what a backend does with what it
/// gets; here it is done for the example pages.
pub(super) fn verified(
    body: &[u8],
    (appid, origin): (&str, &str),
    api_key: &SecretString,
    now: Timestamp,
) -> Option<Verified> {
    let Value::Object(members) = serde_json::from_slice(body).ok()? else { return None };
    let texts: Option<Vec<_>> =
        members.iter().map(|(name, value)| Some((name.as_str(), sign::value_of(value)?))).collect();
    let texts = texts?;
    let is_plain = texts.iter().all(|(name, text)| *name == "state" || sign::is_plain(name, text));
    let expected = sign::hmac_sha256(texts.iter().map(|(name, text)| (*name, &**text)), api_key.expose_secret());
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let age = now.as_seconds().checked_sub(members.get("timestamp")?.as_i64()?)?;
    let is_ours =
        sign::matches(&expected, text(sign::MEMBER)?) && text("appid") == Some(appid) && text("origin") == Some(origin);
    if !is_plain || !is_ours || age.abs() > MAX_AGE_SECONDS {
        return None;
    }
    let openid = text("openid").map(|openid| Verified::Openid(openid.to_owned()));
    openid.or_else(|| text("error").map(|error| Verified::Error(error.to_owned())))
}

/// People choose their nicknames, and `sign` joins members with `&`: a nickname like `a&openid=…` could be read as more
/// than a nickname. There the character is shown in its wide form.
fn without_separators(value: Value) -> Value {
    match value {
        Value::String(mut text) => {
            let places: Vec<usize> = sign::separators(&text).map(|(place, _)| place).collect();
            for place in places.into_iter().rev() {
                text.replace_range(place..=place, WIDE_AMPERSAND);
            }
            Value::String(text)
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_separators).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::random::OsRandom;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn body(profile: Value, state: Option<&str>) -> Map<String, Value> {
        let mut visitor = Visitor::new();
        let Value::Object(profile) = profile else { panic!("no object") };
        visitor.take(profile);
        visitor.set("openid", "o1");
        visitor.set("appid", "wx1");
        serde_json::from_str(&visitor.signed(state, &"key".into(), NOW, &OsRandom).unwrap()).unwrap()
    }

    #[test]
    fn what_cannot_be_signed_is_not_passed_on_and_the_rest_is_signed() {
        let body = body(
            json!({"nickname": "\"</script>🐼 a&openid=o2 & b", "privilege": ["a", "b"], "tags": [], "sex": 0, "city": "", "x": {"y": 1},
                   "f": 1.5, "sign": "forged", "a&b": "c", "openid": "o2"}),
            Some("s\u{0}\"'"),
        );
        assert_eq!(body["nickname"], "\"</script>🐼 a＆openid=o2 & b");
        assert_eq!(body["openid"], "o1");
        assert!(!body.contains_key("x") && !body.contains_key("f") && !body.contains_key("a&b"));
        let nonce = body["nonce"].as_str().unwrap();
        let text = format!(
            "appid=wx1&nickname=\"</script>🐼 a＆openid=o2 & b&nonce={nonce}&openid=o1&privilege=a,b&sex=0&state=s\u{0}\"'\
             &timestamp=1700000000"
        );
        let pairs = text.replace(" & ", " \0 ");
        let pairs: Vec<_> = pairs.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| (name, value.replace(" \0 ", " & "))).collect();
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(body["sign"], sign::hmac_sha256(pairs, "key"));
    }

    #[test]
    fn an_id_that_could_be_read_as_more_is_not_signed() {
        let mut visitor = Visitor::new();
        visitor.set("openid", "o1&openid=o2");
        assert!(visitor.signed(None, &"key".into(), NOW, &OsRandom).is_none());
    }

    #[test]
    fn only_what_was_signed_not_long_ago_is_believed() {
        let signed = |now| {
            let mut visitor = Visitor::new();
            visitor.set("openid", "o1");
            visitor.set("appid", "wx1");
            visitor.set("origin", "https://a");
            visitor.signed(Some("a&b"), &"key".into(), now, &OsRandom).unwrap()
        };
        let body = signed(NOW) + "\r\n";
        let read =
            |body: &str, appid, key: &'static str| verified(body.as_bytes(), (appid, "https://a"), &key.into(), NOW);
        assert!(read(&body, "wx1", "key") == Some(Verified::Openid("o1".to_owned())));
        assert!(verified(body.as_bytes(), ("wx1", "http://a"), &"key".into(), NOW).is_none());
        assert!(read(&body, "wx2", "key").is_none());
        assert!(read(&body, "wx1", "other").is_none());
        assert!(read(&body.replace("o1", "o2"), "wx1", "key").is_none());
        assert!(read(&signed(Timestamp::from_seconds(1_699_999_699)), "wx1", "key").is_none());
        for no_body in ["", "[]", "{}", "openid=o1", r#"{"openid":"o1"}"#] {
            assert!(read(no_body, "wx1", "key").is_none(), "{no_body}");
        }
    }

    #[test]
    fn a_body_can_be_sent_by_a_form_of_plain_text() {
        // Such a form sends `name=value`: the body is cut at its first `=`, which the nonce always has.
        for _ in 0..100 {
            let body = Value::Object(body(json!({}), None)).to_string();
            let (name, value) = body.split_once('=').unwrap();
            assert!(!name.contains(['\r', '\n']) && !value.contains(['\r', '\n']));
        }
    }
}
