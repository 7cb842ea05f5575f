//! The page of routes: every API that the platform has, with its method and its handler.
//!
//! A new API is one line here and one function in the file of its noun; what browsers open is in `pages`. Wrong methods
//! and unknown paths are answered as WeChat does: 43001, 43002, 40066, all with HTTP 200.

use http::Method;

use super::desk::{Answer, Desk};
use super::refusal::{House, Refusal};
use super::{
    contacts, custom_messages, followers, materials, media, members, menus, mini_login, mini_tools, pages, pay_v2,
    pay_v3, platform_ips, qrcodes, quota, subscriptions, tags, templates, tickets, tokens, web_login, wecom,
    wecom_messages,
};
use crate::wire::{Call, Reply};
use crate::world::World;

/// Who has the API.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Official,
    Wecom,
    Both,
}

struct Route {
    of: Of,
    get: bool,
    path: &'static str,
    handler: fn(&mut Desk<'_>) -> Answer,
}

const fn get(of: Of, path: &'static str, handler: fn(&mut Desk<'_>) -> Answer) -> Route {
    Route { of, get: true, path, handler }
}

const fn post(of: Of, path: &'static str, handler: fn(&mut Desk<'_>) -> Answer) -> Route {
    Route { of, get: false, path, handler }
}

const ROUTES: [Route; 63] = [
    // tokens
    get(Of::Official, "/cgi-bin/token", tokens::classic),
    post(Of::Official, "/cgi-bin/stable_token", tokens::stable),
    get(Of::Wecom, "/cgi-bin/gettoken", wecom::token),
    // tickets
    get(Of::Official, "/cgi-bin/ticket/getticket", tickets::official),
    get(Of::Wecom, "/cgi-bin/get_jsapi_ticket", wecom::corp_ticket),
    get(Of::Wecom, "/cgi-bin/ticket/get", wecom::agent_ticket),
    // addresses of the platform
    get(Of::Both, "/cgi-bin/getcallbackip", platform_ips::callbacks),
    get(Of::Both, "/cgi-bin/get_api_domain_ip", platform_ips::api_domain),
    // messages
    post(Of::Official, "/cgi-bin/message/custom/send", custom_messages::send),
    post(Of::Official, "/cgi-bin/message/custom/typing", custom_messages::typing),
    post(Of::Official, "/cgi-bin/message/custom/business/typing", custom_messages::typing),
    post(Of::Wecom, "/cgi-bin/message/send", wecom_messages::send),
    post(Of::Official, "/cgi-bin/message/template/send", templates::send),
    post(Of::Official, "/cgi-bin/message/subscribe/send", subscriptions::send),
    post(Of::Official, "/cgi-bin/message/subscribe/bizsend", subscriptions::send_of_official),
    get(Of::Official, "/cgi-bin/template/get_all_private_template", templates::list),
    post(Of::Official, "/cgi-bin/template/api_add_template", templates::add),
    post(Of::Official, "/cgi-bin/template/del_private_template", templates::delete),
    get(Of::Official, "/wxaapi/newtmpl/gettemplate", subscriptions::list),
    // menus, QR codes, media
    post(Of::Both, "/cgi-bin/menu/create", menus::create),
    get(Of::Both, "/cgi-bin/menu/get", menus::read),
    get(Of::Official, "/cgi-bin/get_current_selfmenu_info", menus::current),
    get(Of::Both, "/cgi-bin/menu/delete", menus::delete),
    post(Of::Official, "/cgi-bin/qrcode/create", qrcodes::create),
    get(Of::Official, "/cgi-bin/showqrcode", qrcodes::show),
    post(Of::Both, "/cgi-bin/media/upload", media::upload),
    get(Of::Both, "/cgi-bin/media/get", media::read),
    post(Of::Both, "/cgi-bin/media/uploadimg", materials::upload_picture),
    post(Of::Official, "/cgi-bin/material/add_material", materials::add),
    post(Of::Official, "/cgi-bin/material/get_material", materials::read),
    post(Of::Official, "/cgi-bin/material/del_material", materials::delete),
    get(Of::Official, "/cgi-bin/material/get_materialcount", materials::count),
    // logins of visitors, and who they are
    get(Of::Official, "/sns/oauth2/access_token", web_login::exchange),
    get(Of::Official, "/sns/oauth2/refresh_token", web_login::refresh),
    get(Of::Official, "/sns/userinfo", web_login::profile),
    get(Of::Official, "/sns/auth", web_login::check),
    get(Of::Official, "/cgi-bin/user/info", followers::one),
    post(Of::Official, "/cgi-bin/user/info/batchget", followers::several),
    // members of a corp, followers of an official account and their tags
    get(Of::Both, "/cgi-bin/user/get", followers::list),
    get(Of::Wecom, "/cgi-bin/user/simplelist", contacts::several),
    get(Of::Wecom, "/cgi-bin/department/list", contacts::departments),
    get(Of::Wecom, "/cgi-bin/agent/get", contacts::agent),
    get(Of::Wecom, "/cgi-bin/agent/list", contacts::agents),
    post(Of::Official, "/cgi-bin/user/info/updateremark", followers::remark),
    get(Of::Official, "/cgi-bin/tags/get", tags::list),
    post(Of::Official, "/cgi-bin/tags/create", tags::create),
    post(Of::Official, "/cgi-bin/tags/getidlist", tags::of_one),
    post(Of::Official, "/cgi-bin/tags/members/batchtagging", tags::give),
    post(Of::Official, "/cgi-bin/tags/members/batchuntagging", tags::take),
    get(Of::Wecom, "/cgi-bin/auth/getuserinfo", members::who),
    get(Of::Wecom, "/cgi-bin/user/getuserinfo", members::who_in_the_old_way),
    post(Of::Wecom, "/cgi-bin/auth/getuserdetail", members::detail),
    // mini programs
    get(Of::Official, "/sns/jscode2session", mini_login::exchange),
    get(Of::Official, "/wxa/checksession", mini_login::check),
    get(Of::Official, "/wxa/resetusersessionkey", mini_login::reset),
    post(Of::Official, "/wxa/business/getuserphonenumber", mini_login::phone_number),
    post(Of::Official, "/wxa/getwxacodeunlimit", mini_tools::code),
    post(Of::Official, "/wxa/msg_sec_check", mini_tools::check_text),
    // quotas
    post(Of::Official, "/cgi-bin/clear_quota", quota::clear_all),
    post(Of::Official, "/cgi-bin/clear_quota/v2", quota::clear_all_by_secret),
    post(Of::Official, "/cgi-bin/openapi/quota/get", quota::show),
    post(Of::Official, "/cgi-bin/openapi/quota/clear", quota::clear_path),
    post(Of::Official, "/cgi-bin/openapi/rid/get", quota::show_request),
];

