//! What a login link asks for: its parameters, checked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;
use wechat::login::{Lang, Scope, UserAgent};

use crate::apps::Registered;
use crate::backends::{CallProblem, CallUrls};

/// The longest `state`, in bytes: it travels to WeChat and back in a URL.
const MAX_STATE: usize = 1024;

/// Which of the login paths was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `/auth`: who follows or visits an official account.
    Account,
    /// `/auth/info`: with nickname and picture.
    AccountInfo,
    /// `/qyauth`: a member of a WeCom corporation.
    Corp,
    /// `/qyauth/info`: with what the member agrees to show.
    CorpInfo,
}

impl Door {
    /// Its path below `/app/KEY`.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Account => "/auth",
            Self::AccountInfo => "/auth/info",
            Self::Corp => "/qyauth",
            Self::CorpInfo => "/qyauth/info",
        }
    }

    /// The door at this path below `/app/KEY`.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        [Self::Account, Self::AccountInfo, Self::Corp, Self::CorpInfo].into_iter().find(|door| door.path() == path)
    }

    /// What WeChat is asked for, when its own client asks.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Account => Scope::Base,
            Self::AccountInfo => Scope::UserInfo,
            Self::Corp => Scope::CorpBase,
            Self::CorpInfo => Scope::CorpPrivate,
        }
    }

    /// Whether this browser can log in here by itself; else a telephone has to scan something.
    pub(super) fn fits(self, browser: UserAgent) -> bool {
        browser != UserAgent::OtherBrowser
    }

    pub(super) fn is_corp(self) -> bool {
        matches!(self, Self::Corp | Self::CorpInfo)
    }
}

/// How the backend gets to know the visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Via {
    /// The browser posts a JSON body.
    #[default]
    Form,
    /// The browser brings a ticket, with which the backend asks.
    Ticket,
}

/// Why a link cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskProblem {
    /// Its `call`.
    #[error(transparent)]
    Call(#[from] CallProblem),
    /// Another parameter; the text says what is wrong with it.
    #[error("{0}")]
    Parameter(&'static str),
}

/// What a login link asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The page that gets the visitor; allowed.
    pub call: Url,
    /// What comes back to that page as it is.
    pub state: Option<String>,
    /// The language of places, and of the proxy's own pages.
    pub lang: Option<Lang>,
    /// How the backend gets to know the visitor.
    pub via: Via,
    /// WeCom: which app.
    pub agentid: Option<String>,
}

impl Ask {
    /// Reads the parameters of a link; `value` gives the first value of a name that is not empty.
    ///
    /// # Errors
    /// [`AskProblem`].
    pub fn read<'a>(
        value: impl Fn(&str) -> Option<&'a str>,
        call_urls: &CallUrls,
        registered: &Arc<Registered>,
    ) -> Result<Self, AskProblem> {
        let call = call_urls.of_link(value("call"), registered)?;
        let lang = value("lang").map(|text| Lang::parse(text).ok_or(AskProblem::Parameter(WRONG_LANG)));
        let via = match value("via") {
            None | Some("form") => Via::Form,
            Some("ticket") => Via::Ticket,
            Some(_) => return Err(AskProblem::Parameter("via is form (the default) or ticket")),
        };
        let state = value("state").map(checked_state).transpose()?;
        let agentid = value("agentid").map(checked_agentid).transpose()?;
        let agentid = agentid.or_else(|| registered.app.settings.agentid.clone());
        Ok(Self { call, state, lang: lang.transpose()?, via, agentid })
    }
}

const WRONG_LANG: &str = "lang is zh_CN, zh_TW or en";

/// The members that backends may read in a body. Nobody reads others, so it does no harm if a state looks like one.
const MEMBERS: [&str; 37] = [
    "access_token",
    "address",
    "agentid",
    "appid",
    "avatar",
    "biz_mail",
    "city",
    "country",
    "email",
    "errcode",
    "error",
    "error_description",
    "external_userid",
    "gender",
    "groupid",
    "headimgurl",
    "is_snapshotuser",
    "language",
    "mobile",
    "name",
    "nickname",
    "nonce",
    "openid",
    "privilege",
    "province",
    "qr_code",
    "remark",
    "session_key",
    "sex",
    "sign",
    "state",
    "subscribe",
    "subscribe_scene",
    "subscribe_time",
    "timestamp",
    "unionid",
    "userid",
];

/// `sign` joins members with `&` and escapes nothing: a state like `x&openid=o2` could be read as another member, and so
/// a visitor, who may write his own links, could make himself somebody else.
fn checked_state(state: &str) -> Result<String, AskProblem> {
    if state.len() > MAX_STATE {
        return Err(AskProblem::Parameter("state is longer than 1024 bytes; keep what is longer at your server"));
    }
    let looks_like_a_member = |piece: &str| {
        let name = piece.split_once('=').map(|(name, _)| name.to_ascii_lowercase());
        name.is_some_and(|name| MEMBERS.contains(&name.as_str()))
    };
    if state.split('&').skip(1).any(looks_like_a_member) {
        return Err(AskProblem::Parameter(
            "state holds '&' followed by what could be read as a member of the signed answer; percent-encode it once \
             more, or use another separator than '&'",
        ));
    }
    Ok(state.to_owned())
}

fn checked_agentid(agentid: &str) -> Result<String, AskProblem> {
    if agentid.len() > 20 || !agentid.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AskProblem::Parameter("agentid is the AgentId of the WeCom app, a number like 1000002"));
    }
    Ok(agentid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_anything_but_another_member() {
        for good in ["", "a", "a=1", "a=1&b=2", "\"</script>🐼\r\n", "?x=1&redirect=/home", "&", "a&&b", "openid=1&s=2"]
        {
            assert_eq!(checked_state(good).as_deref(), Ok(good));
        }
        for bad in ["x&unionid=u2", "&timestamp=1", "a&b=1&subscribe=1", "x&OpenID=1", "x&userid=1", "&&openid=="] {
            assert!(checked_state(bad).is_err(), "{bad}");
        }
        assert!(checked_state(&"x".repeat(1025)).is_err());
    }
}
