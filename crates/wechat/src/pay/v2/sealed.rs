//! `req_info`: what is sealed in a refund notification of API v2.
//!
//! AES-256-ECB over XML with the root `<root>`, padded by PKCS#7; the key is the MD5 of the API v2 key as 32 lower-case
//! hexadecimal characters. Opened for notifications; sealed by tests and simulators.
//!
//! What must stay true: such a notification has no other signature, so what does not open is not believed.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use secrecy::zeroize::Zeroizing;

/// The block of the cipher, in bytes.
const BLOCK: usize = 16;

/// Opens `req_info` with the merchant's API v2 key; `None` when it is not sealed with that.
#[must_use]
pub fn unseal(req_info: &str, mch_key: &str) -> Option<Vec<u8>> {
    let mut bytes = STANDARD.decode(req_info.split_ascii_whitespace().collect::<String>()).ok()?;
    let cipher = cipher(mch_key);
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    if !rest.is_empty() {
        return None;
    }
    for block in blocks {
        cipher.decrypt_block(block.into());
    }
    let last = *bytes.last()?;
    let padding = usize::from(last);
    let start = bytes.len().checked_sub(padding)?;
    let whole = (1..=BLOCK).contains(&padding) && bytes.get(start..)?.iter().all(|byte| *byte == last);
    whole.then(|| bytes.truncate(start))?;
    Some(bytes)
}

/// Seals a refund as WeChat does.
#[must_use]
pub fn seal(plain: &[u8], mch_key: &str) -> String {
    let padding = BLOCK - plain.len() % BLOCK;
    let mut bytes = plain.to_vec();
    bytes.resize(plain.len() + padding, u8::try_from(padding).unwrap_or_default());
    let cipher = cipher(mch_key);
    for block in bytes.as_chunks_mut::<BLOCK>().0 {
        cipher.encrypt_block(block.into());
    }
    STANDARD.encode(bytes)
}

fn cipher(mch_key: &str) -> Aes256 {
    let mut key = Zeroizing::new([0; 32]);
    // 16 bytes are always 32 digits.
    let _ = hex::encode_to_slice(Md5::digest(mch_key.as_bytes()), key.as_mut_slice());
    Aes256::new((&*key).into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_opens_with_its_key_only(
            plain in proptest::collection::vec(any::<u8>(), 0..100),
            key in "[0-9a-z]{32}",
        ) {
            let sealed = seal(&plain, &key);
            prop_assert_eq!(unseal(&sealed, &key), Some(plain.clone()));
            // Another key may, once in 256 tries, give what looks like padding; the text is never the same.
            prop_assert_ne!(unseal(&sealed, &"x".repeat(32)), Some(plain));
        }

        #[test]
        fn any_text_is_refused_or_opened(text in "[A-Za-z0-9+/= ]{0,100}|\\PC{0,40}") {
            let _ = unseal(&text, "testonly0v2key0wechatproxy000001");
        }
    }
}
