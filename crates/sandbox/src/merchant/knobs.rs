//! What goes wrong on purpose with answers and notifications of WeChat Pay: signatures, amounts, bodies, headers.
//!
//! Set by the control API, each for a number of times; the first one that waits takes the next answer or notification.
//! Connections, delays and statuses are the business of `faults`, for all paths alike.

use serde::{Deserialize, Serialize};

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnswerKnob {
    /// The signature begins with `WECHATPAY/SIGNTEST/` (v2: is a wrong one).
    Signtest,
    /// The signature is one of something else.
    WrongSignature,
    /// There is no signature.
    Unsigned,
    /// v3: `Wechatpay-Serial` names nothing that the merchant has.
    UnknownSerial,
    /// v3: signed 10 minutes ago.
    StaleTimestamp,
    /// The body is another one than was signed.
    AlteredBody,
}

/// A fault that waits for answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerFault {
    pub(crate) kind: AnswerKnob,
    #[serde(default = "once")]
    pub(crate) times: u64,
}

/// What is wrong with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoticeKnob {
    /// It is not sent; the try counts.
    Withheld,
    /// Another amount, rightly signed; so the next two.
    OtherAmount,
    OtherAppid,
    OtherMchid,
    Signtest,
    WrongSignature,
    /// The body is another one than was signed or encrypted.
    AlteredBody,
    /// v3: signed 10 minutes ago.
    StaleTimestamp,
    /// v3: no `Wechatpay-Signature`. v2: no `sign`.
    MissingSignature,
    /// v3: `Wechatpay-Serial` names nothing that the merchant has.
    UnknownSerial,
    /// v3: the tag of the ciphertext is wrong, the signature right.
    WrongTag,
    /// v2: signed with MD5 although the order was not.
    Md5,
    /// v2: no `coupon_type_0`.
    NoCouponType,
    /// v2: a field that nobody knows, signed with the others. v3: the same in the plaintext.
    UnknownField,
    /// v2: a document type in front.
    Dtd,
    /// v2: an empty `sign`.
    EmptySign,
    /// v2: a second root element.
    SecondRoot,
    /// v2: a `req_info` that cannot be decrypted.
    BadReqInfo,
}

/// A fault that waits for notifications.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoticeFault {
    pub(crate) kind: NoticeKnob,
    #[serde(default = "once")]
    pub(crate) times: u64,
}

/// The fault that hits next; it has hit then.
pub(crate) fn next_answer(faults: &mut Vec<AnswerFault>) -> Option<AnswerKnob> {
    let first = faults.first_mut()?;
    let kind = first.kind;
    first.times = first.times.saturating_sub(1);
    faults.retain(|fault| fault.times > 0);
    Some(kind)
}

/// The fault that hits next; it has hit then.
pub(crate) fn next_notice(faults: &mut Vec<NoticeFault>) -> Option<NoticeKnob> {
    let first = faults.first_mut()?;
    let kind = first.kind;
    first.times = first.times.saturating_sub(1);
    faults.retain(|fault| fault.times > 0);
    Some(kind)
}

fn once() -> u64 {
    1
}
