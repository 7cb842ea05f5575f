//! What a request tells about the browser: its cookie, its kind, its language.

use engine::login::Browser;
use http::header::{ACCEPT, COOKIE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use wechat::login::UserAgent;

/// The cookie that binds a login to its browser. Behind HTTPS its prefix says that no other site below the same domain can
/// have set it (RFC 6265bis, "cookie name prefixes").
const COOKIE_NAME: &str = "wechat-proxy-login";
const SECURE_COOKIE_NAME: &str = "__Host-wechat-proxy-login";

/// How long the browser keeps it, in seconds. Longer than any round trip.
const COOKIE_SECONDS: u32 = 3600;

/// What browsers say of the place where a page will stand (W3C Fetch Metadata).
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

fn cookie_name(own: &str) -> &'static str {
    if own.starts_with("https://") { SECURE_COOKIE_NAME } else { COOKIE_NAME }
}

/// The browser's own cookie, if it has one.
pub(crate) fn known(headers: &HeaderMap, own: &str) -> Option<Browser> {
    let name = cookie_name(own);
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).and_then(|(_, value)| Browser::parse(value))
}

/// The header that makes the browser keep its cookie. Lax: it comes along when WeChat leads the browser back.
pub(crate) fn set_cookie(browser: Browser, own: &str) -> Option<HeaderValue> {
    let (name, secure) = (cookie_name(own), if own.starts_with("https://") { "; Secure" } else { "" });
    let value = browser.cookie();
    let cookie = format!("{name}={value}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).ok()
}

/// What kind of browser it is. The simulated platform's phone is a frame in a page, and a frame cannot choose its User-Agent:
/// so while the platform is a stand-in, whatever is opened in a frame is opened in WeChat.
pub(crate) fn user_agent(headers: &HeaderMap, has_stand_in: bool) -> UserAgent {
    let is_frame = || headers.get(SEC_FETCH_DEST).is_some_and(|dest| dest == "iframe");
    match UserAgent::of(text(headers, &USER_AGENT)) {
        UserAgent::OtherBrowser if has_stand_in && is_frame() => UserAgent::Wechat,
        user_agent => user_agent,
    }
}

/// Whether a person will read the answer.
pub(crate) fn shows_pages(headers: &HeaderMap) -> bool {
    text(headers, &ACCEPT).contains("text/html") || UserAgent::of(text(headers, &USER_AGENT)) != UserAgent::Program
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others_and_only_under_its_name() {
        let browser = Browser::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        let with = |line: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(line))]);
        let found = |line, own| known(&with(line), own) == Some(browser);
        assert!(found("a=b; wechat-proxy-login=AAAAAAAAAAAAAAAAAAAAAA; c=d", "http://127.0.0.1"));
        assert!(found("__Host-wechat-proxy-login=AAAAAAAAAAAAAAAAAAAAAA", "https://wx.example.com"));
        assert!(!found("wechat-proxy-login=AAAAAAAAAAAAAAAAAAAAAA", "https://wx.example.com"));
        assert!(!found("wechat-proxy-login=AAAA", "http://127.0.0.1"));
        let header = set_cookie(browser, "https://wx.example.com").unwrap();
        let header = header.to_str().unwrap();
        assert!(header.starts_with("__Host-wechat-proxy-login=AAAAAAAAAAAAAAAAAAAAAA; Path=/;"), "{header}");
        assert!(header.ends_with("HttpOnly; SameSite=Lax; Secure"), "{header}");
    }

    #[test]
    fn a_frame_is_the_phone_only_where_wechat_is_simulated() {
        let mut headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static("Mozilla/5.0 Chrome"))]);
        assert_eq!(user_agent(&headers, true), UserAgent::OtherBrowser);
        headers.insert(SEC_FETCH_DEST, HeaderValue::from_static("iframe"));
        assert_eq!(user_agent(&headers, true), UserAgent::Wechat);
        assert_eq!(user_agent(&headers, false), UserAgent::OtherBrowser);
    }
}
