//! What WeChat says of a payment or a refund becomes what is stored of it, and news for the team: in one commit.
//!
//! Called by notifications, by the watch and by whoever asks. What must stay true: whatever says it first, and however often, an
//! order is paid once and told once; what does not fit the stored order changes nothing.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::{Delivery, DeliveryState, Message, MessageId, News, Order, OrderId, OrderState, PaymentChange};
use store::{Refund, RefundId, RefundState, StoreError, Timestamp};
use wechat::pay::{Answer, Notice, RefundStatus};

use super::ask::OrderAsk;
use super::{Inner, version_of};
use crate::apps::Registered;
use crate::messages::{Callback, Request, to_json};

/// The type under which payments stand among the records of messages.
const MSG_TYPE: &str = "pay";

/// What backends are sent.
const JSON: &str = "application/json; charset=utf-8";

/// How often a change is tried again when another node changed the same order in between.
const TRIES: u32 = 20;

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

/// A refund of which WeChat says how it stands. Verified.
pub(super) struct Refunded {
    pub(super) mch_id: String,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: String,
    pub(super) out_refund_no: String,
    pub(super) refund_id: String,
    pub(super) refund_fee: i64,
    pub(super) total_fee: i64,
    pub(super) status: RefundStatus,
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

impl Refunded {
    /// `None`: the notice is not about a refund, or lacks what that needs.
    pub(super) fn of_notice(notice: Notice) -> Option<Self> {
        let of = |name: &str| notice.fields.get(name).and_then(Value::as_str);
        Some(Self {
            refund_id: of("refund_id").unwrap_or_default().to_owned(),
            refund_fee: notice.fields.get("refund_fee").and_then(Value::as_i64)?,
            status: RefundStatus::parse(of("refund_status")?)?,
            out_refund_no: notice.out_refund_no.clone()?,
            mch_id: notice.mch_id,
            out_trade_no: notice.out_trade_no,
            transaction_id: notice.transaction_id,
            total_fee: notice.total_fee,
            fields: notice.fields,
            resource: notice.resource,
            source: Source::Notified,
        })
    }
}

impl Refunded {
    /// What an answer to a query says of this refund. `None`: nothing.
    pub(super) fn of_answer(answer: &Answer, refund: &Refund) -> Option<Self> {
        let fields = of_refund(&answer.fields, &refund.out_refund_no)?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let fen = |name: &str| fields.get(name).and_then(Value::as_i64);
        Some(Self {
            mch_id: refund.mch_id.clone(),
            out_trade_no: text("out_trade_no"),
            transaction_id: text("transaction_id"),
            out_refund_no: refund.out_refund_no.clone(),
            refund_id: text("refund_id"),
            refund_fee: fen("refund_fee")?,
            total_fee: fen("total_fee").unwrap_or(refund.total_fee),
            status: RefundStatus::parse(&text("refund_status"))?,
            resource: answer.resource.clone(),
            source: Source::Queried,
            fields,
        })
    }
}

/// Of the numbered fields of an answer about several refunds those of one, without their number.
fn of_refund(fields: &Map<String, Value>, out_refund_no: &str) -> Option<Map<String, Value>> {
    let number_of = |name: &str| name.strip_prefix("out_refund_no_").and_then(|number| number.parse::<u32>().ok());
    let wanted = fields.iter().find(|(name, value)| number_of(name).is_some() && value.as_str() == Some(out_refund_no));
    let suffix = format!("_{}", wanted.and_then(|(name, _)| number_of(name))?);
    let is_numbered = |name: &str| name.rsplit('_').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let mut own = Map::new();
    for (name, value) in fields {
        match name.strip_suffix(&suffix) {
            Some(name) => _ = own.insert(name.to_owned(), value.clone()),
            None if is_numbered(name) || name.ends_with("refund_count") => {}
            None => _ = own.entry(name.clone()).or_insert_with(|| value.clone()),
        }
    }
    Some(own)
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
        let calls = calls_of(&order, registered);
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

    /// A refund stands as WeChat says.
    ///
    /// # Errors
    /// [`NotSettled`]; nothing was changed then.
    pub(super) async fn settle_refund(&self, registered: &Registered, said: &Refunded) -> Result<Settled, NotSettled> {
        let id = RefundId::of(&said.mch_id, &said.out_refund_no);
        for _ in 0..TRIES {
            let known = self.store.refund(id).await?;
            let order = self.store.order(OrderId::of(&said.mch_id, &said.out_trade_no)).await?;
            let state = refund_state(said.status);
            if let Some(refund) = &known {
                refund_fits(refund, said)?;
                if refund.state == state && refund.due_at.is_none() {
                    return Ok(Settled::Before);
                }
            }
            let refund = match known {
                Some(refund) => refund,
                None => self.foreign_refund(registered, order.as_ref(), said)?,
            };
            if self.write_refund(registered, order, refund, said, state).await? {
                return Ok(Settled::Now);
            }
        }
        Err(NotSettled::Store(StoreError::Conflict))
    }

    async fn write_refund(
        &self,
        registered: &Registered,
        order: Option<Order>,
        refund: Refund,
        said: &Refunded,
        state: RefundState,
    ) -> Result<bool, NotSettled> {
        let now = self.clock.now();
        let is_final = state != RefundState::Processing;
        let refund = Refund {
            state,
            refund_id: if said.refund_id.is_empty() { refund.refund_id.clone() } else { said.refund_id.clone() },
            transaction_id: said.transaction_id.clone(),
            out_trade_no: said.out_trade_no.clone(),
            updated_at: now,
            due_at: refund.due_at.filter(|_| !is_final),
            ..refund
        };
        let order = order.map(|order| match order.state {
            OrderState::Paid => Order { state: OrderState::Refunded, updated_at: now, ..order },
            _ => order,
        });
        let event_type = event_type_of(said.status);
        let name = said.status.as_str();
        let message_id = news_id(refund.created_at, &["refund", name, &refund.mch_id, &refund.out_refund_no]);
        let calls = refund_calls(&refund, order.as_ref(), registered);
        let body = news_body(event_type, &said.fields, said.resource.as_ref());
        let openid = order.as_ref().map(|order| order.openid.clone()).unwrap_or_default();
        let about = About { id: message_id, key: &refund.app_key, appid: &refund.appid, openid: &openid };
        let news = is_final.then(|| self.news(&about, event_type, &calls, body, now));
        let detail = json!({"out_refund_no": refund.out_refund_no, "refund_fee": refund.refund_fee, "refund_status": name, "source": said.source.kind(),
                            "message": news.as_ref().map(|_| message_id.to_string())});
        let events = [self.event(refund.order, "refunded", &detail)];
        let change =
            PaymentChange { order: order.as_ref(), refund: Some(&refund), events: &events, news: news.as_ref() };
        if !self.store.change_payment(&change).await? {
            return Ok(false);
        }
        if let Some(news) = &news {
            self.told(news);
            let (key, number) = (&refund.app_key, &refund.out_refund_no);
            tracing::info!(key, out_refund_no = number, status = name, "a refund is decided");
        }
        Ok(true)
    }

    /// A refund that the proxy did not ask for: somebody made it on the merchant platform.
    fn foreign_refund(
        &self,
        registered: &Registered,
        order: Option<&Order>,
        said: &Refunded,
    ) -> Result<Refund, NotSettled> {
        let app = &registered.app;
        if order.is_none() && app.settings.pay_call.is_empty() {
            return Err(NotSettled::UnknownOrder(said.out_trade_no.clone()));
        }
        if order.is_some_and(|order| order.total_fee != said.total_fee) {
            return Err(NotSettled::Mismatch("the refund names another total than the order's".to_owned()));
        }
        let now = self.clock.now();
        let is_v3 = said.resource.is_some();
        Ok(Refund {
            id: RefundId::of(&said.mch_id, &said.out_refund_no),
            order: OrderId::of(&said.mch_id, &said.out_trade_no),
            app_key: order.map_or_else(|| app.key.clone(), |order| order.app_key.clone()),
            appid: app.appid.clone(),
            mch_id: said.mch_id.clone(),
            out_trade_no: said.out_trade_no.clone(),
            transaction_id: said.transaction_id.clone(),
            out_refund_no: said.out_refund_no.clone(),
            refund_id: said.refund_id.clone(),
            total_fee: said.total_fee,
            refund_fee: said.refund_fee,
            version: if is_v3 { store::PayVersion::V3 } else { store::PayVersion::V2 },
            state: RefundState::Processing,
            content: [0; 32],
            request: b"{}".to_vec(),
            answer: None,
            created_at: now,
            updated_at: now,
            due_at: None,
            step: 0,
            revision: 0,
        })
    }

    fn news(&self, about: &About<'_>, event: &str, calls: &[String], body: Bytes, now: Timestamp) -> News {
        let request = Request {
            as_is: true,
            notice: true,
            content_type: Some(JSON.to_owned()),
            calls: Arc::from(calls),
            ..Request::default()
        };
        let message = Message {
            id: about.id,
            app_key: about.key.to_owned(),
            appid: about.appid.to_owned(),
            received_at: now,
            node: self.node,
            msg_type: MSG_TYPE.to_owned(),
            event: event.to_owned(),
            openid: about.openid.to_owned(),
            request: to_json(&request),
            body,
        };
        let callback = Callback::of_row(message.clone());
        let due = DeliveryState::Pending(now);
        let deliveries: Vec<Delivery> =
            (0..calls.len()).map(|place| callback.delivery(place, due, false, &[])).collect();
        News { message, deliveries }
    }

    /// The deliveries are on disk: they begin now, not at the next look.
    fn told(&self, news: &News) {
        for delivery in &news.deliveries {
            self.deliveries.is_owed(delivery.backend, false);
        }
    }
}

struct About<'a> {
    id: MessageId,
    key: &'a str,
    appid: &'a str,
    openid: &'a str,
}

