//! The way of a visitor to WeChat and back. Everything that must survive it travels sealed in the address that WeChat
//! leads the browser back to, so any node can finish what another began.
//!
//! What must stay true: a round trip belongs to one registration, one path and one browser, lives five minutes, and is used
//! once. The browser is known by a cookie: a link that somebody else began, sent to a victim, leads nowhere.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use store::{Store, StoreError, Timestamp};
use subtle::ConstantTimeEq;
use url::Url;
use wechat::login::Lang;

use super::ask::{Ask, Door, Via};
use crate::random::Random;

/// How long a visitor may take to come back from WeChat.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// What marks the browser in which a round trip begins: a cookie of its own for each, so that two links opened at once do not
/// disturb each other.
#[derive(Clone)]
pub struct Mark {
    /// Which round trip: the beginning of what WeChat brings back as `state`.
    pub id: String,
    /// The cookie's value: 22 letters, digits, `-` and `_`.
    pub value: String,
}

/// How much of `state` names the cookie, in characters.
const MARK_ID: usize = 8;

/// The [`Mark::id`] in a `state` that WeChat brought back.
#[must_use]
pub fn mark_id(state: &str) -> Option<&str> {
    state.get(..MARK_ID).filter(|id| id.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// What survives the round trip. Its members have one letter on the way, because that is a URL; what is not there is left out.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct RoundTrip {
    /// Names it: WeChat brings it back as `state`, and it is spent by it. It travels as the salt of the seal.
    #[serde(skip)]
    pub(super) id: [u8; 16],
    /// The cookie's value.
    #[serde(rename = "b")]
    mark: String,
    /// Milliseconds since the epoch.
    #[serde(rename = "e")]
    ends_at: i64,
    /// WeChat's QR login for websites, with the appid of that.
    #[serde(rename = "w", default, skip_serializing_if = "is_default")]
    pub(super) website: bool,
    #[serde(rename = "c", with = "as_text")]
    pub(super) call: Url,
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    pub(super) state: Option<String>,
    #[serde(rename = "l", default, skip_serializing_if = "is_default")]
    lang: Option<u8>,
    #[serde(rename = "v", default, skip_serializing_if = "is_default")]
    pub(super) via: Via,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    pub(super) agentid: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl RoundTrip {
    /// A new one. Chance comes from the operating system itself: no two may ever share a salt.
    pub(super) fn new(ask: &Ask, website: bool, now: Timestamp, random: &dyn Random) -> Self {
        let (mut id, mut mark) = ([0; 16], [0; 16]);
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        for (to, from) in id.iter_mut().chain(&mut mark).zip(bytes) {
            *to = from;
        }
        let place = |lang: Lang| Lang::ALL.iter().position(|known| *known == lang);
        Self {
            id,
            mark: URL_SAFE_NO_PAD.encode(mark),
            ends_at: (now + LIFETIME).as_millis(),
            website,
            call: ask.call.clone(),
            state: ask.state.clone(),
            lang: ask.lang.and_then(place).and_then(|place| u8::try_from(place).ok()),
            via: ask.via,
            agentid: ask.agentid.clone(),
        }
    }

    /// The cookie for the browser in which it begins.
    pub(super) fn mark(&self) -> Mark {
        let mut id = self.state_for_wechat();
        id.truncate(MARK_ID);
        Mark { id, value: self.mark.clone() }
    }

    /// As it travels through the browser.
    pub(super) fn seal(&self, store: &Store, key: &str, door: Door) -> Result<String, StoreError> {
        let plain = serde_json::to_vec(self);
        let plain = plain.map_err(|_| StoreError::Corrupt { what: "a round trip is no JSON".to_owned() })?;
        store.seal_token(&purpose(key, door), self.id, &plain)
    }

    /// Reads what a browser brought back; `None` when it is not from here, not of this registration and path, or changed.
    pub(super) fn open(store: &Store, key: &str, door: Door, token: &str) -> Option<Self> {
        let (id, plain) = store.open_token(&purpose(key, door), token)?;
        let trip: Self = serde_json::from_slice(&plain).ok()?;
        Some(Self { id, ..trip })
    }

    /// What WeChat gets as `state`: 32 letters and digits (it takes no others).
    pub(super) fn state_for_wechat(&self) -> String {
        hex::encode(self.id)
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }

    pub(super) fn ends_at(&self) -> Timestamp {
        Timestamp::from_millis(self.ends_at)
    }

    /// Whether this browser, which showed the cookie with this value, began it.
    pub(super) fn began_in(&self, mark: &str) -> bool {
        self.mark.as_bytes().ct_eq(mark.as_bytes()).into()
    }

    pub(super) fn lang(&self) -> Option<Lang> {
        Lang::ALL.get(usize::from(self.lang?)).copied()
    }

    /// The parameters with which the visitor can begin anew.
    pub(super) fn again(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("call", self.call.to_string())];
        pairs.extend(self.state.clone().map(|state| ("state", state)));
        pairs.extend(self.lang().map(|lang| ("lang", lang.as_str().to_owned())));
        pairs.extend((self.via == Via::Ticket).then(|| ("via", "ticket".to_owned())));
        pairs.extend(self.agentid.clone().map(|agentid| ("agentid", agentid)));
        pairs
    }
}

/// A URL as its text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        Url::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

fn purpose(key: &str, door: Door) -> String {
    format!("login {} {key}", door.path())
}
