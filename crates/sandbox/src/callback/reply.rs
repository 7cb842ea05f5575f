//! The judgement about an answer to a push: nothing to show, something to show, or malformed and why.
//!
//! Called by `pusher` with the body of an HTTP 200. Source: "Passive replies" of the official account docs and of the
//! WeCom docs. What must stay true: whatever is not exactly a reply is malformed, because the user sees then that the
//! account is out of order, and the developer has to learn why.

use serde_json::{Map, Value};

use super::cipher::sign;
use super::config::{Callback, Format, Mode};
use super::content::{Content, objects, text_of};
use super::message::Conversation;
use super::xml::from_xml;
use crate::account::AccountKind;

/// Longest text, in bytes (unconfirmed for passive replies).
const LONGEST_TEXT: usize = 2_048;
/// Articles at most, where more than one is allowed.
const MOST_ARTICLES: usize = 8;

/// What an answer is measured against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) callback: &'a Callback,
    pub(crate) kind: AccountKind,
    /// The appid or corpid.
    pub(crate) receiver: &'a str,
    pub(crate) who: &'a Conversation,
    /// The message is one of those that are answered with at most one article.
    pub(crate) one_article: bool,
}

/// A well-formed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// No byte.
    Nothing,
    /// The word `success`.
    Success,
    /// Something to show.
    Reply {
        /// What a person sees.
        content: Content,
        /// The reply, decrypted.
        plain: String,
    },
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(pub(crate) String);

/// Judges the body of an answer.
///
/// # Errors
/// [`Malformed`] says what is wrong with it and what is wanted.
pub(crate) fn read(body: &[u8], expected: &Expected<'_>) -> Result<Answered, Malformed> {
    let text = std::str::from_utf8(body).map_err(|_| wrong("the body is not UTF-8"))?;
    match text.trim() {
        "" if text.is_empty() => return Ok(Answered::Nothing),
        "success" => return Ok(Answered::Success),
        _ => {}
    }
    let format = expected.callback.format;
    let outer = parse(text, format)?;
    let (plain, reply) = match (outer.get("Encrypt"), expected.callback.mode()) {
        (Some(_), Mode::Plain) => return Err(wrong("the reply is encrypted, but the mode is plain")),
        (Some(_), Mode::Compatible | Mode::Secure) => {
            let plain = opened(&outer, expected)?;
            let reply = parse(&plain, format)?;
            (plain, reply)
        }
        (None, Mode::Secure) => {
            return Err(wrong(
                "the reply is not encrypted, but the mode is secure; only success and nothing go in plain",
            ));
        }
        (None, Mode::Plain | Mode::Compatible) => (text.to_owned(), outer),
    };
    let content = judge(&reply, expected)?;
    Ok(Answered::Reply { content, plain })
}

fn wrong(text: impl Into<String>) -> Malformed {
    Malformed(text.into())
}

fn parse(text: &str, format: Format) -> Result<Map<String, Value>, Malformed> {
    match format {
        Format::Xml => from_xml(text).map_err(|error| wrong(error.to_string())),
        Format::Json => serde_json::from_str(text).map_err(|error| wrong(format!("no JSON object: {error}"))),
    }
}

/// The plaintext of an encrypted reply whose signature is right.
fn opened(outer: &Map<String, Value>, expected: &Expected<'_>) -> Result<String, Malformed> {
    let part = |name: &str| match outer.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(wrong(format!("the encrypted reply has no {name}"))),
    };
    let (encrypted, timestamp, nonce) = (part("Encrypt")?, part("TimeStamp")?, part("Nonce")?);
    if part("MsgSignature")? != sign(&[&expected.callback.token, &timestamp, &nonce, &encrypted]) {
        return Err(wrong(
            "MsgSignature does not fit: it is made over token, TimeStamp, Nonce and Encrypt of the reply",
        ));
    }
    let key = expected.callback.key().ok_or_else(|| wrong("the reply is encrypted, but there is no key"))?;
    key.decrypt(&encrypted, expected.receiver).map_err(|error| wrong(error.to_string()))
}

fn judge(reply: &Map<String, Value>, expected: &Expected<'_>) -> Result<Content, Malformed> {
    let exact = |name: &str| match reply.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(wrong(format!("{name} is missing; a reply has ToUserName, FromUserName, CreateTime and MsgType"))),
    };
    let (to, from, time, kind) =
        (exact("ToUserName")?, exact("FromUserName")?, exact("CreateTime")?, exact("MsgType")?);
    let who = expected.who;
    if to == who.account && from == who.user {
        return Err(wrong("ToUserName and FromUserName are not swapped: a reply goes to the user, from the account"));
    }
    if to != who.user || from != who.account {
        return Err(wrong(format!(
            "the reply goes from {from:?} to {to:?}, but belongs from {:?} to {:?}",
            who.account, who.user
        )));
    }
    if time.parse::<u64>().is_err() {
        return Err(wrong("CreateTime is no number of seconds"));
    }
    if !types(expected.kind).contains(&kind.as_str()) {
        let known = types(expected.kind).join(", ");
        return Err(wrong(format!("MsgType {kind:?} cannot be answered here; it is one of {known}")));
    }
    let body = part_of(&kind, reply);
    let required = |name: &str| {
        let value = body.as_ref().map(|body| text_of(body, name)).unwrap_or_default();
        if value.is_empty() { Err(wrong(format!("{kind} has no {name}"))) } else { Ok(value) }
    };
    match kind.as_str() {
        "text" if required("Content")?.len() > LONGEST_TEXT => {
            return Err(wrong(format!("Content has more than {LONGEST_TEXT} bytes")));
        }
        "image" | "voice" | "video" => drop(required("MediaId")?),
        "music" => drop(required("ThumbMediaId")?),
        "news" => articles_fit(reply, expected.one_article)?,
        _ => {}
    }
    Ok(Content::of(&kind, &body.unwrap_or_default()))
}

