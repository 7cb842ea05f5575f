//! What a request tells about the browser: its cookie, its kind, its language.

use engine::login::{Mark, mark_id};
use http::header::{ACCEPT, COOKIE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use wechat::login::UserAgent;

/// The cookie that binds a login to its browser: this, and which login. Behind HTTPS its prefix says that no other site below the
/// same domain can have set it (RFC 6265bis, "cookie name prefixes").
const COOKIE_NAME: &str = "wechat-proxy-login-";
const SECURE_COOKIE_NAME: &str = "__Host-wechat-proxy-login-";

/// How long the browser keeps it, in seconds. A little longer than any round trip.
const COOKIE_SECONDS: u32 = 360;

/// What browsers say of the place where a page will stand (W3C Fetch Metadata).
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

fn cookie_name(own: &str) -> &'static str {
    if own.starts_with("https://") { SECURE_COOKIE_NAME } else { COOKIE_NAME }
}

/// The value of the cookie of the login that WeChat's `state` names.
pub(crate) fn mark<'a>(headers: &'a HeaderMap, own: &str, state: Option<&str>) -> Option<&'a str> {
    let (prefix, id) = (cookie_name(own), mark_id(state?)?);
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| name.strip_prefix(prefix) == Some(id)).map(|(_, value)| value)
}

/// The header that makes the browser keep a cookie. Lax: it comes along when WeChat leads the browser back. It is kept after the
/// end too, so that who loads the page again is told that, and not to allow cookies.
pub(crate) fn keep(mark: &Mark, own: &str) -> Option<HeaderValue> {
    let (prefix, secure) = (cookie_name(own), if own.starts_with("https://") { "; Secure" } else { "" });
    let Mark { id, value } = mark;
    let cookie = format!("{prefix}{id}={value}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}");
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
        let state = Some("0123abcd0123456789abcdef01234567");
        let with = |line: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(line))]);
        let found = |line, own| mark(&with(line), own, state).map(str::to_owned);
        assert_eq!(found("a=b; wechat-proxy-login-0123abcd=AAA; c=d", "http://127.0.0.1").as_deref(), Some("AAA"));
        assert_eq!(found("__Host-wechat-proxy-login-0123abcd=B", "https://wx.example.com").as_deref(), Some("B"));
        assert_eq!(found("wechat-proxy-login-0123abcd=B", "https://wx.example.com"), None);
        assert_eq!(found("wechat-proxy-login-99999999=B", "http://127.0.0.1"), None);
        assert_eq!(mark(&with("wechat-proxy-login-=B"), "http://127.0.0.1", Some("")), None);
        let kept = Mark { id: "0123abcd".to_owned(), value: "AAA".to_owned() };
        let header = keep(&kept, "https://wx.example.com").unwrap();
        let header = header.to_str().unwrap();
        assert!(header.starts_with("__Host-wechat-proxy-login-0123abcd=AAA; Path=/;"), "{header}");
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
