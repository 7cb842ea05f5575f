//! What WeChat says of a refund becomes what is stored of it, and news for the team: in one commit, like payments
//! (`settling`).
//!
//! What must stay true: the end of a refund is told once; what does not fit the stored refund changes nothing.

use serde_json::{Map, Value, json};
use store::{Order, OrderId, OrderState, PaymentChange, Refund, RefundId, RefundState, StoreError};
use wechat::pay::{Answer, Notice, RefundStatus};

use super::Inner;
use super::news::{About, news_body, news_id};
use super::refund_ask::StoredRefund;
use super::settling::{NotSettled, Settled, Source, TRIES};
use crate::apps::Registered;

/// A refund of which WeChat says how it stands. Verified.
pub(super) struct Refunded {
    pub(super) appid: Option<String>,
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

impl Refunded {
    /// `None`: the notice is not about a refund, or lacks what that needs.
    pub(super) fn of_notice(notice: Notice) -> Option<Self> {
        let of = |name: &str| notice.fields.get(name).and_then(Value::as_str);
        Some(Self {
            appid: notice.appid.clone(),
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
            appid: None,
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
                may_become(refund.state, state)?;
            }
            if let Some(order) = &order {
                self.order_fits(order, said, known.as_ref()).await?;
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
        let calls = self.refund_calls(&refund, order.as_ref(), registered).await?;
        let mut fields = said.fields.clone();
        fields.entry("appid").or_insert_with(|| refund.appid.clone().into());
        let body = news_body(event_type, &fields, said.resource.as_ref());
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

    /// What was not paid cannot go back, nor more than was paid.
    async fn order_fits(&self, order: &Order, said: &Refunded, known: Option<&Refund>) -> Result<(), NotSettled> {
        let wrong = |what: String| Err(NotSettled::Mismatch(what));
        if said.appid.as_deref().is_some_and(|appid| appid != order.appid) {
            return wrong("the refund belongs to another appid than the order".to_owned());
        }
        if !matches!(order.state, OrderState::Paid | OrderState::Refunded) {
            return wrong(format!("a refund is told of the order {}, which is not paid", order.out_trade_no));
        }
        if said.total_fee != order.total_fee || said.transaction_id != order.transaction_id {
            return wrong("the refund names another total or transaction than the order's".to_owned());
        }
        if known.is_some() {
            return Ok(());
        }
        let all = self.store.refunds_of(order.id).await?;
        let is_open = |refund: &&Refund| !matches!(refund.state, RefundState::Closed | RefundState::Refused);
        if !said.refund_id.is_empty() && all.iter().any(|refund| refund.refund_id == said.refund_id) {
            return wrong("the refund_id belongs to another refund".to_owned());
        }
        let gone: i64 = all.iter().filter(is_open).map(|refund| refund.refund_fee).sum();
        if said.refund_fee < 1 || said.refund_fee > order.total_fee.saturating_sub(gone) {
            return wrong(format!("a refund of {} fen is told, more than is left of the order", said.refund_fee));
        }
        Ok(())
    }

    async fn refund_calls(
        &self,
        refund: &Refund,
        order: Option<&Order>,
        registered: &Registered,
    ) -> Result<Vec<String>, StoreError> {
        let asked: Option<StoredRefund> = serde_json::from_slice(&refund.request).ok();
        match (asked, order) {
            (Some(asked), _) if !asked.calls.is_empty() => Ok(asked.calls),
            (_, Some(order)) => self.calls_of(order, registered).await,
            (_, None) => self.pay_calls_of(&refund.app_key, registered).await,
        }
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
}

/// What is decided stays so; only what the payer's bank refused may still be settled by a person.
fn may_become(known: RefundState, said: RefundState) -> Result<(), NotSettled> {
    match known {
        RefundState::Succeeded | RefundState::Closed => {
            Err(NotSettled::Mismatch("the refund is decided already, and ended in another way".to_owned()))
        }
        RefundState::Abnormal if said == RefundState::Processing => {
            Err(NotSettled::Mismatch("the refund is decided already".to_owned()))
        }
        _ => Ok(()),
    }
}

fn refund_fits(refund: &Refund, said: &Refunded) -> Result<(), NotSettled> {
    if refund.refund_fee != said.refund_fee {
        let (known, said) = (refund.refund_fee, said.refund_fee);
        return Err(NotSettled::Mismatch(format!("a refund of {said} fen is told for one of {known} fen")));
    }
    if refund.total_fee != said.total_fee {
        let (known, said) = (refund.total_fee, said.total_fee);
        return Err(NotSettled::Mismatch(format!("a total of {said} fen is told for an order of {known} fen")));
    }
    let same = |known: &str, said: &str| known.is_empty() || said.is_empty() || known == said;
    if !same(&refund.refund_id, &said.refund_id) {
        return Err(NotSettled::Mismatch("another refund_id is told than WeChat Pay gave before".to_owned()));
    }
    if !same(&refund.out_trade_no, &said.out_trade_no) || !same(&refund.transaction_id, &said.transaction_id) {
        return Err(NotSettled::Mismatch("the refund is told for another payment than it was asked for".to_owned()));
    }
    Ok(())
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
