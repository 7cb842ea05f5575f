//! The secrets of a registration as one sealed blob: JSON inside, so that later versions can add fields.

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{PreviousKey, Secrets};
use crate::seal::Place;
use crate::{Keyring, StoreError, Timestamp};

/// Seals `secrets` for the registration `key`.
pub(super) fn seal(ring: &Keyring, key: &[u8], secrets: &Secrets) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(&Text::from(secrets)).map(Zeroizing::new);
    let json = json.map_err(|_| StoreError::corrupt("the secrets of a registration are no JSON"))?;
    ring.seal(place(key), &json)
}

/// Opens what [`seal`] made for the same key.
pub(super) fn open(ring: &Keyring, key: &[u8], blob: &[u8]) -> Result<Secrets, StoreError> {
    let json = ring.open(place(key), blob)?;
    // What the parser says could quote a secret, so its words stay here.
    let text: Text = serde_json::from_slice(&json).map_err(|_| {
        StoreError::corrupt(format!("the secrets of registration {:?} are unreadable", String::from_utf8_lossy(key)))
    })?;
    Ok(text.into())
}

fn place(key: &[u8]) -> Place<'_> {
    Place { table: "apps", column: "secrets", row: key }
}

/// [`Secrets`] inside the seal. Apart from it, so that nothing else can write secrets as JSON.
#[derive(Serialize, Deserialize)]
struct Text {
    secret: Hidden,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Hidden>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aes: Option<Hidden>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mch_key: Option<Hidden>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mch_private_key: Option<Hidden>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apiv3_key: Option<Hidden>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mch_cert: Option<Hidden>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    web_secret: Option<Hidden>,
    api_key: Hidden,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous_api_keys: Vec<PreviousText>,
}

#[derive(Serialize, Deserialize)]
struct PreviousText {
    key: Hidden,
    /// Milliseconds since the epoch.
    good_until: i64,
}

/// A string that is wiped when it is dropped.
struct Hidden(SecretString);

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl From<&Secrets> for Text {
    fn from(secrets: &Secrets) -> Self {
        let hidden = |value: &SecretString| Hidden(value.clone());
        Self {
            secret: hidden(&secrets.secret),
            token: secrets.token.as_ref().map(hidden),
            aes: secrets.aes.as_ref().map(hidden),
            mch_key: secrets.mch_key.as_ref().map(hidden),
            mch_private_key: secrets.mch_private_key.as_ref().map(hidden),
            apiv3_key: secrets.apiv3_key.as_ref().map(hidden),
            mch_cert: secrets.mch_cert.as_ref().map(hidden),
            web_secret: secrets.web_secret.as_ref().map(hidden),
            api_key: hidden(&secrets.api_key),
            previous_api_keys: secrets
                .previous_api_keys
                .iter()
                .map(|previous| PreviousText {
                    key: hidden(&previous.key),
                    good_until: previous.good_until.as_millis(),
                })
                .collect(),
        }
    }
}

impl From<Text> for Secrets {
    fn from(text: Text) -> Self {
        let shown = |value: Hidden| value.0;
        Self {
            secret: shown(text.secret),
            token: text.token.map(shown),
            aes: text.aes.map(shown),
            mch_key: text.mch_key.map(shown),
            mch_private_key: text.mch_private_key.map(shown),
            apiv3_key: text.apiv3_key.map(shown),
            mch_cert: text.mch_cert.map(shown),
            web_secret: text.web_secret.map(shown),
            api_key: shown(text.api_key),
            previous_api_keys: text
                .previous_api_keys
                .into_iter()
                .map(|previous| PreviousKey {
                    key: shown(previous.key),
                    good_until: Timestamp::from_millis(previous.good_until),
                })
                .collect(),
        }
    }
}
