//! The page 该链接无法访问: why a link does not lead to a login, with WeChat's code where there is one.
//!
//! Source of codes and texts: the table at the end of "Web page authorization" of the official account docs. That the
//! page shows them in this form is unconfirmed; what to do about it is the sandbox's own.

use super::html::{Fill, Html, fill, page};
use crate::wire::Reply;

const BODY: &str = include_str!("objection.html");

/// Code, WeChat's words, and what to do about it.
const CODES: [(i64, &str, &str); 12] = [
    (
        10003,
        "redirect_uri 域名与后台配置不一致",
        "The host of redirect_uri is not one of the account's web authorization domains (web_domains).",
    ),
    (10004, "此公众号被封禁", "The account is frozen."),
    (10005, "此公众号并没有这些 scope 的权限", "The account has no right to this scope, or there is no such scope."),
    (10006, "必须关注此测试号", "It is a test account; the visitor has to follow it first."),
    (10009, "操作太频繁了，请稍后重试", "Too many tries; wait a while."),
    (10010, "scope 不能为空", "The link has no scope."),
    (10011, "redirect_uri 不能为空", "The link has no redirect_uri."),
    (10012, "appid 不能为空", "The link has no appid."),
    (10013, "state 不能为空", "The link has no state."),
    (10015, "公众号未授权第三方平台，请检查授权状态", "The account is not authorized to that component."),
    (10016, "不支持微信开放平台的 Appid，请使用公众号 Appid", "The appid is that of another kind of account."),
    (
        50001,
        "redirect_uri 与应用的可信域名不一致",
        "Host and port of redirect_uri are not one of the app's trusted domains (web_domains).",
    ),
];

/// Why a link does not lead to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Objection {
    code: Option<i64>,
    said: String,
    advice: String,
}

impl Objection {
    /// One of WeChat's codes.
    pub(super) fn code(code: i64) -> Objection {
        let known = CODES.iter().find(|(known, ..)| *known == code);
        let (said, advice) =
            known.map_or(("系统错误", "Something went wrong; try again."), |(_, said, advice)| (said, advice));
        Objection { code: Some(code), said: said.to_owned(), advice: advice.to_owned() }
    }

    /// Something that WeChat has no code for.
    pub(super) fn wrong_link(said: &str, advice: impl Into<String>) -> Objection {
        Objection { code: None, said: said.to_owned(), advice: advice.into() }
    }

    /// The page, HTTP 200 as ever.
    pub(super) fn page(&self) -> Reply {
        let code = self
            .code
            .map(|code| fill("<p class=\"code\">错误码 {{code}}</p>", &[("code", Fill::Text(&code.to_string()))]));
        let fills = [
            ("said", Fill::Text(&self.said)),
            ("advice", Fill::Text(&self.advice)),
            ("code", Fill::Html(code.unwrap_or(Html::none()))),
        ];
        let reply = page("该链接无法访问", Html::none(), fill(BODY, &fills));
        let note = match self.code {
            Some(code) => format!("该链接无法访问 {code} {}", self.said),
            None => format!("该链接无法访问 {}", self.said),
        };
        Reply { errcode: Some(self.code.unwrap_or(-1)), ..reply }.with_note(note)
    }
}
