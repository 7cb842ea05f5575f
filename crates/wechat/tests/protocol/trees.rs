//! Properties of the documents: any tree, any JSON, any bytes.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wechat::document::{self, Attribute, Element, ROOT, Text};
use wechat::json::{LIST_NAMES, json_to_xml, xml_to_json};
use wechat::{json, xml};

/// Names of WeChat, of lists, and others, few enough that siblings share one.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abc]",
        proptest::sample::select(LIST_NAMES.as_slice()).prop_map(str::to_owned),
        "[A-Za-z_中][A-Za-z0-9_.中]{0,8}"
    ]
    .prop_filter("escapes are another test's", |name| !name.contains("_x"))
}

/// Text that XML can hold.
fn characters() -> impl Strategy<Value = String> {
    prop_oneof!["[\\]><&\"'a-c \n\t]{0,12}", "\\PC{0,12}"]
        .prop_filter("what XML cannot hold is replaced", |text| !text.contains(['\u{FFFE}', '\u{FFFF}']))
}

fn text(may_be_blank: bool) -> impl Strategy<Value = Text<'static>> {
    let bare = prop_oneof!["-?[0-9]{1,21}", "-?[0-9]{1,9}\\.[0-9]{1,9}", characters()];
    let bare = bare.prop_filter("no text at all", |text| !text.is_empty());
    let bare = bare
        .prop_filter("white space beside others is skipped", move |text| may_be_blank || !text.trim_ascii().is_empty());
    prop_oneof![
        Just(Text::Empty),
        characters().prop_map(|text| Text::Quoted(text.into())),
        bare.prop_map(|text| Text::Bare(text.into())),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<Attribute<'static>>> {
    let attribute = (name(), characters());
    let attributes = proptest::collection::btree_map(attribute.0, attribute.1, 0..3);
    let attributes = attributes.prop_map(|all| {
        all.into_iter().map(|(name, value)| Attribute { name: name.into(), value: value.into() }).collect()
    });
    prop_oneof![4 => Just(Vec::new()), 1 => attributes]
}

fn element() -> impl Strategy<Value = Element<'static>> {
    let leaf = (name(), attributes(), text(true));
    let leaf =
        leaf.prop_map(|(name, attributes, text)| Element { name: name.into(), attributes, text, children: vec![] });
    leaf.prop_recursive(4, 40, 6, |inner| {
        let mixed = prop_oneof![4 => Just(Text::Empty), 1 => text(false)];
        (name(), attributes(), mixed, vec(inner, 1..6)).prop_map(|(name, attributes, text, children)| Element {
            name: name.into(),
            attributes,
            text,
            children,
        })
    })
}

fn root() -> impl Strategy<Value = Element<'static>> {
    (attributes(), vec(element(), 0..8))
        .prop_map(|(attributes, children)| Element { attributes, ..Element::with(ROOT, children) })
}

/// The JSON form of a tree, by the rules and in the simplest way.
fn expected(element: &Element<'_>, is_root: bool) -> Value {
    let scalar = match &element.text {
        Text::Bare(text) => number(text),
        text => Value::from(text.as_str()),
    };
    if !is_root && element.attributes.is_empty() && element.children.is_empty() {
        return scalar;
    }
    let mut object = Map::new();
    for attribute in &element.attributes {
        object.insert(format!("@{}", attribute.name), attribute.value.as_ref().into());
    }
    if element.text != Text::Empty {
        object.insert("#text".into(), scalar);
    }
    for child in &element.children {
        let like: Vec<_> = element.children.iter().filter(|other| other.name == child.name).collect();
        let holds_list = child.name == "PicList" && child.child("item").is_some();
        let is_list = like.len() > 1 || LIST_NAMES.contains(&child.name.as_ref()) && !holds_list;
        let values: Vec<_> = like.into_iter().map(|one| expected(one, false)).collect();
        let value = if is_list { Value::Array(values) } else { values.into_iter().next().unwrap() };
        object.insert(child.name.to_string(), value);
    }
    Value::Object(object)
}

