//! Back to the payer: a refund is written down, asked for once, and watched until it is decided.
//!
//! What must stay true: the same out_refund_no is the same refund and moves money once; one whose outcome is unknown is
//! looked up before it is asked for again, and never under another number.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use store::{Order, OrderState, PaymentChange, Refund, RefundId, RefundState, StoreError, Timestamp};
use wechat::pay::{Answer, Operation, OutRefundNo, RefundNo, RefundStatus, Refusal, Version};

use super::ask::AskProblem;
use super::enquiries::told;
use super::exchange::{Said, Till};
use super::refund_ask::{RefundAsk, StoredRefund};
use super::refunded::Refunded;
use super::watch::is_unknown;
use super::{Inner, PayError, Payment, stored_version, version_of, watch, watch_schedule};
use crate::apps::Registered;
use crate::apps::merchants::MerchantProblem;
use crate::messages::to_json;

/// How often something is tried again when somebody else changed the same refund in between.
const TRIES: u32 = 10;

/// Whoever is asking for a refund is done, or gone, after this time.
const ASKING: Duration = Duration::from_secs(12);

/// Between two looks at a refund that somebody else is asking for, and how long a request waits for that.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

/// What to do about a refund that is known.
enum Step {
    /// WeChat has it: how it stands is asked.
    Look(Refund),
    /// WeChat refused it, so that nothing exists under its number.
    New(Refund),
    /// Nobody knows whether WeChat has it.
    Ask(Refund),
    /// Somebody else is asking for it.
    Wait,
}

impl Payment {
    /// Gives money back, or finds the refund that was made under this number. What comes is "accepted", not "refunded":
    /// how it ends is told to `call`.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn refund(&self, registered: &Arc<Registered>, asked: RefundAsk) -> Result<Map<String, Value>, PayError> {
        let (inner, registered) = (Arc::clone(&self.0), Arc::clone(registered));
        let refunding = self.0.tasks.spawn(async move { inner.refund(&registered, &asked).await });
        refunding.await.unwrap_or_else(|_| Err(PayError::Unclear("wechat-proxy is stopping".to_owned())))
    }
}

impl Inner {
    async fn refund(&self, registered: &Arc<Registered>, asked: &RefundAsk) -> Result<Map<String, Value>, PayError> {
        let (till, order) = self.order_of(registered, &asked.payment).await?;
        // A payment by v2 may be refunded by v3, which needs no client certificate: whatever new orders use.
        let till = self.till(registered, None).await.unwrap_or(till);
        self.has_certificate(&till)?;
        let id = RefundId::of(till.merchant()?.mch_id(), asked.out_refund_no.as_str());
        let give_up_at = self.clock.now() + PATIENCE;
        loop {
            let Some(known) = self.store.refund(id).await? else {
                let refund = self.new_refund(&till, id, order.as_ref(), asked)?;
                if self.write_asked(&refund, "refund asked").await? {
                    return self.ask_refund(&till, Refund { revision: 1, ..refund }).await;
                }
                continue;
            };
            match self.refund_step(registered, order.as_ref(), asked, known)? {
                Step::Wait if self.clock.now() >= give_up_at => {
                    return Err(PayError::Unclear("the refund is still being asked for".to_owned()));
                }
                Step::Wait => tokio::time::sleep(BETWEEN_LOOKS).await,
                Step::Look(refund) => {
                    let number = RefundNo::OutRefundNo(asked.out_refund_no.clone());
                    let fields = self.query_refund(registered, &number).await?;
                    return Ok(with_numbers(fields, &refund));
                }
                Step::New(known) => {
                    let fresh = self.new_refund(&till, id, order.as_ref(), asked)?;
                    let refund = Refund { revision: known.revision, ..fresh };
                    if self.write_asked(&refund, "refund asked again").await? {
                        return self.ask_refund(&till, Refund { revision: refund.revision + 1, ..refund }).await;
                    }
                }
                Step::Ask(refund) => {
                    let till = self.till(registered, Some(version_of(refund.version))).await?;
                    let now = self.clock.now();
                    let due_at = Some(now + ASKING);
                    let taken = Refund { state: RefundState::Asking, due_at, updated_at: now, ..refund };
                    if !self.write_asked(&taken, "refund asked again").await? {
                        continue;
                    }
                    let taken = Refund { revision: taken.revision + 1, ..taken };
                    if let Some(found) = self.found(&till, &taken).await? {
                        return Ok(found);
                    }
                    return self.ask_refund(&till, taken).await;
                }
            }
        }
    }

