//! The names that go into a login: what is asked for, and in which language.

use std::fmt;

/// What a login asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The openid only, without asking the visitor.
    Base,
    /// Nickname and picture too; WeChat asks the visitor.
    UserInfo,
    /// Login on a website outside WeChat, by a QR code; needs an appid of its own kind.
    Website,
    /// WeCom: which member it is, without asking.
    CorpBase,
    /// WeCom: the member's picture, mobile number and addresses too; WeCom asks, and an agentid is needed.
    CorpPrivate,
}

impl Scope {
    /// The value of the `scope` parameter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Base | Self::CorpBase => "snsapi_base",
            Self::UserInfo => "snsapi_userinfo",
            Self::Website => "snsapi_login",
            Self::CorpPrivate => "snsapi_privateinfo",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The language in which WeChat names the places of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lang {
    /// Simplified Chinese.
    #[default]
    ZhCn,
    /// Traditional Chinese.
    ZhTw,
    /// English.
    En,
}

impl Lang {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ZhCn, Self::ZhTw, Self::En];

    /// The language of that name, letter by letter as WeChat writes it; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.as_str() == text)
    }

    /// The value of the `lang` parameter.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ZhCn => "zh_CN",
            Self::ZhTw => "zh_TW",
            Self::En => "en",
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
