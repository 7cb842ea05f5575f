//! `/sandbox/tokens/…`: tokens that end before their time.
//!
//! Killed: revoked by the platform, judged 40001 (WeCom 40014) from then on, and the next fetch gives another one.
//! Expired: the lifetime is over, judged 42001. By its text a token of `/sns/…` can be ended as well.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::accounts::unknown;
use super::input::Body;
use crate::platform::Platform;
use crate::shared_world::Event;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    access_token: Option<String>,
    appid: Option<String>,
    /// The app, of a corp; absent: all of them.
    agentid: Option<u64>,
}

pub(super) async fn kill(
    State(platform): State<Platform>,
    Body(which): Body<Which>,
) -> Result<Json<Value>, ControlError> {
    end(&platform, &which, true)
}

pub(super) async fn expire(
    State(platform): State<Platform>,
    Body(which): Body<Which>,
) -> Result<Json<Value>, ControlError> {
    end(&platform, &which, false)
}

fn end(platform: &Platform, which: &Which, kill: bool) -> Result<Json<Value>, ControlError> {
    let mut world = platform.world();
    let now = world.clock.now();
    let ended = match (&which.access_token, &which.appid) {
        (Some(text), None) => {
            let known = match kill {
                true => world.tokens.retire(text, now) || world.logins.revoke(text),
                false => world.tokens.expire(text, now) || world.logins.expire(text, now),
            };
            if !known {
                return Err(ControlError::not_found(
                    "no such access_token was issued; GET /sandbox/state shows the latest",
                ));
            }
            1
        }
        (None, Some(appid)) => {
            let ended = if kill {
                world.kill_tokens_of(appid, which.agentid)
            } else {
                world.expire_tokens_of(appid, which.agentid)
            };
            ended.ok_or_else(|| unknown(appid))?
        }
        _ => {
            return Err(ControlError::bad_request(
                "give access_token (that token) or appid (all tokens of the account)",
            ));
        }
    };
    drop(world);
    platform.tell(Event::Change("tokens"));
    Ok(Json(json!({ "ended": ended })))
}
