//! An RSA private key: the merchant's `apiclient_key.pem`.
//!
//! Signs requests of v3, opens what WeChat encrypted for the merchant, and is the key of the TLS client certificate.
//! What must stay true: it is 2048 to 8192 bits of RSA, its parts fit each other, and neither `Debug` nor an error
//! shows it.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::pasted::{kind_of, read};
use super::wrong::PRIVATE_KEY;
use super::{ClientCertificate, Kind, WrongCredential, pem};

/// An RSA private key. `Debug` does not show it; a clone costs a counter.
#[derive(Clone)]
pub struct PrivateKey(Arc<Parsed>);

struct Parsed {
    pair: KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// Reads PKCS#8 or PKCS#1, as PEM or bare base64.
    ///
    /// # Errors
    /// [`WrongCredential`] when it is something else, or a key that cannot be used.
    pub fn parse(text: &str) -> Result<Self, WrongCredential> {
        let parts = read(text);
        match parts.as_slice() {
            [part] if part.kind == Kind::PrivateKey => Self::from_der(&part.der),
            parts => Err(PRIVATE_KEY.not(kind_of(parts))),
        }
    }

    /// Takes PKCS#8 or PKCS#1 in DER.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, WrongCredential> {
        let unusable = || PRIVATE_KEY.but("an RSA private key that is damaged, or shorter than 2048 bits");
        let pair = KeyPair::from_pkcs8(der).or_else(|_| KeyPair::from_der(der)).map_err(|_| unusable())?;
        let pkcs8 = Zeroizing::new(pair.as_der().map_err(|_| unusable())?.as_ref().to_vec());
        Ok(Self(Arc::new(Parsed { pair, pkcs8 })))
    }

    /// PKCS#8 in DER, as TLS libraries take it: a secret.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.0.pkcs8
    }

    /// PKCS#8 in PEM, to be sealed and stored: a secret.
    #[must_use]
    pub fn to_pem(&self) -> SecretString {
        SecretString::from(pem::write("PRIVATE KEY", self.pkcs8()).as_str())
    }

    /// Whether this key and the certificate belong together.
    #[must_use]
    pub fn belongs_to(&self, certificate: &ClientCertificate) -> bool {
        self.public_half() == certificate.key().public_half()
    }

    /// The public half, as PKCS#1 in DER: it tells whether two keys are the same.
    pub(super) fn public_half(&self) -> &[u8] {
        self.0.pair.public_key().as_ref()
    }

    /// The signature of API v3: RSASSA-PKCS1-v1_5 with SHA-256, in base64. It depends on nothing but key and message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.0.pair.public_modulus_len()];
        // This padding uses no random numbers; the library asks for a source all the same. It only fails without
        // memory.
        match self.0.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature) {
            Ok(()) => STANDARD.encode(signature),
            Err(_) => String::new(),
        }
    }

    /// Opens a field that WeChat encrypted for the merchant (RSAES-OAEP with SHA-1, base64); `None` when it does not
    /// open.
    #[must_use]
    pub fn decrypt(&self, ciphertext: &str) -> Option<Zeroizing<Vec<u8>>> {
        let ciphertext = STANDARD.decode(ciphertext).ok()?;
        let key = PrivateDecryptingKey::from_pkcs8(self.pkcs8()).and_then(|key| {
            let oaep = OaepPrivateDecryptingKey::new(key);
            oaep.map_err(|_| aws_lc_rs::error::KeyRejected::from(aws_lc_rs::error::Unspecified))
        });
        let key = key.ok()?;
        let mut plain = Zeroizing::new(vec![0; key.min_output_size()]);
        let length = key.decrypt(&OAEP_SHA1_MGF1SHA1, &ciphertext, &mut plain, None).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(********)")
    }
}
