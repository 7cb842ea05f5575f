//! What the parts of the engine report, as answers.

use std::sync::Arc;
use std::time::Duration;

use engine::apps::Problem as ParameterProblem;
use engine::backends::CallProblem;
use engine::consumers::UnknownConsumer;
use engine::credential_error::CredentialError;
use engine::guard::Denied;
use engine::intake::{IntakeError, Refused};
use engine::mini_program::MiniProgramError;
use engine::passthrough::PassError;
use engine::registrar::RegisterError;
use engine::upstream::{AskError, UpstreamError};
use store::StoreError;
use wechat::api_path::PathError;
use wechat::calls::AnswerError;

use super::Error;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<CredentialError> for Error {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Refused { error, retry_in } => Self::Upstream { error, retry_in },
            CredentialError::Unreachable { retry_in, .. } => Self::Unreachable { reason: error.to_string(), retry_in },
            CredentialError::Store(error) => Self::Store(error),
            CredentialError::TimedOut => Self::TimedOut(error.to_string()),
        }
    }
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        Self::BadPath(error.to_string())
    }
}

impl From<MiniProgramError> for Error {
    fn from(error: MiniProgramError) -> Self {
        let text = error.to_string();
        match error {
            MiniProgramError::Parameters(_) => Self::BadParameters(text),
            MiniProgramError::Ask(AskError::Answer(AnswerError::Refused(error))) => {
                Self::Upstream { error, retry_in: Duration::ZERO }
            }
            MiniProgramError::Ask(_) => Self::Unreachable { reason: text, retry_in: Duration::ZERO },
            MiniProgramError::Session => Self::BadSession(text),
            MiniProgramError::Signature => Self::BadSignature(text),
            MiniProgramError::Sealed(_) => Self::NotOpened(text),
            MiniProgramError::Store(error) => error.into(),
        }
    }
}

impl From<CallProblem> for Error {
    fn from(problem: CallProblem) -> Self {
        match problem {
            CallProblem::NotAllowed { .. } => Self::CallNotAllowed(problem.to_string()),
            _ => Self::BadCall(problem.to_string()),
        }
    }
}

impl From<IntakeError> for Error {
    fn from(error: IntakeError) -> Self {
        let text = error.to_string();
        match error {
            IntakeError::Refused(Refused::Callback(reason)) if reason.is_forgery() => Self::Forged(text),
            IntakeError::Refused(Refused::Callback(_)) => Self::BadCallback(text),
            IntakeError::Refused(Refused::Call(CallProblem::NotAllowed { .. })) => Self::CallNotAllowed(text),
            IntakeError::Refused(Refused::Call(_)) => Self::BadCall(text),
            IntakeError::Refused(Refused::Parameter(_)) => Self::BadParameters(text),
            IntakeError::NotYet | IntakeError::Unanswered(_) => Self::NoAnswer(text),
            IntakeError::Busy => Self::Busy(text),
            // The log has the driver's words already; WeChat, or whoever it is, needs none of them.
            IntakeError::Store(_) => Self::NotReady,
        }
    }
}

impl From<RegisterError> for Error {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Unconfirmed(CredentialError::Unreachable { reason, retry_in }) => Self::Unreachable {
                reason: format!(
                    "nothing was stored, because WeChat could not be asked about the secret: {reason} \
                    (&check=false stores it unasked)"
                ),
                retry_in,
            },
            RegisterError::Unconfirmed(error) => error.into(),
            RegisterError::Merchant(_) => Self::BadParameters(error.to_string()),
            RegisterError::OtherAppid { .. } | RegisterError::Busy => Self::Conflict(error.to_string()),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<Vec<ParameterProblem>> for Error {
    fn from(problems: Vec<ParameterProblem>) -> Self {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Self::BadParameters(texts.join("; "))
    }
}

impl From<UnknownConsumer> for Error {
    fn from(error: UnknownConsumer) -> Self {
        match error {
            UnknownConsumer::Refused(error) | UnknownConsumer::Ended(error) => {
                Self::Upstream { error, retry_in: Duration::ZERO }
            }
            UnknownConsumer::TooMany => Denied::TooManyRequests { retry_in: Duration::from_secs(60) }.into(),
            UnknownConsumer::Store(error) => error.into(),
        }
    }
}

impl From<PassError> for Error {
    fn from(error: PassError) -> Self {
        let text = error.to_string();
        match error {
            PassError::NoToken(error) => error.into(),
            PassError::NoAnswer(UpstreamError::Timeout { .. }, _) => Self::NoAnswerInTime(text),
            PassError::NoAnswer(..) => Self::NotPassed(text),
            PassError::Caller(_) => Self::BadBody("the body ended before it was whole; send it again"),
            PassError::Method => Self::WrongMethod,
            PassError::Address(_) => Self::BadPath(text),
        }
    }
}
