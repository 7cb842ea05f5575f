//! Logins by WeChat: questions that wait for a visitor's answer, codes, web tokens.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `kept` | a bounded collection of named things |
//! | `codes` | codes, which work once, and WeCom's member tickets |
//! | `mini_program` | codes and session keys of mini programs' users |
//! | `sealed_data` | signatures and encryption with a session key |
//! | `web_tokens` | the tokens of `/sns/…`, which are no account tokens |
//! | `questions` | pages that ask for consent, QR codes that wait for a phone |
//!
//! Used by the pages and APIs of `platform`. Source: "Web page authorization" of the official account docs, "Website
//! application login" of the open platform docs, "Web page authorization login" of the WeCom docs. What must stay true: it
//! knows no account; whoever asks says for which one.

mod codes;
mod kept;
mod mini_program;
mod questions;
mod sealed_data;
mod web_tokens;

pub(crate) use codes::Spent;
pub(crate) use mini_program::Session;
pub(crate) use questions::{Answered, Question, Scan};
pub(crate) use sealed_data::{data_signature, seal, state_signature};
pub(crate) use web_tokens::{Judged, Lapsed, WEB_TOKEN_SECS};

use codes::Code;
use kept::Kept;
use mini_program::LoginCode;
use web_tokens::{RefreshToken, WebToken};

use crate::clock::Time;

/// What a visitor grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Who it is: openid, userid of a member.
    Base,
    /// Nickname and picture as well.
    UserInfo,
    /// The same, for websites.
    Login,
    /// WeCom: a member's sensitive data.
    PrivateInfo,
}

impl Scope {
    /// WeChat's name of it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scope::Base => "snsapi_base",
            Scope::UserInfo => "snsapi_userinfo",
            Scope::Login => "snsapi_login",
            Scope::PrivateInfo => "snsapi_privateinfo",
        }
    }

    /// The scope of that name.
    pub(crate) fn parse(name: &str) -> Option<Scope> {
        [Scope::Base, Scope::UserInfo, Scope::Login, Scope::PrivateInfo]
            .into_iter()
            .find(|scope| scope.as_str() == name)
    }
}

/// What a visitor granted to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// appid or corpid.
    pub(crate) appid: String,
    /// A userid of a corp.
    pub(crate) openid: String,
    pub(crate) scope: Scope,
}

/// All that is under way.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    codes: Kept<Code>,
    member_tickets: Kept<Code>,
    login_codes: Kept<LoginCode>,
    phone_codes: Kept<Code>,
    sessions: Kept<Session>,
    tokens: Kept<WebToken>,
    refresh_tokens: Kept<RefreshToken>,
    questions: Kept<Question>,
    scans: Kept<Scan>,
}

impl Logins {
    /// The account that a web token, a ticket of a page or a QR code belongs to.
    pub(crate) fn appid_of(&self, name: &str) -> Option<&str> {
        let token = self.tokens.get(name).map(|token| &token.grant.appid);
        let question = || self.questions.get(name).map(|question| &question.appid);
        let scan = || self.scans.get(name).map(|scan| &scan.question.appid);
        token.or_else(question).or_else(scan).map(String::as_str)
    }

    /// Forgets everything of an account that is gone.
    pub(crate) fn forget(&mut self, appid: &str) {
        self.codes.retain(|code| code.grant.appid != appid);
        self.member_tickets.retain(|code| code.grant.appid != appid);
        self.login_codes.retain(|login| login.code.grant.appid != appid);
        self.phone_codes.retain(|code| code.grant.appid != appid);
        self.sessions.retain(|session| session.appid != appid);
        self.tokens.retain(|token| token.grant.appid != appid);
        self.refresh_tokens.retain(|token| token.grant.appid != appid);
        self.questions.retain(|question| question.appid != appid);
        self.scans.retain(|scan| scan.question.appid != appid);
    }
}

/// Whether something that was made at a moment is older than it may be.
fn is_over(made: Time, secs: u64, now: Time) -> bool {
    made.plus_secs(secs) <= now
}
