//! API v3: JSON, signed with RSA by both sides; notifications and certificates are sealed with AES-GCM.
//!
//! Used through [`pay::Merchant`](super::Merchant). A call is made (`calls`, from `order_body` and
//! `refund_body`), its answer read (`answers`), notifications opened (`notices`); what comes out is put into v2's
//! names by `flat`. Both directions stand on `sign` and `verify`; `certificates` fetches the keys. Source:
//! `/doc/v3/merchant`.
//!
//! What must stay true: what WeChat says is verified with the key that `Wechatpay-Serial` names and with no other; only
//! refusals (4xx, 5xx) are read without, because WeChat does not sign them all.

mod answers;
mod calls;
mod certificates;
mod codes;
mod flat;
mod invocation;
mod items;
mod notices;
mod order_body;
mod refund_body;
mod said;
mod sign;
mod verify;

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::MerchantError;
use super::credentials::{Apiv3Key, MerchantSerial, PlatformCertificate, PrivateKey, PublicKey, PublicKeyId};
use super::merchant::mch_id;

pub use sign::{request_text, response_text};

/// A merchant that uses API v3. `Debug` shows no key; a clone costs two counters.
#[derive(Clone, Debug)]
pub struct Merchant {
    registered: Arc<Registered>,
    /// The platform certificates in force.
    certificates: Arc<[PlatformCertificate]>,
}

#[derive(Debug)]
struct Registered {
    mch_id: String,
    serial: MerchantSerial,
    private_key: PrivateKey,
    apiv3_key: Apiv3Key,
    public_key: Option<(PublicKeyId, PublicKey)>,
}

impl Merchant {
    /// A merchant with the keys of API v3. `serial` is that of its own certificate, as digits or as PEM; `public_key`
    /// is WeChat Pay's public key with its `PUB_KEY_ID_…`.
    ///
    /// # Errors
    /// [`MerchantError`] when one of them is not what WeChat gives out.
    pub fn new(
        mch_id_text: &str,
        serial: &str,
        private_key: &PrivateKey,
        apiv3_key: &SecretString,
        public_key: Option<(String, PublicKey)>,
    ) -> Result<Self, MerchantError> {
        let public_key = match public_key {
            Some((id, key)) => Some((PublicKeyId::parse(&id)?, key)),
            None => None,
        };
        let registered = Registered {
            mch_id: mch_id(mch_id_text)?,
            serial: MerchantSerial::parse(serial)?,
            private_key: private_key.clone(),
            apiv3_key: Apiv3Key::parse(apiv3_key.expose_secret())?,
            public_key,
        };
        Ok(Self { registered: Arc::new(registered), certificates: Arc::new([]) })
    }

    /// The same merchant with these platform certificates in force, instead of those before.
    #[must_use]
    pub fn with_certificates(self, certificates: Vec<PlatformCertificate>) -> Self {
        Self { certificates: certificates.into(), ..self }
    }

    /// The platform certificates in force.
    #[must_use]
    pub fn certificates(&self) -> &[PlatformCertificate] {
        &self.certificates
    }

    /// Whether it has WeChat Pay's public key and no certificates: then certificates need not be asked for.
    #[must_use]
    pub fn is_public_key_only(&self) -> bool {
        self.registered.public_key.is_some() && self.certificates.is_empty()
    }

    /// The merchant number.
    #[must_use]
    pub fn mch_id(&self) -> &str {
        &self.registered.mch_id
    }

    /// The key with which a field is encrypted for WeChat, and the serial that the request has to name: the public key,
    /// or the certificate that is good for longest.
    #[must_use]
    pub fn encryption_key(&self) -> Option<(&str, &PublicKey)> {
        let public_key = self.registered.public_key.as_ref().map(|(id, key)| (id.as_str(), key));
        let newest = || self.certificates.iter().max_by_key(|certificate| certificate.not_after());
        public_key.or_else(|| newest().map(|certificate| (certificate.serial(), certificate.key())))
    }
}
