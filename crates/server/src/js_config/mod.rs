//! `/js/config` and `/qyjs/config`: a script that brings `wx`, signs the page's address and calls `wx.config`.
//!
//! The script is `wxproxy.js` between two lines of its own: what to run, and what it has to know. Called by `from_visitors`, and
//! by `ready_answers` when the ticket is in memory. What must stay true: nothing from outside gets into the script but as a
//! JSON text.

use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use engine::Engine;
use engine::apps::{Registered, Wanted};
use engine::jssdk::names::Names;
use engine::jssdk::page::{Page, PageProblem};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, REFERER};
use http::{HeaderMap, HeaderValue, Response, Uri};

use crate::answer::{Error, JAVASCRIPT, JSON, NO_STORE};
use crate::cross_origin::for_origin;
use crate::login::own;
use crate::parameters::Parameters;

/// The script without what only its readers here need: indents and comments. Browsers fetch it with every page.
static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("wxproxy.js").lines().map(str::trim_start);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.flat_map(|line| [line, "\n"]).collect()
});

/// Where WeChat keeps `wx` ("JS-SDK", step 2), and where else.
const JWEIXIN: [&str; 2] = ["https://res.wx.qq.com", "https://res2.wx.qq.com"];
const JWEIXIN_PATH: &str = "/open/js/jweixin-1.6.0.js";
/// WeCom's documents name this version.
const CORP_JWEIXIN_PATH: &str = "/open/js/jweixin-1.2.0.js";
/// Where WeCom keeps `wx.agentConfig`.
const JWXWORK: &str = "https://open.work.weixin.qq.com";
const JWXWORK_PATH: &str = "/wwopen/js/jwxwork-1.0.0.js";

/// What was asked for.
struct Plan<'a> {
    is_corp: bool,
    agentid: Option<&'a str>,
    names: Names,
    debug: bool,
    is_json: bool,
    page: Page<'a>,
}

/// The answer, when all tickets that it needs are in memory.
pub(crate) fn ready(
    engine: &Engine,
    registered: &Registered,
    is_corp: bool,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<Response<Bytes>> {
    let parameters = Parameters::of_query(uri.query()).ok()?;
    let plan = plan(engine, registered, is_corp, &parameters, headers).ok()?;
    let response = respond(engine, registered, &plan, uri, headers)?.ok()?;
    Some(for_origin(response, engine, registered, headers))
}

/// The answer, with new tickets if need be.
pub(crate) async fn answer(
    engine: &Engine,
    registered: &Arc<Registered>,
    is_corp: bool,
    parameters: &Parameters,
    uri: &Uri,
    headers: &HeaderMap,
) -> axum::response::Response {
    let response = signed(engine, registered, is_corp, parameters, uri, headers).await;
    for_origin(
        response.map_or_else(IntoResponse::into_response, |response| response.map(Body::from)),
        engine,
        registered,
        headers,
    )
}

async fn signed(
    engine: &Engine,
    registered: &Arc<Registered>,
    is_corp: bool,
    parameters: &Parameters,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response<Bytes>, Error> {
    let plan = plan(engine, registered, is_corp, parameters, headers)?;
    for ticket in plan.tickets() {
        engine.jssdk.warm(registered, ticket).await?;
    }
    let over = || Err(Error::TimedOut("WeChat's ticket was over before a page could be signed for".to_owned()));
    respond(engine, registered, &plan, uri, headers).unwrap_or_else(over)
}

fn plan<'a>(
    engine: &Engine,
    registered: &'a Registered,
    is_corp: bool,
    parameters: &'a Parameters,
    headers: &'a HeaderMap,
) -> Result<Plan<'a>, Error> {
    let is_corp = is_corp || registered.appid.is_surely_wecom();
    let referer = headers.get(REFERER).and_then(|referer| referer.to_str().ok());
    let debug = match parameters.value("debug") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(Error::BadParameters("debug is true or false".to_owned())),
    };
    let is_json = match parameters.value("format") {
        None | Some("js") => false,
        Some("json") => true,
        Some(_) => return Err(Error::BadParameters("format is js (the default) or json".to_owned())),
    };
    let agentid = parameters.value("agentid").or(registered.app.settings.agentid.as_deref()).filter(|_| is_corp);
    if agentid.is_some_and(|agentid| agentid.len() > 20 || !agentid.bytes().all(|b| b.is_ascii_digit())) {
        return Err(Error::BadParameters("agentid is the AgentId of the WeCom app, a number like 1000002".to_owned()));
    }
    let names = Names::read(&parameters.0, is_corp).map_err(|problem| Error::BadParameters(problem.to_string()))?;
    let page = Page::read(parameters.value("url"), referer, &engine.call_urls, registered)?;
    Ok(Plan { is_corp, agentid, names, debug, is_json, page })
}

impl Plan<'_> {
    fn ticket(&self) -> Wanted {
        if self.is_corp { Wanted::CorpTicket } else { Wanted::JsapiTicket }
    }

    /// What has to be in memory: nothing while the page's address is not known.
    fn tickets(&self) -> impl Iterator<Item = Wanted> {
        let tickets = [Some(self.ticket()), self.agentid.map(|_| Wanted::AgentTicket)];
        tickets.into_iter().flatten().filter(|_| self.address().is_some())
    }

    fn address(&self) -> Option<&str> {
        match &self.page {
            Page::Named(address) | Page::Referring(address) => Some(address),
            Page::Unknown => None,
        }
    }
}