    /// v2 refunds go over TLS with the merchant's own certificate. A stand-in for WeChat that is reached without TLS
    /// cannot be shown one.
    fn has_certificate(&self, till: &Till) -> Result<(), PayError> {
        if till.version == Version::V3 || till.certificate().is_some() || !self.hosts.uses_tls() {
            return Ok(());
        }
        Err(PayError::Merchant(MerchantProblem::Incomplete(
            "refunds by API v2 need the merchant's client certificate; add it with /register?…&mch_cert=… (apiclient_cert.p12 \
             as base64, or both PEM files one after the other)"
                .to_owned(),
        )))
    }

    fn new_refund(
        &self,
        till: &Till,
        id: RefundId,
        order: Option<&Order>,
        asked: &RefundAsk,
    ) -> Result<Refund, PayError> {
        let (app, now) = (&till.registered.app, self.clock.now());
        if let Some(order) = order
            && !matches!(order.state, OrderState::Paid | OrderState::Refunded)
        {
            let number = &order.out_trade_no;
            return Err(PayError::Over(format!(
                "the order {number} is not paid, as far as is known here; ask /pay/query first"
            )));
        }
        let total = asked.total(order)?;
        let refund_fee = asked.refund_fee.map_or(total, |fee| i64::from(fee.fen()));
        if refund_fee > total {
            let text = format!("refund_fee is {refund_fee} fen, more than the order's {total}");
            return Err(AskProblem::Parameter(text).into());
        }
        let merchant = till.merchant()?;
        let (out_trade_no, transaction_id) = asked.numbers(order);
        let refund = Refund {
            id,
            order: asked.order_id(order, merchant.mch_id()),
            app_key: app.key.clone(),
            appid: app.appid.clone(),
            mch_id: merchant.mch_id().to_owned(),
            out_trade_no,
            transaction_id,
            out_refund_no: asked.out_refund_no.as_str().to_owned(),
            refund_id: String::new(),
            total_fee: total,
            refund_fee,
            version: stored_version(merchant),
            state: RefundState::Asking,
            content: asked.content(refund_fee, total),
            request: to_json(&asked.stored()),
            answer: None,
            created_at: now,
            updated_at: now,
            due_at: Some(now + ASKING),
            step: 0,
            revision: 0,
        };
        // What this version cannot express is said before anything is written down.
        merchant.refund(&asked.stored().into_refund(&refund)?, &self.stamp())?;
        Ok(refund)
    }

    fn refund_step(
        &self,
        registered: &Registered,
        order: Option<&Order>,
        asked: &RefundAsk,
        known: Refund,
    ) -> Result<Step, PayError> {
        let number = asked.out_refund_no.as_str();
        if known.app_key != registered.app.key {
            return Err(PayError::Conflict(format!(
                "the out_refund_no {number} belongs to a refund of another registration; choose another number"
            )));
        }
        if known.state == RefundState::Refused {
            return Ok(Step::New(known));
        }
        let total = asked.total_fee.map_or(known.total_fee, |fee| i64::from(fee.fen()));
        let total = order.map_or(total, |order| order.total_fee);
        let refund_fee = asked.refund_fee.map_or(total, |fee| i64::from(fee.fen()));
        if known.content != [0; 32] && known.content != asked.content(refund_fee, total) {
            return Err(PayError::Conflict(format!(
                "the out_refund_no {number} belongs to a refund with other parameters; choose another number, or ask with \
                 the same parameters again"
            )));
        }
        let now = self.clock.now();
        match known.state {
            RefundState::Asking if now < known.updated_at + ASKING && known.step == 0 => Ok(Step::Wait),
            RefundState::Asking => Ok(Step::Ask(Refund { step: 0, ..known })),
            _ => Ok(Step::Look(known)),
        }
    }

