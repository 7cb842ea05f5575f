//! Subscription messages: `/cgi-bin/message/subscribe/send` of mini programs, `/cgi-bin/message/subscribe/bizsend` of
//! official accounts, and `/wxaapi/newtmpl/gettemplate`.
//!
//! Source: "Subscription messages" of the mini program docs and of the official account docs: the user accepts a template,
//! and each acceptance pays for one message. How often a user has accepted is set by the control API (`subscriptions`).
//! Checks in this order: token, body, receiver, template, page, values, acceptance, quota; the docs do not give the live
//! order.

use serde_json::{Value, json};

use super::desk::{Answer, Caller, Desk, text};
use super::refusal::Refusal;
use super::templates::{argument, notice};
use crate::account::AccountKind;
use crate::chat::{Entry, Speaker};
use crate::pushes::Due;
use crate::wire::Reply;

/// Versions of a mini program that a message may lead to.
const STATES: [&str; 3] = ["developer", "trial", "formal"];

/// `POST /cgi-bin/message/subscribe/send?access_token=T` `{"touser":"O","template_id":"T","page":"p","data":{…}}`.
pub(crate) fn send(desk: &mut Desk<'_>) -> Answer {
    sent_by(desk, AccountKind::MiniProgram)
}

/// `POST /cgi-bin/message/subscribe/bizsend?access_token=T` with the same body; `page` is the address of a web page.
pub(crate) fn send_of_official(desk: &mut Desk<'_>) -> Answer {
    sent_by(desk, AccountKind::Official)
}

/// `GET /wxaapi/newtmpl/gettemplate?access_token=T`: the templates of a mini program or an official account.
pub(crate) fn list(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    desk.admit(&caller)?;
    let templates = desk.holder(&caller)?.templates.all().iter();
    let views: Vec<_> = templates
        .map(|template| {
            let (id, title, content) = (&template.template_id, &template.title, &template.content);
            json!({ "priTmplId": id, "title": title, "content": content, "example": "", "type": 2 })
        })
        .collect();
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "data": views })))
}

fn sent_by(desk: &mut Desk<'_>, kind: AccountKind) -> Answer {
    let caller = caller_of(desk, kind)?;
    let body = desk.body()?;
    let now = desk.now;
    let holder = desk.holder(&caller)?;
    let openid = text(&body, "touser").unwrap_or_default().to_owned();
    let user = holder.people.find(&openid).ok_or_else(|| Refusal::official(40003))?;
    let template = holder.templates.find(text(&body, "template_id").unwrap_or_default());
    let template = template.ok_or_else(|| Refusal::official(40037))?;
    let id = template.template_id.clone();
    if kind == AccountKind::MiniProgram {
        check_page(&body)?;
    }
    let data = body.get("data").and_then(Value::as_object).ok_or_else(|| Refusal::official(47003))?;
    let lines = template.filled(data, true).map_err(|wrong| argument(&wrong))?;
    let content = notice(&template.title, lines, &body, "page");
    if !user.subscriptions.contains_key(&id) {
        return Err(Refusal::official(43101));
    }
    desk.admit(&caller)?;
    let msgid = desk.world.next_job_id();
    let people = &mut desk.holder(&caller)?.people;
    if let Some(user) = people.find_mut(&openid) {
        user.use_subscription(&id);
    }
    people.say(&openid, Entry::new(Speaker::Account, now, content));
    let sent = json!([{ "TemplateId": id, "MsgID": msgid, "ErrorCode": 0, "ErrorStatus": "success" }]);
    let name = "subscribe_msg_sent_event";
    let event = json!({ "MsgType": "event", "Event": name, "SubscribeMsgSentEvent": { "List": sent } });
    desk.world.pushes.announce(Due { appid: caller.appid, openid, event });
    // The docs name no msgid of mini programs; answers that were seen have one.
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "msgid": msgid })))
}

fn caller_of(desk: &mut Desk<'_>, kind: AccountKind) -> Result<Caller, Refusal> {
    let caller = desk.official_caller()?;
    if desk.holder(&caller)?.kind == kind { Ok(caller) } else { Err(Refusal::official(48001)) }
}

/// The page of a mini program is a path within it.
fn check_page(body: &Value) -> Result<(), Refusal> {
    if text(body, "page").is_some_and(|page| page.contains("://")) {
        return Err(Refusal::official(41030));
    }
    let state = text(body, "miniprogram_state").unwrap_or("formal");
    if STATES.contains(&state) { Ok(()) } else { Err(Refusal::official(40097)) }
}
