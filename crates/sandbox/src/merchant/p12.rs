//! `apiclient_cert.p12`: a PKCS#12 file with the merchant's key and certificate; its password is the merchant number.
//!
//! Used by `holder`. Written as today's tools write it (RFC 7292 with PBES2: PBKDF2, AES-256-CBC, HMAC-SHA-256).
//! WeChat's own files still use RC2 and triple DES, which no crypto library here has.

use aes::Aes256;
use aws_lc_rs::{digest, hmac, pbkdf2};
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};

use super::certificate::Credential;
use crate::chance;

/// Rounds of both key derivations, as openssl has them.
const ROUNDS: u16 = 2048;

// Object identifiers, encoded.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
const AES256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHROUDED_KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02];
const CERTIFICATE_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x03];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x16, 0x01];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15];

// Tags of DER.
const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;

/// The file.
pub(crate) fn archive(credential: &Credential, password: &str) -> Vec<u8> {
    let certificate = credential.certificate().map(|issued| issued.der.to_vec()).unwrap_or_default();
    let key_id = tlv(SET, &[seq(&[oid(LOCAL_KEY_ID), tlv(SET, &[tlv(OCTETS, &[vec![1]])])])]);
    let shrouded =
        seq(&[oid(SHROUDED_KEY_BAG), tlv(CONTEXT_0, &[encrypted(&credential.key.pkcs8(), password)]), key_id.clone()]);
    let x509 = seq(&[oid(X509), tlv(CONTEXT_0, &[tlv(OCTETS, &[certificate])])]);
    let bag = seq(&[oid(CERTIFICATE_BAG), tlv(CONTEXT_0, &[x509]), key_id]);
    let safe = seq(&[data(&seq(&[bag])), data(&seq(&[shrouded]))]);
    let salt = chance::letters(16).into_bytes();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &mac_key(password, &salt)), &safe);
    let digest = seq(&[seq(&[oid(SHA256), tlv(NULL, &[])]), tlv(OCTETS, &[tag.as_ref().to_vec()])]);
    let mac = seq(&[digest, tlv(OCTETS, &[salt]), rounds()]);
    seq(&[tlv(INTEGER, &[vec![3]]), data(&safe), mac])
}

/// `EncryptedPrivateKeyInfo`.
fn encrypted(plain: &[u8], password: &str) -> Vec<u8> {
    let (salt, iv) = (chance::letters(16).into_bytes(), chance::sixteen());
    let mut key = [0; 32];
    let count = std::num::NonZeroU32::from(std::num::NonZeroU16::new(ROUNDS).unwrap_or(std::num::NonZeroU16::MIN));
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, count, &salt, password.as_bytes(), &mut key);
    let mut cipher = plain.to_vec();
    cipher.resize(plain.len() + 16, 0);
    let encryptor = cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into());
    let cipher = encryptor.encrypt_padded::<Pkcs7>(&mut cipher, plain.len()).map(<[u8]>::to_vec).unwrap_or_default();
    let prf = seq(&[oid(HMAC_SHA256), tlv(NULL, &[])]);
    let derivation = seq(&[oid(PBKDF2), seq(&[tlv(OCTETS, &[salt]), rounds(), prf])]);
    let encryption = seq(&[oid(AES256_CBC), tlv(OCTETS, &[iv.to_vec()])]);
    seq(&[seq(&[oid(PBES2), seq(&[derivation, encryption])]), tlv(OCTETS, &[cipher])])
}

/// The key of the file's MAC: appendix B of RFC 7292 with SHA-256 (blocks of 64 bytes), id 3, one round of output.
fn mac_key(password: &str, salt: &[u8]) -> Vec<u8> {
    let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let filled = |bytes: &[u8]| bytes.iter().copied().cycle().take(bytes.len().div_ceil(64) * 64).collect::<Vec<_>>();
    let first = [vec![3; 64], filled(salt), filled(&password)].concat();
    let mut hash = digest::digest(&digest::SHA256, &first);
    for _ in 1..ROUNDS {
        hash = digest::digest(&digest::SHA256, hash.as_ref());
    }
    hash.as_ref().to_vec()
}

/// A `ContentInfo` of plain data.
fn data(content: &[u8]) -> Vec<u8> {
    seq(&[oid(DATA), tlv(CONTEXT_0, &[tlv(OCTETS, &[content.to_vec()])])])
}

fn rounds() -> Vec<u8> {
    tlv(INTEGER, &[ROUNDS.to_be_bytes().to_vec()])
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}

fn oid(encoded: &[u8]) -> Vec<u8> {
    tlv(OID, &[encoded.to_vec()])
}

/// Tag, length, value.
fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let value = parts.concat();
    let mut text = vec![tag];
    match u8::try_from(value.len()) {
        Ok(length) if length < 128 => text.push(length),
        _ => {
            let length = value.len().to_be_bytes();
            let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            text.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
            text.extend(length);
        }
    }
    text.extend(value);
    text
}
