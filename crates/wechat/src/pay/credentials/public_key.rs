//! An RSA public key: WeChat Pay's `pub_key.pem`, or the one inside of a certificate.
//!
//! Verifies what WeChat signed, and encrypts what only WeChat may read. What must stay true: it has 2048 to 8192 bits.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey, PublicKey as RsaPublicKey};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::pasted::{kind_of, read};
use super::wrong::PUBLIC_KEY;
use super::{Kind, WrongCredential, pem};

/// Longest text that a key of 2048 bits encrypts, in bytes.
pub const MAX_OAEP_PLAIN: usize = 214;

/// An RSA public key; a clone costs a counter.
#[derive(Clone)]
pub struct PublicKey(Arc<Parsed>);

struct Parsed {
    verifying: ParsedPublicKey,
    /// PKCS#1, DER.
    rsa: RsaPublicKey,
    /// SPKI, DER.
    spki: Vec<u8>,
}

impl PublicKey {
    /// Reads SPKI (`PUBLIC KEY`) or PKCS#1 (`RSA PUBLIC KEY`), as PEM or bare base64.
    ///
    /// # Errors
    /// [`WrongCredential`] when it is something else, or a key that cannot be used.
    pub fn parse(text: &str) -> Result<Self, WrongCredential> {
        let unusable = || PUBLIC_KEY.but("an RSA public key that is damaged, or shorter than 2048 bits");
        match read(text).as_slice() {
            [part] if part.kind == Kind::PublicKey => Self::from_der(&part.der).ok_or_else(unusable),
            parts => Err(PUBLIC_KEY.not(kind_of(parts))),
        }
    }

    /// Takes SPKI or PKCS#1 in DER.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let rsa = RsaPublicKey::from_der(der).ok()?;
        let spki = rsa.as_der().ok()?.as_ref().to_vec();
        let bits = PublicEncryptingKey::from_der(&spki).ok()?.key_size_bits();
        let verifying = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.as_ref()).ok()?;
        (2048..=8192).contains(&bits).then(|| Self(Arc::new(Parsed { verifying, rsa, spki })))
    }

    /// SPKI in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::write("PUBLIC KEY", &self.0.spki).to_string()
    }

    /// PKCS#1 in DER: it tells whether two keys are the same.
    pub(super) fn pkcs1(&self) -> &[u8] {
        self.0.rsa.as_ref()
    }

    /// Whether `signature` (base64) is that of `message`: RSASSA-PKCS1-v1_5 with SHA-256.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let signature = STANDARD.decode(signature);
        signature.is_ok_and(|signature| self.0.verifying.verify_sig(message, &signature).is_ok())
    }

    /// Encrypts a field for WeChat's eyes only (RSAES-OAEP with SHA-1, base64); `None` when it is longer than
    /// [`MAX_OAEP_PLAIN`]. The result is another one each time: the random numbers are the library's own.
    #[must_use]
    pub fn encrypt(&self, plain: &[u8]) -> Option<String> {
        let key = PublicEncryptingKey::from_der(&self.0.spki).ok()?;
        let key = OaepPublicEncryptingKey::new(key).ok()?;
        let mut ciphertext = vec![0; key.ciphertext_size()];
        let ciphertext = key.encrypt(&OAEP_SHA1_MGF1SHA1, plain, &mut ciphertext, None).ok()?;
        Some(STANDARD.encode(ciphertext))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.pkcs1() == other.pkcs1()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(RSA)")
    }
}
