//! `/sandbox/faults`: what goes wrong on purpose.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

use super::ControlError;
use super::input::Body;
use crate::faults::{Fault, NewFault};
use crate::platform::Platform;
use crate::shared_world::Event;

pub(super) async fn list(State(platform): State<Platform>) -> Json<Value> {
    Json(json!({ "faults": platform.world().faults.waiting() }))
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Body(wish): Body<NewFault>,
) -> Result<(StatusCode, Json<Fault>), ControlError> {
    let fault = platform.world().faults.add(wish).map_err(ControlError::bad_request)?;
    platform.tell(Event::Change("faults"));
    Ok((StatusCode::CREATED, Json(fault)))
}

pub(super) async fn clear(State(platform): State<Platform>) -> Json<Value> {
    let deleted = platform.world().faults.clear();
    platform.tell(Event::Change("faults"));
    Json(json!({ "deleted": deleted }))
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let removed = id.parse().is_ok_and(|id| platform.world().faults.remove(id));
    if !removed {
        return Err(ControlError::not_found(format!(
            "no fault {id} waits; GET /sandbox/faults lists those that do, one that hit as often as it should is gone"
        )));
    }
    platform.tell(Event::Change("faults"));
    Ok(Json(json!({ "deleted": 1 })))
}
