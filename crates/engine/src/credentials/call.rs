//! A call to WeChat with a token of an account; if WeChat calls the token dead, once more with another.

use std::sync::Arc;

use secrecy::SecretString;
use wechat::ApiError;
use wechat::calls::{AnswerError, Call};
use wechat::errcode::ErrorClass;

use super::Credentials;
use crate::credential_error::CredentialError;
use crate::slot::Slot;
use crate::upstream::{AskError, UpstreamError};

/// Why a call brought nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// There is no token to make it with.
    #[error(transparent)]
    NoToken(CredentialError),
    /// No usable answer came.
    #[error(transparent)]
    NoAnswer(UpstreamError),
    /// WeChat refused.
    #[error(transparent)]
    Refused(ApiError),
    /// WeChat's answer makes no sense.
    #[error("WeChat's answer makes no sense: {0}")]
    Malformed(&'static str),
}

impl From<AskError> for CallError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NoAnswer(error) => Self::NoAnswer(error),
            AskError::Answer(AnswerError::Refused(error)) => Self::Refused(error),
            AskError::Answer(AnswerError::Malformed(what)) => Self::Malformed(what),
        }
    }
}

impl Credentials {
    /// Makes a call with the token in `slot`, and reads its answer with `read`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<T>(
        &self,
        slot: &Arc<Slot>,
        make: impl Fn(&SecretString) -> Call,
        read: fn(&[u8]) -> Result<T, AnswerError>,
    ) -> Result<T, CallError> {
        let current = self.valid(slot).await.map_err(CallError::NoToken)?;
        match self.0.upstream.ask(&make(&current.value), read).await {
            Err(AskError::Answer(AnswerError::Refused(error))) if error.errcode.class() == ErrorClass::TokenDead => {
                let healed = self.healed(slot, current.value.clone()).await.map_err(CallError::NoToken)?;
                Ok(self.0.upstream.ask(&make(&healed.value), read).await?)
            }
            other => Ok(other?),
        }
    }
}
