//! Where a browser is sent to log in.
//!
//! What must stay true: WeChat's pages check order and case of the parameters, so they stand exactly as in the documents; and
//! every value is percent-encoded, whatever is in it, so that none can add a parameter or change the host.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use super::Scope;
use crate::Appid;

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The page on which a visitor inside WeChat (or WeCom, then `appid` is the corpid) agrees.
///
/// `open` is the base address, e.g. `https://open.weixin.qq.com`. `redirect_uri` comes as it is, not encoded; its host must
/// be the account's web authorization domain. `state` comes back unchanged (at most 128 bytes of `a-zA-Z0-9`, says the
/// document). `agentid` is WeCom's, needed for [`Scope::CorpPrivate`].
#[must_use]
pub fn authorize_url(
    open: &str,
    appid: &Appid,
    redirect_uri: &str,
    scope: Scope,
    state: &str,
    agentid: Option<&str>,
) -> String {
    let agentid = agentid.map(|agentid| Parameter("&agentid=", agentid));
    code_url(open, "/connect/oauth2/authorize", appid, redirect_uri, scope, state, agentid.as_ref())
}

/// The page with a QR code on which a visitor of a website outside WeChat logs in; `appid` is a website application of the
/// open platform. `open` and the others are as in [`authorize_url`].
#[must_use]
pub fn qrconnect_url(open: &str, appid: &Appid, redirect_uri: &str, state: &str) -> String {
    code_url(open, "/connect/qrconnect", appid, redirect_uri, Scope::Website, state, None)
}

/// WeCom's login page for browsers outside WeCom. `host` is the base address, e.g. `https://login.work.weixin.qq.com`.
#[must_use]
pub fn corp_sso_url(host: &str, corpid: &Appid, agentid: &str, redirect_uri: &str, state: &str) -> String {
    format!(
        "{host}/wwlogin/sso/login?login_type=CorpApp&appid={corpid}&agentid={}&redirect_uri={}&state={}",
        encoded(agentid),
        encoded(redirect_uri),
        encoded(state),
        host = host.trim_end_matches('/'),
    )
}

fn code_url(
    open: &str,
    path: &str,
    appid: &Appid,
    redirect_uri: &str,
    scope: Scope,
    state: &str,
    last: Option<&Parameter<'_>>,
) -> String {
    let open = open.trim_end_matches('/');
    // Long redirect_uris are usual, and this is made for each visitor: no piece goes through a formatter.
    let mut url = String::with_capacity(open.len() + redirect_uri.len() + state.len() + 200);
    for piece in [open, path, "?appid=", appid.as_str(), "&redirect_uri="] {
        url.push_str(piece);
    }
    url.extend(encoded(redirect_uri));
    for piece in ["&response_type=code&scope=", scope.as_str(), "&state="] {
        url.push_str(piece);
    }
    url.extend(encoded(state));
    if let Some(Parameter(name, value)) = last {
        url.push_str(name);
        url.extend(encoded(value));
    }
    url.push_str("#wechat_redirect");
    url
}

fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// A parameter that need not be there: `&name=` and its value.
struct Parameter<'a>(&'static str, &'a str);
