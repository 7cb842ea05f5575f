//! QR codes with a scene: `/cgi-bin/qrcode/create`, and `/cgi-bin/showqrcode` of the host mp.weixin.qq.com.
//!
//! Source: "Generating QR codes with parameters" of the official account docs. The real picture is a JPEG; here it is an
//! SVG, which every browser shows as well.

use serde_json::json;

use super::desk::{Answer, Desk};
use super::refusal::Refusal;
use crate::account::AccountKind;
use crate::qrcode;
use crate::wire::Reply;

/// `POST /cgi-bin/qrcode/create?access_token=T` `{"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"s"}}}`.
pub(crate) fn create(desk: &mut Desk<'_>) -> Answer {
    let caller = desk.official_caller()?;
    let body = desk.body()?;
    if desk.holder(&caller)?.kind != AccountKind::Official {
        return Err(Refusal::official(48001));
    }
    desk.admit(&caller)?;
    let now = desk.now;
    let code = desk.holder(&caller)?.scenes.create(&body, now).map_err(Refusal::official)?;
    let mut answer = json!({ "ticket": code.ticket, "url": code.url });
    if let (Some(expires), Some(answer)) = (code.expires, answer.as_object_mut()) {
        answer.insert("expire_seconds".into(), json!(now.secs_until(expires)));
    }
    Ok(Reply::success(&answer))
}

/// `GET /cgi-bin/showqrcode?ticket=TICKET`: the picture; without a token, since browsers load it.
pub(crate) fn show(desk: &mut Desk<'_>) -> Answer {
    let now = desk.now;
    let ticket = desk.call.param("ticket").unwrap_or_default();
    let code = desk.world.accounts.values().find_map(|holder| holder.scenes.find(ticket, now));
    match code.filter(|code| code.ticket == ticket).and_then(|code| qrcode::svg(&code.url)) {
        Some(svg) => Ok(Reply::page(200, "image/svg+xml", svg)),
        None => Ok(Reply::page(404, "text/html", "<html><head><title>404 Not Found</title></head></html>")),
    }
}
