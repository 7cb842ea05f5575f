//! One token or ticket as a node keeps it in memory, with its answer ready as bytes.
//!
//! Written by `credentials`, read on the hottest path of the server: [`Slot::ready`] takes no lock, asks no database
//! and allocates only when the remaining seconds have changed since the last request.
//! What must stay true: a slot never goes back to an older version, and never answers more time than is left.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use papaya::HashMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use store::{App, Failure, Timestamp, TokenMode, fingerprint};
use tokio::sync::watch;
use wechat::Appid;

use crate::credential_error::CredentialError;

/// Stands for a value without telling it ([`store::fingerprint`]).
pub type Fingerprint = [u8; 16];

/// A token that was replaced is good for so long: WeChat takes it, too ("Get access token" of the official account documents).
const AFTER_REPLACED: Duration = Duration::from_secs(300);

/// What kind of token or ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// access_token from `cgi-bin/stable_token`.
    Stable,
    /// access_token from `cgi-bin/token`.
    Classic,
    /// access_token of one WeCom agent, from `cgi-bin/gettoken`.
    Wecom,
    /// `jsapi_ticket`.
    Jsapi,
    /// `api_ticket` for cards.
    WxCard,
    /// `jsapi_ticket` of a WeCom corporation, which all its agents share.
    CorpJsapi,
    /// The ticket of one WeCom agent, for `wx.agentConfig`.
    Agent,
}

const KINDS: [Kind; 7] =
    [Kind::Stable, Kind::Classic, Kind::Wecom, Kind::Jsapi, Kind::WxCard, Kind::CorpJsapi, Kind::Agent];

impl Kind {
    /// A word for ids, logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable_token",
            Self::Classic => "token",
            Self::Wecom => "wecom_token",
            Self::Jsapi => "jsapi_ticket",
            Self::WxCard => "wx_card_ticket",
            Self::CorpJsapi => "corp_jsapi_ticket",
            Self::Agent => "agent_ticket",
        }
    }

    /// Whether it is an access_token.
    #[must_use]
    pub fn is_token(self) -> bool {
        matches!(self, Self::Stable | Self::Classic | Self::Wecom)
    }

    /// The field that holds it in an answer, WeChat's and ours.
    fn field(self) -> &'static str {
        if self.is_token() { "access_token" } else { "ticket" }
    }
}

impl From<TokenMode> for Kind {
    fn from(mode: TokenMode) -> Self {
        match mode {
            TokenMode::Stable => Self::Stable,
            TokenMode::Classic => Self::Classic,
        }
    }
}

/// Which token or ticket: its kind and its account. Everybody who shares the account shares it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SlotId {
    /// The kind.
    pub kind: Kind,
    /// The account.
    pub appid: Appid,
    /// WeCom only: which agent of the corporation, as a fingerprint of its secret (one token per corpid and secret).
    pub agent: Option<String>,
}

impl SlotId {
    /// A token or ticket of an official account or mini program.
    #[must_use]
    pub fn new(kind: Kind, appid: &Appid) -> Self {
        Self { kind, appid: appid.clone(), agent: None }
    }

    /// The token of the WeCom agent that has this secret.
    #[must_use]
    pub fn wecom(corpid: &Appid, corpsecret: &SecretString) -> Self {
        Self::of_agent(Kind::Wecom, corpid, corpsecret)
    }

    /// What belongs to the WeCom agent that has this secret.
    #[must_use]
    pub fn of_agent(kind: Kind, corpid: &Appid, corpsecret: &SecretString) -> Self {
        Self { kind, appid: corpid.clone(), agent: Some(fingerprint_of_agent(corpid, corpsecret)) }
    }

    /// Whether it belongs to this registration: for WeCom, to its agent.
    #[must_use]
    pub fn is_of(&self, app: &App) -> bool {
        let agent = || fingerprint_of_agent(&self.appid, &app.secrets.secret);
        app.appid == self.appid.as_str() && self.agent.as_ref().is_none_or(|own| *own == agent())
    }

    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let kind = KINDS.into_iter().find(|known| known.name() == kind)?;
        let (appid, agent) =
            rest.split_once(':').map_or((rest, None), |(appid, agent)| (appid, Some(agent.to_owned())));
        Some(Self { kind, appid: Appid::parse(appid).ok()?, agent })
    }
}

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.appid)?;
        self.agent.as_ref().map_or(Ok(()), |agent| write!(f, ":{agent}"))
    }
}

