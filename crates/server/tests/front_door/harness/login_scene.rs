//! The scene of most tests of login: a server, a WeChat that does as it is told, one registration, `test`, and a visitor
//! inside WeChat. And how a team's backend reads what the visitor's browser brings it: with no code of the product.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::browser::{Browser, Led, WECHAT};
use super::caller::{Answer, Caller, encoded};
use super::databases::Database;
use super::fake_wechat::{FakeWechat, HUSH};
use super::html::Page;
use super::server::{ADMIN, Flags, Running, SECRET, TurnedClock};
use super::wechat_pushes::now;

/// A page of a team's; nobody calls it but the visitor's browser.
pub(crate) const CALL: &str = "https://shop.example.com/login";

/// The registration's name.
pub(crate) const KEY: &str = "test";

pub(crate) struct LoginScene {
    pub(crate) server: Running,
    pub(crate) wechat: FakeWechat,
    pub(crate) clock: Arc<TurnedClock>,
    /// Who may register, and ask for what is the team's.
    pub(crate) operator: Caller,
    pub(crate) api_key: String,
    /// The browser of a visitor, inside WeChat.
    pub(crate) visitor: Browser,
    _database: Database,
}

impl LoginScene {
    pub(crate) async fn local(extra: &[(&str, &str)]) -> Self {
        let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
        let flags = Flags::new(&database, &wechat.url);
        Self::on(&flags, wechat, database, extra).await
    }

    /// On a server whose address is `https://wx.example.com`.
    pub(crate) async fn public(extra: &[(&str, &str)]) -> Self {
        let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
        let flags = Flags::new(&database, &wechat.url).public();
        Self::on(&flags, wechat, database, extra).await
    }

    /// On a server with these flags.
    pub(crate) async fn on(flags: &Flags, wechat: FakeWechat, database: Database, extra: &[(&str, &str)]) -> Self {
        let clock = Arc::<TurnedClock>::default();
        let server = Running::start_by(flags, Arc::clone(&clock)).await;
        let operator = server.bearer(ADMIN);
        let api_key = operator.register_cold(KEY, extra).await;
        let visitor = Browser::new(&server, WECHAT);
        Self { server, wechat, clock, operator, api_key, visitor, _database: database }
    }

    /// A new visitor, inside WeChat.
    pub(crate) fn another_visitor(&self) -> Browser {
        Browser::new(&self.server, WECHAT)
    }

    /// Follows a link to WeChat.
    pub(crate) async fn begin(&self, link: &str) -> Led {
        Led::read(&self.visitor.open(link).await)
    }

    /// Follows a link, agrees, and comes back with this code.
    pub(crate) async fn log_in(&self, link: &str, code: &str) -> Answer {
        let led = self.begin(link).await;
        let answer = self.visitor.open(&led.back(code)).await;
        let shown = format!("{:?}{}", answer.headers, answer.text());
        assert!(!shown.contains(HUSH) && !shown.contains(SECRET) && !shown.contains(&self.api_key), "{shown}");
        answer
    }

    /// The visitor that the page at `call` gets to know.
    pub(crate) async fn visitor_of(&self, link: &str, code: &str) -> Map<String, Value> {
        let answer = self.log_in(link, code).await;
        let page = Page::read(&answer);
        assert_eq!(page.status, 200, "{}", page.html);
        assert!(page.goes_on_by_itself(), "{}", page.html);
        self.verified(&page.form().body)
    }

    /// Reads a body as a team's backend has to: JSON, and signed.
    pub(crate) fn verified(&self, body: &str) -> Map<String, Value> {
        verified(body, &self.api_key)
    }

    /// What the page at `call` gets to know when the login ended on a page of a failure.
    pub(crate) fn failure_in(&self, page: &Page) -> Map<String, Value> {
        self.verified(&page.form().body)
    }
}

/// `/app/test` and a path with these parameters.
pub(crate) fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    format!("/app/{KEY}{path}?{}", encoded(parameters))
}

/// The link with the usual `call` and nothing else.
pub(crate) fn plain_link(path: &str) -> String {
    link(path, &[("call", CALL)])
}

/// Reads a body as a team's backend has to: JSON and CRLF, signed with the api_key just now, and without any secret.
pub(crate) fn verified(body: &str, api_key: &str) -> Map<String, Value> {
    let json = body.strip_suffix("\r\n").unwrap_or_else(|| panic!("no CRLF at the end: {body:?}"));
    assert!(!json.contains(['\r', '\n']), "{body:?}");
    let members: Map<String, Value> = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {body:?}"));
    is_signed(&members, api_key);
    let age = now().abs_diff(members["timestamp"].as_u64().unwrap());
    assert!(age < 3600, "timestamp is Unix seconds, {age} s from now");
    assert!(members["nonce"].as_str().unwrap().len() > 16, "a nonce is long");
    for secret in [HUSH, SECRET, api_key] {
        assert!(!body.contains(secret), "{secret} got out: {body}");
    }
    members
}

/// WeChat Pay v2's rule with HMAC-SHA256, written from its document.
fn is_signed(members: &Map<String, Value>, api_key: &str) {
    let mut pairs: Vec<(String, String)> = members.iter().map(|(name, value)| (name.clone(), text_of(value))).collect();
    let is_nothing = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    assert!(!members.values().any(is_nothing), "languages differ in whether that is empty: {members:?}");
    pairs.retain(|(name, value)| name != "sign" && !value.is_empty());
    assert_eq!(members["sign"], signature(pairs.clone(), api_key), "of {members:?}");
    // The rule joins without escaping: in one way only may its text be read.
    for (name, value) in pairs {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        let is_member = |piece: &str| {
            let name = piece.split_once('=').map(|(name, _)| name);
            name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        };
        assert!(name == "state" || !value.split('&').skip(1).any(is_member), "{name}={value}");
    }
}

fn signature(mut pairs: Vec<(String, String)>, key: &str) -> String {
    pairs.sort();
    pairs.push(("key".to_owned(), key.to_owned()));
    let text: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.join("&").as_bytes());
    hex::encode_upper(mac.finalize().into_bytes())
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(values) => values.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Object(_) => panic!("an object cannot be signed: {value}"),
    }
}

/// The example of WeChat Pay's document, so that the tests' own code is not believed blindly.
#[test]
fn the_harness_signs_as_documented() {
    let pairs = [
        ("mch_id", "10000100"),
        ("appid", "wxd930ea5d5a258f4f"),
        ("device_info", "1000"),
        ("nonce_str", "ibuaiVcKdpRxkhJA"),
        ("body", "test"),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let expected = "6A9AE1657590FD6257D693A078E1C3E4BB6BA4DC30B23E0EE2496E54170DACD6";
    assert_eq!(signature(pairs, "192006250b4c09247ec02edce69f6a2d"), expected);
}
