//! Certificates with which WeChat Pay signs for a merchant, so that every node can verify from its first moment on.
//!
//! Public, and so not sealed. The engine downloads them, proves them by the merchant's v3 key, and keeps them here.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Select};

use crate::database::limited;
use crate::entities::platform_certificates::{ActiveModel, Column, Entity, Model};
use crate::error::within;
use crate::ids::utf8;
use crate::payments::MAX_PAY_NAME_BYTES;
use crate::{Store, StoreError, Timestamp};

/// A certificate of WeChat Pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformCertificateRow {
    /// Its serial number, as `Wechatpay-Serial` names it.
    pub serial: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The certificate, PEM.
    pub pem: String,
}

impl Store {
    /// Keeps certificates of a merchant beside those that it has (one of the same serial number is replaced), and
    /// removes those of the merchant that are over at `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::TooLong`].
    pub async fn keep_platform_certificates(
        &self,
        mch_id: &str,
        certificates: &[PlatformCertificateRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        within("mch_id", MAX_PAY_NAME_BYTES, mch_id)?;
        let mut good: Vec<_> = certificates.iter().filter(|one| one.not_after > now).collect();
        // One order for everybody, so that two nodes cannot wait for each other.
        good.sort_by(|one, other| one.serial.cmp(&other.serial));
        let rows = &good.into_iter().map(|one| certificate_row(mch_id, one)).collect::<Result<Vec<_>, _>>()?;
        let mut again = OnConflict::columns([Column::MchId, Column::Serial]);
        let again = &again.update_columns([Column::NotBefore, Column::NotAfter, Column::Pem]).to_owned();
        let over = || {
            let of_merchant = Entity::delete_many().filter(Column::MchId.eq(mch_id.as_bytes().to_vec()));
            of_merchant.filter(Column::NotAfter.lte(now.as_millis()))
        };
        let kept = self.database.write(|tx| async move {
            let tx = &*tx;
            over().exec(tx).await?;
            // One at a time: PostgreSQL refuses to write one row twice in a statement.
            for row in rows {
                Entity::insert(row.clone()).on_conflict(again.clone()).exec_without_returning(tx).await?;
            }
            Ok(())
        });
        kept.await
    }

    /// The certificates of a merchant, the one that is valid longest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Corrupt`].
    pub async fn platform_certificates(&self, mch_id: &str) -> Result<Vec<PlatformCertificateRow>, StoreError> {
        let rows = Entity::find().filter(Column::MchId.eq(mch_id.as_bytes().to_vec()));
        Ok(self.certificates(rows).await?.into_iter().map(|(_, certificate)| certificate).collect())
    }

    /// The certificates of all merchants, each with its `mch_id`, in the order of these.
    ///
    /// # Errors
    /// As for [`Store::platform_certificates`].
    pub async fn all_platform_certificates(&self) -> Result<Vec<(String, PlatformCertificateRow)>, StoreError> {
        self.certificates(Entity::find()).await
    }

    async fn certificates(&self, query: Select<Entity>) -> Result<Vec<(String, PlatformCertificateRow)>, StoreError> {
        let query = query.order_by_asc(Column::MchId).order_by_desc(Column::NotAfter).order_by_asc(Column::Serial);
        limited(query.all(self.database.reader())).await?.into_iter().map(certificate_from).collect()
    }
}

fn certificate_row(mch_id: &str, certificate: &PlatformCertificateRow) -> Result<ActiveModel, StoreError> {
    within("the serial number of a certificate", MAX_PAY_NAME_BYTES, &certificate.serial)?;
    Ok(ActiveModel {
        mch_id: Set(mch_id.as_bytes().to_vec()),
        serial: Set(certificate.serial.as_bytes().to_vec()),
        not_before: Set(certificate.not_before.as_millis()),
        not_after: Set(certificate.not_after.as_millis()),
        pem: Set(certificate.pem.as_bytes().to_vec()),
    })
}

fn certificate_from(row: Model) -> Result<(String, PlatformCertificateRow), StoreError> {
    let certificate = PlatformCertificateRow {
        serial: utf8(row.serial)?,
        not_before: Timestamp::from_millis(row.not_before),
        not_after: Timestamp::from_millis(row.not_after),
        pem: utf8(row.pem)?,
    };
    Ok((utf8(row.mch_id)?, certificate))
}
