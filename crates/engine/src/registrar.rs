//! Making, changing and removing registrations: what `/register`, `/admin/apps` and the command line do.
//!
//! What must stay true: nothing is stored half, and nothing at all before WeChat confirmed appid and secret (unless
//! the caller said `check=false`); a change made by two callers at once loses neither.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use store::{App, PreviousKey, Removed, Secrets, Settings, StoreError, Timestamp};
use wechat::Errcode;

use crate::apps::merchants::{self, MerchantProblem};
use crate::apps::parameters::{Change, ListField, PlainField, Registration, Rotation, SecretField};
use crate::credential_error::CredentialError;
use crate::credentials::decide::same;
use crate::credentials::{Credentials, PATIENCE};
use crate::foundation::Foundation;
use crate::random::secret_key;
use crate::slot::SlotId;

/// How long the api_key before a rotation stays good.
pub const ROTATION_OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// So many api_keys before the current one are kept at most; a rotation too many in one day ends the oldest.
const MOST_PREVIOUS_KEYS: usize = 10;

/// How often a change is tried again when somebody else changed the same registration in between.
const TRIES: u32 = 20;

/// Makes, changes and removes registrations.
pub struct Registrar {
    foundation: Arc<Foundation>,
    credentials: Credentials,
}

/// What a registration brought about.
#[derive(Debug)]
pub struct Receipt {
    /// The registered name.
    pub key: String,
    /// True when there was no such registration before.
    pub created: bool,
    /// The api_key, when it is new: this is the only time that it is told.
    pub api_key: Option<SecretString>,
}

