//! Every access_token that was issued, and whether it is still good.
//!
//! A token ends in one of two ways, and the first one counts: it is retired (replaced, revoked, its secret was reset)
//! or its lifetime is over. Official accounts have two separate spaces of tokens, classic and stable; a replaced
//! token stays good for 5 minutes, and its predecessors are dead at once ("Get access token" page of the official
//! account docs).

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::clock::Time;

/// How long a replaced token stays good, in seconds.
pub(crate) const GRACE_SECS: u64 = 300;
/// Tokens remembered; beyond this the oldest dead ones are forgotten, and then judged as never issued.
const MOST_TOKENS: usize = 20_000;
/// How many live tokens are passed over in one search for a dead one to forget.
const LOOK_AT_ONCE: usize = 16;

/// Which kind of token it is; kinds never replace each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Space {
    /// From `/cgi-bin/token`.
    Classic,
    /// From `/cgi-bin/stable_token`.
    Stable,
    /// From WeCom's `/cgi-bin/gettoken`.
    Wecom,
}

/// What is known about one token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// appid or corpid.
    pub(crate) owner: String,
    /// The WeCom app that it belongs to.
    pub(crate) agentid: Option<u64>,
    pub(crate) space: Space,
    pub(crate) issued: Time,
    expires: Time,
    retired: Option<Time>,
}

/// Whether a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Life {
    Valid,
    Retired,
    Expired,
}

impl Token {
    pub(crate) fn life(&self, now: Time) -> Life {
        match self.retired {
            Some(retired) if retired < self.expires && retired <= now => Life::Retired,
            _ if self.expires <= now => Life::Expired,
            _ => Life::Valid,
        }
    }

    /// The moment from which it is no longer good.
    pub(crate) fn good_until(&self) -> Time {
        self.retired.map_or(self.expires, |retired| retired.min(self.expires))
    }

    /// Seconds until it is no longer good.
    pub(crate) fn remaining(&self, now: Time) -> u64 {
        now.secs_until(self.good_until())
    }
}

/// The last two tokens of one space.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) current: Option<String>,
    pub(crate) previous: Option<String>,
}

impl Slot {
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        self.current.iter().chain(&self.previous)
    }
}

/// What a new token is issued for.
pub(crate) struct Issue<'a> {
    pub(crate) owner: &'a str,
    pub(crate) agentid: Option<u64>,
    pub(crate) space: Space,
    /// Seconds.
    pub(crate) lifetime: u64,
}

/// All tokens, by their text.
#[derive(Debug, Default)]
pub(crate) struct TokenBook {
    by_text: HashMap<String, Token>,
    /// Oldest first.
    order: VecDeque<String>,
}

impl TokenBook {
    pub(crate) fn find(&self, text: &str) -> Option<&Token> {
        self.by_text.get(text)
    }

