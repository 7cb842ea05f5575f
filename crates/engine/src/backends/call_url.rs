//! `call=`: which URLs may be called, and what a relative one means.
//!
//! What must stay true: a public server calls only what its operator allowed; whoever can sign a callback, or writes a
//! link, names URLs, but not hosts.

use std::sync::atomic::{AtomicBool, Ordering};
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
    /// This server's own address.
    own: OnceLock<Url>,
    /// Whether that is the address that the world uses, and not only the one that is listened on.
    own_is_told: AtomicBool,
}

impl CallUrls {
    /// `restricted`: the server is public.
    #[must_use]
    pub fn new(restricted: bool) -> Self {
        Self { restricted, own: OnceLock::new(), own_is_told: AtomicBool::new(false) }
    }

    /// Tells this server's own address, once: what relative URLs are relative to. `is_told`: the operator said how the
    /// world sees it (`--public-url`).
    pub fn set_own(&self, own: Url, is_told: bool) {
        let _ = self.own.set(own);
        self.own_is_told.store(is_told, Ordering::Relaxed);
    }

    /// Where a browser finds this server, without `/` at the end: the address that the operator told, else the one that the
    /// browser used itself (`host`, its `Host` header), because its cookies belong to that one.
    #[must_use]
    pub fn base(&self, host: Option<&str>) -> String {
        let own = self.own.get();
        let used = |host: &str| Url::parse(&format!("{}://{host}", own.map_or("http", Url::scheme))).ok();
        let used = host.filter(|_| !self.own_is_told.load(Ordering::Relaxed)).and_then(used);
        used.as_ref().or(own).map_or_else(String::new, |url| url.as_str().trim_end_matches('/').to_owned())
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

    /// The page that a link leads its visitor to.
    ///
    /// # Errors
    /// [`CallProblem`].
    pub fn of_link(&self, call: Option<&str>, registered: &Registered) -> Result<Url, CallProblem> {
        let url = self.url(call.ok_or(CallProblem::NoPage)?, 1)?;
        self.check(&url, &registered.allowed_hosts)?;
        Ok(url)
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
            calls.push(url.into());
        }
        if calls.is_empty() {
            // Named by the operator himself: allowed by that.
            for (place, text) in registered.app.settings.msg_call.iter().enumerate() {
                calls.push(self.url(text, place + 1)?.into());
            }
        }
        match calls.len() {
            0 => Err(CallProblem::Missing),
            1..=MAX_CALLS => Ok(calls),
            _ => Err(CallProblem::TooMany),
        }
    }

    /// Takes a text as a URL, without its fragment.
    fn url(&self, text: &str, number: usize) -> Result<Url, CallProblem> {
        let wrong = CallProblem::NotAUrl { number };
        if text.len() > MAX_URL || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(wrong);
        }
        let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
        let url = match self.own.get().filter(|_| is_path) {
            Some(own) => own.join(text),
            None => Url::parse(text),
        };
        let mut url = url.map_err(|_| wrong.clone())?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong);
        }
        url.set_fragment(None);
        Ok(url)
    }

    fn check(&self, url: &Url, allowed: &[AllowedHost]) -> Result<(), CallProblem> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Ok(()) };
        // Its host, by its own port or the scheme's; another port there may be anybody's.
        let is_own = self.own.get().is_some_and(|own| {
            own.host() == url.host() && (url.port().is_none() || own.port_or_known_default() == Some(port))
        });
        if !self.restricted || is_own || allowed.iter().any(|allowed| allowed.covers(host, port)) {
            return Ok(());
        }
        Err(CallProblem::NotAllowed { host: crate::upstream::host_name(url) })
    }
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
        assert_eq!(check(&public, "/echo?x=1#y", &[]).unwrap(), "https://wx.example.com/echo?x=1");
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
    fn what_is_no_url_is_said_by_its_number() {
        for text in ["", "a", "//evil.com/x", "/\\evil.com", "ftp://a/", "file:///etc/passwd", "http://", "http://a b/"]
        {
            assert_eq!(check(&urls(true), text, &["a"]), Err(CallProblem::NotAUrl { number: 1 }), "{text:?}");
        }
    }
}
