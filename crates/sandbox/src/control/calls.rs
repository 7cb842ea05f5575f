//! `/sandbox/calls`: what was received.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::input::Params;
use crate::journal::Filter;
use crate::path_pattern::PathPattern;
use crate::platform::Platform;
use crate::shared_world::Event;

/// Records in one answer when nothing else is said, and at most.
const USUAL_LIMIT: usize = 100;
const MOST_LIMIT: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    path: Option<PathPattern>,
    appid: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    path: Option<PathPattern>,
    appid: Option<String>,
}

pub(super) async fn list(
    State(platform): State<Platform>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Value>, ControlError> {
    let limit = wanted.limit.unwrap_or(USUAL_LIMIT);
    if !(1..=MOST_LIMIT).contains(&limit) {
        return Err(ControlError::bad_request(format!("limit is from 1 to {MOST_LIMIT}; read on with after=ID")));
    }
    let filter = Filter { path: wanted.path, appid: wanted.appid };
    let world = platform.world();
    let calls = world.journal.list(&filter, wanted.after, limit);
    Ok(Json(json!({ "calls": calls, "last_id": world.journal.last_id() })))
}

pub(super) async fn count(State(platform): State<Platform>, Params(wanted): Params<Counted>) -> Json<Value> {
    let filter = Filter { path: wanted.path, appid: wanted.appid };
    Json(json!({ "count": platform.world().journal.count(&filter) }))
}

pub(super) async fn clear(State(platform): State<Platform>) -> Json<Value> {
    let deleted = platform.world().journal.clear();
    platform.tell(Event::Change("calls"));
    Json(json!({ "deleted": deleted }))
}
