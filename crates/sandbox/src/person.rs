//! Who somebody is, to every account alike: the name and the picture that people see in WeChat.
//!
//! Each user of an account is a person; the phone's user is one and the same person on all accounts, so that the unionid
//! joins them. What the control API may change about a person is here too.

use serde::{Deserialize, Serialize};

use crate::chance;

/// Longest nickname and names of places, in characters.
const LONGEST_NAME: usize = 128;
/// Longest address of a picture, in bytes.
const LONGEST_URL: usize = 1_024;
/// The telephone number of everybody who was given no other one.
const PHONE_NUMBER: &str = "13800000000";
/// The languages that WeChat's user APIs know.
const LANGUAGES: [&str; 3] = ["zh_CN", "zh_TW", "en"];
/// Where the pictures that the sandbox draws are; the person's unionid and a size follow.
pub(crate) const PICTURES: &str = "/mmopen/vi_32/";

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Person {
    /// The same on all accounts of one open platform account; 28 characters.
    pub(crate) unionid: String,
    pub(crate) nickname: String,
    pub(crate) language: String,
    /// 1 male, 2 female, 0 unknown. WeChat gives 0 to everybody since October 2021.
    pub(crate) sex: u8,
    /// WeChat leaves places empty since October 2021.
    pub(crate) country: String,
    pub(crate) province: String,
    pub(crate) city: String,
    /// Absent: a picture that the sandbox draws.
    pub(crate) headimgurl: Option<String>,
    /// A number of mainland China, without its country code.
    pub(crate) phone_number: String,
}

impl Person {
    /// Somebody with a name, and nothing else known.
    pub(crate) fn named(nickname: &str) -> Person {
        Person {
            unionid: chance::openid(),
            nickname: nickname.to_owned(),
            language: "zh_CN".into(),
            sex: 0,
            country: String::new(),
            province: String::new(),
            city: String::new(),
            headimgurl: None,
            phone_number: PHONE_NUMBER.into(),
        }
    }

    /// The address of the person's picture. `origin` is how the sandbox was reached.
    pub(crate) fn picture(&self, origin: &str) -> String {
        let drawn = || format!("{origin}{PICTURES}{}/132", self.unionid);
        self.headimgurl.clone().unwrap_or_else(drawn)
    }

    /// Takes over what a patch says.
    pub(crate) fn apply(&mut self, patch: PersonPatch) {
        let texts = [
            (&mut self.nickname, patch.nickname),
            (&mut self.language, patch.language),
            (&mut self.country, patch.country),
            (&mut self.province, patch.province),
            (&mut self.city, patch.city),
            (&mut self.unionid, patch.unionid),
            (&mut self.phone_number, patch.phone_number),
        ];
        for (field, value) in texts {
            if let Some(value) = value {
                *field = value;
            }
        }
        self.sex = patch.sex.unwrap_or(self.sex);
        if patch.headimgurl.is_some() {
            self.headimgurl = patch.headimgurl;
        }
    }
}

/// A change of a person; what is absent stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PersonPatch {
    pub(crate) nickname: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) sex: Option<u8>,
    pub(crate) country: Option<String>,
    pub(crate) province: Option<String>,
    pub(crate) city: Option<String>,
    /// Empty: no picture, as WeChat says it of people who have none.
    pub(crate) headimgurl: Option<String>,
    pub(crate) unionid: Option<String>,
    pub(crate) phone_number: Option<String>,
}

impl PersonPatch {
    /// What cannot be, as a text that says what to do about it.
    pub(crate) fn problem(&self) -> Option<String> {
        let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_NAME);
        if [&self.nickname, &self.country, &self.province, &self.city].into_iter().any(long) {
            return Some(format!("nickname, country, province and city have at most {LONGEST_NAME} characters"));
        }
        if self.language.as_deref().is_some_and(|language| !LANGUAGES.contains(&language)) {
            return Some("language is zh_CN, zh_TW or en".into());
        }
        if self.sex.is_some_and(|sex| sex > 2) {
            return Some("sex is 1 (male), 2 (female) or 0 (unknown)".into());
        }
        if self.headimgurl.as_ref().is_some_and(|url| url.len() > LONGEST_URL || url.contains(char::is_control)) {
            return Some(format!("headimgurl has at most {LONGEST_URL} bytes and no control characters"));
        }
        let is_number =
            |number: &String| (5..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        if self.phone_number.as_ref().is_some_and(|number| !is_number(number)) {
            return Some("phone_number has 5 to 15 digits and nothing else".into());
        }
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let unionid = self.unionid.as_ref().filter(|id| id.is_empty() || id.len() > 64 || !id.bytes().all(fits));
        unionid.map(|id| format!("unionid {id:?} cannot be one; give 1 to 64 of A-Z a-z 0-9 _ -"))
    }
}
