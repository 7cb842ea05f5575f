//! A merchant: who it is, its keys and certificate, and the keys that WeChat uses towards it.
//!
//! Made by [`NewMerchant`], by the embedding program or the control API; what the wish leaves open is made up. What must
//! stay true: keys that are not given are made only when somebody needs them.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::certificate::Credential;
use super::p12;
use super::rsa::RsaKey;
use super::settings::{CallbackKey, KeyMode, MerchantPatch, MerchantSettings, Rotation, StampClock};
use crate::chance;
use crate::clock::{Time, machine_time};

/// A wish for a merchant; all but `appids` is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewMerchant {
    /// 8 to 10 digits; made up when absent.
    pub mch_id: Option<String>,
    /// A name for people; made up when absent.
    pub name: Option<String>,
    /// The appids that the merchant is bound to, at least one; there need not be accounts of them.
    pub appids: Vec<String>,
    /// The API v2 key: 32 letters and digits; made up when absent.
    pub v2_key: Option<String>,
    /// The API v3 key: 32 bytes of ASCII; made up when absent.
    pub v3_key: Option<String>,
    /// Whether WeChat signs with certificates, the public key, or both.
    pub key_mode: KeyMode,
    /// The merchant's API certificate; made up when absent.
    pub certificate: Option<GivenKey>,
    /// WeChat's side: the platform certificate; one for the whole process when absent.
    pub platform_certificate: Option<GivenKey>,
    /// WeChat's side: the public key, named by `PUB_KEY_ID_…`; one key for the whole process when absent.
    pub public_key: Option<GivenKey>,
}

/// The demo merchant: always the same, so that documents can print lines that work.
const DEMO_MCH_ID: &str = "1900000109";
const DEMO_V2_KEY: &str = "sandbox0v2key0of0the0demo0shop00";
const DEMO_V3_KEY: &str = "sandbox0v3key0of0the0demo0shop00";

impl NewMerchant {
    /// A wish for a merchant that is bound to these appids, everything else made up.
    pub fn of(appids: impl IntoIterator<Item = String>) -> NewMerchant {
        NewMerchant { appids: appids.into_iter().collect(), ..NewMerchant::default() }
    }

    /// A wish for the demo merchant, bound to the demo account: number and keys are always the same, the certificate is
    /// made at each start. It has platform certificates and the public key.
    pub fn demo(appid: &str) -> NewMerchant {
        NewMerchant {
            mch_id: Some(DEMO_MCH_ID.to_owned()),
            name: Some("演示商户".to_owned()),
            v2_key: Some(DEMO_V2_KEY.to_owned()),
            v3_key: Some(DEMO_V3_KEY.to_owned()),
            key_mode: KeyMode::Both,
            ..NewMerchant::of([appid.to_owned()])
        }
    }
}

/// A private key, and the name under which headers know it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenKey {
    /// A serial number of 40 upper-case hex digits, or a `PUB_KEY_ID_…`.
    pub serial: String,
    /// RSA, PEM.
    pub private_key: String,
}

impl std::fmt::Debug for GivenKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GivenKey").field("serial", &self.serial).finish_non_exhaustive()
    }
}

/// A merchant, as its maker gets to know it. Its files are in [`MerchantFiles`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Merchant {
    /// The merchant number, v3's `mchid`.
    pub mch_id: String,
    /// A name for people.
    pub name: String,
    /// The appids that it is bound to.
    pub appids: Vec<String>,
    /// The API v2 key.
    pub v2_key: String,
    /// The API v3 key.
    pub v3_key: String,
    /// The serial number of the merchant's API certificate.
    pub serial: String,
    /// The id of WeChat's public key, `PUB_KEY_ID_…`.
    pub public_key_id: String,
    /// The serial number of WeChat's certificate.
    pub platform_serial: String,
}

/// The files that a merchant downloads from the merchant platform.
#[derive(Clone)]
pub struct MerchantFiles {
    /// `apiclient_cert.pem`.
    pub certificate: String,
    /// `apiclient_key.pem`, PKCS#8.
    pub private_key: String,
    /// `apiclient_cert.p12`; its password is the merchant number.
    pub p12: Vec<u8>,
    /// `pub_key.pem`, the WeChat Pay public key.
    pub public_key: String,
    /// The platform certificate, as `/v3/certificates` gives it.
    pub platform_certificate: String,
}

impl std::fmt::Debug for MerchantFiles {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("MerchantFiles").finish_non_exhaustive()
    }
}

