//! All paths of the server on one page, by who may call them. Each audience's file has one guard for all its routes.
//!
//! | audience | file | needs, when public |
//! |---|---|---|
//! | operators | `from_operators` | the admin token |
//! | teams' servers | `from_backends` | the api_key of the registration |
//! | visitors' browsers | `from_visitors` | nothing; but where they may be led is checked by the engine |
//! | WeChat | `from_wechat` | WeChat's signature, checked by the engine |
//! | SDKs, at the root | `from_sdks` | appid and secret, or a token that was got with them; also when local |
//! | anyone | `from_anyone`, `example_pages` | nothing |
//!
//! Calls that surely go on to WeChat do so ahead of this router: see `direct_calls`, which has the same handlers and guards.
//! `GET /app/KEY/api`, `/qyapi`, `/jsapi`, `/js/config` and `/auth` are answered before this router when all they need is in
//! memory: see `ready_answers`, which asks the same guards.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use engine::Engine;

use crate::answer::Error;
use crate::{
    example_pages, from_anyone, from_backends, from_operators, from_sdks, from_visitors, from_wechat, request_log,
};

/// The router of a server.
pub(crate) fn router(engine: &Arc<Engine>) -> Router {
    Router::new()
        .merge(from_operators::routes(engine))
        .merge(from_backends::routes(engine))
        .merge(from_visitors::routes(engine))
        .merge(from_wechat::routes(engine))
        .merge(from_sdks::routes())
        .merge(from_anyone::routes(engine))
        .merge(example_pages::routes(engine))
        .fallback(async || Error::NoSuchPath)
        .method_not_allowed_fallback(async || Error::WrongMethod)
        .layer(from_fn_with_state(Arc::clone(engine), request_log::layer))
        .with_state(Arc::clone(engine))
}
