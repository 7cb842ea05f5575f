//! The way of a visitor to WeChat and back. Everything that must survive it travels sealed in the address that WeChat
//! leads the browser back to, so any node can finish what another began.
//!
//! What must stay true: a round trip belongs to one registration, one path and one browser, lives five minutes, and is used
//! once. The browser is known by a cookie: a link that somebody else began, sent to a victim, leads nowhere.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Store, StoreError, Timestamp};
use subtle::ConstantTimeEq;
use url::Url;
use wechat::login::Lang;

use super::ask::{Ask, Door, Via};
use crate::random::Random;

/// How long a visitor may take to come back from WeChat.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// Bytes of what tells browsers apart.
const BROWSER_BYTES: usize = 16;

/// What tells one browser from another: random, kept in a cookie, and in the round trips that it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Browser([u8; BROWSER_BYTES]);

impl Browser {
    /// Reads a cookie's value.
    #[must_use]
    pub fn parse(cookie: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(cookie).ok()?.try_into().ok().map(Self)
    }

    /// A new one.
    #[must_use]
    pub fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; BROWSER_BYTES];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// The cookie's value: 22 letters, digits, `-` and `_`.
    #[must_use]
    pub fn cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn fingerprint(self) -> [u8; BROWSER_BYTES] {
        let mut fingerprint = [0; BROWSER_BYTES];
        for (to, from) in fingerprint.iter_mut().zip(Sha256::digest(self.0)) {
            *to = from;
        }
        fingerprint
    }
}

/// What survives the round trip.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RoundTrip {
    /// Names it: WeChat brings it back as `state`, and it is spent by it.
    pub(super) id: [u8; 16],
    browser: [u8; BROWSER_BYTES],
    /// Milliseconds since the epoch.
    ends_at: i64,
    /// WeChat's QR login for websites, with the appid of that.
    pub(super) website: bool,
    #[serde(with = "as_text")]
    pub(super) call: Url,
    pub(super) state: Option<String>,
    lang: Option<u8>,
    pub(super) via: Via,
    pub(super) agentid: Option<String>,
}

impl RoundTrip {
    /// A new one; `id` is random.
    pub(super) fn new(id: [u8; 16], ask: &Ask, website: bool, browser: Browser, now: Timestamp) -> Self {
        let place = |lang: Lang| Lang::ALL.iter().position(|known| *known == lang);
        Self {
            id,
            browser: browser.fingerprint(),
            ends_at: (now + LIFETIME).as_millis(),
            website,
            call: ask.call.clone(),
            state: ask.state.clone(),
            lang: ask.lang.and_then(place).and_then(|place| u8::try_from(place).ok()),
            via: ask.via,
            agentid: ask.agentid.clone(),
        }
    }

    /// As it travels through the browser.
    pub(super) fn seal(&self, store: &Store, key: &str, door: Door) -> Result<String, StoreError> {
        let plain = serde_json::to_vec(self);
        let plain = plain.map_err(|_| StoreError::Corrupt { what: "a round trip is no JSON".to_owned() })?;
        store.seal_token(&purpose(key, door), self.id, &plain)
    }

    /// Reads what a browser brought back; `None` when it is not from here, not of this registration and path, or changed.
    pub(super) fn open(store: &Store, key: &str, door: Door, token: &str) -> Option<Self> {
        serde_json::from_slice(&store.open_token(&purpose(key, door), token)?).ok()
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

    /// Whether this browser began it.
    pub(super) fn began_in(&self, browser: Browser) -> bool {
        self.browser.ct_eq(&browser.fingerprint()).into()
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
