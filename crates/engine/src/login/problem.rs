//! Why a visitor did not get through, and what backends are told of it.

use std::fmt;

use wechat::ApiError;

/// Why a visitor did not get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginProblem {
    /// The visitor said no to WeChat.
    Denied,
    /// What came back from WeChat is not what was sent there.
    Altered,
    /// The host of its `call` has been taken out of `allow` in between.
    NotAllowed,
    /// It came back in another browser than it was begun in, or in one without cookies.
    OtherBrowser,
    /// It took longer than five minutes.
    Expired,
    /// The way back was used before: the page was loaded again, or Back was pressed.
    Spent,
    /// WeChat calls the code invalid, used, or too old.
    CodeSpent(ApiError),
    /// WeChat refused for another reason; only an operator can change that.
    Refused(ApiError),
    /// WeChat gave no usable answer.
    Unreachable(String),
    /// The database does not answer.
    NotReady,
}

impl LoginProblem {
    /// What `call` gets as `error`: OAuth 2.0's words (RFC 6749, section 4.1.2.1).
    #[must_use]
    pub fn error(&self) -> &'static str {
        match self {
            Self::Denied => "access_denied",
            Self::Altered
            | Self::NotAllowed
            | Self::OtherBrowser
            | Self::Expired
            | Self::Spent
            | Self::CodeSpent(_) => "invalid_request",
            Self::Refused(_) => "server_error",
            Self::Unreachable(_) | Self::NotReady => "temporarily_unavailable",
        }
    }

    /// WeChat's code, when WeChat refused.
    #[must_use]
    pub fn errcode(&self) -> Option<i64> {
        match self {
            Self::CodeSpent(error) | Self::Refused(error) => Some(error.errcode.0),
            _ => None,
        }
    }

    /// Whether the page may be told: this browser began the login (else somebody else chose the page), and its host is allowed.
    pub(super) fn lets_the_page_know(&self) -> bool {
        !matches!(self, Self::OtherBrowser | Self::Altered | Self::NotAllowed)
    }

    pub(super) fn of_refusal(error: ApiError) -> Self {
        if error.errcode.is_spent_code() { Self::CodeSpent(error) } else { Self::Refused(error) }
    }
}

/// For backends and the log; visitors read the server's pages.
impl fmt::Display for LoginProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("the visitor did not agree"),
            Self::Altered => f.write_str("what came back from WeChat was altered; the login has to begin anew"),
            Self::NotAllowed => f.write_str("the host of call is no longer allowed"),
            Self::OtherBrowser => {
                f.write_str("the login ended in another browser than it began in, or in one without cookies")
            }
            Self::Expired => f.write_str("the login took longer than five minutes; it has to begin anew"),
            Self::Spent => f.write_str("this login was finished before; it has to begin anew"),
            Self::CodeSpent(error) => write!(f, "WeChat calls the code invalid, used or too old ({})", error.errcode),
            Self::Refused(error) => write!(f, "WeChat refused the login ({})", error.errcode),
            Self::Unreachable(_) => f.write_str("WeChat could not be asked who the visitor is; try again"),
            Self::NotReady => f.write_str("the login cannot be finished now; try again"),
        }
    }
}
