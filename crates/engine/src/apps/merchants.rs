//! The merchant of a registration, ready to pay with: v3 where its keys are registered, else v2.
//!
//! Made from what is stored when it is first needed, and kept until the registration or the platform's certificates
//! change. What must stay true: a registration that lacks something says what, before WeChat is asked anything.

use std::sync::Arc;

use papaya::HashMap;
use secrecy::ExposeSecret;
use store::{App, PayVersion, Secrets, Settings};
use wechat::pay::credentials::{
    Apiv3Key, ClientCertificate, MchKey, MerchantSerial, PlatformCertificate, PrivateKey, PublicKey,
};
use wechat::pay::{Merchant, MerchantError, Version, v2, v3};

use super::Registered;

/// So many merchants are kept ready.
const MOST_KEPT: usize = 10_000;

/// What is missing, or does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerchantProblem {
    /// No merchant, or not all of one.
    #[error("this registration cannot be paid to: {0}")]
    Incomplete(String),
    /// Something registered is not what it should be.
    #[error("this registration cannot be paid to: {name} {what}; register it again")]
    Wrong {
        /// The parameter of /register.
        name: &'static str,
        /// What is wrong with it. Never holds the value.
        what: String,
    },
}

/// A registration's merchant in both versions, as far as they are registered.
#[derive(Clone, Debug)]
pub struct Merchants {
    v2: Result<Merchant, MerchantProblem>,
    v3: Result<Merchant, MerchantProblem>,
    preferred: Version,
    certificate: Option<ClientCertificate>,
}

impl Merchants {
    /// From what is stored, with the platform's certificates that are in force.
    #[must_use]
    pub fn of(app: &App, platform: &[PlatformCertificate]) -> Self {
        let (v2, v3) = (v2(app), v3(app, platform));
        let preferred = match app.settings.pay {
            Some(PayVersion::V2) => Version::V2,
            Some(PayVersion::V3) => Version::V3,
            None if has_v3(&app.secrets) => Version::V3,
            None => Version::V2,
        };
        Self { v2, v3, preferred, certificate: client_certificate(app).ok().flatten() }
    }

    /// The merchant in the version that new orders use.
    ///
    /// # Errors
    /// What is missing.
    pub fn preferred(&self) -> Result<&Merchant, MerchantProblem> {
        self.version(self.preferred)
    }

    /// The merchant in this version: an order is asked about in the one in which it was placed.
    ///
    /// # Errors
    /// What is missing.
    pub fn version(&self, version: Version) -> Result<&Merchant, MerchantProblem> {
        let merchant = match version {
            Version::V2 => &self.v2,
            Version::V3 => &self.v3,
        };
        merchant.as_ref().map_err(Clone::clone)
    }

    /// The client certificate, for refunds by v2.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
    }
}

/// Merchants that were made already. An entry is good for one revision of the registration and one edition of the
/// platform's certificates.
#[derive(Default)]
pub(crate) struct Ready(HashMap<String, (i64, u64, Arc<Merchants>)>);

impl Ready {
    /// The merchants of a registration; `edition` and `platform` are what is known of the platform's certificates.
    pub(crate) fn of(&self, registered: &Registered, edition: u64, platform: &[PlatformCertificate]) -> Arc<Merchants> {
        let kept = self.0.pin();
        let app = &registered.app;
        if let Some((revision, of_edition, merchants)) = kept.get(&app.key)
            && (*revision, *of_edition) == (app.revision, edition)
        {
            return Arc::clone(merchants);
        }
        let merchants = Arc::new(Merchants::of(app, platform));
        if kept.len() < MOST_KEPT {
            kept.insert(app.key.clone(), (app.revision, edition, Arc::clone(&merchants)));
        }
        merchants
    }
}

impl Ready {
    /// Merchant, serial number and end (Unix seconds) of the client certificates in memory.
    pub(crate) fn client_certificates(&self) -> Vec<(String, String, i64)> {
        let kept = self.0.pin();
        let merchants = kept.values().map(|(_, _, merchants)| merchants);
        let known = merchants.filter_map(|merchants| {
            let mch_id = merchants.v2.as_ref().or(merchants.v3.as_ref()).ok()?.mch_id().to_owned();
            merchants.certificate.as_ref().map(|one| (mch_id, one.serial().to_owned(), one.not_after()))
        });
        known.collect()
    }
}

/// Looks whether what is registered of a merchant fits together, as far as it is there: for /register.
///
/// # Errors
/// The first thing that does not fit.
pub fn check(app: &App) -> Result<(), MerchantProblem> {
    let is_p12 = app.secrets.mch_cert.as_ref().is_some_and(|text| !text.expose_secret().contains("-----BEGIN"));
    if is_p12 && app.settings.mch_id.is_none() {
        let what = "is a p12 file, whose password is the merchant's number: give mch_id with it, or before it";
        return Err(wrong("mch_cert", what));
    }
    client_certificate(app)?;
    let Some(text) = &app.secrets.mch_private_key else { return Ok(()) };
    let key = private_key(text.expose_secret())?;
    if let Some(certificate) = client_certificate(app)?
        && let Some(serial) = &app.settings.mch_serial
        && certificate.serial() == serial
        && !key.belongs_to(&certificate)
    {
        return Err(wrong("mch_private_key", "does not belong to the certificate in mch_cert with that serial number"));
    }
    Ok(())
}

