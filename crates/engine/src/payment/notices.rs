//! WeChat Pay's notifications: opened, compared with the stored order, written down, and only then acknowledged.
//!
//! What must stay true: what is not verified changes nothing and reaches nobody; an acknowledgement means that
//! everything is on disk; what is refused leaves a record that says why, except for WeChat's own probes, which are
//! wrong on purpose.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use store::{OrderId, OrderState, RefusedNotice, StoreError};
use wechat::pay::{Merchant, Notice, NoticeError, NoticeKind, Operation, Received, Version};

use super::exchange::{Said, Till};
use super::placing::number_of;
use super::refunded::Refunded;
use super::settling::{NotSettled, Paid, Settled};
use super::{Inner, PayError, Payment};
use crate::apps::Registered;
use crate::messages::to_json;

/// So many refused notifications of one registration are kept for each reason.
const KEPT_REFUSED: u64 = 200;

/// So much of a refused notification is kept, in bytes. It is sealed or signed, but may name a payer.
const EXCERPT: usize = 2048;

/// Who sent a notification.
#[derive(Debug, Clone, Copy)]
pub struct NoticeSource {
    /// The client's address, for the records.
    pub client: IpAddr,
}

/// Why a notification is not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum NoticeProblem {
    /// The registration has no merchant with which it could be verified.
    #[error(transparent)]
    Merchant(#[from] crate::apps::merchants::MerchantProblem),
    /// It is not believed.
    #[error(transparent)]
    NotBelieved(#[from] NoticeError),
    /// It is WeChat's, but does not fit what is known.
    #[error("{0}")]
    Mismatch(String),
    /// It cannot be settled now; WeChat sends it again.
    #[error("{0}")]
    NotNow(String),
}

impl NoticeProblem {
    /// A word for records and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Merchant(_) => "no_merchant",
            Self::NotBelieved(NoticeError::SignatureProbe) => "probe",
            Self::NotBelieved(NoticeError::MissingHeader(_)) => "not_signed",
            Self::NotBelieved(NoticeError::Stale { .. } | NoticeError::BadTimestamp) => "bad_timestamp",
            Self::NotBelieved(NoticeError::UnknownSerial(_)) => "unknown_serial",
            Self::NotBelieved(NoticeError::BadSignature) => "bad_signature",
            Self::NotBelieved(NoticeError::NotDecryptable) => "not_decryptable",
            Self::NotBelieved(NoticeError::OtherMerchant) => "other_merchant",
            Self::NotBelieved(_) => "malformed",
            Self::Mismatch(_) => "mismatch",
            Self::NotNow(_) => "not_now",
        }
    }

    /// Whether it is one of WeChat's own tests of who verifies.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        matches!(self, Self::NotBelieved(error) if error.is_probe())
    }
}

impl Payment {
    /// Takes a notification. Once this is `Ok`, everything is on disk.
    ///
    /// # Errors
    /// [`NoticeProblem`]; nothing about any order was changed then.
    pub async fn notified(
        &self,
        registered: &Arc<Registered>,
        kind: NoticeKind,
        received: &Received<'_>,
        source: NoticeSource,
    ) -> Result<(), NoticeProblem> {
        let outcome = self.0.notified(registered, kind, received).await;
        match &outcome {
            Ok(settled) => self.0.metrics.notice(if *settled == Settled::Now { "taken" } else { "again" }),
            Err((problem, order)) => {
                self.0.metrics.notice(problem.reason());
                self.0.keep_refused(registered, problem, *order, received, source).await;
            }
        }
        outcome.map(drop).map_err(|(problem, _)| problem)
    }
}

/// Of which version a notification is, by its form.
#[must_use]
pub fn version_of(received: &Received<'_>) -> Version {
    let is_signed = received.headers.signature.is_some() || received.headers.serial.is_some();
    let is_json = received.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if is_json || is_signed { Version::V3 } else { Version::V2 }
}

type Refused = (NoticeProblem, Option<OrderId>);

impl Inner {
    async fn notified(
        &self,
        registered: &Arc<Registered>,
        kind: NoticeKind,
        received: &Received<'_>,
    ) -> Result<Settled, Refused> {
        let unopened = |problem: NoticeProblem| (problem, None);
        let till = match self.till(registered, Some(version_of(received))).await {
            // What is of neither form is refused by the version that there is.
            Err(PayError::Merchant(_)) => self.till(registered, None).await,
            till => till,
        };
        let till = till.map_err(|error| unopened(not_now(error)))?;
        let notice = self.open(&till, kind, received).await.map_err(unopened)?;
        let order = OrderId::of(&notice.mch_id, &notice.out_trade_no);
        let settled = match kind {
            NoticeKind::Payment => self.settle_notified(&till, order, Paid::of_notice(notice)).await,
            NoticeKind::Refund => match Refunded::of_notice(notice) {
                Some(said) => self.settle_refund(registered, &said).await,
                None => Err(NotSettled::Mismatch("the notification says nothing of a refund".to_owned())),
            },
        };
        settled.map_err(|error| {
            let problem = match error {
                NotSettled::Store(error) => NoticeProblem::NotNow(told_as_busy(&error)),
                other => NoticeProblem::Mismatch(other.to_string()),
            };
            (problem, Some(order))
        })
    }

