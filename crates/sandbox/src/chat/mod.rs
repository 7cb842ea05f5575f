//! The phone's side of an account: its users, what each of them sees, and what the account put there for them.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `windows` | when an account may write by itself |
//! | `media` | pictures and what else is named by a media id |
//! | `menu` | the menu at the foot of the chat |
//! | `scenes` | QR codes to scan |
//! | `tags` | tags that an account gives to its followers |
//! | `templates` | templates of messages, and what may stand in them |
//!
//! What must stay true: everything is bounded, since pushes may invent users and answers may be long.

mod media;
mod menu;
mod scenes;
mod tags;
mod templates;
mod windows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

pub(crate) use media::{Media, picture_type};
pub(crate) use menu::Menu;
pub(crate) use scenes::{Scene, Scenes};
pub(crate) use tags::{MOST_OF_ONE as MOST_TAGS_OF_ONE, Tags};
pub(crate) use templates::{NotAdded, Template, Templates, WrongValue};
pub(crate) use windows::{Shut, Trigger, Windows};

use crate::callback::Content;
use crate::chance;
use crate::clock::Time;
use crate::counter::{Counter, Period};
use crate::person::Person;

/// Users of one account at most.
const MOST_USERS: usize = 10_000;
/// Entries of one user's chat that are kept.
const MOST_ENTRIES: usize = 200;
/// Longest openid or userid, in bytes.
const LONGEST_ID: usize = 64;
/// The name of every virtual identity.
const SNAPSHOT_NICKNAME: &str = "微信用户";

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
    /// Who it is; of the phone's user, the phone says that.
    pub(crate) person: Person,
    /// Follows the account; is a member of the corp.
    pub(crate) following: bool,
    /// Since when.
    pub(crate) followed: Time,
    /// The scene of the QR code by which the user came to follow.
    pub(crate) scene: Option<String>,
    /// What the account calls the user.
    pub(crate) remark: String,
    /// Tags by number.
    pub(crate) tags: BTreeSet<u64>,
    /// A virtual identity, of a snapshot page (快照页).
    pub(crate) snapshot: bool,
    /// Turned off, customer-service messages get 48002.
    pub(crate) receives: bool,
    pub(crate) windows: Windows,
    /// How many messages of a template the user has accepted and not got yet, by its id; never 0.
    pub(crate) subscriptions: BTreeMap<String, u32>,
    /// The last thing that the user did.
    pub(crate) last_action: Option<Time>,
    /// Until when the account is shown as typing.
    pub(crate) typing_until: Option<Time>,
    /// A mini program's user whom WeChat does not let log in: 40226.
    pub(crate) high_risk: bool,
    /// Logins to a mini program of this minute.
    pub(crate) logins: Counter,
    /// WeCom: messages of this minute and this hour.
    pub(crate) minute: Counter,
    pub(crate) hour: Counter,
    entries: VecDeque<Entry>,
}

impl User {
    fn new(openid: String, now: Time) -> User {
        let tail: String = openid.chars().skip(openid.chars().count().saturating_sub(4)).collect();
        User {
            openid,
            person: Person::named(&format!("用户{tail}")),
            following: true,
            followed: now,
            scene: None,
            remark: String::new(),
            tags: BTreeSet::new(),
            snapshot: false,
            receives: true,
            windows: Windows::default(),
            subscriptions: BTreeMap::new(),
            last_action: None,
            typing_until: None,
            high_risk: false,
            logins: Counter::per(Period::Minute),
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

    /// Begins to follow, by a QR code or not.
    pub(crate) fn follow(&mut self, scene: Option<String>, now: Time) {
        self.following = true;
        self.followed = now;
        self.scene = scene;
    }

    /// Sets how many messages of a template the user has accepted.
    pub(crate) fn accept(&mut self, template_id: String, messages: u32) {
        if messages == 0 {
            self.subscriptions.remove(&template_id);
        } else {
            self.subscriptions.insert(template_id, messages);
        }
    }

    /// One of them has been sent.
    pub(crate) fn use_subscription(&mut self, template_id: &str) {
        if let Some(left) = self.subscriptions.get(template_id).map(|left| left.saturating_sub(1)) {
            self.accept(template_id.to_owned(), left);
        }
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
    /// The openid that the phone's user has on snapshot pages.
    virtual_phone: Option<String>,
    last_entry: u64,
}

impl People {
    /// With the user of the phone, who follows from the start.
    pub(crate) fn with_phone(openid: String, now: Time) -> People {
        let users = BTreeMap::from([(openid.clone(), User::new(openid.clone(), now))]);
        People { users, phone: openid, virtual_phone: None, last_entry: 0 }
    }

    /// The virtual identity of the phone's user. That it stays the same from one snapshot page to the next is
    /// unconfirmed.
    pub(crate) fn virtual_phone(&mut self, now: Time) -> String {
        let openid = self.virtual_phone.get_or_insert_with(chance::openid).clone();
        self.users.entry(openid.clone()).or_insert_with(|| User {
            person: Person::named(SNAPSHOT_NICKNAME),
            following: false,
            snapshot: true,
            ..User::new(openid.clone(), now)
        });
        openid
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
    pub(crate) fn meet(&mut self, openid: &str, now: Time) -> Result<&mut User, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
        if openid.is_empty() || openid.len() > LONGEST_ID || !openid.bytes().all(fits) {
            return Err(format!("openid {openid:?} cannot be one; give 1 to {LONGEST_ID} of A-Z a-z 0-9 _ - . @"));
        }
        if !self.users.contains_key(openid) && self.users.len() >= MOST_USERS {
            return Err(format!("the account has {MOST_USERS} users already, and that is the limit"));
        }
        Ok(self.users.entry(openid.to_owned()).or_insert_with(|| User::new(openid.to_owned(), now)))
    }

    /// All of them, by openid.
    pub(crate) fn all(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// Those who follow, by openid.
    pub(crate) fn followers(&self) -> impl Iterator<Item = &User> {
        self.all().filter(|user| user.following)
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
        let mut people = People::with_phone("oABC".into(), NOW);
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
        let mut people = People::with_phone("oABC".into(), NOW);
        assert!(people.meet("zhang.san@corp", NOW).is_ok());
        assert!(people.meet("a/b", NOW).is_err());
        assert!(people.meet("", NOW).is_err());
        assert_eq!(people.all().count(), 2);
    }
}
