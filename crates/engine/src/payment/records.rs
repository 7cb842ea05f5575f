//! Orders and what became of each, to be listed and read; and their end.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use store::{
    MessageId, Order, OrderEvent, OrderFilter, OrderId, OrderState, Refund, RefundState, StoreError, Timestamp,
};
use tokio_util::sync::CancellationToken;

use super::ask::OrderAsk;
use super::{Payment, notices};
use crate::messages::shown;
use crate::records::Record;

/// Orders that were paid are kept this long: they can be refunded for a year.
const PAID_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);

/// All others, at least: an order lives seven days.
const OTHERS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often old orders are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(3600);

/// So many events of an order are shown.
const EVENTS: u64 = 500;

/// So many refused notifications are shown at most.
pub const MOST_REFUSED: u64 = 200;

/// The word for a state in a filter, and in a record.
pub const STATES: [(&str, OrderState); 6] = [
    ("placing", OrderState::Placing),
    ("unpaid", OrderState::Unpaid),
    ("paid", OrderState::Paid),
    ("refunded", OrderState::Refunded),
    ("closed", OrderState::Closed),
    ("refused", OrderState::Refused),
];

/// One order as it is shown. Amounts are fen, times Unix seconds with a fraction.
#[derive(Debug, Serialize)]
pub struct OrderRecord {
    id: String,
    key: String,
    appid: String,
    mch_id: String,
    out_trade_no: String,
    version: &'static str,
    trade_type: String,
    total_fee: i64,
    openid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    transaction_id: String,
    state: &'static str,
    created_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_at: Option<f64>,
    /// When WeChat is asked about it next; missing: it is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_query_at: Option<f64>,
    /// Who is told, without queries, which may hold secrets.
    call: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// What happened, in order of time; only when one order is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunds: Option<Vec<RefundRecord>>,
    /// What was told to whom, with every try.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<Record>>,
    /// Notifications about it that were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_notices: Option<Vec<Value>>,
}

#[derive(Debug, Serialize)]
struct RefundRecord {
    out_refund_no: String,
    refund_id: String,
    refund_fee: i64,
    state: &'static str,
    created_at: f64,
    updated_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_query_at: Option<f64>,
}

impl OrderRecord {
    /// Its id, `ord_…`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The record in one line: id, time (Unix seconds), registration, kind, fen, number, state.
    #[must_use]
    pub fn line(&self) -> String {
        let Self { id, created_at, key, trade_type, total_fee, out_trade_no, state, .. } = self;
        format!("{id}\t{created_at:.3}\t{key}\t{trade_type}\t{total_fee}\t{out_trade_no}\t{state}")
    }

    fn of(order: Order) -> Self {
        let asked: Option<OrderAsk> = serde_json::from_slice(&order.request).ok();
        let calls = asked.as_ref().map(|asked| asked.calls.as_slice()).unwrap_or_default();
        Self {
            id: order.id.to_string(),
            version: match order.version {
                store::PayVersion::V2 => "v2",
                store::PayVersion::V3 => "v3",
            },
            state: STATES.iter().find(|(_, state)| *state == order.state).map_or("", |(name, _)| name),
            created_at: order.created_at.as_fractional_seconds(),
            paid_at: order.paid_at.map(Timestamp::as_fractional_seconds),
            next_query_at: order.due_at.map(Timestamp::as_fractional_seconds),
            call: calls.iter().map(|call| shown(call)).collect(),
            body: asked.map(|asked| asked.body),
            key: order.app_key,
            appid: order.appid,
            mch_id: order.mch_id,
            out_trade_no: order.out_trade_no,
            trade_type: order.trade_type,
            total_fee: order.total_fee,
            openid: order.openid,
            transaction_id: order.transaction_id,
            history: None,
            refunds: None,
            deliveries: None,
            refused_notices: None,
        }
    }
}

