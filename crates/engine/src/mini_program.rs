//! Mini programs: who a `js_code` of `wx.login()` stands for, and what the mini program got sealed from WeChat.
//!
//! The session_key goes only to a server that shows the api_key. Whoever has none gets a *session*: the same, sealed, of use
//! only to this proxy, which checks signatures and decrypts with it. What must stay true: nothing that is not signed or sealed
//! with the user's session_key is passed on as WeChat's word.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::{StoreError, Timestamp};
use wechat::calls::Call;
use wechat::mini_program::{OpenError, Session, SessionKey, read_session};

use crate::apps::Registered;
use crate::foundation::Foundation;
use crate::upstream::{AskError, Upstream};

/// How long a session is taken. WeChat says only that a session_key lives the longer the more the mini program is used; its
/// guide asks for `wx.checkSession` before a key is used.
const SESSION_LIFE: Duration = Duration::from_secs(3 * 24 * 3600);

const PURPOSE: &str = "mini program session";

/// What a mini program sent along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence<'a> {
    /// `rawData`: the user's profile as text.
    pub raw_data: Option<&'a str>,
    /// `signature`: that WeChat wrote `rawData`.
    pub signature: Option<&'a str>,
    /// `encryptedData`, base64.
    pub encrypted_data: Option<&'a str>,
    /// `iv`, base64.
    pub iv: Option<&'a str>,
}

/// By what the user is known.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// A code of `wx.login()`, which works once, for 5 minutes.
    JsCode(&'a str),
    /// A session that [`MiniProgram::look`] gave.
    Session(&'a str),
    /// The session_key itself.
    SessionKey(&'a str),
}

/// Why it is not known who it is, or what was sent.
#[derive(Debug, thiserror::Error)]
pub enum MiniProgramError {
    /// Something is missing, or too much was given.
    #[error("{0}")]
    Parameters(&'static str),
    /// WeChat was asked in vain.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The session is none of this account's, or too old.
    #[error(
        "this session is none of this account's or is older than 3 days: let the mini program call wx.login() again"
    )]
    Session,
    /// `signature` is not WeChat's.
    #[error(
        "signature does not fit rawData and the user's session_key: somebody changed rawData, or it was made before the newest \
         wx.login(): call wx.login() first, then wx.getUserProfile()"
    )]
    Signature,
    /// What was sealed does not open.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// There is no master key.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is known of a user.
#[derive(Debug, Serialize)]
pub struct MiniProgramUser {
    #[serde(skip_serializing_if = "Option::is_none")]
    openid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unionid: Option<String>,
    /// Only for who showed the api_key.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_key: Option<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Shown>,
    /// `rawData`, once its signature was checked.
    #[serde(rename = "rawData", skip_serializing_if = "Option::is_none")]
    raw_data: Option<Value>,
    /// What was sealed in `encryptedData`.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Map<String, Value>>,
}

/// A secret in the one answer that is meant to hold it.
#[derive(Debug)]
struct Shown(SecretString);

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// A session, as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    appid: String,
    openid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unionid: Option<String>,
    session_key: String,
    /// Unix seconds.
    issued_at: i64,
}

/// Logins of mini programs. Cheap to clone.
#[derive(Clone)]
pub struct MiniProgram {
    foundation: Arc<Foundation>,
    upstream: Upstream,
}

impl MiniProgram {
    /// On this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, upstream: Upstream) -> Self {
        Self { foundation, upstream }
    }

    /// Who it is, and what the evidence says. `shows_key`: the caller may have the session_key.
    ///
    /// # Errors
    /// [`MiniProgramError`]; a `js_code` that WeChat took is used up also then.
    pub async fn look(
        &self,
        registered: &Registered,
        known: Known<'_>,
        evidence: &Evidence<'_>,
        shows_key: bool,
    ) -> Result<MiniProgramUser, MiniProgramError> {
        evidence.is_whole()?;
        let mut user = MiniProgramUser::nobody();
        let key = match known {
            Known::SessionKey(key) => SessionKey::parse(key)
                .map_err(|_| MiniProgramError::Parameters("session_key is 16 bytes in base64, as /login gave it"))?,
            Known::Session(session) => self.reopened(registered, session, &mut user)?,
            Known::JsCode(code) => {
                let session = self.asked(registered, code).await?;
                user.session = Some(Shown(self.seal(registered, &session)?));
                user.session_key = shows_key.then(|| Shown(session.session_key.expose().into()));
                (user.openid, user.unionid) = (Some(session.openid), session.unionid);
                session.session_key
            }
        };
        if let (Some(raw), Some(signature)) = (evidence.raw_data, evidence.signature) {
            if !key.signature_fits(raw, signature) {
                return Err(MiniProgramError::Signature);
            }
            user.raw_data = Some(serde_json::from_str(raw).unwrap_or_else(|_| raw.into()));
        }
        if let (Some(sealed), Some(iv)) = (evidence.encrypted_data, evidence.iv) {
            user.data = Some(key.open(&registered.appid, sealed, iv)?);
        }
        Ok(user)
    }

    async fn asked(&self, registered: &Registered, code: &str) -> Result<Session, AskError> {
        let call = Call::mini_program_session(&registered.appid, &registered.app.secrets.secret, code);
        self.upstream.ask(&call, read_session).await
    }

    fn seal(&self, registered: &Registered, session: &Session) -> Result<SecretString, StoreError> {
        let sealed = Sealed {
            appid: registered.appid.as_str().to_owned(),
            openid: session.openid.clone(),
            unionid: session.unionid.clone(),
            session_key: session.session_key.expose().to_owned(),
            issued_at: self.foundation.clock.now().as_seconds(),
        };
        let plain = SecretString::from(serde_json::to_string(&sealed).unwrap_or_default());
        let mut salt = [0; 16];
        self.foundation.random.fill(&mut salt);
        self.foundation.store.seal_token(PURPOSE, salt, plain.expose_secret().as_bytes()).map(SecretString::from)
    }

    fn reopened(
        &self,
        registered: &Registered,
        session: &str,
        user: &mut MiniProgramUser,
    ) -> Result<SessionKey, MiniProgramError> {
        let opened = self.foundation.store.open_token(PURPOSE, session);
        let (_, plain) = opened.ok_or(MiniProgramError::Session)?;
        let sealed: Sealed = serde_json::from_slice(&plain).map_err(|_| MiniProgramError::Session)?;
        let ends_at = Timestamp::from_seconds(sealed.issued_at) + SESSION_LIFE;
        if sealed.appid != registered.appid.as_str() || ends_at <= self.foundation.clock.now() {
            return Err(MiniProgramError::Session);
        }
        (user.openid, user.unionid) = (Some(sealed.openid), sealed.unionid);
        SessionKey::parse(&sealed.session_key).map_err(|_| MiniProgramError::Session)
    }
}

impl Evidence<'_> {
    /// Whether there is anything in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw_data.is_none() && self.encrypted_data.is_none()
    }

    fn is_whole(&self) -> Result<(), MiniProgramError> {
        if self.raw_data.is_some() != self.signature.is_some() {
            return Err(MiniProgramError::Parameters(
                "rawData and signature belong together: send both as wx.getUserProfile() gave them, or neither",
            ));
        }
        if self.encrypted_data.is_some() != self.iv.is_some() {
            return Err(MiniProgramError::Parameters("encryptedData and iv belong together: send both, or neither"));
        }
        Ok(())
    }
}

impl MiniProgramUser {
    fn nobody() -> Self {
        Self { openid: None, unionid: None, session_key: None, session: None, raw_data: None, data: None }
    }
}
