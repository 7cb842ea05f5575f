//! Does the key file belong to this database?
//!
//! The database remembers the id of every key that was ever first in the ring, each with a text sealed under it. A ring
//! that holds none of them is refused before anything is written: values sealed under a wrong key would be a second,
//! silent loss beside the first.

use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryOrder};
use sea_orm_migration::SchemaManager;

use crate::database::{Database, limited};
use crate::entities::master_keys::{ActiveModel, Column, Entity, Model};
use crate::seal::{KeyId, Place};
use crate::{Keyring, StoreError, Timestamp};

const PROOF: &[u8] = b"wechat-proxy master key proof";

/// Refuses a ring that does not fit, without writing.
pub(crate) async fn check(db: &DatabaseConnection, ring: &Keyring) -> Result<(), StoreError> {
    let schema = SchemaManager::new(db);
    if !limited(schema.has_table("master_keys")).await? {
        return Ok(());
    }
    fits(&limited(all(db)).await?, ring)
}

/// Checks the ring, and adds its first key where it is not known yet: on the first start and after a rotation.
pub(crate) async fn remember(database: &Database, ring: &Keyring, now: Timestamp) -> Result<(), StoreError> {
    let first = ring.first_id()?;
    let proof = ring.seal(place(&first), PROOF)?;
    let (first, proof) = (&first, &proof);
    let seen = database
        .write(|tx| async move {
            let tx = &*tx;
            let known = all(tx).await?;
            let is_known = known.iter().any(|row| row.key_id == first.0);
            // The check comes inside: whoever starts at the same moment may have been first, with another key.
            if fits(&known, ring).is_ok() && !is_known {
                let row = ActiveModel {
                    number: Set(known.last().map_or(1, |row| row.number.saturating_add(1))),
                    key_id: Set(first.0.to_vec()),
                    proof: Set(proof.clone()),
                    created_at: Set(now.as_millis()),
                };
                Entity::insert(row).exec_without_returning(tx).await?;
            }
            Ok(known)
        })
        .await?;
    fits(&seen, ring)
}

async fn all(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Number).all(db).await
}

fn fits(known: &[Model], ring: &Keyring) -> Result<(), StoreError> {
    let mut ids = Vec::with_capacity(known.len());
    for row in known {
        let id = row.key_id.as_slice().try_into().map(KeyId);
        ids.push((id.map_err(|_| StoreError::corrupt("table master_keys holds an id of a wrong length"))?, row));
    }
    let mut held = ids.iter().filter(|(id, _)| ring.holds(*id)).peekable();
    if held.peek().is_none() && !ids.is_empty() {
        return Err(ring.misses(&ids.iter().map(|(id, _)| *id).collect::<Vec<_>>()));
    }
    for (id, row) in held {
        if ring.open(place(id), &row.proof)?.as_slice() != PROOF {
            return Err(StoreError::corrupt("table master_keys holds a wrong proof"));
        }
    }
    Ok(())
}

fn place(id: &KeyId) -> Place<'_> {
    Place { table: "master_keys", column: "proof", row: &id.0 }
}
