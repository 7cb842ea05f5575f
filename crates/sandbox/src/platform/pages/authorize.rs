//! `/connect/oauth2/authorize`: the page that a link inside WeChat or WeCom opens to learn who the visitor is.
//!
//! Source: "Web page authorization" of the official account docs, "Web page authorization login" of the WeCom docs.
//! Checks in this order: client, link, account and its kind, its state, scope, redirect_uri (live order unconfirmed).
//! `snsapi_base` is silent; `snsapi_userinfo` is so for a follower who came from the account's chat or menu, which the
//! control API says by `chat` of the phone. `forcePopup` is accepted and changes nothing: otherwise the visitor
//! is asked each time, since whether and how long WeChat remembers a consent is unconfirmed.

use super::consent::{self, Decision};
use super::html;
use super::link::Link;
use super::objection::Objection;
use super::target::Target;
use crate::account::AccountKind;
use crate::login::{Question, Scope};
use crate::phone::Consent;
use crate::platform::desk::Desk;
use crate::wire::{Call, Reply};
use crate::world::Holder;

/// `GET /connect/oauth2/authorize?appid=&redirect_uri=&response_type=code&scope=&state=`.
pub(super) fn open(desk: &mut Desk<'_>) -> Reply {
    let (question, link_wants_snapshot) = match asked(desk) {
        Ok(asked) => asked,
        Err(objection) => return objection.page(),
    };
    if !is_in_wechat(desk.call) {
        let wecom = desk.world.accounts.get(&question.appid).is_some_and(|holder| holder.kind == AccountKind::Wecom);
        return outside(wecom);
    }
    let wanted = match desk.world.phone.consent {
        _ if question.scope == Scope::Base => Some((Decision::Allow, "silent")),
        _ if comes_from_chat(desk, &question) => Some((Decision::Allow, "silent: a follower, from the chat")),
        Consent::Ask => None,
        Consent::Allow if link_wants_snapshot => Some((Decision::Snapshot, "forceSnapShot, allowed at once")),
        Consent::Allow => Some((Decision::Allow, "allowed at once")),
        Consent::Refuse => Some((Decision::Refuse, "refused at once")),
        Consent::Snapshot => Some((Decision::Snapshot, "allowed at once")),
    };
    match wanted {
        Some((decision, note)) => consent::lead_back(desk, &question, decision, note),
        None => consent::ask(desk, question, link_wants_snapshot),
    }
}

/// Whether a call comes from within WeChat, or from a program that is no browser at all. The sandbox's phone shows pages
/// in a frame, which cannot name itself WeChat, but browsers say that it is a frame.
pub(super) fn is_in_wechat(call: &Call) -> bool {
    let agent = call.header("user-agent").unwrap_or_default();
    let in_frame = call.header("sec-fetch-dest") == Some("iframe");
    !agent.contains("Mozilla/") || agent.contains("MicroMessenger") || in_frame
}

/// What a browser outside sees.
pub(super) fn outside(wecom: bool) -> Reply {
    let client = if wecom { "企业微信" } else { "微信" };
    let advice = "Open this link in the sandbox's phone, or in a browser whose User-Agent is WeChat's.";
    let fills = [("client", html::Fill::Text(client)), ("advice", html::Fill::Text(advice))];
    let body = html::fill(include_str!("outside.html"), &fills);
    let note = format!("请在{client}客户端打开链接");
    html::page(&note, html::Html::none(), body).with_note(note)
}

/// What the link asks the visitor, and whether only for a virtual identity.
fn asked(desk: &Desk<'_>) -> Result<(Question, bool), Objection> {
    let link = Link::strict(desk.call.params())?;
    let holder = account(desk, link.appid)?;
    let question = match holder.kind {
        AccountKind::Official => official(desk, &link, holder)?,
        AccountKind::Wecom => corp(desk, &link, holder)?,
        AccountKind::MiniProgram | AccountKind::Website => return Err(Objection::code(10016)),
    };
    let snapshot = link.snapshot && question.scope == Scope::UserInfo;
    Ok((question, snapshot))
}