    async fn write_asked(&self, refund: &Refund, kind: &str) -> Result<bool, StoreError> {
        let detail = json!({"out_refund_no": refund.out_refund_no, "refund_fee": refund.refund_fee});
        self.write_refund_event(refund, kind, &detail).await
    }

    async fn write_refund_event(&self, refund: &Refund, kind: &str, detail: &Value) -> Result<bool, StoreError> {
        let events = [self.event(refund.order, kind, detail)];
        self.store
            .change_payment(&PaymentChange { order: None, refund: Some(refund), events: &events, news: None })
            .await
    }

    /// Asks for a refund that this task has written down.
    async fn ask_refund(&self, till: &Till, refund: Refund) -> Result<Map<String, Value>, PayError> {
        let stored: StoredRefund = serde_json::from_slice(&refund.request).unwrap_or_default();
        let wechats = stored.into_refund(&refund)?;
        let said = self.ask(till, Operation::Refund, |merchant, stamp| merchant.refund(&wechats, stamp)).await?;
        let now = self.clock.now();
        match said {
            Said::Done(answer) if is_about_another(&answer, &refund) => {
                self.refund_unclear(refund, "WeChat Pay's answer is about another refund".to_owned()).await
            }
            Said::Done(answer) => self.accepted(till, refund, answer).await,
            // Without a signature it means nothing by itself (API v2, `return_code`): it may have been done. When the
            // question is refused too, it is the merchant that WeChat does not serve (a wrong key, most often).
            Said::Refused(refusal) if refusal.code == "FAIL" => match self.found(till, &refund).await {
                Ok(Some(found)) => Ok(found),
                Ok(None) | Err(PayError::Refused(_)) => self.refund_refused(refund, refusal).await,
                Err(_) => self.refund_unclear(refund, refusal.to_string()).await,
            },
            Said::Refused(refusal) => self.refund_refused(refund, refusal).await,
            Said::NotSent(reason) => {
                let refund = Refund { state: RefundState::Refused, due_at: None, updated_at: now, ..refund };
                self.write_refund_event(&refund, "refund not sent", &json!({"reason": reason})).await?;
                Err(PayError::NotSent(reason))
            }
            Said::Unclear(reason) => match self.found(till, &refund).await {
                Ok(Some(found)) => Ok(found),
                _ => self.refund_unclear(refund, reason).await,
            },
        }
    }

    /// Nobody knows. The watch goes on asking; so may the caller, with the same number.
    async fn refund_unclear(&self, refund: Refund, reason: String) -> Result<Map<String, Value>, PayError> {
        let now = self.clock.now();
        let refund = Refund { due_at: Some(now + watch::SOON), step: 1, updated_at: now, ..refund };
        let detail = json!({"out_refund_no": refund.out_refund_no, "reason": reason});
        self.write_refund_event(&refund, "refund unclear", &detail).await?;
        self.due.notify_one();
        Err(PayError::Unclear(reason))
    }

    async fn refund_refused(&self, refund: Refund, refusal: Refusal) -> Result<Map<String, Value>, PayError> {
        let now = self.clock.now();
        let refund = Refund { state: RefundState::Refused, due_at: None, updated_at: now, ..refund };
        let detail = json!({
            "out_refund_no": refund.out_refund_no,
            "code": refusal.said,
            "message": refusal.message,
        });
        self.write_refund_event(&refund, "refund refused", &detail).await?;
        Err(PayError::Refused(refusal))
    }

    async fn accepted(&self, till: &Till, refund: Refund, answer: Answer) -> Result<Map<String, Value>, PayError> {
        let now = self.clock.now();
        let status = answer.refund_status().unwrap_or(RefundStatus::Processing);
        let accept = |refund: Refund| Refund {
            state: RefundState::Processing,
            refund_id: answer.text("refund_id").unwrap_or_default().to_owned(),
            transaction_id: answer.text("transaction_id").map_or(refund.transaction_id.clone(), str::to_owned),
            answer: Some(to_json(&answer.fields)),
            // Decided at once: asked about at once, so that it is told in the same way as all others.
            due_at: due_after(status, &refund, now),
            updated_at: now,
            ..refund
        };
        let refund = self.write_open(refund, "refund accepted", accept).await?;
        let key = &till.registered.app.key;
        tracing::info!(
            key,
            out_refund_no = refund.out_refund_no,
            refund_fee = refund.refund_fee,
            "a refund was accepted"
        );
        self.due.notify_one();
        Ok(with_numbers(told(answer), &refund))
    }