/// Appid, merchant and amount are the stored order's (WeChat Pay's rules for the integrator: the order's total, never what the
/// payer paid after coupons).
fn fits(order: &Order, paid: &Paid) -> Result<(), NotSettled> {
    let wrong = |what: String| Err(NotSettled::Mismatch(what));
    if paid.appid.as_deref().is_some_and(|appid| appid != order.appid) {
        return wrong("the payment belongs to another appid than the order".to_owned());
    }
    if paid.mch_id != order.mch_id || paid.out_trade_no != order.out_trade_no {
        return wrong("the payment belongs to another merchant or order".to_owned());
    }
    if paid.total_fee != order.total_fee {
        let (paid, asked) = (paid.total_fee, order.total_fee);
        return wrong(format!("{paid} fen were paid for an order of {asked} fen"));
    }
    Ok(())
}

fn refund_fits(refund: &Refund, said: &Refunded) -> Result<(), NotSettled> {
    if refund.refund_fee != said.refund_fee {
        let (known, said) = (refund.refund_fee, said.refund_fee);
        return Err(NotSettled::Mismatch(format!("a refund of {said} fen is told for one of {known} fen")));
    }
    let same = |known: &str, said: &str| known.is_empty() || said.is_empty() || known == said;
    if !same(&refund.out_trade_no, &said.out_trade_no) || !same(&refund.transaction_id, &said.transaction_id) {
        return Err(NotSettled::Mismatch("the refund is told for another payment than it was asked for".to_owned()));
    }
    Ok(())
}

