//! Why there is no token or ticket. The same answer goes to everybody who waited for one refresh, so it can be cloned.

use std::sync::Arc;
use std::time::Duration;

use store::{Failure, StoreError, Timestamp};
use wechat::{ApiError, Errcode};

/// Why there is no token or ticket.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialError {
    /// WeChat refused, now or a while ago (then it is not asked again before `retry_in` is over).
    #[error("{error}")]
    Refused {
        /// WeChat's own words.
        error: ApiError,
        /// When it is asked again.
        retry_in: Duration,
    },
    /// No usable answer from WeChat.
    #[error("WeChat could not be asked: {reason}")]
    Unreachable {
        /// What went wrong, without URL.
        reason: String,
        /// When it is asked again.
        retry_in: Duration,
    },
    /// The database does not answer.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Nothing was decided in time.
    #[error("no token was to be had in time")]
    TimedOut,
}

impl From<StoreError> for CredentialError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl CredentialError {
    /// The error that a remembered failure stands for.
    pub(crate) fn remembered(failure: &Failure, now: Timestamp) -> Self {
        let left = failure.retry_at.as_millis().saturating_sub(now.as_millis());
        let retry_in = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        match failure.errcode {
            Some(errcode) => {
                let error = ApiError { errcode: Errcode(errcode), errmsg: failure.text.clone() };
                Self::Refused { error, retry_in }
            }
            None => Self::Unreachable { reason: failure.text.clone(), retry_in },
        }
    }
}
