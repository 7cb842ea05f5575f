//! The texts that are signed in API v3, and the header field that carries the merchant's signature.
//!
//! Used for calls, answers, notifications and what pages are given. Source: "request signature" and "verifying answers
//! and notifications". What must stay true: the body in the text is the bytes that are sent, or that were received.

use super::Merchant;
use crate::pay::{Method, Stamp};

/// The scheme of the `Authorization` field, and the only `Wechatpay-Signature-Type` that is verified here.
pub(super) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// What the merchant signs of a request: five lines.
#[must_use]
pub fn request_text(method: Method, target: &str, stamp: &Stamp, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{}\n{target}\n{}\n{}\n", method.as_str(), stamp.at, stamp.nonce).into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

/// What WeChat signs of an answer or a notification: three lines. Timestamp and nonce as they stand in the header.
#[must_use]
pub fn response_text(timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(body);
    text.push(b'\n');
    text
}

impl Merchant {
    /// The `Authorization` field of a request.
    pub(super) fn authorization(&self, method: Method, target: &str, stamp: &Stamp, body: &[u8]) -> String {
        let signature = self.registered.private_key.sign(&request_text(method, target, stamp, body));
        let (mch_id, serial) = (self.mch_id(), &self.registered.serial);
        let Stamp { at, nonce } = stamp;
        format!(
            "{SCHEME} mchid=\"{mch_id}\",nonce_str=\"{nonce}\",timestamp=\"{at}\",serial_no=\"{serial}\",\
             signature=\"{signature}\""
        )
    }
}
