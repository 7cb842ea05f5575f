//! Template messages of official accounts: `/cgi-bin/message/template/send` and the templates below `/cgi-bin/template/`.
//!
//! Source: "Template messages" of the official account docs: the answer says that the message is on its way, the event
//! `TEMPLATESENDJOBFINISH` what became of it. Checks in this order: token, body, receiver, template, following, values,
//! quota; the docs do not give the live order. That the kinds of values of subscription messages (`thing1`, …) are checked
//! in template messages as well is unconfirmed.

use serde_json::{Value, json};

use super::desk::{Answer, Caller, Desk, text};
use super::refusal::Refusal;
use crate::account::AccountKind;
use crate::callback::{Content, Line};
use crate::chat::{Entry, Speaker, WrongValue};
use crate::pushes::Due;
use crate::wire::Reply;

/// Keywords of a template at most, and the longest name of one and short id of a template, in characters.
const MOST_KEYWORDS: usize = 20;
const LONGEST_NAME: usize = 128;
/// Longest `client_msg_id`, in characters.
const LONGEST_CLIENT_MSG_ID: usize = 32;

/// `POST /cgi-bin/message/template/send?access_token=T` `{"touser":"O","template_id":"T","url":"…","data":{…}}`. That a
/// `client_msg_id` sends once in 10 minutes is unconfirmed and not kept here.
pub(crate) fn send(desk: &mut Desk<'_>) -> Answer {
    let caller = service(desk)?;
    let body = desk.body()?;
    let now = desk.now;
    let holder = desk.holder(&caller)?;
    let openid = text(&body, "touser").unwrap_or_default().to_owned();
    let user = holder.people.find(&openid).ok_or_else(|| Refusal::official(40003))?;
    let template = holder.templates.find(text(&body, "template_id").unwrap_or_default());
    let template = template.ok_or_else(|| Refusal::official(40037))?;
    if !user.following {
        return Err(Refusal::official(43004));
    }
    if text(&body, "client_msg_id").is_some_and(|id| id.chars().count() > LONGEST_CLIENT_MSG_ID) {
        return Err(Refusal::official(40097));
    }
    let data = body.get("data").and_then(Value::as_object).ok_or_else(|| Refusal::official(47003))?;
    let lines = template.filled(data, false).map_err(|wrong| argument(&wrong))?;
    let content = notice(&template.title, lines, &body, "url");
    let receives = user.receives;
    desk.admit(&caller)?;
    let msgid = desk.world.next_job_id();
    if receives {
        desk.holder(&caller)?.people.say(&openid, Entry::new(Speaker::Account, now, content));
    }
    let status = if receives { "success" } else { "failed:user block" };
    let event = json!({ "MsgType": "event", "Event": "TEMPLATESENDJOBFINISH", "MsgID": msgid, "Status": status });
    desk.world.pushes.announce(Due { appid: caller.appid, openid, event });
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "msgid": msgid })))
}

/// `GET /cgi-bin/template/get_all_private_template?access_token=T`.
pub(crate) fn list(desk: &mut Desk<'_>) -> Answer {
    let caller = service(desk)?;
    desk.admit(&caller)?;
    let templates = desk.holder(&caller)?.templates.all().iter();
    let views: Vec<_> = templates
        .map(|template| {
            json!({
                "template_id": template.template_id,
                "title": template.title,
                "primary_industry": "IT科技",
                "deputy_industry": "互联网|电子商务",
                "content": template.content,
                "example": "",
            })
        })
        .collect();
    Ok(Reply::success(&json!({ "template_list": views })))
}

/// `POST /cgi-bin/template/api_add_template?access_token=T` `{"template_id_short":"TM00015","keyword_name_list":["金额"]}`.
/// There is no library of templates here: every short id is known, and its content is made of the names of the keywords.
pub(crate) fn add(desk: &mut Desk<'_>) -> Answer {
    let caller = service(desk)?;
    let body = desk.body()?;
    let fits = |name: &&str| name.chars().count() <= LONGEST_NAME;
    let short = text(&body, "template_id_short").filter(fits).ok_or_else(|| Refusal::official(40037))?;
    let names: Vec<_> = body.get("keyword_name_list").and_then(Value::as_array).into_iter().flatten().collect();
    let lines = names.iter().filter_map(|name| name.as_str()).filter(fits).take(MOST_KEYWORDS).enumerate();
    let lines: Vec<_> = lines.map(|(at, name)| format!("{name}：{{{{keyword{}.DATA}}}}", at + 1)).collect();
    let content = if lines.is_empty() {
        "{{first.DATA}}\n内容：{{keyword1.DATA}}\n{{remark.DATA}}".to_owned()
    } else {
        lines.join("\n")
    };
    desk.admit(&caller)?;
    let added = desk.holder(&caller)?.templates.add(None, short.to_owned(), content);
    let template = added.map_err(|_| Refusal::official(45026))?;
    Ok(Reply::success(&json!({ "errcode": 0, "errmsg": "ok", "template_id": template.template_id })))
}

/// `POST /cgi-bin/template/del_private_template?access_token=T` `{"template_id":"T"}`.
pub(crate) fn delete(desk: &mut Desk<'_>) -> Answer {
    let caller = service(desk)?;
    let body = desk.body()?;
    desk.admit(&caller)?;
    let removed = desk.holder(&caller)?.templates.remove(text(&body, "template_id").unwrap_or_default());
    if removed { Ok(Reply::done()) } else { Err(Refusal::official(40037)) }
}

/// The caller, if it is an official account.
fn service(desk: &mut Desk<'_>) -> Result<Caller, Refusal> {
    let caller = desk.official_caller()?;
    if desk.holder(&caller)?.kind == AccountKind::Official { Ok(caller) } else { Err(Refusal::official(48001)) }
}

/// The error for a value that does not fit, which names it.
pub(super) fn argument(wrong: &WrongValue) -> Refusal {
    let WrongValue { name, empty } = wrong;
    let what = if *empty { "is empty" } else { "invalid" };
    Refusal::official(47003).saying(format!("argument invalid! data.{name}.value {what}"))
}

/// What the user sees. `page` is the name of the field with the address to go to; a mini program goes before it.
pub(super) fn notice(title: &str, lines: Vec<Line>, body: &Value, page: &str) -> Content {
    let program =
        |name: &str| body.pointer(&format!("/miniprogram/{name}")).and_then(Value::as_str).unwrap_or_default();
    let url = text(body, page).unwrap_or_default();
    Content::notice(title, lines, [url, program("appid"), program("pagepath")])
}
