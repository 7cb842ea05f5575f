//! Where a browser is sent to log in.
//!
//! What must stay true: WeChat's pages check order and case of the parameters, so they stand exactly as in the documents; and
//! every value is percent-encoded, whatever is in it, so that none can add a parameter or change the host.

use std::fmt;

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
    code_url(open, "/connect/oauth2/authorize", appid, redirect_uri, scope, state, agentid)
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
    last: Option<Parameter<'_>>,
) -> String {
    format!(
        "{open}{path}?appid={appid}&redirect_uri={}&response_type=code&scope={scope}&state={}{last}#wechat_redirect",
        encoded(redirect_uri),
        encoded(state),
        open = open.trim_end_matches('/'),
        last = last.unwrap_or_default(),
    )
}

fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// A parameter that need not be there: `&name=` and its value.
#[derive(Default)]
struct Parameter<'a>(&'static str, &'a str);

impl fmt::Display for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, encoded(self.1))
    }
}