/// Who is told of a payment: whom the order names, else whom the registration does.
fn calls_of(order: &Order, registered: &Registered) -> Vec<String> {
    let asked: Option<OrderAsk> = serde_json::from_slice(&order.request).ok();
    match asked {
        Some(asked) if !asked.calls.is_empty() => asked.calls,
        // Another registration of the same merchant is not told by mistake.
        _ if order.app_key != registered.app.key => Vec::new(),
        _ => registered.app.settings.pay_call.clone(),
    }
}

fn refund_calls(refund: &Refund, order: Option<&Order>, registered: &Registered) -> Vec<String> {
    let asked: Option<super::refunds::StoredRefund> = serde_json::from_slice(&refund.request).ok();
    match (asked, order) {
        (Some(asked), _) if !asked.calls.is_empty() => asked.calls,
        (_, Some(order)) => calls_of(order, registered),
        (_, None) => registered.app.settings.pay_call.clone(),
    }
}

/// WeChat's words for both versions.
fn event_type_of(status: RefundStatus) -> &'static str {
    match status {
        RefundStatus::Success => "REFUND.SUCCESS",
        RefundStatus::RefundClose => "REFUND.CLOSED",
        RefundStatus::Change => "REFUND.ABNORMAL",
        RefundStatus::Processing => "REFUND.PROCESSING",
    }
}

pub(super) fn refund_state(status: RefundStatus) -> RefundState {
    match status {
        RefundStatus::Success => RefundState::Succeeded,
        RefundStatus::RefundClose => RefundState::Closed,
        RefundStatus::Change => RefundState::Abnormal,
        RefundStatus::Processing => RefundState::Processing,
    }
}

/// One shape for both versions: v2's flat names, the kind of event in v3's words, and `resource` with what v3 said.
fn news_body(event_type: &str, fields: &Map<String, Value>, resource: Option<&Value>) -> Bytes {
    let mut body = fields.clone();
    body.insert("event_type".to_owned(), event_type.into());
    if let Some(resource) = resource {
        body.insert("resource".to_owned(), resource.clone());
    }
    to_json(&body).into()
}

/// The same whoever settles it: made from what it is about. It begins with a time, so that it has its place beside others of
/// that time in the tables' indexes.
fn news_id(created_at: Timestamp, about: &[&str]) -> MessageId {
    let mut hash = Sha256::new();
    for text in about {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    let (time, rest) = id.split_at_mut(4);
    let [.., a, b, c, d] = created_at.as_seconds().to_be_bytes();
    time.copy_from_slice(&[a, b, c, d]);
    rest.copy_from_slice(hash.split_at(rest.len()).0);
    MessageId(id)
}

/// The version in which WeChat is asked about an order.
pub(super) fn version(order: &Order) -> wechat::pay::Version {
    version_of(order.version)
}
