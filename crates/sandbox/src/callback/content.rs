//! What a person sees of a message, whoever sent it and in whichever spelling.
//!
//! Made from pushes (`MediaId`), passive replies (`MediaId`) and customer-service messages (`media_id`), and kept in the
//! chat; the page draws it. Texts are bounded, because the chat keeps them.

use serde::Serialize;
use serde_json::{Map, Value};

/// Characters of a text that are kept.
const LONGEST_TEXT: usize = 4_096;
/// Entries of a list that are kept.
const MOST_ENTRIES: usize = 20;

/// What a person sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Content {
    /// May hold links: `<a href="…">`.
    Text {
        text: String,
    },
    Image {
        media_id: String,
    },
    Voice {
        media_id: String,
    },
    Video {
        media_id: String,
        title: String,
        description: String,
    },
    Music {
        title: String,
        description: String,
        url: String,
    },
    News {
        articles: Vec<Article>,
    },
    Location {
        latitude: String,
        longitude: String,
        label: String,
    },
    Link {
        title: String,
        description: String,
        url: String,
        picture: String,
    },
    MiniProgramPage {
        title: String,
        appid: String,
        path: String,
        thumb_media_id: String,
    },
    /// A question with options to tap on.
    MsgMenu {
        head: String,
        options: Vec<Choice>,
        tail: String,
    },
    /// Something that lives elsewhere and is named by an id: a card, an article, a file.
    Reference {
        kind: String,
        id: String,
    },
    /// A template message or a subscription message.
    Notice {
        title: String,
        lines: Vec<Line>,
        url: String,
        /// The mini program that it leads to, and the page there.
        appid: String,
        path: String,
    },
    /// WeCom's text card.
    TextCard {
        title: String,
        description: String,
        url: String,
        button: String,
    },
    /// WeCom's Markdown.
    Markdown {
        text: String,
    },
    /// The user is handed over to customer service.
    Transfer {
        agent: String,
    },
    /// Something that the user did.
    Event {
        event: String,
        key: String,
    },
    /// What WeChat says in place of an answer.
    Unavailable {
        text: String,
    },
    /// Anything else, as JSON.
    Other {
        kind: String,
        text: String,
    },
}

/// One article of a news message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Article {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) picture: String,
    pub(crate) url: String,
}

/// One line of a notice: what it is about, and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) value: String,
}

/// One option of a `msgmenu`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) content: String,
}

impl Content {
    /// A filled template, and where it leads.
    pub(crate) fn notice(title: &str, lines: Vec<Line>, [url, appid, path]: [&str; 3]) -> Content {
        let clip = |line: Line| Line { label: clipped(&line.label), value: clipped(&line.value) };
        let lines = lines.into_iter().take(MOST_ENTRIES).map(clip).collect();
        Content::Notice { title: clipped(title), lines, url: clipped(url), appid: clipped(appid), path: clipped(path) }
    }

