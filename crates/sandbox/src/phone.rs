//! The phone on the page: who holds it, what system it has, and what its user says when a page asks for consent.
//!
//! Set by the control API and by the page, asked by the OAuth pages and by the JSSDK's bridge. One phone for the whole
//! sandbox: its user is one person on all accounts.

use serde::{Deserialize, Serialize};

use crate::person::Person;

/// The name of the phone's user until somebody changes it.
const NAME: &str = "小明";

/// The system of the phone. The JSSDK signs the landing page's URL on iOS, the current one on Android.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum System {
    #[default]
    Android,
    Ios,
}

/// What happens when a page asks for consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Consent {
    /// The user is asked, by a page.
    #[default]
    Ask,
    /// The user allows it at once.
    Allow,
    /// The user refuses it at once.
    Refuse,
    /// The user allows it at once, with a virtual identity (快照页).
    Snapshot,
}

/// The phone.
#[derive(Clone, Debug)]
pub(crate) struct Phone {
    pub(crate) system: System,
    pub(crate) consent: Consent,
    /// The account from whose chat or menu the page was opened that the phone shows now. WeChat's own client knows
    /// that, so no request says it.
    pub(crate) chat: Option<String>,
    pub(crate) person: Person,
}

/// A change of the phone; what is absent stays as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PhonePatch {
    system: Option<System>,
    consent: Option<Consent>,
    /// An appid, or null when the page was not opened from a chat.
    #[serde(deserialize_with = "given")]
    chat: Option<Option<String>>,
}

/// What the control API shows of the phone.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PhoneView {
    system: System,
    consent: Consent,
    chat: Option<String>,
    /// What WeChat's browser calls itself on this system.
    user_agent: &'static str,
    /// What WeCom's browser calls itself on this system.
    wecom_user_agent: &'static str,
    person: Person,
}

impl Phone {
    pub(crate) fn new() -> Phone {
        let (system, consent) = (System::default(), Consent::default());
        Phone { system, consent, chat: None, person: Person::named(NAME) }
    }

    /// Takes over what a patch says.
    pub(crate) fn apply(&mut self, patch: PhonePatch) {
        self.system = patch.system.unwrap_or(self.system);
        self.consent = patch.consent.unwrap_or(self.consent);
        if let Some(chat) = patch.chat {
            self.chat = chat;
        }
    }

    pub(crate) fn view(&self) -> PhoneView {
        PhoneView {
            system: self.system,
            consent: self.consent,
            chat: self.chat.clone(),
            user_agent: self.system.user_agent(),
            wecom_user_agent: self.system.wecom_user_agent(),
            person: self.person.clone(),
        }
    }
}

impl System {
    /// What WeChat's browser calls itself, in the shape of current clients.
    pub(crate) fn user_agent(self) -> &'static str {
        match self {
            System::Android => {
                "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A.240205.004; wv) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 XWEB/1160117 MMWEBSDK/20240404 MMWEBID/6170 \
                 MicroMessenger/8.0.49.2600(0x2800313A) WeChat/arm64 Weixin NetType/WIFI Language/zh_CN ABI/arm64"
            }
            System::Ios => {
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 MicroMessenger/8.0.49(0x1800312c) NetType/WIFI Language/zh_CN"
            }
        }
    }

    /// What WeCom's browser calls itself: WeChat's name stands in it too.
    pub(crate) fn wecom_user_agent(self) -> &'static str {
        match self {
            System::Android => {
                "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A.240205.004; wv) AppleWebKit/537.36 (KHTML, like \
                 Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 wxwork/4.1.22 MicroMessenger/7.0.1 \
                 NetType/WIFI Language/zh Lang/zh ColorScheme/Light"
            }
            System::Ios => {
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Mobile/15E148 wxwork/4.1.22 MicroMessenger/7.0.1 Language/zh ColorScheme/Light"
            }
        }
    }
}

/// A field that is there, null or not.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
