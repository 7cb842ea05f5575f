//! What WeChat Pay encrypts: `AEAD_AES_256_GCM` of v3 (callbacks, certificates) and `req_info` of v2's refund notices.
//!
//! Used by `notice` and by `/v3/certificates`. Decrypting is here for the tests only: the sandbox plays WeChat's side.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt as _, KeyInit as _};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// Base64 of ciphertext and tag, under a v3 key of 32 bytes and a nonce of 12. `None` when either has another length.
pub(crate) fn seal(v3_key: &str, nonce: &str, associated: &str, plain: &[u8]) -> Option<String> {
    let key = UnboundKey::new(&AES_256_GCM, v3_key.as_bytes()).ok()?;
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
    let mut bytes = plain.to_vec();
    LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::from(associated.as_bytes()), &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// `req_info`: base64 of AES-256-ECB with PKCS#7, under the lower-case hex of the MD5 of the v2 key.
pub(crate) fn req_info(v2_key: &str, plain: &str) -> String {
    let key = hex::encode(Md5::digest(v2_key));
    let Ok(cipher) = Aes256::new_from_slice(key.as_bytes()) else { return String::new() };
    let padding = BLOCK - plain.len() % BLOCK;
    let mut bytes = plain.as_bytes().to_vec();
    bytes.resize(plain.len() + padding, u8::try_from(padding).unwrap_or_default());
    for chunk in bytes.chunks_exact_mut(BLOCK) {
        let mut block = Block::<Aes256>::default();
        block.copy_from_slice(chunk);
        cipher.encrypt_block(&mut block);
        chunk.copy_from_slice(&block);
    }
    STANDARD.encode(bytes)
}
