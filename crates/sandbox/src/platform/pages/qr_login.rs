//! Logins on another screen: a page with a QR code that the phone scans and confirms, of websites
//! (`/connect/qrconnect`) and of WeCom apps (`/wwlogin/sso/login`, older `/wwopen/sso/qrConnect`).
//!
//! Source: "Website application login" of the open platform docs, "WeCom web login" of the WeCom docs. The page asks
//! `/connect/l/qrconnect` what became of its code, as WeChat's own page does (408 nobody scanned it, 404 scanned, 405
//! confirmed, 403 refused, 402 too old), and goes to `/connect/qrconnect/wait` then, which leads to redirect_uri; without
//! script it goes there every few seconds. A refusal leads nowhere, as the newer docs say. Unconfirmed: the
//! parameters of the WeCom pages, and all lifetimes.

use serde_json::json;

use super::authorize::{self, is_in_wechat};
use super::consent::{self, Decision};
use super::html::{self, Fill, Html, fill, page};
use super::link::{self, Link, param};
use super::objection::Objection;
use crate::account::AccountKind;
use crate::login::{Answered, Question, Scan, Scope};
use crate::phone::Consent;
use crate::platform::desk::Desk;
use crate::qrcode;
use crate::wire::Reply;
use crate::world::Holder;

const HEAD: &str = include_str!("qr_login_head.html");
const BODY: &str = include_str!("qr_login.html");
const OVER: &str = include_str!("qr_over.html");

/// `GET /connect/qrconnect?appid=&redirect_uri=&response_type=code&scope=snsapi_login&state=`.
pub(super) fn website(desk: &mut Desk<'_>) -> Reply {
    let question = website_question(desk);
    show(desk, question)
}

/// `GET /wwlogin/sso/login?login_type=CorpApp&appid=&agentid=&redirect_uri=&state=`.
pub(super) fn corp(desk: &mut Desk<'_>) -> Reply {
    let question = if param(desk.call.params(), "login_type") == Some("CorpApp") {
        corp_question(desk)
    } else {
        Err(Objection::wrong_link(
            "login_type 参数错误",
            "login_type has to be CorpApp; the sandbox has no service apps.",
        ))
    };
    show(desk, question)
}

/// `GET /wwopen/sso/qrConnect?appid=&agentid=&redirect_uri=&state=`.
pub(super) fn corp_in_the_old_way(desk: &mut Desk<'_>) -> Reply {
    let question = corp_question(desk);
    show(desk, question)
}

/// `GET /connect/confirm?uuid=U`: what the QR code says, opened by the phone.
pub(super) fn confirm(desk: &mut Desk<'_>) -> Reply {
    let uuid = desk.call.param("uuid").unwrap_or_default();
    let Some(scan) = desk.world.logins.scan(uuid, desk.now).cloned() else {
        return Objection::wrong_link("二维码已失效", "The QR code is too old or unknown; show it anew.").page();
    };
    if !is_in_wechat(desk.call) {
        return authorize::outside(scan.question.scope != Scope::Login);
    }
    if !matches!(scan.answered, Answered::NotYet | Answered::Scanned) {
        return Objection::wrong_link("二维码已使用", "The QR code was confirmed or refused already.").page();
    }
    desk.world.logins.note_scan(uuid, Answered::Scanned);
    let question = Question { scan: Some(uuid.to_owned()), asked: desk.now, ..scan.question };
    let decision = match desk.world.phone.consent {
        Consent::Ask => return consent::ask(desk, question, false),
        Consent::Allow | Consent::Snapshot => Decision::Allow,
        Consent::Refuse => Decision::Refuse,
    };
    let note = if decision == Decision::Refuse { "refused at once" } else { "allowed at once" };
    consent::conclude(desk, &question, decision, note)
}

/// `GET /connect/qrconnect/wait?uuid=U`: leads on when the phone has confirmed, else shows the code again.
pub(super) fn wait(desk: &mut Desk<'_>) -> Reply {
    let uuid = desk.call.param("uuid").unwrap_or_default();
    let Some(scan) = desk.world.logins.known_scan(uuid) else {
        return Objection::wrong_link("二维码已失效", "The QR code is unknown; open the login anew.").page();
    };
    match &scan.answered {
        Answered::Allowed(code) => {
            let Question { redirect_uri, state, .. } = &scan.question;
            match authorize::target(redirect_uri) {
                Ok(target) => Reply::redirect(&target.with(&[("code", code), ("state", state)]))
                    .with_note(format!("code to {}", target.url.host_str().unwrap_or_default())),
                Err(objection) => objection.page(),
            }
        }
        Answered::Refused => over("你已取消此次登录", "The login was refused in the phone.", &scan.again),
        Answered::NotYet | Answered::Scanned if desk.world.logins.scan(uuid, desk.now).is_none() => {
            over("二维码已过期", "The QR code is too old.", &scan.again)
        }
        Answered::NotYet | Answered::Scanned => code_page(desk, uuid, scan),
    }
}

