//! The files of registrations that prove to WeChat whose a domain is, found by their names.
//!
//! They stand in the settings of their registration; this table is an index over them, written in the same transaction.

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder};

use super::App;
use crate::database::limited;
use crate::entities::verify_files::{ActiveModel, Column, Entity};
use crate::{Store, StoreError};

impl Store {
    /// The content of the file `name` of any registration; of several, the one whose key comes first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn verify_file(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = Entity::find().filter(Column::Name.eq(name.as_bytes().to_vec())).order_by_asc(Column::AppKey);
        Ok(limited(query.one(self.database.reader())).await?.map(|row| row.content))
    }
}

/// Brings the files up to date with the settings of `app`.
pub(super) async fn replace(tx: &impl ConnectionTrait, app: &App) -> Result<(), DbErr> {
    remove(tx, &app.key).await?;
    let files = app.settings.verify.iter().filter_map(|file| file.split_once(':'));
    let rows: Vec<ActiveModel> = files
        .map(|(name, content)| ActiveModel {
            name: Set(name.as_bytes().to_vec()),
            app_key: Set(app.key.as_bytes().to_vec()),
            content: Set(content.as_bytes().to_vec()),
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    Entity::insert_many(rows).exec_without_returning(tx).await.map(drop)
}

/// Removes the files of a registration.
pub(super) async fn remove(tx: &impl ConnectionTrait, key: &str) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::AppKey.eq(key.as_bytes().to_vec())).exec(tx).await.map(drop)
}
