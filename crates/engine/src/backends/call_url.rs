//! `call=`: which URLs may be called, and what a relative one means.
//!
//! What must stay true: a public server calls only what its operator allowed; whoever can sign a callback, or writes a
//! link, names URLs, but not hosts.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use url::Url;

use crate::apps::parameters::MAX_CALLS;
use crate::apps::{AllowedHost, Registered};

/// The longest URL, in bytes.
const MAX_URL: usize = 2048;

/// Lists of calls that are remembered for one registration.
const REMEMBERED: usize = 32;

/// Why a `call` is not called. The texts name hosts, never whole URLs: those may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallProblem {
    /// No `call`, and none registered.
    #[error(
        "no backend is named: add ?call=https://your.backend/path to this URL (once for each backend), or register \
         them with /register?…&msg_call=…"
    )]
    Missing,
    /// No `call` in a link that leads a visitor somewhere.
    #[error(
        "call is missing: it is the page of yours that gets to know who the visitor is, percent-encoded, like \
         ?call=https%3A%2F%2Fshop.example.com%2Flogin"
    )]
    NoPage,
    /// A path of this server that is not for visitors.
    #[error(
        "call may not be a path of wechat-proxy itself: a visitor's browser would call it in the server's own name; \
         name a page of yours (/echo and /example/… can be used for trying things out)"
    )]
    OwnPath,
    /// Not the address of a page.
    #[error(
        "call is no http:// or https:// address, and no path that begins with one '/' (at most {MAX_URL} bytes); write it \
         percent-encoded, like call=https%3A%2F%2Fshop.example.com%2Flogin"
    )]
    NotAPage,
    /// More than [`MAX_CALLS`].
    #[error("at most {MAX_CALLS} call parameters are possible")]
    TooMany,
    /// Not a URL.
    #[error(
        "call number {number} is no http:// or https:// URL, and no path that starts with '/'; write it \
         percent-encoded, like call=https%3A%2F%2Fbackend%2Fpath"
    )]
    NotAUrl {
        /// Which `call`, counted from 1.
        number: usize,
    },
    /// Not allowed.
    #[error(
        "call may not name the host {host}: an operator can allow it with /register?…&allow={host} (give the other \
         allow= again beside it: what is given replaces what was)"
    )]
    NotAllowed {
        /// Host and, if it is not the scheme's own, port.
        host: String,
    },
}

/// The rules of one server.
pub struct CallUrls {
    /// Only what is allowed may be called.
    restricted: bool,
    own: OnceLock<Own>,
}

/// This server's own address.
struct Own {
    url: Url,
    /// As text, without `/` at the end.
    base: String,
    /// Whether it is the address that the world uses, and not only the one that is listened on.
    is_told: bool,
}

impl CallUrls {
    /// `restricted`: the server is public.
    #[must_use]
    pub fn new(restricted: bool) -> Self {
        Self { restricted, own: OnceLock::new() }
    }

    /// Tells this server's own address, once: what relative URLs are relative to. `is_told`: the operator said how the
    /// world sees it (`--public-url`).
    pub fn set_own(&self, own: Url, is_told: bool) {
        let base = own.as_str().trim_end_matches('/').to_owned();
        let _ = self.own.set(Own { url: own, base, is_told });
    }