/// The account that a link names.
pub(super) fn account<'a>(desk: &'a Desk<'_>, appid: &str) -> Result<&'a Holder, Objection> {
    let unknown = || Objection::wrong_link("AppID 参数错误", "There is no account with this appid.");
    let holder = desk.world.accounts.get(appid).ok_or_else(unknown)?;
    if holder.settings.frozen { Err(Objection::code(10004)) } else { Ok(holder) }
}

fn official(desk: &Desk<'_>, link: &Link<'_>, holder: &Holder) -> Result<Question, Objection> {
    let scope = Scope::parse(link.scope).filter(|scope| matches!(scope, Scope::Base | Scope::UserInfo));
    let scope = scope.filter(|_| holder.settings.rights.web_login).ok_or_else(|| Objection::code(10005))?;
    let target = target(link.redirect_uri)?;
    if !holder.settings.web_domains.allow_host(&target.url) {
        return Err(Objection::code(10003));
    }
    let follows = holder.people.find(holder.people.phone()).is_some_and(|user| user.following);
    if holder.settings.test_account && !follows {
        return Err(Objection::code(10006));
    }
    Ok(question(desk, link, scope, None))
}

fn corp(desk: &Desk<'_>, link: &Link<'_>, holder: &Holder) -> Result<Question, Objection> {
    let scope = Scope::parse(link.scope).filter(|scope| matches!(scope, Scope::Base | Scope::PrivateInfo));
    let scope = scope.ok_or_else(|| Objection::code(10005))?;
    let agentid = app_of(holder, link.agentid)?;
    if scope == Scope::PrivateInfo && agentid.is_none() {
        return Err(Objection::wrong_link("缺少 agentid", "snsapi_privateinfo needs the agentid of the app."));
    }
    trusted(holder, link.redirect_uri)?;
    Ok(question(desk, link, scope, agentid))
}

/// The app that a link names, when it names one.
pub(super) fn app_of(holder: &Holder, agentid: Option<&str>) -> Result<Option<u64>, Objection> {
    let known = |text: &str| text.parse().ok().filter(|agentid| holder.app(Some(*agentid)).is_some());
    let unknown = || Objection::wrong_link("agentid 参数错误", "The corp has no app with this agentid.");
    agentid.map(|text| known(text).ok_or_else(unknown)).transpose()
}

/// A trusted domain of a corp's app: the port counts as well.
pub(super) fn trusted(holder: &Holder, redirect_uri: &str) -> Result<Target, Objection> {
    let target = target(redirect_uri)?;
    let trusted = holder.settings.web_domains.allow_host_and_port(&target.url);
    if trusted { Ok(target) } else { Err(Objection::code(50001)) }
}

/// The place that a link leads back to.
pub(super) fn target(redirect_uri: &str) -> Result<Target, Objection> {
    Target::parse(redirect_uri).ok_or_else(|| {
        Objection::wrong_link("redirect_uri 参数错误", "redirect_uri has to be a whole address, percent-encoded once.")
    })
}

fn question(desk: &Desk<'_>, link: &Link<'_>, scope: Scope, agentid: Option<u64>) -> Question {
    Question {
        appid: link.appid.to_owned(),
        agentid,
        scope,
        redirect_uri: link.redirect_uri.to_owned(),
        state: link.state.to_owned(),
        scan: None,
        asked: desk.now,
    }
}

/// Whether the visitor follows the account and came from its chat or menu. The docs make no exception for
/// `forcePopup`.
fn comes_from_chat(desk: &Desk<'_>, question: &Question) -> bool {
    let from_chat = desk.world.phone.chat.as_ref() == Some(&question.appid);
    let Some(holder) = desk.world.accounts.get(&question.appid) else { return false };
    let follows = holder.people.find(holder.people.phone()).is_some_and(|user| user.following);
    from_chat && follows && holder.kind == AccountKind::Official
}
