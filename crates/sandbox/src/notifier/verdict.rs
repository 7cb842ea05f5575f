//! The judgement about what a merchant answers to a notification, as strict as WeChat's.
//!
//! Source: the notification pages of both APIs: v2 wants XML with `return_code` SUCCESS and nothing around it, v3 looks
//! at the status alone.

use crate::callback::from_xml;

/// Why v2 does not take an answer as accepting; `None` when it does.
pub(super) fn objection_v2(status: u16, body: &[u8]) -> Option<String> {
    if status != 200 {
        return Some(format!("HTTP status {status}; only 200 is an answer"));
    }
    let text = match std::str::from_utf8(body) {
        Ok(text) if !text.trim().is_empty() => text,
        _ => return Some("the body is empty or no UTF-8; answer with XML".into()),
    };
    let children = match from_xml(text) {
        Ok(children) => children,
        Err(error) => return Some(format!("{error}; answer with <xml><return_code>SUCCESS</return_code></xml> alone")),
    };
    match children.get("return_code").and_then(|code| code.as_str()) {
        Some("SUCCESS") => None,
        other => Some(format!("return_code is {:?}, not SUCCESS", other.unwrap_or("absent"))),
    }
}

/// Why v3 does not take an answer as accepting; `None` when it does.
pub(super) fn objection_v3(status: u16) -> Option<String> {
    let accepted = status == 200 || status == 204;
    (!accepted).then(|| format!("HTTP status {status}; only 200 and 204 accept a notification"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v2_takes_xml_alone() {
        for good in [
            "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>",
            "<xml>\n  <return_code>SUCCESS</return_code>\n</xml>\n",
        ] {
            assert_eq!(objection_v2(200, good.as_bytes()), None, "{good}");
        }
        for bad in [
            "",
            "success",
            "SUCCESS",
            "{\"code\":\"SUCCESS\"}",
            "<html><body>ok</body></html>",
            "<xml><return_code>FAIL</return_code></xml>",
            "<xml><return_code>SUCCESS</return_code></xml>ok",
            "<xml>\\n<return_code>SUCCESS</return_code></xml>\\n",
            "<xml><return_code>success</return_code></xml>",
        ] {
            assert!(objection_v2(200, bad.as_bytes()).is_some(), "{bad}");
        }
        assert!(objection_v2(204, b"<xml><return_code>SUCCESS</return_code></xml>").is_some());
    }

    #[test]
    fn v3_takes_two_statuses() {
        assert_eq!((objection_v3(200), objection_v3(204)), (None, None));
        assert!(objection_v3(201).is_some() && objection_v3(500).is_some() && objection_v3(404).is_some());
    }
}
