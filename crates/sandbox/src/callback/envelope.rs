//! The two requests that WeChat makes to a callback URL: the check of the URL, and the push of a message.
//!
//! Called by `pusher`. Source: "Message push" of the official account docs, "Callback configuration" of the WeCom docs.
//! WeCom signs and encrypts always and says so in other parameters.

use reqwest::Url;
use serde_json::{Map, Value, json};

use super::Format;
use super::cipher::sign;
use super::config::{Callback, Mode};
use super::message::{Conversation, Message, written};

/// What is new in every request.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    /// Unix seconds.
    pub(crate) timestamp: u64,
    /// Decimal digits.
    pub(crate) nonce: String,
    /// In front of the message, within the ciphertext.
    pub(crate) random: [u8; 16],
}

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) url: Url,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// The GET by which WeChat checks a URL, and what it has to answer. `receiver` is the appid or corpid.
pub(crate) fn url_check(callback: &Callback, receiver: &str, wecom: bool, stamp: &Stamp, echo: &str) -> Url {
    let encrypted = callback.key().filter(|_| wecom).map(|key| key.encrypt(stamp.random, echo, receiver));
    let timestamp = stamp.timestamp.to_string();
    let (name, echostr) = match &encrypted {
        Some(encrypted) => ("msg_signature", encrypted.as_str()),
        None => ("signature", echo),
    };
    let mut signed = vec![callback.token.as_str(), &timestamp, &stamp.nonce];
    signed.extend(encrypted.as_deref());
    let pairs =
        [(name, sign(&signed)), ("timestamp", timestamp), ("nonce", stamp.nonce.clone()), ("echostr", echostr.into())];
    with_query(&callback.url, &pairs)
}

/// The POST of a message. `receiver` is the appid or corpid.
pub(crate) fn push(
    callback: &Callback,
    receiver: &str,
    who: &Conversation,
    message: &Message,
    stamp: &Stamp,
) -> Delivery {
    let wecom = who.agentid.is_some();
    let format = callback.format;
    let plain = message.plain(format);
    let encrypted = callback.key().map(|key| key.encrypt(stamp.random, &plain, receiver));
    let timestamp = stamp.timestamp.to_string();
    let (token, nonce) = (callback.token.as_str(), stamp.nonce.as_str());
    let mut pairs = Vec::new();
    if !wecom {
        pairs.push(("signature", sign(&[token, &timestamp, nonce])));
    }
    pairs.extend([("timestamp", timestamp.clone()), ("nonce", nonce.to_owned())]);
    if !wecom {
        pairs.push(("openid", who.user.clone()));
    }
    if let Some(encrypted) = &encrypted {
        if !wecom {
            pairs.push(("encrypt_type", "aes".to_owned()));
        }
        pairs.push(("msg_signature", sign(&[token, &timestamp, nonce, encrypted])));
    }
    let body = match (encrypted, callback.mode()) {
        (None, _) | (_, Mode::Plain) => plain,
        (Some(encrypted), Mode::Compatible) => message.with_ciphertext(&encrypted, format),
        (Some(encrypted), Mode::Secure) => sealed(who, &encrypted, format),
    };
    let content_type = if format == Format::Xml { "text/xml" } else { "application/json" };
    Delivery { url: with_query(&callback.url, &pairs), content_type, body }
}

/// All that secure mode sends.
fn sealed(who: &Conversation, encrypted: &str, format: Format) -> String {
    let mut elements = Map::new();
    elements.insert("ToUserName".into(), json!(who.account));
    elements.insert("Encrypt".into(), json!(encrypted));
    if let Some(agentid) = who.agentid {
        elements.insert("AgentID".into(), Value::String(agentid.to_string()));
    }
    written(&elements, format)
}

fn with_query(url: &Url, pairs: &[(&str, String)]) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

#[cfg(test)]
mod tests {
    use super::super::message::Numbers;
    use super::*;
    use crate::callback::Callback;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn callback() -> Callback {
        Callback::new("http://host/msg?a=1", "AAAAA", KEY).unwrap()
    }

    fn stamp(timestamp: u64, nonce: &str, random: &str) -> Stamp {
        Stamp { timestamp, nonce: nonce.into(), random: random.as_bytes().try_into().unwrap() }
    }

    fn query(url: &Url) -> Vec<(String, String)> {
        url.query_pairs().into_owned().collect()
    }

    #[test]
    fn the_url_check_of_the_published_sample() {
        let url = url_check(
            &callback().in_mode(Mode::Plain),
            "wx0",
            false,
            &stamp(1_714_036_504, "1514711492", "0123456789abcdef"),
            "4375120948345356249",
        );
        assert_eq!(
            url.as_str(),
            "http://host/msg?a=1&signature=f464b24fc39322e44b38aa78f5edd27bd1441696&timestamp=1714036504\
             &nonce=1514711492&echostr=4375120948345356249"
        );
    }

    #[test]
    fn wecom_encrypts_the_echo() {
        let url = url_check(&callback(), "ww1", true, &stamp(1, "2", "0123456789abcdef"), "123");
        let pairs = query(&url);
        let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "msg_signature", "timestamp", "nonce", "echostr"]);
        let echostr = &pairs.last().unwrap().1;
        assert_eq!(callback().key().unwrap().decrypt(echostr, "ww1").as_deref(), Ok("123"));
        assert_eq!(pairs[1].1, sign(&["AAAAA", "1", "2", echostr]));
    }

    fn pushed(callback: &Callback, agentid: Option<u64>) -> Delivery {
        let who = Conversation { account: "gh_0".into(), user: "oABC".into(), agentid };
        let given = json!({ "MsgType": "text", "Content": "hi" });
        let numbers = Numbers { create_time: 1, msg_id: 2 };
        let message = Message::complete(given.as_object().cloned().unwrap(), &who, numbers).unwrap();
        push(callback, "wx0", &who, &message, &stamp(1_714_037_059, "486452656", "0123456789abcdef"))
    }

    #[test]
    fn each_mode_sends_its_own_parameters_and_body() {
        let plain = pushed(&callback().in_mode(Mode::Plain), None);
        assert_eq!(
            plain.url.as_str(),
            "http://host/msg?a=1&signature=899cf89e464efb63f54ddac96b0a0a235f53aa78&timestamp=1714037059\
             &nonce=486452656&openid=oABC"
        );
        assert!(plain.body.contains("<Content><![CDATA[hi]]></Content>"));
        let both = pushed(&callback().in_mode(Mode::Compatible), None);
        let names: Vec<_> = query(&both.url).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "signature", "timestamp", "nonce", "openid", "encrypt_type", "msg_signature"]);
        assert!(both.body.contains("<Content>") && both.body.contains("<Encrypt>"));
        let secure = pushed(&callback(), None);
        assert!(!secure.body.contains("<Content>"), "{}", secure.body);
        assert!(secure.body.starts_with("<xml><ToUserName><![CDATA[gh_0]]></ToUserName><Encrypt>"), "{}", secure.body);
    }

    #[test]
    fn wecom_names_the_app_outside() {
        let sent = pushed(&callback(), Some(7));
        let names: Vec<_> = query(&sent.url).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "timestamp", "nonce", "msg_signature"]);
        assert!(sent.body.contains("<AgentID><![CDATA[7]]></AgentID>"), "{}", sent.body);
    }
}
