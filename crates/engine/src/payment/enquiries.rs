//! `/pay/query` and `/pay/close`: how a payment stands at WeChat, and that it will not be paid.
//!
//! What must stay true: what WeChat says on the way is settled like a notification; an order of another registration is
//! not told.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use store::{Order, OrderFilter, OrderId, OrderState};
use wechat::pay::{Answer, Operation, OutTradeNo, PaymentNo, TradeState};

use super::ask::AskProblem;
use super::exchange::{Said, Till};
use super::settling::{NotSettled, Paid};
use super::watch::is_unknown;
use super::{Inner, PayError, Payment, settling};
use crate::apps::Registered;

impl Payment {
    /// How a payment stands, asked at WeChat now; in v2's names, with `resource` where v3 said it.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn query(
        &self,
        registered: &Arc<Registered>,
        payment: &PaymentNo,
    ) -> Result<Map<String, Value>, PayError> {
        let (till, order) = self.0.order_of(registered, payment).await?;
        let mut answer = self.0.query_now(&till, order.as_ref(), payment).await?;
        answer.fields.entry("return_msg").or_insert_with(|| "OK".into());
        if let Some(order) = order {
            answer.fields.entry("total_fee").or_insert_with(|| order.total_fee.into());
        }
        Ok(told(answer))
    }

    /// Sees to it that an order will not be paid. Closing a closed order is no error; a paid one cannot be closed.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn close(
        &self,
        registered: &Arc<Registered>,
        number: &OutTradeNo,
    ) -> Result<Map<String, Value>, PayError> {
        let payment = PaymentNo::OutTradeNo(number.clone());
        let (till, order) = self.0.order_of(registered, &payment).await?;
        self.0.close(&till, order, number).await
    }
}

/// What WeChat Pay says when somebody is paying the order that is to be closed.
const COLLISIONS: [&str; 4] = ["ORDERPAID", "USERPAYING", "FREQUENCY_LIMITED", "TRADE_STATE_ERROR"];

/// The fields of an answer, and what v3 said.
pub(super) fn told(answer: Answer) -> Map<String, Value> {
    let mut fields = answer.fields;
    if let Some(resource) = answer.resource {
        fields.insert("resource".to_owned(), resource);
    }
    fields
}

impl Inner {
    /// The order with this number, if it was placed here, and the merchant that WeChat is asked as.
    ///
    /// # Errors
    /// When it is another registration's.
    pub(super) async fn order_of(
        &self,
        registered: &Arc<Registered>,
        payment: &PaymentNo,
    ) -> Result<(Till, Option<Order>), PayError> {
        let till = self.till(registered, None).await?;
        let mch_id = till.merchant()?.mch_id().to_owned();
        let order = match payment {
            PaymentNo::OutTradeNo(number) => self.store.order(OrderId::of(&mch_id, number.as_str())).await?,
            PaymentNo::TransactionId(id) => {
                let filter =
                    OrderFilter { mch_id: Some(mch_id), transaction_id: Some(id.clone()), ..OrderFilter::default() };
                self.store.orders(&filter, None, 1).await?.pop()
            }
        };
        if order.as_ref().is_some_and(|order| order.app_key != registered.app.key) {
            return Err(PayError::Unknown);
        }
        let till = match &order {
            // What was placed by one version is asked about by the same, if it is still registered.
            Some(order) => self.till(registered, Some(settling::version(order))).await.unwrap_or(till),
            None => till,
        };
        Ok((till, order))
    }

    async fn query_now(&self, till: &Till, order: Option<&Order>, payment: &PaymentNo) -> Result<Answer, PayError> {
        let appid = till.registered.app.appid.as_str();
        let query = self.ask(till, Operation::Query, |merchant, stamp| Ok(merchant.query(appid, payment, stamp)));
        let answer = match query.await? {
            Said::Done(answer) => answer,
            Said::Refused(refusal) if is_unknown(&refusal) => return Err(PayError::Unknown),
            Said::Refused(refusal) => return Err(PayError::Refused(refusal)),
            Said::NotSent(reason) => return Err(PayError::NotSent(reason)),
            Said::Unclear(reason) => return Err(PayError::Unclear(reason)),
        };
        // A merchant may have several accounts: those of other registrations are not told here.
        if answer.text("appid").is_some_and(|said| said != appid) {
            return Err(PayError::Unknown);
        }
        if let Some(order) = order {
            self.settle_found(till, order, &answer).await?;
        }
        Ok(answer)
    }

