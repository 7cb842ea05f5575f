//! The names of what pages may call, and of the open tags.
//!
//! Source: appendix 2 of the JSSDK page of the official account docs (`jsApiList`), "Open tags" (`openTagList`). A name that
//! is not known is not granted, and nothing else is said about it. WeCom's names are many more and not listed: there,
//! whatever looks like a name is granted.

use serde_json::Value;

/// Names that are taken of one list.
const MOST: usize = 200;

/// What official accounts can ask for.
const APIS: [&str; 45] = [
    "updateAppMessageShareData",
    "updateTimelineShareData",
    "onMenuShareTimeline",
    "onMenuShareAppMessage",
    "onMenuShareQQ",
    "onMenuShareWeibo",
    "onMenuShareQZone",
    "startRecord",
    "stopRecord",
    "onVoiceRecordEnd",
    "playVoice",
    "pauseVoice",
    "stopVoice",
    "onVoicePlayEnd",
    "uploadVoice",
    "downloadVoice",
    "translateVoice",
    "chooseImage",
    "previewImage",
    "uploadImage",
    "downloadImage",
    "getLocalImgData",
    "getNetworkType",
    "openLocation",
    "getLocation",
    "startSearchBeacons",
    "stopSearchBeacons",
    "onSearchBeacons",
    "scanQRCode",
    "hideOptionMenu",
    "showOptionMenu",
    "hideMenuItems",
    "showMenuItems",
    "hideAllNonBaseMenuItem",
    "showAllNonBaseMenuItem",
    "closeWindow",
    "openProductSpecificView",
    "addCard",
    "chooseCard",
    "openCard",
    "consumeAndShareCard",
    "chooseWXPay",
    "openAddress",
    "openEnterpriseRedPacket",
    "checkJsApi",
];

/// The open tags.
const TAGS: [&str; 4] = ["wx-open-launch-weapp", "wx-open-launch-app", "wx-open-subscribe", "wx-open-audio"];

pub(super) fn is_api(name: &str) -> bool {
    APIS.contains(&name)
}

pub(super) fn is_tag(name: &str) -> bool {
    TAGS.contains(&name)
}

/// Those of a list that are granted.
pub(super) fn granted<'a>(body: &'a Value, list: &str, fits: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let names = body.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let names = names.iter().take(MOST).filter_map(Value::as_str);
    names.filter(|name| is_name(name) && fits(name)).collect()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte))
}
