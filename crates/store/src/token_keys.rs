//! The keys of sealed tokens: one for each, made from a master key, what the token is for, and its salt.
//!
//! What must stay true: no token is ever sealed with a master key itself, which seals the tables.

use aes_gcm::Aes256Gcm;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;

/// Bytes of a salt.
pub(crate) const SALT_BYTES: usize = 16;

/// Bytes of a master key, and of a token's.
const KEY_BYTES: usize = 32;

const LABEL: &[u8] = b"wechat-proxy sealed token\0";

/// Where the keys of tokens come from: HMAC-SHA256 with a master key, begun with the label.
pub(crate) struct TokenKeys(Hmac<Sha256>);

impl TokenKeys {
    pub(crate) fn new(master_key: &[u8; KEY_BYTES]) -> Self {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&hmac_key(master_key));
        mac.update(LABEL);
        Self(mac)
    }

    pub(crate) fn cipher(&self, purpose: &str, salt: &[u8; SALT_BYTES]) -> Aes256Gcm {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(salt);
        let key: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(mac.finalize().into_bytes().into());
        Aes256Gcm::new(&(*key).into())
    }
}

/// A key of HMAC has the length of SHA-256's block; a shorter one is filled with zeros (RFC 2104).
fn hmac_key(master_key: &[u8; KEY_BYTES]) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (to, from) in key.iter_mut().zip(master_key) {
        *to = *from;
    }
    key
}
