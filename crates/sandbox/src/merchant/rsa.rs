//! RSA keys: signing and verifying with SHA-256 as v3 does, made when they are first needed.
//!
//! Used by `certificate`. A key of 2048 bits takes a moment to make, so that one that nobody asks for is never made.
//! Signatures are base64, as they stand in headers.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

/// A key that is made, or was given, once.
#[derive(Debug, Default)]
pub(crate) struct RsaKey(OnceLock<Option<Made>>);

#[derive(Debug)]
struct Made {
    pair: KeyPair,
}

impl RsaKey {
    /// The key of a PEM file, PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// A text that says what to give.
    pub(crate) fn from_pem(pem: &str) -> Result<RsaKey, String> {
        let wrong = || "give private_key as the PEM text of an RSA key of at least 2048 bits".to_owned();
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| wrong())? {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong()),
        };
        Ok(RsaKey(OnceLock::from(Some(Made { pair: pair.map_err(|_| wrong())? }))))
    }

    /// The signature of a message, base64. Empty when the system could make no key.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let Some(Made { pair }) = self.made() else { return String::new() };
        let mut signature = vec![0; pair.public_modulus_len()];
        match pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature) {
            Ok(()) => STANDARD.encode(signature),
            Err(_) => String::new(),
        }
    }

    /// Whether a signature in base64 is this key's, of this message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let (Some(Made { pair }), Ok(signature)) = (self.made(), STANDARD.decode(signature)) else { return false };
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
        key.verify(message, &signature).is_ok()
    }

    /// The private key, PKCS#8.
    pub(crate) fn pkcs8(&self) -> Vec<u8> {
        let der = self.made().and_then(|made| AsDer::<Pkcs8V1Der<'_>>::as_der(&made.pair).ok());
        der.map(|der| der.as_ref().to_vec()).unwrap_or_default()
    }

    /// The public key, `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der = self.made().and_then(|made| AsDer::<PublicKeyX509Der<'_>>::as_der(made.pair.public_key()).ok());
        der.map(|der| der.as_ref().to_vec()).unwrap_or_default()
    }

    fn made(&self) -> Option<&Made> {
        self.0.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok().map(|pair| Made { pair })).as_ref()
    }
}

/// DER as PEM, in lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
