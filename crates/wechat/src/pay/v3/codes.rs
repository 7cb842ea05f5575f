//! v3's error codes in v2's words.
//!
//! Used for refusals, so that a team needs to know one set of codes. Source: the error tables of both versions. What
//! must stay true: a code that v2 does not have stays as it is.

use crate::pay::Operation;

/// Whether this code stands beside an HTTP status from 500 on in WeChat's own table.
pub(super) fn is_known(code: &str) -> bool {
    const OF_THE_SERVER: [&str; 8] = [
        "SYSTEM_ERROR",
        "SYSTEMERROR",
        "SERVICE_UNAVAILABLE",
        "BANK_ERROR",
        "BANKERROR",
        "BIZ_ERR_NEED_RETRY",
        "OPENID_MISMATCH",
        "INVALID_TRANSACTIONID",
    ];
    OF_THE_SERVER.contains(&code)
}

/// v2's `err_code` for a code of v3.
pub(super) fn err_code(code: &str, operation: Operation) -> &str {
    match code {
        "SIGN_ERROR" => "SIGNERROR",
        "MCH_NOT_EXISTS" => "MCHID_NOT_EXIST",
        "NO_AUTH" => "NOAUTH",
        "ORDER_NOT_EXIST" => "ORDERNOTEXIST",
        "ORDER_CLOSED" => "ORDERCLOSED",
        "NOT_ENOUGH" => "NOTENOUGH",
        "RATELIMIT_EXCEEDED" => "FREQUENCY_LIMITED",
        "BIZ_ERR_NEED_RETRY" => "BIZERR_NEED_RETRY",
        "SYSTEM_ERROR" | "SERVICE_UNAVAILABLE" => "SYSTEMERROR",
        "BANK_ERROR" => "BANKERROR",
        // Of a refund that is asked for: no such refund. Of a new one: no such payment.
        "RESOURCE_NOT_EXISTS" if operation == Operation::QueryRefund => "REFUNDNOTEXIST",
        "RESOURCE_NOT_EXISTS" => "ORDERNOTEXIST",
        other => other,
    }
}
