//! The shape of a reply: what backends may leave out or put elsewhere, put right.
//!
//! Used by [`Reply`](super::Reply) before the content is read and when it is rendered. What must stay true: only what is
//! known is moved; elements that are not known stay where they are (but in `Articles`, which holds nothing but items).

use crate::document::{Element, Format, Text};

/// Elements with numbers; all others of the known kinds are strings, also where they look like numbers.
const NUMBERS: [&str; 2] = ["CreateTime", "ArticleCount"];

/// What every reply has, beside `MsgType`.
const HEAD: [&str; 3] = ["ToUserName", "FromUserName", "CreateTime"];

/// What an article has.
const ARTICLE: [&str; 4] = ["Title", "Description", "PicUrl", "Url"];

/// Puts a reply of a known kind into the shape that WeChat documents. True when it had that shape: its bytes may go on.
pub(super) fn put_right(root: &mut Element<'_>, msg_type: &str, format: Format) -> bool {
    let was_right = match msg_type {
        "text" | "transfer_customer_service" => true,
        "image" => gather(root, "Image", &["MediaId"]),
        "voice" => gather(root, "Voice", &["MediaId"]),
        "video" => gather(root, "Video", &["MediaId", "Title", "Description"]),
        "music" => gather(root, "Music", &["Title", "Description", "MusicUrl", "HQMusicUrl", "ThumbMediaId"]),
        "news" => put_articles_right(root),
        _ => return true,
    };
    let changed = root.children.iter_mut().map(put_text_right).sum::<usize>();
    // CDATA or not is the same in XML; in JSON a number is no string.
    was_right && (format == Format::Xml || changed == 0)
}

/// Whether all is there that every reply has.
pub(super) fn is_complete(root: &Element<'_>) -> bool {
    HEAD.iter().all(|name| super::has(root, name))
}

/// Puts `element` to the front, unless one of its name is there that is not empty.
pub(super) fn fill<'a>(root: &mut Element<'a>, element: Element<'a>) {
    if super::has(root, &element.name) {
        return;
    }
    root.children.retain(|child| child.name != element.name);
    root.children.insert(0, element);
}

/// Moves the elements `names` from the root into one called `container`, when that is missing. True when it was there.
fn gather(root: &mut Element<'_>, container: &'static str, names: &[&str]) -> bool {
    if root.child(container).is_some() {
        return true;
    }
    let (inner, outer) =
        std::mem::take(&mut root.children).into_iter().partition(|child| names.contains(&child.name.as_ref()));
    root.children = outer;
    root.children.push(Element::with(container, inner));
    false
}

/// `Articles` as one element with `item`s, each with all its elements, and their count. True when it was like that.
fn put_articles_right(root: &mut Element<'_>) -> bool {
    let (lists, others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut root.children).into_iter().partition(|child| child.name == "Articles");
    root.children = others;
    let mut was_right = lists.len() == 1;
    let mut items = Vec::new();
    for mut list in lists {
        if list.child("item").is_some() {
            items.extend(list.children.into_iter().filter(|child| child.name == "item"));
        } else if !list.is_empty() {
            list.name = "item".into();
            items.push(list);
            was_right = false;
        }
    }
    for item in &mut items {
        for name in ARTICLE.iter().filter(|name| item.child(name).is_none()).copied().collect::<Vec<_>>() {
            item.children.push(Element::quoted(name, ""));
            was_right = false;
        }
    }
    let count = items.len().to_string();
    if root.child_text("ArticleCount") != Some(&count) {
        root.children.retain(|child| child.name != "ArticleCount");
        root.children.push(Element { text: Text::Bare(count.into()), ..Element::new("ArticleCount") });
        was_right = false;
    }
    root.children.push(Element::with("Articles", items));
    was_right
}

/// Makes a string of a bare text, and a number of what has to be one; returns how many texts it changed.
fn put_text_right(element: &mut Element<'_>) -> usize {
    let is_number = NUMBERS.contains(&element.name.as_ref());
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let changed = match &mut element.text {
        Text::Bare(text) if !is_number => Some(Text::Quoted(std::mem::take(text))),
        Text::Quoted(text) if is_number && is_digits(text) => Some(Text::Bare(std::mem::take(text))),
        _ => None,
    };
    let count = usize::from(changed.is_some());
    element.text = changed.unwrap_or_else(|| std::mem::take(&mut element.text));
    count + element.children.iter_mut().map(put_text_right).sum::<usize>()
}
