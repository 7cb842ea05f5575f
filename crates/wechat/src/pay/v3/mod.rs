//! API v3: JSON, signed with RSA, notifications sealed with AES-GCM.
#![allow(unused)]
use super::credentials::{PlatformCertificate, PrivateKey, PublicKey};
use super::*;
use secrecy::SecretString;

/// A merchant that uses API v3.
#[derive(Clone, Debug)]
pub struct Merchant {}

impl Merchant {
    /// A merchant with the keys of API v3; `public_key` is WeChat Pay's public key with its `PUB_KEY_ID_…`.
    ///
    /// # Errors
    /// [`MerchantError`]
    pub fn new(
        mch_id: &str,
        serial: &str,
        private_key: &PrivateKey,
        apiv3_key: &SecretString,
        public_key: Option<(String, PublicKey)>,
    ) -> Result<Self, MerchantError> {
        todo!()
    }
    /// The same merchant with these platform certificates in force (instead of those before).
    #[must_use]
    pub fn with_certificates(self, certificates: Vec<PlatformCertificate>) -> Self {
        todo!()
    }
    /// The platform certificates in force.
    #[must_use]
    pub fn certificates(&self) -> &[PlatformCertificate] {
        todo!()
    }
    /// Whether it only has WeChat Pay's public key: then certificates are never asked for.
    #[must_use]
    pub fn is_public_key_only(&self) -> bool {
        todo!()
    }
    /// The request for the platform certificates.
    #[must_use]
    pub fn certificates_call(&self, stamp: &Stamp) -> Call {
        todo!()
    }
    /// Reads the answer of [`Self::certificates_call`].
    ///
    /// # Errors
    /// [`NotDone`]
    pub fn read_certificates(&self, received: &Received<'_>, now: i64) -> Result<Vec<PlatformCertificate>, NotDone> {
        todo!()
    }
    pub(super) fn mch_id(&self) -> &str {
        todo!()
    }
    pub(super) fn order(&self, order: &Order, stamp: &Stamp) -> Result<Call, Inexpressible> {
        todo!()
    }
    pub(super) fn query(&self, payment: &PaymentNo, stamp: &Stamp) -> Call {
        todo!()
    }
    pub(super) fn close(&self, number: &OutTradeNo, stamp: &Stamp) -> Call {
        todo!()
    }
    pub(super) fn refund(&self, refund: &Refund, stamp: &Stamp) -> Result<Call, Inexpressible> {
        todo!()
    }
    pub(super) fn query_refund(&self, number: &RefundNo, stamp: &Stamp) -> Result<Call, Inexpressible> {
        todo!()
    }
    pub(super) fn read(&self, operation: Operation, received: &Received<'_>, now: i64) -> Result<Answer, NotDone> {
        todo!()
    }
    pub(super) fn open(&self, kind: NoticeKind, received: &Received<'_>, now: i64) -> Result<Notice, NoticeError> {
        todo!()
    }
    pub(super) fn jsapi_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> JsapiParameters {
        todo!()
    }
    pub(super) fn app_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> AppParameters {
        todo!()
    }
}
