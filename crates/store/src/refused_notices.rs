//! Notifications of payments that were not believed: a wrong signature, another fee than the order's, an unknown
//! merchant.
//!
//! Kept so that people can find out why a payment is not seen. Anybody can send them, so only the newest of each
//! registration and reason stay, and keeping one costs a bounded amount of work.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::apps::MAX_KEY_BYTES;
use crate::database::limited;
use crate::entities::refused_notices::{ActiveModel, Column, Entity, Model};
use crate::error::within;
use crate::ids::{id_bytes, utf8};
use crate::{OrderId, Store, StoreError, Timestamp};

/// The longest `reason`, in bytes.
pub const MAX_NOTICE_REASON_BYTES: usize = 64;
/// How many of those beyond the bound one call removes: more than one, so that a lower bound is reached in time.
const BEYOND_AT_ONCE: u64 = 100;

/// A notification that was not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedNotice {
    /// Random.
    pub id: [u8; 16],
    /// The registration that it came to.
    pub app_key: String,
    /// The order that it claims to be about, where that is known.
    pub order: Option<OrderId>,
    /// When it came.
    pub at: Timestamp,
    /// Why it was refused, in one word such as `bad_signature`; at most [`MAX_NOTICE_REASON_BYTES`].
    pub reason: String,
    /// The rest, as the engine writes it down (JSON).
    pub detail: Vec<u8>,
}

impl Store {
    /// Keeps a refused notification, and of those of its registration with the same reason only the newest `at_most`; one
    /// that is older than these is gone at once. So what anybody can send does not push out what only WeChat can. After the bound was lowered it takes some calls until it is met. The same a second time
    /// changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::TooLong`].
    pub async fn keep_refused_notice(&self, notice: &RefusedNotice, at_most: u64) -> Result<(), StoreError> {
        let row = &notice_row(notice)?;
        // An update that changes nothing: MySQL has no "do nothing".
        let known = &OnConflict::column(Column::Id).update_column(Column::Id).to_owned();
        let kept = self.database.write(|tx| async move {
            let tx = &*tx;
            Entity::insert(row.clone()).on_conflict(known.clone()).exec_without_returning(tx).await?;
            let beyond = Entity::find()
                .select_only()
                .column(Column::Id)
                .filter(Column::AppKey.eq(notice.app_key.as_bytes().to_vec()))
                .filter(Column::Reason.eq(notice.reason.as_bytes().to_vec()))
                .order_by_desc(Column::At)
                .order_by_desc(Column::Id)
                .offset(at_most)
                .limit(BEYOND_AT_ONCE);
            let beyond: Vec<Vec<u8>> = beyond.into_tuple().all(tx).await?;
            if beyond.is_empty() {
                return Ok(());
            }
            Entity::delete_many().filter(Column::Id.is_in(beyond)).exec(tx).await.map(drop)
        });
        kept.await
    }

    /// The newest `limit` refused notifications, the newest first: of one registration or all, about one order or any.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn refused_notices(
        &self,
        app_key: Option<&str>,
        order: Option<OrderId>,
        limit: u64,
    ) -> Result<Vec<RefusedNotice>, StoreError> {
        let mut query = Entity::find().order_by_desc(Column::At).order_by_desc(Column::Id).limit(limit);
        if let Some(app_key) = app_key {
            query = query.filter(Column::AppKey.eq(app_key.as_bytes().to_vec()));
        }
        if let Some(order) = order {
            query = query.filter(Column::OrderId.eq(order.0.to_vec()));
        }
        limited(query.all(self.database.reader())).await?.into_iter().map(notice_from).collect()
    }
}

fn notice_row(notice: &RefusedNotice) -> Result<ActiveModel, StoreError> {
    within("the key of a registration", MAX_KEY_BYTES, &notice.app_key)?;
    within("the reason of a refusal", MAX_NOTICE_REASON_BYTES, &notice.reason)?;
    Ok(ActiveModel {
        id: Set(notice.id.to_vec()),
        app_key: Set(notice.app_key.as_bytes().to_vec()),
        order_id: Set(notice.order.map(|order| order.0.to_vec())),
        at: Set(notice.at.as_millis()),
        reason: Set(notice.reason.as_bytes().to_vec()),
        detail: Set(notice.detail.clone()),
    })
}

fn notice_from(row: Model) -> Result<RefusedNotice, StoreError> {
    Ok(RefusedNotice {
        id: id_bytes(row.id)?,
        app_key: utf8(row.app_key)?,
        order: row.order_id.map(id_bytes).transpose()?.map(OrderId),
        at: Timestamp::from_millis(row.at),
        reason: utf8(row.reason)?,
        detail: row.detail,
    })
}
