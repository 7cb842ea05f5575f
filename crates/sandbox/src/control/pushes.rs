//! `/sandbox/accounts/{appid}/push` and `/sandbox/pushes`: push something, and see what became of it.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::accounts::unknown;
use super::input::{Body, Params};
use crate::platform::Platform;
use crate::pusher::{PushError, PushWish};
use crate::pushes::Push;
use crate::shared_world::Event;

/// Records in one answer when nothing else is said, and at most.
const USUAL_LIMIT: usize = 100;
const MOST_LIMIT: usize = 5_000;
/// How long a call that waits for pushes to end waits, in real time. Three tries of the longest limit take no longer
/// than the clock makes them; whoever has a clock that stands still polls.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    appid: Option<String>,
    openid: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    #[serde(default)]
    wait: bool,
}

/// With `count`, the answer is a list; else it is the one push.
pub(super) async fn create(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    headers: HeaderMap,
    Body(wish): Body<PushWish>,
) -> Result<(StatusCode, Json<Value>), ControlError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let ids = platform.pusher().push(&appid, &wish, host).map_err(|error| refused(&error))?;
    if wish.wait {
        platform.pusher().pushes_ended(&ids, LONGEST_WAIT).await;
    }
    let world = platform.world();
    let records: Vec<&Push> = ids.iter().filter_map(|id| world.pushes.find(*id)).collect();
    let answer = match (wish.count, records.as_slice()) {
        (None, [one]) => json!(one),
        _ => json!({ "pushes": records }),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn list(
    State(platform): State<Platform>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Value>, ControlError> {
    let limit = wanted.limit.unwrap_or(USUAL_LIMIT);
    if !(1..=MOST_LIMIT).contains(&limit) {
        return Err(ControlError::bad_request(format!("limit is from 1 to {MOST_LIMIT}; read on with after=ID")));
    }
    let fits = |push: &Push| {
        wanted.appid.as_deref().is_none_or(|appid| appid == push.appid)
            && wanted.openid.as_deref().is_none_or(|openid| openid == push.openid)
    };
    let world = platform.world();
    let pushes = world.pushes.list(fits, wanted.after, limit);
    Ok(Json(json!({ "pushes": pushes, "last_id": world.pushes.last_id() })))
}

pub(super) async fn read(
    State(platform): State<Platform>,
    Path(id): Path<String>,
    Params(waiting): Params<Waiting>,
) -> Result<Json<Push>, ControlError> {
    let missing = || ControlError::not_found(format!("there is no push {id}; GET /sandbox/pushes lists the latest"));
    let number = id.parse().map_err(|_| missing())?;
    if waiting.wait {
        platform.pusher().pushes_ended(&[number], LONGEST_WAIT).await;
    }
    let found = platform.world().pushes.find(number).cloned();
    found.map(Json).ok_or_else(missing)
}

pub(super) async fn clear(State(platform): State<Platform>) -> Json<Value> {
    let deleted = platform.world().pushes.clear();
    platform.tell(Event::Change("pushes"));
    Json(json!({ "deleted": deleted }))
}

fn refused(error: &PushError) -> ControlError {
    match error {
        PushError::NoAccount(appid) => unknown(appid),
        PushError::NoCallback(_) => ControlError::conflict(error.to_string()),
        PushError::Unusable(_) => ControlError::bad_request(error.to_string()),
    }
}