    /// Content of a type, from the object that describes it.
    pub(crate) fn of(kind: &str, body: &Map<String, Value>) -> Content {
        let text = |name: &str| text_of(body, name);
        match kind {
            "text" => Content::Text { text: text("Content") },
            "image" => Content::Image { media_id: text("MediaId") },
            "voice" => Content::Voice { media_id: text("MediaId") },
            "video" | "shortvideo" => {
                Content::Video { media_id: text("MediaId"), title: text("Title"), description: text("Description") }
            }
            "music" => Content::Music { title: text("Title"), description: text("Description"), url: text("MusicUrl") },
            "news" => Content::News { articles: objects(body.get("articles")).map(article).collect() },
            "location" => {
                Content::Location { latitude: text("Location_X"), longitude: text("Location_Y"), label: text("Label") }
            }
            "link" => Content::Link {
                title: text("Title"),
                description: text("Description"),
                url: text("Url"),
                picture: first([text("thumb_url"), text("PicUrl")]),
            },
            "miniprogrampage" => Content::MiniProgramPage {
                title: text("Title"),
                appid: text("AppId"),
                path: text("PagePath"),
                thumb_media_id: text("ThumbMediaId"),
            },
            "msgmenu" => Content::MsgMenu {
                head: text("head_content"),
                options: objects(body.get("list")).map(choice).collect(),
                tail: text("tail_content"),
            },
            "wxcard" => Content::Reference { kind: kind.into(), id: text("card_id") },
            "mpnewsarticle" => Content::Reference { kind: kind.into(), id: text("article_id") },
            "file" => Content::Reference { kind: kind.into(), id: text("MediaId") },
            "mpnews" if body.contains_key("media_id") => Content::Reference { kind: kind.into(), id: text("MediaId") },
            "mpnews" => Content::News { articles: objects(body.get("articles")).map(article).collect() },
            "textcard" => Content::TextCard {
                title: text("Title"),
                description: text("Description"),
                url: text("Url"),
                button: text("btntxt"),
            },
            "markdown" => Content::Markdown { text: text("Content") },
            "transfer_customer_service" => Content::Transfer { agent: text("KfAccount") },
            "event" => Content::Event { event: text("Event"), key: text("EventKey") },
            _ => Content::Other { kind: clipped(kind), text: clipped(&Value::Object(body.clone()).to_string()) },
        }
    }
}

/// A member as text, found without regard to case and underscores; numbers count as text, what is absent is empty.
pub(crate) fn text_of(body: &Map<String, Value>, name: &str) -> String {
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let wanted = plain(name);
    let found =
        body.get(name).or_else(|| body.iter().find(|(known, _)| plain(known) == wanted).map(|(_, value)| value));
    match found {
        Some(Value::String(text)) => clipped(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// The objects of a list; a single object is a list of one.
pub(crate) fn objects(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let items = match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    items.iter().filter_map(Value::as_object).take(MOST_ENTRIES)
}

fn article(body: &Map<String, Value>) -> Article {
    let text = |name: &str| text_of(body, name);
    Article {
        title: text("Title"),
        description: first([text("Description"), text("digest")]),
        picture: text("PicUrl"),
        url: first([text("Url"), text("content_source_url")]),
    }
}

fn choice(body: &Map<String, Value>) -> Choice {
    Choice { id: text_of(body, "id"), content: text_of(body, "content") }
}

fn first(texts: [String; 2]) -> String {
    let [one, other] = texts;
    if one.is_empty() { other } else { one }
}

fn clipped(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(kind: &str, body: &Value) -> Content {
        Content::of(kind, body.as_object().unwrap())
    }

    #[test]
    fn both_spellings_are_understood() {
        let image = Content::Image { media_id: "M".into() };
        assert_eq!(content("image", &json!({ "MediaId": "M" })), image);
        assert_eq!(content("image", &json!({ "media_id": "M" })), image);
        let music = Content::Music { title: "t".into(), description: String::new(), url: "u".into() };
        assert_eq!(content("music", &json!({ "Title": "t", "MusicUrl": "u" })), music);
        assert_eq!(content("music", &json!({ "title": "t", "musicurl": "u" })), music);
    }

    #[test]
    fn long_things_are_cut() {
        let Content::Text { text } = content("text", &json!({ "content": "你".repeat(9_000) })) else {
            panic!("text")
        };
        assert_eq!(text.chars().count(), LONGEST_TEXT);
        let line = Line { label: String::new(), value: "你".repeat(9_000) };
        let notice = Content::notice("t", vec![line; 50], ["u", "", ""]);
        let Content::Notice { lines, .. } = notice else { panic!("notice") };
        assert_eq!(lines.len(), MOST_ENTRIES);
        assert!(lines.iter().all(|line| line.value.chars().count() == LONGEST_TEXT));
        let articles = vec![json!({ "title": "t" }); 50];
        let Content::News { articles } = content("news", &json!({ "articles": articles })) else { panic!("news") };
        assert_eq!(articles.len(), MOST_ENTRIES);
    }
}
