//! What WeChat says of a payment or a refund becomes what is stored of it, and news for the team: in one commit.
//!
//! Called by notifications, by the watch and by whoever asks. What must stay true: whatever says it first, and however
//! often, an order is paid once and told once; what does not fit the stored order changes nothing.

use serde_json::{Map, Value, json};
use store::StoreError;
use store::{Order, OrderId, OrderState, PaymentChange};
use wechat::pay::{Answer, Notice};

use super::ask::OrderAsk;
use super::news::{About, news_body, news_id};
use super::{Inner, version_of};
use crate::apps::Registered;

/// What orders are in, unless they say otherwise.
const CURRENCY: &str = "CNY";

/// How often a change is tried again when another node changed the same order in between.
pub(super) const TRIES: u32 = 20;

/// How it became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// WeChat told.
    Notified,
    /// WeChat was asked.
    Queried,
}

impl Source {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Notified => "notified",
            Self::Queried => "queried",
        }
    }
}

/// A payment that WeChat says is done. Verified.
pub(super) struct Paid {
    pub(super) appid: Option<String>,
    pub(super) mch_id: String,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: String,
    pub(super) total_fee: i64,
    pub(super) has_refunds: bool,
    pub(super) fields: Map<String, Value>,
    pub(super) resource: Option<Value>,
    pub(super) source: Source,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSettled {
    /// It does not fit the stored order; the text says in what.
    #[error("{0}")]
    Mismatch(String),
    /// Nobody here placed such an order, and the registration says nobody who is told of such payments.
    #[error(
        "no order {0} was placed through this registration; to be told of payments that others place, register \
         pay_call with /register?…&pay_call=URL"
    )]
    UnknownOrder(String),
    /// The order was closed.
    #[error("the order {0} was closed, and WeChat Pay does not say that it was paid")]
    Closed(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is new, on disk, and on its way to the team.
    Now,
    /// It was known.
    Before,
}

impl Paid {
    pub(super) fn of_notice(notice: Notice) -> Self {
        Self {
            appid: notice.appid,
            mch_id: notice.mch_id,
            out_trade_no: notice.out_trade_no,
            transaction_id: notice.transaction_id,
            total_fee: notice.total_fee,
            has_refunds: false,
            fields: notice.fields,
            resource: notice.resource,
            source: Source::Notified,
        }
    }

    /// `None`: the answer does not say that the money was received, or lacks what that needs.
    pub(super) fn of_answer(answer: &Answer, mch_id: &str) -> Option<Self> {
        let state = answer.trade_state().filter(|state| state.is_paid())?;
        let fields = answer.fields.clone();
        Some(Self {
            appid: answer.text("appid").map(str::to_owned),
            mch_id: mch_id.to_owned(),
            out_trade_no: answer.text("out_trade_no")?.to_owned(),
            transaction_id: answer.text("transaction_id")?.to_owned(),
            total_fee: answer.fen("total_fee")?,
            has_refunds: state == wechat::pay::TradeState::Refund,
            fields,
            resource: answer.resource.clone(),
            source: Source::Queried,
        })
    }

    fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Inner {
    /// An order is paid.
    ///
    /// # Errors
    /// [`NotSettled`]; nothing was changed then.
    pub(super) async fn settle_paid(&self, registered: &Registered, paid: &Paid) -> Result<Settled, NotSettled> {
        let id = OrderId::of(&paid.mch_id, &paid.out_trade_no);
        for _ in 0..TRIES {
            let known = self.store.order(id).await?;
            if let Some(order) = &known {
                fits(order, paid)?;
                if matches!(order.state, OrderState::Paid | OrderState::Refunded) {
                    return self.settled_before(order, paid).await;
                }
            }
            let order = match known {
                Some(order) => order,
                None => self.foreign_order(registered, paid)?,
            };
            if self.write_paid(registered, order, paid).await? {
                return Ok(Settled::Now);
            }
        }
        Err(NotSettled::Store(StoreError::Conflict))
    }

    async fn settled_before(&self, order: &Order, paid: &Paid) -> Result<Settled, NotSettled> {
        if order.transaction_id != paid.transaction_id {
            let was = &order.transaction_id;
            return Err(NotSettled::Mismatch(format!("the order was paid before, by transaction {was}")));
        }
        if paid.source == Source::Notified {
            // Repeats are normal, and worth a few lines only.
            let event = self.event(order.id, "notified", &json!({"again": true}));
            self.store.add_order_event(&event, 5).await?;
        }
        Ok(Settled::Before)
    }

    async fn write_paid(&self, registered: &Registered, order: Order, paid: &Paid) -> Result<bool, NotSettled> {
        let now = self.clock.now();
        let calls = self.calls_of(&order, registered).await?;
        let openid = if order.openid.is_empty() { paid.text("openid").to_owned() } else { order.openid.clone() };
        let message_id = news_id(order.created_at, &["paid", &order.mch_id, &order.out_trade_no]);
        let order = Order {
            state: if paid.has_refunds { OrderState::Refunded } else { OrderState::Paid },
            transaction_id: paid.transaction_id.clone(),
            openid,
            paid_at: Some(now),
            updated_at: now,
            due_at: None,
            ..order
        };
        let body = news_body("TRANSACTION.SUCCESS", &paid.fields, paid.resource.as_ref());
        let about = About { id: message_id, key: &order.app_key, appid: &order.appid, openid: &order.openid };
        let news = self.news(&about, "TRANSACTION.SUCCESS", &calls, body, now);
        let said = json!({"transaction_id": paid.transaction_id, "total_fee": paid.total_fee});
        let events = [
            self.event(order.id, paid.source.kind(), &said),
            self.event(order.id, "paid", &json!({"message": message_id.to_string(), "told": calls.len()})),
        ];
        let change = PaymentChange { order: Some(&order), refund: None, events: &events, news: Some(&news) };
        if !self.store.change_payment(&change).await? {
            return Ok(false);
        }
        self.told(&news);
        let (key, number, source) = (&order.app_key, &order.out_trade_no, paid.source.kind());
        tracing::info!(key, out_trade_no = number, total_fee = paid.total_fee, source, "an order is paid");
        self.metrics.order("paid");
        Ok(true)
    }

    /// Who is told of a payment: whom the order names, else whom its own registration does. A notification may come by
    /// way of another one of the same merchant.
    pub(super) async fn calls_of(&self, order: &Order, registered: &Registered) -> Result<Vec<String>, StoreError> {
        let asked: Option<OrderAsk> = serde_json::from_slice(&order.request).ok();
        if let Some(asked) = asked.filter(|asked| !asked.calls.is_empty()) {
            return Ok(asked.calls);
        }
        self.pay_calls_of(&order.app_key, registered).await
    }

    /// Whom the registration `key` names; `registered` may be it.
    pub(super) async fn pay_calls_of(&self, key: &str, registered: &Registered) -> Result<Vec<String>, StoreError> {
        if registered.app.key == key {
            return Ok(registered.app.settings.pay_call.clone());
        }
        let own = self.directory.find(key, self.clock.now()).await?;
        Ok(own.map(|own| own.app.settings.pay_call.clone()).unwrap_or_default())
    }

    /// An order that the proxy did not place, but whose notification comes here.
    fn foreign_order(&self, registered: &Registered, paid: &Paid) -> Result<Order, NotSettled> {
        let app = &registered.app;
        if app.settings.pay_call.is_empty() {
            return Err(NotSettled::UnknownOrder(paid.out_trade_no.clone()));
        }
        if paid.appid.as_deref().is_some_and(|appid| appid != app.appid) {
            return Err(NotSettled::Mismatch(
                "the payment belongs to another appid than this registration's".to_owned(),
            ));
        }
        let now = self.clock.now();
        let is_v3 = paid.resource.is_some();
        Ok(Order {
            id: OrderId::of(&paid.mch_id, &paid.out_trade_no),
            app_key: app.key.clone(),
            appid: app.appid.clone(),
            mch_id: paid.mch_id.clone(),
            out_trade_no: paid.out_trade_no.clone(),
            version: if is_v3 { store::PayVersion::V3 } else { store::PayVersion::V2 },
            trade_type: paid.text("trade_type").to_owned(),
            total_fee: paid.total_fee,
            openid: String::new(),
            transaction_id: String::new(),
            state: OrderState::Unpaid,
            content: [0; 32],
            request: b"{}".to_vec(),
            answer: None,
            answered_at: None,
            created_at: now,
            updated_at: now,
            paid_at: None,
            due_at: None,
            step: 0,
            revision: 0,
        })
    }
}

/// Appid, merchant and amount are the stored order's (WeChat Pay's rules for the integrator: the order's total, never
/// what the payer paid after coupons).
fn fits(order: &Order, paid: &Paid) -> Result<(), NotSettled> {
    let wrong = |what: String| Err(NotSettled::Mismatch(what));
    if paid.appid.as_deref().is_some_and(|appid| appid != order.appid) {
        return wrong("the payment belongs to another appid than the order".to_owned());
    }
    if paid.mch_id != order.mch_id || paid.out_trade_no != order.out_trade_no {
        return wrong("the payment belongs to another merchant or order".to_owned());
    }
    let asked: Option<OrderAsk> = serde_json::from_slice(&order.request).ok();
    let currency = asked.and_then(|asked| asked.others.get("fee_type").cloned()).unwrap_or_else(|| CURRENCY.to_owned());
    if !matches!(paid.text("fee_type"), "" | CURRENCY) && paid.text("fee_type") != currency {
        return wrong(format!("{} was paid for an order in {currency}", paid.text("fee_type")));
    }
    if paid.total_fee != order.total_fee {
        let (paid, asked) = (paid.total_fee, order.total_fee);
        return wrong(format!("{paid} fen were paid for an order of {asked} fen"));
    }
    Ok(())
}

/// The version in which WeChat is asked about an order.
pub(super) fn version(order: &Order) -> wechat::pay::Version {
    version_of(order.version)
}
