//! API v2: XML, signed with a shared key.
#![allow(unused)]
use secrecy::SecretString;
use super::*;

/// A merchant that uses API v2.
#[derive(Clone, Debug)]
pub struct Merchant {}

impl Merchant {
    /// A merchant with its API v2 key.
    ///
    /// # Errors
    /// [`MerchantError`]
    pub fn new(mch_id: &str, key: SecretString) -> Result<Self, MerchantError> { todo!() }
    pub(super) fn mch_id(&self) -> &str { todo!() }
    pub(super) fn order(&self, order: &Order, stamp: &Stamp) -> Result<Call, Inexpressible> { todo!() }
    pub(super) fn query(&self, appid: &str, payment: &PaymentNo, stamp: &Stamp) -> Call { todo!() }
    pub(super) fn close(&self, appid: &str, number: &OutTradeNo, stamp: &Stamp) -> Call { todo!() }
    pub(super) fn refund(&self, refund: &Refund, stamp: &Stamp) -> Result<Call, Inexpressible> { todo!() }
    pub(super) fn query_refund(&self, appid: &str, number: &RefundNo, stamp: &Stamp) -> Call { todo!() }
    pub(super) fn read(&self, operation: Operation, received: &Received<'_>) -> Result<Answer, NotDone> { todo!() }
    pub(super) fn open(&self, kind: NoticeKind, body: &[u8]) -> Result<Notice, NoticeError> { todo!() }
    pub(super) fn jsapi_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> JsapiParameters { todo!() }
    pub(super) fn app_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> AppParameters { todo!() }
}
