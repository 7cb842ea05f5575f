//! What a mini program gets about its user, and what its server checks with the session key.
//!
//! Used by the control API, which makes what the phone's `wx.getUserInfo()` and `wx.getPhoneNumber()` give, and by the
//! check of a login state. Source: "Signature verification and decryption of open data" and "User login state signature"
//! of the mini program docs; the tests are their published samples. The key of signatures is the base64 text of the
//! session key, that of the cipher its 16 bytes.

use aes::Aes128;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use sha1::{Digest as _, Sha1};

/// Bytes of a block, of the key and of the IV.
const BLOCK: usize = 16;

/// `signature`: `hex(sha1(rawData + session_key))`.
pub(crate) fn data_signature(raw_data: &str, session_key: &str) -> String {
    hex::encode(Sha1::digest([raw_data, session_key].concat()))
}

/// `encryptedData`: AES-128-CBC with PKCS#7, in base64. Empty when the session key is none.
pub(crate) fn seal(plain: &str, session_key: &str, iv: [u8; BLOCK]) -> String {
    let key: Option<[u8; BLOCK]> = STANDARD.decode(session_key).ok().and_then(|bytes| bytes.try_into().ok());
    let Some(key) = key else { return String::new() };
    let mut buffer = plain.as_bytes().to_vec();
    buffer.resize(plain.len() + BLOCK, 0);
    // A block more than the text always holds the padding; the error of this call is about buffers that are too short.
    let sealed =
        cbc::Encryptor::<Aes128>::new(&key.into(), &iv.into()).encrypt_padded::<Pkcs7>(&mut buffer, plain.len());
    sealed.map(|bytes| STANDARD.encode(bytes)).unwrap_or_default()
}

/// The `signature` of a call that is made for a user who is logged in: `hmac_sha256(body, session_key)`; of a GET the
/// body is empty.
pub(crate) fn state_signature(body: &str, session_key: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session_key.as_bytes());
    hex::encode(hmac::sign(&key, body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The profile of both samples up to the picture.
    const BAND: &str = "\"nickName\":\"Band\",\"gender\":1,\"language\":\"zh_CN\",\"city\":\"Guangzhou\",\
        \"province\":\"Guangdong\",\"country\":\"CN\",\"avatarUrl\":\"http://wx.qlogo.cn/mmopen/vi_32/";

    #[test]
    fn the_sample_of_the_signature() {
        let picture = "1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0";
        let raw = format!("{{{BAND}{picture}\"}}");
        assert_eq!(data_signature(&raw, "HyVFkGl5F5OQWJZZaNzBBg=="), "75e81ceda165f4ffa64f4068af58c64b8f54b88c");
    }

    #[test]
    fn the_sample_of_encrypted_data() {
        let picture = "aSKcBBPpibyKNicHNTMM0qJVh8Kjgiak2AHWr8MHM4WgMEm7GFhsf8OYrySdbvAMvTsw3mo8ibKicsnfN5pRjl1p8HQ/0";
        let plain = format!(
            "{{\"openId\":\"oGZUI0egBJY1zhBYw2KhdUfwVJJE\",{BAND}{picture}\",\"unionId\":\"ocMvos6NjeKLIBqg5Mr9QjxrP1FA\",\
             \"watermark\":{{\"timestamp\":1477314187,\"appid\":\"wx4f4bc4dec97d474b\"}}}}"
        );
        let sealed = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB\
            +3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxF\
            vrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf9\
            6JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12P\
            KFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/Xcxx\
            mK01EpqOyuxINew==";
        let iv: [u8; 16] = STANDARD.decode("r7BXXKkLb8qrSNn05n0qiA==").unwrap().try_into().unwrap();
        assert_eq!(seal(&plain, "tiihtNczf5v6AKRyjwEUhQ==", iv), sealed);
        assert_eq!(seal(&plain, "no key", iv), "");
    }

    #[test]
    fn the_sample_of_the_login_state() {
        assert_eq!(
            state_signature("{\"foo\":\"bar\"}", "o0q0otL8aEzpcZL/FT9WsQ=="),
            "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b"
        );
    }
}
