//! The menu at the foot of a chat, as `/cgi-bin/menu/create` takes it.
//!
//! Used by `platform/menus`, the control API and the page. Source: "Custom menus" of the official account docs (1 to 3
//! buttons, each with 1 to 5 below it); codes 40016 to 40027 are those of its error page. A [`Menu`] is one that WeChat
//! would show.

use serde::Serialize;
use serde_json::{Map, Value};

/// Buttons at most, and below each of them.
const MOST_BUTTONS: usize = 3;
const MOST_BELOW: usize = 5;
/// Longest texts, in bytes: names of buttons, of buttons below, keys, addresses.
const LONGEST_NAME: usize = 16;
const LONGEST_NAME_BELOW: usize = 60;
const LONGEST_KEY: usize = 128;
const LONGEST_URL: usize = 1_024;

/// A menu that can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Menu {
    /// Stands in `MenuId` of the events.
    pub(crate) id: u64,
    /// The buttons as they were given.
    pub(crate) button: Vec<Value>,
}

/// Codes for one level of buttons.
struct Codes {
    count: i64,
    kind: i64,
    name: i64,
    key: i64,
    url: i64,
}

const TOP: Codes = Codes { count: 40016, kind: 40017, name: 40018, key: 40019, url: 40020 };
const BELOW: Codes = Codes { count: 40023, kind: 40024, name: 40025, key: 40026, url: 40027 };

impl Menu {
    /// The menu in a body `{"button":[…]}`.
    ///
    /// # Errors
    /// The errcode that says what is wrong.
    pub(crate) fn parse(body: &Value, id: u64) -> Result<Menu, i64> {
        let buttons = body.get("button").and_then(Value::as_array).ok_or(TOP.count)?;
        if !(1..=MOST_BUTTONS).contains(&buttons.len()) {
            return Err(TOP.count);
        }
        buttons.iter().try_for_each(check_top)?;
        Ok(Menu { id, button: buttons.clone() })
    }
}

fn check_top(button: &Value) -> Result<(), i64> {
    let button = button.as_object().ok_or(TOP.kind)?;
    check_name(button, LONGEST_NAME, TOP.name)?;
    let below = button.get("sub_button").and_then(Value::as_array).filter(|below| !below.is_empty());
    let Some(below) = below else { return check_action(button, &TOP) };
    if below.len() > MOST_BELOW {
        return Err(BELOW.count);
    }
    below.iter().try_for_each(|button| {
        let button = button.as_object().ok_or(BELOW.kind)?;
        check_name(button, LONGEST_NAME_BELOW, BELOW.name)?;
        check_action(button, &BELOW)
    })
}

fn check_name(button: &Map<String, Value>, longest: usize, code: i64) -> Result<(), i64> {
    if fits(button, "name", longest) { Ok(()) } else { Err(code) }
}

fn check_action(button: &Map<String, Value>, codes: &Codes) -> Result<(), i64> {
    let kind = button.get("type").and_then(Value::as_str).unwrap_or_default();
    let (wanted, longest, code) = match kind {
        "click" | "scancode_push" | "scancode_waitmsg" | "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin"
        | "location_select" => ("key", LONGEST_KEY, codes.key),
        "view" | "miniprogram" => ("url", LONGEST_URL, codes.url),
        // WeCom's name for a mini program.
        "view_miniprogram" => ("pagepath", LONGEST_URL, codes.url),
        "media_id" | "view_limited" => ("media_id", LONGEST_KEY, codes.key),
        "article_id" | "article_view_limited" => ("article_id", LONGEST_KEY, codes.key),
        _ => return Err(codes.kind),
    };
    if fits(button, wanted, longest) { Ok(()) } else { Err(code) }
}

fn fits(button: &Map<String, Value>, name: &str, longest: usize) -> bool {
    let text = button.get(name).and_then(Value::as_str).unwrap_or_default();
    (1..=longest).contains(&text.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(buttons: &Value) -> Option<i64> {
        Menu::parse(&json!({ "button": buttons }), 1).err()
    }

    #[test]
    fn a_menu_is_what_wechat_would_show() {
        let click = json!({ "type": "click", "name": "今日歌曲", "key": "k" });
        let view = json!({ "type": "view", "name": "搜索", "url": "http://a" });
        assert_eq!(code(&json!([click, { "name": "菜单", "sub_button": [view, click] }])), None);
        assert_eq!(code(&json!([])), Some(40016));
        assert_eq!(code(&json!([click, click, click, click])), Some(40016));
        assert_eq!(code(&json!([{ "type": "fly", "name": "a", "key": "k" }])), Some(40017));
        assert_eq!(code(&json!([{ "type": "click", "name": "一二三四五六", "key": "k" }])), Some(40018));
        assert_eq!(code(&json!([{ "type": "click", "name": "a" }])), Some(40019));
        assert_eq!(code(&json!([{ "type": "view", "name": "a" }])), Some(40020));
        let six = vec![click; 6];
        assert_eq!(code(&json!([{ "name": "菜单", "sub_button": six }])), Some(40023));
        assert_eq!(code(&json!([{ "name": "菜单", "sub_button": [{ "type": "click", "name": "a" }] }])), Some(40026));
        assert_eq!(Menu::parse(&json!({}), 1).err(), Some(40016));
    }
}