    /// The current token of a slot, as long as it is good.
    pub(crate) fn current<'a>(&'a self, slot: &'a Slot, now: Time) -> Option<(&'a str, &'a Token)> {
        let text = slot.current.as_deref()?;
        let token = self.find(text)?;
        (token.life(now) == Life::Valid).then_some((text, token))
    }

    /// Issues the next token of a slot: the current one gets its grace, the one before is dead at once.
    pub(crate) fn rotate(&mut self, slot: &mut Slot, text: String, issue: &Issue<'_>, now: Time) {
        if let Some(before) = slot.previous.take() {
            self.retire(&before, now);
        }
        if let Some(current) = slot.current.take() {
            self.retire(&current, now.plus_secs(GRACE_SECS));
            slot.previous = Some(current);
        }
        self.forget_one(now);
        slot.current = Some(text.clone());
        self.order.push_back(text.clone());
        let token = Token {
            owner: issue.owner.to_owned(),
            agentid: issue.agentid,
            space: issue.space,
            issued: now,
            expires: now.plus_secs(issue.lifetime),
            retired: None,
        };
        self.by_text.insert(text, token);
    }

    /// Ends a token at a moment, unless it ends earlier already. Answers whether the token is known.
    pub(crate) fn retire(&mut self, text: &str, at: Time) -> bool {
        let token = self.by_text.get_mut(text);
        token.map(|token| token.retired = Some(token.retired.map_or(at, |earlier| earlier.min(at)))).is_some()
    }

    /// Lets a token's lifetime be over now, unless it is already. Answers whether the token is known.
    pub(crate) fn expire(&mut self, text: &str, now: Time) -> bool {
        self.by_text.get_mut(text).map(|token| token.expires = token.expires.min(now)).is_some()
    }

    /// Forgets all tokens of an account that is gone.
    pub(crate) fn forget_owner(&mut self, owner: &str) {
        self.by_text.retain(|_, token| token.owner != owner);
        self.order.retain(|text| self.by_text.contains_key(text));
    }

    /// Makes room for one more: forgets the oldest dead token when there are too many.
    fn forget_one(&mut self, now: Time) {
        if self.order.len() < MOST_TOKENS {
            return;
        }
        for _ in 0..LOOK_AT_ONCE {
            let Some(oldest) = self.order.pop_front() else { return };
            if self.find(&oldest).is_some_and(|token| token.life(now) == Life::Valid) {
                self.order.push_back(oldest);
            } else {
                self.by_text.remove(&oldest);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    fn issue(book: &mut TokenBook, slot: &mut Slot, text: &str, now: Time) {
        let issue = Issue { owner: "wx1", agentid: None, space: Space::Classic, lifetime: 7200 };
        book.rotate(slot, text.into(), &issue, now);
    }

    fn life(book: &TokenBook, text: &str, now: Time) -> Life {
        book.find(text).expect("a known token").life(now)
    }

    #[test]
    fn a_replaced_token_has_five_minutes_and_its_predecessor_none() {
        let (mut book, mut slot) = (TokenBook::default(), Slot::default());
        issue(&mut book, &mut slot, "a", NOW);
        issue(&mut book, &mut slot, "b", NOW.plus_secs(10));
        assert_eq!(life(&book, "a", NOW.plus_secs(309)), Life::Valid);
        assert_eq!(life(&book, "a", NOW.plus_secs(310)), Life::Retired);
        issue(&mut book, &mut slot, "c", NOW.plus_secs(20));
        assert_eq!(life(&book, "a", NOW.plus_secs(20)), Life::Retired);
        assert_eq!(life(&book, "b", NOW.plus_secs(20)), Life::Valid);
        assert_eq!(life(&book, "c", NOW.plus_secs(20)), Life::Valid);
    }

    #[test]
    fn the_first_cause_of_death_counts() {
        let (mut book, mut slot) = (TokenBook::default(), Slot::default());
        issue(&mut book, &mut slot, "a", NOW);
        let late = NOW.plus_secs(7100);
        issue(&mut book, &mut slot, "b", late);
        // Its own lifetime ends before the 5 minutes do.
        assert_eq!(life(&book, "a", NOW.plus_secs(7199)), Life::Valid);
        assert_eq!(life(&book, "a", NOW.plus_secs(7200)), Life::Expired);
        assert_eq!(book.find("a").unwrap().remaining(late), 100);
        book.retire("b", late);
        assert_eq!(life(&book, "b", late.plus_secs(8000)), Life::Retired);
        assert_eq!(book.current(&slot, late).map(|(text, _)| text), None);
    }

    #[test]
    fn memory_is_bounded_and_live_tokens_are_kept() {
        let mut book = TokenBook::default();
        let (mut kept, mut busy) = (Slot::default(), Slot::default());
        issue(&mut book, &mut kept, "kept", NOW);
        for number in 0..MOST_TOKENS + 100 {
            issue(&mut book, &mut busy, &format!("t{number}"), NOW);
        }
        assert_eq!(book.order.len(), MOST_TOKENS);
        assert_eq!(book.by_text.len(), MOST_TOKENS);
        assert_eq!(life(&book, "kept", NOW), Life::Valid);
    }
}
