//! Registrations: what a team said about its account, and how it is kept.
//!
//! The engine reads them into memory and writes them on /register. Writes are optimistic: an update names the revision
//! that it saw, and is refused when somebody else was faster.

mod sealed;
mod verify_files;

use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait};
use sea_orm::{PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::changes::{Subject, announce};
use crate::credentials::forget;
use crate::database::limited;
use crate::entities::apps::{ActiveModel, Column, Entity, Model};
use crate::error::within;
use crate::{Store, StoreError, Timestamp};

/// The longest key of a registration, in bytes (64 characters of four).
pub const MAX_KEY_BYTES: usize = 256;
/// The longest appid, in bytes.
pub const MAX_APPID_BYTES: usize = 128;
/// How many expired registrations one call removes.
const EXPIRED_AT_ONCE: u64 = 500;

/// A registration.
#[derive(Clone, Debug)]
pub struct App {
    /// The registered name: any Unicode; case and spaces count.
    pub key: String,
    /// The account's id; several keys may share one.
    pub appid: String,
    /// What is not secret.
    pub settings: Settings,
    /// What is; sealed in the table.
    pub secrets: Secrets,
    /// When WeChat last confirmed appid and secret; `None` when nobody asked it.
    pub secret_checked_at: Option<Timestamp>,
    /// When the registration removes itself.
    pub expires_at: Option<Timestamp>,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes. A new registration starts with any number, usually 1.
    pub revision: i64,
}

/// The part of a registration that is no secret. Stored as JSON: fields that a later version adds are ignored by this
/// one, missing ones have their default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Which of WeChat's two token calls is used.
    pub token_mode: TokenMode,
    /// The merchant's number.
    pub mch_id: Option<String>,
    /// The address that v2 orders name as `spbill_create_ip`.
    pub server_ip: Option<String>,
    /// The serial number of the merchant's v3 certificate.
    pub mch_serial: Option<String>,
    /// The id of WeChat Pay's public key.
    pub pay_key_id: Option<String>,
    /// WeChat Pay's public key, PEM.
    pub pay_public_key: Option<String>,
    /// Forces a version of the pay API; `None`: v3 where its parameters are there.
    pub pay: Option<PayVersion>,
    /// Path prefixes that this key may use; empty: all.
    pub call: Vec<String>,
    /// Hosts that `call=` URLs may name.
    pub allow: Vec<String>,
    /// Backends for WeChat's messages, used when the request names none.
    pub msg_call: Vec<String>,
    /// Backends for payments that no order names, such as one that was placed before the proxy was there.
    pub pay_call: Vec<String>,
    /// The open platform's website application, for visitors outside WeChat.
    pub web_appid: Option<String>,
    /// The WeCom app that logins and `wx.agentConfig` are for.
    pub agentid: Option<String>,
    /// Files that prove domains to WeChat, each `NAME:CONTENT`.
    pub verify: Vec<String>,
    /// Virtual tokens made before this moment are refused; Unix milliseconds.
    pub tokens_revoked_at: Option<i64>,
}

/// Which call fetches the account's `access_token`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenMode {
    /// `cgi-bin/stable_token`.
    #[default]
    Stable,
    /// `cgi-bin/token`.
    Classic,
}

/// A version of WeChat Pay's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PayVersion {
    /// XML, signed with a shared key.
    V2,
    /// JSON, signed with certificates.
    V3,
}

/// The secret part of a registration.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The account's AppSecret.
    pub secret: SecretString,
    /// The token of WeChat's callbacks.
    pub token: Option<SecretString>,
    /// The EncodingAESKey of WeChat's callbacks.
    pub aes: Option<SecretString>,
    /// The merchant's v2 key.
    pub mch_key: Option<SecretString>,
    /// The merchant's private key for v3, PEM.
    pub mch_private_key: Option<SecretString>,
    /// The merchant's v3 key.
    pub apiv3_key: Option<SecretString>,
    /// The merchant's v2 client certificate with its key.
    pub mch_cert: Option<SecretString>,
    /// The AppSecret of the website application ([`Settings::web_appid`]).
    pub web_secret: Option<SecretString>,
    /// What the team's own servers show.
    pub api_key: SecretString,
    /// Those before, each still good for a while.
    pub previous_api_keys: Vec<PreviousKey>,
}

