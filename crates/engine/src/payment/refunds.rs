//! Back to the payer: a refund is written down, asked for once, and watched until it is decided.
//!
//! What must stay true: the same out_refund_no is the same refund and moves money once; one whose outcome is unknown is looked up
//! before it is asked for again, and never under another number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use store::{Order, OrderId, OrderState, PaymentChange, Refund, RefundId, RefundState, StoreError};
use wechat::pay::{Answer, Fee, Operation, OutRefundNo, OutTradeNo, PaymentNo, RefundNo, RefundStatus, Retry, Version};

use super::ask::{AskProblem, notify_url};
use super::enquiries::{payment_of, told};
use super::exchange::{Said, Till};
use super::settling::{Refunded, refund_state};
use super::watch::is_unknown;
use super::{Inner, PayError, Payment, stored_version, version_of, watch};
use crate::apps::Registered;
use crate::apps::merchants::MerchantProblem;
use crate::apps::parameters::MAX_CALLS;
use crate::backends::CallUrls;
use crate::messages::to_json;

/// Whoever is asking for a refund is done, or gone, after this time.
const ASKING: Duration = Duration::from_secs(45);

/// Parameters that are ours or that are filled in; all others pass through by WeChat's names.
const OURS: [&str; 18] = [
    "appid",
    "call",
    "fee",
    "key",
    "mch_id",
    "mch_key",
    "mchid",
    "nonce_str",
    "notify_url",
    "out_refund_no",
    "out_trade_no",
    "reason",
    "refund_fee",
    "sign",
    "sign_type",
    "timestamp",
    "total_fee",
    "transaction_id",
];

/// A refund as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundAsk {
    payment: PaymentNo,
    out_refund_no: OutRefundNo,
    /// Nothing: all of it.
    refund_fee: Option<Fee>,
    /// Needed only for payments that were not placed here.
    total_fee: Option<Fee>,
    notify_url: String,
    others: BTreeMap<String, String>,
    calls: Vec<String>,
}

/// What is written down of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StoredRefund {
    notify_url: String,
    others: BTreeMap<String, String>,
    pub(super) calls: Vec<String>,
}

impl RefundAsk {
    /// Reads the parameters of a refund.
    ///
    /// # Errors
    /// [`AskProblem`].
    pub fn read(
        pairs: &[(String, String)],
        registered: &Registered,
        call_urls: &CallUrls,
        base: &str,
    ) -> Result<Self, AskProblem> {
        let value = |name: &str| {
            let found = pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            found.filter(|value| !value.is_empty())
        };
        let wrong = |text: String| AskProblem::Parameter(text);
        let number = value("out_refund_no").ok_or_else(|| {
            wrong("out_refund_no is missing: your own number of the refund, by which it is never made twice".to_owned())
        })?;
        let fee = |name: &str| {
            let fee = value(name).map(Fee::parse).transpose();
            fee.map_err(|error| wrong(format!("{name} {error}")))
        };
        if value("appid").is_some_and(|appid| appid != registered.app.appid) {
            return Err(wrong("appid is another than the registered one; leave it out".to_owned()));
        }
        let named = |name: &'static str| pairs.iter().filter(move |(known, value)| known == name && !value.is_empty());
        let mut calls: Vec<&str> = named("call").map(|(_, value)| value.as_str()).take(MAX_CALLS + 1).collect();
        if calls.is_empty() {
            calls.extend(named("notify_url").map(|(_, value)| value.as_str()));
        }
        let mut others: BTreeMap<String, String> =
            pairs.iter().filter(|(name, value)| !value.is_empty() && !OURS.contains(&name.as_str())).cloned().collect();
        if let Some(reason) = value("reason") {
            others.entry("refund_desc".to_owned()).or_insert_with(|| reason.to_owned());
        }
        Ok(Self {
            payment: payment_of(value)?,
            out_refund_no: OutRefundNo::parse(number).map_err(|error| wrong(error.to_string()))?,
            refund_fee: fee("refund_fee")?.or(fee("fee")?),
            total_fee: fee("total_fee")?,
            notify_url: notify_url(base, &registered.app.key, "/pay/refund/notify"),
            others,
            calls: call_urls.of_payment(&calls, registered)?,
        })
    }

    fn stored(&self) -> StoredRefund {
        StoredRefund { notify_url: self.notify_url.clone(), others: self.others.clone(), calls: self.calls.clone() }
    }
}

/// What to do about a refund that is known.
enum Step {
    /// WeChat has it: how it stands is asked.
    Look(Refund),
    /// It is asked for (again).
    Ask { refund: Refund, is_unclear: bool },
}

