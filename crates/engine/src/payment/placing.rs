//! From an order that is asked for to one that can be paid: written down, placed at WeChat, its answer kept.
//!
//! The order's row is the lock: whoever wrote it as "placing" last is the one who asks WeChat, on whatever node; all
//! others wait for what comes of it. What must stay true: the row is on disk before WeChat hears of the order; an order
//! whose outcome is unknown is asked about before it is sent again, and then exactly as it was the first time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use store::{Order, OrderId, OrderState, PaymentChange, StoreError};
use wechat::pay::{Answer, Operation, OutTradeNo, PaymentNo, Refusal, Retry, TradeState};

use super::ask::{AskProblem, OrderAsk};
use super::exchange::{Said, Till};
use super::placed::{Kept, Placed, in_one_shape};
use super::settling::Paid;
use super::{Inner, PayError, Payment, settling, stored_version, watch};
use crate::apps::Registered;
use crate::messages::{from_json, to_json};

/// Whoever is placing an order is done, or gone, after this time: a call and a little. One who is still at it does no
/// harm: both send the same.
const PLACING: Duration = Duration::from_secs(12);

/// Between two looks at an order that somebody else is placing.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// How long a request waits for an order that somebody else is placing.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often an answer is written down again when somebody else changed the row in between.
const TRIES: u32 = 10;

/// How long what WeChat answered can be used (WeChat Pay: prepay_id and code_url 2 hours, mweb_url 5 minutes), less a
/// little, because the payer needs time as well.
const GOOD_FOR: Duration = Duration::from_secs(110 * 60);
const MWEB_GOOD_FOR: Duration = Duration::from_secs(4 * 60);

/// What to do about an order that is known.
enum Step {
    /// WeChat's answer is still good.
    Answer(Map<String, Value>),
    /// WeChat refused it, so that nothing exists under its number.
    New(Box<Order>),
    /// It is sent (again).
    Send(Box<Order>),
    /// Somebody else is placing it.
    Wait,
}

/// What WeChat has of an order before it is sent (again).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing.
    Nothing,
    /// Nobody knows.
    Unclear,
    /// The order, unpaid.
    Order,
}

impl Before {
    fn of(state: OrderState) -> Self {
        if state == OrderState::Placing { Self::Unclear } else { Self::Order }
    }
}

/// How an order stands at WeChat.
enum Looked {
    /// It is paid or closed; so it says.
    Over(PayError),
    /// It can be paid.
    Open,
    /// WeChat does not know it.
    Unknown,
}

impl Payment {
    /// Places an order, or finds the one that was placed under this number.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn place(&self, registered: &Arc<Registered>, asked: OrderAsk) -> Result<Placed, PayError> {
        let (inner, registered) = (Arc::clone(&self.0), Arc::clone(registered));
        // Not tied to the request: a visitor who leaves must not leave an order between two states.
        let placing = self.0.tasks.spawn(async move { inner.place(&registered, &asked).await });
        placing.await.unwrap_or_else(|_| Err(PayError::Unclear("wechat-proxy is stopping".to_owned())))
    }
}

impl Inner {
    async fn place(&self, registered: &Arc<Registered>, asked: &OrderAsk) -> Result<Placed, PayError> {
        let till = self.till(registered, None).await?;
        let id = OrderId::of(till.merchant()?.mch_id(), &asked.out_trade_no);
        let give_up_at = self.clock.now() + PATIENCE;
        loop {
            let Some(known) = self.store.order(id).await? else {
                let order = self.new_order(&till, id, asked)?;
                if self.write(&order, "placed", &json!({"total_fee": asked.total_fee})).await? {
                    return self.send(&till, Order { revision: 1, ..order }, Before::Nothing).await;
                }
                continue;
            };
            match self.step(registered, asked, known)? {
                Step::Answer(fields) => return Ok(Placed { fields, till: self.till_of(registered, id).await? }),
                Step::New(known) => {
                    // Nothing exists under this number: what is asked now counts, in the version that is preferred now.
                    let fresh = self.new_order(&till, id, asked)?;
                    let order = Order { revision: known.revision, ..fresh };
                    if self.write(&order, "placed again", &json!({"total_fee": asked.total_fee})).await? {
                        return self
                            .send(&till, Order { revision: order.revision + 1, ..order }, Before::Nothing)
                            .await;
                    }
                }
                Step::Send(order) => {
                    let before = Before::of(order.state);
                    let till = self.till(registered, Some(settling::version(&order))).await?;
                    let now = self.clock.now();
                    let taken = Order { state: OrderState::Placing, step: 0, updated_at: now, ..*order };
                    let taken = Order { due_at: Some(now + PLACING), ..taken };
                    if self.write(&taken, "placed again", &json!({})).await? {
                        return self.send(&till, Order { revision: taken.revision + 1, ..taken }, before).await;
                    }
                }
                Step::Wait if self.clock.now() >= give_up_at => {
                    return Err(PayError::Unclear("the order is still being placed".to_owned()));
                }
                Step::Wait => tokio::time::sleep(BETWEEN_LOOKS).await,
            }
        }
    }

