//! Why an operation gave no answer: WeChat said no, or what came back cannot be believed.
//!
//! Made by [`Merchant::read`](super::Merchant::read). What must stay true: after a [`Doubt`] the outcome is unknown, so
//! the same request is repeated or the order queried, never a new number used.

/// Why there is no [`Answer`](super::Answer).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotDone {
    /// WeChat said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What came back cannot be believed; the operation may have been done.
    #[error(transparent)]
    Unbelievable(#[from] Doubt),
}

/// WeChat's refusal. v3 does not sign refusals, v2 not those of `return_code`: TLS alone vouches for them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("WeChat Pay refused: {code}: {message}")]
pub struct Refusal {
    /// v2's `err_code`, whichever version said it; `FAIL` where v2 gives a text only.
    pub code: String,
    /// WeChat's own text, mostly Chinese.
    pub message: String,
    /// The HTTP status, of v3.
    pub status: Option<u16>,
    /// The code as WeChat said it.
    pub said: String,
}

/// What to do about a refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Retry {
    /// Repeat the same request at once, a few times: same numbers, same parameters.
    Same,
    /// Repeat the same request later: nothing was done.
    Later,
    /// Repeating does not help.
    Never,
    /// Ask how the payment stands: something was done before.
    Query,
}

impl Refusal {
    /// What to do about it.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.code.as_str() {
            "SYSTEMERROR" | "BIZERR_NEED_RETRY" | "BANKERROR" => Retry::Same,
            "FAIL" | "FREQUENCY_LIMITED" | "INVALID_REQ_TOO_MUCH" | "ORDER_NOT_READY" | "NOTENOUGH" => Retry::Later,
            "ORDERPAID" | "ORDERCLOSED" | "OUT_TRADE_NO_USED" | "USERPAYING" | "TRADE_STATE_ERROR" => Retry::Query,
            _ => Retry::Never,
        }
    }
}

/// Why what came back cannot be believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Doubt {
    /// WeChat's deliberate wrong signature (`WECHATPAY/SIGNTEST/…`).
    #[error("the answer carries a wrong signature, by which WeChat Pay tests whether signatures are verified: repeat")]
    SignatureProbe,
    /// No signature, or a part of it is missing.
    #[error("the answer is not signed ({0} is missing): the outcome is unknown")]
    MissingHeader(&'static str),
    /// The time of the signature is no number.
    #[error("the answer's Wechatpay-Timestamp is no number of seconds")]
    BadTimestamp,
    /// The time of the signature is too far from now.
    #[error("the answer was signed {seconds} s away from this machine's clock, 300 s are allowed: set the clock")]
    Stale {
        /// How far, in seconds; positive when it is older than now.
        seconds: i64,
    },
    /// Signed with a key that is not known here.
    #[error("the answer is signed with the key {0}, which is not known here: fetch the certificates, or register it")]
    UnknownSerial(String),
    /// The signature does not fit.
    #[error("the signature of the answer is wrong: it is not WeChat Pay's, or something changed it on the way")]
    BadSignature,
    /// What is sealed in it cannot be opened.
    #[error(
        "what is sealed in the answer does not open with the registered API v3 key: compare it with the platform's"
    )]
    NotDecryptable,
    /// The answer is none.
    #[error("the answer is not what WeChat Pay's documents promise: {0}")]
    Malformed(String),
    /// The answer is about another merchant.
    #[error("the answer is about another merchant than the one that asked")]
    OtherMerchant,
    /// An HTTP status without a word of WeChat Pay.
    #[error("HTTP status {0}, without a word of WeChat Pay: the outcome is unknown")]
    Status(u16),
}
