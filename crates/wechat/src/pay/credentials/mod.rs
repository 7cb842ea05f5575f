//! The keys and certificates of a merchant, read from whatever a team pasted.
#![allow(unused)]
use std::sync::Arc;

/// Something else was given than what belongs there. It never holds a part of the value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is {is}, but {wanted} belongs here: {advice}")]
pub struct WrongCredential {
    /// What was recognised.
    pub is: &'static str,
    /// What belongs there.
    pub wanted: &'static str,
    /// Where to find that.
    pub advice: &'static str,
}

/// An RSA private key: the merchant's `apiclient_key.pem`.
#[derive(Clone, Debug)]
pub struct PrivateKey {}
impl PrivateKey {
    /// Reads PKCS#8 or PKCS#1, PEM or bare base64.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn parse(text: &str) -> Result<Self, WrongCredential> { todo!() }
    /// Whether this key belongs to the certificate.
    #[must_use]
    pub fn belongs_to(&self, certificate: &ClientCertificate) -> bool { todo!() }
    /// PKCS#8 PEM; a secret: to be sealed and stored.
    #[must_use]
    pub fn to_pem(&self) -> secrecy::SecretString { todo!() }
}

/// An RSA public key: WeChat Pay's `pub_key.pem`.
#[derive(Clone, Debug)]
pub struct PublicKey {}
impl PublicKey {
    /// Reads SPKI or PKCS#1, PEM or bare base64.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn parse(text: &str) -> Result<Self, WrongCredential> { todo!() }
    /// SPKI PEM.
    #[must_use]
    pub fn to_pem(&self) -> String { todo!() }
}

/// The merchant's TLS client certificate with its key, for v2's refunds.
#[derive(Clone, Debug)]
pub struct ClientCertificate {}
impl ClientCertificate {
    /// Reads PEM with certificate and key in any order, or base64 of `apiclient_cert.p12` whose password is `mch_id`.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn parse(text: &str, mch_id: &str) -> Result<Self, WrongCredential> { todo!() }
    /// Reads `apiclient_cert.p12`.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn from_p12(bytes: &[u8], password: &str) -> Result<Self, WrongCredential> { todo!() }
    /// The certificates, DER, the merchant's own first.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] { todo!() }
    /// The private key, PKCS#8 DER: a secret.
    #[must_use]
    pub fn key(&self) -> &PrivateKey { todo!() }
    /// The serial, upper-case hex.
    #[must_use]
    pub fn serial(&self) -> &str { todo!() }
    /// Until when it is good, in Unix seconds.
    #[must_use]
    pub fn not_after(&self) -> i64 { todo!() }
    /// Certificates and key as PEM: a secret, to be sealed and stored; [`Self::parse`] reads it.
    #[must_use]
    pub fn to_pem(&self) -> secrecy::SecretString { todo!() }
}

/// The serial of the merchant's API certificate: 40 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MerchantSerial(Box<str>);
impl MerchantSerial {
    /// Reads the serial, or takes it from a pasted `apiclient_cert.pem`.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn parse(text: &str) -> Result<Self, WrongCredential> { todo!() }
    /// Upper-case hex.
    #[must_use]
    pub fn as_str(&self) -> &str { &self.0 }
}

/// The API v3 key: 32 bytes of ASCII.
#[derive(Clone, Debug)]
pub struct Apiv3Key {}
impl Apiv3Key {
    /// Takes the 32 characters.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn parse(text: &str) -> Result<Self, WrongCredential> { todo!() }
}

/// The API v2 key.
#[derive(Clone, Debug)]
pub struct MchKey {}
impl MchKey {
    /// Takes the key.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn parse(text: &str) -> Result<Self, WrongCredential> { todo!() }
}

/// A certificate of WeChat Pay's platform.
#[derive(Clone, Debug)]
pub struct PlatformCertificate {}
impl PlatformCertificate {
    /// Reads PEM, e.g. as it was stored.
    ///
    /// # Errors
    /// [`WrongCredential`]
    pub fn parse(text: &str) -> Result<Self, WrongCredential> { todo!() }
    /// The serial, upper-case hex.
    #[must_use]
    pub fn serial(&self) -> &str { todo!() }
    /// From when it is good, in Unix seconds.
    #[must_use]
    pub fn not_before(&self) -> i64 { todo!() }
    /// Until when it is good, in Unix seconds.
    #[must_use]
    pub fn not_after(&self) -> i64 { todo!() }
    /// PEM; not secret.
    #[must_use]
    pub fn pem(&self) -> &str { todo!() }
}
