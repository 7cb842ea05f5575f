//! All paths of the server on one page, by who may call them. Each audience's file has one guard for all its routes.
//!
//! | audience | file | needs, when public |
//! |---|---|---|
//! | operators | `from_operators` | the admin token |
//! | teams' servers | `from_backends` | the api_key of the registration |
//! | WeChat | `from_wechat` | WeChat's signature, checked by the engine |
//! | anyone | `from_anyone` | nothing |
//!
//! `GET /app/KEY/api`, `/qyapi`, `/jsapi` are answered before this router when their answer is ready in memory:
//! see `ready_answers`, which asks the same guard.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use engine::Engine;

use crate::answer::Error;
use crate::{from_anyone, from_backends, from_operators, from_wechat, request_log};

/// The router of a server.
pub(crate) fn router(engine: &Arc<Engine>) -> Router {
    Router::new()
        .merge(from_operators::routes(engine))
        .merge(from_backends::routes(engine))
        .merge(from_wechat::routes(engine))
        .merge(from_anyone::routes(engine))
        .fallback(async || Error::NoSuchPath)
        .method_not_allowed_fallback(async || Error::WrongMethod)
        .layer(from_fn_with_state(Arc::clone(engine), request_log::layer))
        .with_state(Arc::clone(engine))
}