/// Beginnings of paths on which WeChat's API host answers in JSON even where there is no API.
const API_PREFIXES: [&str; 9] = [
    "/cgi-bin/",
    "/sns/",
    "/wxa/",
    "/card/",
    "/datacube/",
    "/customservice/",
    "/semantic/",
    "/shakearound/",
    "/wxaapi/",
];

/// What `/sns/…` answers with, although it is JSON (unconfirmed; clients are told not to look at it).
const SNS_CONTENT_TYPE: &str = "text/plain";

/// Whether official accounts and mini programs have an API at this path.
fn is_official(path: &str) -> bool {
    ROUTES.iter().any(|route| route.path == path && route.of != Of::Wecom)
}

/// Which account a call is about.
pub(crate) fn account_of(world: &World, call: &Call) -> Option<String> {
    if pay_v2::has(&call.path) {
        pay_v2::appid_of(call)
    } else if pay_v3::has(&call.path) {
        pay_v3::appid_of(world, call)
    } else {
        world.account_of(call)
    }
}

/// Whether a call may leave something to do for the notifier, or change what the page shows of orders.
pub(crate) fn may_change_orders(call: &Call) -> bool {
    let only_asks = ["/pay/orderquery", "/pay/refundquery", "/pay/downloadbill"].contains(&call.path.as_str());
    let is_pay = pay_v2::has(&call.path) || pay_v3::has(&call.path) || pages::pays(&call.path);
    call.method == Method::POST && is_pay && !only_asks
}

/// What a fault answers with that names a code of WeChat Pay; `None` where there are no such codes.
pub(crate) fn pay_failed(world: &mut World, call: &Call, code: &str, text: Option<&str>) -> Option<Reply> {
    if pay_v2::has(&call.path) {
        Some(pay_v2::failed(world, call, code, text))
    } else {
        pay_v3::has(&call.path).then(|| pay_v3::failed(world, call, code, text))
    }
}

/// Carries one call out.
pub(crate) fn carry_out(world: &mut World, call: &Call) -> Reply {
    let now = world.clock.now();
    if let Some(reply) = pages::answer(world, call) {
        return reply;
    }
    if let Some(reply) = pay_v2::answer(world, call).or_else(|| pay_v3::answer(world, call)) {
        return reply;
    }
    let Some(route) = ROUTES.iter().find(|route| route.path == call.path) else { return no_such_path(world, call) };
    let house = if route.of == Of::Wecom { House::Wecom } else { House::Official };
    let wanted = if route.get { Method::GET } else { Method::POST };
    let answer = if call.method == wanted {
        (route.handler)(&mut Desk { world, call, now, path: route.path, is_official })
    } else {
        Err(Refusal::of(house, if route.get { 43001 } else { 43002 }))
    };
    let reply = answer.unwrap_or_else(|refusal| refusal.reply(now, call.client_ip));
    if call.path.starts_with("/sns/") { Reply { content_type: SNS_CONTENT_TYPE, ..reply } } else { reply }
}

fn no_such_path(world: &World, call: &Call) -> Reply {
    if API_PREFIXES.iter().any(|prefix| call.path.starts_with(prefix)) {
        return Refusal::official(40066).reply(world.clock.now(), call.client_ip);
    }
    Reply::page(404, "text/html", "<html>\r\n<head><title>404 Not Found</title></head>\r\n</html>\r\n")
}
