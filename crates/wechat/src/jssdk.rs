//! `wx.config`: the signature that lets a web page call WeChat's JavaScript API, and the names that it may ask for.
//!
//! Source: "JS-SDK" of the official account documents (appendix 1: signature, appendix 2: list of interfaces); WeCom's
//! `wx.config` and `wx.agentConfig` sign by the same rule with tickets of their own. Used by whoever answers `/js/config`.
//!
//! What must stay true: what is signed is the page's address letter by letter, as its browser has it; nothing but [`page_url`]
//! changes it.

use std::borrow::Cow;
use std::fmt::{self, Write};

use sha1::{Digest, Sha1};

/// All names of `jsApiList` ("JS-SDK", appendix 2), in the document's order, and `checkJsApi`, which needs no right.
pub const API_NAMES: &[&str] = &[
    "checkJsApi",
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
];

/// The names of WeCom ("JS-SDK", "list of interfaces" of the WeCom documents, as several open clients repeat it: the list
/// itself could not be read). One that is missing can be asked for by name; WeCom grants what the app may use and ignores
/// the rest.
pub const CORP_API_NAMES: &[&str] = &[
    "checkJsApi",
    "onMenuShareAppMessage",
    "onMenuShareWechat",
    "onMenuShareTimeline",
    "shareAppMessage",
    "shareWechatMessage",
    "shareToExternalContact",
    "shareToExternalChat",
    "shareToExternalMoments",
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
    "previewFile",
    "getNetworkType",
    "onNetworkStatusChange",
    "openLocation",
    "getLocation",
    "startAutoLBS",
    "stopAutoLBS",
    "onLocationChange",
    "onHistoryBack",
    "hideOptionMenu",
    "showOptionMenu",
    "hideMenuItems",
    "showMenuItems",
    "hideAllNonBaseMenuItem",
    "showAllNonBaseMenuItem",
    "closeWindow",
    "openDefaultBrowser",
    "scanQRCode",
    "setClipboardData",
    "startWifi",
    "stopWifi",
    "connectWifi",
    "getWifiList",
    "onGetWifiList",
    "onWifiConnected",
    "getConnectedWifi",
    "getContext",
    "sendChatMessage",
    "selectEnterpriseContact",
    "openEnterpriseChat",
    "updateEnterpriseChat",
    "openExistedChatWithMsg",
    "selectExternalContact",
    "getCurExternalContact",
    "getCurExternalChat",
    "openUserProfile",
    "selectCorpGroupContact",
    "createCorpGroupChat",
    "updateCorpGroupChat",
    "navigateToAddCustomer",
    "updateMomentsSetting",
    "claimClassAdmin",
    "createSchoolPayment",
    "openThirdAppServiceChat",
    "startMeeting",
    "startLiving",
    "replayLiving",
    "downloadLivingReplay",
    "setShareAttr",
    "getShareInfo",
    "hideChatAttachmentMenu",
    "chooseInvoice",
];

/// All names of `openTagList` ("open tags").
pub const OPEN_TAGS: &[&str] = &["wx-open-launch-weapp", "wx-open-launch-app", "wx-open-subscribe", "wx-open-audio"];

/// The longest name of an interface or an open tag that is accepted, in bytes (WeChat's own have at most 25).
pub const MAX_NAME_LENGTH: usize = 64;

/// Whether `text` can be the name of an interface or an open tag: 1 to [`MAX_NAME_LENGTH`] ASCII letters, digits, `-`, `_`,
/// `:` or `.`. WeChat adds names, so they are not held against the lists; these are safe in scripts, JSON and logs.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'.');
    (1..=MAX_NAME_LENGTH).contains(&text.len()) && text.bytes().all(allowed)
}

/// The address of a page as it is signed: what is from `#` on is cut ("JS-SDK", appendix 1), and the `&amp;` of an
/// address that was taken out of HTML becomes `&` again, once.
#[must_use]
pub fn page_url(text: &str) -> Cow<'_, str> {
    let url = text.split_once('#').map_or(text, |(url, _)| url);
    if url.contains("&amp;") { Cow::Owned(url.replace("&amp;", "&")) } else { Cow::Borrowed(url) }
}

/// `signature` of `wx.config` and `wx.agentConfig`: the SHA-1 of
/// `jsapi_ticket=…&noncestr=…&timestamp=…&url=…`, as lower-case hex.
///
/// `timestamp` is in Unix seconds. All values go in raw; `url` comes from [`page_url`].
#[must_use]
pub fn signature(ticket: &str, noncestr: &str, timestamp: i64, url: &str) -> String {
    let mut hash = Sha1::new();
    for piece in ["jsapi_ticket=", ticket, "&noncestr=", noncestr, "&timestamp="] {
        hash.update(piece);
    }
    let _never_fails = write!(Hashing(&mut hash), "{timestamp}");
    hash.update("&url=");
    hash.update(url);
    hex::encode(hash.finalize())
}

/// Text on its way into a hash, without a copy.
struct Hashing<'a>(&'a mut Sha1);

impl Write for Hashing<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text);
        Ok(())
    }
}
