//! Tokens and tickets, shared by all processes on one database.
//!
//! A credential is renewed under a lease: [`Store::claim_credential`] gives it to one owner for a while, whatever number
//! of processes ask; the owner completes it with a value or a failure. A process that dies loses its lease when it ends.

mod due;
mod fingerprint;
mod row;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect, UpdateMany};
use secrecy::{ExposeSecret, SecretString};

use self::row::{credential_from, failure_json, place};
use crate::apps::MAX_APPID_BYTES;
use crate::changes::{Subject, announce};
use crate::database::limited;
use crate::entities::credentials::{ActiveModel, Column, Entity};
use crate::error::within;
use crate::{Store, StoreError, Timestamp};

pub use self::due::DueCredential;
pub use self::fingerprint::fingerprint;

/// The longest id of a credential, in bytes.
pub const MAX_CREDENTIAL_ID_BYTES: usize = 320;
/// The longest name of a lease's owner, in bytes.
pub const MAX_OWNER_BYTES: usize = 128;

/// A token or ticket with all that is known about it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its name, chosen by the engine.
    pub id: String,
    /// The account that it belongs to.
    pub appid: String,
    /// The newest value; `None` until there was one. It may have expired.
    pub value: Option<SecretString>,
    /// When the value was asked for.
    pub issued_at: Option<Timestamp>,
    /// When the value ends.
    pub expires_at: Option<Timestamp>,
    /// When the next try is due: ahead of expiry after a value, [`Failure::retry_at`] after a failure.
    pub refresh_at: Timestamp,
    /// When somebody last forced a new value.
    pub forced_at: Option<Timestamp>,
    /// When somebody last asked for it (as precise as [`Store::mark_used`] is called).
    pub used_at: Timestamp,
    /// Counts outcomes, values and failures alike, from 0. A claim names it, so that nobody asks WeChat again who has
    /// not seen the latest outcome.
    pub version: i64,
    /// The last try, if it failed.
    pub failure: Option<Failure>,
    /// Who is renewing it. The lease may be over.
    pub lease: Option<Lease>,
}

impl Credential {
    /// One that nobody has asked for yet: what a missing row stands for.
    #[must_use]
    pub fn empty(id: &str, appid: &str) -> Self {
        Self {
            id: id.to_owned(),
            appid: appid.to_owned(),
            value: None,
            issued_at: None,
            expires_at: None,
            refresh_at: Timestamp::ZERO,
            forced_at: None,
            used_at: Timestamp::ZERO,
            version: 0,
            failure: None,
            lease: None,
        }
    }
}

/// Why the last try brought no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// WeChat's code; `None` when WeChat was not reached.
    pub errcode: Option<i64>,
    /// What happened. It must hold no secret: it is stored as it is.
    pub text: String,
    /// Failures in a row.
    pub count: u32,
    /// When this one happened.
    pub failed_at: Timestamp,
    /// Not before this moment again.
    pub retry_at: Timestamp,
}

/// Who renews a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The name that was given with the claim.
    pub owner: String,
    /// Others may take over from then on.
    pub until: Timestamp,
}

/// What a successful renewal brought.
#[derive(Clone, Debug)]
pub struct NewValue {
    /// The token or ticket.
    pub value: SecretString,
    /// When it was asked for.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When the next one is due.
    pub refresh_at: Timestamp,
    /// Set when the renewal was forced; `None` keeps what is stored.
    pub forced_at: Option<Timestamp>,
}

impl Store {
    /// One credential.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::WrongMasterKey`] or [`StoreError::Corrupt`] when it does not open.
    pub async fn credential(&self, id: &str) -> Result<Option<Credential>, StoreError> {
        let row = limited(Entity::find_by_id(id.as_bytes().to_vec()).one(self.database.reader())).await?;
        row.map(|row| credential_from(&self.keyring, row)).transpose()
    }

