//! A reply that comes too late to be one: the calls that send it as messages.
//!
//! Made for [`Call::custom_send`](crate::calls::Call::custom_send) and [`Call::wecom_send`](crate::calls::Call::wecom_send).
//! Source: "sendCustomMessage" of the official account documents, "send application messages" of WeCom's.
//!
//! What must stay true: each body is one call, in the order in which the user should see them, in real UTF-8 (WeChat
//! shows `\u` escapes as they are).

use serde_json::{Map, Value, json};

use super::split::split_text;
use super::{Article, Content, Reply};

/// Longest text of one message, in bytes; longer ones are sent in pieces.
pub const MAX_TEXT_BYTES: usize = 2048;

/// Why a reply cannot be sent later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSendable {
    /// `transfer_customer_service`.
    #[error(
        "transfer_customer_service works only as an answer within WeChat's 5 seconds: answer faster, or create the \
         session through the customer service API"
    )]
    Transfer,
    /// Music, which WeCom does not have.
    #[error("WeCom has no music messages: send a text with the link, or an article")]
    Music,
    /// A kind that is not known here.
    #[error("a reply of type '{0}' works only as an answer within WeChat's 5 seconds: answer faster")]
    Unknown(String),
}

impl Reply {
    /// The bodies for `POST /cgi-bin/message/custom/send`, one call each.
    ///
    /// Texts over [`MAX_TEXT_BYTES`] become several. So do articles: this API takes exactly one in a message, and
    /// half an answer would be worse than five messages; the caller stops at the first refusal.
    ///
    /// # Errors
    /// [`NotSendable`] for what exists only as a passive reply.
    pub fn as_customer_service(&self, openid: &str) -> Result<Vec<Vec<u8>>, NotSendable> {
        let contents = match self.content() {
            Content::Text(text) => text_contents(text),
            Content::Image { media_id } => vec![("image", json!({ "media_id": media_id }))],
            Content::Voice { media_id } => vec![("voice", json!({ "media_id": media_id }))],
            Content::Video(video) => vec![(
                "video",
                json!({
                    "media_id": video.media_id,
                    "title": video.title,
                    "description": video.description,
                }),
            )],
            Content::Music(music) => vec![(
                "music",
                json!({
                    "title": music.title,
                    "description": music.description,
                    "musicurl": music.music_url,
                    "hqmusicurl": music.hq_music_url,
                    "thumb_media_id": music.thumb_media_id,
                }),
            )],
            Content::News(articles) => {
                articles.iter().map(|one| ("news", json!({ "articles": [article(one)] }))).collect()
            }
            Content::TransferCustomerService { .. } => return Err(NotSendable::Transfer),
            Content::Raw { msg_type } => return Err(NotSendable::Unknown(msg_type.clone())),
        };
        let touser = [("touser", Value::from(openid))];
        Ok(contents.into_iter().map(|(kind, content)| body(&touser, kind, content)).collect())
    }

    /// The bodies for WeCom's `POST /cgi-bin/message/send` of the app `agentid`, one call each. Texts over
    /// [`MAX_TEXT_BYTES`] become several; articles stay together.
    ///
    /// # Errors
    /// [`NotSendable`] for what exists only as a passive reply or not in WeCom.
    pub fn as_wecom(&self, userid: &str, agentid: &str) -> Result<Vec<Vec<u8>>, NotSendable> {
        let contents = match self.content() {
            Content::Text(text) => text_contents(text),
            Content::Image { media_id } => vec![("image", json!({ "media_id": media_id }))],
            Content::Voice { media_id } => vec![("voice", json!({ "media_id": media_id }))],
            Content::Video(video) => vec![(
                "video",
                json!({
                    "media_id": video.media_id,
                    "title": video.title,
                    "description": video.description,
                }),
            )],
            Content::News(articles) => {
                vec![("news", json!({ "articles": articles.iter().map(article).collect::<Vec<_>>() }))]
            }
            Content::Music(_) => return Err(NotSendable::Music),
            Content::TransferCustomerService { .. } => return Err(NotSendable::Transfer),
            Content::Raw { msg_type } => return Err(NotSendable::Unknown(msg_type.clone())),
        };
        // WeCom wants a number where its own pushes have text.
        let agentid = agentid.parse::<u64>().map_or_else(|_| Value::from(agentid), Value::from);
        let head = [("touser", Value::from(userid)), ("agentid", agentid)];
        Ok(contents.into_iter().map(|(kind, content)| body(&head, kind, content)).collect())
    }
}

/// A text in pieces. White space alone is no message: WeChat refuses it.
fn text_contents(text: &str) -> Vec<(&'static str, Value)> {
    let pieces = split_text(text, MAX_TEXT_BYTES).into_iter().filter(|piece| !piece.trim().is_empty());
    pieces.map(|piece| ("text", json!({ "content": piece }))).collect()
}

fn article(article: &Article) -> Value {
    json!({
        "title": article.title,
        "description": article.description,
        "url": article.url,
        "picurl": article.pic_url,
    })
}

fn body(head: &[(&str, Value)], kind: &str, content: Value) -> Vec<u8> {
    let mut body: Map<String, Value> = head.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    body.insert("msgtype".to_owned(), kind.into());
    body.insert(kind.to_owned(), content);
    Value::Object(body).to_string().into_bytes()
}
