//! Certificates: the sandbox's own authority, and what it issues to merchants, to the platform and to its TLS address.
//!
//! One authority for the whole process, made when it is first needed; `GET /sandbox/ca.pem` gives its certificate. What
//! must stay true: a certificate's serial number is the text that headers name, 40 upper-case hex digits.

use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
    SerialNumber, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::calendar::{Moment, in_beijing};
use super::rsa::{RsaKey, pem};
use crate::chance;
use crate::clock::{Time, machine_time};

/// How long certificates are good, in years.
const YEARS: u64 = 5;

/// A key with its certificate, or with an id alone.
#[derive(Debug)]
pub(crate) struct Credential {
    /// 40 upper-case hex digits.
    pub(crate) serial: String,
    name: String,
    pub(crate) key: RsaKey,
    certificate: OnceLock<Option<Issued>>,
}

/// A certificate that was issued.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
    /// Since when it is good, and until when.
    pub(crate) from: Time,
    pub(crate) until: Time,
}

impl Credential {
    /// With a key that is made when it is needed.
    pub(crate) fn made_up(name: &str) -> Arc<Credential> {
        Credential::of(name, chance::serial(), RsaKey::default())
    }

    /// With a given key.
    pub(crate) fn of(name: &str, serial: String, key: RsaKey) -> Arc<Credential> {
        Arc::new(Credential { serial, name: name.to_owned(), key, certificate: OnceLock::new() })
    }

    /// The certificate, issued by the sandbox's authority. `None` only when the system could make no key.
    pub(crate) fn certificate(&self) -> Option<&Issued> {
        self.certificate.get_or_init(|| issue(&self.name, &self.serial, &self.key)).as_ref()
    }

    /// The certificate as PEM.
    pub(crate) fn certificate_pem(&self) -> String {
        self.certificate().map(|issued| issued.pem.clone()).unwrap_or_default()
    }

    /// The private key as PEM.
    pub(crate) fn private_key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key.pkcs8())
    }

    /// The public key as PEM.
    pub(crate) fn public_key_pem(&self) -> String {
        pem("PUBLIC KEY", &self.key.spki())
    }
}

/// The authority that issues all certificates of the sandbox.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

/// The authority's certificate as PEM. Empty only when the system could make no key.
pub(crate) fn ca_pem() -> String {
    authority().map(|authority| authority.certificate.pem()).unwrap_or_default()
}

/// A certificate of a TLS address for these names, and its key.
pub(crate) fn server_identity(
    names: impl IntoIterator<Item = String>,
) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let authority = authority()?;
    let key = KeyPair::generate().ok()?;
    let mut params = CertificateParams::new(names.into_iter().collect::<Vec<_>>()).ok()?;
    params.distinguished_name.push(DnType::CommonName, "wechat sandbox");
    // Strict clients, as Python's from 3.13 on, refuse a certificate that does not name its issuer's key.
    params.use_authority_key_identifier_extension = true;
    let (_, _) = set_validity(&mut params);
    let certificate = params.signed_by(&key, &authority.issuer).ok()?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Some((vec![certificate.der().clone(), authority.certificate.der().clone()], PrivateKeyDer::Pkcs8(key)))
}

fn authority() -> Option<&'static Authority> {
    static AUTHORITY: OnceLock<Option<Authority>> = OnceLock::new();
    AUTHORITY.get_or_init(found).as_ref()
}

/// Founds the authority. Its key is of the kind that is made at once.
fn found() -> Option<Authority> {
    let key = KeyPair::generate().ok()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::OrganizationName, "WeChat sandbox, trusted by nobody else");
    params.distinguished_name.push(DnType::CommonName, "WeChat sandbox CA");
    set_validity(&mut params);
    let certificate = params.self_signed(&key).ok()?;
    Some(Authority { issuer: Issuer::new(params, key), certificate })
}

fn issue(name: &str, serial: &str, key: &RsaKey) -> Option<Issued> {
    let authority = authority()?;
    let der = PrivatePkcs8KeyDer::from(key.pkcs8());
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256).ok()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "WeChat sandbox");
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(&hex::decode(serial).ok()?));
    params.use_authority_key_identifier_extension = true;
    let (from, until) = set_validity(&mut params);
    let certificate = params.signed_by(&key, &authority.issuer).ok()?;
    Some(Issued { pem: certificate.pem().replace("\r\n", "\n"), der: certificate.der().clone(), from, until })
}

/// From the first of the month on, by the machine's clock, since that is what those who check it go by.
fn set_validity(params: &mut CertificateParams) -> (Time, Time) {
    let yesterday = Time::from_secs(machine_time().secs().saturating_sub(86_400));
    let Moment { year, month, .. } = in_beijing(yesterday);
    let first = |year: u64| {
        let (years, month) = (i32::try_from(year).unwrap_or(2025), u8::try_from(month).unwrap_or(1));
        let moment = date_time_ymd(years, month, 1);
        (moment, Time::from_secs(u64::try_from(moment.unix_timestamp()).unwrap_or(0)))
    };
    let ((not_before, from), (not_after, until)) = (first(year), first(year + YEARS));
    (params.not_before, params.not_after) = (not_before, not_after);
    (from, until)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The extension's number, 2.5.29.35, in DER.
    const AUTHORITY_KEY_IDENTIFIER: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x23];

    fn names_its_issuers_key(certificate: &CertificateDer<'_>) -> bool {
        certificate.windows(AUTHORITY_KEY_IDENTIFIER.len()).any(|bytes| bytes == AUTHORITY_KEY_IDENTIFIER)
    }

    #[test]
    fn certificates_name_the_key_of_their_issuer() {
        let (chain, _) = server_identity(["localhost".to_owned()]).unwrap();
        assert!(names_its_issuers_key(&chain[0]), "of the TLS address");
        let credential = Credential::made_up("a merchant");
        assert!(names_its_issuers_key(&credential.certificate().unwrap().der), "of a merchant");
    }
}