fn has_v3(secrets: &Secrets) -> bool {
    secrets.mch_private_key.is_some() && secrets.apiv3_key.is_some()
}

fn mch_id(settings: &Settings) -> Result<&str, MerchantProblem> {
    let missing = "no mch_id is registered; add the merchant with /register?…&mch_id=…&mch_key=… (API v2), or \
                   …&mch_id=…&mch_serial=…&mch_private_key=…&apiv3_key=… (API v3)";
    settings.mch_id.as_deref().ok_or_else(|| MerchantProblem::Incomplete(missing.to_owned()))
}

fn v2(app: &App) -> Result<Merchant, MerchantProblem> {
    let mch_id = mch_id(&app.settings)?;
    let key = app.secrets.mch_key.as_ref().ok_or_else(|| lacks("mch_key", "API v2"))?;
    MchKey::parse(key.expose_secret()).map_err(|error| wrong("mch_key", &error.to_string()))?;
    v2::Merchant::new(mch_id, key.clone()).map(Merchant::V2).map_err(|error| unusable("mch_key", &error))
}

fn v3(app: &App, platform: &[PlatformCertificate]) -> Result<Merchant, MerchantProblem> {
    let (settings, secrets) = (&app.settings, &app.secrets);
    let mch_id = mch_id(settings)?;
    let key = secrets.mch_private_key.as_ref().ok_or_else(|| lacks("mch_private_key", "API v3"))?;
    let key = private_key(key.expose_secret())?;
    let apiv3_key = secrets.apiv3_key.as_ref().ok_or_else(|| lacks("apiv3_key", "API v3"))?;
    Apiv3Key::parse(apiv3_key.expose_secret()).map_err(|error| wrong("apiv3_key", &error.to_string()))?;
    let serial = serial(app, &key)?;
    let public_key = match (&settings.pay_key_id, &settings.pay_public_key) {
        (Some(id), Some(text)) => {
            Some((id.clone(), PublicKey::parse(text).map_err(|error| wrong("pay_public_key", &error.to_string()))?))
        }
        (None, None) => None,
        (None, Some(_)) => return Err(lacks("pay_key_id", "WeChat Pay's public key")),
        (Some(_), None) => return Err(lacks("pay_public_key", "WeChat Pay's public key")),
    };
    let merchant = v3::Merchant::new(mch_id, serial.as_str(), &key, apiv3_key, public_key);
    let merchant = merchant.map_err(|error| unusable("mch_private_key", &error))?;
    Ok(Merchant::V3(merchant.with_certificates(platform.to_vec())))
}

/// The serial number that signatures name: the registered one, else that of the certificate that belongs to the key.
fn serial(app: &App, key: &PrivateKey) -> Result<MerchantSerial, MerchantProblem> {
    if let Some(text) = &app.settings.mch_serial {
        return MerchantSerial::parse(text).map_err(|error| wrong("mch_serial", &error.to_string()));
    }
    let certificate = client_certificate(app)?.filter(|certificate| key.belongs_to(certificate));
    let serial = certificate.and_then(|certificate| MerchantSerial::parse(certificate.serial()).ok());
    serial.ok_or_else(|| lacks("mch_serial", "API v3"))
}

fn private_key(text: &str) -> Result<PrivateKey, MerchantProblem> {
    PrivateKey::parse(text).map_err(|error| wrong("mch_private_key", &error.to_string()))
}

/// The password of a p12 file is the merchant's number.
fn client_certificate(app: &App) -> Result<Option<ClientCertificate>, MerchantProblem> {
    let Some(text) = &app.secrets.mch_cert else { return Ok(None) };
    let password = app.settings.mch_id.as_deref().unwrap_or_default();
    let certificate = ClientCertificate::parse(text.expose_secret(), password);
    certificate.map(Some).map_err(|error| wrong("mch_cert", &error.to_string()))
}

fn lacks(name: &str, what: &str) -> MerchantProblem {
    MerchantProblem::Incomplete(format!(
        "{what} needs {name}, which is not registered; add it with /register?…&{name}=…"
    ))
}

fn unusable(name: &'static str, error: &MerchantError) -> MerchantProblem {
    match error {
        MerchantError::MchId => wrong("mch_id", &error.to_string()),
        MerchantError::Credential(_) => wrong(name, &error.to_string()),
    }
}

fn wrong(name: &'static str, what: &str) -> MerchantProblem {
    MerchantProblem::Wrong { name, what: what.to_owned() }
}