    /// Writes down what is known of a refund that is not decided, also when somebody else changed it in between: a
    /// notification may be faster, and knows more; whatever else was faster knows less.
    async fn write_open(
        &self,
        refund: Refund,
        kind: &str,
        change: impl Fn(Refund) -> Refund,
    ) -> Result<Refund, StoreError> {
        let mut known = refund;
        for _ in 0..TRIES {
            let changed = change(known);
            let detail = json!({"out_refund_no": changed.out_refund_no, "refund_id": changed.refund_id});
            if self.write_refund_event(&changed, kind, &detail).await? {
                return Ok(changed);
            }
            match self.store.refund(changed.id).await? {
                Some(row) if !is_decided(row.state) => known = row,
                _ => return Ok(changed),
            }
        }
        Err(StoreError::Conflict)
    }

    /// What WeChat knows of a refund whose outcome is unknown; `None`: nothing, so it may be asked for.
    async fn found(&self, till: &Till, refund: &Refund) -> Result<Option<Map<String, Value>>, PayError> {
        let number = out_refund_no(refund)?;
        let query = |merchant: &wechat::pay::Merchant, stamp: &wechat::pay::Stamp| {
            merchant.query_refund(&refund.appid, &number, stamp)
        };
        match self.ask(till, Operation::QueryRefund, query).await? {
            Said::Done(answer) => {
                let now = self.clock.now();
                let status = Refunded::of_answer(&answer, refund).map(|said| said.status);
                // Its end is settled, and told, by the watch: one way for all.
                let due_at = due_after(status.unwrap_or(RefundStatus::Change), refund, now);
                let find = |known: Refund| Refund { state: RefundState::Processing, due_at, updated_at: now, ..known };
                self.write_open(refund.clone(), "refund found", find).await?;
                self.due.notify_one();
                Ok(Some(with_numbers(told(answer), refund)))
            }
            Said::Refused(refusal) if is_unknown(&refusal) => Ok(None),
            Said::Refused(refusal) => Err(PayError::Refused(refusal)),
            Said::NotSent(reason) | Said::Unclear(reason) => Err(PayError::Unclear(reason)),
        }
    }
}

/// When a refund in this state is asked about next.
fn due_after(status: RefundStatus, refund: &Refund, now: Timestamp) -> Option<Timestamp> {
    match status {
        RefundStatus::Processing => {
            watch_schedule::next_refund_query(refund.created_at, now).or(Some(now + watch::SOON))
        }
        _ => Some(now),
    }
}

fn is_about_another(answer: &Answer, refund: &Refund) -> bool {
    answer.text("out_refund_no").is_some_and(|said| said != refund.out_refund_no)
        || answer.fen("refund_fee").is_some_and(|said| said != refund.refund_fee)
}

fn is_decided(state: RefundState) -> bool {
    matches!(state, RefundState::Succeeded | RefundState::Closed | RefundState::Abnormal)
}

pub(super) fn out_refund_no(refund: &Refund) -> Result<RefundNo, AskProblem> {
    let number = OutRefundNo::parse(&refund.out_refund_no);
    number.map(RefundNo::OutRefundNo).map_err(|error| AskProblem::Parameter(error.to_string()))
}

/// v2 answers with numbered fields when it is asked, v3 with others: what every caller looks for is there by its plain
/// name.
fn with_numbers(mut fields: Map<String, Value>, refund: &Refund) -> Map<String, Value> {
    for (name, value) in [
        ("appid", Value::from(refund.appid.as_str())),
        ("out_refund_no", Value::from(refund.out_refund_no.as_str())),
        ("refund_fee", refund.refund_fee.into()),
        ("total_fee", refund.total_fee.into()),
    ] {
        fields.entry(name).or_insert(value);
    }
    fields
}
