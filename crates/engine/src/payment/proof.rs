//! Whether a merchant's keys are what they claim to be: asked with a question that changes nothing.

use std::sync::Arc;

use wechat::pay::{Merchant, Operation, OutTradeNo, PaymentNo, Version};

use super::ask::AskProblem;
use super::exchange::Said;
use super::watch::is_unknown;
use super::{PayError, Payment};
use crate::apps::Registered;

/// An order that nobody places: the answer "not known" proves that WeChat Pay knows who asks.
const NOBODYS: &str = "wechat-proxy-check";

/// A certificate and its end.
pub struct CertificateEnd {
    /// What it is called where it is registered.
    pub name: &'static str,
    /// Unix seconds.
    pub not_after: i64,
}

impl Payment {
    /// Asks WeChat Pay about an order that does not exist. Gives the version that was asked.
    ///
    /// # Errors
    /// [`PayError`]: what is missing, or what WeChat Pay says.
    pub async fn prove(&self, registered: &Arc<Registered>) -> Result<&'static str, PayError> {
        let till = self.0.till(registered, None).await?;
        let number = OutTradeNo::parse(NOBODYS).map_err(|error| AskProblem::Parameter(error.to_string()))?;
        let (appid, payment) = (registered.app.appid.as_str(), PaymentNo::OutTradeNo(number));
        let query = self
            .0
            .ask(&till, Operation::Query, |merchant: &Merchant, stamp| Ok(merchant.query(appid, &payment, stamp)));
        match query.await? {
            Said::Done(_) => {}
            Said::Refused(refusal) if is_unknown(&refusal) => {}
            Said::Refused(refusal) => return Err(PayError::Refused(refusal)),
            Said::NotSent(reason) => return Err(PayError::NotSent(reason)),
            Said::Unclear(reason) => return Err(PayError::Unclear(reason)),
        }
        Ok(match till.version {
            Version::V2 => "API v2",
            Version::V3 => "API v3",
        })
    }

    /// The certificates of a registration's merchant that this node knows.
    #[must_use]
    pub fn certificates_of(&self, registered: &Registered) -> Vec<CertificateEnd> {
        let mch_id = registered.app.settings.mch_id.as_deref().unwrap_or_default();
        let platform = self.0.certificates.loaded(mch_id, self.0.clock.now());
        let newest = platform.iter().map(|certificate| certificate.not_after()).max();
        let newest = newest.map(|not_after| CertificateEnd { name: "WeChat Pay's certificate", not_after });
        let own = self.0.merchants(registered).certificate().map(|certificate| certificate.not_after());
        let own = own.map(|not_after| CertificateEnd { name: "mch_cert", not_after });
        newest.into_iter().chain(own).collect()
    }
}
