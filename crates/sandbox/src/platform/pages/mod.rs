//! What browsers open and load from WeChat's other hosts: login pages, the JSSDK's script and its server side,
//! pictures.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `html`, `objection` | pages as text; the page 该链接无法访问 and its codes |
//! | `link`, `target` | the links that pages are opened by; the addresses that they lead back to |
//! | `authorize` | `/connect/oauth2/authorize`, of official accounts and of WeCom |
//! | `consent` | the question in the phone, and the answer |
//! | `qr_login` | QR codes on another screen: `/connect/qrconnect`, `/wwlogin/sso/login` |
//! | `files`, `pictures` | scripts and styles; pictures of people |
//!
//! The table below is the page of routes. What must stay true: everything that a caller chose is escaped where it
//! stands in a page, and nothing that leads a visitor on is decided without a ticket of a page.

mod authorize;
mod consent;
mod files;
mod html;
mod link;
mod mweb;
mod objection;
mod pictures;
mod qr_login;
mod target;

use http::{Method, header};

use super::bridge;
use super::desk::Desk;
use crate::person::PICTURES;
use crate::wire::{Call, Reply};
use crate::world::World;

/// A page, or what belongs to one.
struct Page {
    method: Method,
    /// Exact, or the beginning of it when it ends in a slash.
    path: &'static str,
    /// Not worth a record: asked for again and again, or only looks.
    quiet: bool,
    handler: fn(&mut Desk<'_>) -> Reply,
}

const fn get(path: &'static str, handler: fn(&mut Desk<'_>) -> Reply) -> Page {
    Page { method: Method::GET, path, quiet: false, handler }
}

const fn post(path: &'static str, handler: fn(&mut Desk<'_>) -> Reply) -> Page {
    Page { method: Method::POST, path, quiet: false, handler }
}

const fn quiet(path: &'static str, handler: fn(&mut Desk<'_>) -> Reply) -> Page {
    Page { method: Method::GET, path, quiet: true, handler }
}

/// The beginning of the paths of the JSSDK's bridge.
const BRIDGE: &str = "/jsbridge/";

static PAGES: [Page; 24] = [
    // open.weixin.qq.com and login.work.weixin.qq.com: logins
    get("/connect/oauth2/authorize", authorize::open),
    post("/connect/oauth2/decide", consent::decide),
    get("/connect/qrconnect", qr_login::website),
    get("/wwlogin/sso/login", qr_login::corp),
    get("/wwopen/sso/qrConnect", qr_login::corp_in_the_old_way),
    get("/connect/confirm", qr_login::confirm),
    get("/connect/qrconnect/wait", qr_login::wait),
    quiet("/connect/l/qrconnect", qr_login::state),
    quiet("/connect/qrcode/", qr_login::picture),
    quiet("/connect/static/page.css", files::style),
    quiet("/connect/static/qr_login.js", files::qr_login),
    // wx.tenpay.com: H5 payments
    get("/cgi-bin/mmpayweb-bin/checkmweb", mweb::open),
    post("/cgi-bin/mmpayweb-bin/decide", mweb::decide),
    // thirdwx.qlogo.cn: pictures of people
    quiet(PICTURES, pictures::draw),
    // res.wx.qq.com and open.work.weixin.qq.com: the JSSDK
    quiet("/open/js/jweixin-1.6.0.js", files::jweixin),
    quiet("/open/js/jweixin-1.4.0.js", files::jweixin),
    quiet("/open/js/jweixin-1.2.0.js", files::jweixin),
    quiet("/wwopen/js/jwxwork-1.0.0.js", files::jweixin),
    // what WeChat's own client asks when a page calls the JSSDK
    post("/jsbridge/verify", bridge::verify),
    post("/jsbridge/card", bridge::card),
    post("/jsbridge/pay", bridge::look_at_payment),
    post("/jsbridge/pay/decide", bridge::decide_payment),
    quiet("/jsbridge/phone", bridge::phone),
    get("/connect/", |_| html::missing()),
];

fn find(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.path == path || page.path.ends_with('/') && path.starts_with(page.path))
}

/// Whether a path is one of a page.
pub(crate) fn has(path: &str) -> bool {
    find(path).is_some()
}

/// Whether somebody may pay there.
pub(crate) fn pays(path: &str) -> bool {
    path.starts_with("/cgi-bin/mmpayweb-bin/") || path.starts_with("/jsbridge/pay")
}

/// Whether a call of this path leaves no record.
pub(crate) fn is_quiet(path: &str) -> bool {
    find(path).is_some_and(|page| page.quiet)
}

/// Carries one call out; `None` when it is not for a page.
pub(crate) fn answer(world: &mut World, call: &Call) -> Option<Reply> {
    let page = find(&call.path)?;
    let of_bridge = page.path.starts_with(BRIDGE);
    let now = world.clock.now();
    let reply = if call.method == page.method {
        (page.handler)(&mut Desk { world, call, now, path: page.path, is_official: |_| false })
    } else if of_bridge && call.method == Method::OPTIONS {
        Reply::page(204, "text/plain", "")
            .with_header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST")
            .with_header(header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type")
    } else {
        html::wrong_method()
    };
    // Any page may use the JSSDK, so every origin may ask the bridge.
    Some(if of_bridge { reply.with_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*") } else { reply })
}

/// What a page says instead of its own answer, when a fault wants that.
pub(crate) fn refused(call: &Call, errcode: i64) -> Reply {
    if call.path.starts_with(BRIDGE) {
        let reply = bridge::failed(call, errcode);
        return reply.with_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    }
    objection::Objection::code(errcode).page()
}