impl Payment {
    /// Up to `limit` orders, the newest first, after `after` (the last id of the page before). `None`: that one is no
    /// longer kept, so nobody knows what comes after it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn orders(
        &self,
        filter: &OrderFilter,
        after: Option<OrderId>,
        limit: u64,
    ) -> Result<Option<Vec<OrderRecord>>, StoreError> {
        let last = match after {
            Some(id) => self.0.store.order(id).await?,
            None => None,
        };
        if after.is_some() && last.is_none() {
            return Ok(None);
        }
        let orders = self.0.store.orders(filter, last.as_ref(), limit).await?;
        Ok(Some(orders.into_iter().map(OrderRecord::of).collect()))
    }

    /// One order with all that is known of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn show(&self, id: OrderId) -> Result<Option<OrderRecord>, StoreError> {
        let store = &self.0.store;
        let Some(order) = store.order(id).await? else { return Ok(None) };
        let events = store.order_events(id, EVENTS).await?;
        let mut deliveries = Vec::new();
        for message in events.iter().filter_map(message_of) {
            deliveries.extend(self.0.records.show(message).await?);
        }
        let refunds = store.refunds_of(id).await?;
        let refused = store.refused_notices(None, Some(id), MOST_REFUSED).await?;
        Ok(Some(OrderRecord {
            history: Some(events.iter().map(shown_event).collect()),
            refunds: Some(refunds.into_iter().map(shown_refund).collect()),
            deliveries: Some(deliveries),
            refused_notices: Some(refused.iter().map(notices::shown).collect()),
            ..OrderRecord::of(order)
        }))
    }

    /// The order with this number: of this merchant, if one is named, else the newest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(&self, out_trade_no: &str) -> Result<Option<OrderId>, StoreError> {
        let filter = OrderFilter { out_trade_no: Some(out_trade_no.to_owned()), ..OrderFilter::default() };
        Ok(self.0.store.orders(&filter, None, 1).await?.pop().map(|order| order.id))
    }

    /// The newest notifications that were refused, of one registration or all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn refused_notices(&self, key: Option<&str>, limit: u64) -> Result<Vec<Value>, StoreError> {
        let refused = self.0.store.refused_notices(key, None, limit.min(MOST_REFUSED)).await?;
        Ok(refused.iter().map(notices::shown).collect())
    }

    /// Removes orders that are so old that nothing can happen to them any more, until `stop`.
    pub async fn clean(self, stop: CancellationToken) {
        let cleaning = async {
            loop {
                let now = self.0.clock.now();
                let others = now - self.0.records.retention().max(OTHERS_KEPT);
                match self.0.store.remove_old_payments(now - PAID_KEPT, others).await {
                    Ok(0) => tokio::time::sleep(CLEAN_EVERY).await,
                    Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(error) => {
                        tracing::error!(%error, "old orders could not be removed");
                        tokio::time::sleep(CLEAN_EVERY).await;
                    }
                }
            }
        };
        let _ = stop.run_until_cancelled(cleaning).await;
    }
}

fn detail_of(event: &OrderEvent) -> Value {
    serde_json::from_slice(&event.detail).unwrap_or_default()
}

/// The message in which the team was told of this event.
fn message_of(event: &OrderEvent) -> Option<MessageId> {
    detail_of(event).get("message")?.as_str()?.parse().ok()
}

fn shown_event(event: &OrderEvent) -> Value {
    json!({"at": event.at.as_fractional_seconds(), "what": event.kind, "detail": detail_of(event)})
}

fn shown_refund(refund: Refund) -> RefundRecord {
    RefundRecord {
        state: match refund.state {
            RefundState::Asking => "asking",
            RefundState::Processing => "processing",
            RefundState::Succeeded => "succeeded",
            RefundState::Closed => "closed",
            RefundState::Abnormal => "abnormal",
            RefundState::Refused => "refused",
        },
        out_refund_no: refund.out_refund_no,
        refund_id: refund.refund_id,
        refund_fee: refund.refund_fee,
        created_at: refund.created_at.as_fractional_seconds(),
        updated_at: refund.updated_at.as_fractional_seconds(),
        next_query_at: refund.due_at.map(Timestamp::as_fractional_seconds),
    }
}
