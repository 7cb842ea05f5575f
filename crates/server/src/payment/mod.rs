//! Payment over HTTP: orders for teams' servers and visitors' browsers, what follows them, and WeChat Pay's
//! notifications.
//!
//! The handlers are thin: parameters in, the engine's answer out. Each stands in the router of its audience
//! (`from_backends`, `from_visitors`, `from_wechat`, `from_operators`), behind the guard of that file.

pub(crate) mod notices;
pub(crate) mod order_filter;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use engine::Engine;
use engine::apps::Registered;
use engine::guard::{Caller, Mode};
use engine::payment::ask::{Circumstances, OrderAsk};
use engine::payment::signed_link::LinkProblem;
use engine::payment::{PayError, Placed, RefundAsk, payment_of, refund_of, signed_link};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use serde_json::json;
use wechat::pay::{OutTradeNo, PaymentNo, TradeType};

use crate::answer::{Error, JAVASCRIPT, NO_STORE, json_of};
use crate::app_path::AppPath;
use crate::client_address::ClientAddress;
use crate::cross_origin::for_origin;
use crate::parameters::Parameters;
use crate::qrcode::{Format, draw, size};

type App = Extension<Arc<Registered>>;

/// The longest name of a JavaScript variable.
const MAX_VARIABLE: usize = 64;

/// Who only looks must not order, pay back or close anything.
pub(crate) struct NotHead;

impl<S: Send + Sync> FromRequestParts<S> for NotHead {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        if parts.method == Method::HEAD { Err(Error::WrongMethod) } else { Ok(Self) }
    }
}

/// `/pay`: an order, of any kind.
pub(crate) async fn order(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    origin: Origin,
    parameters: Parameters,
) -> Result<Response, Error> {
    let placed = place(&engine, &registered, &origin, None, &parameters).await?;
    let mut fields = placed.fields.clone();
    if placed.text("trade_type") == Some(TradeType::App.as_str()) {
        // What the app needs to ask to be paid; only the server can sign it.
        let app = serde_json::to_value(engine.payment.app_parameters(&placed)?);
        fields.insert("app".to_owned(), app.map_err(|_| Error::Internal("an answer could not be written as JSON"))?);
    }
    Ok(json_of(&fields))
}

/// `/pay/qrcode`: an order as a picture that a telephone scans.
pub(crate) async fn qrcode(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    origin: Origin,
    parameters: Parameters,
) -> Result<Response, Error> {
    may_order(&engine, &registered, &origin, &parameters)?;
    let format = match parameters.value("format") {
        None | Some("png") => Format::Png,
        Some("svg") => Format::Svg,
        Some(_) => return Err(Error::BadParameters("format is png (the default) or svg".to_owned())),
    };
    let size = size(parameters.value("size")).map_err(Error::BadParameters)?;
    let placed = place(&engine, &registered, &origin, Some(TradeType::Native), &parameters).await?;
    let code_url = placed.text("code_url").ok_or(Error::Internal("WeChat Pay gave no code_url"))?;
    let image = draw(code_url, size, format).map_err(Error::BadParameters)?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(format.content_type())),
        // Another look may be another order.
        (CACHE_CONTROL, NO_STORE),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, image).into_response())
}

/// `/pay/js`: an order as the parameters of `getBrandWCPayRequest`; with `var=`, as a script.
pub(crate) async fn js(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    origin: Origin,
    parameters: Parameters,
) -> Response {
    let response = invocation(&engine, &registered, &origin, &parameters).await;
    for_origin(response.unwrap_or_else(IntoResponse::into_response), &engine, &registered, &origin.headers)
}

async fn invocation(
    engine: &Engine,
    registered: &Arc<Registered>,
    origin: &Origin,
    parameters: &Parameters,
) -> Result<Response, Error> {
    may_order(engine, registered, origin, parameters)?;
    let variable = parameters.value("var").map(variable).transpose()?;
    let placed = place(engine, registered, origin, Some(TradeType::Jsapi), parameters).await?;
    let invocation = engine.payment.jsapi_parameters(&placed)?;
    let Some(variable) = variable else { return Ok(json_of(&invocation)) };
    let json = serde_json::to_string(&invocation).map_err(|_| Error::Internal("a script could not be written"))?;
    // Nothing of it can end a script: numbers, letters, base64.
    let script = format!("var {variable} = {};\n", json.replace('<', "\\u003c"));
    Ok(([(CONTENT_TYPE, JAVASCRIPT), (CACHE_CONTROL, NO_STORE)], script).into_response())
}

/// `/pay/query`: how a payment stands.
pub(crate) async fn query(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    parameters: Parameters,
) -> Result<Response, Error> {
    let payment = payment_of(|name| parameters.value(name)).map_err(PayError::from)?;
    Ok(json_of(&engine.payment.query(&registered, &payment).await?))
}

/// `/pay/close`: an order will not be paid.
pub(crate) async fn close(
    _: NotHead,
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    parameters: Parameters,
) -> Result<Response, Error> {
    let number = close_number(&parameters)?;
    Ok(json_of(&engine.payment.close(&registered, &number).await?))
}

/// `/pay/refund`: back to the payer.
pub(crate) async fn refund(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    origin: Origin,
    parameters: Parameters,
) -> Result<Response, Error> {
    let base = origin.base(&engine);
    let asked = RefundAsk::read(&parameters.0, &registered, &engine.call_urls, &base).map_err(PayError::from)?;
    Ok(json_of(&engine.payment.refund(&registered, asked).await?))
}