impl Secrets {
    /// The secrets that every registration has.
    #[must_use]
    pub fn new(secret: SecretString, api_key: SecretString) -> Self {
        Self {
            secret,
            token: None,
            aes: None,
            mch_key: None,
            mch_private_key: None,
            apiv3_key: None,
            mch_cert: None,
            web_secret: None,
            api_key,
            previous_api_keys: Vec::new(),
        }
    }
}

/// An api key that was replaced.
#[derive(Clone, Debug)]
pub struct PreviousKey {
    /// The key.
    pub key: SecretString,
    /// It is refused from then on.
    pub good_until: Timestamp,
}

/// A registration that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its name.
    pub key: String,
    /// The ids of the credentials that went with it, because it was the last one of its account.
    pub credentials: Vec<String>,
}

impl Store {
    /// One registration.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::WrongMasterKey`] or [`StoreError::Corrupt`] when it does not open.
    pub async fn app(&self, key: &str) -> Result<Option<App>, StoreError> {
        let row = limited(Entity::find_by_id(key.as_bytes().to_vec()).one(self.database.reader())).await?;
        row.map(|row| self.app_from(row)).transpose()
    }

    /// The next `limit` registrations after the key `after`, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As for [`Store::app`].
    pub async fn apps(&self, after: Option<&str>, limit: u64) -> Result<Vec<App>, StoreError> {
        let mut query = Entity::find().order_by_asc(Column::Key).limit(limit);
        if let Some(after) = after {
            query = query.filter(Column::Key.gt(after.as_bytes().to_vec()));
        }
        let rows = limited(query.all(self.database.reader())).await?;
        rows.into_iter().map(|row| self.app_from(row)).collect()
    }

    /// All registrations of one account, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As for [`Store::app`].
    pub async fn apps_of(&self, appid: &str) -> Result<Vec<App>, StoreError> {
        let query = Entity::find().filter(Column::Appid.eq(appid.as_bytes().to_vec())).order_by_asc(Column::Key);
        let rows = limited(query.all(self.database.reader())).await?;
        rows.into_iter().map(|row| self.app_from(row)).collect()
    }

    /// How many registrations there are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn count_apps(&self) -> Result<u64, StoreError> {
        limited(Entity::find().count(self.database.reader())).await
    }

    /// Stores a new registration. False: the key exists already, nothing was changed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::TooLong`].
    pub async fn insert_app(&self, app: &App) -> Result<bool, StoreError> {
        let row = &self.row_of(app, app.revision)?;
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                if exists(tx, &app.key).await? {
                    return Ok(false);
                }
                Entity::insert(row.clone()).exec_without_returning(tx).await?;
                verify_files::replace(tx, app).await?;
                announce(tx, &Subject::App(app.key.clone()), app.updated_at).await?;
                Ok(true)
            })
            .await
    }

    /// Replaces a registration that still has the revision `app.revision`; it then has the next one. False: it has
    /// another by now, or is gone; read it again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn update_app(&self, app: &App) -> Result<bool, StoreError> {
        self.update_apps(std::slice::from_ref(app)).await
    }

    /// As [`Store::update_app`] for several, all or none in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn update_apps(&self, apps: &[App]) -> Result<bool, StoreError> {
        let mut rows = Vec::with_capacity(apps.len());
        for app in apps {
            rows.push((app, self.row_of(app, app.revision.saturating_add(1))?));
        }
        // One order for everybody, so that two such updates cannot wait for each other.
        rows.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        let rows = &rows;
        let done = self.database.write(|tx| async move {
            for (app, row) in rows {
                update(&tx, app, row.clone()).await?;
            }
            Ok(())
        });
        match done.await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Removes a registration; with the last one of an account its credentials go too. `None`: there was none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove_app(&self, key: &str, now: Timestamp) -> Result<Option<Removed>, StoreError> {
        self.database.write(|tx| async move { remove(&*tx, key, Condition::all(), now).await }).await
    }

    /// As [`Store::remove_app`] for registrations that have expired (`expires_at <= now`), some hundred at a time. An
    /// empty answer means that none is left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn remove_expired_apps(&self, now: Timestamp) -> Result<Vec<Removed>, StoreError> {
        let expired = Condition::all().add(Column::ExpiresAt.lte(now.as_millis()));
        let query = Entity::find().select_only().column(Column::Key).filter(expired.clone());
        let query = query.order_by_asc(Column::Key).limit(EXPIRED_AT_ONCE);
        let keys: Vec<Vec<u8>> = limited(query.into_tuple().all(self.database.reader())).await?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys = &keys.into_iter().map(key_from).collect::<Result<Vec<_>, _>>()?;
        let expired = &expired;
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                let mut removed = Vec::new();
                for key in keys {
                    removed.extend(remove(tx, key, expired.clone(), now).await?);
                }
                Ok(removed)
            })
            .await
    }

    fn app_from(&self, row: Model) -> Result<App, StoreError> {
        let secrets = sealed::open(&self.keyring, &row.key, &row.secrets)?;
        let key = key_from(row.key)?;
        let unreadable = |what: &str| StoreError::corrupt(format!("the {what} of registration {key:?} is unreadable"));
        Ok(App {
            appid: String::from_utf8(row.appid).map_err(|_| unreadable("appid"))?,
            settings: serde_json::from_slice(&row.settings).map_err(|_| unreadable("settings column"))?,
            secrets,
            secret_checked_at: row.secret_checked_at.map(Timestamp::from_millis),
            expires_at: row.expires_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.created_at),
            updated_at: Timestamp::from_millis(row.updated_at),
            revision: row.revision,
            key,
        })
    }

    fn row_of(&self, app: &App, revision: i64) -> Result<ActiveModel, StoreError> {
        within("the key of a registration", MAX_KEY_BYTES, &app.key)?;
        within("the appid", MAX_APPID_BYTES, &app.appid)?;
        let settings = serde_json::to_vec(&app.settings)
            .map_err(|e| StoreError::corrupt(format!("the settings of {:?} are no JSON ({e})", app.key)))?;
        Ok(ActiveModel {
            key: Set(app.key.as_bytes().to_vec()),
            appid: Set(app.appid.as_bytes().to_vec()),
            settings: Set(settings),
            secrets: Set(sealed::seal(&self.keyring, app.key.as_bytes(), &app.secrets)?),
            secret_checked_at: Set(app.secret_checked_at.map(Timestamp::as_millis)),
            expires_at: Set(app.expires_at.map(Timestamp::as_millis)),
            created_at: Set(app.created_at.as_millis()),
            updated_at: Set(app.updated_at.as_millis()),
            revision: Set(revision),
        })
    }
}

