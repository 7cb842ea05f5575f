//! Templates of an account, for template messages and subscription messages: a title, and a content with places to fill in.
//!
//! Made by `/cgi-bin/template/api_add_template` and by the control API. Source: "Template messages" of the official account
//! docs and "Subscription messages" of the mini program docs, with its table of what each kind of value may be. A place
//! stands as `{{NAME.DATA}}` in the content; a name like `thing1` says what kind of value belongs there.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::callback::Line;
use crate::chance;

/// Templates of one account at most.
const MOST: usize = 25;
/// How a place ends in a content, and how it begins.
const BEGIN: &str = "{{";
const END: &str = ".DATA}}";

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Template {
    pub(crate) template_id: String,
    pub(crate) title: String,
    pub(crate) content: String,
}

/// What is wrong with a value; WeChat names it in its error text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongValue {
    pub(crate) name: String,
    pub(crate) empty: bool,
}

/// Why there is no such template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdded {
    /// There are as many as there can be.
    TooMany,
    /// The id is in use.
    Taken,
}

/// The templates of one account.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    list: Vec<Template>,
}

impl Templates {
    /// A new template, with an id of its own when none is given.
    pub(crate) fn add(&mut self, id: Option<String>, title: String, content: String) -> Result<Template, NotAdded> {
        if self.list.len() >= MOST {
            return Err(NotAdded::TooMany);
        }
        let template_id = id.unwrap_or_else(chance::template_id);
        if self.find(&template_id).is_some() {
            return Err(NotAdded::Taken);
        }
        let template = Template { template_id, title, content };
        self.list.push(template.clone());
        Ok(template)
    }

    /// Takes one away; says whether it was there.
    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let before = self.list.len();
        self.list.retain(|template| template.template_id != id);
        self.list.len() < before
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Template> {
        self.list.iter().find(|template| template.template_id == id)
    }

    pub(crate) fn all(&self) -> &[Template] {
        &self.list
    }
}

impl Template {
    /// The content with values in its places, line by line. `strict`: every place needs a value; else only those whose
    /// names say what kind of value they want.
    ///
    /// # Errors
    /// [`WrongValue`] is the first that does not fit.
    pub(crate) fn filled(&self, data: &Map<String, Value>, strict: bool) -> Result<Vec<Line>, WrongValue> {
        self.content.lines().filter(|line| !line.trim().is_empty()).map(|line| filled(line, data, strict)).collect()
    }
}

/// One line, with its first place as the value and what stands before as the label.
fn filled(line: &str, data: &Map<String, Value>, strict: bool) -> Result<Line, WrongValue> {
    let Some((label, rest)) = line.split_once(BEGIN) else {
        return Ok(Line { label: String::new(), value: line.trim().to_owned() });
    };
    let Some((name, after)) = rest.split_once(END) else {
        return Ok(Line { label: String::new(), value: line.trim().to_owned() });
    };
    let value = value_of(data, name);
    let wrong = |empty| WrongValue { name: name.to_owned(), empty };
    if value.is_empty() && (strict || kind(name).is_some()) {
        return Err(wrong(true));
    }
    if kind(name).is_some_and(|fits| !fits(&value)) {
        return Err(wrong(false));
    }
    let label = label.trim().trim_end_matches([':', '：']).trim_end().to_owned();
    Ok(Line { label, value: format!("{value}{after}") })
}

fn value_of(data: &Map<String, Value>, name: &str) -> String {
    match data.get(name).and_then(|given| given.get("value")) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// The rule for values of a name such as `thing1`; `None` for names that say nothing.
fn kind(name: &str) -> Option<fn(&str) -> bool> {
    let kind = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    Some(match kind {
        "thing" => |text| text.chars().count() <= 20,
        "number" => |text| text.len() <= 32 && text.parse::<f64>().is_ok_and(f64::is_finite),
        "letter" => |text| text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        "symbol" => |text| text.chars().count() <= 5 && !text.chars().any(char::is_alphanumeric),
        "character_string" => {
            |text| text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        }
        "time" | "date" => |text| text.contains(|letter: char| letter.is_ascii_digit()) && !text.contains('～'),
        "amount" => |text| text.contains(|letter: char| letter.is_ascii_digit()) && text.chars().count() <= 16,
        "phone_number" => {
            |text| text.len() <= 17 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_punctuation())
        }
        "car_number" => |text| text.chars().count() <= 8,
        "name" => |text| text.chars().count() <= if text.is_ascii() { 20 } else { 10 },
        "phrase" => |text| text.chars().count() <= 5 && !text.is_ascii(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(content: &str) -> Template {
        let mut templates = Templates::default();
        templates.add(None, "支付成功".into(), content.into()).unwrap()
    }

    fn lines(content: &str, data: &Value, strict: bool) -> Result<Vec<Line>, WrongValue> {
        template(content).filled(data.as_object().unwrap(), strict)
    }

    #[test]
    fn places_are_filled_line_by_line() {
        let content = "{{first.DATA}}\n\n金额：{{amount1.DATA}}\n谢谢\n{{remark.DATA}}";
        let data = json!({ "first": { "value": "你好" }, "amount1": { "value": "30.00元", "color": "#173177" } });
        let line = |label: &str, value: &str| Line { label: label.into(), value: value.into() };
        let wanted = vec![line("", "你好"), line("金额", "30.00元"), line("", "谢谢"), line("", "")];
        assert_eq!(lines(content, &data, false), Ok(wanted));
        assert_eq!(lines(content, &data, true), Err(WrongValue { name: "remark".into(), empty: true }));
    }

    #[test]
    fn each_kind_of_value_has_its_rule() {
        for (name, value, fits) in [
            ("thing1", "二十个字以内", true),
            ("thing1", "这里有二十一个字这里有二十一个字这里有二", true),
            ("thing1", "这里有二十一个字这里有二十一个字这里有二十", false),
            ("number2", "12.5", true),
            ("number2", "twelve", false),
            ("letter1", "abc", true),
            ("letter1", "abc1", false),
            ("character_string10", "NO-1", true),
            ("character_string10", "单号", false),
            ("time3", "15:01~16:00", true),
            ("time3", "15:01～16:00", false),
            ("date4", "soon", false),
            ("phone_number1", "+86-139", true),
            ("phone_number1", "电话", false),
            ("name1", "张三", true),
            ("name1", "一二三四五六七八九十一", false),
            ("phrase1", "已完成", true),
            ("phrase1", "done", false),
            ("keyword1", "", true),
        ] {
            let data = json!({ name: { "value": value } });
            let content = format!("x：{{{{{name}.DATA}}}}");
            assert_eq!(lines(&content, &data, false).is_ok(), fits, "{name} {value}");
        }
    }

    #[test]
    fn there_are_25_at_most_and_ids_are_unique() {
        let mut templates = Templates::default();
        let mut add = |id: Option<&str>| templates.add(id.map(Into::into), String::new(), String::new());
        assert!(add(Some("T")).is_ok());
        assert_eq!(add(Some("T")), Err(NotAdded::Taken));
        for _ in 1..MOST {
            assert!(add(None).is_ok());
        }
        assert_eq!(add(None), Err(NotAdded::TooMany));
        assert!(templates.remove("T") && !templates.remove("T"));
        assert_eq!(templates.all().len(), MOST - 1);
    }

    proptest::proptest! {
        #[test]
        fn foreign_contents_never_panic(content in "(\\{\\{|\\.DATA\\}\\}|thing1|：|\n|x){0,20}") {
            drop(lines(&content, &json!({ "thing1": { "value": "v" } }), false));
        }
    }
}
