//! What a reply says, as a type: the kinds of passive replies, with what each must have.
//!
//! Made of a document whose shape is right ([`shape`](super::shape)). Source: the tables of "passive reply" in the
//! official account documents. What must stay true: a text, id or title that WeChat requires is not empty here.

use super::ReplyError;
use crate::document::Element;

/// How many articles one reply may have.
pub const MAX_ARTICLES: usize = 8;

/// The kinds that are known here, by their `MsgType`.
const KNOWN: [&str; 7] = ["text", "image", "voice", "video", "music", "news", "transfer_customer_service"];

/// Longest name of a type, in bytes. WeChat's longest has 25.
const MAX_TYPE_LENGTH: usize = 64;

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text, which may have links and line breaks.
    Text(String),
    /// A picture that was uploaded.
    Image {
        /// Its id.
        media_id: String,
    },
    /// A sound that was uploaded.
    Voice {
        /// Its id.
        media_id: String,
    },
    /// A video that was uploaded.
    Video(Video),
    /// Music at some address.
    Music(Music),
    /// Articles with a link each, 1 to [`MAX_ARTICLES`].
    News(Vec<Article>),
    /// No answer of its own: a person takes over.
    TransferCustomerService {
        /// The agent who has to, if it is not any.
        kf_account: Option<String>,
    },
    /// A kind that is not known here, such as WeCom's `update_button`, or the data that a carrier answers: it is passed on.
    Raw {
        /// Its `MsgType`; empty when it has none.
        msg_type: String,
    },
}

/// A video.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Video {
    /// The id of the upload.
    pub media_id: String,
    /// May be empty.
    pub title: String,
    /// May be empty.
    pub description: String,
}

/// Music.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Music {
    /// May be empty.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// May be empty.
    pub music_url: String,
    /// The better quality, which is played on Wi-Fi. May be empty.
    pub hq_music_url: String,
    /// The id of the cover that was uploaded.
    pub thumb_media_id: String,
}

/// An article: a title, a picture, a link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Article {
    /// Not empty.
    pub title: String,
    /// May be empty.
    pub description: String,
    /// The address of the picture. May be empty.
    pub pic_url: String,
    /// The address of the page. May be empty.
    pub url: String,
}

impl Content {
    /// Reads it from a document.
    pub(super) fn of(document: &Element<'_>, msg_type: &str) -> Result<Self, ReplyError> {
        match msg_type {
            "text" => Ok(Self::Text(required(Some(document), "Content", "text", "Content")?)),
            "image" => {
                let media_id = required(document.child("Image"), "MediaId", "image", "Image.MediaId")?;
                Ok(Self::Image { media_id })
            }
            "voice" => {
                let media_id = required(document.child("Voice"), "MediaId", "voice", "Voice.MediaId")?;
                Ok(Self::Voice { media_id })
            }
            "video" => video(document.child("Video")),
            "music" => music(document.child("Music")),
            "news" => news(document.child("Articles")),
            "transfer_customer_service" => {
                let kf_account = optional(document.child("TransInfo"), "KfAccount");
                Ok(Self::TransferCustomerService { kf_account: Some(kf_account).filter(|account| !account.is_empty()) })
            }
            unknown => match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(unknown)) {
                Some(right) => Err(ReplyError::MsgTypeCase { right }),
                None if unknown.len() > MAX_TYPE_LENGTH || !unknown.bytes().all(is_part_of_type) => {
                    Err(ReplyError::MsgTypeName)
                }
                None => Ok(Self::Raw { msg_type: unknown.to_owned() }),
            },
        }
    }

    /// Its `MsgType`.
    pub(super) fn msg_type(&self) -> &str {
        match self {
            Self::Text(_) => "text",
            Self::Image { .. } => "image",
            Self::Voice { .. } => "voice",
            Self::Video(_) => "video",
            Self::Music(_) => "music",
            Self::News(_) => "news",
            Self::TransferCustomerService { .. } => "transfer_customer_service",
            Self::Raw { msg_type } => msg_type,
        }
    }
}

fn is_part_of_type(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn video(element: Option<&Element<'_>>) -> Result<Content, ReplyError> {
    Ok(Content::Video(Video {
        media_id: required(element, "MediaId", "video", "Video.MediaId")?,
        title: optional(element, "Title"),
        description: optional(element, "Description"),
    }))
}

fn music(element: Option<&Element<'_>>) -> Result<Content, ReplyError> {
    Ok(Content::Music(Music {
        title: optional(element, "Title"),
        description: optional(element, "Description"),
        music_url: optional(element, "MusicUrl"),
        hq_music_url: optional(element, "HQMusicUrl"),
        thumb_media_id: required(element, "ThumbMediaId", "music", "Music.ThumbMediaId")?,
    }))
}

fn news(articles: Option<&Element<'_>>) -> Result<Content, ReplyError> {
    let items = articles.map(|articles| articles.children.as_slice()).unwrap_or_default();
    if items.is_empty() {
        return Err(ReplyError::Missing { msg_type: "news", element: "Articles.item" });
    }
    if items.len() > MAX_ARTICLES {
        return Err(ReplyError::TooManyArticles(items.len()));
    }
    let article = |item: &Element<'_>| {
        Ok(Article {
            title: required(Some(item), "Title", "news", "Articles.item.Title")?,
            description: optional(Some(item), "Description"),
            pic_url: optional(Some(item), "PicUrl"),
            url: optional(Some(item), "Url"),
        })
    };
    items.iter().map(article).collect::<Result<_, _>>().map(Content::News)
}

fn optional(parent: Option<&Element<'_>>, name: &str) -> String {
    parent.and_then(|parent| parent.child_text(name)).unwrap_or_default().to_owned()
}

fn required(
    parent: Option<&Element<'_>>,
    name: &str,
    msg_type: &'static str,
    element: &'static str,
) -> Result<String, ReplyError> {
    let text = optional(parent, name);
    if text.trim().is_empty() { Err(ReplyError::Missing { msg_type, element }) } else { Ok(text) }
}
