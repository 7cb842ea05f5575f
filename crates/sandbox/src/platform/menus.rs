//! Menus: `/cgi-bin/menu/create`, `/cgi-bin/menu/get`, `/cgi-bin/menu/delete`, of official accounts and WeCom apps, and
//! `/cgi-bin/get_current_selfmenu_info`.
//!
//! Source: "Custom menus" of the official account docs, "Custom menu" of the WeCom docs. What a menu may hold is in
//! `chat/menu`.

use serde_json::{Value, json};

use super::desk::{Answer, Caller, Desk};
use super::refusal::{House, Refusal};
use crate::chat::Menu;
use crate::wire::Reply;

/// `POST /cgi-bin/menu/create?access_token=T` `{"button":[…]}`; WeCom with `&agentid=N`.
pub(crate) fn create(desk: &mut Desk<'_>) -> Answer {
    let caller = owner(desk)?;
    let body = desk.body()?;
    let id = desk.world.next_menu_id();
    let menu = Menu::parse(&body, id).map_err(|code| Refusal::of(caller.house, code))?;
    desk.admit(&caller)?;
    *place(desk, &caller)? = Some(menu);
    Ok(Reply::done())
}

/// `GET /cgi-bin/menu/get?access_token=T`.
pub(crate) fn read(desk: &mut Desk<'_>) -> Answer {
    let caller = owner(desk)?;
    desk.admit(&caller)?;
    let menu = place(desk, &caller)?.clone().ok_or_else(|| Refusal::of(caller.house, 46003))?;
    let answer: Value = match caller.house {
        House::Official => json!({ "menu": { "button": menu.button, "menuid": menu.id } }),
        House::Wecom => json!({ "errcode": 0, "errmsg": "ok", "button": menu.button }),
    };
    Ok(Reply::success(&answer))
}

/// `GET /cgi-bin/get_current_selfmenu_info?access_token=T`: the menu of an official account in another shape, also when there
/// is none.
pub(crate) fn current(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    desk.admit(&caller)?;
    let menu = desk.holder(&caller)?.menu.clone();
    let Some(menu) = menu else { return Ok(Reply::success(&json!({ "is_menu_open": 0 }))) };
    let buttons: Vec<_> = menu.button.into_iter().map(with_list).collect();
    Ok(Reply::success(&json!({ "is_menu_open": 1, "selfmenu_info": { "button": buttons } })))
}

/// A button whose buttons below stand in a list of their own.
fn with_list(mut button: Value) -> Value {
    if let Some(below) = button.get_mut("sub_button") {
        *below = json!({ "list": below });
    }
    button
}

/// `GET /cgi-bin/menu/delete?access_token=T`.
pub(crate) fn delete(desk: &mut Desk<'_>) -> Answer {
    let caller = owner(desk)?;
    desk.admit(&caller)?;
    *place(desk, &caller)? = None;
    Ok(Reply::done())
}

/// The caller; a WeCom app names itself once more, and changes only its own menu.
fn owner(desk: &Desk<'_>) -> Result<Caller, Refusal> {
    let caller = desk.caller()?;
    if caller.house == House::Official {
        return Ok(caller);
    }
    let named: Option<u64> = desk.call.param("agentid").and_then(|agentid| agentid.parse().ok());
    match named {
        None => Err(Refusal::wecom(40056)),
        Some(agentid) if Some(agentid) == caller.agentid => Ok(caller),
        Some(_) => Err(Refusal::wecom(301_002)),
    }
}

fn place<'a>(desk: &'a mut Desk<'_>, caller: &Caller) -> Result<&'a mut Option<Menu>, Refusal> {
    let (house, agentid) = (caller.house, caller.agentid);
    let holder = desk.holder(caller)?;
    match house {
        House::Official => Ok(&mut holder.menu),
        House::Wecom => holder.app_mut(agentid).map(|app| &mut app.menu).ok_or_else(|| Refusal::wecom(40056)),
    }
}