/// `None`: a ticket is not in memory.
fn respond(
    engine: &Engine,
    registered: &Registered,
    plan: &Plan<'_>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<Result<Response<Bytes>, Error>> {
    let (mut config, mut agent) = (None, None);
    if let Some(address) = plan.address() {
        let signed = engine.jssdk.sign(registered, plan.ticket(), address)?;
        config = Some(signed.wx_config(registered, &plan.names, plan.debug, plan.is_corp));
        if let Some(agentid) = plan.agentid {
            let signed = engine.jssdk.sign(registered, Wanted::AgentTicket, address)?;
            agent = Some(signed.agent_config(registered, agentid, &plan.names));
        }
    }
    if plan.is_json {
        let missing = "url is missing: it is the whole address of the page, percent-encoded (browsers tell another site \
                       only the origin of theirs)";
        let config = config.ok_or_else(|| Error::BadParameters(missing.to_owned()));
        return Some(config.map(|config| response(JSON, with_agent(config, agent.as_deref()))));
    }
    let settings = settings(engine, plan, agent.as_deref(), uri, headers);
    Some(Ok(response(JAVASCRIPT, script(config.as_deref(), &settings))))
}

/// The fields alone; WeCom's second call beside them.
fn with_agent(config: String, agent: Option<&str>) -> String {
    match (agent, config.strip_suffix('}')) {
        (Some(agent), Some(open)) => format!("{open},\"agentConfig\":{agent}}}"),
        _ => config,
    }
}

fn script(config: Option<&str>, settings: &str) -> String {
    let mut script = String::with_capacity(SCRIPT.len() + config.map_or(0, str::len) + settings.len() + 64);
    script.push_str(&SCRIPT);
    match config {
        Some(config) => {
            for piece in ["})(function () {\nwx.config(", config, ");\n}, "] {
                script.push_str(piece);
            }
        }
        None => script.push_str("})(null, "),
    }
    script.push_str(settings);
    script.push_str(");\n");
    script
}

/// What the script has to know, as JSON. Written piece by piece: it is made for each page that is opened.
fn settings(engine: &Engine, plan: &Plan<'_>, agent: Option<&str>, uri: &Uri, headers: &HeaderMap) -> String {
    let mut json = String::with_capacity(512 + agent.map_or(0, str::len));
    json.push_str(if matches!(plan.page, Page::Named(_)) { "{\"given\":true" } else { "{\"given\":false" });
    let hosts = engine.upstream.hosts();
    let stand_in = hosts.has_stand_in().then(|| [hosts.open.as_str().trim_end_matches('/')]);
    let at = |hosts: &'static [&'static str]| stand_in.as_ref().map_or(hosts, <[&str; 1]>::as_slice);
    let path = if plan.is_corp { CORP_JWEIXIN_PATH } else { JWEIXIN_PATH };
    push_list(&mut json, ",\"jweixin\":[", at(&JWEIXIN), path);
    push_list(&mut json, ",\"jwxwork\":[", at(&[JWXWORK]), JWXWORK_PATH);
    json.push_str(",\"source\":");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    push_text(&mut json, &[&own(engine, uri, headers), path]);
    json.push_str(",\"url\":");
    push_text(&mut json, &[plan.address().unwrap_or_default()]);
    if let Some(agent) = agent {
        json.push_str(",\"agentConfig\":");
        json.push_str(agent);
    }
    json.push('}');
    json
}

/// A list of addresses. Hosts and paths need no escapes.
fn push_list(json: &mut String, begin: &str, hosts: &[&str], path: &str) {
    json.push_str(begin);
    for (place, host) in hosts.iter().enumerate() {
        for piece in [if place == 0 { "\"" } else { ",\"" }, host, path, "\""] {
            json.push_str(piece);
        }
    }
    json.push(']');
}

/// A text, with what JSON escapes, and what would end the script or (in older engines) a line of it.
fn push_text(json: &mut String, pieces: &[&str]) {
    json.push('"');
    for character in pieces.iter().flat_map(|piece| piece.chars()) {
        match character {
            '"' | '\\' | '<' | '\u{2028}' | '\u{2029}' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            control if control.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            plain => json.push(plain),
        }
    }
    json.push('"');
}

fn response(content_type: HeaderValue, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

impl From<PageProblem> for Error {
    fn from(problem: PageProblem) -> Self {
        match problem {
            PageProblem::NotAUrl => Self::BadParameters(problem.to_string()),
            PageProblem::NotAllowed { .. } => Self::CallNotAllowed(problem.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_json_and_end_no_script() {
        for text in ["https://a/?x=1&y=中🐼", "\"</script>\\\u{2028}\u{0}\r\n\u{85}", ""] {
            let mut json = String::new();
            push_text(&mut json, &[text, "!"]);
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), format!("{text}!"));
            assert!(!json.contains(['<', '\u{2028}', '\n']));
        }
    }
}
