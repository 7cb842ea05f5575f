//! One try to bring a message to one backend, for the records.

use serde::{Deserialize, Serialize};
use store::Timestamp;

use crate::backends::{NotTaken, Taken};

/// One try, as it is written down and shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    /// Which of the message's backends, counted from 0.
    pub backend: u32,
    /// 1 for the first.
    pub attempt: u32,
    /// When it began, in Unix seconds with a fraction.
    pub at: f64,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The backend's HTTP status, if it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why the backend does not have the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The kind of the reply (`text`, `news` …); missing: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Why the reply was not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unused: Option<String>,
}

impl Attempt {
    /// The try at the backend at `place` that began and ended then.
    #[must_use]
    pub fn of(
        place: usize,
        attempt: u32,
        began: Timestamp,
        ended: Timestamp,
        outcome: &Result<Taken, NotTaken>,
    ) -> Self {
        let (status, error) = match outcome {
            Ok(taken) => (Some(taken.status), None),
            Err(reason) => (reason.status(), Some(reason.to_string())),
        };
        Self {
            backend: u32::try_from(place).unwrap_or(u32::MAX),
            attempt,
            at: began.as_fractional_seconds(),
            ms: u64::try_from(ended.since(began).as_millis()).unwrap_or(u64::MAX),
            status,
            error,
            reply: None,
            unused: None,
        }
    }
}
