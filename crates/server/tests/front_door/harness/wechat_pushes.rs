//! WeChat's side of a callback: messages, signed and encrypted, sent in tries; and how it reads the answer.
//!
//! Written from the platform's documents, with none of the product's code: the two must agree by what is documented, not by
//! sharing a mistake. Each push has a nonce of its own, as each of WeChat's tries may.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use http::Method;
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::caller::{Answer, Caller};

/// The token of the accounts here.
pub(crate) const TOKEN: &str = "AAAAA";
/// The appid with which `Caller::register_cold` registers.
pub(crate) const APPID: &str = "wx0123456789abcdef";
/// The EncodingAESKey of the accounts here; its last character has spare bits.
pub(crate) const AES: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
/// The account's original id, and a user.
pub(crate) const ACCOUNT: &str = "gh_97417a04a28d";
pub(crate) const USER: &str = "o9AgO5Kd5ggOC-bXrbNODIiE3bGY";

/// How long WeChat waits for the answer to one try.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A number that nobody in this process had.
pub(crate) fn fresh() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

/// A `MsgId` that nobody in this process had, beyond 2^53 as WeChat's are.
pub(crate) fn fresh_msg_id() -> u64 {
    24_388_888_888_000_000 + fresh()
}

/// Unix seconds.
#[expect(clippy::disallowed_methods, reason = "WeChat's clock is the real one here")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A message of the user in XML: a `MsgType`, its elements, a `MsgId`.
pub(crate) fn message(msg_type: &str, elements: &str, msg_id: u64) -> String {
    let head = head(msg_type);
    format!("<xml>{head}{elements}<MsgId>{msg_id}</MsgId></xml>")
}

/// A text message of the user with a new `MsgId`.
pub(crate) fn text(content: &str) -> String {
    message("text", &format!("<Content><![CDATA[{content}]]></Content>"), fresh_msg_id())
}

/// An event: its name and its elements.
pub(crate) fn event(name: &str, elements: &str) -> String {
    let head = head("event");
    format!("<xml>{head}<Event><![CDATA[{name}]]></Event>{elements}</xml>")
}

fn head(msg_type: &str) -> String {
    let at = now();
    format!(
        "<ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><FromUserName><![CDATA[{USER}]]></FromUserName>\
         <CreateTime>{at}</CreateTime><MsgType><![CDATA[{msg_type}]]></MsgType>"
    )
}

/// `hex(sha1(the sorted texts, joined))`.
pub(crate) fn signature(texts: &[&str]) -> String {
    let mut sorted = texts.to_vec();
    sorted.sort_unstable();
    hex::encode(Sha1::digest(sorted.concat()))
}

/// WeChat's settings of one account: what it signs and encrypts with.
#[derive(Debug, Clone)]
pub(crate) struct Pusher {
    token: String,
    /// The AES key, and the id that stands behind each message.
    aes: Option<([u8; 32], String)>,
    /// Official accounts send the sender's openid and a `signature` also in safe mode; WeCom does not.
    is_wecom: bool,
}

