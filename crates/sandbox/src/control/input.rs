//! Bodies and queries of the control API, read with errors that say what is wrong.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::ControlError;

/// A JSON body of any content type; an empty one is an empty object.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ControlError;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, ControlError> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| ControlError {
            status: rejection.status(),
            text: "the body could not be read; it may have at most 1048576 bytes".into(),
        })?;
        let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(text).map(Body).map_err(|error| {
            ControlError::bad_request(format!("the body is not the JSON that is wanted here: {error}"))
        })
    }
}

/// The parameters of a query.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ControlError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params<T>, ControlError> {
        Query::try_from_uri(&parts.uri).map(|Query(params)| Params(params)).map_err(|rejection| ControlError {
            status: StatusCode::BAD_REQUEST,
            text: format!("the query is not understood: {}", rejection.body_text()),
        })
    }
}