    /// Where a browser finds this server, without `/` at the end: the address that the operator told, else the one that the
    /// browser used itself (`host`, its `Host` header), because its cookies belong to that one.
    #[must_use]
    pub fn base(&self, host: Option<&str>) -> Cow<'_, str> {
        let Some(own) = self.own.get() else { return Cow::Borrowed("") };
        let other =
            host.filter(|host| !own.is_told && own.base.split_once("://").is_none_or(|(_, known)| known != *host));
        let other = other.and_then(|host| Url::parse(&format!("{}://{host}", own.url.scheme())).ok());
        other.map_or(Cow::Borrowed(&own.base), |other| Cow::Owned(other.as_str().trim_end_matches('/').to_owned()))
    }

    /// The backends of a message: those of the request, or the registered ones. WeChat's URL is the same all day: what was
    /// checked once is remembered with the registration.
    ///
    /// # Errors
    /// [`CallProblem`].
    pub fn of_message<'a>(
        &self,
        requested: impl Iterator<Item = &'a str>,
        registered: &Registered,
    ) -> Result<Arc<[String]>, CallProblem> {
        let requested: Vec<&str> = requested.take(MAX_CALLS + 1).collect();
        let text = requested.join("\n");
        if let Some(known) = registered.checked_calls.pin().get(text.as_str()) {
            return Ok(Arc::clone(known));
        }
        let calls: Arc<[String]> = self.checked(&requested, registered)?.into();
        if registered.checked_calls.len() < REMEMBERED {
            registered.checked_calls.pin().insert(text.into(), Arc::clone(&calls));
        }
        Ok(calls)
    }

    /// Who is told of a payment: whom the request names. None: whom the registration names, then.
    ///
    /// # Errors
    /// [`CallProblem`].
    pub fn of_payment(&self, requested: &[&str], registered: &Registered) -> Result<Vec<String>, CallProblem> {
        if requested.len() > MAX_CALLS {
            return Err(CallProblem::TooMany);
        }
        let mut calls = Vec::with_capacity(requested.len());
        for text in requested {
            let url = self.url(text, calls.len() + 1)?;
            self.check(&url, &registered.allowed_hosts)?;
            calls.push(without_fragment(url));
        }
        Ok(calls)
    }

    /// The page that a link leads its visitor to. A site has few: what was checked once is remembered with the registration.
    ///
    /// # Errors
    /// [`CallProblem`].
    pub fn of_link(&self, call: Option<&str>, registered: &Registered) -> Result<Url, CallProblem> {
        let text = call.ok_or(CallProblem::NoPage)?;
        if let Some(known) = registered.checked_links.pin().get(text) {
            return Ok(known.clone());
        }
        let url = self.url(text, 1).map_err(|_| CallProblem::NotAPage)?;
        self.check(&url, &registered.allowed_hosts)?;
        if self.is_self(&url) && is_guarded(url.path()) {
            return Err(CallProblem::OwnPath);
        }
        if registered.checked_links.len() < REMEMBERED {
            registered.checked_links.pin().insert(text.into(), url.clone());
        }
        Ok(url)
    }

    /// Whether this is the server's own address: its host, by its own port or the scheme's (another port there may be
    /// anybody's).
    fn is_own(&self, url: &Url) -> bool {
        self.own.get().is_some_and(|Own { url: own, .. }| {
            let port = url.port_or_known_default();
            own.host() == url.host() && (url.port().is_none() || own.port_or_known_default() == port)
        })
    }

    /// Whether this is the server itself, by whatever name of this machine.
    fn is_self(&self, url: &Url) -> bool {
        let is_loopback = |url: &Url| url.host_str().is_some_and(crate::guard::is_loopback_host);
        self.is_own(url)
            || self.own.get().is_some_and(|Own { url: own, .. }| {
                let same_port = own.port_or_known_default() == url.port_or_known_default();
                same_port && is_loopback(own) && is_loopback(url)
            })
    }

    /// Whether something may be done for this page: its host is allowed, as for [`CallUrls::of_link`].
    ///
    /// # Errors
    /// [`CallProblem::NotAllowed`].
    pub fn check_page(&self, page: &Url, registered: &Registered) -> Result<(), CallProblem> {
        self.check(page, &registered.allowed_hosts)
    }

    fn checked(&self, requested: &[&str], registered: &Registered) -> Result<Vec<String>, CallProblem> {
        let mut calls = Vec::new();
        for text in requested {
            let url = self.url(text, calls.len() + 1)?;
            self.check(&url, &registered.allowed_hosts)?;
            calls.push(without_fragment(url));
        }
        if calls.is_empty() {
            // Named by the operator himself: allowed by that.
            for (place, text) in registered.app.settings.msg_call.iter().enumerate() {
                calls.push(without_fragment(self.url(text, place + 1)?));
            }
        }
        match calls.len() {
            0 => Err(CallProblem::Missing),
            1..=MAX_CALLS => Ok(calls),
            _ => Err(CallProblem::TooMany),
        }
    }

    /// Takes a text as a URL.
    fn url(&self, text: &str, number: usize) -> Result<Url, CallProblem> {
        let wrong = CallProblem::NotAUrl { number };
        if text.len() > MAX_URL || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(wrong);
        }
        let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
        let url = match self.own.get().filter(|_| is_path) {
            Some(own) => own.url.join(text),
            None => Url::parse(text),
        };
        let url = url.map_err(|_| wrong.clone())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong);
        }
        Ok(url)
    }

    fn check(&self, url: &Url, allowed: &[AllowedHost]) -> Result<(), CallProblem> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Ok(()) };
        if !self.restricted || self.is_own(url) || allowed.iter().any(|allowed| allowed.covers(host, port)) {
            return Ok(());
        }
        Err(CallProblem::NotAllowed { host: crate::upstream::host_name(url) })
    }
}

