//! Answers that scripts of other origins may read: those of pages on allowed hosts (Fetch standard, CORS).
//!
//! Used for what visitors' browsers fetch from a page: `/js/config`, `/pay/js`.

use axum::response::IntoResponse;
use engine::Engine;
use engine::apps::Registered;
use engine::jssdk::page::may_read;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// What scripts of other origins may send: to allowed ones only.
pub(crate) fn preflight(engine: &Engine, registered: &Registered, headers: &HeaderMap) -> axum::response::Response {
    let mut response = for_origin(StatusCode::NO_CONTENT.into_response(), engine, registered, headers);
    if response.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")),
            (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, x-requested-with")),
            (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600")),
        ];
        response.headers_mut().extend(allowed);
    }
    response
}

/// Lets scripts of allowed pages read the answer, and nothing else take it for a script.
pub(crate) fn for_origin<B>(
    mut response: Response<B>,
    engine: &Engine,
    registered: &Registered,
    requested: &HeaderMap,
) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("Origin, Referer"));
    let Some(origin) = requested.get(ORIGIN) else { return response };
    if origin.to_str().is_ok_and(|origin| may_read(origin, &engine.call_urls, registered)) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}
