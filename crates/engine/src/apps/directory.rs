//! The registrations that this node has in memory. They are loaded when first asked for and dropped when the
//! database says that they changed, so that a start costs nothing however many there are.
//!
//! What must stay true: a registration that was changed is never kept in memory in its old form.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use papaya::HashMap;
use secrecy::{ExposeSecret, SecretString};
use store::{App, Store, StoreError, Timestamp};
use subtle::ConstantTimeEq;
use url::Url;
use wechat::Appid;
use wechat::callback::CallbackKeys;
use wechat::envelope::EncodingAesKey;

use super::allowed_host::AllowedHost;
use super::log_limit::LogLimit;
use super::mark::{Mark, mark};
use super::scope::Scope;
use crate::slot::{Kind, Slot, SlotId, SlotTable};
use crate::webhook::WebhookKeys;

/// A registration in memory, with what requests need ready at hand.
pub struct Registered {
    /// What is stored.
    pub app: App,
    /// The account.
    pub appid: Appid,
    scopes: Vec<Scope>,
    /// Hosts that `call=` may name on a public server.
    pub allowed_hosts: Vec<AllowedHost>,
    /// What verifies WeChat's callbacks; `None`: no token is registered.
    pub callback_keys: Option<CallbackKeys>,
    /// What signs messages to backends.
    pub webhook_keys: Option<WebhookKeys>,
    /// Lists of `call` URLs, as they stand in requests, and what was found of them.
    pub checked_calls: HashMap<Box<str>, Arc<[String]>>,
    /// Pages that login links name, as they stand there, once they were checked.
    pub checked_links: HashMap<Box<str>, Url>,
    /// How often the log says that a callback was refused.
    pub refusals: LogLimit,
    /// Whether the log says already that callbacks cannot be verified.
    unverified_told: AtomicBool,
    /// Until then (Unix milliseconds) it is believed that the account may not ask about its followers.
    no_followers_until: AtomicI64,
    /// Secrets for which virtual tokens are given, and until when.
    consumer_marks: Vec<(Mark, Timestamp)>,
    slots: [OnceLock<Arc<Slot>>; 6],
}

/// What of a registration's account is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The access_token (`/api`), in the registration's `token_mode`.
    AccessToken,
    /// The access_token of the WeCom agent (`/qyapi`).
    WecomToken,
    /// The jsapi_ticket (`/jsapi`).
    JsapiTicket,
    /// The ticket for cards (`/js/card`).
    CardTicket,
    /// The WeCom corporation's jsapi_ticket (`/qyjsapi`).
    CorpTicket,
    /// The ticket of the WeCom agent.
    AgentTicket,
}

impl Registered {
    fn new(app: App) -> Option<Self> {
        let appid = Appid::parse(&app.appid).ok()?;
        let scopes = app.settings.call.iter().filter_map(|text| Scope::parse(text).ok()).collect();
        let allowed_hosts = app.settings.allow.iter().filter_map(|text| AllowedHost::parse(text).ok()).collect();
        let callback_keys = callback_keys(&app);
        let webhook_keys = WebhookKeys::of(&app.secrets);
        let consumer_marks = consumer_marks(&app);
        Some(Self {
            app,
            appid,
            scopes,
            allowed_hosts,
            callback_keys,
            webhook_keys,
            checked_calls: HashMap::new(),
            checked_links: HashMap::new(),
            refusals: LogLimit::default(),
            unverified_told: AtomicBool::new(false),
            no_followers_until: AtomicI64::new(i64::MIN),
            consumer_marks,
            slots: Default::default(),
        })
    }

    /// Whether the registration is still good.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.app.expires_at.is_none_or(|end| now < end)
    }

    /// Says in the log, once, that WeChat's callbacks cannot be verified here.
    pub fn tell_unverified(&self) {
        if !self.unverified_told.swap(true, Ordering::Relaxed) {
            let key = &self.app.key;
            tracing::warn!(key, "callbacks are not verified: register the token of the account's message settings");
        }
    }

    /// Whether the account may ask WeChat about its followers, as far as is known.
    #[must_use]
    pub fn may_ask_about_followers(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.no_followers_until.load(Ordering::Relaxed)
    }

    /// WeChat said that it may not: it is not asked again before `until`, or before the registration changes.
    pub fn ask_about_no_followers(&self, until: Timestamp) {
        self.no_followers_until.store(until.as_millis(), Ordering::Relaxed);
    }

    /// Whether `path` (below `/app/KEY`, decoded) may be used. A registration without `call` may use all.
    #[must_use]
    pub fn may_use(&self, path: &str) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.covers(path))
    }

    /// Whether `presented` is the api_key, or one before it while that is still good. In constant time.
    #[must_use]
    pub fn accepts_api_key(&self, presented: &str, now: Timestamp) -> bool {
        is_api_key_of(&self.app, presented, now)
    }

    /// Whether a virtual token that was given at `issued_at` for the secret with this mark is still taken.
    #[must_use]
    pub fn accepts_token_of(&self, mark: Mark, issued_at: Timestamp, now: Timestamp) -> bool {
        let is_revoked = self.app.settings.tokens_revoked_at.is_some_and(|at| issued_at.as_millis() <= at);
        // What was given for a registration of this name that is gone by now was not given for this one.
        let is_older = issued_at < self.app.created_at;
        !is_revoked
            && !is_older
            && self.consumer_marks.iter().any(|(known, good_until)| *known == mark && now < *good_until)
    }

    /// The slot of a token or ticket of this registration's account.
    pub fn slot(&self, wanted: Wanted, table: &SlotTable) -> &Arc<Slot> {
        let [access_token, wecom_token, jsapi_ticket, card_ticket, corp_ticket, agent_ticket] = &self.slots;
        let (place, id): (_, fn(&Self) -> SlotId) = match wanted {
            Wanted::AccessToken => (access_token, |s| SlotId::new(s.app.settings.token_mode.into(), &s.appid)),
            Wanted::WecomToken => (wecom_token, |s| SlotId::wecom(&s.appid, &s.app.secrets.secret)),
            Wanted::JsapiTicket => (jsapi_ticket, |s| SlotId::new(Kind::Jsapi, &s.appid)),
            Wanted::CardTicket => (card_ticket, |s| SlotId::new(Kind::WxCard, &s.appid)),
            Wanted::CorpTicket => (corp_ticket, |s| SlotId::new(Kind::CorpJsapi, &s.appid)),
            Wanted::AgentTicket => (agent_ticket, |s| SlotId::of_agent(Kind::Agent, &s.appid, &s.app.secrets.secret)),
        };
        place.get_or_init(|| table.slot(id(self)))
    }
}