/// Why a merchant was not made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MerchantError {
    /// The number is in use.
    #[error("there is a merchant {0} already; use another mch_id, or delete that one first")]
    Taken(String),
    /// Something of the wish cannot be.
    #[error("{0}")]
    Unusable(String),
    /// The sandbox is full.
    #[error("there are {0} merchants already, and that is the limit; delete some first")]
    TooMany(usize),
}

/// A merchant and all that WeChat knows about it.
#[derive(Debug)]
pub(crate) struct MerchantHolder {
    /// The order in which merchants were made.
    pub(crate) number: u64,
    pub(crate) mch_id: String,
    pub(crate) name: String,
    pub(crate) appids: Vec<String>,
    pub(crate) v2_key: String,
    pub(crate) v3_key: String,
    pub(crate) api: Arc<Credential>,
    /// The old one, and the new one that is listed beside it during a rotation.
    certificates: [Arc<Credential>; 2],
    public_key: Arc<Credential>,
    pub(crate) public_key_id: String,
    pub(crate) settings: MerchantSettings,
    /// The merchant's own clock goes by the sandbox's, as its latest request showed, and not by the machine's.
    pub(crate) by_sandbox_clock: bool,
}

/// A key of WeChat's, and its name.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) id: &'a str,
    pub(crate) key: &'a RsaKey,
}

