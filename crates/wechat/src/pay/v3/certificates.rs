//! The certificates of WeChat Pay's platform, which verify what it signs; they are renewed about every five years.
//!
//! Asked for by merchants without WeChat Pay's public key, at first, twice a day, and when an unknown serial turns up.
//! Source: "download platform certificates".
//!
//! What must stay true: each certificate was sealed with the merchant's API v3 key, and the answer as a whole is signed
//! with one of them, or with a key that was known before.

use serde_json::Value;

use super::Merchant;
use super::answers::{malformed, refused};
use super::said::text;
use super::verify::is_same;
use crate::pay::credentials::PlatformCertificate;
use crate::pay::{Call, Doubt, NotDone, Operation, Received, Stamp};

/// Most certificates that are looked at: during a renewal there are two.
const MAX_CERTIFICATES: usize = 16;

impl Merchant {
    /// The request for the platform certificates in force.
    #[must_use]
    pub fn certificates_call(&self, stamp: &Stamp) -> Call {
        self.get("/v3/certificates".to_owned(), stamp)
    }

    /// Reads the answer of [`Self::certificates_call`]: the certificates that have not expired at `now` (Unix seconds).
    ///
    /// # Errors
    /// [`NotDone`]. A merchant that only has the public key is refused with `RESOURCE_NOT_EXISTS` (in `said`).
    pub fn read_certificates(&self, received: &Received<'_>, now: i64) -> Result<Vec<PlatformCertificate>, NotDone> {
        if received.status != 200 {
            return Err(refused(Operation::Query, received));
        }
        let said: Value = serde_json::from_slice(received.body).map_err(|_| malformed("it is no JSON"))?;
        let entries = said.get("data").and_then(Value::as_array);
        let entries = entries.ok_or_else(|| malformed("it has no list of certificates"))?;
        let opened = entries.iter().take(MAX_CERTIFICATES).map(|entry| self.open_certificate(entry));
        let mut certificates = opened.collect::<Result<Vec<_>, _>>()?;
        certificates.retain(|certificate| now < certificate.not_after());
        // The first time the key that verifies is inside; it is genuine because it was sealed with the API v3 key.
        let known = self.certificates.iter().filter(|known| !certificates.contains(known));
        let all: Vec<_> = certificates.iter().chain(known).cloned().collect();
        let with_new = self.clone().with_certificates(all);
        with_new.keys().verify(&received.headers, received.body, now).map_err(Doubt::from)?;
        Ok(certificates)
    }

    fn open_certificate(&self, entry: &Value) -> Result<PlatformCertificate, Doubt> {
        let wrong = |what: &str| Doubt::Malformed(what.to_owned());
        let sealed = |name: &str| text(entry, &format!("/encrypt_certificate/{name}"));
        let key = &self.registered.apiv3_key;
        let pem = key.open(sealed("ciphertext"), sealed("nonce"), sealed("associated_data"));
        let pem = pem.ok_or(Doubt::NotDecryptable)?;
        let pem = String::from_utf8(pem).map_err(|_| wrong("a certificate is no text"))?;
        let certificate = PlatformCertificate::parse(&pem).map_err(|error| wrong(error.is))?;
        let is_it = is_same(certificate.serial(), text(entry, "/serial_no"));
        if is_it { Ok(certificate) } else { Err(wrong("a certificate has another serial than its serial_no")) }
    }
}
