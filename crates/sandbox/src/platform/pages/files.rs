//! Scripts and styles that pages load: those of the login pages, and the JSSDK.
//!
//! The JSSDK's script is loaded by pages of any origin, from the paths of res.wx.qq.com and open.work.weixin.qq.com; one
//! script serves all versions, of WeChat and of WeCom.

use http::header;

use crate::platform::desk::Desk;
use crate::wire::Reply;

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// The client's side of the JSSDK in the phone, and the JSSDK over it.
const JSSDK: &str = concat!(
    include_str!("../../page/overlay.js"),
    include_str!("../../page/overlay_pay.js"),
    include_str!("../../page/bridge.js"),
    include_str!("../../page/jweixin.js")
);

/// The style of the login pages.
pub(super) fn style(_: &mut Desk<'_>) -> Reply {
    file(CSS, include_str!("page.css"))
}

/// The script of the page with a QR code.
pub(super) fn qr_login(_: &mut Desk<'_>) -> Reply {
    file(JS, include_str!("qr_login.js"))
}

/// The JSSDK.
pub(super) fn jweixin(_: &mut Desk<'_>) -> Reply {
    file(JS, JSSDK).with_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")
}

fn file(content_type: &'static str, content: &'static str) -> Reply {
    Reply::page(200, content_type, content)
        .with_header(header::CACHE_CONTROL, "no-cache")
        .with_header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
}
