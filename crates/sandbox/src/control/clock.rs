//! `/sandbox/clock`: read the clock, advance it, change its pace.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::ControlError;
use super::input::Body;
use crate::clock::{Clock, LONGEST_STEP_SECS, Pace, Time};
use crate::platform::Platform;
use crate::shared_world::Event;

/// What the clock shows.
#[derive(Serialize)]
pub(super) struct Reading {
    /// Milliseconds since the Unix epoch.
    now: Time,
    pace: Pace,
}

/// How to turn the clock.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    /// Seconds, forward.
    advance: Option<u64>,
    pace: Option<Pace>,
}

impl Reading {
    pub(super) fn of(clock: &Clock) -> Reading {
        Reading { now: clock.now(), pace: clock.pace() }
    }
}

pub(super) async fn read(State(platform): State<Platform>) -> Json<Reading> {
    Json(Reading::of(&platform.world().clock))
}

pub(super) async fn turn(
    State(platform): State<Platform>,
    Body(turn): Body<Turn>,
) -> Result<Json<Reading>, ControlError> {
    if turn.advance.is_none() && turn.pace.is_none() {
        return Err(ControlError::bad_request(
            "say how to turn the clock: {\"advance\": seconds} or {\"pace\": \"live\"|\"stepped\"}",
        ));
    }
    if turn.advance.is_some_and(|secs| secs > LONGEST_STEP_SECS) {
        return Err(ControlError::bad_request(format!(
            "advance is given in seconds, at most {LONGEST_STEP_SECS} at once"
        )));
    }
    let reading = {
        let mut world = platform.world();
        if let Some(pace) = turn.pace {
            world.clock.set_pace(pace);
        }
        world.clock.advance(turn.advance.unwrap_or(0));
        Reading::of(&world.clock)
    };
    platform.clock_turned();
    platform.tell(Event::Change("clock"));
    Ok(Json(reading))
}
