//! What pages and apps pass to WeChat, signed with the merchant's private key.
//!
//! Source: "JSAPI invocation", "APP invocation". What must stay true: a page's `package` is signed with `prepay_id=`,
//! an app's prepay id without; `signType` is passed but not signed.

use super::Merchant;
use crate::pay::invocation::APP_PACKAGE;
use crate::pay::{AppParameters, JsapiParameters, Stamp};

impl Merchant {
    pub(in crate::pay) fn jsapi_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> JsapiParameters {
        let package = format!("prepay_id={prepay_id}");
        JsapiParameters {
            app_id: appid.to_owned(),
            time_stamp: stamp.at.to_string(),
            nonce_str: stamp.nonce.clone(),
            sign_type: "RSA",
            pay_sign: self.sign_lines(appid, stamp, &package),
            package,
        }
    }

    pub(in crate::pay) fn app_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> AppParameters {
        AppParameters {
            appid: appid.to_owned(),
            partnerid: self.mch_id().to_owned(),
            prepayid: prepay_id.to_owned(),
            package: APP_PACKAGE,
            noncestr: stamp.nonce.clone(),
            timestamp: stamp.at.to_string(),
            sign: self.sign_lines(appid, stamp, prepay_id),
        }
    }

    fn sign_lines(&self, appid: &str, stamp: &Stamp, last: &str) -> String {
        let text = format!("{appid}\n{}\n{}\n{last}\n", stamp.at, stamp.nonce);
        self.registered.private_key.sign(text.as_bytes())
    }
}