    async fn settle_found(&self, till: &Till, order: &Order, answer: &Answer) -> Result<(), PayError> {
        if let Some(paid) = Paid::of_answer(answer, &order.mch_id) {
            return match self.settle_paid(&till.registered, &paid).await {
                Ok(_) => Ok(()),
                Err(NotSettled::Store(error)) => Err(error.into()),
                Err(error) => Err(PayError::Conflict(error.to_string())),
            };
        }
        let state = answer.trade_state();
        let is_closed = matches!(state, Some(TradeState::Closed | TradeState::Revoked | TradeState::PayError));
        if is_closed && matches!(order.state, OrderState::Placing | OrderState::Unpaid) {
            self.close_here(order, "WeChat Pay says so").await?;
        }
        Ok(())
    }

    /// First asked, then closed (WeChat Pay: query before closing): who pays in that moment wins.
    async fn close(
        &self,
        till: &Till,
        order: Option<Order>,
        number: &OutTradeNo,
    ) -> Result<Map<String, Value>, PayError> {
        let payment = PaymentNo::OutTradeNo(number.clone());
        let mut unclear = None;
        for _ in 0..2 {
            match self.query_now(till, order.as_ref(), &payment).await {
                Ok(answer) => match answer.trade_state() {
                    Some(state) if state.is_paid() => {
                        return Err(PayError::Over(format!(
                            "the order {} is paid, and cannot be closed",
                            number.as_str()
                        )));
                    }
                    Some(state) if !state.is_open() => return self.closed(till, order, number).await,
                    _ => {}
                },
                // Never asked about a payment that WeChat does not know: closing such a number would use it up.
                Err(error) => return Err(error),
            }
            let appid = till.registered.app.appid.as_str();
            let close = self.ask(till, Operation::Close, |merchant, stamp| Ok(merchant.close(appid, number, stamp)));
            match close.await? {
                Said::Done(_) => return self.closed(till, order, number).await,
                Said::Refused(refusal) if refusal.code == "ORDERCLOSED" => {
                    return self.closed(till, order, number).await;
                }
                // Somebody is paying: look again.
                Said::Refused(refusal) if COLLISIONS.contains(&refusal.code.as_str()) => {}
                Said::Refused(refusal) => return Err(PayError::Refused(refusal)),
                Said::NotSent(reason) => return Err(PayError::NotSent(reason)),
                // Perhaps it was done: look again.
                Said::Unclear(reason) => unclear = Some(reason),
            }
        }
        if let Some(reason) = unclear {
            return Err(PayError::Unclear(reason));
        }
        Err(PayError::Over(format!("somebody is paying the order {} just now; ask how it ends", number.as_str())))
    }

    async fn closed(
        &self,
        till: &Till,
        order: Option<Order>,
        number: &OutTradeNo,
    ) -> Result<Map<String, Value>, PayError> {
        let order = match order {
            Some(order) => self.store.order(order.id).await?,
            None => None,
        };
        if let Some(order) = order.filter(|order| matches!(order.state, OrderState::Placing | OrderState::Unpaid)) {
            self.close_here(&order, "the team asked for it").await?;
        }
        Ok(closed(till, number))
    }
}

/// The same answer from both versions.
fn closed(till: &Till, number: &OutTradeNo) -> Map<String, Value> {
    let app = &till.registered.app;
    let fields = json!({
        "return_code": "SUCCESS",
        "return_msg": "OK",
        "result_code": "SUCCESS",
        "appid": app.appid,
        "mch_id": app.settings.mch_id,
        "out_trade_no": number.as_str(),
        "trade_state": "CLOSED",
    });
    fields.as_object().cloned().unwrap_or_default()
}

/// Which payment is meant: `out_trade_no` or `transaction_id`.
///
/// # Errors
/// When neither is given, or one is malformed.
pub fn payment_of<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Result<PaymentNo, AskProblem> {
    match (value("transaction_id"), value("out_trade_no")) {
        (Some(id), _) if id.len() > 32 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            Err(AskProblem::Parameter("transaction_id is WeChat's number of the payment, at most 32 digits".to_owned()))
        }
        (Some(id), _) => Ok(PaymentNo::TransactionId(id.to_owned())),
        (None, Some(number)) => {
            let number = OutTradeNo::parse(number).map_err(|error| AskProblem::Parameter(error.to_string()))?;
            Ok(PaymentNo::OutTradeNo(number))
        }
        (None, None) => Err(AskProblem::Parameter(
            "out_trade_no is missing (or transaction_id): which payment is meant?".to_owned(),
        )),
    }
}
