//! The links by which login pages are opened, read as strictly as WeChat reads them.
//!
//! Source: "Web page authorization" of the official account docs: parameters stand in a fixed order and are
//! case-sensitive, `state` has up to 128 letters and digits. Which further parameters are passed over is unconfirmed:
//! here those that WeChat's docs name, and whatever else follows behind `scope` and `state`.

use super::objection::Objection;

/// The first parameters, in this order.
const ORDER: [&str; 4] = ["appid", "redirect_uri", "response_type", "scope"];
/// What may follow, each once.
const LATER: [&str; 6] = ["state", "agentid", "forcePopup", "forceSnapShot", "connect_redirect", "component_appid"];
/// Longest state, in bytes.
const LONGEST_STATE: usize = 128;

/// What a link asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link<'a> {
    pub(super) appid: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) scope: &'a str,
    pub(super) state: &'a str,
    pub(super) agentid: Option<&'a str>,
    /// `forceSnapShot=true`: only a virtual identity (unconfirmed).
    pub(super) snapshot: bool,
}

type Params = [(String, String)];

impl<'a> Link<'a> {
    /// The link to `/connect/oauth2/authorize`.
    ///
    /// # Errors
    /// What is wrong with it, first what is missing, then the order.
    pub(super) fn strict(params: &'a Params) -> Result<Link<'a>, Objection> {
        let link = Link::lenient(params)?;
        check_order(params)?;
        if param(params, "component_appid").is_some() {
            return Err(Objection::code(10015));
        }
        Ok(link)
    }

    /// A link whose parameters may stand in any order: those to the pages with a QR code, which WeChat's own scripts
    /// put together in different orders.
    ///
    /// # Errors
    /// What is missing, or cannot be.
    pub(super) fn lenient(params: &'a Params) -> Result<Link<'a>, Objection> {
        check_case(params)?;
        let wanted = |name: &str, code: i64| param(params, name).ok_or_else(|| Objection::code(code));
        let appid = wanted("appid", 10012)?;
        let redirect_uri = wanted("redirect_uri", 10011)?;
        let scope = wanted("scope", 10010)?;
        if param(params, "response_type") != Some("code") {
            return Err(Objection::wrong_link("response_type 必须为 code", "response_type has to be code."));
        }
        Ok(Link {
            appid,
            redirect_uri,
            scope,
            state: state(params)?,
            agentid: param(params, "agentid"),
            snapshot: param(params, "forceSnapShot") == Some("true"),
        })
    }
}

/// A parameter that is there and not empty.
pub(super) fn param<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    let (_, value) = params.iter().find(|(known, _)| known == name)?;
    (!value.is_empty()).then_some(value.as_str())
}

/// What goes along unchanged; absent is empty.
pub(super) fn state(params: &Params) -> Result<&str, Objection> {
    let state = param(params, "state").unwrap_or_default();
    if state.len() <= LONGEST_STATE && state.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(state);
    }
    Err(Objection::wrong_link("state 参数错误", "state has at most 128 characters of a-z A-Z 0-9."))
}

fn check_case(params: &Params) -> Result<(), Objection> {
    for known in ORDER.into_iter().chain(LATER) {
        let mut alike = params.iter().filter(|(name, _)| name.eq_ignore_ascii_case(known));
        if alike.clone().any(|(name, _)| name != known) {
            return Err(Objection::wrong_link(
                "参数大小写错误",
                format!("Parameters are case-sensitive; this one is spelled {known}."),
            ));
        }
        if alike.nth(1).is_some() {
            let advice = format!("{known} is there twice; is redirect_uri percent-encoded?");
            return Err(Objection::wrong_link("参数重复", advice));
        }
    }
    Ok(())
}

fn check_order(params: &Params) -> Result<(), Objection> {
    let names: Vec<&str> = params.iter().map(|(name, _)| name.as_str()).collect();
    let first_in_order = names.iter().zip(ORDER).all(|(name, wanted)| *name == wanted);
    let state_in_order = names.iter().position(|name| *name == "state").is_none_or(|place| place == ORDER.len());
    if first_in_order && state_in_order {
        return Ok(());
    }
    Err(Objection::wrong_link(
        "参数顺序错误",
        "The parameters have to stand in this order: appid, redirect_uri (percent-encoded), response_type, scope, state.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Vec<(String, String)> {
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn order_and_case_are_strict() {
        let good = "appid=wx1&redirect_uri=http%3A%2F%2Fa%2F%3Fb%3D1&response_type=code&scope=snsapi_base";
        for tail in ["", "&state=", "&state=aZ9", "&state=1&connect_redirect=1", "&forcePopup=true", "&agentid=1&uin=7"]
        {
            assert!(Link::strict(&params(&format!("{good}{tail}"))).is_ok(), "{tail}");
        }
        for wrong in [
            "redirect_uri=http%3A%2F%2Fa&appid=wx1&response_type=code&scope=snsapi_base",
            "appid=wx1&redirect_uri=http://a/?b=1&c=2&response_type=code&scope=snsapi_base",
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&scope=snsapi_base&response_type=code",
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&state=1&scope=snsapi_base",
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&scope=snsapi_base&connect_redirect=1&state=1",
            "appId=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&scope=snsapi_base",
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&scope=snsapi_base&State=1",
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&scope=snsapi_base&state=1&state=2",
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&scope=snsapi_base&state=a-b",
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=token&scope=snsapi_base",
        ] {
            let objection = Link::strict(&params(wrong)).expect_err(wrong);
            assert_eq!(objection.page().errcode, Some(-1), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_has_its_code() {
        for (query, code) in [
            ("", 10012),
            ("appid=wx1", 10011),
            ("appid=wx1&redirect_uri=&response_type=code&scope=snsapi_base", 10011),
            ("appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code", 10010),
            ("appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&scope=snsapi_base&component_appid=wx2", 10015),
        ] {
            assert_eq!(Link::strict(&params(query)), Err(Objection::code(code)), "{query}");
        }
        let long = format!(
            "appid=wx1&redirect_uri=http%3A%2F%2Fa&response_type=code&scope=snsapi_base&state={}",
            "x".repeat(129)
        );
        assert!(Link::strict(&params(&long)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn foreign_queries_never_panic(query in "(appid|state|redirect_uri|=|&|%|scope|code|x){0,30}") {
            Link::strict(&params(&query)).ok();
        }
    }
}
