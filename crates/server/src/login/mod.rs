//! Login as browsers see it: the redirect to WeChat, the way back, and pages.
//!
//! * `browser`: what a request tells about the browser;
//! * `pages`, `texts`: what visitors see.
//!
//! Called by `from_visitors`, and by `ready_answers` for a link that needs nothing but memory. What must stay true: a page
//! or redirect leads nowhere but to WeChat and to the `call` of the link.

mod browser;
mod pages;
mod texts;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use engine::Engine;
use engine::apps::Registered;
use engine::apps::app_path;
use engine::guard::Doubtful;
use engine::login::ask::{Ask, AskProblem, Door};
use engine::login::problem::LoginProblem;
use engine::login::{Begun, End, Lead, Return, Visit};
use http::header::{CACHE_CONTROL, HOST, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use wechat::login::Lang;

use self::pages::{Back, Failed, Form, Framing};
use self::texts::Texts;
use crate::answer::{Error, NO_STORE, Told};
use crate::parameters::Parameters;
use crate::qrcode;

/// The size of the QR code in a page, in pixels.
const QRCODE_SIZE: u32 = 220;

/// The parameter in which the sealed round trip comes back.
const TRIP: &str = "trip";

/// Whether this query is a way back from WeChat and not a link.
pub(crate) fn is_return(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("trip=")))
}

/// The first answer to a login link.
pub(crate) enum Begin {
    /// To WeChat: needs nothing but memory.
    Redirect(http::Response<Bytes>),
    /// A telephone has to open the link; [`scan_page`] shows it.
    Scan {
        /// What the link says.
        lang: Option<Lang>,
    },
}

/// Follows a login link.
///
/// # Errors
/// When the link is wrong.
pub(crate) fn begin(
    engine: &Engine,
    registered: &Arc<Registered>,
    door: Door,
    parameters: &Parameters,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Begin, Error> {
    let ask = Ask::read(|name| parameters.value(name), &engine.call_urls, registered)?;
    let own = own(engine, uri, headers);
    let user_agent = browser::user_agent(headers, engine.upstream.hosts().has_stand_in());
    let visit = Visit { user_agent, own: &own };
    match engine.login.begin(registered, door, &ask, &visit)? {
        Begun::Lead { url, mark } => Ok(Begin::Redirect(redirect(&url, browser::keep(&mark, &own))?)),
        Begun::Scan => Ok(Begin::Scan { lang: ask.lang }),
    }
}

/// The link as a QR code. It costs much to draw.
///
/// # Errors
/// When this client has had too many.
pub(crate) fn scan_page(
    engine: &Engine,
    lang: Option<Lang>,
    parameters: &Parameters,
    uri: &Uri,
    headers: &HeaderMap,
    client: IpAddr,
) -> Result<Response, Error> {
    engine.guard.costly(client, engine.clock.now())?;
    // Whether they came in the address or in a body.
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters.0).finish();
    let link = format!("{}{}?{query}", own(engine, uri, headers), uri.path());
    let image = qrcode::draw(&link, QRCODE_SIZE, qrcode::Format::Svg).ok();
    let image = image.and_then(|image| String::from_utf8(image).ok());
    Ok(pages::scan(framing(engine), Texts::of(lang, headers), &link, image))
}

/// Ends a login.
pub(crate) async fn finish(
    engine: &Engine,
    registered: &Arc<Registered>,
    door: Door,
    parameters: &Parameters,
    uri: &Uri,
    headers: &HeaderMap,
    client: IpAddr,
) -> Result<Response, Error> {
    engine.guard.may_try(Doubtful::Code, client, engine.clock.now())?;
    let (own, state) = (own(engine, uri, headers), parameters.value("state"));
    let returned = Return {
        trip: parameters.value(TRIP).unwrap_or_default(),
        code: parameters.value("code"),
        state,
        mark: browser::mark(headers, &own, state),
    };
    let (end, lang) = engine.login.finish(registered, door, returned).await;
    let texts = Texts::of(lang, headers);
    match end {
        End::Arrived(Lead::Address(url)) => Ok(redirect(url.as_str(), None)?.map(Body::from)),
        End::Arrived(Lead::Form { call, body }) => {
            let host = call.host_str().unwrap_or_default().to_owned();
            Ok(pages::arrived(framing(engine), texts, &host, Form::of(call.into(), &body)))
        }
        End::Failed { problem: LoginProblem::Denied, back: Some(Lead::Address(url)), .. } => {
            Ok(redirect(url.as_str(), None)?.map(Body::from))
        }
        End::Failed { problem, again, back } => {
            if matches!(problem, LoginProblem::CodeSpent(_)) {
                engine.guard.turned_out_bad(Doubtful::Code, client, engine.clock.now());
            }
            let again = (!again.is_empty()).then(|| link(registered, door, &again));
            Ok(failure(framing(engine), texts, &problem, again, back))
        }
    }
}

