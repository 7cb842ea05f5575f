//! Logins: round trips to WeChat that are over, and tickets with which a backend asks, once, who its visitor is.
//!
//! What must stay true: a round trip is spent once and a ticket taken once, on however many nodes; a visitor's data is
//! sealed, and the table knows a ticket only by its hash.

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use secrecy::zeroize::Zeroizing;

use crate::database::limited;
use crate::entities::{login_tickets, spent_round_trips};
use crate::seal::Place;
use crate::{Store, StoreError, Timestamp};

impl Store {
    /// Uses a round trip up; it is remembered until `ends_at`, when nobody believes it any more anyway. False: it was
    /// used up before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn spend_round_trip(&self, id: [u8; 16], ends_at: Timestamp) -> Result<bool, StoreError> {
        use spent_round_trips::{ActiveModel, Column, Entity};
        let row = &ActiveModel { id: Set(id.to_vec()), ends_at: Set(ends_at.as_millis()) };
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                let known = Entity::find_by_id(id.to_vec()).select_only().column(Column::EndsAt);
                if known.into_tuple::<i64>().one(tx).await?.is_some() {
                    return Ok(false);
                }
                // Whoever comes second in the same moment is refused by the primary key, and looks again.
                Entity::insert(row.clone()).exec_without_returning(tx).await?;
                Ok(true)
            })
            .await
    }

    /// Keeps a visitor for whoever shows the ticket with this hash, until `ends_at`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn keep_login(
        &self,
        ticket_hash: [u8; 16],
        key: &str,
        visitor: &[u8],
        ends_at: Timestamp,
    ) -> Result<(), StoreError> {
        use login_tickets::{ActiveModel, Entity};
        let row = &ActiveModel {
            id: Set(ticket_hash.to_vec()),
            app_key: Set(key.as_bytes().to_vec()),
            ends_at: Set(ends_at.as_millis()),
            visitor: Set(self.keyring.seal(place(&ticket_hash), visitor)?),
        };
        let write = self
            .database
            .write(|tx| async move { Entity::insert(row.clone()).exec_without_returning(&*tx).await.map(drop) });
        write.await
    }

    /// Takes the visitor of a ticket of the registration `key`; `None`: there is none, it was taken before, or its time
    /// is over.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`] when it does not open.
    pub async fn take_login(
        &self,
        ticket_hash: [u8; 16],
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        use login_tickets::{Column, Entity};
        let find = Entity::find_by_id(ticket_hash.to_vec())
            .filter(Column::AppKey.eq(key.as_bytes().to_vec()))
            .filter(Column::EndsAt.gt(now.as_millis()));
        let Some(row) = limited(find.one(self.database.reader())).await? else { return Ok(None) };
        let delete = || Entity::delete_by_id(ticket_hash.to_vec());
        let taken = self.database.write(|tx| async move { delete().exec(&*tx).await }).await?;
        if taken.rows_affected != 1 {
            return Ok(None);
        }
        self.keyring.open(place(&ticket_hash), &row.visitor).map(Some)
    }

    /// Removes what is over at `now`; how many rows that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove_old_logins(&self, now: Timestamp) -> Result<u64, StoreError> {
        let trips =
            || spent_round_trips::Entity::delete_many().filter(spent_round_trips::Column::EndsAt.lte(now.as_millis()));
        let tickets =
            || login_tickets::Entity::delete_many().filter(login_tickets::Column::EndsAt.lte(now.as_millis()));
        let removed = self.database.write(|tx| async move {
            let tx = &*tx;
            Ok(trips().exec(tx).await?.rows_affected + tickets().exec(tx).await?.rows_affected)
        });
        removed.await
    }
}

fn place(ticket_hash: &[u8; 16]) -> Place<'_> {
    Place { table: "login_tickets", column: "visitor", row: ticket_hash }
}