/// Why a registration was not made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The name belongs to another account.
    #[error("the key '{key}' belongs to another appid; choose another key, or remove that registration first")]
    OtherAppid {
        /// The name.
        key: String,
    },
    /// WeChat did not confirm appid and secret.
    #[error("nothing was stored, because appid and secret could not be confirmed: {0}")]
    Unconfirmed(#[from] CredentialError),
    /// What is registered of a merchant does not fit together.
    #[error("nothing was stored: {0}")]
    Merchant(#[from] MerchantProblem),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Others kept changing it.
    #[error("others keep changing this registration at the same time; nothing was stored, try again")]
    Busy,
}

impl Registrar {
    /// A registrar on this foundation.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, credentials: Credentials) -> Self {
        Self { foundation, credentials }
    }

    /// Creates the registration, or merges the given parameters into it.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing was stored then.
    pub async fn register(&self, registration: &Registration) -> Result<Receipt, RegisterError> {
        let confirmed = self.confirm(registration).await?;
        for _ in 0..TRIES {
            if let Some(receipt) = self.try_register(registration, confirmed).await? {
                return Ok(receipt);
            }
        }
        Err(RegisterError::Busy)
    }

    /// Removes a registration; with the last one of an account its tokens go too. `false`: there was none.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses.
    pub async fn remove(&self, key: &str) -> Result<bool, StoreError> {
        let removed = self.foundation.store.remove_app(key, self.foundation.clock.now()).await?;
        let Some(Removed { key, credentials }) = removed else { return Ok(false) };
        self.foundation.directory.drop_loaded(&key);
        self.credentials.changed(&credentials).await?;
        Ok(true)
    }

    /// Revokes all virtual tokens that SDKs got for this registration until now, on all nodes within a second. `false`: there
    /// is no such registration.
    ///
    /// # Errors
    /// [`RegisterError::Store`], [`RegisterError::Busy`]; nothing was revoked then.
    pub async fn revoke_tokens(&self, key: &str) -> Result<bool, RegisterError> {
        for _ in 0..TRIES {
            let Some(mut app) = self.foundation.store.app(key).await? else { return Ok(false) };
            let now = self.foundation.clock.now();
            app.settings.tokens_revoked_at = Some(now.as_millis());
            app.updated_at = now;
            let stored = self.foundation.store.update_app(&app).await?;
            self.foundation.directory.drop_loaded(key);
            if stored {
                return Ok(true);
            }
        }
        Err(RegisterError::Busy)
    }

    /// Registrations in the order of their names, `limit` of them, from the one after `after` on.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn list(&self, after: Option<&str>, limit: u64) -> Result<Vec<App>, StoreError> {
        self.foundation.store.apps(after, limit).await
    }

    /// Asks WeChat about appid and secret, unless the caller wants it unchecked or WeChat confirmed it already.
    async fn confirm(&self, registration: &Registration) -> Result<Confirmation, RegisterError> {
        // A key of another account is refused before WeChat is asked: asking could cost that account a token.
        self.existing(registration).await?;
        if !registration.check {
            return Ok(Confirmation::Unchecked);
        }
        let proof = tokio::time::timeout(PATIENCE, self.prove(registration)).await;
        proof.unwrap_or(Err(CredentialError::TimedOut)).map_err(RegisterError::from)
    }

    async fn prove(&self, registration: &Registration) -> Result<Confirmation, CredentialError> {
        let Registration { appid, secret, .. } = registration;
        let wecom = SlotId::wecom(appid, secret);
        if appid.is_surely_wecom() {
            self.prove_once(wecom, secret).await?;
            return Ok(Confirmation::Wecom);
        }
        let known = self.foundation.store.app(registration.key.as_str()).await?;
        let mode = registration.token_mode().or(known.map(|app| app.settings.token_mode)).unwrap_or_default();
        match self.prove_once(SlotId::new(mode.into(), appid), secret).await {
            Ok(()) => Ok(Confirmation::Account),
            // Older WeCom corporations have ids that look like an official account's.
            Err(CredentialError::Refused { error, retry_in }) if error.errcode == Errcode::INVALID_APPID => {
                let also_refused = |_| CredentialError::Refused { error, retry_in };
                self.prove_once(wecom, secret).await.map(|()| Confirmation::Wecom).map_err(also_refused)
            }
            Err(error) => Err(error),
        }
    }

    /// A secret that WeChat confirmed, and whose token is good and was last refreshed without trouble, is not asked
    /// about again: with classic tokens each question would cost the account its current token.
    async fn prove_once(&self, id: SlotId, secret: &SecretString) -> Result<(), CredentialError> {
        let now = self.foundation.clock.now();
        let apps = self.foundation.store.apps_of(id.appid.as_str()).await?;
        let confirmed = apps.iter().any(|app| app.secret_checked_at.is_some() && same(&app.secrets.secret, secret));
        let slot = self.foundation.slots.slot(id.clone());
        if confirmed && slot.failure().is_none() && slot.valid(now).is_some() {
            return Ok(());
        }
        self.credentials.prove(id, secret).await
    }

    /// The stored registration, if it is alive and of this account.
    async fn existing(&self, registration: &Registration) -> Result<Option<App>, RegisterError> {
        let key = registration.key.as_str();
        let Some(app) = self.foundation.store.app(key).await? else { return Ok(None) };
        let now = self.foundation.clock.now();
        if app.expires_at.is_some_and(|end| end <= now) {
            self.remove(key).await?;
            return Ok(None);
        }
        if app.appid != registration.appid.as_str() {
            return Err(RegisterError::OtherAppid { key: key.to_owned() });
        }
        Ok(Some(app))
    }

    /// `None`: somebody else changed something in between; look again.
    async fn try_register(
        &self,
        registration: &Registration,
        confirmed: Confirmation,
    ) -> Result<Option<Receipt>, RegisterError> {
        let now = self.foundation.clock.now();
        let existing = self.existing(registration).await?;
        let created = existing.is_none();
        let (mut app, mut api_key) = match existing {
            Some(app) => (app, None),
            None => self.fresh(registration, now),
        };
        if let Some(rotation) = registration.rotate.filter(|_| !created) {
            api_key = Some(self.rotate(&mut app, rotation, now));
        }
        registration.apply(&mut app, now);
        merchants::check(&app)?;
        let secret_changed = !same(&app.secrets.secret, &registration.secret);
        app.secrets.secret = registration.secret.clone();
        app.secret_checked_at = confirmed.checked_at(now).or(app.secret_checked_at.filter(|_| !secret_changed));
        app.updated_at = now;
        if !self.store_all(&app, created, confirmed).await? {
            return Ok(None);
        }
        self.foundation.directory.drop_loaded(&app.key);
        // The registration is stored and its api_key told only this once: nothing may take the receipt away any more.
        if let Err(error) = self.forget_failures(&app.appid, now).await {
            tracing::warn!(key = app.key, %error, "registered, but a refusal from before is remembered until its time");
        }
        Ok(Some(Receipt { key: app.key, created, api_key }))
    }

    async fn forget_failures(&self, appid: &str, now: Timestamp) -> Result<(), StoreError> {
        let cleared = self.foundation.store.clear_failures(appid, now).await?;
        self.credentials.changed(&cleared).await
    }

    fn fresh(&self, registration: &Registration, now: Timestamp) -> (App, Option<SecretString>) {
        let api_key = secret_key(&*self.foundation.random);
        let app = App {
            key: registration.key.as_str().to_owned(),
            appid: registration.appid.as_str().to_owned(),
            settings: Settings::default(),
            secrets: Secrets::new(registration.secret.clone(), api_key.clone()),
            secret_checked_at: None,
            expires_at: None,
            created_at: now,
            updated_at: now,
            // From the clock, so that who read a registration of this name that is gone by now cannot overwrite this one.
            revision: now.as_millis(),
        };
        (app, Some(api_key))
    }

    fn rotate(&self, app: &mut App, rotation: Rotation, now: Timestamp) -> SecretString {
        let new = secret_key(&*self.foundation.random);
        let old = std::mem::replace(&mut app.secrets.api_key, new.clone());
        let previous = &mut app.secrets.previous_api_keys;
        match rotation {
            Rotation::Overlap => previous.push(PreviousKey { key: old, good_until: now + ROTATION_OVERLAP }),
            Rotation::Revoke => previous.clear(),
        }
        previous.retain(|previous| now < previous.good_until);
        let too_many = previous.len().saturating_sub(MOST_PREVIOUS_KEYS);
        previous.drain(..too_many);
        new
    }

    /// Stores `app`; a secret that WeChat confirmed for the account goes to all its registrations, in one commit (a new
    /// registration is stored before it).
    async fn store_all(&self, app: &App, created: bool, confirmed: Confirmation) -> Result<bool, StoreError> {
        let mut others = Vec::new();
        if confirmed == Confirmation::Account {
            others = self.foundation.store.apps_of(&app.appid).await?;
            others.retain(|other| other.key != app.key && !same(&other.secrets.secret, &app.secrets.secret));
        }
        for other in &mut others {
            other.secrets.secret = app.secrets.secret.clone();
            other.secret_checked_at = app.secret_checked_at;
            other.updated_at = app.updated_at;
        }
        if created && !self.foundation.store.insert_app(app).await? {
            return Ok(false);
        }
        if !created {
            others.push(app.clone());
        }
        if others.is_empty() {
            return Ok(true);
        }
        let stored = self.foundation.store.update_apps(&others).await;
        others.iter().for_each(|other| self.foundation.directory.drop_loaded(&other.key));
        if !created {
            return stored;
        }
        // A new registration stands, and its secret is the one that refreshes use: it was confirmed last.
        if let Err(error) = stored {
            tracing::warn!(key = app.key, %error, "registered; other registrations of the account keep their old secret");
        }
        Ok(true)
    }
}

