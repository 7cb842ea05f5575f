//! The JSON reader takes exactly the objects that `serde_json` takes, within its bounds; what it takes becomes well-formed
//! XML, and from there on stays the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::json::{self, JsonError, json_to_xml, xml_to_json};
use wechat::xml::XmlError;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        assert!(json_to_xml(data).is_err());
        return;
    };
    let others = serde_json::from_str::<serde::de::IgnoredAny>(text);
    match json::read(data) {
        // A byte order mark and a form feed around it are taken here and not there.
        Ok(_) => assert!(others.is_ok() || text.contains(['\u{FEFF}', '\u{C}']), "{others:?}"),
        Err(JsonError::Root | JsonError::Depth | JsonError::Parts | JsonError::Name(_) | JsonError::Twice(_)) => return,
        Err(error) => {
            assert!(others.is_err(), "{error}");
            return;
        }
    }
    let xml = json_to_xml(data).expect("what was read is converted");
    let json = match xml_to_json(&xml) {
        Ok(json) => json,
        // The wrapper of subscription events is one level more.
        Err(XmlError::Depth) => return assert!(text.contains("subscribe_msg")),
        Err(XmlError::Parts) => return assert!(text.contains("subscribe_msg")),
        Err(error) => panic!("{error}"),
    };
    let value: serde_json::Value = serde_json::from_slice(&json).expect("what was written is JSON");
    let xml = json_to_xml(&json).expect("what was written is read");
    let json = xml_to_json(&xml).expect("what was written is well-formed");
    // An object of nothing but text is that text in XML; anything else is settled by now.
    if !text.contains("text") && !text.contains("\\u") {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).expect("still JSON"), value);
    }
});
