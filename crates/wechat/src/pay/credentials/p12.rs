//! p12 files (PKCS#12): `apiclient_cert.p12`, whose password is the merchant number.
//!
//! Opened with the crate `p12-keystore`, which reads today's encryption (PBES2 with AES) and that of old OpenSSL and of
//! WeChat's tool (3DES, RC2 with 40 bits), and bounds the work that a file may ask for. What must stay true: this file
//! alone knows that crate.

use p12_keystore::Pkcs12Archive;
use secrecy::zeroize::Zeroizing;

/// Longest file that is opened, in bytes: WeChat's have about 2,800.
const MAX_LENGTH: usize = 48 * 1024;

/// What is in a p12 file, all of it in DER.
pub(super) struct Content {
    /// PKCS#8.
    pub(super) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(super) certificates: Vec<Vec<u8>>,
}

/// Opens a p12 file; `None` when the password is another one, or it is no such file.
pub(super) fn open(bytes: &[u8], password: &str) -> Option<Content> {
    if bytes.len() > MAX_LENGTH {
        return None;
    }
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).ok()?;
    let keys = archive.keys.iter().map(|bag| Zeroizing::new(bag.key.as_der().to_vec()));
    let certificates = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec());
    Some(Content { keys: keys.collect(), certificates: certificates.collect() })
}