/// Servers get no fragments; browsers keep them.
fn without_fragment(mut url: Url) -> String {
    url.set_fragment(None);
    url.into()
}

/// Paths on which a request counts for more when a page of this server's own address sends it: those of operators, teams
/// and WeChat.
fn is_guarded(path: &str) -> bool {
    const GUARDED: [&str; 8] = ["app", "register", "admin", "console", "metrics", "cgi-bin", "sns", "wxa"];
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let first = decoded.split('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    GUARDED.contains(&first.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(restricted: bool) -> CallUrls {
        let urls = CallUrls::new(restricted);
        urls.set_own(Url::parse("https://wx.example.com").unwrap(), true);
        urls
    }

    fn check(urls: &CallUrls, text: &str, allow: &[&str]) -> Result<String, CallProblem> {
        let allowed: Vec<_> = allow.iter().map(|host| AllowedHost::parse(host).unwrap()).collect();
        let url = urls.url(text, 1)?;
        urls.check(&url, &allowed).map(|()| url.into())
    }

    #[test]
    fn a_public_server_calls_itself_and_what_is_allowed() {
        let public = urls(true);
        assert_eq!(check(&public, "/echo?x=1#y", &[]).unwrap(), "https://wx.example.com/echo?x=1#y");
        assert!(check(&public, "https://wx.example.com/a", &[]).is_ok());
        assert!(check(&public, "http://wx.example.com/a", &[]).is_ok());
        assert!(check(&public, "https://shop.example.com:8443/a", &["*.example.com"]).is_ok());
        let refused = [
            "https://evil.com/",
            "http://127.0.0.1/",
            "http://wx.example.com:8443/",
            "https://wx.example.com@evil.com/",
            "https://evil.com\\@wx.example.com/",
        ];
        for text in refused {
            assert!(matches!(check(&public, text, &[]), Err(CallProblem::NotAllowed { .. })), "{text}");
        }
        assert!(check(&urls(false), "http://127.0.0.1:9000/a", &[]).is_ok());
    }

    #[test]
    fn a_browser_finds_this_server_where_the_operator_says_or_where_it_found_it() {
        assert_eq!(urls(true).base(Some("10.0.0.5:8080")), "https://wx.example.com");
        let local = CallUrls::new(false);
        local.set_own(Url::parse("http://127.0.0.1:8080").unwrap(), false);
        assert_eq!(local.base(Some("localhost:8080")), "http://localhost:8080");
        assert_eq!(local.base(Some("a b/")), "http://127.0.0.1:8080");
        assert_eq!(local.base(None), "http://127.0.0.1:8080");
    }

    #[test]
    fn a_link_leads_to_no_guarded_path_of_this_server() {
        let local = CallUrls::new(false);
        local.set_own(Url::parse("http://127.0.0.1:8080").unwrap(), false);
        let refused = |text: &str| {
            let url = local.url(text, 1).unwrap();
            local.is_self(&url) && is_guarded(url.path())
        };
        let guarded = [
            "/app/test/api/new",
            "/register?key=a",
            "/%61pp/x",
            "/Admin",
            "/metrics",
            "http://localhost:8080/app/x",
            "http://[::1]:8080//app/x",
        ];
        for text in guarded {
            assert!(refused(text), "{text}");
        }
        for text in ["/echo", "/example/jspay.html?key=app", "/", "/apps", "http://127.0.0.1:9000/app/x"] {
            assert!(!refused(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_said_by_its_number() {
        for text in ["", "a", "//evil.com/x", "/\\evil.com", "ftp://a/", "file:///etc/passwd", "http://", "http://a b/"]
        {
            assert_eq!(check(&urls(true), text, &["a"]), Err(CallProblem::NotAUrl { number: 1 }), "{text:?}");
        }
    }
}
