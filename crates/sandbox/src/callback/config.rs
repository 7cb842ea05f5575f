//! An account's callback settings, checked when they are set.
//!
//! Made from [`Callback::new`] by the embedding program, or from [`NewCallback`] by the control API. A [`Callback`]
//! cannot be wrong: there is a key wherever something is encrypted, and an official account gets XML only.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::cipher::AesKey;
use crate::account::AccountKind;

/// Longest URL, in bytes.
const LONGEST_URL: usize = 2_048;

/// How pushes are protected (消息加解密方式).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Plain text, signed (明文模式).
    #[default]
    Plain,
    /// Plain text and ciphertext side by side (兼容模式).
    Compatible,
    /// Ciphertext only (安全模式).
    Secure,
}

/// The format of pushes and replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// XML, which every account has.
    #[default]
    Xml,
    /// JSON, which mini programs may choose.
    Json,
}

/// Where and how an account's pushes go.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    pub(crate) url: Url,
    pub(crate) token: String,
    pub(crate) format: Format,
    protection: Protection,
}

/// What protects the pushes of an account.
#[derive(Clone, PartialEq, Eq)]
enum Protection {
    /// A signature only; the key, if one is set, waits for a change of mode.
    Signed(Option<AesKey>),
    /// A signature, and ciphertext beside the plain text.
    Both(AesKey),
    /// Ciphertext only.
    Encrypted(AesKey),
}

/// Why callback settings cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// Nothing can be sent there.
    #[error("url cannot be used; give the whole address, as http://127.0.0.1:8080/app/test/msg")]
    BadUrl,
    /// WeChat takes no such token.
    #[error("token cannot be used; give 3 to 32 letters and digits")]
    BadToken,
    /// WeChat takes no such key.
    #[error("aes_key cannot be used; give 43 letters and digits")]
    BadKey,
    /// Something is to be encrypted without a key.
    #[error("aes_key is missing; modes compatible and secure, and WeCom, need 43 letters and digits")]
    NoKey,
    /// Only mini programs may choose JSON.
    #[error("format json is for mini programs; official accounts and WeCom get xml")]
    NoJson,
    /// Websites get no messages.
    #[error("a website application gets no messages; set a callback for an official account, mini program or corp")]
    NoMessages,
    /// There is no such account, or no such app of the corp.
    #[error("there is no account {0}, or no such app of it")]
    Unknown(String),
}

impl Callback {
    /// Settings in secure mode and XML, as a proxy would have them.
    ///
    /// `token` has 3 to 32 letters and digits, `aes_key` (EncodingAESKey) 43.
    ///
    /// # Errors
    /// When one of the three could not be saved on WeChat's page either.
    pub fn new(url: &str, token: &str, aes_key: &str) -> Result<Callback, CallbackError> {
        let protection = Protection::Encrypted(AesKey::parse(aes_key).ok_or(CallbackError::BadKey)?);
        Ok(Callback { url: usable_url(url)?, token: usable_token(token)?, format: Format::Xml, protection })
    }

    /// The same settings in another mode.
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Callback {
        let protection = match self.protection {
            Protection::Signed(None) => Protection::Signed(None),
            Protection::Signed(Some(key)) | Protection::Both(key) | Protection::Encrypted(key) => match mode {
                Mode::Plain => Protection::Signed(Some(key)),
                Mode::Compatible => Protection::Both(key),
                Mode::Secure => Protection::Encrypted(key),
            },
        };
        Callback { protection, ..self }
    }

    /// The mode that it is in.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self.protection {
            Protection::Signed(_) => Mode::Plain,
            Protection::Both(_) => Mode::Compatible,
            Protection::Encrypted(_) => Mode::Secure,
        }
    }

    /// The key that pushes are encrypted with, in the modes that do.
    pub(crate) fn key(&self) -> Option<&AesKey> {
        match &self.protection {
            Protection::Signed(_) => None,
            Protection::Both(key) | Protection::Encrypted(key) => Some(key),
        }
    }

    fn any_key(&self) -> Option<&AesKey> {
        match &self.protection {
            Protection::Signed(key) => key.as_ref(),
            Protection::Both(key) | Protection::Encrypted(key) => Some(key),
        }
    }
}