/// What WeChat said about appid and secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmation {
    Unchecked,
    Account,
    Wecom,
}

impl Confirmation {
    fn checked_at(self, now: Timestamp) -> Option<Timestamp> {
        (self != Self::Unchecked).then_some(now)
    }
}

impl Registration {
    fn token_mode(&self) -> Option<store::TokenMode> {
        self.changes.iter().find_map(|change| match change {
            Change::TokenMode(mode) => Some(*mode),
            _ => None,
        })
    }

    /// Merges the optional parameters into `app`.
    fn apply(&self, app: &mut App, now: Timestamp) {
        for change in &self.changes {
            match change {
                Change::Plain(field, value) => *plain_place(&mut app.settings, *field) = value.clone(),
                Change::Secret(field, value) => *secret_place(&mut app.secrets, *field) = value.clone(),
                Change::List(field, values) => *list_place(&mut app.settings, *field) = values.clone(),
                Change::TokenMode(mode) => app.settings.token_mode = *mode,
                Change::Pay(version) => app.settings.pay = *version,
                Change::Expires(life) => app.expires_at = life.map(|life| now + life),
            }
        }
    }
}

fn plain_place(settings: &mut Settings, field: PlainField) -> &mut Option<String> {
    match field {
        PlainField::MchId => &mut settings.mch_id,
        PlainField::ServerIp => &mut settings.server_ip,
        PlainField::MchSerial => &mut settings.mch_serial,
        PlainField::PayKeyId => &mut settings.pay_key_id,
        PlainField::PayPublicKey => &mut settings.pay_public_key,
        PlainField::WebAppid => &mut settings.web_appid,
        PlainField::Agentid => &mut settings.agentid,
    }
}

fn secret_place(secrets: &mut Secrets, field: SecretField) -> &mut Option<SecretString> {
    match field {
        SecretField::Token => &mut secrets.token,
        SecretField::Aes => &mut secrets.aes,
        SecretField::MchKey => &mut secrets.mch_key,
        SecretField::MchPrivateKey => &mut secrets.mch_private_key,
        SecretField::Apiv3Key => &mut secrets.apiv3_key,
        SecretField::MchCert => &mut secrets.mch_cert,
        SecretField::WebSecret => &mut secrets.web_secret,
    }
}

fn list_place(settings: &mut Settings, field: ListField) -> &mut Vec<String> {
    match field {
        ListField::Call => &mut settings.call,
        ListField::Allow => &mut settings.allow,
        ListField::MsgCall => &mut settings.msg_call,
        ListField::PayCall => &mut settings.pay_call,
        ListField::Verify => &mut settings.verify,
    }
}
