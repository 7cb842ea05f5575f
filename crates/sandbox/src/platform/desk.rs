//! What a handler has before it: one call, the moment, all state.
//!
//! Handlers are plain functions from a [`Desk`] to a reply or a refusal; they wait for nothing. Here are the checks that
//! many of them make: the token (API return codes pages: 41001, 40001, 40014, 42001), the body, the quota.

use serde_json::Value;

use super::refusal::{House, Refusal};
use crate::account::AccountKind;
use crate::chance;
use crate::clock::Time;
use crate::token_book::{Life, Space};
use crate::wire::{Call, Reply};
use crate::world::{Holder, World};

/// What a handler answers.
pub(crate) type Answer = Result<Reply, Refusal>;

/// What a handler has before it.
pub(crate) struct Desk<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) call: &'a Call,
    pub(crate) now: Time,
    /// The path as the page of routes has it.
    pub(crate) path: &'static str,
    /// Whether the page of routes has an API of official accounts and mini programs at a path.
    pub(crate) is_official: fn(&str) -> bool,
}

/// Whom a good token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) house: House,
    /// appid or corpid.
    pub(crate) appid: String,
    /// The app, of a corp.
    pub(crate) agentid: Option<u64>,
}

impl Desk<'_> {
    /// The caller of an API that takes tokens of official accounts and mini programs.
    pub(crate) fn official_caller(&self) -> Result<Caller, Refusal> {
        let text = self.call.param("access_token").ok_or_else(|| Refusal::official(41001))?;
        match self.world.tokens.find(text) {
            Some(token) if token.space != Space::Wecom => match token.life(self.now) {
                Life::Valid => Ok(Caller { house: House::Official, appid: token.owner.clone(), agentid: None }),
                Life::Retired => Err(Refusal::official(40001)),
                Life::Expired => Err(Refusal::official(42001)),
            },
            // Never issued, or so long dead that it was forgotten.
            None if chance::looks_like_token(text) => Err(Refusal::official(40001)),
            _ => Err(Refusal::official(40014)),
        }
    }

    /// The caller of an API that takes WeCom's tokens. A corp with an address list is reached from there only.
    pub(crate) fn wecom_caller(&self) -> Result<Caller, Refusal> {
        let text = self.call.param("access_token").ok_or_else(|| Refusal::wecom(41001))?;
        let token = self.world.tokens.find(text).filter(|token| token.space == Space::Wecom);
        let token = token.ok_or_else(|| Refusal::wecom(40014))?;
        match token.life(self.now) {
            Life::Valid => {}
            Life::Retired => return Err(Refusal::wecom(40014)),
            Life::Expired => return Err(Refusal::wecom(42001)),
        }
        let holder = self.world.accounts.get(&token.owner);
        if holder.is_some_and(|holder| !holder.settings.ip_allow_list.allows(self.call.client_ip)) {
            return Err(Refusal::wecom(60020));
        }
        Ok(Caller { house: House::Wecom, appid: token.owner.clone(), agentid: token.agentid })
    }

    /// The caller of an API that both houses have: by the kind of the token, known or by its shape.
    pub(crate) fn caller(&self) -> Result<Caller, Refusal> {
        let Some(text) = self.call.param("access_token") else { return Err(Refusal::official(41001)) };
        let wecom = match self.world.tokens.find(text) {
            Some(token) => token.space == Space::Wecom,
            None => text.len() == chance::WECOM_TOKEN_LENGTH && !chance::looks_like_token(text),
        };
        if wecom { self.wecom_caller() } else { self.official_caller() }
    }

    /// The caller's account, which is there as long as its token is.
    pub(crate) fn holder(&mut self, caller: &Caller) -> Result<&mut Holder, Refusal> {
        let gone = Refusal::of(caller.house, 40014);
        self.world.accounts.get_mut(&caller.appid).ok_or(gone)
    }

    /// Counts the call, or refuses it for its quota. The last of the checks.
    pub(crate) fn admit(&mut self, caller: &Caller) -> Result<(), Refusal> {
        let (path, now) = (self.path, self.now);
        let admitted = self.holder(caller)?.usage.admit(path, now);
        admitted.map_err(|exhausted| Refusal::exhausted(caller.house, path, exhausted))
    }

    /// The body as a JSON object.
    pub(crate) fn body(&self) -> Result<Value, Refusal> {
        if self.call.body.is_empty() {
            return Err(Refusal::official(44002));
        }
        self.call.json().ok_or_else(|| Refusal::official(47001))
    }
}

/// A text field of a body that is there and not empty.
pub(crate) fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Which house an account belongs to.
pub(crate) fn house_of(kind: AccountKind) -> House {
    match kind {
        AccountKind::Wecom => House::Wecom,
        AccountKind::Official | AccountKind::MiniProgram | AccountKind::Website => House::Official,
    }
}
