//! An account and everything that belongs to it; of a corp, its apps.
//!
//! Used by whatever works on one account. A change of an account that does not fit changes nothing.

use std::collections::BTreeMap;

use crate::account::{Account, AccountError, AccountKind, Agent, NewAgent, usable_name, usable_secret};
use crate::callback::Callback;
use crate::chance;
use crate::chat::{Media, Menu, People, Scenes, Tags, Templates};
use crate::clock::Time;
use crate::counter::{Counter, Period};
use crate::settings::{Patch, Settings};
use crate::ticket_book::Tickets;
use crate::token_book::{Slot, TokenBook};
use crate::usage::{MOST_OVERRIDES, Usage};

/// Apps of one corp at most.
const MOST_AGENTS: usize = 100;
/// The number of the first app of a corp, as WeCom gives it.
const FIRST_AGENTID: u64 = 1_000_002;
/// The userid of the phone's user in every corp.
const PHONE_USERID: &str = "zhangsan";

/// What an account begins with; the ids are known to be usable.
pub(super) struct Beginning {
    pub(super) kind: AccountKind,
    pub(super) appid: String,
    /// The AppSecret, or that of the corp's first app.
    pub(super) secret: String,
    pub(super) name: String,
    pub(super) test_account: bool,
}

/// An account and everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Holder {
    /// The order in which accounts were made.
    pub(crate) number: u64,
    pub(crate) kind: AccountKind,
    pub(crate) appid: String,
    pub(crate) name: String,
    pub(crate) original_id: String,
    /// The AppSecret; a corp's secrets are those of its apps.
    pub(crate) secret: String,
    pub(crate) settings: Settings,
    pub(crate) classic: Slot,
    pub(crate) stable: Slot,
    /// Forced refreshes of the stable token of today, and the last one.
    pub(crate) forced: Counter,
    pub(crate) last_forced: Option<Time>,
    /// By type.
    pub(crate) tickets: BTreeMap<&'static str, Tickets>,
    pub(crate) usage: Usage,
    /// Resets of all quotas of this month.
    pub(crate) clears: Counter,
    /// Resets of the quota of one API of this month.
    pub(crate) path_clears: Counter,
    pub(crate) apps: Vec<App>,
    /// Where pushes go; a corp's are those of its apps.
    pub(crate) callback: Option<Callback>,
    pub(crate) people: People,
    pub(crate) media: Media,
    /// A corp's are those of its apps.
    pub(crate) menu: Option<Menu>,
    pub(crate) scenes: Scenes,
    pub(crate) templates: Templates,
    pub(crate) tags: Tags,
}

/// An app of a WeCom corp.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) agentid: u64,
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) slot: Slot,
    /// Of type `agent_config`.
    pub(crate) tickets: Tickets,
    /// Ticket calls of this hour by path.
    pub(crate) ticket_calls: BTreeMap<&'static str, Counter>,
    pub(crate) callback: Option<Callback>,
    pub(crate) menu: Option<Menu>,
}

impl Holder {
    /// A new account; a corp has one app.
    pub(super) fn new(number: u64, beginning: Beginning, now: Time) -> Holder {
        let Beginning { kind, appid, secret, name, test_account } = beginning;
        let wecom = kind == AccountKind::Wecom;
        let apps = if wecom { vec![App::new(FIRST_AGENTID, secret.clone(), "App".to_owned())] } else { Vec::new() };
        Holder {
            number,
            kind,
            original_id: if wecom { appid.clone() } else { chance::original_id() },
            appid,
            name,
            secret,
            settings: Settings::new(kind, test_account),
            classic: Slot::default(),
            stable: Slot::default(),
            forced: Counter::per(Period::Day),
            last_forced: None,
            tickets: BTreeMap::new(),
            usage: Usage::new(kind, test_account),
            clears: Counter::per(Period::Month),
            path_clears: Counter::per(Period::Month),
            apps,
            callback: None,
            people: People::with_phone(if wecom { PHONE_USERID.to_owned() } else { chance::openid() }, now),
            media: Media::default(),
            menu: None,
            scenes: Scenes::default(),
            templates: Templates::default(),
            tags: Tags::default(),
        }
    }

    /// The account, as its maker gets to know it.
    pub(crate) fn card(&self) -> Account {
        Account {
            kind: self.kind,
            appid: self.appid.clone(),
            secret: self.apps.first().map_or(&self.secret, |app| &app.secret).clone(),
            name: self.name.clone(),
            original_id: self.original_id.clone(),
            agents: self.apps.iter().map(App::card).collect(),
        }
    }

