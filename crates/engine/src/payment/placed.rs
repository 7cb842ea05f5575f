//! An order that can be paid, and with what: WeChat's answer in one shape, and the parameters that only the merchant
//! can sign.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Order;
use wechat::pay::{AppParameters, JsapiParameters};

use super::exchange::Till;
use super::{PayError, Payment};

/// An order that can be paid.
#[derive(Clone)]
pub struct Placed {
    /// WeChat's answer in v2's names, with `out_trade_no`, whichever version it came from.
    pub fields: Map<String, Value>,
    pub(super) till: Till,
}

/// What WeChat answered, as it is written down.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub(super) fields: Map<String, Value>,
}

impl Placed {
    /// A field of WeChat's answer that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }
}

impl Payment {
    /// The parameters with which a page in WeChat asks to be paid.
    ///
    /// # Errors
    /// [`PayError`] when WeChat gave no `prepay_id`.
    pub fn jsapi_parameters(&self, placed: &Placed) -> Result<JsapiParameters, PayError> {
        let (appid, prepay_id) = placed.prepay()?;
        Ok(placed.till.merchant()?.jsapi_parameters(appid, prepay_id, &self.0.stamp()))
    }

    /// The parameters with which an app asks to be paid.
    ///
    /// # Errors
    /// [`PayError`] when WeChat gave no `prepay_id`.
    pub fn app_parameters(&self, placed: &Placed) -> Result<AppParameters, PayError> {
        let (appid, prepay_id) = placed.prepay()?;
        Ok(placed.till.merchant()?.app_parameters(appid, prepay_id, &self.0.stamp()))
    }
}

impl Placed {
    fn prepay(&self) -> Result<(&str, &str), PayError> {
        let prepay_id = self.text("prepay_id");
        let prepay_id = prepay_id.ok_or_else(|| PayError::Unclear("WeChat Pay gave no prepay_id".to_owned()))?;
        Ok((self.till.registered.app.appid.as_str(), prepay_id))
    }
}

/// The same members from both versions: what can be paid with, and what the order is. (v3 gives no `prepay_id` with a
/// QR code.)
pub(super) fn in_one_shape(mut answer: Map<String, Value>, order: &Order) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in [
        ("return_code", "SUCCESS"),
        ("return_msg", "OK"),
        ("result_code", "SUCCESS"),
        ("appid", &order.appid),
        ("mch_id", &order.mch_id),
        ("out_trade_no", &order.out_trade_no),
        ("trade_type", &order.trade_type),
    ] {
        fields.insert(name.to_owned(), value.into());
    }
    fields.insert("total_fee".to_owned(), order.total_fee.into());
    for name in ["prepay_id", "code_url", "mweb_url"] {
        if let Some(value) = answer.remove(name) {
            fields.insert(name.to_owned(), value);
        }
    }
    fields
}
