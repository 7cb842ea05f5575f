//! Secrets at rest: AES-256-GCM under a ring of master keys.
//!
//! A sealed value is `version (1) | key id (8) | nonce (12) | ciphertext and tag`. Table, column and row id are its
//! associated data, so a value that somebody moves to another row does not open. The first key of the ring seals, all
//! open: putting a new key before the old one is a rotation.

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

use crate::StoreError;
use crate::token_keys::TokenKeys;

const VERSION: u8 = 1;
pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
/// What stands before the ciphertext.
const HEADER_BYTES: usize = 1 + ID_BYTES + NONCE_BYTES;
/// Keeps the id of a key from being a bare hash of it.
const ID_LABEL: &[u8] = b"wechat-proxy master key id\0";

/// The master keys of a server, newest first.
pub struct Keyring {
    keys: Vec<MasterKey>,
}

struct MasterKey {
    id: KeyId,
    cipher: Aes256Gcm,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    token_keys: TokenKeys,
}

/// Names a key without telling anything about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyId(pub(crate) [u8; ID_BYTES]);

/// The place a sealed value belongs to; it opens nowhere else.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: &'a [u8],
}

impl Keyring {
    /// Reads a key file: one base64 key of 32 bytes a line, the newest first. Empty lines and what follows `#` do not
    /// count.
    ///
    /// # Errors
    /// [`StoreError::BadKeyFile`] when a line is no key, or there is none. The text names the line, never its content.
    pub fn read(text: &str) -> Result<Self, StoreError> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let key = decode_key(line).ok_or_else(|| {
                StoreError::BadKeyFile(format!("line {number} is not 32 bytes in base64 (44 characters)"))
            })?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(StoreError::BadKeyFile(format!("line {number} repeats a key")));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(StoreError::BadKeyFile("it holds no key; a key is one line of 32 bytes in base64".into()));
        }
        Ok(Self { keys })
    }

    /// A ring of one new key. `random` must come from the operating system.
    #[must_use]
    pub fn generate(random: [u8; KEY_BYTES]) -> Self {
        Self { keys: vec![MasterKey::new(Zeroizing::new(random))] }
    }

    /// The text of a key file with these keys, to be written where only the owner can read it.
    #[must_use]
    pub fn to_file_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::from(
            "# Master keys of wechat-proxy: they open every secret in its database. Keep a copy in a safe place.\n\
             # To rotate, put a new line (openssl rand -base64 32) before the old ones.\n",
        ));
        for key in &self.keys {
            let line = Zeroizing::new(STANDARD.encode(key.bytes.as_slice()));
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Seals `plain` for `place` under the first key.
    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let key = self.first()?;
        let nonce = fresh_nonce()?;
        let payload = Payload { msg: plain, aad: &place.associated_data() };
        // AES-GCM refuses only what is longer than 64 GiB.
        let sealed = key.cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| unsealable(place))?;
        let mut blob = Vec::with_capacity(HEADER_BYTES + sealed.len());
        blob.push(VERSION);
        blob.extend_from_slice(&key.id.0);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    /// Opens what [`Keyring::seal`] made for the same place.
    pub(crate) fn open(&self, place: Place<'_>, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let damaged = || StoreError::corrupt(format!("a sealed value is damaged ({place})"));
        let (&version, rest) = blob.split_first().ok_or_else(damaged)?;
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        if version != VERSION {
            return Err(damaged());
        }
        let id = KeyId(*id);
        let key = self.keys.iter().find(|key| key.id == id).ok_or_else(|| self.misses(&[id]))?;
        let payload = Payload { msg: sealed, aad: &place.associated_data() };
        key.cipher.decrypt(&Nonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| damaged())
    }

    pub(crate) fn first_id(&self) -> Result<KeyId, StoreError> {
        Ok(self.first()?.id)
    }

    /// Where keys of tokens come from, of one key of the ring.
    pub(crate) fn token_keys(&self, id: KeyId) -> Option<&TokenKeys> {
        self.keys.iter().find(|key| key.id == id).map(|key| &key.token_keys)
    }

    pub(crate) fn holds(&self, id: KeyId) -> bool {
        self.keys.iter().any(|key| key.id == id)
    }

    /// The error for a ring that holds none of `wanted`.
    pub(crate) fn misses(&self, wanted: &[KeyId]) -> StoreError {
        let list = |ids: &mut dyn Iterator<Item = KeyId>| ids.map(|id| id.to_string()).collect::<Vec<_>>().join(", ");
        StoreError::WrongMasterKey {
            wanted: list(&mut wanted.iter().copied()),
            given: list(&mut self.keys.iter().map(|key| key.id)),
        }
    }

    fn first(&self) -> Result<&MasterKey, StoreError> {
        self.keys.first().ok_or_else(|| StoreError::BadKeyFile("it holds no key".into()))
    }
}

impl MasterKey {
    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(ID_LABEL);
        hash.update(bytes.as_slice());
        let mut id = [0; ID_BYTES];
        for (to, from) in id.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        let token_keys = TokenKeys::new(&bytes);
        Self { id: KeyId(id), cipher: Aes256Gcm::new(&(*bytes).into()), bytes, token_keys }
    }
}

impl Place<'_> {
    /// Each part with its length before it, so that no two places give the same bytes.
    fn associated_data(self) -> Vec<u8> {
        let parts = [self.table.as_bytes(), self.column.as_bytes(), self.row];
        let mut data = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {:?}", self.table, self.column, String::from_utf8_lossy(self.row))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.id.to_string())).finish()
    }
}