    async fn till_of(&self, registered: &Arc<Registered>, id: OrderId) -> Result<Till, PayError> {
        let version = self.store.order(id).await?.map(|order| settling::version(&order));
        self.till(registered, version).await
    }

    /// # Errors
    /// When the number belongs to something else, or its order is over.
    fn step(&self, registered: &Registered, asked: &OrderAsk, known: Order) -> Result<Step, PayError> {
        let number = &asked.out_trade_no;
        if known.app_key != registered.app.key {
            return Err(PayError::Conflict(format!(
                "the out_trade_no {number} belongs to an order of another registration; choose another number"
            )));
        }
        match known.state {
            OrderState::Paid | OrderState::Refunded => {
                return Err(PayError::Over(format!("the order {number} is paid already")));
            }
            OrderState::Closed => {
                return Err(PayError::Over(format!("the order {number} is closed; choose another out_trade_no")));
            }
            OrderState::Refused => return Ok(Step::New(Box::new(known))),
            _ if known.content != asked.content(&registered.app.appid) => {
                return Err(PayError::Conflict(format!(
                    "the out_trade_no {number} belongs to an order with other parameters; choose another number, or ask \
                     with the same parameters again"
                )));
            }
            _ => {}
        }
        let now = self.clock.now();
        let is_being_placed = known.state == OrderState::Placing && now < known.updated_at + PLACING;
        if is_being_placed && known.step == 0 {
            return Ok(Step::Wait);
        }
        let good_for = if known.trade_type == "MWEB" { MWEB_GOOD_FOR } else { GOOD_FOR };
        match (&known.answer, known.answered_at) {
            (Some(answer), Some(at)) if known.state == OrderState::Unpaid && now < at + good_for => {
                Ok(Step::Answer(from_json::<Kept>(answer).fields))
            }
            _ => Ok(Step::Send(Box::new(known))),
        }
    }

    fn new_order(&self, till: &Till, id: OrderId, asked: &OrderAsk) -> Result<Order, PayError> {
        let (app, now) = (&till.registered.app, self.clock.now());
        let merchant = till.merchant()?;
        // What this version cannot express is said before anything is written down.
        merchant.order(&asked.order(&app.appid)?, &self.stamp())?;
        Ok(Order {
            id,
            app_key: app.key.clone(),
            appid: app.appid.clone(),
            mch_id: merchant.mch_id().to_owned(),
            out_trade_no: asked.out_trade_no.clone(),
            version: stored_version(merchant),
            trade_type: asked.trade_type.clone(),
            total_fee: i64::from(asked.total_fee),
            openid: asked.openid.clone().unwrap_or_default(),
            transaction_id: String::new(),
            state: OrderState::Placing,
            content: asked.content(&app.appid),
            request: to_json(asked),
            answer: None,
            answered_at: None,
            created_at: now,
            updated_at: now,
            paid_at: None,
            due_at: Some(now + PLACING),
            step: 0,
            revision: 0,
        })
    }

    async fn write(&self, order: &Order, kind: &str, detail: &Value) -> Result<bool, StoreError> {
        let events = [self.event(order.id, kind, detail)];
        self.store
            .change_payment(&PaymentChange { order: Some(order), refund: None, events: &events, news: None })
            .await
    }