impl Payment {
    /// Gives money back, or finds the refund that was made under this number. What comes is "accepted", not "refunded": how it
    /// ends is told to `call`.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn refund(&self, registered: &Arc<Registered>, asked: RefundAsk) -> Result<Map<String, Value>, PayError> {
        let (inner, registered) = (Arc::clone(&self.0), Arc::clone(registered));
        let refunding = self.0.tasks.spawn(async move { inner.refund(&registered, &asked).await });
        refunding.await.unwrap_or_else(|_| Err(PayError::Unclear("wechat-proxy is stopping".to_owned())))
    }

    /// How a refund stands, asked at WeChat now.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn query_refund(
        &self,
        registered: &Arc<Registered>,
        number: &RefundNo,
    ) -> Result<Map<String, Value>, PayError> {
        self.0.query_refund(registered, number).await
    }
}

/// Which refund is meant, as WeChat ranks the numbers.
///
/// # Errors
/// When none is given, or one is malformed.
pub fn refund_of<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Result<RefundNo, AskProblem> {
    if let Some(id) = value("refund_id") {
        let is_plain = id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        let wrong =
            || AskProblem::Parameter("refund_id is WeChat's number of the refund, at most 32 digits".to_owned());
        return is_plain.then(|| RefundNo::RefundId(id.to_owned())).ok_or_else(wrong);
    }
    if let Some(number) = value("out_refund_no") {
        let number = OutRefundNo::parse(number).map_err(|error| AskProblem::Parameter(error.to_string()))?;
        return Ok(RefundNo::OutRefundNo(number));
    }
    payment_of(value).map(RefundNo::Payment).map_err(|_| {
        AskProblem::Parameter("out_refund_no is missing (or refund_id): which refund is meant?".to_owned())
    })
}

impl Inner {
    async fn refund(&self, registered: &Arc<Registered>, asked: &RefundAsk) -> Result<Map<String, Value>, PayError> {
        let (till, order) = self.order_of(registered, &asked.payment).await?;
        // A payment by v2 may be refunded by v3, which needs no client certificate: whatever new orders use.
        let till = self.till(registered, None).await.unwrap_or(till);
        self.has_certificate(&till)?;
        let id = RefundId::of(till.merchant()?.mch_id(), asked.out_refund_no.as_str());
        for _ in 0..5 {
            let Some(known) = self.store.refund(id).await? else {
                let refund = self.new_refund(&till, id, order.as_ref(), asked)?;
                if self.write_asked(&refund, "refund asked").await? {
                    return self.ask_refund(&till, Refund { revision: 1, ..refund }).await;
                }
                continue;
            };
            match self.refund_step(registered, order.as_ref(), asked, known)? {
                Step::Look(refund) => {
                    let number = RefundNo::OutRefundNo(asked.out_refund_no.clone());
                    let fields = self.query_refund(registered, &number).await?;
                    return Ok(with_numbers(fields, &refund));
                }
                Step::Ask { refund, is_unclear } => {
                    let till = self.till(registered, Some(version_of(refund.version))).await?;
                    let taken = Refund { state: RefundState::Asking, updated_at: self.clock.now(), ..refund };
                    if !self.write_asked(&taken, "refund asked again").await? {
                        continue;
                    }
                    let taken = Refund { revision: taken.revision + 1, ..taken };
                    if is_unclear && let Some(found) = self.found(&till, &taken).await? {
                        return Ok(found);
                    }
                    return self.ask_refund(&till, taken).await;
                }
            }
        }
        Err(PayError::Unclear("others keep asking for this refund at the same time".to_owned()))
    }

