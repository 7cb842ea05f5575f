//! The safety net: an order of which WeChat says nothing is asked about, until it is decided; a refund likewise.
//!
//! A step that tests can call, and a loop around it. What must stay true: an order that can still be paid has a moment
//! at which it is asked about next; and what is found this way is settled exactly as if WeChat had told it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use store::{Order, OrderState, PaymentChange, Refund, RefundState, StoreError, Timestamp};
use tokio_util::sync::CancellationToken;
use wechat::pay::{Operation, OutRefundNo, OutTradeNo, RefundNo, RefundStatus, Refusal, TradeState};

use super::exchange::{Said, Till};
use super::placing::number_of;
use super::refunded::Refunded;
use super::settling::{NotSettled, Paid, Source};
use super::watch_schedule::{AFTER_EXPIRY, DAY, HOUR, MINUTE, ORDER_LIFE, expires_at, next_query, next_refund_query};
use super::{Inner, PayError, Payment, settling, version_of};
use crate::apps::Registered;
use crate::foundation::{AFTER_FAILURE, until_stored};

/// Orders and refunds that are taken at once.
const BATCH: u64 = 16;

/// And that are asked about at the same time.
pub(super) const LOOKING: usize = 64;

const OTHER_MERCHANT: &str = "another merchant is registered by now";

/// The longest sleep between two looks: what another node had before it died is found by then.
const LONGEST_SLEEP: Duration = Duration::from_secs(2);
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// An order whose outcome is unknown is asked about soon.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// What WeChat does not know after this time never got there.
const NEVER_CAME: Duration = Duration::from_secs(3 * 60);

/// Before that, how long until the next look.
const UNTIL_IT_COMES: Duration = Duration::from_secs(20);

/// A refund that nobody knows the outcome of is never given up.
const DAILY: Duration = Duration::from_secs(24 * 3600);

/// So many times it is written into an order's history that WeChat could not be asked.
const TOLD_FAILURES: u32 = 40;

/// WeChat knows no such order or refund.
pub(super) fn is_unknown(refusal: &Refusal) -> bool {
    matches!(refusal.code.as_str(), "ORDERNOTEXIST" | "REFUNDNOTEXIST" | "RESOURCE_NOT_EXISTS")
}

impl Payment {
    /// Asks about what is due until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let pause = self.watch_step().await.unwrap_or_else(|error| {
                tracing::error!(%error, "looking for orders to ask about failed");
                AFTER_FAILURE
            });
            let _ = stop.run_until_cancelled(tokio::time::timeout(pause, self.0.due.notified())).await;
        }
        let inner = &self.0;
        if let Err(error) = inner.store.release_payments(inner.node).await {
            tracing::warn!(%error, "orders that this node was asking about wait until it is known to be gone");
        }
    }

    /// A look runs by itself: one that is slow holds up no other.
    fn look<F: Future<Output = ()> + Send + 'static>(&self, look: impl FnOnce(Arc<Inner>) -> F) {
        let inner = Arc::clone(&self.0);
        let place = Arc::clone(&inner.looking).try_acquire_owned().ok();
        let looking = look(Arc::clone(&inner));
        self.0.tasks.spawn(async move {
            looking.await;
            drop(place);
            inner.due.notify_one();
        });
    }

    /// Begins to ask about what is due now. Gives how long nothing else will be due.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn watch_step(&self) -> Result<Duration, StoreError> {
        let inner = &self.0;
        let now = inner.clock.now();
        let next = inner.store.next_due_order().await?.into_iter().chain(inner.store.next_due_refund().await?).min();
        let Some(next) = next else { return Ok(LONGEST_SLEEP) };
        if next > now {
            return Ok(next.since(now).clamp(SHORTEST_SLEEP, LONGEST_SLEEP));
        }
        let free = u64::try_from(inner.looking.available_permits()).unwrap_or(0).min(BATCH);
        if free == 0 {
            return Ok(SHORTEST_SLEEP);
        }
        let orders = inner.store.claim_due_orders(inner.node, now, free).await?;
        let refunds = inner.store.claim_due_refunds(inner.node, now, free).await?;
        let is_idle = orders.is_empty() && refunds.is_empty();
        for order in orders {
            self.look(|inner| async move { inner.look_at_order(order).await });
        }
        for refund in refunds {
            self.look(|inner| async move { inner.look_at_refund(refund).await });
        }
        inner.metrics.orders_undecided(inner.store.count_undecided_orders().await?);
        // What is due and in other hands is another node's.
        Ok(if is_idle { Duration::from_millis(500) } else { Duration::ZERO })
    }
}

