//! Values that belong to the whole server and to all nodes, such as the hash of the generated admin token.
//!
//! They are stored as they are given: what must stay secret is hashed or sealed by the caller.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

use crate::database::limited;
use crate::entities::server_settings::{ActiveModel, Column, Entity};
use crate::error::within;
use crate::{Store, StoreError};

/// The longest name of a setting, in bytes.
pub const MAX_SETTING_NAME_BYTES: usize = 128;

impl Store {
    /// The value of a setting.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = limited(Entity::find_by_id(name.as_bytes().to_vec()).one(self.database.reader())).await?;
        row.map(|row| String::from_utf8(row.value))
            .transpose()
            .map_err(|_| StoreError::corrupt(format!("the server setting {name:?} is not UTF-8")))
    }

    /// Sets what is not set yet. False: it is, by somebody else, whose value counts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::TooLong`].
    pub async fn insert_setting(&self, name: &str, value: &str) -> Result<bool, StoreError> {
        within("the name of a setting", MAX_SETTING_NAME_BYTES, name)?;
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                if Entity::find_by_id(name.as_bytes().to_vec()).one(tx).await?.is_some() {
                    return Ok(false);
                }
                Entity::insert(row(name, value)).exec_without_returning(tx).await?;
                Ok(true)
            })
            .await
    }

    /// Sets a setting, whatever it was.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::TooLong`].
    pub async fn put_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        within("the name of a setting", MAX_SETTING_NAME_BYTES, name)?;
        let replace = &OnConflict::column(Column::Name).update_column(Column::Value).to_owned();
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                Entity::insert(row(name, value)).on_conflict(replace.clone()).exec_without_returning(tx).await
            })
            .await
            .map(|_| ())
    }
}

fn row(name: &str, value: &str) -> ActiveModel {
    ActiveModel { name: Set(name.as_bytes().to_vec()), value: Set(value.as_bytes().to_vec()) }
}