    /// v2 refunds go over TLS with the merchant's own certificate. A stand-in for WeChat that is reached without TLS cannot be
    /// shown one.
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
        let total = total_of(order, asked)?;
        let refund_fee = asked.refund_fee.map_or(total, |fee| i64::from(fee.fen()));
        if refund_fee > total {
            let text = format!("refund_fee is {refund_fee} fen, more than the order's {total}");
            return Err(AskProblem::Parameter(text).into());
        }
        let merchant = till.merchant()?;
        let (out_trade_no, transaction_id) = numbers(order, &asked.payment);
        let refund = Refund {
            id,
            order: order_id(order, merchant.mch_id(), &asked.payment),
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
            content: content(asked, refund_fee, total),
            request: to_json(&asked.stored()),
            answer: None,
            created_at: now,
            updated_at: now,
            due_at: Some(now + ASKING),
            step: 0,
            revision: 0,
        };
        // What this version cannot express is said before anything is written down.
        merchant.refund(&as_asked(&refund, asked.stored())?, &self.stamp())?;
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
        let total = asked.total_fee.map_or(known.total_fee, |fee| i64::from(fee.fen()));
        let total = order.map_or(total, |order| order.total_fee);
        let refund_fee = asked.refund_fee.map_or(total, |fee| i64::from(fee.fen()));
        if known.content != [0; 32] && known.content != content(asked, refund_fee, total) {
            return Err(PayError::Conflict(format!(
                "the out_refund_no {number} belongs to a refund with other parameters; choose another number, or ask with \
                 the same parameters again"
            )));
        }
        let now = self.clock.now();
        match known.state {
            RefundState::Asking if now < known.updated_at + ASKING && known.step == 0 => {
                Err(PayError::Unclear("this refund is being asked for just now".to_owned()))
            }
            RefundState::Asking => Ok(Step::Ask { refund: Refund { step: 0, ..known }, is_unclear: true }),
            RefundState::Refused => Ok(Step::Ask { refund: Refund { step: 0, ..known }, is_unclear: false }),
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
        let wechats = as_asked(&refund, stored)?;
        let said = self.ask(till, Operation::Refund, |merchant, stamp| merchant.refund(&wechats, stamp)).await?;
        let now = self.clock.now();
        let numbers = json!({"out_refund_no": refund.out_refund_no});
        match said {
            Said::Done(answer) => self.accepted(till, refund, answer).await,
            Said::Refused(refusal) if refusal.retry() == Retry::Later && refusal.code == "ORDER_NOT_READY" => {
                let refund = Refund { state: RefundState::Refused, due_at: None, updated_at: now, ..refund };
                self.write_refund_event(&refund, "refund refused", &json!({"code": refusal.said})).await?;
                Err(PayError::Refused(refusal))
            }
            Said::Refused(refusal) => {
                let refund = Refund { state: RefundState::Refused, due_at: None, updated_at: now, ..refund };
                let detail = json!({"code": refusal.said, "message": refusal.message, "numbers": numbers});
                self.write_refund_event(&refund, "refund refused", &detail).await?;
                Err(PayError::Refused(refusal))
            }
            Said::NotSent(reason) => {
                let refund = Refund { state: RefundState::Refused, due_at: None, updated_at: now, ..refund };
                self.write_refund_event(&refund, "refund not sent", &json!({"reason": reason})).await?;
                Err(PayError::NotSent(reason))
            }
            Said::Unclear(reason) => match self.found(till, &refund).await {
                Ok(Some(found)) => Ok(found),
                _ => {
                    let due_at = Some(now + watch::SOON);
                    let refund = Refund { due_at, step: 1, updated_at: now, ..refund };
                    self.write_refund_event(&refund, "refund unclear", &json!({"reason": reason})).await?;
                    self.due.notify_one();
                    Err(PayError::Unclear(reason))
                }
            },
        }
    }