impl Inner {
    async fn look_at_order(&self, order: Order) {
        let found = self.directory.find(&order.app_key, self.clock.now()).await;
        let asked = match found {
            Ok(Some(registered)) => self.ask_about_order(&registered, &order).await,
            Ok(None) => Ok(Look::Over("its registration is gone".to_owned())),
            Err(error) => Err(error.into()),
        };
        let look = asked.unwrap_or_else(|error| Look::Later(error.to_string()));
        until_stored("what WeChat says of an order", || self.after_look(&order, &look)).await;
    }

    async fn ask_about_order(&self, registered: &Arc<Registered>, order: &Order) -> Result<Look, PayError> {
        let till = self.till(registered, Some(settling::version(order))).await?;
        if till.merchant()?.mch_id() != order.mch_id {
            return Ok(Look::Later(OTHER_MERCHANT.to_owned()));
        }
        let payment = number_of(order)?;
        let query =
            self.ask(&till, Operation::Query, |merchant, stamp| Ok(merchant.query(&order.appid, &payment, stamp)));
        let answer = match query.await? {
            Said::Done(answer) => answer,
            Said::Refused(refusal) if is_unknown(&refusal) => return Ok(self.unknown_at_wechat(order)),
            Said::Refused(refusal) => return Ok(Look::Later(refusal.to_string())),
            Said::NotSent(reason) | Said::Unclear(reason) => return Ok(Look::Later(reason)),
        };
        if answer.text("out_trade_no").is_some_and(|said| said != order.out_trade_no) {
            return Ok(Look::Later("WeChat Pay's answer is about another order".to_owned()));
        }
        if let Some(paid) = Paid::of_answer(&answer, &order.mch_id) {
            return Ok(match self.settle_paid(registered, &paid).await {
                Ok(_) => Look::Settled,
                Err(NotSettled::Store(error)) => return Err(error.into()),
                // Perhaps the answer was meant for another question: it is asked again.
                Err(error) => {
                    tracing::error!(key = order.app_key, out_trade_no = order.out_trade_no, %error, "a payment does not fit");
                    Look::Later(error.to_string())
                }
            });
        }
        let state = answer.text("trade_state").unwrap_or_default().to_owned();
        match answer.trade_state() {
            Some(TradeState::Closed | TradeState::Revoked | TradeState::PayError) => Ok(Look::Closed(state)),
            _ if self.is_over(order) => self.close_at_wechat(&till, order).await,
            _ => Ok(Look::Open(state)),
        }
    }

    /// Placed a moment ago it may still be on its way; later it never got there.
    fn unknown_at_wechat(&self, order: &Order) -> Look {
        let age = self.clock.now().since(order.updated_at);
        if order.state == OrderState::Placing {
            return if age > NEVER_CAME { Look::NeverPlaced } else { Look::NotYet };
        }
        if self.is_over(order) {
            Look::Closed("WeChat Pay does not know it".to_owned())
        } else {
            Look::Open("not known".to_owned())
        }
    }

    /// When an order that can still be paid is asked about next: as WeChat recommends, and when its time is over.
    pub(super) fn next_look(&self, order: &Order) -> Option<Timestamp> {
        let now = self.clock.now();
        let over = expires_at(order).map(|at| at + AFTER_EXPIRY).filter(|over| *over > now);
        next_query(order.created_at, now).into_iter().chain(over).min()
    }

