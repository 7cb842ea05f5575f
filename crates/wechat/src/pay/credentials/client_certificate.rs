//! The merchant's certificate with its private key: what a connection for refunds by API v2 shows to WeChat.
//!
//! Read from `apiclient_cert.pem` and `apiclient_key.pem`, or from `apiclient_cert.p12`. What must stay true: the key
//! belongs to the first certificate of the chain.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::certificate::Certificate;
use super::pasted::{Part, kind_of, read};
use super::wrong::CLIENT_CERTIFICATE;
use super::{Kind, PrivateKey, WrongCredential, p12};

/// A certificate with its private key. `Debug` does not show the key; a clone costs a counter.
#[derive(Clone)]
pub struct ClientCertificate(Arc<Matched>);

struct Matched {
    key: PrivateKey,
    chain: Vec<Vec<u8>>,
    pem: Zeroizing<String>,
    serial: String,
    not_before: i64,
    not_after: i64,
    kind: Kind,
}

impl ClientCertificate {
    /// Reads PEM with certificate and private key in any order, or base64 of a p12 file whose password is `mch_id`, as
    /// WeChat sets it.
    ///
    /// # Errors
    /// [`WrongCredential`] when one of the two is missing, or they do not belong together.
    pub fn parse(text: &str, mch_id: &str) -> Result<Self, WrongCredential> {
        let parts = read(text);
        if let [Part { kind: Kind::P12, der }] = parts.as_slice() {
            return Self::from_p12(der, mch_id);
        }
        if kind_of(&parts) != Kind::CertificateWithKey {
            return Err(CLIENT_CERTIFICATE.not(kind_of(&parts)));
        }
        let of = |is: fn(Kind) -> bool| parts.iter().filter(move |part| is(part.kind)).map(|part| part.der.as_slice());
        Self::matched(of(|kind| kind == Kind::PrivateKey), of(Kind::is_certificate))
    }

    /// Reads a p12 file (`apiclient_cert.p12`).
    ///
    /// # Errors
    /// [`WrongCredential`] when it does not open with this password, or lacks one of the two.
    pub fn from_p12(bytes: &[u8], password: &str) -> Result<Self, WrongCredential> {
        let closed = "a p12 file that does not open with the merchant number as its password, or is damaged";
        let content = p12::open(bytes, password).ok_or(CLIENT_CERTIFICATE.but(closed))?;
        let keys = content.keys.iter().map(|key| key.as_slice());
        Self::matched(keys, content.certificates.iter().map(Vec::as_slice))
    }

    /// Finds the key's own certificate; the others follow it.
    fn matched<'a>(
        keys: impl Iterator<Item = &'a [u8]>,
        certificates: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Self, WrongCredential> {
        let mut certificates: Vec<_> = certificates.filter_map(Certificate::from_der).collect();
        for der in keys {
            let key = PrivateKey::from_der(der)?;
            let own = certificates.iter().position(|certificate| certificate.key.pkcs1() == key.public_half());
            if let Some(own) = own {
                let own = certificates.remove(own);
                return Ok(Self(Arc::new(Matched::new(key, own, certificates))));
            }
        }
        Err(CLIENT_CERTIFICATE.but("a certificate and a private key that do not belong together"))
    }

    /// The certificates in DER, the merchant's own first.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> &PrivateKey {
        &self.0.key
    }

    /// The serial, upper-case hex.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// From when it is good, in Unix seconds.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.0.not_before
    }

    /// Until when it is good, in Unix seconds.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.0.not_after
    }

    /// Whether it looks like one that WeChat Pay gave to a merchant: its name is a merchant number.
    #[must_use]
    pub fn is_merchants(&self) -> bool {
        self.0.kind == Kind::MerchantCertificate
    }

    /// Certificates and key as PEM, which [`Self::parse`] reads: a secret, to be sealed and stored.
    #[must_use]
    pub fn to_pem(&self) -> SecretString {
        SecretString::from(self.0.pem.as_str())
    }
}

impl Matched {
    fn new(key: PrivateKey, own: Certificate, others: Vec<Certificate>) -> Self {
        use secrecy::ExposeSecret;
        let (serial, kind) = (own.serial.clone(), own.kind());
        let (not_before, not_after) = (own.not_before, own.not_after);
        let certificates: Vec<_> = std::iter::once(own).chain(others).collect();
        let mut pem: String = certificates.iter().map(Certificate::to_pem).collect();
        // In one step, so that no shorter buffer with the key is left behind.
        let key_pem = key.to_pem();
        pem.reserve_exact(key_pem.expose_secret().len());
        pem.push_str(key_pem.expose_secret());
        let chain = certificates.into_iter().map(|certificate| certificate.der).collect();
        Self { key, chain, pem: Zeroizing::new(pem), serial, not_before, not_after, kind }
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").field("serial", &self.0.serial).finish_non_exhaustive()
    }
}
