//! Permanent media: `/cgi-bin/media/uploadimg`, and the materials below `/cgi-bin/material/`.
//!
//! Source: "Upload picture of an article" and "Permanent media" of the official account docs, "Upload picture" of the
//! WeCom docs. Articles are no materials here. A picture's address leads to the sandbox itself.

use serde_json::{Value, json};

use super::desk::{Answer, Caller, Desk, text};
use super::media::{check, file};
use super::refusal::{House, Refusal};
use crate::chat::picture_type;
use crate::wire::Reply;

const TYPES: [&str; 4] = ["image", "voice", "video", "thumb"];
/// The largest picture of an article, in bytes, and WeCom's.
const MOST_OF_ARTICLE: usize = 1024 * 1024;
const MOST_OF_WECOM: usize = 2 * 1024 * 1024;
/// What a picture of an article is kept as; it is no material.
const OF_ARTICLE: &str = "article";

/// `POST /cgi-bin/media/uploadimg?access_token=T`, a form with a JPEG or PNG in its part `media`.
pub(crate) fn upload_picture(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.caller()?;
    let refused = |code: i64| Refusal::of(caller.house, code);
    let file = file(&desk.call.body).ok_or_else(|| refused(41005))?;
    if file.is_empty() {
        return Err(refused(44001));
    }
    let (most, too_large) = match caller.house {
        House::Official => (MOST_OF_ARTICLE, 40009),
        House::Wecom => (MOST_OF_WECOM, 40006),
    };
    if file.len() > most {
        return Err(refused(too_large));
    }
    if !matches!(picture_type(&file), Some("image/jpeg" | "image/png")) {
        return Err(refused(40005));
    }
    desk.admit(&caller)?;
    let now = desk.now;
    let id = desk.holder(&caller)?.media.keep_for_good(OF_ARTICLE, file, now);
    let url = address(desk, &caller, &id);
    Ok(Reply::success(&match caller.house {
        House::Official => json!({ "url": url }),
        House::Wecom => json!({ "errcode": 0, "errmsg": "ok", "url": url }),
    }))
}

/// `POST /cgi-bin/material/add_material?access_token=T&type=image`, a form with the file in its part `media`.
pub(crate) fn add(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    let kind = desk.call.param("type").filter(|kind| TYPES.contains(kind));
    let kind = kind.ok_or_else(|| Refusal::official(40004))?;
    let file = file(&desk.call.body).ok_or_else(|| Refusal::official(41005))?;
    check(House::Official, kind, &file)?;
    desk.admit(&caller)?;
    let now = desk.now;
    let id = desk.holder(&caller)?.media.keep_for_good(kind, file, now);
    let mut answer = json!({ "media_id": id });
    if let (true, Some(answer)) = (kind == "image", answer.as_object_mut()) {
        answer.insert("url".into(), json!(address(desk, &caller, &id)));
    }
    Ok(Reply::success(&answer))
}

/// `POST /cgi-bin/material/get_material?access_token=T` `{"media_id":"M"}`: the bytes; of a video, where they are.
pub(crate) fn read(desk: &mut Desk<'_>) -> Answer {
    let (caller, id) = named(desk)?;
    desk.admit(&caller)?;
    let url = address(desk, &caller, &id);
    let material = desk.holder(&caller)?.media.material(&id).filter(|material| material.kind != OF_ARTICLE);
    let material = material.ok_or_else(|| Refusal::official(40007))?;
    if material.kind == "video" {
        return Ok(Reply::success(&json!({ "title": "", "description": "", "down_url": url })));
    }
    let kind = material.picture_type().unwrap_or("application/octet-stream");
    Ok(Reply::page(200, kind, material.bytes.clone()))
}

/// `POST /cgi-bin/material/del_material?access_token=T` `{"media_id":"M"}`.
pub(crate) fn delete(desk: &mut Desk<'_>) -> Answer {
    let (caller, id) = named(desk)?;
    desk.admit(&caller)?;
    if desk.holder(&caller)?.media.forget_material(&id) { Ok(Reply::done()) } else { Err(Refusal::official(40007)) }
}

/// `GET /cgi-bin/material/get_materialcount?access_token=T`. Thumbs count as pictures (unconfirmed).
pub(crate) fn count(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    desk.admit(&caller)?;
    let media = &desk.holder(&caller)?.media;
    let of = |kinds: &[&str]| media.materials().filter(|material| kinds.contains(&material.kind.as_str())).count();
    Ok(Reply::success(&json!({
        "voice_count": of(&["voice"]),
        "video_count": of(&["video"]),
        "image_count": of(&["image", "thumb"]),
        "news_count": 0,
    })))
}

/// The caller, and the material that its body names.
fn named(desk: &mut Desk<'_>) -> Result<(Caller, String), Refusal> {
    let caller = desk.official_caller()?;
    let body: Value = desk.body()?;
    let id = text(&body, "media_id").ok_or_else(|| Refusal::official(40007))?.to_owned();
    Ok((caller, id))
}

/// Where a picture is.
fn address(desk: &Desk<'_>, caller: &Caller, id: &str) -> String {
    format!("{}/sandbox/accounts/{}/media/{id}", desk.call.origin(), caller.appid)
}
