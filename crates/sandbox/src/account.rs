//! What an account is made from, and what its maker gets to know about it.
//!
//! Given ids and secrets are taken as they are, the rest is made up in WeChat's shapes. An id that could not stand
//! in a URL is refused, everything else about accounts is in `world`.

use serde::{Deserialize, Serialize};

/// Longest id, secret and name, in characters.
const LONGEST: usize = 128;

/// What kind of account it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// An official account (公众号).
    #[default]
    Official,
    /// A mini program (小程序).
    MiniProgram,
    /// A WeCom corp (企业微信) with its apps.
    Wecom,
    /// A website application of the open platform (网站应用): people log in by a QR code; no messages, no account tokens.
    Website,
}

/// A wish for an account; everything is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewAccount {
    /// Official account, mini program or WeCom corp.
    pub kind: AccountKind,
    /// The appid or corpid; made up when absent.
    pub appid: Option<String>,
    /// The AppSecret, or the secret of the corp's first app; made up when absent.
    pub secret: Option<String>,
    /// A name for people; made up when absent.
    pub name: Option<String>,
    /// A test account gets 200 classic tokens a day instead of 2000 (API quota page of the official account docs).
    pub test_account: bool,
}

impl NewAccount {
    /// A wish for an account of a kind, everything else made up.
    pub fn of(kind: AccountKind) -> NewAccount {
        NewAccount { kind, ..NewAccount::default() }
    }
}

/// An account, as its maker gets to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Official account, mini program or WeCom corp.
    pub kind: AccountKind,
    /// The appid or corpid.
    pub appid: String,
    /// The AppSecret, or the secret of the corp's first app.
    pub secret: String,
    /// A name for people.
    pub name: String,
    /// The original id (`gh_…`), the `ToUserName` of pushes; a WeCom corp has its corpid here.
    pub original_id: String,
    /// The apps of a WeCom corp, each with a secret and tokens of its own; empty for other kinds.
    pub agents: Vec<Agent>,
}

/// An app of a WeCom corp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// The number of the app.
    pub agentid: u64,
    /// Its secret.
    pub secret: String,
    /// A name for people.
    pub name: String,
}

/// A wish for one more app of a WeCom corp.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewAgent {
    pub(crate) agentid: Option<u64>,
    pub(crate) secret: Option<String>,
    pub(crate) name: Option<String>,
}

/// Why an account was not made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The id is in use.
    #[error("there is an account {0} already; use another appid, or delete that one first")]
    Taken(String),
    /// The id cannot be used in a URL.
    #[error("appid {0:?} cannot be used; give 1 to 128 of the characters A-Z a-z 0-9 _ -")]
    BadAppid(String),
    /// The secret is empty, too long or has unusual characters.
    #[error("the secret cannot be used; give 1 to 128 visible ASCII characters")]
    BadSecret,
    /// The name is empty or too long.
    #[error("the name cannot be used; give 1 to 128 characters")]
    BadName,
    /// The sandbox is full.
    #[error("there are {0} accounts already, and that is the limit; delete some first")]
    TooMany(usize),
    /// Something about a WeCom corp that the account does not have.
    #[error("account {0} is not a WeCom corp and has no apps")]
    NoCorp(String),
    /// The app's number or secret is in use.
    #[error("app {0} is there already, or another app of the corp has the same secret")]
    AgentTaken(u64),
    /// The account has quotas of its own for many paths already.
    #[error("an account has quotas of its own for at most {0} paths; set some to null to take them away")]
    TooManyQuotas(usize),
}

/// The id, if it can be one.
pub(crate) fn usable_appid(appid: String) -> Result<String, AccountError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let usable = !appid.is_empty() && appid.len() <= LONGEST && appid.bytes().all(fits);
    if usable { Ok(appid) } else { Err(AccountError::BadAppid(appid)) }
}

/// The secret, if it can be one.
pub(crate) fn usable_secret(secret: String) -> Result<String, AccountError> {
    let usable = !secret.is_empty() && secret.len() <= LONGEST && secret.bytes().all(|byte| byte.is_ascii_graphic());
    if usable { Ok(secret) } else { Err(AccountError::BadSecret) }
}

/// The name, if it can be one.
pub(crate) fn usable_name(name: String) -> Result<String, AccountError> {
    let usable = !name.trim().is_empty() && name.chars().count() <= LONGEST;
    if usable { Ok(name) } else { Err(AccountError::BadName) }
}
