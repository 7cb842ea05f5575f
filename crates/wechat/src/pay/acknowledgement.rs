//! What WeChat Pay is told about a notification.
//!
//! Sent by whoever answers `notify_url`, within 5 seconds. Sources: "payment notification" of both versions. What must
//! stay true: only [`acknowledgement`] makes WeChat stop sending; everything else makes it try again.

use bytes::Bytes;

use super::Version;

/// An HTTP answer to a notification.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Acknowledgement {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`; none without body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Bytes,
}

/// The notification is stored: WeChat need not send it again.
#[must_use]
pub fn acknowledgement(version: Version) -> Acknowledgement {
    match version {
        Version::V2 => xml("SUCCESS", "OK"),
        Version::V3 => Acknowledgement { status: 204, content_type: None, body: Bytes::new() },
    }
}

/// The notification was not accepted: WeChat sends it again. `status` (400 to 599) is v3's; v2 always answers 200.
#[must_use]
pub fn rejection(version: Version, status: u16, reason: &str) -> Acknowledgement {
    match version {
        Version::V2 => xml("FAIL", reason),
        Version::V3 => {
            let body = serde_json::json!({ "code": "FAIL", "message": reason }).to_string().into();
            let status = if (400..=599).contains(&status) { status } else { 500 };
            Acknowledgement { status, content_type: Some("application/json"), body }
        }
    }
}

fn xml(code: &str, message: &str) -> Acknowledgement {
    let mut body = String::from("<xml>");
    crate::xml::write_text(&mut body, "return_code", code);
    crate::xml::write_text(&mut body, "return_msg", message);
    body.push_str("</xml>");
    Acknowledgement { status: 200, content_type: Some("text/xml; charset=utf-8"), body: body.into() }
}
