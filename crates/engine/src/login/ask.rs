//! What a login link asks for: its parameters, checked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::StoreError;
use url::Url;
use wechat::login::{Lang, Scope, UserAgent};
use wechat::sign;

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
        match browser {
            UserAgent::Wechat | UserAgent::Program => true,
            // WeChat's own page opens in WeChat only, WeCom's in both.
            UserAgent::Wecom => self.is_corp(),
            UserAgent::OtherBrowser => false,
        }
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
#[derive(Debug, thiserror::Error)]
pub enum AskProblem {
    /// Its `call`.
    #[error(transparent)]
    Call(#[from] CallProblem),
    /// Another parameter; the text says what is wrong with it.
    #[error("{0}")]
    Parameter(&'static str),
    /// The link cannot be sealed.
    #[error(transparent)]
    Seal(#[from] StoreError),
}

/// What a login link asks for.
#[derive(Clone)]
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
        let agentid = agentid(value("agentid"), registered)?;
        Ok(Self { call, state, lang: lang.transpose()?, via, agentid })
    }
}

const WRONG_LANG: &str = "lang is zh_CN, zh_TW or en";

/// The members that backends may read in a body, and what an order needs (it is signed by the same rule). Nobody reads others,
/// so it does no harm if a state looks like one.
const MEMBERS: [&str; 56] = [
    "access_token",
    "address",
    "agentid",
    "appid",
    "attach",
    "avatar",
    "biz_mail",
    "body",
    "call",
    "city",
    "country",
    "email",
    "errcode",
    "error",
    "error_description",
    "external_userid",
    "fee",
    "gender",
    "groupid",
    "headimgurl",
    "is_snapshotuser",
    "language",
    "mch_id",
    "mobile",
    "name",
    "nickname",
    "nonce",
    "openid",
    "origin",
    "out_trade_no",
    "privilege",
    "product_id",
    "province",
    "qr_code",
    "remark",
    "scene_info",
    "session_key",
    "settle_info",
    "sex",
    "sign",
    "spbill_create_ip",
    "state",
    "subscribe",
    "subscribe_scene",
    "subscribe_time",
    "ticket",
    "time_end",
    "time_expire",
    "time_start",
    "timestamp",
    "total_fee",
    "trade_state",
    "trade_type",
    "transaction_id",
    "unionid",
    "userid",
];

/// `sign` joins members with `&` and escapes nothing: a state like `x&openid=o2` could be read as another member, and so
/// a visitor, who may write his own links, could make himself somebody else.
fn checked_state(state: &str) -> Result<String, AskProblem> {
    if state.len() > MAX_STATE {
        return Err(AskProblem::Parameter("state is longer than 1024 bytes; keep what is longer at your server"));
    }
    let mut names = sign::separators(state).map(|(_, name)| name.to_ascii_lowercase());
    if names.any(|name| MEMBERS.contains(&name.as_str())) {
        return Err(AskProblem::Parameter(
            "state holds '&' followed by what could be read as a member of the signed answer; percent-encode it once \
             more, or use another separator than '&'",
        ));
    }
    Ok(state.to_owned())
}

/// The registered one counts: the visitor may write links.
fn agentid(given: Option<&str>, registered: &Registered) -> Result<Option<String>, AskProblem> {
    let known = registered.app.settings.agentid.as_deref();
    let Some(given) = given else { return Ok(known.map(str::to_owned)) };
    if given.len() > 20 || !given.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AskProblem::Parameter("agentid is the AgentId of the WeCom app, a number like 1000002"));
    }
    if known.is_some_and(|known| known != given) {
        return Err(AskProblem::Parameter("agentid is another than the registered one; leave it out of the link"));
    }
    Ok(Some(given.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_anything_but_another_member() {
        for good in [
            "",
            "a",
            "a=1",
            "a=1&b=2",
            "\"</script>🐼\r\n",
            "?x=1&redirect=/home",
            "&",
            "a&&b",
            "openid=1&s=2",
            "?a=1&b=2",
        ] {
            assert!(checked_state(good).is_ok_and(|state| state == good), "{good}");
        }
        for bad in
            ["x&unionid=u2", "&timestamp=1", "a&b=1&subscribe=1", "x&OpenID=1", "x&userid=1", "a&fee=1", "&&openid=="]
        {
            assert!(checked_state(bad).is_err(), "{bad}");
        }
        assert!(checked_state(&"x".repeat(1025)).is_err());
    }
}