fn decode_key(line: &str) -> Option<MasterKey> {
    let bytes = Zeroizing::new(STANDARD.decode(line).ok()?);
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if bytes.len() != KEY_BYTES {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(MasterKey::new(key))
}

#[expect(clippy::disallowed_methods, reason = "nonces are made here and nowhere else, from the operating system")]
fn fresh_nonce() -> Result<[u8; NONCE_BYTES], StoreError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|e| StoreError::Unavailable {
        problem: format!("the operating system gives no random bytes ({e})"),
        advice: "check that this process may use getrandom or /dev/urandom",
    })?;
    Ok(nonce)
}

fn unsealable(place: Place<'_>) -> StoreError {
    StoreError::corrupt(format!("a value is too long to be sealed ({place})"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ring(numbers: &[u8]) -> Keyring {
        let text: String = numbers.iter().map(|number| STANDARD.encode([*number; KEY_BYTES]) + "\n").collect();
        Keyring::read(&text).unwrap()
    }

    fn place(row: &[u8]) -> Place<'_> {
        Place { table: "apps", column: "secrets", row }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_in_its_place_only(plain: Vec<u8>, row: Vec<u8>, other: Vec<u8>) {
            let ring = ring(&[1]);
            let blob = ring.seal(place(&row), &plain).unwrap();
            prop_assert_eq!(ring.open(place(&other), &blob).is_ok(), row == other);
            let other_column = Place { column: "value", ..place(&row) };
            prop_assert!(ring.open(other_column, &blob).is_err());
            let other_table = Place { table: "credentials", ..place(&row) };
            prop_assert!(ring.open(other_table, &blob).is_err());
            prop_assert_eq!(blob.len(), HEADER_BYTES + plain.len() + 16);
            prop_assert_eq!(ring.open(place(&row), &blob).unwrap().to_vec(), plain);
        }

        #[test]
        fn any_changed_byte_is_noticed(plain: Vec<u8>, at: prop::sample::Index, flip in 1..=255u8) {
            let ring = ring(&[1]);
            let mut blob = ring.seal(place(b"row"), &plain).unwrap();
            let at = at.index(blob.len());
            blob[at] ^= flip;
            prop_assert!(ring.open(place(b"row"), &blob).is_err());
        }

        #[test]
        fn any_cut_is_noticed(blob: Vec<u8>, cut: prop::sample::Index) {
            let ring = ring(&[1]);
            prop_assert!(ring.open(place(b"row"), &blob).is_err());
            let sealed = ring.seal(place(b"row"), &blob).unwrap();
            prop_assert!(ring.open(place(b"row"), &sealed[..cut.index(sealed.len())]).is_err());
        }

        #[test]
        fn a_key_file_is_read_back(random: [u8; KEY_BYTES]) {
            let made = Keyring::generate(random);
            let read = Keyring::read(&made.to_file_text()).unwrap();
            let blob = made.seal(place(b"row"), b"plain").unwrap();
            prop_assert_eq!(read.open(place(b"row"), &blob).unwrap().to_vec(), b"plain");
        }

        #[test]
        fn any_text_is_a_ring_or_an_error(text: String) {
            let _ = Keyring::read(&text);
        }
    }

    #[test]
    fn no_two_places_share_their_associated_data() {
        let one = Place { table: "ab", column: "c", row: b"" };
        let two = Place { table: "a", column: "bc", row: b"" };
        let three = Place { table: "a", column: "b", row: b"c" };
        assert_ne!(one.associated_data(), two.associated_data());
        assert_ne!(two.associated_data(), three.associated_data());
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (old, new, both) = (ring(&[1]), ring(&[2]), ring(&[2, 1]));
        let by_old = old.seal(place(b"row"), b"plain").unwrap();
        let by_both = both.seal(place(b"row"), b"plain").unwrap();
        assert_eq!(both.open(place(b"row"), &by_old).unwrap().as_slice(), b"plain");
        assert_eq!(new.open(place(b"row"), &by_both).unwrap().as_slice(), b"plain");
        let wanted = old.first_id().unwrap().to_string();
        let given = new.first_id().unwrap().to_string();
        let error = new.open(place(b"row"), &by_old).unwrap_err();
        assert_eq!(error, StoreError::WrongMasterKey { wanted, given });
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let ring = ring(&[1]);
        assert_ne!(ring.seal(place(b"row"), b"plain").unwrap(), ring.seal(place(b"row"), b"plain").unwrap());
    }

    /// Changing this would make every database in the field unreadable. The blob was made by another program (Python's
    /// `cryptography`) from the description above.
    #[test]
    fn the_format_stays() {
        let ring = ring(&[7]);
        let blob = "0102f6df08016d029b00000000000000000000000011b4c5db95d272adaf0cf00e6a55f4fa6a5f387f73";
        let plain = ring.open(place(b"row"), &hex::decode(blob).unwrap()).unwrap();
        assert_eq!(plain.as_slice(), b"plain");
        assert_eq!(format!("{ring:?}"), r#"["02f6df08016d029b"]"#);
    }

    #[test]
    fn a_key_file_may_have_comments_and_says_which_line_is_wrong() {
        let key = STANDARD.encode([9; KEY_BYTES]);
        let ring = Keyring::read(&format!("\u{feff}# comment\r\n\r\n  {key}  # mine\r\n")).unwrap();
        assert_eq!(ring.keys.len(), 1);
        assert!(!format!("{ring:?}").contains(&key));
        for text in ["", "# nothing", "short", &format!("{key}\n{key}"), &format!("{key}\n{key}x"), &"A".repeat(43)] {
            let error = Keyring::read(text).unwrap_err();
            assert!(matches!(error, StoreError::BadKeyFile(_)), "{error}");
            assert!(!error.to_string().contains(&key), "{error}");
        }
    }
}