    /// An app by its number; without one, the first.
    pub(crate) fn app(&self, agentid: Option<u64>) -> Option<&App> {
        self.apps.iter().find(|app| agentid.is_none_or(|wanted| wanted == app.agentid))
    }

    /// See [`Holder::app`].
    pub(crate) fn app_mut(&mut self, agentid: Option<u64>) -> Option<&mut App> {
        self.apps.iter_mut().find(|app| agentid.is_none_or(|wanted| wanted == app.agentid))
    }

    /// All slots of tokens, with the app that each belongs to.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        [&self.classic, &self.stable].into_iter().chain(self.apps.iter().map(|app| &app.slot))
    }

    /// The tokens that are good; of a corp, those of one app or, without a number, of all.
    pub(super) fn good_tokens(&self, agentid: Option<u64>, tokens: &TokenBook, now: Time) -> Vec<String> {
        let fits = |of: Option<u64>| agentid.is_none() || of == agentid;
        let good =
            |text: &&String| tokens.find(text).is_some_and(|token| token.good_until() > now && fits(token.agentid));
        self.slots().flat_map(Slot::texts).filter(good).cloned().collect()
    }

    pub(super) fn create_agent(&mut self, wish: NewAgent) -> Result<Agent, AccountError> {
        if self.kind != AccountKind::Wecom {
            return Err(AccountError::NoCorp(self.appid.clone()));
        }
        if self.apps.len() >= MOST_AGENTS {
            return Err(AccountError::TooMany(MOST_AGENTS));
        }
        let next = self.apps.iter().map(|app| app.agentid).max().unwrap_or(FIRST_AGENTID).saturating_add(1);
        let agentid = wish.agentid.unwrap_or(next);
        let secret = wish.secret.map_or_else(|| Ok(chance::corp_secret()), usable_secret)?;
        let name = wish.name.map_or_else(|| Ok(format!("App {agentid}")), usable_name)?;
        if self.apps.iter().any(|app| app.agentid == agentid || app.secret == secret) {
            return Err(AccountError::AgentTaken(agentid));
        }
        let app = App::new(agentid, secret, name);
        let card = app.card();
        self.apps.push(app);
        Ok(card)
    }

    pub(super) fn patch(&mut self, patch: Patch, tokens: &mut TokenBook, now: Time) -> Result<(), AccountError> {
        if self.usage.overrides().len() + patch.daily_quota.len() > MOST_OVERRIDES
            || self.usage.minute_overrides().len() + patch.minute_quota.len() > MOST_OVERRIDES
        {
            return Err(AccountError::TooManyQuotas(MOST_OVERRIDES));
        }
        let name = patch.name.clone().map(usable_name).transpose()?;
        let secret = match patch.secret.clone() {
            Some(given) => Some(usable_secret(given)?),
            None if patch.reset_secret && self.apps.is_empty() => Some(chance::secret()),
            None if patch.reset_secret => Some(chance::corp_secret()),
            None => None,
        };
        let taken = |secret: &String| self.apps.iter().skip(1).find(|app| app.secret == *secret);
        if let Some(app) = secret.as_ref().and_then(taken) {
            return Err(AccountError::AgentTaken(app.agentid));
        }
        if let Some(name) = name {
            self.name = name;
        }
        if let Some(secret) = secret {
            self.change_secret(secret, tokens, now);
        }
        self.settings.apply(&patch);
        self.usage.set_test_account(self.settings.test_account);
        for (path, limit) in patch.daily_quota {
            self.usage.set_daily(path, limit);
        }
        for (path, limit) in patch.minute_quota {
            self.usage.set_minute(path, limit);
        }
        Ok(())
    }

    fn change_secret(&mut self, secret: String, tokens: &mut TokenBook, now: Time) {
        let mut slots = vec![&self.classic, &self.stable];
        match self.apps.first_mut() {
            Some(app) => {
                app.secret = secret;
                slots.push(&app.slot);
            }
            None => self.secret = secret,
        }
        for text in slots.into_iter().flat_map(Slot::texts) {
            tokens.retire(text, now);
        }
    }
}

impl App {
    fn new(agentid: u64, secret: String, name: String) -> App {
        App {
            agentid,
            name,
            secret,
            slot: Slot::default(),
            tickets: Tickets::default(),
            ticket_calls: BTreeMap::new(),
            callback: None,
            menu: None,
        }
    }

    fn card(&self) -> Agent {
        Agent { agentid: self.agentid, secret: self.secret.clone(), name: self.name.clone() }
    }
}
