//! Signatures and the encryption scheme of callbacks.
//!
//! Used by `envelope` and `reply`. Source: "Message encryption and decryption" of the official account docs and of the
//! WeCom docs; the tests are their published samples. What must stay true: the padding goes by blocks of 32 bytes, not
//! by the cipher's 16, so no library padding may be used.

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use sha1::{Digest as _, Sha1};

/// Padding fills up to a multiple of this many bytes.
const PADDING_BLOCK: usize = 32;
/// Random bytes in front of a message.
const RANDOM_BYTES: usize = 16;
/// Characters of an EncodingAESKey.
const KEY_LENGTH: usize = 43;

/// The last character of a key carries two bits that belong to no byte; those of published keys are not zero.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Why a text could not be decrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CipherError {
    /// Not base64, or no whole number of blocks.
    #[error("Encrypt is not the base64 of whole AES blocks")]
    NoCiphertext,
    /// The padding or the length inside is impossible: as a rule the EncodingAESKey is another one.
    #[error("what Encrypt decrypts to has impossible padding or length; is the EncodingAESKey the same on both sides?")]
    Garbage,
    /// The id at the end is that of another account.
    #[error("what Encrypt decrypts to belongs to {found:?}, not to {expected:?}")]
    WrongReceiver {
        /// The id that stands there.
        found: String,
        /// The id of this account.
        expected: String,
    },
    /// The message is no UTF-8.
    #[error("what Encrypt decrypts to is not UTF-8")]
    NoText,
}

/// `hex(sha1(concat(sort(parts))))`, sorted byte by byte: `signature` over token, timestamp and nonce, `msg_signature`
/// over these and the ciphertext.
pub(crate) fn sign(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    hex::encode(Sha1::digest(sorted.concat()))
}

/// The key of an account: 32 bytes, the first 16 of which are the IV as well.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AesKey {
    encoded: String,
    bytes: [u8; 32],
}

impl AesKey {
    /// The key of an EncodingAESKey, 43 characters `A-Za-z0-9`; `None` when it is none.
    pub(crate) fn parse(encoded: &str) -> Option<AesKey> {
        let fits = encoded.len() == KEY_LENGTH && encoded.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits {
            return None;
        }
        let decoded = LENIENT.decode(format!("{encoded}=")).ok()?;
        Some(AesKey { encoded: encoded.to_owned(), bytes: decoded.try_into().ok()? })
    }

    /// The EncodingAESKey, to show it.
    pub(crate) fn encoded(&self) -> &str {
        &self.encoded
    }

    /// `random(16) + length(4, big endian) + message + receiver`, padded, encrypted, in base64.
    pub(crate) fn encrypt(&self, random: [u8; RANDOM_BYTES], message: &str, receiver: &str) -> String {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut plain = [&random[..], &length, message.as_bytes(), receiver.as_bytes()].concat();
        let fill = PADDING_BLOCK - plain.len() % PADDING_BLOCK;
        let whole = plain.len() + fill;
        plain.resize(whole, u8::try_from(fill).unwrap_or_default());
        // Whole blocks always fit; the error of this call is about buffers that are too short.
        let encrypted = cbc::Encryptor::<Aes256>::new(&self.bytes.into(), &self.iv().into())
            .encrypt_padded::<NoPadding>(&mut plain, whole)
            .map(|bytes| STANDARD.encode(bytes));
        encrypted.unwrap_or_default()
    }

    /// The message in a ciphertext, if it is for this receiver.
    ///
    /// # Errors
    /// [`CipherError`] says what does not fit.
    pub(crate) fn decrypt(&self, encrypted: &str, receiver: &str) -> Result<String, CipherError> {
        let mut bytes = STANDARD.decode(encrypted.trim()).map_err(|_| CipherError::NoCiphertext)?;
        let plain = cbc::Decryptor::<Aes256>::new(&self.bytes.into(), &self.iv().into())
            .decrypt_padded::<NoPadding>(&mut bytes)
            .map_err(|_| CipherError::NoCiphertext)?;
        let (message, found) = split(plain).ok_or(CipherError::Garbage)?;
        if found != receiver.as_bytes() {
            let found = String::from_utf8_lossy(found).into_owned();
            return Err(CipherError::WrongReceiver { found, expected: receiver.to_owned() });
        }
        String::from_utf8(message.to_vec()).map_err(|_| CipherError::NoText)
    }

    fn iv(&self) -> [u8; 16] {
        let (iv, _) = self.bytes.split_at(16);
        iv.try_into().unwrap_or_default()
    }
}

/// The secret does not reach a log.
impl std::fmt::Debug for AesKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AesKey")
    }
}

