//! A visitor's browser: it keeps cookies, sends them back, and does not follow redirects by itself, so that a test sees
//! each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::Method;
use url::Url;

use super::caller::{Answer, Caller};

/// The browser inside WeChat.
pub(crate) const WECHAT: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A; wv) AppleWebKit/537.36 (KHTML, \
    like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.47.2560(0x28002F30) WeChat/arm64";
/// The browser inside WeCom.
pub(crate) const WECOM: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, \
    like Gecko) Mobile/15E148 wxwork/4.1.20 MicroMessenger/7.0.1 Language/zh ColorScheme/Light";
/// A browser that knows nothing of WeChat.
pub(crate) const DESKTOP: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

/// A browser with one set of cookies; clones share it.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) caller: Caller,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Browser {
    /// A new one, that has never been anywhere.
    pub(crate) fn new(server: &Caller, user_agent: &str) -> Self {
        Self { caller: server.with("user-agent", user_agent), cookies: Arc::default() }
    }

    /// The same browser with one more header.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        Self { caller: self.caller.with(name, value), cookies: Arc::clone(&self.cookies) }
    }

    /// The same browser, as it comes to another node behind the same address.
    pub(crate) fn at(&self, server: &Caller) -> Self {
        Self { caller: server.with("user-agent", WECHAT), cookies: Arc::clone(&self.cookies) }
    }

    pub(crate) async fn open(&self, target: &str) -> Answer {
        self.send(Method::GET, target).await
    }

    /// Asks only whether there is something, as link previews do.
    pub(crate) async fn head(&self, target: &str) -> Answer {
        self.send(Method::HEAD, target).await
    }

    async fn send(&self, method: Method, target: &str) -> Answer {
        let pairs: Vec<String> = self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let caller = if pairs.is_empty() { self.caller.clone() } else { self.caller.with("cookie", &pairs.join("; ")) };
        let answer = caller.send(method, target, None, Vec::new()).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            match attributes.contains("Max-Age=0") {
                true => cookies.remove(name),
                false => cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// The names of its cookies and their values.
    pub(crate) fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().unwrap().clone()
    }
}

/// Where a login link led: a page of WeChat's, and the way back from it.
#[derive(Debug, Clone)]
pub(crate) struct Led {
    /// The whole address.
    pub(crate) to: String,
    /// Where WeChat leads the browser back to.
    pub(crate) redirect_uri: String,
    /// What WeChat brings back.
    pub(crate) state: String,
}

impl Led {
    pub(crate) fn read(answer: &Answer) -> Self {
        assert_eq!(answer.status, 302, "{}", answer.text());
        let to = answer.header("location").to_owned();
        let url = Url::parse(&to).unwrap();
        let value = |wanted: &str| -> String {
            let found: Vec<_> = url.query_pairs().filter(|(name, _)| name == wanted).collect();
            assert_eq!(found.len(), 1, "{wanted} in {to}");
            found[0].1.clone().into_owned()
        };
        Self { redirect_uri: value("redirect_uri"), state: value("state"), to }
    }

    /// What the name of the login's cookie ends with.
    pub(crate) fn cookie_id(&self) -> &str {
        self.state.get(..8).unwrap()
    }

    /// The way back as a target on the server, with these parameters of WeChat's.
    pub(crate) fn back_with(&self, parameters: &str) -> String {
        let url = Url::parse(&self.redirect_uri).unwrap();
        format!("{}?{}&{parameters}", url.path(), url.query().unwrap())
    }

    /// With a code.
    pub(crate) fn back(&self, code: &str) -> String {
        self.back_with(&format!("code={code}&state={}", self.state))
    }

    /// As WeChat leads back who said no.
    pub(crate) fn refused(&self) -> String {
        self.back_with(&format!("state={}", self.state))
    }

    /// The sealed round trip.
    pub(crate) fn trip(&self) -> String {
        self.redirect_uri.split_once("?trip=").unwrap().1.to_owned()
    }

    /// The same way back with another trip.
    pub(crate) fn with_trip(&self, trip: &str) -> Self {
        Self { redirect_uri: self.redirect_uri.replace(&self.trip(), trip), ..self.clone() }
    }
}