    /// Takes the lease of a credential for `owner` until `until`. True for exactly one of all who try with the same
    /// `version` (that of the credential as read; 0 when there is none: it is then created, used at `now`). False: it
    /// changed since, or another's lease is not over at `now`; read it again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::TooLong`].
    pub async fn claim_credential(
        &self,
        id: &str,
        appid: &str,
        owner: &str,
        version: i64,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        within("the id of a credential", MAX_CREDENTIAL_ID_BYTES, id)?;
        within("the appid", MAX_APPID_BYTES, appid)?;
        within("the owner of a lease", MAX_OWNER_BYTES, owner)?;
        let lease = ActiveModel {
            lease_owner: Set(Some(owner.as_bytes().to_vec())),
            lease_until: Set(Some(until.as_millis())),
            due_at: Set(until.as_millis()),
            ..ActiveModel::default()
        };
        let claim = Entity::update_many()
            .set(lease.clone())
            .filter(one(id))
            .filter(Column::Version.eq(version))
            .filter(without_lease(now));
        let first = ActiveModel {
            id: Set(id.as_bytes().to_vec()),
            appid: Set(appid.as_bytes().to_vec()),
            refresh_at: Set(now.as_millis()),
            used_at: Set(now.as_millis()),
            version: Set(0),
            ..lease
        };
        let (claim, first) = (&claim, &first);
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                if claim.clone().exec(tx).await?.rows_affected == 1 {
                    return Ok(true);
                }
                if version != 0 || exists(tx, id).await? {
                    return Ok(false);
                }
                Entity::insert(first.clone()).exec_without_returning(tx).await?;
                Ok(true)
            })
            .await
    }

    /// Stores a new value and ends the lease. False, and nothing is changed: `owner` no longer holds the lease.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; the value may then have been stored all the same.
    pub async fn complete_credential(&self, id: &str, owner: &str, new: &NewValue) -> Result<bool, StoreError> {
        let sealed = self.keyring.seal(place(id.as_bytes()), new.value.expose_secret().as_bytes())?;
        let outcome = ActiveModel {
            value: Set(Some(sealed)),
            fingerprint: Set(Some(fingerprint(&new.value).to_vec())),
            issued_at: Set(Some(new.issued_at.as_millis())),
            expires_at: Set(Some(new.expires_at.as_millis())),
            forced_at: new.forced_at.map_or(sea_orm::NotSet, |at| Set(Some(at.as_millis()))),
            failure: Set(None),
            ..outcome(new.refresh_at)
        };
        self.finish(id, owner, outcome, new.issued_at).await
    }

    /// Records a failure, keeps the old value, and ends the lease. False: as for [`Store::complete_credential`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn fail_credential(&self, id: &str, owner: &str, failure: &Failure) -> Result<bool, StoreError> {
        let json = failure_json(id, failure)?;
        let outcome = ActiveModel { failure: Set(Some(json)), ..outcome(failure.retry_at) };
        self.finish(id, owner, outcome, failure.failed_at).await
    }

    async fn finish(&self, id: &str, owner: &str, row: ActiveModel, now: Timestamp) -> Result<bool, StoreError> {
        let update = &held(id, owner).set(row).col_expr(Column::Version, Expr::col(Column::Version).add(1));
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                let done = update.clone().exec(tx).await?.rows_affected == 1;
                if done {
                    announce(tx, &Subject::Credential(id.to_owned()), now).await?;
                }
                Ok(done)
            })
            .await
    }

    /// Gives a lease back without an outcome: the credential is due again as it was before, and one that the claim created
    /// is gone again. Does nothing when `owner` no longer holds it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn release_credential(&self, id: &str, owner: &str) -> Result<(), StoreError> {
        let update = &held(id, owner)
            .col_expr(Column::DueAt, Expr::col(Column::RefreshAt))
            .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
            .col_expr(Column::LeaseOwner, Expr::value(None::<Vec<u8>>));
        let created = &Entity::delete_many()
            .filter(one(id))
            .filter(Column::LeaseOwner.eq(owner.as_bytes().to_vec()))
            .filter(Column::Version.eq(0));
        self.database
            .write(|tx| async move {
                if created.clone().exec(&*tx).await?.rows_affected == 0 {
                    update.clone().exec(&*tx).await?;
                }
                Ok(())
            })
            .await
    }

    /// Removes a credential that no registration needs any more, if it has still this version and nobody is renewing it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove_credential(&self, id: &str, version: i64, now: Timestamp) -> Result<(), StoreError> {
        let unused =
            &Entity::delete_many().filter(one(id)).filter(Column::Version.eq(version)).filter(without_lease(now));
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                if unused.clone().exec(tx).await?.rows_affected == 1 {
                    announce(tx, &Subject::Credential(id.to_owned()), now).await?;
                }
                Ok(())
            })
            .await
    }

    /// Forgets that renewing the credentials of an account failed, as after its secret was corrected: they are due at
    /// `now`. Answers their ids.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn clear_failures(&self, appid: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let failed = of(appid.as_bytes()).add(Column::Failure.is_not_null());
        let clear = ActiveModel { failure: Set(None), refresh_at: Set(now.as_millis()), ..ActiveModel::default() };
        let due = ActiveModel { due_at: Set(now.as_millis()), ..ActiveModel::default() };
        let (failed, clear, due) = (&failed, &clear, &due);
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                let ids = ids(tx, failed.clone()).await?;
                // While a lease is held, its end stays the moment for others.
                let free = failed.clone().add(Column::LeaseOwner.is_null());
                Entity::update_many().set(due.clone()).filter(free).exec(tx).await?;
                Entity::update_many().set(clear.clone()).filter(failed.clone()).exec(tx).await?;
                announce_all(tx, &ids, now).await
            })
            .await
    }
}

