//! API v2: XML with one flat level, signed with a key that both sides share.
//!
//! Used through [`pay::Merchant`](super::Merchant). A call is made (`calls`), its answer read (`answers`),
//! notifications are opened (`notices`); they stand on `sign` and `document`. Source: WeChat Pay's documents,
//! `/doc/v2/merchant`.
//!
//! What must stay true: requests are signed with MD5, which is WeChat's default and what every merchant can use; what
//! is received may be signed with either method, told by the length of its `sign`.

mod answers;
mod calls;
mod document;
mod notices;
mod sealed;
mod sign;

use std::sync::Arc;

use secrecy::SecretString;

use super::credentials::MchKey;
use super::invocation::APP_PACKAGE;
use super::merchant::mch_id;
use super::{AppParameters, JsapiParameters, MerchantError, Stamp};

pub use document::DocumentError;
pub use sealed::{seal, unseal};
pub use sign::{hmac_sha256, md5, verifies};

/// A merchant that uses API v2. `Debug` shows no key; a clone costs a counter.
#[derive(Clone, Debug)]
pub struct Merchant(Arc<Registered>);

#[derive(Debug)]
struct Registered {
    mch_id: String,
    key: MchKey,
}

impl Merchant {
    /// A merchant with its API v2 key.
    ///
    /// # Errors
    /// [`MerchantError`] when one of the two is not what WeChat gives out.
    pub fn new(mch_id_text: &str, key: SecretString) -> Result<Self, MerchantError> {
        let key = MchKey::try_from(key)?;
        Ok(Self(Arc::new(Registered { mch_id: mch_id(mch_id_text)?, key })))
    }

    /// The merchant number.
    #[must_use]
    pub fn mch_id(&self) -> &str {
        &self.0.mch_id
    }

    fn key(&self) -> &str {
        self.0.key.expose()
    }

    pub(super) fn jsapi_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> JsapiParameters {
        let (time_stamp, package) = (stamp.at.to_string(), format!("prepay_id={prepay_id}"));
        let signed = [
            ("appId", appid),
            ("nonceStr", &stamp.nonce),
            ("package", &package),
            ("signType", "MD5"),
            ("timeStamp", &time_stamp),
        ];
        let pay_sign = md5(signed, self.key());
        JsapiParameters {
            app_id: appid.to_owned(),
            time_stamp,
            nonce_str: stamp.nonce.clone(),
            package,
            sign_type: "MD5",
            pay_sign,
        }
    }

    pub(super) fn app_parameters(&self, appid: &str, prepay_id: &str, stamp: &Stamp) -> AppParameters {
        let timestamp = stamp.at.to_string();
        let signed = [
            ("appid", appid),
            ("noncestr", &stamp.nonce),
            ("package", APP_PACKAGE),
            ("partnerid", self.mch_id()),
            ("prepayid", prepay_id),
            ("timestamp", &timestamp),
        ];
        let sign = md5(signed, self.key());
        AppParameters {
            appid: appid.to_owned(),
            partnerid: self.mch_id().to_owned(),
            prepayid: prepay_id.to_owned(),
            package: APP_PACKAGE,
            noncestr: stamp.nonce.clone(),
            timestamp,
            sign,
        }
    }
}
