//! One question to WeChat Pay and its answer, verified: asked again, exactly the same, where WeChat says that this is
//! right.
//!
//! What must stay true: an answer that cannot be believed is no answer, and what may have happened at WeChat is told as
//! [`Said::Unclear`], never as a failure.

use std::sync::Arc;
use std::time::Duration;

use wechat::pay::credentials::ClientCertificate;
use wechat::pay::{Answer, Call, Doubt, Inexpressible, Merchant, NotDone, Operation, Refusal, Retry, Stamp, Version};

use super::hosts::{Raw, Unanswered};
use super::{Inner, PayError};
use crate::apps::Registered;
use crate::apps::merchants::{MerchantProblem, Merchants};

/// Tries of one question (WeChat Pay: repeat 5xx two or three times).
const TRIES: u32 = 3;

/// Before the second try; before the third twice that.
const PAUSE: Duration = Duration::from_millis(300);

/// What came of a question.
pub(super) enum Said {
    /// WeChat did it.
    Done(Answer),
    /// WeChat said no: it was not done.
    Refused(Refusal),
    /// WeChat never got the question.
    NotSent(String),
    /// Whether it was done nobody knows.
    Unclear(String),
}

/// A registration's merchant in one version, and what its calls need.
#[derive(Clone)]
pub(super) struct Till {
    pub(super) registered: Arc<Registered>,
    merchants: Arc<Merchants>,
    pub(super) version: Version,
}

impl Till {
    /// The client certificate, for refunds by v2.
    pub(super) fn certificate(&self) -> Option<&ClientCertificate> {
        self.merchants.certificate()
    }

    pub(super) fn merchant(&self) -> Result<&Merchant, MerchantProblem> {
        self.merchants.version(self.version)
    }
}

impl Inner {
    /// The merchant of a registration, in this version or the one that is preferred.
    pub(super) async fn till(&self, registered: &Arc<Registered>, version: Option<Version>) -> Result<Till, PayError> {
        let merchants = self.merchants(registered);
        let merchant = match version {
            Some(version) => merchants.version(version)?,
            None => merchants.preferred()?,
        };
        let version = merchant.version();
        if let Merchant::V3(v3) = merchant {
            self.have_certificates(merchant.mch_id(), v3).await;
        }
        Ok(Till { registered: Arc::clone(registered), merchants: self.merchants(registered), version })
    }

    pub(super) fn merchants(&self, registered: &Registered) -> Arc<Merchants> {
        let mch_id = registered.app.settings.mch_id.as_deref().unwrap_or_default();
        let edition = self.certificates.edition(mch_id);
        self.ready.of(registered, edition, &self.certificates.loaded(mch_id, self.clock.now()))
    }

    /// The same with the certificates that are known by now.
    pub(super) fn renewed(&self, till: &Till) -> Till {
        Till { merchants: self.merchants(&till.registered), ..till.clone() }
    }

    /// Asks WeChat Pay. `make` is called for each try: signatures are made anew, everything else stays as it is.
    ///
    /// # Errors
    /// When the question cannot be expressed, or the merchant is not complete; then nothing was asked.
    pub(super) async fn ask(
        &self,
        till: &Till,
        operation: Operation,
        make: impl Fn(&Merchant, &Stamp) -> Result<Call, Inexpressible>,
    ) -> Result<Said, PayError> {
        let mut said = Said::NotSent(String::new());
        // After a "system error" it may have been done, whatever the next try is told.
        let mut perhaps_done = false;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(PAUSE * attempt).await;
            }
            let call = make(till.merchant()?, &self.stamp())?;
            said = self.ask_once(till, operation, &call).await?;
            let again = match &said {
                Said::Refused(refusal) => refusal.retry() == Retry::Same,
                // A question changes nothing, so it may be put again whatever became of it.
                Said::Unclear(_) => is_question(operation),
                Said::Done(_) | Said::NotSent(_) => false,
            };
            if !again {
                break;
            }
            perhaps_done = true;
        }
        Ok(match said {
            Said::Refused(refusal) if refusal.retry() == Retry::Same => Said::Unclear(refusal.to_string()),
            Said::Refused(refusal) if perhaps_done && !is_question(operation) && refusal.retry() != Retry::Query => {
                Said::Unclear(refusal.to_string())
            }
            Said::NotSent(reason) if perhaps_done && !is_question(operation) => Said::Unclear(reason),
            said => said,
        })
    }

    async fn ask_once(&self, till: &Till, operation: Operation, call: &Call) -> Result<Said, PayError> {
        let raw = match self.hosts.send(call, till.merchants.certificate(), name_of(operation)).await {
            Ok(raw) => raw,
            Err(Unanswered::NotSent(reason)) => return Ok(Said::NotSent(reason)),
            Err(error @ Unanswered::Unknown(_)) => return Ok(Said::Unclear(error.to_string())),
        };
        let read = self.read(till, operation, &raw)?;
        let read = match read {
            Err(NotDone::Unbelievable(Doubt::UnknownSerial(serial))) if self.finds(till, &serial).await => {
                self.read(&self.renewed(till), operation, &raw)?
            }
            read => read,
        };
        Ok(match read {
            Ok(answer) => Said::Done(answer),
            Err(NotDone::Refused(refusal)) => Said::Refused(refusal),
            Err(NotDone::Unbelievable(doubt)) => {
                let key = &till.registered.app.key;
                tracing::warn!(key, operation = name_of(operation), %doubt, "an answer of WeChat Pay is not believed");
                Said::Unclear(doubt.to_string())
            }
        })
    }

    fn read(&self, till: &Till, operation: Operation, raw: &Raw) -> Result<Result<Answer, NotDone>, PayError> {
        Ok(till.merchant()?.read(operation, &raw.received(), self.clock.now().as_seconds()))
    }

    /// Whether the certificate with this serial number can be had now.
    pub(super) async fn finds(&self, till: &Till, serial: &str) -> bool {
        match till.merchant() {
            Ok(merchant @ Merchant::V3(v3)) => self.look_for_serial(merchant.mch_id(), v3, serial).await,
            _ => false,
        }
    }
}

fn is_question(operation: Operation) -> bool {
    matches!(operation, Operation::Query | Operation::QueryRefund)
}

/// What an operation is called in metrics and the log.
fn name_of(operation: Operation) -> &'static str {
    match operation {
        Operation::Order => "pay/order",
        Operation::Query => "pay/query",
        Operation::Close => "pay/close",
        Operation::Refund => "pay/refund",
        Operation::QueryRefund => "pay/refund/query",
    }
}
