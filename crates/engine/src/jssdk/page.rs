//! Which page is signed for: the address that was named, or the one in the Referer, when that is a whole one.
//!
//! Browsers send only the origin to another site (`Referrer-Policy`, W3C: `strict-origin-when-cross-origin` is their
//! default), or nothing at all. An origin looks like the address of the page at the root, so that one is not taken for
//! whole either: the page's own script asks again and names the address.

use std::borrow::Cow;

use url::Url;
use wechat::jssdk::page_url;

use crate::apps::Registered;
use crate::backends::{CallProblem, CallUrls};

/// The longest address, in bytes.
const MAX_URL: usize = 4096;

/// What is known of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page<'a> {
    /// Its address, named by whoever asks.
    Named(Cow<'a, str>),
    /// Its address, from the Referer.
    Referring(Cow<'a, str>),
    /// Not enough: the page's script has to ask again.
    Unknown,
}

/// Why nothing is signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageProblem {
    /// The address is none.
    #[error("url is the page's whole http:// or https:// address, percent-encoded (at most {MAX_URL} bytes)")]
    NotAUrl,
    /// The page's host is not allowed.
    #[error(
        "pages of the host {host} are not signed for: an operator can allow it with /register?…&allow={host} (give the \
         other allow= again beside it: what is given replaces what was)"
    )]
    NotAllowed {
        /// Host and, if it is not the scheme's own, port.
        host: String,
    },
}

impl<'a> Page<'a> {
    /// The page that `url=` names or the request's Referer tells.
    ///
    /// # Errors
    /// [`PageProblem`].
    pub fn read(
        named: Option<&'a str>,
        referer: Option<&'a str>,
        call_urls: &CallUrls,
        registered: &Registered,
    ) -> Result<Self, PageProblem> {
        if let Some(named) = named {
            let named = page_url(named);
            let url = web_address(&named).ok_or(PageProblem::NotAUrl)?;
            return allowed(&url, call_urls, registered).map(|()| Self::Named(named));
        }
        let Some((referer, url)) = referer.and_then(|referer| Some((referer, web_address(referer)?))) else {
            return Ok(Self::Unknown);
        };
        allowed(&url, call_urls, registered)?;
        let is_whole = url.path() != "/" || url.query().is_some();
        Ok(if is_whole { Self::Referring(Cow::Borrowed(without_fragment(referer))) } else { Self::Unknown })
    }
}

/// Whether scripts of this origin may read answers (`Origin` header).
#[must_use]
pub fn may_read(origin: &str, call_urls: &CallUrls, registered: &Registered) -> bool {
    web_address(origin).is_some_and(|url| call_urls.check_page(&url, registered).is_ok())
}

/// As the browser has it: a `&amp;` in it is the page's own.
fn without_fragment(referer: &str) -> &str {
    referer.split_once('#').map_or(referer, |(page, _)| page)
}

fn web_address(text: &str) -> Option<Url> {
    if text.len() > MAX_URL || text.chars().any(char::is_control) {
        return None;
    }
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}

fn allowed(url: &Url, call_urls: &CallUrls, registered: &Registered) -> Result<(), PageProblem> {
    call_urls.check_page(url, registered).map_err(|problem| match problem {
        CallProblem::NotAllowed { host } => PageProblem::NotAllowed { host },
        _ => PageProblem::NotAUrl,
    })
}