/// What can be answered (mini programs: everything else goes by customer-service messages, unconfirmed).
fn types(kind: AccountKind) -> &'static [&'static str] {
    match kind {
        AccountKind::Official => &["text", "image", "voice", "video", "music", "news", "transfer_customer_service"],
        AccountKind::MiniProgram => &["transfer_customer_service"],
        AccountKind::Wecom => {
            &["text", "image", "voice", "video", "news", "update_button", "update_taskcard", "update_template_card"]
        }
        AccountKind::Website => &[],
    }
}

/// The object that describes what a reply shows.
fn part_of(kind: &str, reply: &Map<String, Value>) -> Option<Map<String, Value>> {
    let name = match kind {
        "image" => "Image",
        "voice" => "Voice",
        "video" => "Video",
        "music" => "Music",
        "transfer_customer_service" => return Some(child(reply, "TransInfo").unwrap_or_default()),
        "news" => {
            let items = child(reply, "Articles")?.remove("item")?;
            return Some(Map::from_iter([("articles".to_owned(), items)]));
        }
        _ => return Some(reply.clone()),
    };
    child(reply, name)
}

fn child(reply: &Map<String, Value>, name: &str) -> Option<Map<String, Value>> {
    reply.get(name)?.as_object().cloned()
}

/// The number of articles, said and there. More than one in answer to a message, and more than 8 to anything, shows
/// nothing (exact split unconfirmed).
fn articles_fit(reply: &Map<String, Value>, one: bool) -> Result<(), Malformed> {
    let body = part_of("news", reply).unwrap_or_default();
    let there = match body.get("articles") {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(_)) => 1,
        _ => return Err(wrong("news has no Articles with an item")),
    };
    let said = text_of(reply, "ArticleCount").parse::<usize>().map_err(|_| wrong("ArticleCount is no number"))?;
    if said != there {
        return Err(wrong(format!("ArticleCount is {said}, but there are {there} items")));
    }
    let most = if one { 1 } else { MOST_ARTICLES };
    if there > most {
        return Err(wrong(format!("{there} articles, but this message is answered with at most {most}")));
    }
    let empty = objects(body.get("articles")).position(|article| text_of(article, "Title").is_empty());
    match empty {
        Some(at) => Err(wrong(format!("article {} has no Title", at + 1))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::config::NewCallback;
    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const HEAD: &str = "<ToUserName>oABC</ToUserName><FromUserName>gh_0</FromUserName><CreateTime>1</CreateTime>";

    fn callback(mode: Mode) -> Callback {
        Callback::new("http://host", "AAAAA", KEY).unwrap().in_mode(mode)
    }

    fn judged(callback: &Callback, kind: AccountKind, one_article: bool, body: &str) -> Result<Answered, Malformed> {
        let who = Conversation { account: "gh_0".into(), user: "oABC".into(), agentid: None };
        read(body.as_bytes(), &Expected { callback, kind, receiver: "wx0", who: &who, one_article })
    }

    fn official(body: &str) -> Result<Answered, Malformed> {
        judged(&callback(Mode::Plain), AccountKind::Official, true, body)
    }

    fn shown(rest: &str) -> Result<Content, String> {
        match official(&format!("<xml>{HEAD}{rest}</xml>")) {
            Ok(Answered::Reply { content, .. }) => Ok(content),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn sealed(plain: &str, receiver: &str) -> String {
        let encrypted = callback(Mode::Secure).key().unwrap().encrypt([1; 16], plain, receiver);
        let signature = sign(&["AAAAA", "1", "2", &encrypted]);
        format!(
            "<xml><Encrypt>{encrypted}</Encrypt><MsgSignature>{signature}</MsgSignature><TimeStamp>1</TimeStamp>\
             <Nonce>2</Nonce></xml>"
        )
    }

    #[test]
    fn every_type_is_shown() {
        let ok = |rest: &str| shown(rest).unwrap_or_else(|reason| panic!("{rest}: {reason}"));
        assert_eq!(ok("<MsgType>text</MsgType><Content>hi</Content>"), Content::Text { text: "hi".into() });
        let image = ok("<MsgType>image</MsgType><Image><MediaId>M</MediaId></Image>");
        assert_eq!(image, Content::Image { media_id: "M".into() });
        ok("<MsgType>voice</MsgType><Voice><MediaId>M</MediaId></Voice>");
        ok("<MsgType>video</MsgType><Video><MediaId>M</MediaId><Title>t</Title></Video>");
        ok("<MsgType>music</MsgType><Music><ThumbMediaId>M</ThumbMediaId></Music>");
        let news = ok("<MsgType>news</MsgType><ArticleCount>1</ArticleCount><Articles><item><Title>t</Title>\
            <Description>d</Description><PicUrl>p</PicUrl><Url>u</Url></item></Articles>");
        assert!(matches!(news, Content::News { articles } if articles.len() == 1 && articles[0].picture == "p"));
        assert_eq!(ok("<MsgType>transfer_customer_service</MsgType>"), Content::Transfer { agent: String::new() });
        let agent = ok("<MsgType>transfer_customer_service</MsgType><TransInfo><KfAccount>a@b</KfAccount></TransInfo>");
        assert_eq!(agent, Content::Transfer { agent: "a@b".into() });
    }

    #[test]
    fn success_and_nothing_stop_the_tries() {
        assert_eq!(official(""), Ok(Answered::Nothing));
        assert_eq!(official("success"), Ok(Answered::Success));
        assert!(official(" ").is_err());
        assert!(official("ok").is_err());
    }

    #[test]
    fn what_is_malformed_says_why() {
        for (rest, why) in [
            ("<MsgType>text</MsgType>", "Content"),
            ("<MsgType>image</MsgType><MediaId>M</MediaId>", "MediaId"),
            ("<MsgType>music</MsgType><Music><Title>t</Title></Music>", "ThumbMediaId"),
            ("<MsgType>card</MsgType>", "one of text, image"),
            ("<Content>x</Content>", "MsgType is missing"),
            ("<MsgType>news</MsgType><ArticleCount>1</ArticleCount>", "no Articles"),
            (
                "<MsgType>news</MsgType><ArticleCount>2</ArticleCount><Articles><item><Title>t</Title></item></Articles>",
                "is 2",
            ),
        ] {
            let reason = shown(rest).expect_err(rest);
            assert!(reason.contains(why), "{rest}: {reason}");
        }
        let long = format!("<MsgType>text</MsgType><Content>{}</Content>", "你".repeat(683));
        assert!(shown(&long).unwrap_err().contains("2048"));
        let swapped = "<xml><ToUserName>gh_0</ToUserName><FromUserName>oABC</FromUserName><CreateTime>1</CreateTime>\
            <MsgType>text</MsgType><Content>x</Content></xml>";
        assert!(official(swapped).unwrap_err().to_string().contains("swapped"));
        assert!(official(r#"{"MsgType":"text"}"#).is_err());
        assert!(official(&swapped.replace("oABC", "oXYZ")).unwrap_err().to_string().contains("belongs from"));
    }

    #[test]
    fn how_many_articles_depends_on_what_is_answered() {
        let articles = "<item><Title>t</Title></item>".repeat(2);
        let body = format!(
            "<xml>{HEAD}<MsgType>news</MsgType><ArticleCount>2</ArticleCount><Articles>{articles}</Articles></xml>"
        );
        let plain = callback(Mode::Plain);
        assert!(judged(&plain, AccountKind::Official, true, &body).is_err());
        assert!(judged(&plain, AccountKind::Official, false, &body).is_ok());
    }

    #[test]
    fn each_mode_takes_its_own_replies() {
        let plain = format!("<xml>{HEAD}<MsgType>text</MsgType><Content>hi</Content></xml>");
        let encrypted = sealed(&plain, "wx0");
        for (mode, with_plain, with_encrypted) in
            [(Mode::Plain, true, false), (Mode::Compatible, true, true), (Mode::Secure, false, true)]
        {
            let took = |body: &str| judged(&callback(mode), AccountKind::Official, true, body).is_ok();
            assert_eq!((took(&plain), took(&encrypted)), (with_plain, with_encrypted), "{mode:?}");
            assert!(took("success"));
        }
        let secure = |body: &str| judged(&callback(Mode::Secure), AccountKind::Official, true, body);
        assert!(secure(&sealed(&plain, "wx1")).unwrap_err().to_string().contains("belongs to"));
        let forged = encrypted.replace("<Nonce>2", "<Nonce>3");
        assert!(secure(&forged).unwrap_err().to_string().contains("MsgSignature"));
    }

    #[test]
    fn mini_programs_take_json_and_the_transfer_only() {
        let wish = json!({ "url": "http://host", "token": "AAAAA", "format": "json" });
        let wish: NewCallback = serde_json::from_value(wish).unwrap();
        let callback = wish.settle(AccountKind::MiniProgram).unwrap();
        let answer = |kind: &str| {
            let body = json!({
                "ToUserName": "oABC", "FromUserName": "gh_0", "CreateTime": 1, "MsgType": kind, "Content": "hi",
            });
            judged(&callback, AccountKind::MiniProgram, true, &body.to_string())
        };
        assert!(answer("transfer_customer_service").is_ok());
        assert!(answer("text").is_err());
    }
}
