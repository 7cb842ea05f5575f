//! The control API under `/sandbox/…`: accounts, time, faults, what was received.
//!
//! JSON in and out; an error is `{"error":"what happened and what to do"}` with a 4xx status. Tests, users' CI and the
//! page use the same calls; README.md beside this crate describes each. A body may be empty where nothing has to be
//! said, and a field that is not known is an error, so that a typing mistake does not pass unnoticed.

mod accounts;
mod backend;
mod callbacks;
mod calls;
mod clock;
mod faults;
mod input;
mod merchants;
mod mini_program;
mod notifications;
mod orders;
mod payments;
mod phone;
mod pushes;
mod scan;
mod state;
mod templates;
mod tokens;
mod users;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, patch, post};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::platform::Platform;
use crate::wire::LONGEST_BODY;

/// The page of routes of the control API.
pub(crate) fn router(platform: Platform) -> Router {
    Router::new()
        .route("/sandbox/accounts", get(accounts::list).post(accounts::create))
        .route("/sandbox/accounts/{appid}", get(accounts::read).patch(accounts::change).delete(accounts::delete))
        .route("/sandbox/accounts/{appid}/agents", post(accounts::create_agent))
        .route("/sandbox/accounts/{appid}/callback", get(callbacks::read).put(callbacks::set).delete(callbacks::remove))
        .route("/sandbox/accounts/{appid}/push", post(pushes::create))
        .route("/sandbox/accounts/{appid}/users", get(users::list))
        .route("/sandbox/accounts/{appid}/users/{openid}", patch(users::change))
        .route("/sandbox/accounts/{appid}/chat", get(users::chat).delete(users::clear))
        .route("/sandbox/accounts/{appid}/media", post(users::upload))
        .route("/sandbox/accounts/{appid}/media/{id}", get(users::medium))
        .route("/sandbox/accounts/{appid}/mini-program/login", post(mini_program::log_in))
        .route("/sandbox/accounts/{appid}/mini-program/user-info", post(mini_program::profile))
        .route("/sandbox/accounts/{appid}/mini-program/phone-number", post(mini_program::phone_number))
        .route("/sandbox/accounts/{appid}/templates", get(templates::list).post(templates::create))
        .route("/sandbox/accounts/{appid}/templates/{id}", axum::routing::delete(templates::delete))
        .route("/sandbox/accounts/{appid}/qrcodes", get(users::codes).post(users::make_code))
        .route("/sandbox/merchants", get(merchants::list).post(merchants::create))
        .route("/sandbox/merchants/{mch_id}", get(merchants::read).patch(merchants::change).delete(merchants::delete))
        .route("/sandbox/merchants/{mch_id}/files/{file}", get(merchants::file))
        .route("/sandbox/merchants/{mch_id}/orders", get(orders::list))
        .route("/sandbox/merchants/{mch_id}/orders/{number}", get(orders::read).patch(orders::change))
        .route("/sandbox/merchants/{mch_id}/orders/{number}/pay", post(orders::pay))
        .route("/sandbox/merchants/{mch_id}/orders/{number}/close", post(orders::close))
        .route("/sandbox/merchants/{mch_id}/orders/{number}/expire", post(orders::expire))
        .route("/sandbox/merchants/{mch_id}/refunds", get(orders::refunds))
        .route("/sandbox/merchants/{mch_id}/refunds/{number}", get(orders::refund))
        .route("/sandbox/merchants/{mch_id}/refunds/{number}/settle", post(orders::settle))
        .route("/sandbox/notifications", get(notifications::list))
        .route("/sandbox/notifications/{id}", get(notifications::read))
        .route("/sandbox/notifications/{id}/resend", post(notifications::resend))
        .route("/sandbox/payments/look", post(payments::look))
        .route("/sandbox/payments", post(payments::decide))
        .route("/sandbox/ca.pem", get(merchants::ca))
        .route("/sandbox/tls", get(merchants::tls))
        .route("/sandbox/qrcode.svg", get(users::draw))
        .route("/sandbox/phone", get(phone::read).patch(phone::change))
        .route("/sandbox/scan", get(scan::fetch).post(scan::read))
        .route("/sandbox/pushes", get(pushes::list).delete(pushes::clear))
        .route("/sandbox/pushes/{id}", get(pushes::read))
        .route("/sandbox/backend", any(backend::receive))
        .route("/sandbox/backend/received", get(backend::received).delete(backend::clear))
        .route("/sandbox/clock", get(clock::read).post(clock::turn))
        .route("/sandbox/faults", get(faults::list).post(faults::create).delete(faults::clear))
        .route("/sandbox/faults/{id}", axum::routing::delete(faults::delete))
        .route("/sandbox/calls", get(calls::list).delete(calls::clear))
        .route("/sandbox/calls/count", get(calls::count))
        .route("/sandbox/tokens/kill", post(tokens::kill))
        .route("/sandbox/tokens/expire", post(tokens::expire))
        .route("/sandbox/state", get(state::read))
        .route("/sandbox/events", get(state::events))
        .route("/sandbox/reset", post(state::reset))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(platform)
}

/// Ends what waits on a connection, as `/sandbox/events` does, when the platform stops. The listener puts it into each
/// request.
#[derive(Clone, Debug)]
pub(crate) struct Closing(pub(crate) CancellationToken);

/// An error of the control API.
#[derive(Debug)]
pub(crate) struct ControlError {
    status: StatusCode,
    text: String,
}

impl ControlError {
    fn bad_request(text: impl Into<String>) -> ControlError {
        ControlError { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    fn not_found(text: impl Into<String>) -> ControlError {
        ControlError { status: StatusCode::NOT_FOUND, text: text.into() }
    }

    fn conflict(text: impl Into<String>) -> ControlError {
        ControlError { status: StatusCode::CONFLICT, text: text.into() }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        refused(self.status, &self.text)
    }
}

/// An error in the shape of the control API.
pub(crate) fn refused(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(json!({ "error": text }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn unknown_path(uri: Uri) -> ControlError {
    ControlError::not_found(format!("there is nothing at {}; README.md of the sandbox lists what there is", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> ControlError {
    ControlError {
        status: StatusCode::METHOD_NOT_ALLOWED,
        text: format!("{} does not take {method}; README.md of the sandbox lists what it takes", uri.path()),
    }
}