/// One request of WeChat.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    /// Not yet encoded.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Pusher {
    /// Plain mode, with [`TOKEN`].
    pub(crate) fn plain() -> Self {
        Self { token: TOKEN.to_owned(), aes: None, is_wecom: false }
    }

    /// Safe mode, with [`TOKEN`] and [`AES`], for [`APPID`].
    pub(crate) fn safe() -> Self {
        Self { aes: Some((aes_key(AES), APPID.to_owned())), ..Self::plain() }
    }

    /// A WeCom app.
    pub(crate) fn wecom(token: &str, aes: &str, corpid: &str) -> Self {
        Self { token: token.to_owned(), aes: Some((aes_key(aes), corpid.to_owned())), is_wecom: true }
    }

    /// The same with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// The same with another id in the envelope.
    pub(crate) fn for_id(&self, receive_id: &str) -> Self {
        let aes = self.aes.as_ref().map(|(key, _)| (*key, receive_id.to_owned()));
        Self { aes, ..self.clone() }
    }

    /// A try to bring this message, made now, with a new nonce.
    pub(crate) fn push(&self, message: &str) -> Push {
        self.push_at(message, now())
    }

    pub(crate) fn push_at(&self, message: &str, timestamp: u64) -> Push {
        match &self.aes {
            None => self.signed(None, message.as_bytes(), timestamp),
            Some(_) => {
                let encrypt = self.encrypt(message.as_bytes());
                let body = envelope(message, &encrypt);
                self.signed(Some(&encrypt), body.as_bytes(), timestamp)
            }
        }
    }

    /// Compatible mode: the plain fields and beside them the encrypted message.
    pub(crate) fn compatible(&self, message: &str) -> Push {
        let encrypt = self.encrypt(message.as_bytes());
        let body = match message.strip_suffix("</xml>") {
            Some(open) => format!("{open}<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"),
            None => format!("{},\"Encrypt\":\"{encrypt}\"}}", message.strip_suffix('}').unwrap()),
        };
        self.signed(Some(&encrypt), body.as_bytes(), now())
    }

    /// Any body, signed: over `encrypt` too if there is one.
    pub(crate) fn signed(&self, encrypt: Option<&str>, body: &[u8], timestamp: u64) -> Push {
        let (timestamp, nonce) = (timestamp.to_string(), (1_372_623_149 + fresh()).to_string());
        let mut query = Vec::new();
        let mut add = |name: &str, value: &str| query.push((name.to_owned(), value.to_owned()));
        if !self.is_wecom {
            add("signature", &signature(&[&self.token, &timestamp, &nonce]));
        }
        add("timestamp", &timestamp);
        add("nonce", &nonce);
        if !self.is_wecom {
            add("openid", USER);
        }
        if let Some(encrypt) = encrypt {
            if !self.is_wecom {
                add("encrypt_type", "aes");
            }
            add("msg_signature", &signature(&[&self.token, &timestamp, &nonce, encrypt]));
        }
        Push { query, body: body.to_vec() }
    }

    /// The text of `Encrypt`.
    pub(crate) fn encrypt(&self, message: &[u8]) -> String {
        let (key, receive_id) = self.aes.as_ref().unwrap();
        let random = format!("{:016}", fresh());
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let mut plain = [random.as_bytes(), &length, message, receive_id.as_bytes()].concat();
        let padding = 32 - plain.len() % 32;
        plain.extend(std::iter::repeat_n(u8::try_from(padding).unwrap(), padding));
        let length = plain.len();
        let cipher = cbc::Encryptor::<aes::Aes256>::new_from_slices(key, &key[..16]).unwrap();
        STANDARD.encode(cipher.encrypt_padded::<NoPadding>(&mut plain, length).unwrap())
    }

    /// The message in an `Encrypt`; every byte of the form is checked.
    pub(crate) fn decrypt(&self, encrypt: &str) -> String {
        let (key, receive_id) = self.aes.as_ref().unwrap();
        let mut plain = STANDARD.decode(encrypt).unwrap();
        let cipher = cbc::Decryptor::<aes::Aes256>::new_from_slices(key, &key[..16]).unwrap();
        let plain = cipher.decrypt_padded::<NoPadding>(&mut plain).unwrap();
        assert_eq!(plain.len() % 32, 0, "padded to 32 bytes, not to 16");
        let padding = usize::from(*plain.last().unwrap());
        assert!((1..=32).contains(&padding) && plain.ends_with(&vec![plain[plain.len() - 1]; padding]), "the padding");
        let (length, rest) = plain[16..plain.len() - padding].split_at(4);
        let (message, id) = rest.split_at(usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap());
        assert_eq!(String::from_utf8_lossy(id), *receive_id, "the id behind the reply");
        String::from_utf8(message.to_vec()).unwrap()
    }

    /// Reads an encrypted answer to `push` as WeChat does, and gives the reply inside.
    pub(crate) fn open(&self, answer: &Answer, push: &Push) -> String {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sealed = Sealed::read(&answer.text());
        let texts = [self.token.as_str(), &sealed.timestamp, &sealed.nonce, &sealed.encrypt];
        assert_eq!(sealed.signature, signature(&texts), "MsgSignature of {}", answer.text());
        assert_eq!(sealed.nonce, push.parameter("nonce"), "the nonce comes back");
        let age = now().abs_diff(sealed.timestamp.parse().unwrap());
        assert!(age < 60, "TimeStamp is Unix seconds, {age} s from now");
        self.decrypt(&sealed.encrypt)
    }
}

