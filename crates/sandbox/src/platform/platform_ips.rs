//! WeChat's own addresses: `/cgi-bin/getcallbackip` and `/cgi-bin/get_api_domain_ip`, for both houses.
//!
//! Source: page "Get WeChat server IPs" of the official account docs, and "Get WeCom server IPs" of the WeCom docs. The lists
//! begin with loopback, because that is where the sandbox's pushes come from and where its API is; the rest are the
//! documented samples.

use serde_json::json;

use super::desk::{Answer, Desk};
use super::refusal::House;
use crate::wire::Reply;

const OFFICIAL_CALLBACKS: [&str; 3] = ["127.0.0.1", "101.226.103.0/25", "58.247.206.128/25"];
const OFFICIAL_API: [&str; 3] = ["127.0.0.1", "101.226.212.27", "101.226.233.128"];
const WECOM: [&str; 3] = ["127.0.0.1", "182.254.11.176", "182.254.78.66"];

/// `GET /cgi-bin/getcallbackip`: where message pushes come from.
pub(crate) fn callbacks(desk: &mut Desk<'_>) -> Answer {
    list(desk, &OFFICIAL_CALLBACKS)
}

/// `GET /cgi-bin/get_api_domain_ip`: where the API is.
pub(crate) fn api_domain(desk: &mut Desk<'_>) -> Answer {
    list(desk, &OFFICIAL_API)
}

fn list(desk: &mut Desk<'_>, official: &[&str]) -> Answer {
    let caller = desk.caller()?;
    desk.admit(&caller)?;
    let value = match caller.house {
        House::Official => json!({ "ip_list": official }),
        House::Wecom => json!({ "errcode": 0, "errmsg": "ok", "ip_list": WECOM }),
    };
    Ok(Reply::success(&value))
}
