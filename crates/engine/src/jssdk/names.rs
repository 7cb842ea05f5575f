//! The interfaces and open tags that a page asks for, as JSON lists that are ready to be put into a script.

use std::borrow::Cow;
use std::sync::LazyLock;

use wechat::jssdk::{API_NAMES, CORP_API_NAMES, OPEN_TAGS, is_name};

/// Most names in one list.
const MAX_NAMES: usize = 200;

static ALL_APIS: LazyLock<String> = LazyLock::new(|| json_list(API_NAMES.iter().copied()));
static ALL_CORP_APIS: LazyLock<String> = LazyLock::new(|| json_list(CORP_API_NAMES.iter().copied()));
static ALL_TAGS: LazyLock<String> = LazyLock::new(|| json_list(OPEN_TAGS.iter().copied()));

/// Why a list is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is a list of names, joined by commas or given again and again, like {0}=chooseImage,scanQRCode (at most \
     {MAX_NAMES} names of ASCII letters, digits, '-', '_', ':' and '.')"
)]
pub struct NoNames(&'static str);

/// Two lists, each as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `jsApiList`.
    pub apis: Cow<'static, str>,
    /// `openTagList`.
    pub tags: Cow<'static, str>,
}

impl Names {
    /// Reads `apilist` and `opentaglist`; what is not given means all, of an official account's or WeCom's.
    ///
    /// # Errors
    /// [`NoNames`].
    pub fn read(pairs: &[(String, String)], is_corp: bool) -> Result<Self, NoNames> {
        let all = if is_corp { &ALL_CORP_APIS } else { &ALL_APIS };
        Ok(Self { apis: list(pairs, "apilist", all)?, tags: list(pairs, "opentaglist", &ALL_TAGS)? })
    }
}

fn list(pairs: &[(String, String)], parameter: &'static str, all: &'static str) -> Result<Cow<'static, str>, NoNames> {
    let given = pairs.iter().filter(|(name, _)| name == parameter).map(|(_, value)| value.as_str());
    let names: Vec<&str> =
        given.flat_map(|value| value.split(',')).map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Ok(Cow::Borrowed(all));
    }
    if names.len() > MAX_NAMES || !names.iter().all(|name| is_name(name)) {
        return Err(NoNames(parameter));
    }
    Ok(Cow::Owned(json_list(names.into_iter())))
}

/// Names need no escapes.
fn json_list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Names, NoNames> {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Names::read(&pairs, false)
    }

    #[test]
    fn lists_are_json_and_hold_nothing_but_names() {
        let all = read(&[("apilist", "")]).unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(&all.apis).unwrap(), API_NAMES);
        assert_eq!(serde_json::from_str::<Vec<String>>(&all.tags).unwrap(), OPEN_TAGS);
        let of_wecom = Names::read(&[], true).unwrap();
        assert_eq!(serde_json::from_str::<Vec<String>>(&of_wecom.apis).unwrap(), CORP_API_NAMES);
        assert!(CORP_API_NAMES.iter().all(|name| is_name(name)));
        let some = read(&[("apilist", "chooseImage, scanQRCode"), ("apilist", "a:b")]).unwrap();
        assert_eq!(some.apis, r#"["chooseImage","scanQRCode","a:b"]"#);
        for bad in ["a b", "\"", "</script>", "图"] {
            assert_eq!(read(&[("opentaglist", bad)]), Err(NoNames("opentaglist")), "{bad}");
        }
    }
}