/// A number, if it is one that can be read back: by the number library of the tests, not by our own rules.
fn number(text: &str) -> Value {
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '-' || c == '.');
    match serde_json::from_str::<Value>(text) {
        Ok(number) if is_plain(text) && text != "-0" => match text.split_once('.') {
            None if number.is_f64() => text.into(),
            None => number,
            Some((whole, fraction)) if fraction.trim_end_matches('0').is_empty() => {
                let whole: Value = number_or_text(whole);
                if whole.is_number() { whole } else { text.into() }
            }
            Some((whole, fraction)) => {
                let fraction = fraction.trim_end_matches('0');
                let digits = whole.trim_start_matches('-').len() + fraction.len();
                // Not of the text: with zeros at its end the number library is less exact.
                let shorter = serde_json::from_str(&format!("{whole}.{fraction}"));
                if digits <= 15 { shorter.unwrap() } else { text.into() }
            }
        },
        _ => text.into(),
    }
}

fn number_or_text(text: &str) -> Value {
    if text.contains('.') { text.into() } else { number(text) }
}

/// JSON that survives XML: no array of one but of the names that ask for it, no array in an array, nothing empty.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-99_999_i32..99_999).prop_map(|number| Value::from(f64::from(number) / 8.0)),
        characters().prop_map(Value::from),
    ];
    let scalar = scalar.prop_filter("15.0 becomes 15", |value| {
        !value.is_f64() || value.as_f64().is_some_and(|number| number.fract() != 0.0)
    });
    scalar.prop_recursive(4, 40, 5, |inner| vec((key(), vec(inner, 1..4)), 1..5).prop_map(object))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![name(), "\\PC{0,10}", "_x[0-9a-f]{0,5}_?:?"]
        .prop_filter("marks, and the list that may be none", |key| !key.starts_with(['@', '#']) && key != "PicList")
}

fn object(members: Vec<(String, Vec<Value>)>) -> Value {
    let member = |(key, mut values): (String, Vec<Value>)| {
        let value = if values.len() > 1 || LIST_NAMES.contains(&key.as_str()) {
            Value::Array(values)
        } else {
            values.remove(0)
        };
        (key, value)
    };
    Value::Object(members.into_iter().map(member).collect())
}

proptest! {
    #[test]
    fn a_tree_is_the_same_after_xml(root in root()) {
        let written = xml::write(&root);
        prop_assert_eq!(xml::read(&written).unwrap(), root);
    }

    #[test]
    fn a_tree_becomes_the_json_of_the_rules(root in root()) {
        let json = xml_to_json(&xml::write(&root)).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), expected(&root, true));
    }

    #[test]
    fn a_tree_is_the_same_json_after_another_round(root in root()) {
        let json = xml_to_json(&xml::write(&root)).unwrap();
        let again = xml_to_json(&json_to_xml(&json).unwrap()).unwrap();
        prop_assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(json).unwrap());
    }

    #[test]
    fn json_is_the_same_after_xml(members in vec((key(), vec(value(), 1..4)), 0..6)) {
        let value = object(members);
        let xml = json_to_xml(value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&xml_to_json(&xml).unwrap()).unwrap(), value);
    }

    #[test]
    fn the_json_reader_takes_what_others_take(
        text in "\\{(\"[ab]\":([0-9.eE+-]{1,5}|\"[\\\\u\"/nd8-9a]{0,8}\"|[\\[\\]{},:tru ]{1,6}|null|true),?){0,3}\\}?"
    ) {
        let others = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(json::read(text.as_bytes()).is_ok(), others);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in prop_oneof![vec(any::<u8>(), 0..200), "[<>/a&;!\\[\\]CDAT?\"'= -]{0,80}".prop_map(String::into_bytes)]
    ) {
        let _ = document::read(&bytes);
        for prefix in ["<xml>", "{\"a\":"] {
            let bytes = [prefix.as_bytes(), &bytes].concat();
            if let Ok((_, root)) = document::read(&bytes) {
                prop_assert!(xml::read(&xml::write(&root)).is_ok());
                prop_assert!(serde_json::from_slice::<Value>(&json::write(&root)).is_ok());
            }
        }
    }
}

#[test]
fn an_element_owns_what_it_borrowed() {
    let json = json!({ "a": [1, "x"], "@b": "c" }).to_string();
    let owned = json::read(json.as_bytes()).unwrap().into_owned();
    assert_eq!(owned, json::read(json.as_bytes()).unwrap());
    assert!(owned.children.iter().all(|child| matches!(child.name, Cow::Owned(_))));
}
