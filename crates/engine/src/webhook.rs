//! Standard Webhooks: the signature by which a backend knows that a message came through this proxy.
//!
//! Source: the specification at standardwebhooks.com, symmetric signatures (`v1`): HMAC-SHA256 over
//! `webhook-id.webhook-timestamp.body`, base64. The secret is the registration's api_key: its libraries are given
//! `whsec_` and base64 of the api_key's bytes. After a rotation the header holds a signature by each key that is good.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use store::{Secrets, Timestamp};

/// A registration's keys, ready to sign.
pub struct WebhookKeys {
    current: Hmac<Sha256>,
    previous: Vec<(Hmac<Sha256>, Timestamp)>,
}

impl WebhookKeys {
    /// The keys of a registration.
    #[must_use]
    pub fn of(secrets: &Secrets) -> Option<Self> {
        let previous = secrets.previous_api_keys.iter();
        let previous = previous.filter_map(|previous| Some((key(&previous.key)?, previous.good_until)));
        Some(Self { current: key(&secrets.api_key)?, previous: previous.collect() })
    }

    /// The value of `webhook-signature` for a body that is sent at `now` (the header `webhook-timestamp` holds its
    /// whole seconds).
    #[must_use]
    pub fn sign(&self, id: &str, now: Timestamp, body: &[u8]) -> String {
        let mut header = String::with_capacity(48);
        let previous = self.previous.iter().filter(|(_, good_until)| now < *good_until).map(|(key, _)| key);
        for key in std::iter::once(&self.current).chain(previous) {
            let mut mac = key.clone();
            mac.update(id.as_bytes());
            mac.update(format!(".{}.", now.as_seconds()).as_bytes());
            mac.update(body);
            header.push_str(if header.is_empty() { "v1," } else { " v1," });
            STANDARD.encode_string(mac.finalize().into_bytes(), &mut header);
        }
        header
    }
}

impl fmt::Debug for WebhookKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookKeys").finish_non_exhaustive()
    }
}

/// HMAC takes keys of every length.
fn key(secret: &SecretString) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(secret.expose_secret().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::PreviousKey;

    use super::*;

    const AT: Timestamp = Timestamp::from_seconds(1_614_265_330);

    /// The example of the specification's own libraries: secret `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let keys = WebhookKeys { current: Hmac::new_from_slice(&secret).unwrap(), previous: Vec::new() };
        let header = keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", AT, br#"{"test": 2432232314}"#);
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_was_rotated_out_signs_too_while_it_is_good() {
        let mut secrets = Secrets::new("s".into(), "new".into());
        secrets.previous_api_keys = vec![PreviousKey { key: "old".into(), good_until: AT + Duration::from_secs(1) }];
        let keys = WebhookKeys::of(&secrets).unwrap();
        assert_eq!(keys.sign("id", AT, b"x").split(' ').count(), 2);
        assert_eq!(keys.sign("id", AT + Duration::from_secs(1), b"x").split(' ').count(), 1);
    }
}
