//! Virtual tokens: what an SDK behind the proxy holds instead of the account's access_token.
//!
//! A token is sealed under the master key and holds all that is needed to check it: so every node takes it, and no database is
//! asked. It ends by itself after two hours, as WeChat's do; and at once when the secret that it was got with is no longer
//! good, or the operator revokes all tokens of the registration. Many may be good side by side: getting one disturbs no other.

use std::time::Duration;

use secrecy::SecretString;
use store::{Store, StoreError, Timestamp};
use wechat::calls::Host;

use crate::apps::Mark;
use crate::random::Random;

/// How long a virtual token is good: as long as WeChat's.
pub const LIFE: Duration = Duration::from_secs(7200);

const PURPOSE: &str = "virtual token";

/// What a virtual token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// Which of WeChat's hosts it is for.
    pub(super) host: Host,
    /// When it was made.
    pub(super) issued_at: Timestamp,
    /// What was shown for it.
    pub(super) mark: Mark,
    /// The registration.
    pub(super) key: String,
}

impl Claims {
    /// Whether its time is over. One from the future (another node's clock) is young.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.issued_at + LIFE <= now
    }

    /// The token.
    ///
    /// # Errors
    /// [`StoreError`] when there is no master key.
    pub(super) fn seal(&self, store: &Store, random: &dyn Random) -> Result<SecretString, StoreError> {
        let mut salt = [0; 16];
        random.fill(&mut salt);
        store.seal_token(PURPOSE, salt, &self.encode()).map(SecretString::from)
    }

    /// Opens a token; `None` when it is none of ours.
    pub(super) fn open(store: &Store, token: &str) -> Option<Self> {
        let (_, plain) = store.open_token(PURPOSE, token)?;
        Self::decode(&plain)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17 + self.key.len());
        bytes.push(match self.host {
            Host::Api => 0,
            Host::Qyapi => 1,
        });
        bytes.extend_from_slice(&self.issued_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&self.mark);
        bytes.extend_from_slice(self.key.as_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (host, rest) = bytes.split_first()?;
        let (issued_at, rest) = rest.split_first_chunk()?;
        let (mark, key) = rest.split_first_chunk()?;
        let host = match host {
            0 => Host::Api,
            1 => Host::Qyapi,
            _ => return None,
        };
        let issued_at = Timestamp::from_millis(i64::from_be_bytes(*issued_at));
        Some(Self { host, issued_at, mark: *mark, key: std::str::from_utf8(key).ok()?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;
    use store::{DatabaseUrl, Keyring};

    use super::*;
    use crate::random::OsRandom;

    proptest! {
        #[test]
        fn what_is_written_is_read(millis: i64, mark: [u8; 8], key: String, is_wecom: bool) {
            let host = if is_wecom { Host::Qyapi } else { Host::Api };
            let claims = Claims { host, issued_at: Timestamp::from_millis(millis), mark, key };
            prop_assert_eq!(Claims::decode(&claims.encode()), Some(claims));
        }

        #[test]
        fn any_bytes_are_claims_or_nothing(bytes: Vec<u8>) {
            if let Some(claims) = Claims::decode(&bytes) {
                prop_assert_eq!(claims.encode(), bytes);
            }
        }
    }

    #[tokio::test]
    async fn the_longest_name_fits_into_the_512_characters_that_sdks_reserve() {
        let url = DatabaseUrl::parse("sqlite://:memory:").unwrap();
        let now = Timestamp::from_seconds(1_700_000_000);
        let store = Store::open(&url, Keyring::generate([7; 32]), now).await.unwrap();
        let claims = Claims { host: Host::Api, issued_at: now, mark: [1; 8], key: "\u{1F600}".repeat(64) };
        let token = claims.seal(&store, &OsRandom).unwrap();
        assert!(token.expose_secret().len() <= 512, "{}", token.expose_secret().len());
        assert_eq!(Claims::open(&store, token.expose_secret()), Some(claims.clone()));
        assert!(!claims.is_over(now) && claims.is_over(now + LIFE));
        assert_eq!(Claims::open(&store, "25_2R5eUHdLNXTu"), None);
    }
}
