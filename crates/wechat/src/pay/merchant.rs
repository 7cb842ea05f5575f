//! A registered merchant, of either version: the face of this module.
//!
//! Made once for a registration and kept: keys are parsed when it is made, a clone costs a counter. What must stay
//! true: both versions take the same orders and give the same answers, as far as WeChat lets them.

use super::credentials::WrongCredential;
use super::{
    Answer, AppParameters, Call, Inexpressible, JsapiParameters, NotDone, Notice, NoticeError, NoticeKind, Operation,
    Order, OutTradeNo, PaymentNo, Received, Refund, RefundNo, Stamp, v2, v3,
};

/// Which API of WeChat Pay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// XML, signed with a shared key.
    V2,
    /// JSON, signed with RSA.
    V3,
}

/// A registered merchant. `Debug` shows no key.
#[derive(Clone, Debug)]
pub enum Merchant {
    /// One that uses API v2.
    V2(v2::Merchant),
    /// One that uses API v3.
    V3(v3::Merchant),
}

/// Why there is no such merchant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MerchantError {
    /// The merchant number is none.
    #[error("a merchant number (mch_id) has 8 to 32 digits: copy it from the merchant platform")]
    MchId,
    /// One of the credentials is not what belongs there.
    #[error(transparent)]
    Credential(#[from] WrongCredential),
}

impl Merchant {
    /// Which API it uses.
    #[must_use]
    pub fn version(&self) -> Version {
        match self {
            Self::V2(_) => Version::V2,
            Self::V3(_) => Version::V3,
        }
    }

    /// The merchant number.
    #[must_use]
    pub fn mch_id(&self) -> &str {
        match self {
            Self::V2(merchant) => merchant.mch_id(),
            Self::V3(merchant) => merchant.mch_id(),
        }
    }

    /// The request that creates `order`.
    ///
    /// # Errors
    /// [`Inexpressible`]: a parameter is malformed, or has no place in this version.
    pub fn order(&self, order: &Order, stamp: &Stamp) -> Result<Call, Inexpressible> {
        match self {
            Self::V2(merchant) => merchant.order(order, stamp),
            Self::V3(merchant) => merchant.order(order, stamp),
        }
    }

    /// The request that asks how a payment stands.
    #[must_use]
    pub fn query(&self, appid: &str, payment: &PaymentNo, stamp: &Stamp) -> Call {
        match self {
            Self::V2(merchant) => merchant.query(appid, payment, stamp),
            Self::V3(merchant) => merchant.query(payment, stamp),
        }
    }

    /// The request that closes an order. WeChat asks to leave it 5 minutes after it was made.
    #[must_use]
    pub fn close(&self, appid: &str, number: &OutTradeNo, stamp: &Stamp) -> Call {
        match self {
            Self::V2(merchant) => merchant.close(appid, number, stamp),
            Self::V3(merchant) => merchant.close(number, stamp),
        }
    }

    /// The request that sends money back.
    ///
    /// # Errors
    /// [`Inexpressible`]: a parameter is malformed, or has no place in this version.
    pub fn refund(&self, refund: &Refund, stamp: &Stamp) -> Result<Call, Inexpressible> {
        match self {
            Self::V2(merchant) => merchant.refund(refund, stamp),
            Self::V3(merchant) => merchant.refund(refund, stamp),
        }
    }

    /// The request that asks how a refund stands.
    ///
    /// # Errors
    /// [`Inexpressible`]: v3 can only ask by `out_refund_no`.
    pub fn query_refund(&self, appid: &str, number: &RefundNo, stamp: &Stamp) -> Result<Call, Inexpressible> {
        match self {
            Self::V2(merchant) => Ok(merchant.query_refund(appid, number, stamp)),
            Self::V3(merchant) => merchant.query_refund(number, stamp),
        }
    }

    /// Reads WeChat's answer. What comes out is verified and in v2's flat names. `now` is in Unix seconds.
    ///
    /// # Errors
    /// [`NotDone`]: WeChat said no, or what came back cannot be believed.
    pub fn read(&self, operation: Operation, received: &Received<'_>, now: i64) -> Result<Answer, NotDone> {
        match self {
            Self::V2(merchant) => merchant.read(operation, received),
            Self::V3(merchant) => merchant.read(operation, received, now),
        }
    }

    /// Opens a notification: verified, decrypted, of this merchant. `now` is in Unix seconds.
    ///
    /// # Errors
    /// [`NoticeError`]: it is not acknowledged then.
    pub fn open(&self, kind: NoticeKind, received: &Received<'_>, now: i64) -> Result<Notice, NoticeError> {
        match self {
            Self::V2(merchant) => merchant.open(kind, received.body),
            Self::V3(merchant) => merchant.open(kind, received, now),
        }
    }

    /// What a page or mini program passes to WeChat to pay.
    #[must_use]
    pub fn jsapi_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> JsapiParameters {
        match self {
            Self::V2(merchant) => merchant.jsapi_parameters(appid, prepay_id, stamp),
            Self::V3(merchant) => merchant.jsapi_parameters(appid, prepay_id, stamp),
        }
    }

    /// What an app passes to WeChat to pay.
    #[must_use]
    pub fn app_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> AppParameters {
        match self {
            Self::V2(merchant) => merchant.app_parameters(appid, prepay_id, stamp),
            Self::V3(merchant) => merchant.app_parameters(appid, prepay_id, stamp),
        }
    }
}

/// Takes `text` as a merchant number: digits, 8 to 10 of them today, documented as at most 32 characters.
pub(super) fn mch_id(text: &str) -> Result<String, MerchantError> {
    let is_number = (8..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.to_owned()).ok_or(MerchantError::MchId)
}

impl From<v2::Merchant> for Merchant {
    fn from(merchant: v2::Merchant) -> Self {
        Self::V2(merchant)
    }
}

impl From<v3::Merchant> for Merchant {
    fn from(merchant: v3::Merchant) -> Self {
        Self::V3(merchant)
    }
}