    /// Sends an order that this task has, as it was written down, and writes down what comes of it.
    async fn send(&self, till: &Till, order: Order, mut before: Before) -> Result<Placed, PayError> {
        let asked: OrderAsk = serde_json::from_slice(&order.request)
            .map_err(|_| AskProblem::Parameter("the order was written down by another version".to_owned()))?;
        let wechats = asked.order(&order.appid)?;
        if before == Before::Unclear {
            match self.look_first(till, &order).await {
                Ok(Looked::Over(error)) => return Err(error),
                Ok(Looked::Open) => before = Before::Order,
                Ok(Looked::Unknown) => before = Before::Nothing,
                Err(error) => return self.unclear(order, error.to_string()).await,
            }
        }
        for last in [false, true] {
            match self.ask(till, Operation::Order, |merchant, stamp| merchant.order(&wechats, stamp)).await? {
                Said::Done(answer) => match unusable(&answer, &order) {
                    None => return self.placed(till, order, answer).await,
                    Some(_) if !last => before = Before::Unclear,
                    Some(reason) => return self.unclear(order, reason.to_owned()).await,
                },
                Said::Refused(refusal) if refusal.retry() == Retry::Query => {
                    return Err(match self.look_first(till, &order).await {
                        Ok(Looked::Over(error)) => error,
                        Ok(Looked::Open) => return self.refused(order, refusal, Before::Order).await,
                        Ok(Looked::Unknown) => return self.refused(order, refusal, Before::Nothing).await,
                        Err(_) => return self.unclear(order, refusal.to_string()).await,
                    });
                }
                Said::Refused(refusal) => return self.refused(order, refusal, before).await,
                Said::NotSent(reason) => {
                    self.not_placed(order, &reason, before).await?;
                    return Err(PayError::NotSent(reason));
                }
                Said::Unclear(reason) => match self.look_first(till, &order).await {
                    Ok(Looked::Over(error)) => return Err(error),
                    // WeChat knows the order, or never heard of it: both times the same may be sent again.
                    Ok(Looked::Open) if !last => before = Before::Order,
                    Ok(Looked::Unknown) if !last => before = Before::Nothing,
                    Ok(_) | Err(_) => return self.unclear(order, reason).await,
                },
            }
        }
        self.unclear(order, "no answer".to_owned()).await
    }

    /// Asks how the order stands.
    async fn look_first(&self, till: &Till, order: &Order) -> Result<Looked, PayError> {
        let payment = number_of(order)?;
        let said =
            self.ask(till, Operation::Query, |merchant, stamp| Ok(merchant.query(&order.appid, &payment, stamp)));
        match said.await? {
            Said::Done(answer) => {
                if let Some(paid) = Paid::of_answer(&answer, &order.mch_id) {
                    let settled = self.settle_paid(&till.registered, &paid).await;
                    settled.map_err(|error| PayError::Conflict(error.to_string()))?;
                    let number = &order.out_trade_no;
                    return Ok(Looked::Over(PayError::Over(format!("the order {number} is paid already"))));
                }
                match answer.trade_state() {
                    Some(TradeState::NotPay | TradeState::UserPaying | TradeState::Accept) => Ok(Looked::Open),
                    Some(TradeState::Closed | TradeState::Revoked | TradeState::PayError) => {
                        self.close_here(order, "WeChat Pay says so").await?;
                        let number = &order.out_trade_no;
                        Ok(Looked::Over(PayError::Over(format!(
                            "the order {number} is closed; choose another out_trade_no"
                        ))))
                    }
                    Some(TradeState::Success | TradeState::Refund) | None => {
                        Err(PayError::Unclear("WeChat Pay's answer does not say how the order stands".to_owned()))
                    }
                }
            }
            Said::Refused(refusal) if watch::is_unknown(&refusal) => Ok(Looked::Unknown),
            Said::Refused(refusal) => Err(PayError::Refused(refusal)),
            Said::NotSent(reason) | Said::Unclear(reason) => Err(PayError::Unclear(reason)),
        }
    }

