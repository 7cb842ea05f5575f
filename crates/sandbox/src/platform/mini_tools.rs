//! What a mini program's server asks for besides logins: `/wxa/getwxacodeunlimit` and `/wxa/msg_sec_check`.
//!
//! Source: "Get unlimited mini program code" and "Text content security check" of the mini program docs. The picture is a
//! QR code with page and scene, not the round code of the real platform; it is a PNG here and a JPEG or a PNG there. Codes for
//! what is wrong with a text or its scene are unconfirmed, but for 87014.

use serde_json::json;

use super::desk::{Answer, Desk, text};
use super::mini_login::mini_program;
use super::refusal::Refusal;
use crate::chance;
use crate::qrcode;
use crate::wire::Reply;

/// Longest scene, in characters.
const LONGEST_SCENE: usize = 32;
/// What a scene may hold besides letters and digits.
const SCENE_SIGNS: &str = "!#$&'()*+,/:;=?@-._~";
/// Longest text to check, in characters.
const LONGEST_TEXT: usize = 2_500;
/// The text with which the docs show what is found risky.
const RISKY: &str = "特3456书yuuo莞6543李zxcz蒜7782法fgnv级";

/// `POST /wxa/getwxacodeunlimit?access_token=T` `{"scene":"a=1","page":"pages/index/index"}`: the picture, or an error in
/// JSON.
pub(crate) fn code(desk: &mut Desk<'_>) -> Answer {
    let caller = mini_program(desk)?;
    let body = desk.body()?;
    let is_sign = |letter: char| letter.is_ascii_alphanumeric() || SCENE_SIGNS.contains(letter);
    let fits = |scene: &&str| scene.chars().count() <= LONGEST_SCENE && scene.chars().all(is_sign);
    let scene = text(&body, "scene").filter(fits).ok_or_else(|| Refusal::official(40169))?;
    let page = text(&body, "page").unwrap_or("pages/index/index");
    // Which pages a mini program has is not known here; a path from the root is wrong of any.
    if page.starts_with('/') || page.contains(['?', ':']) {
        return Err(Refusal::official(41030));
    }
    desk.admit(&caller)?;
    let png = qrcode::png(&format!("weixin://sandbox/{}/{page}?scene={scene}", caller.appid));
    png.map(|png| Reply::page(200, "image/png", png)).ok_or_else(|| Refusal::official(41030))
}

/// `POST /wxa/msg_sec_check?access_token=T` `{"content":"…","version":2,"scene":1,"openid":"OPENID"}`; without `version`
/// the first one, which says 87014 of what is risky. Everything else is fine here.
pub(crate) fn check_text(desk: &mut Desk<'_>) -> Answer {
    let caller = mini_program(desk)?;
    let body = desk.body()?;
    let content = text(&body, "content").ok_or_else(|| Refusal::official(44004))?;
    if content.chars().count() > LONGEST_TEXT {
        return Err(Refusal::official(45002));
    }
    let risky = content.contains(RISKY);
    if body.get("version").is_none_or(|version| *version != json!(2)) {
        desk.admit(&caller)?;
        return if risky { Err(Refusal::official(87014)) } else { Ok(Reply::done()) };
    }
    let openid = text(&body, "openid").unwrap_or_default();
    if desk.holder(&caller)?.people.find(openid).is_none() {
        return Err(Refusal::official(40003));
    }
    if !body.get("scene").and_then(serde_json::Value::as_u64).is_some_and(|scene| (1..=4).contains(&scene)) {
        return Err(Refusal::official(40097));
    }
    desk.admit(&caller)?;
    let (suggest, label) = if risky { ("risky", 20_001) } else { ("pass", 100) };
    Ok(Reply::success(&json!({
        "errcode": 0,
        "errmsg": "ok",
        "result": { "suggest": suggest, "label": label },
        "detail": [{ "strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90 }],
        "trace_id": chance::rid(desk.now),
    })))
}
