//! What travels through a visitor's browser and comes back to any node: sealed, so that the browser can neither read
//! nor change it.
//!
//! A token is `version (1) | key id (8) | salt (16) | ciphertext and tag`, in base64 without padding, for URLs. Each has a
//! key of its own, HMAC-SHA256 of the master key over label, purpose and salt, and is sealed with AES-256-GCM. So there is
//! no limit to how many of them are made (random nonces under the master key itself would have one, 2^32), and none of them
//! touches the key that seals the tables.

use aes_gcm::Nonce;
use aes_gcm::aead::{Aead, Payload};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;

use crate::seal::{ID_BYTES, KeyId};
use crate::token_keys::SALT_BYTES;
use crate::{Keyring, Store, StoreError};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 1 + ID_BYTES + SALT_BYTES;

/// Longest token that is looked at, in characters.
const MAX_TOKEN: usize = 16 * 1024;

impl Store {
    /// Seals `plain` for `purpose`. `salt` must be random, and is never used twice.
    ///
    /// # Errors
    /// [`StoreError::BadKeyFile`] when there is no master key.
    pub fn seal_token(&self, purpose: &str, salt: [u8; SALT_BYTES], plain: &[u8]) -> Result<String, StoreError> {
        self.keyring.seal_token(purpose, salt, plain)
    }

    /// Opens what [`Store::seal_token`] made for the same purpose under any of the master keys, and tells its salt; `None`
    /// when it is anything else, or was changed.
    #[must_use]
    pub fn open_token(&self, purpose: &str, token: &str) -> Option<([u8; SALT_BYTES], Zeroizing<Vec<u8>>)> {
        self.keyring.open_token(purpose, token)
    }
}

impl Keyring {
    fn seal_token(&self, purpose: &str, salt: [u8; SALT_BYTES], plain: &[u8]) -> Result<String, StoreError> {
        let id = self.first_id()?;
        let cannot = || StoreError::corrupt(format!("a token for {purpose} cannot be sealed"));
        let mut token = Vec::with_capacity(HEADER_BYTES + plain.len() + 16);
        token.push(VERSION);
        token.extend_from_slice(&id.0);
        token.extend_from_slice(&salt);
        let cipher = self.token_keys(id).ok_or_else(cannot)?.cipher(purpose, &salt);
        // AES-GCM refuses only what is longer than 64 GiB.
        let sealed = cipher.encrypt(&nonce(), Payload { msg: plain, aad: &token }).map_err(|_| cannot())?;
        token.extend_from_slice(&sealed);
        Ok(URL_SAFE_NO_PAD.encode(token))
    }

    fn open_token(&self, purpose: &str, token: &str) -> Option<([u8; SALT_BYTES], Zeroizing<Vec<u8>>)> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (header, sealed) = token.split_at_checked(HEADER_BYTES)?;
        let (&version, rest) = header.split_first()?;
        let (id, salt) = rest.split_first_chunk::<ID_BYTES>()?;
        let salt: &[u8; SALT_BYTES] = salt.first_chunk()?;
        if version != VERSION {
            return None;
        }
        let cipher = self.token_keys(KeyId(*id))?.cipher(purpose, salt);
        let plain = cipher.decrypt(&nonce(), Payload { msg: sealed, aad: header }).ok()?;
        Some((*salt, Zeroizing::new(plain)))
    }
}

/// Each token has a key of its own: its nonce need not differ.
fn nonce() -> Nonce<aes_gcm::aead::consts::U12> {
    Nonce::from([0; 12])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seal::KEY_BYTES;

    fn ring(number: u8) -> Keyring {
        Keyring::generate([number; KEY_BYTES])
    }

    proptest! {
        #[test]
        fn a_token_opens_for_its_purpose_and_under_its_key_only(plain: Vec<u8>, salt: [u8; 16]) {
            let token = ring(1).seal_token("login", salt, &plain).unwrap();
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(ring(1).open_token("login", &token).unwrap(), (salt, Zeroizing::new(plain)));
            prop_assert!(ring(1).open_token("other", &token).is_none());
            prop_assert!(ring(2).open_token("login", &token).is_none());
        }

        #[test]
        fn any_change_is_noticed(plain: Vec<u8>, at: prop::sample::Index, to in "[A-Za-z0-9_-]") {
            let token = ring(1).seal_token("login", [3; 16], &plain).unwrap();
            let at = at.index(token.len());
            let mut changed = token.clone();
            changed.replace_range(at..=at, &to);
            // The last character of base64 has bits that mean nothing; what decodes to the same bytes is the same token.
            let same = URL_SAFE_NO_PAD.decode(&changed).ok() == URL_SAFE_NO_PAD.decode(&token).ok();
            prop_assert_eq!(ring(1).open_token("login", &changed).is_some(), same);
        }

        #[test]
        fn any_text_is_a_token_or_nothing(text: String) {
            prop_assert!(ring(1).open_token("login", &text).is_none());
        }
    }
}