/// Whether `presented` is the api_key of this registration, or one before it while that is still good. In constant time.
#[must_use]
pub fn is_api_key_of(app: &App, presented: &str, now: Timestamp) -> bool {
    let presented = presented.as_bytes();
    let matches = |key: &SecretString| bool::from(key.expose_secret().as_bytes().ct_eq(presented));
    let mut previous = app.secrets.previous_api_keys.iter();
    matches(&app.secrets.api_key) || previous.any(|previous| now < previous.good_until && matches(&previous.key))
}

fn consumer_marks(app: &App) -> Vec<(Mark, Timestamp)> {
    let secrets = &app.secrets;
    let previous = secrets.previous_api_keys.iter().map(|previous| (mark(&previous.key), previous.good_until));
    [&secrets.secret, &secrets.api_key]
        .map(|secret| (mark(secret), Timestamp::MAX))
        .into_iter()
        .chain(previous)
        .collect()
}

/// The registration's token and EncodingAESKey, ready to check and decrypt. The key was checked when it was registered.
fn callback_keys(app: &App) -> Option<CallbackKeys> {
    let token = app.secrets.token.as_ref()?;
    let aes = app.secrets.aes.as_ref().and_then(|aes| EncodingAesKey::parse(aes.expose_secret()).ok());
    Some(CallbackKeys::new(token.expose_secret(), aes.as_ref(), &app.appid))
}

/// All registrations of this node's memory, and the way to the others.
pub struct Directory {
    store: Store,
    loaded: HashMap<String, Arc<Registered>>,
    /// Counts what was dropped, so that a load that was overtaken by a change is noticed.
    dropped: AtomicU64,
}

impl Directory {
    /// An empty directory.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, loaded: HashMap::new(), dropped: AtomicU64::new(0) }
    }

    /// The registration, if it is in memory and alive: for the hot path.
    #[must_use]
    pub fn loaded(&self, key: &str, now: Timestamp) -> Option<Arc<Registered>> {
        self.loaded.pin().get(key).filter(|registered| registered.is_alive(now)).cloned()
    }

    /// The registration named `key`; `None` when there is none or its time is over.
    ///
    /// # Errors
    /// [`StoreError`] when it is not in memory and the database does not answer.
    pub async fn find(&self, key: &str, now: Timestamp) -> Result<Option<Arc<Registered>>, StoreError> {
        if let Some(registered) = self.loaded.pin().get(key) {
            return Ok(Some(Arc::clone(registered)).filter(|registered| registered.is_alive(now)));
        }
        let before = self.dropped.load(Ordering::SeqCst);
        let Some(registered) = self.store.app(key).await?.and_then(Registered::new).map(Arc::new) else {
            return Ok(None);
        };
        let loaded = self.loaded.pin();
        loaded.insert(key.to_owned(), Arc::clone(&registered));
        if self.dropped.load(Ordering::SeqCst) != before {
            loaded.remove(key);
        }
        Ok(Some(registered).filter(|registered| registered.is_alive(now)))
    }

    /// Forgets what is in memory under `key`: it has changed.
    pub fn drop_loaded(&self, key: &str) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        self.loaded.pin().remove(key);
    }

    /// Forgets all that is in memory: any of it may have changed.
    pub fn drop_all_loaded(&self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        self.loaded.pin().clear();
    }

    /// The registration whose secret is used to refresh this slot: one that WeChat confirmed before one that was
    /// never checked, the newest of them; for WeCom the one with the agent's own secret.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn best_for(&self, id: &SlotId, now: Timestamp) -> Result<Option<App>, StoreError> {
        let mut apps = self.store.apps_of(id.appid.as_str()).await?;
        apps.retain(|app| app.expires_at.is_none_or(|end| now < end));
        if id.agent.is_some() {
            apps.retain(|app| SlotId::of_agent(id.kind, &id.appid, &app.secrets.secret) == *id);
        }
        Ok(apps.into_iter().max_by_key(|app| (app.secret_checked_at, app.updated_at)))
    }
}