/// Token and key do not reach a log.
impl std::fmt::Debug for Callback {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Callback")
            .field("mode", &self.mode())
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Callback settings as the control API takes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCallback {
    url: String,
    token: String,
    #[serde(default)]
    aes_key: Option<String>,
    /// Absent: secure for WeCom, else secure with a key and plain without.
    #[serde(default)]
    mode: Option<Mode>,
    #[serde(default)]
    format: Format,
    /// The app, of a corp; absent: the first.
    #[serde(default)]
    pub(crate) agentid: Option<u64>,
    /// Whether the URL has to prove itself first, as WeChat wants it.
    #[serde(default = "yes")]
    pub(crate) check: bool,
}

impl NewCallback {
    /// The settings, if an account of this kind can have them.
    ///
    /// # Errors
    /// [`CallbackError`] says what to give instead.
    pub(crate) fn settle(&self, kind: AccountKind) -> Result<Callback, CallbackError> {
        if kind == AccountKind::Website {
            return Err(CallbackError::NoMessages);
        }
        if self.format == Format::Json && kind != AccountKind::MiniProgram {
            return Err(CallbackError::NoJson);
        }
        let encoded = self.aes_key.as_deref().filter(|encoded| !encoded.is_empty());
        let key = encoded.map(|encoded| AesKey::parse(encoded).ok_or(CallbackError::BadKey)).transpose()?;
        let usual = if key.is_some() { Mode::Secure } else { Mode::Plain };
        let mode = if kind == AccountKind::Wecom { Mode::Secure } else { self.mode.unwrap_or(usual) };
        let protection = match (mode, key) {
            (Mode::Plain, key) => Protection::Signed(key),
            (Mode::Compatible, Some(key)) => Protection::Both(key),
            (Mode::Secure, Some(key)) => Protection::Encrypted(key),
            (Mode::Compatible | Mode::Secure, None) => return Err(CallbackError::NoKey),
        };
        Ok(Callback { url: usable_url(&self.url)?, token: usable_token(&self.token)?, format: self.format, protection })
    }
}

/// Callback settings as the control API shows them. A sandbox's secrets protect nothing, and its page has to show them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CallbackView {
    url: String,
    token: String,
    aes_key: Option<String>,
    mode: Mode,
    format: Format,
}

impl From<&Callback> for CallbackView {
    fn from(callback: &Callback) -> CallbackView {
        CallbackView {
            url: callback.url.to_string(),
            token: callback.token.clone(),
            aes_key: callback.any_key().map(|key| key.encoded().to_owned()),
            mode: callback.mode(),
            format: callback.format,
        }
    }
}

fn usable_url(text: &str) -> Result<Url, CallbackError> {
    let url = Url::parse(text).map_err(|_| CallbackError::BadUrl)?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && text.len() <= LONGEST_URL;
    if usable { Ok(url) } else { Err(CallbackError::BadUrl) }
}

fn usable_token(token: &str) -> Result<String, CallbackError> {
    let usable = (3..=32).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if usable { Ok(token.to_owned()) } else { Err(CallbackError::BadToken) }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn settle(kind: AccountKind, text: &str) -> Result<Callback, CallbackError> {
        serde_json::from_str::<NewCallback>(text).expect("a wish").settle(kind)
    }

    #[test]
    fn the_mode_follows_from_the_key_unless_it_is_said() {
        let official = |text: &str| settle(AccountKind::Official, text).map(|callback| callback.mode());
        assert_eq!(official(r#"{"url":"http://a/b","token":"abc"}"#), Ok(Mode::Plain));
        assert_eq!(official(r#"{"url":"http://a/b","token":"abc","mode":"secure"}"#), Err(CallbackError::NoKey));
        let keyed = |mode: &str| official(&format!(r#"{{"url":"http://a","token":"abc","aes_key":"{KEY}"{mode}}}"#));
        assert_eq!(keyed(""), Ok(Mode::Secure));
        assert_eq!(keyed(r#","mode":"compatible""#), Ok(Mode::Compatible));
        assert_eq!(keyed(r#","mode":"plain""#), Ok(Mode::Plain));
        let wecom = settle(AccountKind::Wecom, r#"{"url":"http://a","token":"abc","mode":"plain"}"#);
        assert_eq!(wecom, Err(CallbackError::NoKey));
    }

    #[test]
    fn what_wechat_would_not_save_is_refused() {
        let new = |url: &str, token: &str, key: &str| Callback::new(url, token, key).err();
        assert_eq!(new("http://a/msg", "token", KEY), None);
        assert_eq!(new("ftp://a", "token", KEY), Some(CallbackError::BadUrl));
        assert_eq!(new("/msg", "token", KEY), Some(CallbackError::BadUrl));
        assert_eq!(new("http://a", "to", KEY), Some(CallbackError::BadToken));
        assert_eq!(new("http://a", "a-b-c", KEY), Some(CallbackError::BadToken));
        assert_eq!(new("http://a", "token", "short"), Some(CallbackError::BadKey));
        let json = r#"{"url":"http://a","token":"abc","format":"json"}"#;
        assert_eq!(settle(AccountKind::Official, json), Err(CallbackError::NoJson));
        assert!(settle(AccountKind::MiniProgram, json).is_ok());
    }

    #[test]
    fn a_mode_is_changed_with_the_key_that_is_there() {
        let callback = Callback::new("http://a", "token", KEY).unwrap();
        assert_eq!(callback.clone().in_mode(Mode::Plain).in_mode(Mode::Compatible).mode(), Mode::Compatible);
        assert_eq!(callback.in_mode(Mode::Plain).mode(), Mode::Plain);
    }
}