    async fn placed(&self, till: &Till, order: Order, answer: Answer) -> Result<Placed, PayError> {
        let now = self.clock.now();
        let fields = in_one_shape(answer.fields, &order);
        let mut known = order;
        for _ in 0..TRIES {
            let order = Order {
                state: OrderState::Unpaid,
                answer: Some(to_json(&Kept { fields: fields.clone() })),
                answered_at: Some(now),
                updated_at: now,
                due_at: self.next_look(&known).or(Some(now + watch::SOON)),
                ..known
            };
            if self.write(&order, "answered", &json!({"trade_type": order.trade_type})).await? {
                break;
            }
            // A notification may be faster than the answer; whatever else was faster knows less than the answer.
            match self.store.order(order.id).await? {
                Some(row) if matches!(row.state, OrderState::Placing | OrderState::Unpaid | OrderState::Refused) => {
                    known = row;
                }
                _ => break,
            }
        }
        self.metrics.order("placed");
        self.due.notify_one();
        Ok(Placed { fields, till: till.clone() })
    }

    async fn refused(&self, order: Order, refusal: Refusal, before: Before) -> Result<Placed, PayError> {
        let detail = json!({"code": refusal.said, "message": refusal.message});
        let order = self.as_before(order, before);
        self.write(&order, "refused", &detail).await?;
        self.metrics.order("refused");
        let (key, number) = (&order.app_key, &order.out_trade_no);
        tracing::warn!(key, out_trade_no = number, %refusal, "WeChat Pay refused an order");
        Err(PayError::Refused(refusal))
    }

    /// WeChat has not done it: what was there before is there still.
    fn as_before(&self, order: Order, before: Before) -> Order {
        let now = self.clock.now();
        let (state, due_at) = match before {
            Before::Nothing => (OrderState::Refused, None),
            Before::Unclear => (OrderState::Placing, Some(now + watch::SOON)),
            Before::Order => (OrderState::Unpaid, self.next_look(&order).or(Some(now + watch::SOON))),
        };
        Order { state, due_at, step: 1, updated_at: now, ..order }
    }

    /// WeChat never heard of it.
    async fn not_placed(&self, order: Order, reason: &str, before: Before) -> Result<(), StoreError> {
        let order = self.as_before(order, before);
        self.write(&order, "not sent", &json!({"reason": reason})).await.map(drop)
    }

    /// Nobody knows. The watch goes on asking; so may the caller, with the same number.
    async fn unclear(&self, order: Order, reason: String) -> Result<Placed, PayError> {
        let now = self.clock.now();
        let order = Order { due_at: Some(now + watch::SOON), step: 1, updated_at: now, ..order };
        self.write(&order, "unclear", &json!({"reason": reason})).await?;
        self.metrics.order("unclear");
        self.due.notify_one();
        Err(PayError::Unclear(reason))
    }

    /// The order will never be paid.
    pub(super) async fn close_here(&self, order: &Order, why: &str) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let order = Order { state: OrderState::Closed, due_at: None, updated_at: now, ..order.clone() };
        self.write(&order, "closed", &json!({"why": why})).await
    }
}

pub(super) fn number_of(order: &Order) -> Result<PaymentNo, PayError> {
    let number = OutTradeNo::parse(&order.out_trade_no);
    Ok(PaymentNo::OutTradeNo(number.map_err(|error| AskProblem::Parameter(error.to_string()))?))
}

/// Why nobody can pay with this answer, or it is another order's.
fn unusable(answer: &Answer, order: &Order) -> Option<&'static str> {
    let needed = match order.trade_type.as_str() {
        "NATIVE" => "code_url",
        "MWEB" => "mweb_url",
        _ => "prepay_id",
    };
    let is_other = |name: &str, own: &str| answer.text(name).is_some_and(|said| said != own);
    if answer.text(needed).is_none() {
        return Some("WeChat Pay's answer holds nothing to pay with");
    }
    (is_other("appid", &order.appid) || is_other("trade_type", &order.trade_type))
        .then_some("WeChat Pay's answer is about another order")
}
