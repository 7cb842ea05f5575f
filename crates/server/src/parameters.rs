//! The parameters of a request: from its query and, for POST, from a form or JSON body. All become `(name, value)`.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::Value;

use crate::answer::Error;

/// The largest body with parameters, in bytes: certificates of 64 KiB each must fit.
const MAX_BODY: usize = 512 * 1024;

/// How long a whole body may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// So much of a body that is refused is still taken, in bytes, and for so long.
const MAX_DISCARDED: usize = 8 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(2);

/// The most parameters of one request: what looks for repeated ones compares each with all others.
const MAX_PARAMETERS: usize = 500;

/// The parameters of a request: those of the query, then those of the body. The values of one name keep their order.
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

impl Parameters {
    /// The first value of a parameter, unless it is empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The parameters of a query string.
    ///
    /// # Errors
    /// When it is not percent-encoded UTF-8.
    pub(crate) fn of_query(query: Option<&str>) -> Result<Self, Error> {
        let parameters = pairs(query.unwrap_or_default().as_bytes()).map(Self);
        parameters
            .ok_or_else(|| Error::BadParameters("the query is not percent-encoded UTF-8".to_owned()))?
            .refuse_too_many()
    }
}

impl Parameters {
    fn refuse_too_many(self) -> Result<Self, Error> {
        if self.0.len() <= MAX_PARAMETERS {
            return Ok(self);
        }
        Err(Error::BadParameters(format!(
            "more than {MAX_PARAMETERS} parameters are given; no path here takes so many"
        )))
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        let mut parameters = Self::of_query(request.uri().query())?;
        let body_type = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?").to_owned());
        let body = read(request.into_body(), MAX_BODY).await?;
        if !body.is_empty() {
            parameters.0.extend(of_body(&body, body_type.as_deref())?);
        }
        parameters.refuse_too_many()
    }
}

/// The first value of a parameter of a query, decoded; `None` when it is not there or empty.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.into_owned())
}

/// Reads a whole body, up to a limit in bytes.
///
/// # Errors
/// When it is larger, ends in the middle, or takes too long to arrive.
pub(crate) async fn read(body: axum::body::Body, limit: usize) -> Result<Bytes, Error> {
    let too_long = || Error::TimedOut(format!("the body did not arrive within {} s", ARRIVAL.as_secs()));
    tokio::time::timeout(ARRIVAL, arrived(body, limit)).await.unwrap_or_else(|_| Err(too_long()))
}

async fn arrived(mut body: axum::body::Body, limit: usize) -> Result<Bytes, Error> {
    // What says at its beginning that it is too large is not kept.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        discard(body).await;
        return Err(Error::BodyTooLarge { limit });
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::BadBody("the body ended before it was whole; send it again"))?;
        let Ok(chunk) = frame.into_data() else { continue };
        if whole.len() + chunk.len() > limit {
            discard(body).await;
            return Err(Error::BodyTooLarge { limit });
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// Takes the rest of a body that is refused, if it comes soon: a connection that is closed while its client still writes is
/// reset, and the client may never see the answer.
async fn discard(mut body: axum::body::Body) {
    let taken = async {
        let mut left = MAX_DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARDING, taken).await;
}

fn of_body(body: &[u8], body_type: Option<&str>) -> Result<Vec<(String, String)>, Error> {
    let body_type = body_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    match body_type.as_str() {
        "application/x-www-form-urlencoded" if body.starts_with(b"{") => {
            Err(Error::BadBody("the body looks like JSON; say so with 'Content-Type: application/json'"))
        }
        "application/x-www-form-urlencoded" => {
            pairs(body).ok_or(Error::BadBody("the body is not a form in percent-encoded UTF-8"))
        }
        "application/json" => of_json(body),
        _ => Err(Error::WrongBodyType),
    }
}

fn pairs(encoded: &[u8]) -> Option<Vec<(String, String)>> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(encoded).into_owned().collect();
    // The decoder puts this character in place of bytes that are no UTF-8: better refused than stored wrong.
    let is_whole = |text: &String| !text.contains('\u{FFFD}');
    pairs.iter().all(|(name, value)| is_whole(name) && is_whole(value)).then_some(pairs)
}

fn of_json(body: &[u8]) -> Result<Vec<(String, String)>, Error> {
    const WRONG: Error = Error::BadBody(
        "the body is no JSON object of texts, numbers, true, false, null and lists of these, like {\"key\":\"test\"}",
    );
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return Err(WRONG) };
    let mut pairs = Vec::with_capacity(object.len());
    for (name, value) in object {
        match value {
            Value::Array(values) if values.is_empty() => pairs.push((name, String::new())),
            Value::Array(values) => {
                for value in values {
                    pairs.push((name.clone(), scalar(value).ok_or(WRONG)?));
                }
            }
            value => pairs.push((name, scalar(value).ok_or(WRONG)?)),
        }
    }
    Ok(pairs)
}

/// `null` and an empty text are the same: the parameter is given empty.
fn scalar(value: Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Vec<(String, String)>, Error> {
        of_body(text.as_bytes(), Some("application/json; charset=utf-8"))
    }

    #[test]
    fn forms_and_json_mean_the_same() {
        let form = of_body("key=测试&call=/js&call=/api&token=".as_bytes(), Some("application/x-www-form-urlencoded"));
        let json = json(r#"{"key":"测试","call":["/js","/api"],"token":null}"#);
        let mut json = json.unwrap();
        json.sort_by_key(|(name, _)| ["key", "call", "token"].iter().position(|known| known == name));
        assert_eq!(form.unwrap(), json);
    }

    #[test]
    fn what_is_not_what_its_type_says_is_refused() {
        for body in ["", "[]", "{", r#"{"a":{}}"#, r#"{"a":[[1]]}"#] {
            assert!(matches!(json(body), Err(Error::BadBody(_))), "{body}");
        }
        assert!(matches!(of_body(b"a=%ff", Some("application/x-www-form-urlencoded")), Err(Error::BadBody(_))));
        assert!(matches!(of_body(b"{\"a\":1}", Some("application/x-www-form-urlencoded")), Err(Error::BadBody(_))));
        assert!(matches!(of_body(b"<xml/>", Some("text/xml")), Err(Error::WrongBodyType)));
        assert!(matches!(of_body(b"a=b", None), Err(Error::WrongBodyType)));
    }
}
