//! X.509 certificates: what is needed of them, and those of WeChat Pay's platform.
//!
//! A certificate is not checked against an authority: a platform certificate is believed because it was sealed with the
//! API v3 key, the merchant's own because the merchant registered it. What must stay true: its key is RSA of 2048 bits
//! or more, and a serial is upper-case hex.

use x509_parser::prelude::{FromDer, X509Certificate};

use super::pasted::{kind_of, read};
use super::wrong::PLATFORM_CERTIFICATE;
use super::{Kind, PublicKey, WrongCredential, pem};

/// Any certificate with an RSA key.
#[derive(Clone)]
pub(super) struct Certificate {
    pub(super) der: Vec<u8>,
    pub(super) serial: String,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) key: PublicKey,
    /// The common name of whom it is for.
    name: String,
}

impl Certificate {
    /// Takes one certificate in DER, and nothing behind it.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok().filter(|(rest, _)| rest.is_empty())?;
        let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
        let name = name.unwrap_or_default().to_owned();
        Some(Self {
            der: der.to_vec(),
            serial: hex::encode_upper(without_leading_zeros(certificate.raw_serial())),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            key: PublicKey::from_der(certificate.public_key().raw)?,
            name,
        })
    }

    /// What a certificate in DER is, if it is one.
    pub(super) fn kind_of(der: &[u8]) -> Option<Kind> {
        let is_certificate = || X509Certificate::from_der(der).is_ok_and(|(rest, _)| rest.is_empty());
        let kind = Self::from_der(der).map(|certificate| certificate.kind());
        kind.or_else(|| is_certificate().then_some(Kind::OtherCertificate))
    }

    /// Whose it is. WeChat names the merchant's after the merchant number, its own after itself.
    pub(super) fn kind(&self) -> Kind {
        let name = self.name.to_ascii_lowercase();
        if name.len() >= 8 && name.bytes().all(|b| b.is_ascii_digit()) {
            Kind::MerchantCertificate
        } else if name.contains("root ca") {
            Kind::RootCertificate
        } else if name.contains("tenpay") || name.contains("wechat pay") {
            Kind::PlatformCertificate
        } else {
            Kind::Certificate
        }
    }

    pub(super) fn to_pem(&self) -> String {
        pem::write("CERTIFICATE", &self.der).to_string()
    }
}

/// A number that would read as negative has a zero byte before it.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A certificate of WeChat Pay's platform: it verifies what WeChat signed.
#[derive(Clone)]
pub struct PlatformCertificate {
    certificate: Certificate,
    pem: String,
}

impl PlatformCertificate {
    /// Reads PEM, as it was downloaded or stored.
    ///
    /// # Errors
    /// [`WrongCredential`] when it is no certificate, or the merchant's own.
    pub fn parse(text: &str) -> Result<Self, WrongCredential> {
        let parts = read(text);
        match parts.as_slice() {
            [part] if matches!(part.kind, Kind::PlatformCertificate | Kind::Certificate) => {
                let certificate = Certificate::from_der(&part.der);
                let certificate = certificate.ok_or(PLATFORM_CERTIFICATE.not(Kind::DamagedPem))?;
                Ok(Self { pem: certificate.to_pem(), certificate })
            }
            parts => Err(PLATFORM_CERTIFICATE.not(kind_of(parts))),
        }
    }

    /// The serial, upper-case hex: what `Wechatpay-Serial` names.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.certificate.serial
    }

    /// From when it is good, in Unix seconds.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.certificate.not_before
    }

    /// Until when it is good, in Unix seconds.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.certificate.not_after
    }

    /// Its public key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.certificate.key
    }

    /// PEM, to be stored; not secret.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

impl PartialEq for PlatformCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.certificate.der == other.certificate.der
    }
}

impl Eq for PlatformCertificate {}

impl std::fmt::Debug for PlatformCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlatformCertificate").field("serial", &self.certificate.serial).finish_non_exhaustive()
    }
}
