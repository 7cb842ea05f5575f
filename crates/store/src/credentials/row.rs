//! A row of the table as a [`Credential`]: names from bytes, the value from its seal, the failure from JSON.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Credential, Failure, Lease};
use crate::entities::credentials::Model;
use crate::seal::Place;
use crate::{Keyring, StoreError, Timestamp};

pub(super) fn place(id: &[u8]) -> Place<'_> {
    Place { table: "credentials", column: "value", row: id }
}

pub(super) fn text(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| StoreError::corrupt("a name in table credentials is not UTF-8"))
}

pub(super) fn credential_from(ring: &Keyring, row: Model) -> Result<Credential, StoreError> {
    let unreadable =
        |what: &str, id: &str| StoreError::corrupt(format!("the {what} of credential {id:?} is unreadable"));
    let value = row.value.map(|sealed| ring.open(place(&row.id), &sealed)).transpose()?;
    let id = text(row.id)?;
    let value = match value {
        Some(plain) => Some(SecretString::from(std::str::from_utf8(&plain).map_err(|_| unreadable("value", &id))?)),
        None => None,
    };
    let failure = row.failure.map(|json| serde_json::from_slice::<FailureText>(&json)).transpose();
    let failure = failure.map_err(|_| unreadable("failure", &id))?;
    let lease = match (row.lease_owner, row.lease_until) {
        (Some(owner), Some(until)) => Some(Lease { owner: text(owner)?, until: Timestamp::from_millis(until) }),
        _ => None,
    };
    Ok(Credential {
        id,
        appid: text(row.appid)?,
        value,
        issued_at: row.issued_at.map(Timestamp::from_millis),
        expires_at: row.expires_at.map(Timestamp::from_millis),
        refresh_at: Timestamp::from_millis(row.refresh_at),
        forced_at: row.forced_at.map(Timestamp::from_millis),
        used_at: Timestamp::from_millis(row.used_at),
        version: row.version,
        failure: failure.map(Failure::from),
        lease,
    })
}

/// A failure as JSON.
pub(super) fn failure_json(id: &str, failure: &Failure) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&FailureText::from(failure))
        .map_err(|e| StoreError::corrupt(format!("the failure of {id:?} is no JSON ({e})")))
}

/// A failure as it is stored.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct FailureText {
    errcode: Option<i64>,
    text: String,
    count: u32,
    failed_at: i64,
    retry_at: i64,
}

impl From<&Failure> for FailureText {
    fn from(failure: &Failure) -> Self {
        Self {
            errcode: failure.errcode,
            text: failure.text.clone(),
            count: failure.count,
            failed_at: failure.failed_at.as_millis(),
            retry_at: failure.retry_at.as_millis(),
        }
    }
}

impl From<FailureText> for Failure {
    fn from(stored: FailureText) -> Self {
        Self {
            errcode: stored.errcode,
            text: stored.text,
            count: stored.count,
            failed_at: Timestamp::from_millis(stored.failed_at),
            retry_at: Timestamp::from_millis(stored.retry_at),
        }
    }
}
