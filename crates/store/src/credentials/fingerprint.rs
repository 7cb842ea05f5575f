//! Fingerprints: how a credential is found by the token that somebody shows.
//!
//! Asked when a call brings an access_token of its own and it has to be known whose that is. What must stay true: the
//! fingerprint is written with the value and in no other way.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::row::text;
use crate::database::limited;
use crate::entities::credentials::{Column, Entity};
use crate::{Store, StoreError};

/// What stands before the value, so that this hash is no other hash of the same value.
const DOMAIN: &[u8] = b"wechat-proxy token\0";

/// The fingerprint of a token or ticket: the first 16 bytes of the SHA-256 of `wechat-proxy token`, a zero byte and the
/// value.
///
/// It may stand in a table as it is, other than the value: WeChat's tokens are long and random, so nobody can find one by
/// trying, and a fingerprint opens nothing. (For a password, which people choose, the same would be a mistake.)
#[must_use]
pub fn fingerprint(value: &SecretString) -> [u8; 16] {
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(value.expose_secret()).finalize();
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(hash) {
        *to = from;
    }
    first
}

impl Store {
    /// The id of the credential whose newest value has this fingerprint; the first by its bytes if several have that value.
    ///
    /// A value from before the database knew fingerprints is not found until it is renewed. A node of that older version may
    /// also renew one and leave the fingerprint of the value before: who needs to be sure compares the value.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn credential_with_fingerprint(&self, fingerprint: [u8; 16]) -> Result<Option<String>, StoreError> {
        let query = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Fingerprint.eq(fingerprint.to_vec()))
            .order_by_asc(Column::Id)
            .limit(1);
        let id: Option<Vec<u8>> = limited(query.into_tuple().one(self.database.reader())).await?;
        id.map(text).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_what_it_always_was() {
        // printf 'wechat-proxy token\0%s' 25_token | sha256sum | cut -c1-32
        assert_eq!(hex::encode(fingerprint(&"25_token".into())), "f591c8cc0a2098524ed6544082755f33");
        assert_ne!(fingerprint(&"25_token".into()), fingerprint(&"25_tokem".into()));
    }
}