/// 64 bits of a hash: enough to tell agents apart, useless for finding the secret.
fn fingerprint_of_agent(corpid: &Appid, corpsecret: &SecretString) -> String {
    let mut hash = Sha256::new();
    hash.update(b"wechat-proxy agent\0");
    hash.update(corpid.as_str());
    hash.update(b"\0");
    hash.update(corpsecret.expose_secret());
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A refresh under way: `None` until it has ended.
pub(crate) type Flight = watch::Receiver<Option<Result<(), CredentialError>>>;

/// A token or ticket in memory.
pub struct Slot {
    /// Which one.
    pub id: SlotId,
    current: ArcSwapOption<Current>,
    /// The value before, which WeChat still takes for a while.
    replaced: ArcSwapOption<Replaced>,
    failure: ArcSwapOption<Failure>,
    used: AtomicBool,
    /// Held from before the row is read until it is taken over, so that what was read later is never replaced by what
    /// was read before. Versions could not tell: a row that was removed and made anew counts from 0 again.
    pub(crate) reading: tokio::sync::Mutex<()>,
    /// The refresh that is under way on this node; its watchers wake when it ends.
    pub(crate) flight: Mutex<Option<Flight>>,
}

/// A value that was good when it was stored here.
pub struct Current {
    /// The token or ticket.
    pub value: SecretString,
    /// When it was asked for.
    pub issued_at: Timestamp,
    /// From then on WeChat refuses it.
    pub expires_at: Timestamp,
    /// When somebody last forced a refresh.
    pub forced_at: Option<Timestamp>,
    /// Stands for the value where it is looked for.
    fingerprint: Fingerprint,
    /// The answer up to the number of seconds.
    head: Box<str>,
    rendered: ArcSwap<Rendered>,
}

/// A value that another has taken the place of.
struct Replaced {
    fingerprint: Fingerprint,
    good_until: Timestamp,
}

struct Rendered {
    expires_in: i64,
    body: Bytes,
}

impl Slot {
    fn new(id: SlotId) -> Self {
        Self {
            id,
            current: ArcSwapOption::empty(),
            replaced: ArcSwapOption::empty(),
            failure: ArcSwapOption::empty(),
            used: AtomicBool::new(false),
            reading: tokio::sync::Mutex::new(()),
            flight: Mutex::new(None),
        }
    }

    /// The answer as JSON bytes (`{"access_token":"…","expires_in":7042}`), if there is a value that is still good.
    #[must_use]
    pub fn ready(&self, now: Timestamp) -> Option<Bytes> {
        let current = self.current.load();
        let current = current.as_ref()?;
        let expires_in = current.expires_in(now)?;
        self.mark_used();
        Some(current.body(expires_in))
    }

    /// The value, if it is still good.
    #[must_use]
    pub fn valid(&self, now: Timestamp) -> Option<Arc<Current>> {
        self.current.load_full().filter(|current| current.expires_in(now).is_some())
    }

    /// The last value, good or not.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Current>> {
        self.current.load_full()
    }

    /// The failure of the last refresh, if it failed and has not been tried again since.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<Failure>> {
        self.failure.load_full()
    }

    /// Takes over what the database holds; the caller has held `reading` since before it looked there.
    pub(crate) fn adopt(&self, row: &store::Credential) {
        self.failure.store(row.failure.clone().map(Arc::new));
        let new = Current::of(row, self.id.kind).map(Arc::new);
        if let (Some(old), Some(new)) = (&*self.current.load(), &new)
            && old.fingerprint != new.fingerprint
        {
            let good_until = old.expires_at.min(new.issued_at + AFTER_REPLACED);
            self.replaced.store(Some(Arc::new(Replaced { fingerprint: old.fingerprint, good_until })));
        }
        self.current.store(new);
    }

    /// Whether the value with this fingerprint is the current one, or was until a few minutes ago.
    #[must_use]
    pub fn holds(&self, fingerprint: Fingerprint, now: Timestamp) -> bool {
        let current = self.current.load();
        let is_current =
            current.as_ref().is_some_and(|current| current.fingerprint == fingerprint && now < current.expires_at);
        let replaced = self.replaced.load();
        is_current || replaced.as_ref().is_some_and(|old| old.fingerprint == fingerprint && now < old.good_until)
    }

    /// Forgets everything: the database holds nothing (any more). The caller holds `reading`, as for `adopt`.
    pub(crate) fn reset(&self) {
        self.failure.store(None);
        self.replaced.store(None);
        self.current.store(None);
    }

    pub(crate) fn mark_used(&self) {
        // Reading first keeps the cache line shared between cores: it is written once in ten minutes, not once a request.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was used since the last call of this method.
    pub(crate) fn take_used(&self) -> bool {
        self.used.load(Ordering::Relaxed) && self.used.swap(false, Ordering::Relaxed)
    }
}