impl Push {
    /// The first parameter of this name; empty when there is none.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.query.retain(|(known, _)| known != name);
        self
    }

    /// With another value, or one more parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        match self.query.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.query.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub(crate) fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The target on the server: `url` is what is entered in WeChat's console, such as `/app/test/msg?call=…`.
    pub(crate) fn target(&self, url: &str) -> String {
        let mark = if url.contains('?') { '&' } else { '?' };
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{url}{mark}{query}")
    }

    /// Sends it, and waits as long as it takes.
    pub(crate) async fn to(&self, caller: &Caller, url: &str) -> Answer {
        caller.send(Method::POST, &self.target(url), Some(self.content_type()), self.body.clone()).await
    }

    /// Sends it as WeChat does, who hangs up after five seconds. `None`: it did, or there was no whole answer.
    pub(crate) async fn try_to(&self, caller: &Caller, url: &str) -> Option<Answer> {
        let target = self.target(url);
        let answer = caller.try_send(Method::POST, &target, Some(self.content_type()), self.body.clone());
        tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
    }

    fn content_type(&self) -> &'static str {
        if self.body.starts_with(b"{") { "application/json" } else { "text/xml" }
    }
}

/// The URL that is entered in WeChat's console.
pub(crate) fn callback_url(path: &str, calls: &[&str]) -> String {
    let pairs: Vec<_> = calls.iter().map(|call| ("call", *call)).collect();
    format!("{path}?{}", super::caller::encoded(&pairs))
}

/// The AES key in an EncodingAESKey. WeChat's have spare bits in the last character.
fn aes_key(encoding_aes_key: &str) -> [u8; 32] {
    let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let lenient = GeneralPurpose::new(&alphabet::STANDARD, lenient);
    lenient.decode(format!("{encoding_aes_key}=")).unwrap().try_into().unwrap()
}

fn envelope(message: &str, encrypt: &str) -> String {
    if message.starts_with('{') {
        return format!("{{\"ToUserName\":\"{ACCOUNT}\",\"Encrypt\":\"{encrypt}\"}}");
    }
    let agent = element(message, "AgentID").map(|id| format!("<AgentID><![CDATA[{id}]]></AgentID>"));
    let agent = agent.unwrap_or_default();
    let to = element(message, "ToUserName").unwrap_or(ACCOUNT);
    format!("<xml><ToUserName><![CDATA[{to}]]></ToUserName>{agent}<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>")
}

/// The text of the first element of this name: CDATA or bare.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    let quoted = inside.strip_prefix("<![CDATA[").and_then(|rest| rest.strip_suffix("]]>"));
    Some(quoted.unwrap_or(inside))
}

struct Sealed {
    encrypt: String,
    signature: String,
    timestamp: String,
    nonce: String,
}

impl Sealed {
    fn read(text: &str) -> Self {
        let field = |name: &str| -> String {
            if !text.starts_with('{') {
                return element(text, name).unwrap_or_else(|| panic!("no {name} in {text}")).to_owned();
            }
            let json: Value = serde_json::from_str(text).unwrap();
            assert!(json["TimeStamp"].is_u64(), "TimeStamp is a number in JSON: {text}");
            json[name].as_str().map_or_else(|| json[name].to_string(), str::to_owned)
        };
        Self {
            encrypt: field("Encrypt"),
            signature: field("MsgSignature"),
            timestamp: field("TimeStamp"),
            nonce: field("Nonce"),
        }
    }
}

/// The vectors of the documents, so that the tests' own code is not believed blindly.
#[test]
fn the_harness_signs_and_encrypts_as_documented() {
    let plain = ["AAAAA", "1714036504", "1514711492"];
    assert_eq!(signature(&plain), "f464b24fc39322e44b38aa78f5edd27bd1441696");
    let wecom = Pusher::wecom("QDG6eK", AES, "wx5823bf96d3bd56c7");
    let echo = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==";
    assert_eq!(signature(&["QDG6eK", "1409659589", "263014780", echo]), "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3");
    assert_eq!(wecom.decrypt(echo), "1616140317555161061");
    for length in 0..70 {
        let text = "x".repeat(length);
        assert_eq!(wecom.decrypt(&wecom.encrypt(text.as_bytes())), text);
    }
}
