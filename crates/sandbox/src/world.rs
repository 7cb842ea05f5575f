//! All state of the sandbox: the clock, the accounts and what belongs to them, the tokens, the faults, the journal.
//!
//! One value behind one lock, which is never held while something is waited for. What WeChat does with it is in
//! `platform`, what the control API does is in `control`; here are accounts and the things that both need.

mod holder;

use std::collections::BTreeMap;

pub(crate) use holder::{App, Holder};

use holder::Beginning;

use crate::account::{
    Account, AccountError, AccountKind, Agent, NewAccount, NewAgent, usable_appid, usable_name, usable_secret,
};
use crate::addresses::Addresses;
use crate::backend::Backend;
use crate::callback::{Callback, CallbackError};
use crate::chance;
use crate::chat::User;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::journal::Journal;
use crate::login::Logins;
use crate::merchant::Merchants;
use crate::person::Person;
use crate::phone::Phone;
use crate::pushes::Pushes;
use crate::settings::Patch;
use crate::token_book::TokenBook;
use crate::wire::Call;

/// Accounts at most.
const MOST_ACCOUNTS: usize = 1_000;
/// Numbers of menus begin above this.
const FIRST_MENU_ID: u64 = 420_000_000;
/// Numbers of messages that are sent begin above this.
const FIRST_JOB_ID: u64 = 2_410_000_000_000_000_000;

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
        let beginning =
            Beginning { kind: wish.kind, appid: appid.clone(), secret, name, test_account: wish.test_account };
        let holder = Holder::new(self.accounts_made, beginning, self.clock.now());
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

    /// Revokes tokens before their time, of a corp those of one app or of all: judged as retired from now on. Tells how
    /// many were good.
    pub(crate) fn kill_tokens_of(&mut self, appid: &str, agentid: Option<u64>) -> Option<usize> {
        let now = self.clock.now();
        let texts = self.accounts.get(appid)?.good_tokens(agentid, &self.tokens, now);
        Some(texts.iter().filter(|text| self.tokens.retire(text, now)).count())
    }

    /// Lets the lifetime of an account's tokens be over. Tells how many were good.
    pub(crate) fn expire_tokens_of(&mut self, appid: &str, agentid: Option<u64>) -> Option<usize> {
        let now = self.clock.now();
        let texts = self.accounts.get(appid)?.good_tokens(agentid, &self.tokens, now);
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

    /// The `msgid` of a message that is sent: beyond what fits into a double, as those of answers that were seen (the
    /// sample of the docs is short).
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

fn default_name(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Official => "Official account",
        AccountKind::MiniProgram => "Mini program",
        AccountKind::Wecom => "WeCom corp",
        AccountKind::Website => "Website",
    }
}