/// `GET /connect/l/qrconnect?uuid=U`: what became of the code, as a line of script.
pub(super) fn state(desk: &mut Desk<'_>) -> Reply {
    let uuid = desk.call.param("uuid").unwrap_or_default();
    let (number, code) = match desk.world.logins.scan(uuid, desk.now).map(|scan| &scan.answered) {
        None => (402, ""),
        Some(Answered::NotYet) => (408, ""),
        Some(Answered::Scanned) => (404, ""),
        Some(Answered::Allowed(code)) => (405, code.as_str()),
        Some(Answered::Refused) => (403, ""),
    };
    Reply::page(200, "text/javascript", format!("window.wx_errcode={number};window.wx_code={};", json!(code)))
        .with_header(http::header::CACHE_CONTROL, "no-store")
}

/// `GET /connect/qrcode/UUID`: the picture.
pub(super) fn picture(desk: &mut Desk<'_>) -> Reply {
    let uuid = desk.call.path.strip_prefix(desk.path).unwrap_or_default();
    let known = desk.world.logins.scan(uuid, desk.now).is_some();
    let png = qrcode::png(&confirm_url(desk, uuid)).filter(|_| known);
    png.map_or_else(html::missing, |png| Reply::page(200, "image/png", png))
}

fn website_question(desk: &Desk<'_>) -> Result<Question, Objection> {
    let link = Link::lenient(desk.call.params())?;
    let holder = authorize::account(desk, link.appid)?;
    if holder.kind != AccountKind::Website {
        let advice = "The appid has to be that of a website application (kind website); official accounts use /connect/oauth2/authorize.";
        return Err(Objection::wrong_link("AppID 不是网站应用", advice));
    }
    if link.scope != Scope::Login.as_str() || !holder.settings.rights.web_login {
        return Err(Objection::code(10005));
    }
    if !holder.settings.web_domains.allow_host(&authorize::target(link.redirect_uri)?.url) {
        return Err(Objection::code(10003));
    }
    Ok(question(desk, holder, None, Scope::Login, (link.redirect_uri, link.state)))
}

fn corp_question(desk: &Desk<'_>) -> Result<Question, Objection> {
    let params = desk.call.params();
    let appid = param(params, "appid").ok_or_else(|| Objection::code(10012))?;
    let redirect_uri = param(params, "redirect_uri").ok_or_else(|| Objection::code(10011))?;
    let holder = authorize::account(desk, appid)?;
    if holder.kind != AccountKind::Wecom {
        return Err(Objection::wrong_link("企业不存在", "The appid has to be the corpid of a WeCom corp."));
    }
    let agentid = authorize::app_of(holder, param(params, "agentid"))?
        .ok_or_else(|| Objection::wrong_link("缺少 agentid", "The link has no agentid."))?;
    authorize::trusted(holder, redirect_uri)?;
    Ok(question(desk, holder, Some(agentid), Scope::Base, (redirect_uri, link::state(params)?)))
}

fn question(
    desk: &Desk<'_>,
    holder: &Holder,
    agentid: Option<u64>,
    scope: Scope,
    (redirect_uri, state): (&str, &str),
) -> Question {
    Question {
        appid: holder.appid.clone(),
        agentid,
        scope,
        redirect_uri: redirect_uri.to_owned(),
        state: state.to_owned(),
        scan: None,
        asked: desk.now,
    }
}

fn show(desk: &mut Desk<'_>, question: Result<Question, Objection>) -> Reply {
    let question = match question {
        Ok(question) => question,
        Err(objection) => return objection.page(),
    };
    let uuid = desk.world.logins.show_code(question, desk.call.target());
    match desk.world.logins.scan(&uuid, desk.now) {
        Some(scan) => code_page(desk, &uuid, scan).with_note("shows a QR code"),
        None => html::missing(),
    }
}

fn code_page(desk: &Desk<'_>, uuid: &str, scan: &Scan) -> Reply {
    let holder = desk.world.accounts.get(&scan.question.appid);
    let name = holder.map(|holder| holder.name.as_str()).unwrap_or_default();
    let client = if scan.question.scope == Scope::Login { "微信" } else { "企业微信" };
    let told = if scan.answered == Answered::Scanned {
        "已扫描，请在手机上确认"
    } else {
        "请使用手机扫描二维码登录"
    };
    let url = confirm_url(desk, uuid);
    let fills = [
        ("client", Fill::Text(client)),
        ("name", Fill::Text(name)),
        ("told", Fill::Text(told)),
        ("uuid", Fill::Text(uuid)),
        ("url", Fill::Text(&url)),
    ];
    let head = fill(HEAD, &[("uuid", Fill::Text(uuid))]);
    page(&format!("{client}登录"), head, fill(BODY, &fills))
}

fn over(title: &str, more: &str, again: &str) -> Reply {
    let fills = [("title", Fill::Text(title)), ("more", Fill::Text(more)), ("again", Fill::Text(again))];
    page(title, Html::none(), fill(OVER, &fills)).with_note(title)
}

/// What the QR code says.
fn confirm_url(desk: &Desk<'_>, uuid: &str) -> String {
    format!("{}/connect/confirm?uuid={uuid}", desk.call.origin())
}