/// The columns that every outcome sets.
fn outcome(refresh_at: Timestamp) -> ActiveModel {
    ActiveModel {
        refresh_at: Set(refresh_at.as_millis()),
        due_at: Set(refresh_at.as_millis()),
        lease_owner: Set(None),
        lease_until: Set(None),
        ..ActiveModel::default()
    }
}

fn one(id: &str) -> Condition {
    Condition::all().add(Column::Id.eq(id.as_bytes().to_vec()))
}

/// Nobody holds the lease, or it is over.
fn without_lease(now: Timestamp) -> Condition {
    Condition::any().add(Column::LeaseOwner.is_null()).add(Column::LeaseUntil.lte(now.as_millis()))
}

fn of(appid: &[u8]) -> Condition {
    Condition::all().add(Column::Appid.eq(appid.to_vec()))
}

/// Removes all credentials of an account, whose last registration goes in the same transaction. Whoever is renewing
/// one loses its lease. Answers their ids.
pub(crate) async fn forget(tx: &impl ConnectionTrait, appid: &[u8], now: Timestamp) -> Result<Vec<String>, DbErr> {
    let ids = ids(tx, of(appid)).await?;
    Entity::delete_many().filter(of(appid)).exec(tx).await?;
    announce_all(tx, &ids, now).await
}

/// An update of the row whose lease `owner` holds.
fn held(id: &str, owner: &str) -> UpdateMany<Entity> {
    Entity::update_many().filter(one(id)).filter(Column::LeaseOwner.eq(owner.as_bytes().to_vec()))
}

async fn exists(db: &impl ConnectionTrait, id: &str) -> Result<bool, DbErr> {
    let query = Entity::find_by_id(id.as_bytes().to_vec()).select_only().column(Column::Version);
    Ok(query.into_tuple::<i64>().one(db).await?.is_some())
}

async fn ids(db: &impl ConnectionTrait, which: Condition) -> Result<Vec<Vec<u8>>, DbErr> {
    Entity::find().select_only().column(Column::Id).filter(which).order_by_asc(Column::Id).into_tuple().all(db).await
}

/// Answers the ids as text.
async fn announce_all(tx: &impl ConnectionTrait, ids: &[Vec<u8>], now: Timestamp) -> Result<Vec<String>, DbErr> {
    let ids: Vec<String> = ids.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect();
    for id in &ids {
        announce(tx, &Subject::Credential(id.clone()), now).await?;
    }
    Ok(ids)
}
