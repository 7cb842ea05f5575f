//! Who an SDK is that speaks WeChat's own interface: by appid and secret, by a virtual token, or by a real one.
//!
//! * [`virtual_token`]: what it gets instead of the account's token;
//! * `real_token`: tokens of WeChat's own, which `/app/KEY/api` hands out.
//!
//! What must stay true: a secret or token that is not (or no longer) good is refused in WeChat's own words and codes, so that
//! SDKs do what they do; and a good virtual token is known without the database.

mod real_token;
pub mod virtual_token;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use store::{App, StoreError};
use wechat::calls::Host;
use wechat::{ApiError, Appid, Errcode};

use self::real_token::RealTokens;
use self::virtual_token::Claims;
use crate::apps::{Registered, is_api_key_of, mark};
use crate::credentials::decide::same;
use crate::foundation::Foundation;

/// Whom a call is made for.
#[derive(Clone)]
pub struct Consumer {
    /// The registration.
    pub registered: Arc<Registered>,
    /// Which of WeChat's hosts its calls go to.
    pub host: Host,
}

/// Why nobody is known by what was shown.
#[derive(Debug, thiserror::Error)]
pub enum UnknownConsumer {
    /// In WeChat's words.
    #[error("{0}")]
    Refused(ApiError),
    /// In WeChat's words, about a token that surely was given here: it has ended.
    #[error("{0}")]
    Ended(ApiError),
    /// Too much was shown in vain to be looked up.
    #[error("too many tokens that are none")]
    TooMany,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UnknownConsumer {
    /// A refusal in WeChat's shape, with one of its codes.
    #[must_use]
    pub fn refused(errcode: i64, errmsg: &str) -> Self {
        Self::Refused(ApiError { errcode: Errcode(errcode), errmsg: errmsg.to_owned() })
    }

    /// No token was shown.
    #[must_use]
    pub fn missing_token() -> Self {
        UnknownConsumer::refused(41001, "access_token missing (wechat-proxy)")
    }

    fn ended(self) -> Self {
        match self {
            Self::Refused(error) => Self::Ended(error),
            other => other,
        }
    }

    /// The token is none that is good.
    #[must_use]
    pub fn invalid_token() -> Self {
        UnknownConsumer::refused(
            40001,
            "invalid credential, access_token is invalid or not latest (wechat-proxy: this token was never handed out here, or was \
             revoked; get one from /cgi-bin/token or /cgi-bin/stable_token of this host)",
        )
    }
}

/// Knows who calls. Cheap to clone.
#[derive(Clone)]
pub struct Consumers(Arc<Inner>);

struct Inner {
    foundation: Arc<Foundation>,
    real: RealTokens,
}

impl Consumers {
    /// On this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>) -> Self {
        let real = RealTokens::new(Arc::clone(&foundation));
        Self(Arc::new(Inner { foundation, real }))
    }

    /// Who has this appid and secret: the account's AppSecret, or the api_key of one of its registrations.
    ///
    /// # Errors
    /// [`UnknownConsumer`]: 41002, 41004, 40013, 40125 as WeChat says them.
    pub async fn by_secret(&self, host: Host, appid: &str, secret: &SecretString) -> Result<Consumer, UnknownConsumer> {
        let missing = |code, what: &str| UnknownConsumer::refused(code, &format!("{what} missing (wechat-proxy)"));
        if appid.is_empty() {
            return Err(missing(41002, "appid"));
        }
        if secret.expose_secret().is_empty() {
            return Err(missing(41004, "appsecret"));
        }
        let now = self.0.foundation.clock.now();
        let apps = match Appid::parse(appid) {
            Ok(appid) => self.0.foundation.store.apps_of(appid.as_str()).await?,
            Err(_) => Vec::new(),
        };
        let mut apps: Vec<App> = apps.into_iter().filter(|app| app.expires_at.is_none_or(|end| now < end)).collect();
        if apps.is_empty() {
            return Err(UnknownConsumer::refused(
                40013,
                "invalid appid (wechat-proxy: no registration here has it; /register?key=…&appid=…&secret=… makes one)",
            ));
        }
        apps.retain(|app| same(&app.secrets.secret, secret) || is_api_key_of(app, secret.expose_secret(), now));
        let key = widest(&apps).ok_or_else(|| {
            UnknownConsumer::refused(
                40125,
                "invalid appsecret (wechat-proxy: neither the account's AppSecret nor an api_key of it here)",
            )
        })?;
        let registered = self.0.foundation.directory.find(key, now).await?;
        let registered = registered.ok_or_else(|| UnknownConsumer::refused(40013, "invalid appid"))?;
        Ok(Consumer { registered, host })
    }

    /// A virtual token for somebody who showed this secret.
    ///
    /// # Errors
    /// [`StoreError`] when there is no master key.
    pub fn token_for(&self, consumer: &Consumer, shown: &SecretString) -> Result<SecretString, StoreError> {
        let claims = Claims {
            host: consumer.host,
            issued_at: self.0.foundation.clock.now(),
            mark: mark(shown),
            key: consumer.registered.app.key.clone(),
        };
        claims.seal(&self.0.foundation.store, &*self.0.foundation.random)
    }

    /// Whether this token was given here, good or not.
    #[must_use]
    pub fn gave(&self, token: &str) -> bool {
        Claims::open(&self.0.foundation.store, token).is_some()
    }

    /// Who holds this token. `may_look` is asked before the database is.
    ///
    /// # Errors
    /// [`UnknownConsumer`]: 40001, 42001 as WeChat says them.
    pub async fn by_token(&self, token: &str, may_look: impl FnOnce() -> bool) -> Result<Consumer, UnknownConsumer> {
        if token.is_empty() {
            return Err(UnknownConsumer::missing_token());
        }
        let now = self.0.foundation.clock.now();
        let Some(claims) = Claims::open(&self.0.foundation.store, token) else {
            return self.0.real.consumer(token, now, may_look).await?.ok_or_else(UnknownConsumer::invalid_token);
        };
        if claims.is_over(now) {
            return Err(UnknownConsumer::refused(42001, "access_token expired (wechat-proxy: get a new one)").ended());
        }
        let registered = self.0.foundation.directory.find(&claims.key, now).await?;
        let registered =
            registered.filter(|registered| registered.accepts_token_of(claims.mark, claims.issued_at, now));
        let registered = registered.ok_or_else(|| UnknownConsumer::invalid_token().ended())?;
        Ok(Consumer { registered, host: claims.host })
    }
}

/// Of registrations that share an account and its secret: one that may use all paths before one that may not, the oldest of
/// them. Whoever holds the AppSecret is bound by no registration.
fn widest(apps: &[App]) -> Option<&str> {
    let rank = |app: &&App| (!app.settings.call.is_empty(), app.created_at, app.key.clone());
    apps.iter().min_by_key(rank).map(|app| app.key.as_str())
}
