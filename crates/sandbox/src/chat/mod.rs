//! The phone's side of an account: its users, what each of them sees, and what the account put there for them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `windows` | when an account may write by itself |
//! | `media` | pictures and what else is named by a media id |
//! | `menu` | the menu at the foot of the chat |
//! | `scenes` | QR codes to scan |
//!
//! What must stay true: everything is bounded, since pushes may invent users and answers may be long.

mod media;
mod menu;
mod scenes;
mod windows;

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

pub(crate) use media::{Media, picture_type};
pub(crate) use menu::Menu;
pub(crate) use scenes::{Scene, Scenes};
pub(crate) use windows::{Shut, Trigger, Windows};

use crate::callback::Content;
use crate::clock::Time;
use crate::counter::{Counter, Period};

/// Users of one account at most.
const MOST_USERS: usize = 10_000;
/// Entries of one user's chat that are kept.
const MOST_ENTRIES: usize = 200;
/// Longest openid or userid, in bytes.
const LONGEST_ID: usize = 64;

/// Who put an entry into a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Speaker {
    /// The user.
    User,
    /// The account, in answer to a push.
    Reply,
    /// The account, by an API call.
    Account,
    /// WeChat itself.
    Platform,
}

/// One entry of a chat.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) time: Time,
    pub(crate) from: Speaker,
    /// The push that it came with or in answer to.
    pub(crate) push: Option<u64>,
    /// The app, of a corp.
    pub(crate) agentid: Option<u64>,
    pub(crate) content: Content,
}

/// A user of an account.
#[derive(Debug)]
pub(crate) struct User {
    /// Of this account; a userid of a corp.
    pub(crate) openid: String,
    pub(crate) following: bool,
    /// Turned off, customer-service messages get 48002.
    pub(crate) receives: bool,
    pub(crate) windows: Windows,
    /// The last thing that the user did.
    pub(crate) last_action: Option<Time>,
    /// Until when the account is shown as typing.
    pub(crate) typing_until: Option<Time>,
    /// WeCom: messages of this minute and this hour.
    pub(crate) minute: Counter,
    pub(crate) hour: Counter,
    entries: VecDeque<Entry>,
}

impl User {
    fn new(openid: String) -> User {
        User {
            openid,
            following: true,
            receives: true,
            windows: Windows::default(),
            last_action: None,
            typing_until: None,
            minute: Counter::per(Period::Minute),
            hour: Counter::per(Period::Hour),
            entries: VecDeque::new(),
        }
    }

    /// The latest entries after an id, oldest first.
    pub(crate) fn entries(&self, after: u64, limit: usize) -> Vec<&Entry> {
        let newer = self.entries.iter().filter(|entry| entry.id > after).count();
        let skipped = self.entries.len() - newer.min(limit);
        self.entries.iter().skip(skipped).collect()
    }

    /// Forgets what was said.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The users of one account.
#[derive(Debug)]
pub(crate) struct People {
    users: BTreeMap<String, User>,
    /// The user of the phone on the page, who stands for whoever is not named.
    phone: String,
    last_entry: u64,
}

impl People {
    /// With the user of the phone, who follows from the start.
    pub(crate) fn with_phone(openid: String) -> People {
        let users = BTreeMap::from([(openid.clone(), User::new(openid.clone()))]);
        People { users, phone: openid, last_entry: 0 }
    }

    /// The openid of the phone's user.
    pub(crate) fn phone(&self) -> &str {
        &self.phone
    }

    pub(crate) fn find(&self, openid: &str) -> Option<&User> {
        self.users.get(openid)
    }

    pub(crate) fn find_mut(&mut self, openid: &str) -> Option<&mut User> {
        self.users.get_mut(openid)
    }

    /// A user, known or from now on.
    ///
    /// # Errors
    /// A text that says why there cannot be such a user.
    pub(crate) fn meet(&mut self, openid: &str) -> Result<&mut User, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
        if openid.is_empty() || openid.len() > LONGEST_ID || !openid.bytes().all(fits) {
            return Err(format!("openid {openid:?} cannot be one; give 1 to {LONGEST_ID} of A-Z a-z 0-9 _ - . @"));
        }
        if !self.users.contains_key(openid) && self.users.len() >= MOST_USERS {
            return Err(format!("the account has {MOST_USERS} users already, and that is the limit"));
        }
        Ok(self.users.entry(openid.to_owned()).or_insert_with(|| User::new(openid.to_owned())))
    }

    /// All of them, by openid.
    pub(crate) fn all(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// Puts something into a user's chat; nothing when there is no such user.
    pub(crate) fn say(&mut self, openid: &str, entry: Entry) {
        let Some(user) = self.users.get_mut(openid) else { return };
        self.last_entry += 1;
        if user.entries.len() >= MOST_ENTRIES {
            user.entries.pop_front();
        }
        if entry.from != Speaker::User {
            user.typing_until = None;
        }
        user.entries.push_back(Entry { id: self.last_entry, ..entry });
    }
}

impl Entry {
    /// An entry that gets its id when it is said.
    pub(crate) fn new(from: Speaker, time: Time, content: Content) -> Entry {
        Entry { id: 0, time, from, push: None, agentid: None, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_700_000_000);

    #[test]
    fn a_chat_is_bounded_and_read_from_where_one_was() {
        let mut people = People::with_phone("oABC".into());
        for number in 0..MOST_ENTRIES + 10 {
            let content = Content::Text { text: number.to_string() };
            people.say("oABC", Entry::new(Speaker::Reply, NOW, content));
        }
        let user = people.find("oABC").unwrap();
        let ids = |after, limit| user.entries(after, limit).iter().map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(0, 1_000).len(), MOST_ENTRIES);
        assert_eq!(ids(0, 2), [209, 210]);
        assert_eq!(ids(208, 100), [209, 210]);
        assert_eq!(ids(210, 100), [0; 0]);
    }

    #[test]
    fn users_have_ids_that_can_stand_in_a_path() {
        let mut people = People::with_phone("oABC".into());
        assert!(people.meet("zhang.san@corp").is_ok());
        assert!(people.meet("a/b").is_err());
        assert!(people.meet("").is_err());
        assert_eq!(people.all().count(), 2);
    }
}
