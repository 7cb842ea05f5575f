//! The pages of a login, as HTML. They work without scripts; what comes from outside is escaped by the templates.

use std::sync::LazyLock;

use askama::Template;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use engine::login::Lead;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use super::texts::Texts;
use crate::answer::{Error, NO_STORE};

const STYLE: &str = include_str!("../../templates/login.css");

/// While the page is loaded, so that it does not stay in the browser's history: Back leads past it.
const SUBMIT: &str = "document.forms[0].submit()";

/// Who may show a page in a frame. In one, a visitor could be made to click on what he does not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Never,
    /// The simulated phone, which is a page of this machine.
    ByThisMachine,
}

static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| policy("'none'"));
static FRAMED_POLICY: LazyLock<Option<HeaderValue>> =
    LazyLock::new(|| policy("http://127.0.0.1:* http://localhost:* http://*.localhost:*"));

/// No source but what the page itself holds; forms go to other sites, which is what they are for.
fn policy(frame_ancestors: &str) -> Option<HeaderValue> {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let (style, script) = (hash(STYLE), hash(SUBMIT));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; \
         frame-ancestors {frame_ancestors}"
    );
    HeaderValue::from_str(&policy).ok()
}

/// A form whose body is JSON: `enctype=text/plain` sends `name=value` as it is, so the JSON is cut at a `=` in it
/// (HTML standard, "plain text form data").
pub(crate) struct Form {
    action: String,
    name: String,
    value: String,
}

/// A way back to the site.
pub(crate) enum Back {
    Form(Form),
    Link(String),
    Nowhere,
}

impl Back {
    pub(crate) fn of(lead: Option<Lead>) -> Self {
        match lead {
            None => Self::Nowhere,
            Some(Lead::Address(url)) => Self::Link(url.into()),
            Some(Lead::Form { call, body }) => Self::Form(Form::of(call.into(), &body)),
        }
    }
}

impl Form {
    pub(crate) fn of(action: String, body: &str) -> Self {
        let (name, value) = body.split_once('=').unwrap_or((body, ""));
        Self { action, name: name.to_owned(), value: value.to_owned() }
    }
}

#[derive(Template)]
#[template(path = "arrived.html")]
struct Arrived<'a> {
    texts: &'a Texts,
    style: &'static str,
    script: &'static str,
    host: &'a str,
    form: Form,
}

/// The visitor is known and goes on to the site.
pub(crate) fn arrived(framing: Framing, texts: &Texts, host: &str, form: Form) -> Response {
    page(framing, StatusCode::OK, &Arrived { texts, style: STYLE, script: SUBMIT, host, form })
}

#[derive(Template)]
#[template(path = "failed.html")]
struct FailedPage<'a> {
    texts: &'a Texts,
    style: &'static str,
    script: &'static str,
    title: &'a str,
    what_to_do: &'a str,
    detail: &'a str,
    again: Option<String>,
    back: Back,
    at_once: bool,
}

/// What a page about a failure says.
pub(crate) struct Failed<'a> {
    pub(crate) status: StatusCode,
    pub(crate) title: &'a str,
    pub(crate) what_to_do: &'a str,
    /// For the operator, to whom the visitor may read it out.
    pub(crate) detail: &'a str,
    /// Where the visitor can begin anew.
    pub(crate) again: Option<String>,
    pub(crate) back: Back,
    /// The site is told without waiting for the visitor, if by a form.
    pub(crate) at_once: bool,
}

/// The visitor did not get through.
pub(crate) fn failed(framing: Framing, texts: &Texts, failed: Failed<'_>) -> Response {
    let Failed { status, title, what_to_do, detail, again, back, at_once } = failed;
    let at_once = at_once && matches!(back, Back::Form(_));
    page(
        framing,
        status,
        &FailedPage { texts, style: STYLE, script: SUBMIT, title, what_to_do, detail, again, back, at_once },
    )
}

#[derive(Template)]
#[template(path = "scan.html")]
struct Scan<'a> {
    texts: &'a Texts,
    style: &'static str,
    link: &'a str,
    /// SVG.
    qrcode: Option<String>,
}

/// The link has to be opened in WeChat.
pub(crate) fn scan(framing: Framing, texts: &Texts, link: &str, qrcode: Option<String>) -> Response {
    page(framing, StatusCode::OK, &Scan { texts, style: STYLE, link, qrcode })
}

fn page(framing: Framing, status: StatusCode, template: &impl Template) -> Response {
    let Ok(html) = template.render() else { return Error::Internal("a page could not be written").into_response() };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    // The address of this page holds WeChat's code: the site learns where its visitor came from, and no more.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = if framing == Framing::Never { &POLICY } else { &FRAMED_POLICY };
    if let Some(policy) = (*policy).clone() {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
