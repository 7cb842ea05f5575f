//! Which kind of program opened a link: WeChat's login page works only inside WeChat.
//!
//! The `User-Agent` is what the browser says of itself: it decides which page fits, never who somebody is.

/// Which kind of program a `User-Agent` header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserAgent {
    /// The browser inside WeChat (`MicroMessenger`).
    Wechat,
    /// The browser inside WeCom (`wxwork`; it calls itself `MicroMessenger` too).
    Wecom,
    /// Any other browser: they all begin with `Mozilla/`.
    OtherBrowser,
    /// No browser: a script, a test, a monitor; also when there is no header.
    Program,
}

impl UserAgent {
    /// Reads the value of the header. Case does not matter.
    #[must_use]
    pub fn of(header: &str) -> Self {
        if holds(header, "wxwork") {
            Self::Wecom
        } else if holds(header, "MicroMessenger") {
            Self::Wechat
        } else if holds(header, "Mozilla/") {
            Self::OtherBrowser
        } else {
            Self::Program
        }
    }
}

fn holds(header: &str, name: &str) -> bool {
    header.as_bytes().windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()))
}
