//! All state of the sandbox: the clock, the accounts and what belongs to them, the tokens, the faults, the journal.
//!
//! One value behind one lock, which is never held while something is waited for. What WeChat does with it is in
//! `platform`, what the control API does is in `control`; here are accounts and the things that both need.

use std::collections::BTreeMap;

use crate::account::{
    Account, AccountError, AccountKind, Agent, NewAccount, NewAgent, usable_appid, usable_name, usable_secret,
};
use crate::addresses::Addresses;
use crate::backend::Backend;
use crate::callback::{Callback, CallbackError};
use crate::chance;
use crate::chat::{Media, Menu, People, Scenes, Templates, User};
use crate::clock::{Clock, Time};
use crate::counter::{Counter, Period};
use crate::faults::Faults;
use crate::journal::Journal;
use crate::login::Logins;
use crate::merchant::Merchants;
use crate::person::Person;
use crate::phone::Phone;
use crate::pushes::Pushes;
use crate::settings::{Patch, Settings};
use crate::ticket_book::Tickets;
use crate::token_book::{Slot, TokenBook};
use crate::usage::{MOST_OVERRIDES, Usage};
use crate::wire::Call;

/// Accounts at most.
const MOST_ACCOUNTS: usize = 1_000;
/// Apps of one corp at most.
const MOST_AGENTS: usize = 100;
/// The number of the first app of a corp, as WeCom gives it.
const FIRST_AGENTID: u64 = 1_000_002;

/// Numbers of menus begin above this.
const FIRST_MENU_ID: u64 = 420_000_000;
/// Numbers of messages that are sent begin above this.
const FIRST_JOB_ID: u64 = 2_410_000_000_000_000_000;
/// The userid of the phone's user in every corp.
const PHONE_USERID: &str = "zhangsan";

/// All state of the sandbox.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) accounts: BTreeMap<String, Holder>,
    pub(crate) tokens: TokenBook,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) pushes: Pushes,
    pub(crate) backend: Backend,
    pub(crate) logins: Logins,
    pub(crate) phone: Phone,
    pub(crate) merchants: Merchants,
    pub(crate) addresses: Addresses,
    accounts_made: u64,
    menus_made: u64,
    jobs_made: u64,
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

impl World {
    pub(crate) fn new(clock: Clock) -> World {
        World {
            clock,
            accounts: BTreeMap::new(),
            tokens: TokenBook::default(),
            faults: Faults::default(),
            journal: Journal::default(),
            pushes: Pushes::default(),
            backend: Backend::default(),
            logins: Logins::default(),
            phone: Phone::new(),
            merchants: Merchants::default(),
            addresses: Addresses::default(),
            accounts_made: 0,
            menus_made: 0,
            jobs_made: 0,
        }
    }

    pub(crate) fn create_account(&mut self, wish: NewAccount) -> Result<Account, AccountError> {
        if self.accounts.len() >= MOST_ACCOUNTS {
            return Err(AccountError::TooMany(MOST_ACCOUNTS));
        }
        let wecom = wish.kind == AccountKind::Wecom;
        let made_up = if wecom { chance::corpid } else { chance::appid };
        let appid = wish.appid.map_or_else(|| Ok(made_up()), usable_appid)?;
        if self.accounts.contains_key(&appid) {
            return Err(AccountError::Taken(appid));
        }
        let made_up = if wecom { chance::corp_secret } else { chance::secret };
        let secret = wish.secret.map_or_else(|| Ok(made_up()), usable_secret)?;
        let name = wish.name.map_or_else(|| Ok(default_name(wish.kind).to_owned()), usable_name)?;
        self.accounts_made += 1;
        let mut holder = Holder {
            number: self.accounts_made,
            kind: wish.kind,
            original_id: if wecom { appid.clone() } else { chance::original_id() },
            appid: appid.clone(),
            name,
            secret: secret.clone(),
            settings: Settings::new(wish.kind, wish.test_account),
            classic: Slot::default(),
            stable: Slot::default(),
            forced: Counter::per(Period::Day),
            last_forced: None,
            tickets: BTreeMap::new(),
            usage: Usage::new(wish.kind, wish.test_account),
            clears: Counter::per(Period::Month),
            path_clears: Counter::per(Period::Month),
            apps: Vec::new(),
            callback: None,
            people: People::with_phone(
                if wecom { PHONE_USERID.to_owned() } else { chance::openid() },
                self.clock.now(),
            ),
            media: Media::default(),
            menu: None,
            scenes: Scenes::default(),
            templates: Templates::default(),
        };
        if wecom {
            holder.apps.push(App::new(FIRST_AGENTID, secret, "App".to_owned()));
        }
        let account = holder.card();
        self.accounts.insert(appid, holder);
        Ok(account)
    }

    /// Adds an app to a corp; `None` when there is no such account.
    pub(crate) fn create_agent(&mut self, corpid: &str, wish: NewAgent) -> Option<Result<Agent, AccountError>> {
        self.accounts.get_mut(corpid).map(|holder| holder.create_agent(wish))
    }