/// Removes one registration if it is as `which` says.
async fn remove(
    tx: &impl ConnectionTrait,
    key: &str,
    which: Condition,
    now: Timestamp,
) -> Result<Option<Removed>, DbErr> {
    let one = || Entity::find_by_id(key.as_bytes().to_vec()).select_only().column(Column::Appid);
    let Some(appid) = one().into_tuple::<Vec<u8>>().one(tx).await? else { return Ok(None) };
    if Entity::delete_by_id(key.as_bytes().to_vec()).filter(which).exec(tx).await?.rows_affected != 1 {
        return Ok(None);
    }
    verify_files::remove(tx, key).await?;
    announce(tx, &Subject::App(key.to_owned()), now).await?;
    let others = Entity::find().filter(Column::Appid.eq(appid.clone())).select_only().column(Column::Revision);
    let is_last = others.limit(1).into_tuple::<i64>().one(tx).await?.is_none();
    let credentials = if is_last { forget(tx, &appid, now).await? } else { Vec::new() };
    Ok(Some(Removed { key: key.to_owned(), credentials }))
}

async fn exists(db: &impl ConnectionTrait, key: &str) -> Result<bool, DbErr> {
    let query = Entity::find_by_id(key.as_bytes().to_vec()).select_only().column(Column::Revision);
    Ok(query.into_tuple::<i64>().one(db).await?.is_some())
}

/// Fails with [`DbErr::RecordNotUpdated`] when the revision is another, which undoes the transaction.
async fn update(tx: &DatabaseTransaction, app: &App, row: ActiveModel) -> Result<(), DbErr> {
    let query = Entity::update_many()
        .set(row)
        .filter(Column::Key.eq(app.key.as_bytes().to_vec()))
        .filter(Column::Revision.eq(app.revision));
    if query.exec(tx).await?.rows_affected != 1 {
        return Err(DbErr::RecordNotUpdated);
    }
    verify_files::replace(tx, app).await?;
    announce(tx, &Subject::App(app.key.clone()), app.updated_at).await
}

fn key_from(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| StoreError::corrupt("the key of a registration is not UTF-8"))
}
