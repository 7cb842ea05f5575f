//! What visitors read, in Chinese and English.

use engine::login::problem::LoginProblem;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use wechat::login::Lang;

/// The texts of the pages in one language.
pub(crate) struct Texts {
    /// For `<html lang>`.
    pub(crate) tag: &'static str,
    pub(crate) arriving: &'static str,
    pub(crate) go_on: &'static str,
    pub(crate) again: &'static str,
    pub(crate) back: &'static str,
    pub(crate) scan: &'static str,
    pub(crate) scan_why: &'static str,
    pub(crate) scan_how: &'static str,
    /// For a link that is too long for a QR code.
    pub(crate) open_in_wechat: &'static str,
    pub(crate) open_in_wechat_how: &'static str,
    pub(crate) qrcode: &'static str,
    pub(crate) wrong_link: &'static str,
    pub(crate) wrong_link_what: &'static str,
    pub(crate) unavailable: &'static str,
    pub(crate) unavailable_what: &'static str,
}

static CHINESE: Texts = Texts {
    tag: "zh-CN",
    arriving: "登录成功, 正在返回",
    go_on: "继续",
    again: "重新登录",
    back: "返回网站",
    scan: "请用微信扫码登录",
    scan_why: "这个页面要在微信里打开。扫码后, 在手机上继续。",
    scan_how: "也可以把链接发到微信里再点开:",
    open_in_wechat: "请在微信里打开",
    open_in_wechat_how: "把下面的链接发到微信里再点开。",
    qrcode: "登录链接的二维码",
    wrong_link: "这个登录链接有问题",
    wrong_link_what: "请把下面这行告诉网站的管理员。",
    unavailable: "现在不能登录",
    unavailable_what: "请稍后再试。如果一直这样, 请把下面这行告诉网站的管理员。",
};

static ENGLISH: Texts = Texts {
    tag: "en",
    arriving: "Logged in, going back",
    go_on: "Continue",
    again: "Log in again",
    back: "Back to the site",
    scan: "Scan with WeChat to log in",
    scan_why: "This page has to be opened in WeChat. Scan the code and go on there, on your phone.",
    scan_how: "Or send the link to a WeChat chat and open it there:",
    open_in_wechat: "Open this in WeChat",
    open_in_wechat_how: "Send the link below to a WeChat chat and open it there.",
    qrcode: "QR code of the login link",
    wrong_link: "Something is wrong with this login link",
    wrong_link_what: "Please tell the operator of the site the line below.",
    unavailable: "Logging in is not possible now",
    unavailable_what: "Please try again later. If it stays so, tell the operator of the site the line below.",
};

impl Texts {
    /// In the language that the link asks for, else the browser's first; Chinese when nothing is known.
    pub(crate) fn of(lang: Option<Lang>, headers: &HeaderMap) -> &'static Self {
        let english = match lang {
            Some(lang) => lang == Lang::En,
            None => {
                let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
                let first = accepted.split([',', ';']).next().unwrap_or_default().trim();
                let is_chinese = first.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("zh"));
                !is_chinese && !first.is_empty() && first != "*"
            }
        };
        if english { &ENGLISH } else { &CHINESE }
    }

    /// What happened, and what the visitor can do.
    pub(crate) fn problem(&self, problem: &LoginProblem) -> (&'static str, &'static str) {
        let english = std::ptr::eq(self, &raw const ENGLISH);
        let (chinese_texts, english_texts) = match problem {
            LoginProblem::Denied => (
                ("你取消了登录", "要继续使用, 请重新登录并点“允许”。"),
                ("You did not log in", "To go on, log in again and agree."),
            ),
            LoginProblem::Altered => (
                ("登录链接不完整", "返回的内容和发出的不一致。请回到网站, 重新点登录。"),
                ("The login came back altered", "Go back to the site and log in from there."),
            ),
            LoginProblem::NotAllowed => (
                ("不能返回这个网站", "网站的地址已经不在允许的范围里。请告诉网站的管理员。"),
                (
                    "This site may not be returned to",
                    "Its address is no longer allowed. Please tell the operator of the site.",
                ),
            ),
            LoginProblem::OtherBrowser => (
                ("请在同一个浏览器里登录", "登录要在开始的那个浏览器里完成, 并且要允许 Cookie。请重新登录。"),
                (
                    "Another browser than before",
                    "A login ends in the browser where it began, and needs cookies. Please log in again.",
                ),
            ),
            LoginProblem::Expired => (
                ("登录超时", "超过 5 分钟没有完成。请重新登录。"),
                ("That took too long", "A login has to be finished within 5 minutes. Please log in again."),
            ),
            LoginProblem::Spent | LoginProblem::CodeSpent(_) => (
                ("这次登录已经用过", "页面被刷新, 或按了返回。请重新登录。"),
                ("This login was used before", "The page was loaded again, or Back was pressed. Please log in again."),
            ),
            LoginProblem::Refused(_) => (
                ("微信拒绝了这次登录", "请把下面这行告诉网站的管理员。"),
                ("WeChat refused this login", "Please tell the operator of the site the line below."),
            ),
            LoginProblem::NotReady => (
                ("暂时不能登录", "登录服务正忙, 请稍后重试。"),
                ("Logging in is not possible now", "The login service is busy. Please try again in a moment."),
            ),
            LoginProblem::Unreachable(_) => (
                ("暂时不能登录", "连不上微信, 请稍后重试。"),
                ("Logging in is not possible now", "WeChat does not answer. Please try again in a moment."),
            ),
        };
        if english { english_texts } else { chinese_texts }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_link_then_the_browser_says_which_language() {
        let tag = |lang, accepted: &'static str| {
            let headers = HeaderMap::from_iter([(ACCEPT_LANGUAGE, HeaderValue::from_static(accepted))]);
            Texts::of(lang, &headers).tag
        };
        assert_eq!(tag(Some(Lang::En), "zh-CN"), "en");
        assert_eq!(tag(Some(Lang::ZhTw), "en"), "zh-CN");
        assert_eq!((tag(None, "en-US,zh;q=0.9"), tag(None, "fr")), ("en", "en"));
        assert_eq!((tag(None, "zh-TW,en;q=0.9"), tag(None, "*"), tag(None, "")), ("zh-CN", "zh-CN", "zh-CN"));
    }
}
