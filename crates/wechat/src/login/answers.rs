//! What WeChat answers in a login.
//!
//! The readers take bytes from the network. An id that is too long or holds control characters makes the whole answer
//! malformed: half an identity is none. Members that are there twice: the last one counts. The Content-Type is not looked at:
//! `/sns/` answers JSON as `text/plain`.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::mended::mended;
use crate::calls::{AnswerError, is_credential, successful_object};

/// The longest openid, unionid or userid that is accepted, in bytes (openid and unionid have 28, a userid at most 64).
pub const MAX_ID_LENGTH: usize = 128;

/// The longest list of scopes that is kept, in bytes.
const MAX_SCOPE_LENGTH: usize = 256;

/// What a code was exchanged for.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// The web access_token: good for this user's profile only, for two hours; not the account's.
    pub access_token: SecretString,
    /// The visitor, as this account knows him.
    pub openid: String,
    /// The visitor, as all accounts of one open platform account know him; only with a consent to `snsapi_userinfo`.
    pub unionid: Option<String>,
    /// What was granted, joined by `,`; empty when WeChat does not say.
    pub scope: String,
    /// The visitor is on a snapshot page: all of this is a virtual user's, made up by WeChat.
    pub is_snapshot_user: bool,
}

/// Reads the answer of [`Call::code_exchange`](crate::calls::Call::code_exchange).
///
/// # Errors
/// [`AnswerError`], which never holds a part of a token.
pub fn read_exchange(body: &[u8]) -> Result<Exchanged, AnswerError> {
    let object = successful_object(body)?;
    let access_token = credential(&object, "access_token")?;
    Ok(Exchanged {
        access_token: access_token.ok_or(AnswerError::Malformed("it has no usable access_token"))?,
        openid: id(&object, &["openid"])?.ok_or(AnswerError::Malformed("it has no openid"))?,
        unionid: id(&object, &["unionid"])?,
        scope: scope(&object)?,
        is_snapshot_user: is_set(object.get("is_snapshotuser")),
    })
}

/// Reads the answer of [`Call::user_profile`](crate::calls::Call::user_profile),
/// [`Call::follower`](crate::calls::Call::follower) or
/// [`Call::corp_member_detail`](crate::calls::Call::corp_member_detail): all its members as WeChat gave them, but for
/// `errcode` and `errmsg`.
///
/// What is no JSON only because of a nickname is mended: control characters are left out, broken ones become U+FFFD.
///
/// # Errors
/// [`AnswerError`]; also when an id in it is unusable. Whether it is the user who was asked for, the caller compares.
pub fn read_profile(body: &[u8]) -> Result<Map<String, Value>, AnswerError> {
    let mut profile = match successful_object(body) {
        Err(AnswerError::Malformed(_)) => successful_object(mended(body).as_bytes())?,
        answer => answer?,
    };
    profile.retain(|name, _| name != "errcode" && name != "errmsg");
    for name in ["openid", "unionid", "userid"] {
        id(&profile, &[name])?;
    }
    Ok(profile)
}

/// Who a code of WeCom stands for; at least one of the first three is there.
#[derive(Debug, Clone)]
pub struct Member {
    /// A member of the corporation.
    pub userid: Option<String>,
    /// Somebody else, as this corporation knows him.
    pub openid: Option<String>,
    /// Somebody else who is a customer of a member.
    pub external_userid: Option<String>,
    /// For [`Call::corp_member_detail`](crate::calls::Call::corp_member_detail); only with a consent to
    /// `snsapi_privateinfo`.
    pub user_ticket: Option<SecretString>,
}

/// Reads the answer of [`Call::corp_member`](crate::calls::Call::corp_member), also in the spelling of the older
/// `/cgi-bin/user/getuserinfo` (`UserId`, `OpenId`).
///
/// # Errors
/// [`AnswerError`], which never holds a part of a ticket.
pub fn read_member(body: &[u8]) -> Result<Member, AnswerError> {
    let object = successful_object(body)?;
    let member = Member {
        userid: id(&object, &["userid", "UserId"])?,
        openid: id(&object, &["openid", "OpenId"])?,
        external_userid: id(&object, &["external_userid"])?,
        user_ticket: credential(&object, "user_ticket")?,
    };
    if member.userid.is_none() && member.openid.is_none() && member.external_userid.is_none() {
        return Err(AnswerError::Malformed("it has neither userid nor openid"));
    }
    Ok(member)
}

/// The first id of these names that is there and not empty.
pub(crate) fn id(object: &Map<String, Value>, names: &[&str]) -> Result<Option<String>, AnswerError> {
    let value = names.iter().filter_map(|name| object.get(*name)).find(|value| !is_absent(value));
    let Some(value) = value else { return Ok(None) };
    let usable = |text: &&str| text.len() <= MAX_ID_LENGTH && !text.chars().any(char::is_control);
    match value.as_str().filter(usable) {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(AnswerError::Malformed("an id in it is no text, too long, or holds control characters")),
    }
}

fn credential(object: &Map<String, Value>, name: &str) -> Result<Option<SecretString>, AnswerError> {
    let Some(value) = object.get(name).filter(|value| !is_absent(value)) else { return Ok(None) };
    match value.as_str().filter(|text| is_credential(text)) {
        Some(text) => Ok(Some(text.into())),
        None => Err(AnswerError::Malformed("a token or ticket in it is no printable text, or too long")),
    }
}

fn scope(object: &Map<String, Value>) -> Result<String, AnswerError> {
    let Some(value) = object.get("scope").filter(|value| !is_absent(value)) else { return Ok(String::new()) };
    let usable = |text: &&str| text.len() <= MAX_SCOPE_LENGTH && text.bytes().all(|b| b.is_ascii_graphic());
    match value.as_str().filter(usable) {
        Some(text) => Ok(text.to_owned()),
        None => Err(AnswerError::Malformed("its scope is no list of names")),
    }
}

fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Whether a flag is set, in whatever type. What is unclear counts as set: taking a virtual user for a real one would
/// be the worse mistake.
fn is_set(flag: Option<&Value>) -> bool {
    match flag {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !matches!(text.as_str(), "" | "0" | "false"),
        Some(_) => true,
    }
}