fn failure(
    framing: Framing,
    texts: &Texts,
    problem: &LoginProblem,
    again: Option<String>,
    back: Option<Lead>,
) -> Response {
    let (title, what_to_do) = texts.problem(problem);
    let status = match problem {
        LoginProblem::Denied => StatusCode::OK,
        LoginProblem::Refused(_) | LoginProblem::Unreachable(_) => StatusCode::BAD_GATEWAY,
        LoginProblem::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        LoginProblem::NotAllowed => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    let detail = match problem {
        LoginProblem::Refused(error) => format!("{} {}", error.errcode, error.errmsg),
        _ => String::new(),
    };
    let at_once = *problem == LoginProblem::Denied;
    let back = Back::of(back);
    pages::failed(framing, texts, Failed { status, title, what_to_do, detail: &detail, again, back, at_once })
}

/// A page instead of an error's JSON.
pub(crate) fn error_page(
    engine: &Engine,
    told: &Told,
    status: StatusCode,
    lang: Option<Lang>,
    headers: &HeaderMap,
) -> Response {
    let texts = Texts::of(lang, headers);
    let (title, what_to_do) = if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        (texts.unavailable, texts.unavailable_what)
    } else {
        (texts.wrong_link, texts.wrong_link_what)
    };
    let detail = format!("{} {}", told.errcode, told.errmsg);
    let back = Back::Nowhere;
    let failed = Failed { status, title, what_to_do, detail: &detail, again: None, back, at_once: false };
    pages::failed(framing(engine), texts, failed)
}

/// WeChat's browser shows pages in no frame; the simulated phone does.
fn framing(engine: &Engine) -> Framing {
    if engine.upstream.hosts().has_stand_in() { Framing::ByThisMachine } else { Framing::Never }
}

/// Whether a person will read the answer to this request.
pub(crate) fn is_read_by_people(headers: &HeaderMap) -> bool {
    browser::shows_pages(headers)
}

/// The language that a link asks for, whatever else is wrong with it.
pub(crate) fn lang_of(uri: &Uri) -> Option<Lang> {
    Lang::parse(Parameters::of_query(uri.query()).ok()?.value("lang")?)
}

/// Scheme, host and port under which the browser knows this server: HTTP/2 tells them in the target, HTTP/1.1 in a header.
pub(crate) fn own<'a>(engine: &'a Engine, uri: &Uri, headers: &HeaderMap) -> Cow<'a, str> {
    let header = || headers.get(HOST).and_then(|host| host.to_str().ok());
    engine.call_urls.base(uri.authority().map(http::uri::Authority::as_str).or_else(header))
}

fn link(registered: &Registered, door: Door, pairs: &[(&'static str, String)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}?{query}", app_path(&registered.app.key, door.path()))
}

fn redirect(url: &str, cookie: Option<HeaderValue>) -> Result<http::Response<Bytes>, Error> {
    let location = HeaderValue::from_str(url);
    let location = location.map_err(|_| Error::Internal("an address holds what no header can"))?;
    let mut response = http::Response::new(Bytes::new());
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Some(cookie) = cookie {
        headers.insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

impl From<AskProblem> for Error {
    fn from(problem: AskProblem) -> Self {
        match problem {
            AskProblem::Call(problem) => problem.into(),
            AskProblem::Parameter(what) => Self::BadParameters(what.to_owned()),
            AskProblem::Seal(error) => error.into(),
        }
    }
}