    /// Whether nobody can pay it any more.
    fn is_over(&self, order: &Order) -> bool {
        let now = self.clock.now();
        expires_at(order).is_some_and(|at| now >= at + AFTER_EXPIRY)
            || now >= order.created_at + Duration::from_secs(ORDER_LIFE)
    }

    /// The end of an order that nobody paid (WeChat Pay: when the last query still says unpaid, close it).
    async fn close_at_wechat(&self, till: &Till, order: &Order) -> Result<Look, PayError> {
        let Ok(number) = OutTradeNo::parse(&order.out_trade_no) else {
            return Ok(Look::Over("its number is none".into()));
        };
        let close =
            self.ask(till, Operation::Close, |merchant, stamp| Ok(merchant.close(&order.appid, &number, stamp)));
        Ok(match close.await? {
            Said::Done(_) => Look::Closed("its time is over".to_owned()),
            Said::Refused(refusal) if refusal.code == "ORDERCLOSED" => Look::Closed("its time is over".to_owned()),
            Said::Refused(refusal) => Look::Later(refusal.to_string()),
            Said::NotSent(reason) | Said::Unclear(reason) => Look::Later(reason),
        })
    }

    async fn after_look(&self, order: &Order, look: &Look) -> Result<bool, StoreError> {
        let now = self.clock.now();
        if matches!(look, Look::NotYet) {
            // Its age counts from when it was sent; whoever asks for it again sends it again.
            let order = Order { due_at: Some(now + UNTIL_IT_COMES), ..order.clone() };
            let change = PaymentChange { order: Some(&order), refund: None, events: &[], news: None };
            return self.store.change_payment(&change).await;
        }
        let (state, due_at, detail) = match look {
            Look::Settled | Look::NotYet => return Ok(true),
            Look::Closed(why) => return self.close_here(order, why).await,
            Look::Open(said) => (OrderState::Unpaid, self.next_look(order), json!({"trade_state": said})),
            Look::Later(reason) => (order.state, self.later(order), json!({"error": reason})),
            Look::Over(reason) => (order.state, None, json!({"given_up": reason})),
            Look::NeverPlaced => (OrderState::Refused, None, json!({"trade_state": "WeChat Pay never got it"})),
        };
        let order = Order { state, due_at, step: order.step.saturating_add(1), updated_at: now, ..order.clone() };
        let is_told = !matches!(look, Look::Later(_)) || order.step < TOLD_FAILURES;
        let event = is_told.then(|| self.event(order.id, Source::Queried.kind(), &detail));
        let events: Vec<_> = event.into_iter().collect();
        self.store
            .change_payment(&PaymentChange { order: Some(&order), refund: None, events: &events, news: None })
            .await
    }

    /// WeChat could not be asked: again soon, the rarer the older the order is, or when it would have been due anyway.
    fn later(&self, order: &Order) -> Option<Timestamp> {
        let now = self.clock.now();
        let pause = (now.since(order.created_at) / 8).clamp(Duration::from_secs(MINUTE), Duration::from_secs(HOUR));
        let soon = now + pause;
        let due = next_query(order.created_at, now).map_or(soon, |due| due.min(soon));
        (now < order.created_at + Duration::from_secs(ORDER_LIFE + 7 * DAY)).then_some(due)
    }

    async fn look_at_refund(&self, refund: Refund) {
        let found = self.directory.find(&refund.app_key, self.clock.now()).await;
        let asked = match found {
            Ok(Some(registered)) => self.ask_about_refund(&registered, &refund).await,
            Ok(None) => Ok(Look::Over("its registration is gone".to_owned())),
            Err(error) => Err(error.into()),
        };
        let look = asked.unwrap_or_else(|error| Look::Later(error.to_string()));
        until_stored("what WeChat says of a refund", || self.after_refund_look(&refund, &look)).await;
    }

