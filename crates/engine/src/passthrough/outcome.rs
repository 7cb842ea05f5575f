//! What the caller of a call gets: WeChat's answer, or its words of an earlier call.
//!
//! What must stay true: neither the token nor the secret that was sent comes back, whatever WeChat, or a relay, repeats of the
//! request.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use memchr::memchr_iter;
use secrecy::{ExposeSecret, SecretString};
use store::Timestamp;

use super::Refused;
use super::answer::{Answer, PassedBody};
use super::request_body::MOST_KEPT;
use crate::quota::circuit::Open;

/// Tells callers what the proxy did with an answer: `held-back` or `not-repeated`.
const DONE_HERE: HeaderName = HeaderName::from_static("x-wechat-proxy");

/// WeChat's answer, without what is not the caller's: `sent` is the secret that was in the request.
pub(super) fn response(answer: Answer, method: &Method, sent: Option<&SecretString>) -> Response<PassedBody> {
    let Answer { head, mut body, error } = answer;
    let mut headers = head.headers;
    if let Some(sent) = sent {
        remove_from_headers(&mut headers, sent.expose_secret().as_bytes());
        body = without(body, sent.expose_secret().as_bytes());
    }
    // What a GET would have; nothing follows it.
    if let Some(length) = head.content_length.filter(|_| *method == Method::HEAD) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut response = Response::new(body);
    if let Some(error) = error {
        response.extensions_mut().insert(Refused(error.errcode));
    }
    *response.status_mut() = head.status;
    *response.headers_mut() = headers;
    response
}

fn remove_from_headers(headers: &mut HeaderMap, sent: &[u8]) {
    let telling = headers.iter().filter(|(_, value)| find(value.as_bytes(), sent).is_some());
    let telling: Vec<HeaderName> = telling.map(|(name, _)| name.clone()).collect();
    for name in telling {
        headers.remove(name);
    }
}

/// The body with stars in the place of a secret. Only what is read whole is looked into: what is larger is no answer about a
/// request.
fn without(body: PassedBody, sent: &[u8]) -> PassedBody {
    let Some(bytes) = body.bytes() else { return body };
    if find(&bytes, sent).is_none() {
        return body;
    }
    let (mut rest, mut clean) = (&*bytes, Vec::with_capacity(bytes.len()));
    while let Some((before, after)) = find(rest, sent).and_then(|at| rest.split_at_checked(at)) {
        clean.extend_from_slice(before);
        clean.extend_from_slice(b"********");
        rest = after.get(sent.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    PassedBody::whole(Bytes::from(clean))
}

fn find(bytes: &[u8], sent: &[u8]) -> Option<usize> {
    // A searcher for a text as long as a token costs more than it saves in a short answer.
    let first = *sent.first()?;
    let last = bytes.len().checked_sub(sent.len())?;
    let mut places = memchr_iter(first, bytes.get(..=last)?);
    places.find(|at| bytes.get(*at..).is_some_and(|rest| rest.starts_with(sent)))
}

/// WeChat's words of an earlier call.
pub(super) fn held_back(open: &Open, now: Timestamp) -> Response<PassedBody> {
    let mut response = Response::new(PassedBody::whole(open.body.clone()));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    if let Some(content_type) = &open.content_type {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    headers.insert(RETRY_AFTER, HeaderValue::from(open.until.since(now).as_secs().max(1)));
    headers.insert(DONE_HERE, HeaderValue::from_static("held-back"));
    response
}

/// WeChat's refusal of a request that was not kept, which says so.
pub(super) fn not_repeated(mut answer: Answer) -> Answer {
    let Some(error) = &answer.error else { return answer };
    let errmsg = format!(
        "{} (wechat-proxy has replaced the access_token, but could not repeat this request: its body is larger than {} KiB, came \
         too slowly, or there was no room to keep it; send it again)",
        error.errmsg,
        MOST_KEPT / 1024
    );
    let body = serde_json::json!({"errcode": error.errcode, "errmsg": errmsg}).to_string();
    answer.body = PassedBody::whole(body.into());
    answer.head.headers.insert(DONE_HERE, HeaderValue::from_static("not-repeated"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_does_not_come_back() {
        let sent = b"TOKEN";
        for (body, clean) in [
            (
                "{\"request_url\":\"/x?access_token=TOKEN&a\",\"b\":\"TOKEN\"}",
                "{\"request_url\":\"/x?access_token=********&a\",\"b\":\"********\"}",
            ),
            ("{}", "{}"),
            ("TOKE", "TOKE"),
            ("TOKEN", "********"),
        ] {
            let body = without(PassedBody::whole(Bytes::from_static(body.as_bytes())), sent);
            assert_eq!(body.bytes().unwrap(), clean);
        }
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static("https://api.weixin.qq.com/x?access_token=TOKEN"));
        headers.insert("date", HeaderValue::from_static("today"));
        remove_from_headers(&mut headers, sent);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["date"]);
    }
}
