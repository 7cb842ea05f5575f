//! XML that is read becomes JSON that others read, in which no name is lost or there twice, and that is the same after
//! another round through XML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wechat::document::{Element, Text};
use wechat::json::{json_to_xml, xml_to_json};
use wechat::xml;

fuzz_target!(|data: &[u8]| {
    let Ok(root) = xml::read(data) else { return };
    // What was written is read as the same tree, once what XML cannot hold has been replaced.
    let written = xml::write(&root);
    let again = xml::read(&written).expect("what was written is well-formed");
    assert_eq!(xml::write(&again), written);

    let json = xml_to_json(data).expect("what was read is converted");
    let value: serde_json::Value = serde_json::from_slice(&json).expect("what was written is JSON");
    assert_eq!(members(&value), colons(&json), "a name is there twice");
    assert!(value.is_object());
    count_texts(&root, &json);

    let xml = json_to_xml(&json).expect("what was written is read");
    // Characters that XML cannot hold are replaced, so it is only now that everything is settled; but for objects of
    // nothing but text, which are that text in XML.
    let json = xml_to_json(&xml).expect("what was written is well-formed");
    let xml = json_to_xml(&json).expect("what was written is read");
    let again = xml_to_json(&xml).expect("what was written is well-formed");
    if !String::from_utf8_lossy(&json).contains("#text") {
        let parsed = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).expect("JSON");
        assert_eq!(parsed(&again), parsed(&json));
    }
});

/// How many members all objects in a value have.
fn members(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        serde_json::Value::Array(array) => array.iter().map(members).sum(),
        _ => 0,
    }
}

/// How many members JSON text has.
fn colons(json: &[u8]) -> usize {
    let (mut colons, mut in_string, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => colons += 1,
            _ => {}
        }
    }
    colons
}

/// Each text of the tree stands in the JSON, as a string or a number.
fn count_texts(element: &Element<'_>, json: &[u8]) {
    if let Text::Quoted(text) = &element.text {
        let quoted = serde_json::to_string(text).expect("a string");
        assert!(String::from_utf8_lossy(json).contains(&quoted), "{quoted} is lost");
    }
    element.children.iter().for_each(|child| count_texts(child, json));
}
