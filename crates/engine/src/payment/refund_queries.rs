//! `/pay/refund/query`: how a refund stands, or all refunds of an order; the same from both versions.
//!
//! What must stay true: what WeChat says on the way is settled like a notification; a refund of another registration is
//! not told.

use std::sync::Arc;

use serde_json::{Map, Value};
use store::{RefundId, RefundState};
use wechat::pay::{Operation, PaymentNo, RefundNo, RefundStatus, Version};

use super::enquiries::told;
use super::exchange::Said;
use super::refunded::Refunded;
use super::refunds::out_refund_no;
use super::watch::is_unknown;
use super::{Inner, PayError, Payment, version_of};
use crate::apps::Registered;

/// So many refunds of one order are told at once, as API v2 does.
const MOST_REFUNDS: usize = 10;

impl Payment {
    /// How a refund stands, asked at WeChat now.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn query_refund(
        &self,
        registered: &Arc<Registered>,
        number: &RefundNo,
    ) -> Result<Map<String, Value>, PayError> {
        match number {
            RefundNo::Payment(payment) if self.0.asks_by_v3(registered).await? => {
                self.0.query_refunds_of(registered, payment).await
            }
            _ => self.0.query_refund(registered, number).await,
        }
    }
}

impl Inner {
    async fn asks_by_v3(&self, registered: &Arc<Registered>) -> Result<bool, PayError> {
        Ok(self.till(registered, None).await?.version == Version::V3)
    }

    /// API v3 knows refunds by their own number only: those of an order are asked about one by one.
    async fn query_refunds_of(
        &self,
        registered: &Arc<Registered>,
        payment: &PaymentNo,
    ) -> Result<Map<String, Value>, PayError> {
        let (_, order) = self.order_of(registered, payment).await?;
        let order = order.ok_or(PayError::Unknown)?;
        let mut refunds = self.store.refunds_of(order.id).await?;
        refunds.retain(|refund| refund.state != RefundState::Refused);
        let mut all = Map::new();
        for (place, refund) in refunds.iter().take(MOST_REFUNDS).enumerate() {
            let one = Box::pin(self.query_refund(registered, &out_refund_no(refund)?)).await?;
            for (name, value) in one {
                match name.strip_suffix("_0") {
                    Some(name) => _ = all.insert(format!("{name}_{place}"), value),
                    None => _ = all.entry(name).or_insert(value),
                }
            }
        }
        if all.is_empty() {
            return Err(PayError::Unknown);
        }
        all.insert("refund_count".to_owned(), refunds.len().min(MOST_REFUNDS).into());
        Ok(all)
    }

    pub(super) async fn query_refund(
        &self,
        registered: &Arc<Registered>,
        number: &RefundNo,
    ) -> Result<Map<String, Value>, PayError> {
        let till = self.till(registered, None).await?;
        let mch_id = till.merchant()?.mch_id().to_owned();
        let known = match number {
            RefundNo::OutRefundNo(number) => self.store.refund(RefundId::of(&mch_id, number.as_str())).await?,
            _ => None,
        };
        if known.as_ref().is_some_and(|refund| refund.app_key != registered.app.key) {
            return Err(PayError::Unknown);
        }
        let version = known.as_ref().map(|refund| version_of(refund.version));
        let till = self.till(registered, version).await.unwrap_or(till);
        let appid = registered.app.appid.as_str();
        let query =
            self.ask(&till, Operation::QueryRefund, |merchant, stamp| merchant.query_refund(appid, number, stamp));
        let answer = match query.await? {
            Said::Done(answer) => answer,
            Said::Refused(refusal) if is_unknown(&refusal) => return Err(PayError::Unknown),
            Said::Refused(refusal) => return Err(PayError::Refused(refusal)),
            Said::NotSent(reason) => return Err(PayError::NotSent(reason)),
            Said::Unclear(reason) => return Err(PayError::Unclear(reason)),
        };
        if let Some(refund) = &known
            && let Some(said) = Refunded::of_answer(&answer, refund)
            && said.status != RefundStatus::Processing
        {
            let settled = self.settle_refund(registered, &said).await;
            settled.map_err(|error| PayError::Conflict(error.to_string()))?;
        }
        let mut fields = told(answer);
        fields.entry("appid").or_insert_with(|| appid.into());
        Ok(fields)
    }
}