    async fn accepted(&self, till: &Till, refund: Refund, answer: Answer) -> Result<Map<String, Value>, PayError> {
        let now = self.clock.now();
        let status = answer.refund_status().unwrap_or(RefundStatus::Processing);
        let refund = Refund {
            state: RefundState::Processing,
            refund_id: answer.text("refund_id").unwrap_or_default().to_owned(),
            transaction_id: answer.text("transaction_id").map_or(refund.transaction_id.clone(), str::to_owned),
            answer: Some(to_json(&answer.fields)),
            // Decided at once: asked about at once, so that it is told in the same way as all others.
            due_at: if status == RefundStatus::Processing {
                watch::next_refund_query(refund.created_at, now)
            } else {
                Some(now)
            },
            updated_at: now,
            ..refund
        };
        let detail = json!({"out_refund_no": refund.out_refund_no, "refund_id": refund.refund_id});
        // A notification may have been faster.
        let _ = self.write_refund_event(&refund, "refund accepted", &detail).await?;
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

    /// What WeChat knows of a refund whose outcome is unknown; `None`: nothing, so it may be asked for.
    async fn found(&self, till: &Till, refund: &Refund) -> Result<Option<Map<String, Value>>, PayError> {
        let number = out_refund_no(refund)?;
        let query = |merchant: &wechat::pay::Merchant, stamp: &wechat::pay::Stamp| {
            merchant.query_refund(&refund.appid, &number, stamp)
        };
        match self.ask(till, Operation::QueryRefund, query).await? {
            Said::Done(answer) => {
                let now = self.clock.now();
                let state = Refunded::of_answer(&answer, refund).map(|said| refund_state(said.status));
                // Its end is settled, and told, by the watch: one way for all.
                let due_at = if state == Some(RefundState::Processing) {
                    watch::next_refund_query(refund.created_at, now)
                } else {
                    Some(now)
                };
                let known = Refund { state: RefundState::Processing, due_at, updated_at: now, ..refund.clone() };
                let detail = json!({"out_refund_no": refund.out_refund_no});
                let _ = self.write_refund_event(&known, "refund found", &detail).await?;
                self.due.notify_one();
                Ok(Some(with_numbers(told(answer), refund)))
            }
            Said::Refused(refusal) if is_unknown(&refusal) => Ok(None),
            Said::Refused(refusal) => Err(PayError::Refused(refusal)),
            Said::NotSent(reason) | Said::Unclear(reason) => Err(PayError::Unclear(reason)),
        }
    }

    async fn query_refund(
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
        Ok(told(answer))
    }
}

fn total_of(order: Option<&Order>, asked: &RefundAsk) -> Result<i64, PayError> {
    let given = asked.total_fee.map(|fee| i64::from(fee.fen()));
    match (order, given) {
        (Some(order), Some(given)) if given != order.total_fee => {
            let total = order.total_fee;
            Err(AskProblem::Parameter(format!(
                "total_fee is {given} fen, but the order was about {total}; leave it out"
            ))
            .into())
        }
        (Some(order), _) => Ok(order.total_fee),
        (None, Some(given)) => Ok(given),
        (None, None) => Err(AskProblem::Parameter(
            "total_fee is missing: this payment was not placed here, so its total is not known".to_owned(),
        )
        .into()),
    }
}

fn numbers(order: Option<&Order>, payment: &PaymentNo) -> (String, String) {
    match (order, payment) {
        (Some(order), _) => (order.out_trade_no.clone(), order.transaction_id.clone()),
        (None, PaymentNo::OutTradeNo(number)) => (number.as_str().to_owned(), String::new()),
        (None, PaymentNo::TransactionId(id)) => (String::new(), id.clone()),
    }
}

fn order_id(order: Option<&Order>, mch_id: &str, payment: &PaymentNo) -> OrderId {
    match (order, payment) {
        (Some(order), _) => order.id,
        (None, PaymentNo::OutTradeNo(number)) => OrderId::of(mch_id, number.as_str()),
        (None, PaymentNo::TransactionId(_)) => OrderId::UNKNOWN,
    }
}

/// As the protocol takes it: always the same for what was written down.
fn as_asked(refund: &Refund, stored: StoredRefund) -> Result<wechat::pay::Refund, AskProblem> {
    let wrong = |text: String| AskProblem::Parameter(text);
    let fee = |fen: i64| Fee::parse(&fen.to_string()).map_err(|error| wrong(error.to_string()));
    let payment = if refund.out_trade_no.is_empty() {
        PaymentNo::TransactionId(refund.transaction_id.clone())
    } else {
        PaymentNo::OutTradeNo(OutTradeNo::parse(&refund.out_trade_no).map_err(|error| wrong(error.to_string()))?)
    };
    Ok(wechat::pay::Refund {
        appid: refund.appid.clone(),
        payment,
        out_refund_no: OutRefundNo::parse(&refund.out_refund_no).map_err(|error| wrong(error.to_string()))?,
        total_fee: fee(refund.total_fee)?,
        refund_fee: fee(refund.refund_fee)?,
        notify_url: Some(stored.notify_url),
        others: stored.others,
    })
}

fn out_refund_no(refund: &Refund) -> Result<RefundNo, AskProblem> {
    let number = OutRefundNo::parse(&refund.out_refund_no);
    number.map(RefundNo::OutRefundNo).map_err(|error| AskProblem::Parameter(error.to_string()))
}

/// What was asked, as a hash: the same number with the same content is the same refund.
fn content(asked: &RefundAsk, refund_fee: i64, total: i64) -> [u8; 32] {
    let payment = match &asked.payment {
        PaymentNo::OutTradeNo(number) => format!("out_trade_no {}", number.as_str()),
        PaymentNo::TransactionId(id) => format!("transaction_id {id}"),
    };
    let fees = [refund_fee.to_string(), total.to_string()];
    let mut hash = Sha256::new();
    let others = asked.others.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let fixed = [payment.as_str()].into_iter().chain(fees.iter().map(String::as_str));
    for text in fixed.chain(others).chain(asked.calls.iter().map(String::as_str)) {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// v2 answers with numbered fields when it is asked, v3 with others: what every caller looks for is there by its plain name.
fn with_numbers(mut fields: Map<String, Value>, refund: &Refund) -> Map<String, Value> {
    for (name, value) in [
        ("out_refund_no", Value::from(refund.out_refund_no.as_str())),
        ("refund_fee", refund.refund_fee.into()),
        ("total_fee", refund.total_fee.into()),
    ] {
        fields.entry(name).or_insert(value);
    }
    fields
}