    async fn ask_about_refund(&self, registered: &Arc<Registered>, refund: &Refund) -> Result<Look, PayError> {
        let till = self.till(registered, Some(version_of(refund.version))).await?;
        if till.merchant()?.mch_id() != refund.mch_id {
            return Ok(Look::Later(OTHER_MERCHANT.to_owned()));
        }
        let Ok(number) = OutRefundNo::parse(&refund.out_refund_no) else {
            return Ok(Look::Over("its number is none".into()));
        };
        let number = RefundNo::OutRefundNo(number);
        let query = |merchant: &wechat::pay::Merchant, stamp: &wechat::pay::Stamp| {
            merchant.query_refund(&refund.appid, &number, stamp)
        };
        let answer = match self.ask(&till, Operation::QueryRefund, query).await? {
            Said::Done(answer) => answer,
            Said::Refused(refusal) if is_unknown(&refusal) && refund.state == RefundState::Asking => {
                // It may still be on its way; later it never got there.
                let age = self.clock.now().since(refund.updated_at);
                return Ok(if age > NEVER_CAME { Look::NeverPlaced } else { Look::NotYet });
            }
            Said::Refused(refusal) => return Ok(Look::Later(refusal.to_string())),
            Said::NotSent(reason) | Said::Unclear(reason) => return Ok(Look::Later(reason)),
        };
        let Some(said) = Refunded::of_answer(&answer, refund) else {
            return Ok(Look::Later("WeChat Pay's answer says nothing of this refund".to_owned()));
        };
        if said.status == RefundStatus::Processing {
            return Ok(Look::Open("PROCESSING".to_owned()));
        }
        match self.settle_refund(registered, &said).await {
            Ok(_) => Ok(Look::Settled),
            Err(NotSettled::Store(error)) => Err(error.into()),
            Err(error) => Ok(Look::Later(error.to_string())),
        }
    }

    async fn after_refund_look(&self, refund: &Refund, look: &Look) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let due = next_refund_query(refund.created_at, now);
        if matches!(look, Look::NotYet) {
            // Its age counts from when it was asked for.
            let refund = Refund { due_at: Some(now + UNTIL_IT_COMES), ..refund.clone() };
            let change = PaymentChange { order: None, refund: Some(&refund), events: &[], news: None };
            return self.store.change_payment(&change).await;
        }
        let due = due.or(Some(now + DAILY).filter(|_| refund.state == RefundState::Asking));
        let (state, due_at, detail) = match look {
            Look::Settled | Look::NotYet => return Ok(true),
            Look::Open(said) | Look::Closed(said) => (RefundState::Processing, due, json!({"refund_status": said})),
            Look::Later(reason) => (refund.state, due, json!({"error": reason})),
            Look::Over(reason) => (refund.state, None, json!({"given_up": reason})),
            Look::NeverPlaced => (RefundState::Refused, None, json!({"refund_status": "WeChat Pay never got it"})),
        };
        let refund = Refund { state, due_at, step: refund.step.saturating_add(1), updated_at: now, ..refund.clone() };
        let is_told = !matches!(look, Look::Later(_)) || refund.step < TOLD_FAILURES;
        let event = is_told.then(|| self.event(refund.order, "refund queried", &detail));
        let events: Vec<_> = event.into_iter().collect();
        self.store
            .change_payment(&PaymentChange { order: None, refund: Some(&refund), events: &events, news: None })
            .await
    }
}

/// What a look brought.
enum Look {
    /// It is decided, and written down.
    Settled,
    /// Nobody has paid yet.
    Open(String),
    /// Nobody will.
    Closed(String),
    /// WeChat could not be asked.
    Later(String),
    /// It is no use to go on.
    Over(String),
    /// WeChat does not know it (yet).
    NotYet,
    /// WeChat never got it.
    NeverPlaced,
}