impl MerchantHolder {
    /// # Errors
    /// A text that says what cannot be.
    pub(crate) fn new(wish: NewMerchant, number: u64) -> Result<MerchantHolder, String> {
        let mch_id = wish.mch_id.unwrap_or_else(|| format!("19{}", chance::digits(8)));
        if !(8..=10).contains(&mch_id.len()) || !mch_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("mch_id is 8 to 10 digits".into());
        }
        let [platform, next, public] = shared();
        let api = match wish.certificate {
            Some(given) => credential(&mch_id, given)?,
            None => Credential::made_up(&mch_id),
        };
        let platform =
            wish.platform_certificate.map_or(Ok(platform), |given| credential("Tenpay.com sandbox", given))?;
        let (public_key_id, public_key) = match wish.public_key {
            None => (format!("PUB_KEY_ID_0{mch_id:0>12}{}", chance::digits(15)), public),
            Some(given) if given.serial.starts_with("PUB_KEY_ID_") => {
                let key = RsaKey::from_pem(&given.private_key)?;
                (given.serial, Credential::of("public key", chance::serial(), key))
            }
            Some(_) => return Err("the serial of public_key is PUB_KEY_ID_ and digits".into()),
        };
        let mut holder = MerchantHolder {
            number,
            name: format!("商户{mch_id}"),
            mch_id,
            appids: Vec::new(),
            v2_key: chance::merchant_key(),
            v3_key: chance::merchant_key(),
            api,
            certificates: [platform, next],
            public_key,
            public_key_id,
            settings: MerchantSettings { key_mode: wish.key_mode, ..MerchantSettings::default() },
            by_sandbox_clock: false,
        };
        let given = MerchantPatch {
            name: wish.name,
            appids: Some(wish.appids),
            v2_key: wish.v2_key,
            v3_key: wish.v3_key,
            ..MerchantPatch::default()
        };
        holder.change(given)?;
        Ok(holder)
    }

    /// # Errors
    /// A text that says what cannot be; nothing has changed then.
    pub(crate) fn change(&mut self, mut patch: MerchantPatch) -> Result<(), String> {
        if let Some(problem) = patch.problem() {
            return Err(problem);
        }
        let name = patch.name.take().unwrap_or_else(|| self.name.clone());
        let appids = patch.appids.take().unwrap_or_else(|| self.appids.clone());
        let v2_key = patch.v2_key.take().unwrap_or_else(|| self.v2_key.clone());
        let v3_key = patch.v3_key.take().unwrap_or_else(|| self.v3_key.clone());
        let graphic = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if name.trim().is_empty() || name.chars().count() > 64 {
            return Err("name is 1 to 64 characters".into());
        }
        if !appids.iter().all(|appid| graphic(appid) && appid.len() <= 32) {
            return Err("an appid is 1 to 32 visible ASCII characters".into());
        }
        if [&v2_key, &v3_key].into_iter().any(|key| !graphic(key) || key.len() != 32) {
            return Err("v2_key and v3_key are 32 visible ASCII characters".into());
        }
        (self.name, self.appids, self.v2_key, self.v3_key) = (name, appids, v2_key, v3_key);
        self.settings.apply(patch);
        Ok(())
    }

    /// The merchant, as its maker gets to know it.
    pub(crate) fn card(&self) -> Merchant {
        Merchant {
            mch_id: self.mch_id.clone(),
            name: self.name.clone(),
            appids: self.appids.clone(),
            v2_key: self.v2_key.clone(),
            v3_key: self.v3_key.clone(),
            serial: self.api.serial.clone(),
            public_key_id: self.public_key_id.clone(),
            platform_serial: self.certificates[0].serial.clone(),
        }
    }

    /// What makes the merchant's files. That may have to make keys: do it without the lock.
    pub(crate) fn files(&self) -> impl FnOnce() -> MerchantFiles + use<> {
        let (mch_id, api, public_key) = (self.mch_id.clone(), self.api.clone(), self.public_key.clone());
        let platform = self.certificates[0].clone();
        move || MerchantFiles {
            certificate: api.certificate_pem(),
            private_key: api.private_key_pem(),
            p12: p12::archive(&api, &mch_id),
            public_key: public_key.public_key_pem(),
            platform_certificate: platform.certificate_pem(),
        }
    }

    /// The certificates that `/v3/certificates` lists; none when the merchant has the public key alone.
    pub(crate) fn listed(&self) -> &[Arc<Credential>] {
        match (self.settings.key_mode, self.settings.rotation) {
            (KeyMode::PublicKey, _) => &[],
            (_, Rotation::Off) => self.certificates.get(..1).unwrap_or_default(),
            _ => &self.certificates,
        }
    }

    /// What signs an answer to a request that names this key, or none. `None`: the merchant has no such key.
    pub(crate) fn signer(&self, named: Option<&str>) -> Option<Signer<'_>> {
        let mode = self.settings.key_mode;
        match named {
            // Before the change to it was started, naming it is of no consequence.
            Some(id) if id == self.public_key_id && mode == KeyMode::Certificate => Some(self.by_certificate()),
            Some(id) if id == self.public_key_id => Some(self.by_public_key()),
            Some(id) if !self.listed().iter().any(|listed| listed.serial == id) => None,
            _ if mode == KeyMode::PublicKey => Some(self.by_public_key()),
            _ => Some(self.by_certificate()),
        }
    }

    /// What signs a callback, whatever requests named.
    pub(crate) fn callback_signer(&self) -> Signer<'_> {
        match (self.settings.key_mode, self.settings.callbacks_with) {
            (KeyMode::PublicKey, _) | (KeyMode::Both, CallbackKey::PublicKey) => self.by_public_key(),
            _ => self.by_certificate(),
        }
    }

    /// What a signature says the time is, in Unix seconds: by the clock that the merchant itself goes by.
    pub(crate) fn stamp(&self, now: Time) -> u64 {
        let by_sandbox = match self.settings.clock {
            StampClock::Auto => self.by_sandbox_clock,
            StampClock::Machine => false,
            StampClock::Sandbox => true,
        };
        if by_sandbox { now.secs() } else { machine_time().secs() }
    }

    fn by_public_key(&self) -> Signer<'_> {
        Signer { id: &self.public_key_id, key: &self.public_key.key }
    }

    fn by_certificate(&self) -> Signer<'_> {
        let [old, new] = &self.certificates;
        let credential = match self.settings.rotation {
            Rotation::Off | Rotation::Old => old,
            Rotation::New => new,
            Rotation::Either => {
                if chance::happens(0.5) {
                    new
                } else {
                    old
                }
            }
        };
        Signer { id: &credential.serial, key: &credential.key }
    }
}

/// WeChat's keys, the same for all merchants that were given none: certificate, next certificate, public key.
fn shared() -> [Arc<Credential>; 3] {
    static SHARED: OnceLock<[Arc<Credential>; 3]> = OnceLock::new();
    SHARED.get_or_init(|| [(); 3].map(|()| Credential::made_up("Tenpay.com sandbox"))).clone()
}

fn credential(name: &str, given: GivenKey) -> Result<Arc<Credential>, String> {
    let upper = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    if given.serial.len() != 40 || !given.serial.bytes().all(upper) || given.serial.starts_with('0') {
        return Err("the serial of a certificate is 40 upper-case hex digits, the first one not 0".into());
    }
    Ok(Credential::of(name, given.serial, RsaKey::from_pem(&given.private_key)?))
}
