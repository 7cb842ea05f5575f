//! The question in the phone, who somebody may be for an account, and what follows from the answer.
//!
//! Used by `authorize` and by the QR codes. The page is a form that needs no script; its ticket is good for one answer,
//! so that a foreign page cannot answer. Refusal leads back with `state` alone, as the older text of the docs says; that
//! WeChat's own client rather closes the page is unconfirmed.

use super::authorize;
use super::html::{Fill, Html, fill, page};
use super::objection::Objection;
use crate::account::AccountKind;
use crate::login::{Answered, Grant, Question, Scope};
use crate::platform::desk::Desk;
use crate::wire::Reply;

const BODY: &str = include_str!("consent.html");
const WHO: &str = include_str!("consent_who.html");
const DONE: &str = include_str!("done.html");

/// What the visitor decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Allow,
    /// With a virtual identity (快照页).
    Snapshot,
    Refuse,
}

/// Asks the visitor.
pub(super) fn ask(desk: &mut Desk<'_>, question: Question, only_snapshot: bool) -> Reply {
    let Some(holder) = desk.world.accounts.get(&question.appid) else { return gone().page() };
    let person = &desk.world.phone.person;
    let app = question.agentid.and_then(|agentid| holder.app(Some(agentid)));
    let name = app.map_or_else(|| holder.name.clone(), |app| format!("{} · {}", holder.name, app.name));
    let wants = match question.scope {
        Scope::PrivateInfo => "获取你的姓名、头像、手机号、邮箱等敏感信息",
        Scope::UserInfo => "获取你的昵称、头像",
        Scope::Login => "获取你的昵称、头像，用于登录该网站",
        Scope::Base => "获取你的身份，用于登录",
    };
    let initial: String = holder.name.chars().take(1).collect();
    let picture = person.picture("");
    let (nickname, kind) = match holder.kind {
        AccountKind::Wecom => (holder.people.phone(), "企业成员"),
        _ => (person.nickname.as_str(), "微信个人信息"),
    };
    let who = [("nickname", Fill::Text(nickname)), ("picture", Fill::Text(&picture)), ("kind", Fill::Text(kind))];
    let chooses = question.scope == Scope::UserInfo;
    let who = if only_snapshot { fill(include_str!("consent_snapshot.html"), &[]) } else { fill(WHO, &who) };
    let virtual_choice =
        if chooses && !only_snapshot { fill(include_str!("consent_virtual.html"), &[]) } else { Html::none() };
    let ticket = desk.world.logins.ask(question);
    let fills = [
        ("name", Fill::Text(&name)),
        ("initial", Fill::Text(&initial)),
        ("wants", Fill::Text(wants)),
        ("who", Fill::Html(who)),
        ("virtual", Fill::Html(virtual_choice)),
        ("ticket", Fill::Text(&ticket)),
    ];
    page("微信登录", Html::none(), fill(BODY, &fills)).with_note("asks the visitor for consent")
}

/// `POST /connect/oauth2/decide`: `ticket`, `decision` (`allow`, `refuse`), `identity` (`real`, `virtual`).
pub(super) fn decide(desk: &mut Desk<'_>) -> Reply {
    let ticket = desk.call.field("ticket").unwrap_or_default();
    let Some(question) = desk.world.logins.answer(&ticket, desk.now) else {
        let advice = "This page was answered already or is too old; open the link again.";
        return Objection::wrong_link("页面已失效，请重新打开链接", advice).page();
    };
    let (decision, identity) = (desk.call.field("decision"), desk.call.field("identity"));
    let decision = match (decision.as_deref(), identity.as_deref()) {
        (Some("allow"), Some("virtual")) if question.scope == Scope::UserInfo => Decision::Snapshot,
        (Some("allow"), _) => Decision::Allow,
        _ => Decision::Refuse,
    };
    let note = if decision == Decision::Refuse { "refused by the visitor" } else { "allowed by the visitor" };
    if question.scan.is_some() {
        conclude(desk, &question, decision, note)
    } else {
        lead_back(desk, &question, decision, note)
    }
}

/// Leads the browser back with a code, or after a refusal without one.
pub(super) fn lead_back(desk: &mut Desk<'_>, question: &Question, decision: Decision, note: &str) -> Reply {
    let Ok(target) = authorize::target(&question.redirect_uri) else { return gone().page() };
    let place = target.url.host_str().unwrap_or_default().to_owned();
    let scope = question.scope.as_str();
    match issue(desk, question, decision) {
        Some(code) => Reply::redirect(&target.with(&[("code", &code), ("state", &question.state)]))
            .with_note(format!("{scope}, {note}: code to {place}")),
        None => Reply::redirect(&target.with(&[("state", &question.state)]))
            .with_note(format!("{scope}, {note}: no code to {place}")),
    }
}

/// Tells the QR code on the other screen what the visitor decided.
pub(super) fn conclude(desk: &mut Desk<'_>, question: &Question, decision: Decision, note: &str) -> Reply {
    let uuid = question.scan.clone().unwrap_or_default();
    let code = issue(desk, question, decision);
    let allowed = code.is_some();
    desk.world.logins.note_scan(&uuid, code.map_or(Answered::Refused, Answered::Allowed));
    let (mark, title, more, english) = if allowed {
        ("ok", "已确认登录", "请回到电脑上继续", "Go on at the other screen.")
    } else {
        ("no", "已取消登录", "你拒绝了这次登录", "You refused this login.")
    };
    let texts = [("mark", mark), ("title", title), ("more", more), ("english", english)];
    let fills = texts.map(|(name, text)| (name, Fill::Text(text)));
    page(title, Html::none(), fill(DONE, &fills)).with_note(format!("{}, {note}", question.scope.as_str()))
}

/// The code for a decision; none for a refusal, or when the account is gone.
fn issue(desk: &mut Desk<'_>, question: &Question, decision: Decision) -> Option<String> {
    let now = desk.now;
    let people = &mut desk.world.accounts.get_mut(&question.appid)?.people;
    let openid = match decision {
        Decision::Refuse => return None,
        Decision::Snapshot if question.scope == Scope::UserInfo => people.virtual_phone(now),
        Decision::Allow | Decision::Snapshot => people.phone().to_owned(),
    };
    let grant = Grant { appid: question.appid.clone(), openid, scope: question.scope };
    Some(desk.world.logins.issue_code(grant, now))
}

fn gone() -> Objection {
    Objection::wrong_link("AppID 参数错误", "The account is not there any more.")
}