/// Message and receiver of a padded plaintext.
fn split(padded: &[u8]) -> Option<(&[u8], &[u8])> {
    let fill = usize::from(*padded.last()?);
    if !(1..=PADDING_BLOCK).contains(&fill) {
        return None;
    }
    let plain = padded.get(..padded.len().checked_sub(fill)?)?;
    let (length, rest) = plain.get(RANDOM_BYTES..)?.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    (length <= rest.len()).then(|| rest.split_at(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn key(encoded: &str) -> AesKey {
        AesKey::parse(encoded).expect("a key")
    }

    fn random(text: &str) -> [u8; 16] {
        text.as_bytes().try_into().expect("16 bytes")
    }

    #[test]
    fn the_signature_of_the_url_check_sample() {
        assert_eq!(sign(&["AAAAA", "1714036504", "1514711492"]), "f464b24fc39322e44b38aa78f5edd27bd1441696");
        assert_eq!(sign(&["AAAAA", "1714037059", "486452656"]), "899cf89e464efb63f54ddac96b0a0a235f53aa78");
    }

    #[test]
    fn the_mini_program_sample() {
        let ciphertext = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZ\
            qzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYw\
            KSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=";
        let message = "{\"ToUserName\":\"gh_97417a04a28d\",\"FromUserName\":\"o9AgO5Kd5ggOC-bXrbNODIiE3bGY\",\
            \"CreateTime\":1714112445,\"MsgType\":\"event\",\"Event\":\"debug_demo\",\"debug_str\":\"hello world\"}";
        let appid = "wxba5fad812f8e6fb9";
        assert_eq!(sign(&["AAAAA", "1714112445", "415670741", ciphertext]), "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3");
        assert_eq!(key(ZERO_KEY).decrypt(ciphertext, appid).as_deref(), Ok(message));
        assert_eq!(key(ZERO_KEY).encrypt(random("a8eedb185eb2fecf"), message, appid), ciphertext);
    }

    #[test]
    fn the_reply_to_the_mini_program_sample() {
        let ciphertext = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==";
        let encrypted =
            key(ZERO_KEY).encrypt(random("707722b803182950"), r#"{"demo_resp":"good luck"}"#, "wxba5fad812f8e6fb9");
        assert_eq!(encrypted, ciphertext);
        assert_eq!(sign(&["AAAAA", "1713424427", "415670741", ciphertext]), "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1");
    }

    #[test]
    fn the_wecom_samples() {
        let corp = key("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C");
        let echostr = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
        assert_eq!(sign(&["QDG6eK", "1409659589", "263014780", echostr]), "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3");
        assert_eq!(corp.decrypt(echostr, "wx5823bf96d3bd56c7").as_deref(), Ok("1616140317555161061"));
    }

    #[test]
    fn the_official_account_sample_counts_bytes() {
        let account = key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
        let ciphertext = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==";
        let encrypted = account.encrypt(random("aaaabbbbccccdddd"), "我是中文abcd123", "wxb11529c136998cb6");
        assert_eq!(encrypted, ciphertext);
        assert_eq!(sign(&["pamtest", "1409304348", "xxxxxx", ciphertext]), "82c962d39941aa48552f90ef55aa323dc620cc10");
    }

    #[test]
    fn keys_are_43_letters_and_digits() {
        assert!(AesKey::parse("short").is_none());
        assert!(AesKey::parse(&ZERO_KEY.replace('A', "+")).is_none());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let one = key(ZERO_KEY);
        let encrypted = one.encrypt([7; 16], "hello", "wx1");
        assert_eq!(one.decrypt("???", "wx1"), Err(CipherError::NoCiphertext));
        assert_eq!(one.decrypt("YQ==", "wx1"), Err(CipherError::NoCiphertext));
        assert_eq!(one.decrypt("", "wx1"), Err(CipherError::Garbage));
        assert!(matches!(one.decrypt(&encrypted, "wx2"), Err(CipherError::WrongReceiver { .. })));
        let other = key("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG");
        assert!(other.decrypt(&encrypted, "wx1").is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_message_comes_back(message in ".{0,80}", receiver in "[a-z0-9]{0,20}", random: [u8; 16]) {
            let encrypted = key(ZERO_KEY).encrypt(random, &message, &receiver);
            assert_eq!(key(ZERO_KEY).decrypt(&encrypted, &receiver), Ok(message));
        }

        #[test]
        fn foreign_bytes_never_panic(encrypted in "[A-Za-z0-9+/]{0,200}={0,2}") {
            key(ZERO_KEY).decrypt(&encrypted, "wx1").ok();
        }
    }
}