    /// Removes an account with its tokens; says whether it was there.
    pub(crate) fn remove_account(&mut self, appid: &str) -> bool {
        self.tokens.forget_owner(appid);
        self.logins.forget(appid);
        self.accounts.remove(appid).is_some()
    }

    /// Changes an account; `None` when there is no such account. A new secret ends all tokens of the account, or of
    /// the corp's first app.
    pub(crate) fn patch_account(&mut self, appid: &str, patch: Patch) -> Option<Result<(), AccountError>> {
        let now = self.clock.now();
        let holder = self.accounts.get_mut(appid)?;
        Some(holder.patch(patch, &mut self.tokens, now))
    }

    /// Revokes tokens before their time: judged as retired from now on. Tells how many were good.
    pub(crate) fn kill_tokens_of(&mut self, appid: &str) -> Option<usize> {
        let now = self.clock.now();
        let texts = self.accounts.get(appid)?.good_tokens(&self.tokens, now);
        Some(texts.iter().filter(|text| self.tokens.retire(text, now)).count())
    }

    /// Lets the lifetime of an account's tokens be over. Tells how many were good.
    pub(crate) fn expire_tokens_of(&mut self, appid: &str) -> Option<usize> {
        let now = self.clock.now();
        let texts = self.accounts.get(appid)?.good_tokens(&self.tokens, now);
        Some(texts.iter().filter(|text| self.tokens.expire(text, now)).count())
    }

    /// Sets or takes away where the pushes of an account go, or those of an app (absent: the first) of a corp.
    pub(crate) fn set_callback(
        &mut self,
        appid: &str,
        agentid: Option<u64>,
        callback: Option<Callback>,
    ) -> Result<(), CallbackError> {
        let unknown = || CallbackError::Unknown(appid.to_owned());
        let holder = self.accounts.get_mut(appid).ok_or_else(unknown)?;
        if holder.kind == AccountKind::Wecom {
            holder.app_mut(agentid).ok_or_else(unknown)?.callback = callback;
        } else {
            holder.callback = callback;
        }
        Ok(())
    }

    /// A number for a menu.
    pub(crate) fn next_menu_id(&mut self) -> u64 {
        self.menus_made += 1;
        FIRST_MENU_ID + self.menus_made
    }

    /// The `msgid` of a message that is sent: beyond what fits into a double (the sample of the docs is
    /// shorter; that today's are not is unconfirmed).
    pub(crate) fn next_job_id(&mut self) -> u64 {
        self.jobs_made += 1;
        FIRST_JOB_ID + self.jobs_made
    }

    /// Which account a call is about: by its token, else by the id that it names in the query or the body, or by the
    /// page that it belongs to.
    pub(crate) fn account_of(&self, call: &Call) -> Option<String> {
        let token = call.param("access_token");
        if let Some(token) = token.and_then(|text| self.tokens.find(text)) {
            return Some(token.owner.clone());
        }
        if let Some(appid) = token.or_else(|| call.param("uuid")).and_then(|name| self.logins.appid_of(name)) {
            return Some(appid.to_owned());
        }
        if let Some(id) = call.param("appid").or_else(|| call.param("corpid")) {
            return Some(id.to_owned());
        }
        let Some(body) = call.json() else {
            return self.logins.appid_of(&call.field("ticket")?).map(ToOwned::to_owned);
        };
        let named = ["appid", "appId", "corpid"].into_iter().find_map(|name| body.get(name)?.as_str());
        named.map(ToOwned::to_owned)
    }

    /// Who a user of an account is: the phone's user is the same person on all accounts.
    pub(crate) fn person<'a>(&'a self, holder: &'a Holder, user: &'a User) -> &'a Person {
        if user.openid == holder.people.phone() { &self.phone.person } else { &user.person }
    }

    /// The accounts in the order in which they were made.
    pub(crate) fn accounts_in_order(&self) -> Vec<&Holder> {
        let mut holders: Vec<_> = self.accounts.values().collect();
        holders.sort_by_key(|holder| holder.number);
        holders
    }
}

impl Holder {
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

    fn good_tokens(&self, tokens: &TokenBook, now: Time) -> Vec<String> {
        let good = |text: &&String| tokens.find(text).is_some_and(|token| token.good_until() > now);
        self.slots().flat_map(Slot::texts).filter(good).cloned().collect()
    }

    fn create_agent(&mut self, wish: NewAgent) -> Result<Agent, AccountError> {
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

    fn patch(&mut self, patch: Patch, tokens: &mut TokenBook, now: Time) -> Result<(), AccountError> {
        if self.usage.overrides().len() + patch.daily_quota.len() > MOST_OVERRIDES {
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

fn default_name(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Official => "Official account",
        AccountKind::MiniProgram => "Mini program",
        AccountKind::Wecom => "WeCom corp",
        AccountKind::Website => "Website",
    }
}