    async fn open(&self, till: &Till, kind: NoticeKind, received: &Received<'_>) -> Result<Notice, NoticeProblem> {
        let now = self.clock.now().as_seconds();
        let opened = till.merchant()?.open(kind, received, now);
        match opened {
            Err(NoticeError::UnknownSerial(serial)) if self.finds(till, &serial).await => {
                let till = self.renewed(till);
                Ok(till.merchant()?.open(kind, received, now)?)
            }
            opened => Ok(opened?),
        }
    }

    /// An order that was closed is paid only if WeChat says so when it is asked, not by what came from outside.
    async fn settle_notified(&self, till: &Till, id: OrderId, paid: Paid) -> Result<Settled, NotSettled> {
        let known = self.store.order(id).await?;
        let Some(order) = known.filter(|order| order.state == OrderState::Closed) else {
            return self.settle_paid(&till.registered, &paid).await;
        };
        let closed = || NotSettled::Closed(order.out_trade_no.clone());
        let payment = number_of(&order).map_err(|_| closed())?;
        let query = self.ask(till, Operation::Query, |merchant: &Merchant, stamp| {
            Ok(merchant.query(&order.appid, &payment, stamp))
        });
        match query.await {
            Ok(Said::Done(answer)) => match Paid::of_answer(&answer, &order.mch_id) {
                Some(paid) => self.settle_paid(&till.registered, &paid).await,
                None => Err(closed()),
            },
            _ => Err(closed()),
        }
    }

    async fn keep_refused(
        &self,
        registered: &Registered,
        problem: &NoticeProblem,
        order: Option<OrderId>,
        received: &Received<'_>,
        source: NoticeSource,
    ) {
        let (key, reason) = (&registered.app.key, problem.reason());
        if problem.is_probe() {
            tracing::debug!(key, "WeChat Pay tested whether its signature is verified");
            return;
        }
        if matches!(problem, NoticeProblem::Mismatch(_)) {
            // Signed by WeChat, so there are not many; forgeries must not drown them.
            tracing::error!(key, %problem, "a verified notification of WeChat Pay does not fit and was refused");
        } else {
            // Strangers can cause it, so neither the log nor the table grows without end.
            let Some(left_out) = registered.refusals.admit(self.clock.now()) else { return };
            tracing::warn!(key, %problem, reason, client = %source.client, left_out, "a notification was refused");
        }
        let body = String::from_utf8_lossy(received.body.get(..EXCERPT).unwrap_or(received.body));
        let mut id = [0; 16];
        self.random.fill_public(&mut id);
        let detail = json!({
            "text": problem.to_string(),
            "client": source.client.to_string(),
            "serial": received.headers.serial,
            "timestamp": received.headers.timestamp,
            "body": body,
        });
        let notice = RefusedNotice {
            id,
            app_key: key.clone(),
            order,
            at: self.clock.now(),
            reason: reason.to_owned(),
            detail: to_json(&detail),
        };
        if let Err(error) = self.store.keep_refused_notice(&notice, KEPT_REFUSED).await {
            tracing::error!(%error, "a refused notification could not be kept");
        }
        if let Some(order) = order {
            let event = self.event(order, "notice refused", &json!({"reason": problem.to_string()}));
            // Only for orders that are known: the table of events follows their life.
            if let Ok(Some(_)) = self.store.order(order).await {
                let _ = self.store.add_order_event(&event, 20).await;
            }
        }
    }
}

/// The log has the driver's words; whoever sent the notification needs none of them.
fn told_as_busy(error: &StoreError) -> String {
    tracing::error!(%error, "a notification of WeChat Pay could not be stored; WeChat sends it again");
    "the database cannot be used now".to_owned()
}

fn not_now(error: PayError) -> NoticeProblem {
    match error {
        PayError::Merchant(problem) => NoticeProblem::Merchant(problem),
        error => NoticeProblem::NotNow(error.to_string()),
    }
}

/// What is shown of a refused notification.
pub(super) fn shown(notice: &RefusedNotice) -> Value {
    let detail: Value = serde_json::from_slice(&notice.detail).unwrap_or_default();
    json!({
        "at": notice.at.as_fractional_seconds(),
        "key": notice.app_key,
        "order": notice.order.map(|order| order.to_string()),
        "reason": notice.reason,
        "detail": detail,
    })
}