/// `/pay/refund/query`: how a refund stands.
pub(crate) async fn query_refund(
    State(engine): State<Arc<Engine>>,
    Extension(registered): App,
    parameters: Parameters,
) -> Result<Response, Error> {
    let number = refund_of(|name| parameters.value(name)).map_err(PayError::from)?;
    Ok(json_of(&engine.payment.query_refund(&registered, &number).await?))
}

/// Whose order it is, and from where. Who only looks (`HEAD`) is sent away: an order is more than a look.
pub(crate) struct Origin {
    client: IpAddr,
    version: Version,
    uri: Uri,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        NotHead::from_request_parts(parts, state).await?;
        let client =
            ClientAddress::from_request_parts(parts, state).await.map_or(IpAddr::from([0; 4]), |known| known.0);
        Ok(Self { client, version: parts.version, uri: parts.uri.clone(), headers: parts.headers.clone() })
    }
}

impl Origin {
    /// Where the world finds this server.
    fn base<'a>(&self, engine: &'a Engine) -> Cow<'a, str> {
        engine.call_urls.base(host(&self.headers).or(self.uri.authority().map(Authority::as_str)))
    }
}

async fn place(
    engine: &Engine,
    registered: &Arc<Registered>,
    origin: &Origin,
    trade_type: Option<TradeType>,
    parameters: &Parameters,
) -> Result<Placed, Error> {
    let (base, cookie) = (origin.base(engine), openid_cookie(&origin.headers));
    let circumstances = Circumstances { trade_type, cookie, client: origin.client, base: &base };
    let now = (engine.clock.now(), &*engine.random);
    let asked = OrderAsk::read(&parameters.0, registered, &engine.call_urls, &circumstances, now);
    Ok(engine.payment.place(registered, asked.map_err(PayError::from)?).await?)
}

/// On a public server a visitor's order needs the team's signature; the team itself shows its api_key instead.
fn may_order(engine: &Engine, registered: &Registered, origin: &Origin, parameters: &Parameters) -> Result<(), Error> {
    if engine.guard.mode() != Mode::Public {
        return Ok(());
    }
    let now = engine.clock.now();
    let authority = origin.uri.authority().map(Authority::as_str);
    let caller = Caller { headers: &origin.headers, version: origin.version, authority, address: origin.client };
    let path = AppPath::parse(origin.uri.path()).and_then(|path| path.decoded_rest());
    if path.is_some_and(|path| engine.guard.would_admit_team(registered, &path, &caller, now)) {
        return Ok(());
    }
    // A link may be opened again and again, each time for another order.
    engine.guard.costly(origin.client, now)?;
    signed_link::check(&parameters.0, registered, now)?;
    Ok(())
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST).and_then(|host| host.to_str().ok())
}

fn openid_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == "openid").map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn variable(text: &str) -> Result<&str, Error> {
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$'));
    let is_name = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$'));
    if begins_well && is_name && text.len() <= MAX_VARIABLE {
        return Ok(text);
    }
    Err(Error::BadParameters(
        "var is the name of a JavaScript variable: letters, digits, _ and $, like wxpay".to_owned(),
    ))
}

fn close_number(parameters: &Parameters) -> Result<OutTradeNo, Error> {
    match payment_of(|name| parameters.value(name).filter(|_| name == "out_trade_no")).map_err(PayError::from)? {
        PaymentNo::OutTradeNo(number) => Ok(number),
        PaymentNo::TransactionId(_) => Err(Error::BadParameters("out_trade_no is missing".to_owned())),
    }
}

impl From<PayError> for Error {
    fn from(error: PayError) -> Self {
        use engine::payment::ask::AskProblem;
        let text = error.to_string();
        match error {
            PayError::Ask(AskProblem::Call(problem)) => problem.into(),
            PayError::Ask(AskProblem::Parameter(text)) => Self::BadParameters(text),
            PayError::Merchant(_) => Self::NoMerchant(text),
            PayError::Conflict(_) => Self::OtherOrder(text),
            PayError::Over(_) => Self::OrderOver(text),
            PayError::Refused(refusal) => Self::PayRefused(Box::new(refusal)),
            PayError::NotSent(_) => Self::Unreachable { reason: text, retry_in: std::time::Duration::ZERO },
            PayError::Unclear(_) => Self::OutcomeUnknown(text),
            PayError::Unknown => Self::UnknownOrder,
            // A visitor needs none of the driver's words.
            PayError::Store(error) => {
                tracing::error!(%error, "the database did not take a step of a payment");
                Self::NotReady
            }
        }
    }
}

impl From<LinkProblem> for Error {
    fn from(problem: LinkProblem) -> Self {
        Self::LinkNotSigned(problem)
    }
}

/// WeChat's refusal in the shape of its order API, with the product's own two members in front.
pub(crate) fn refused(refusal: &wechat::pay::Refusal, errcode: i64) -> serde_json::Value {
    let errmsg = refusal.to_string();
    if refusal.code == "FAIL" {
        return json!({"errcode": errcode, "errmsg": errmsg, "return_code": "FAIL", "return_msg": refusal.message});
    }
    json!({
        "errcode": errcode,
        "errmsg": errmsg,
        "return_code": "SUCCESS",
        "return_msg": "OK",
        "result_code": "FAIL",
        "err_code": refusal.code,
        "err_code_des": refusal.message,
    })
}
