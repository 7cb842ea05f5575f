//! What a page, a mini program or an app passes to WeChat to open the payment.
//!
//! Made by [`Merchant::jsapi_parameters`](super::Merchant::jsapi_parameters) and
//! [`Merchant::app_parameters`](super::Merchant::app_parameters); written as JSON with WeChat's names, which are
//! case-sensitive. What must stay true: all values are texts, the time included.

use serde::Serialize;

/// For `getBrandWCPayRequest`, `wx.requestPayment` and (with `timestamp` for `timeStamp`) `wx.chooseWXPay`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JsapiParameters {
    /// `appId`
    pub app_id: String,
    /// `timeStamp`: Unix seconds.
    pub time_stamp: String,
    /// `nonceStr`
    pub nonce_str: String,
    /// `package`: `prepay_id=…`
    pub package: String,
    /// `signType`: `MD5` (v2) or `RSA` (v3).
    pub sign_type: &'static str,
    /// `paySign`
    pub pay_sign: String,
}

/// For the payment request of WeChat's SDK for apps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AppParameters {
    /// `appid`
    pub appid: String,
    /// `partnerid`: the merchant.
    pub partnerid: String,
    /// `prepayid`
    pub prepayid: String,
    /// `package`: always `Sign=WXPay`.
    pub package: &'static str,
    /// `noncestr`
    pub noncestr: String,
    /// `timestamp`: Unix seconds.
    pub timestamp: String,
    /// `sign`
    pub sign: String,
}

/// `package` of [`AppParameters`].
pub(super) const APP_PACKAGE: &str = "Sign=WXPay";