impl Current {
    fn of(row: &store::Credential, kind: Kind) -> Option<Self> {
        let value = row.value.clone()?;
        Some(Self {
            head: format!("{{\"{}\":\"{}\",\"expires_in\":", kind.field(), value.expose_secret()).into(),
            fingerprint: fingerprint(&value),
            value,
            issued_at: row.issued_at?,
            expires_at: row.expires_at?,
            forced_at: row.forced_at,
            rendered: ArcSwap::from_pointee(Rendered { expires_in: 0, body: Bytes::new() }),
        })
    }

    /// Whole seconds left; `None` when it is over. Never more than is left.
    #[must_use]
    pub fn expires_in(&self, now: Timestamp) -> Option<i64> {
        let seconds = (self.expires_at.as_millis() - now.as_millis()) / 1000;
        (seconds > 0).then_some(seconds)
    }

    fn body(&self, expires_in: i64) -> Bytes {
        let rendered = self.rendered.load();
        if rendered.expires_in == expires_in {
            return rendered.body.clone();
        }
        let body = Bytes::from(format!("{}{expires_in}}}", self.head));
        self.rendered.store(Arc::new(Rendered { expires_in, body: body.clone() }));
        body
    }
}

/// All slots of this node.
#[derive(Default)]
pub struct SlotTable(HashMap<SlotId, Arc<Slot>>);

impl SlotTable {
    /// The slot with this id; an empty one when there was none.
    pub fn slot(&self, id: SlotId) -> Arc<Slot> {
        let slots = self.0.pin();
        if let Some(slot) = slots.get(&id) {
            return Arc::clone(slot);
        }
        Arc::clone(slots.get_or_insert_with(id.clone(), || Arc::new(Slot::new(id))))
    }

    /// The slot with this id, if this node has it.
    #[must_use]
    pub fn known(&self, id: &SlotId) -> Option<Arc<Slot>> {
        self.0.pin().get(id).cloned()
    }

    /// All slots of this node.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Slot>> {
        self.0.pin().values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(value: &str, expires_at: i64) -> store::Credential {
        store::Credential {
            value: Some(value.into()),
            issued_at: Some(Timestamp::from_millis(0)),
            expires_at: Some(Timestamp::from_millis(expires_at)),
            ..store::Credential::empty("stable_token:wx1", "wx1")
        }
    }

    fn slot() -> Slot {
        Slot::new(SlotId::parse("stable_token:wx1").unwrap())
    }

    #[test]
    fn the_answer_counts_down_and_ends() {
        let slot = slot();
        let start = Timestamp::from_millis(1_000_000);
        assert_eq!(slot.ready(start), None);
        slot.adopt(&row("T", 1_007_999));
        assert_eq!(slot.ready(start).unwrap(), r#"{"access_token":"T","expires_in":7}"#);
        assert_eq!(slot.ready(start + Duration::from_secs(6)).unwrap(), r#"{"access_token":"T","expires_in":1}"#);
        assert_eq!(slot.ready(start + Duration::from_secs(7)), None);
    }

    #[test]
    fn ids_are_read_back_as_written() {
        let appid = Appid::parse("ww1").unwrap();
        for id in KINDS.map(|kind| SlotId::new(kind, &appid)).into_iter().chain([SlotId::wecom(&appid, &"s".into())]) {
            assert_eq!(SlotId::parse(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn a_replaced_value_is_held_for_a_while() {
        let slot = slot();
        let print = |value: &str| fingerprint(&value.into());
        slot.adopt(&row("T1", 7_200_000));
        let next = store::Credential { issued_at: Some(Timestamp::from_millis(1000)), ..row("T2", 7_200_000) };
        slot.adopt(&next);
        let soon = Timestamp::from_millis(2000);
        assert!(slot.holds(print("T1"), soon) && slot.holds(print("T2"), soon) && !slot.holds(print("T3"), soon));
        let late = soon + AFTER_REPLACED;
        assert!(!slot.holds(print("T1"), late) && slot.holds(print("T2"), late));
        slot.reset();
        assert!(!slot.holds(print("T2"), soon));
    }

    #[test]
    fn agents_of_one_corporation_have_slots_of_their_own() {
        let corpid = Appid::parse("ww1").unwrap();
        assert_ne!(SlotId::wecom(&corpid, &"a".into()), SlotId::wecom(&corpid, &"b".into()));
    }
}
