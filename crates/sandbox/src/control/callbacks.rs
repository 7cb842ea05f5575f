//! `/sandbox/accounts/{appid}/callback`: where an account's pushes go.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::accounts::unknown;
use super::input::{Body, Params};
use crate::account::AccountKind;
use crate::callback::{CallbackError, CallbackView, NewCallback};
use crate::platform::Platform;
use crate::shared_world::Event;

/// The app, of a corp; absent: the first.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    agentid: Option<u64>,
}

pub(super) async fn read(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Params(which): Params<Which>,
) -> Result<Json<Option<CallbackView>>, ControlError> {
    let world = platform.world();
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    let callback = match holder.kind {
        AccountKind::Wecom => holder.app(which.agentid).and_then(|app| app.callback.as_ref()),
        AccountKind::Official | AccountKind::MiniProgram | AccountKind::Website => holder.callback.as_ref(),
    };
    Ok(Json(callback.map(CallbackView::from)))
}

/// Checks the URL, as WeChat does before it saves the page, unless `check` is false.
pub(super) async fn set(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Body(wish): Body<NewCallback>,
) -> Result<Json<CallbackView>, ControlError> {
    let kind = platform.world().accounts.get(&appid).map(|holder| holder.kind).ok_or_else(|| unknown(&appid))?;
    let callback = wish.settle(kind)?;
    if wish.check {
        let checked = platform.pusher().check_url(&callback, &appid, kind == AccountKind::Wecom).await;
        checked.map_err(|reason| {
            ControlError::bad_request(format!(
                "WeChat's check of the URL failed, nothing was saved: {reason} (\"check\": false saves without it)"
            ))
        })?;
    }
    let view = CallbackView::from(&callback);
    platform.world().set_callback(&appid, wish.agentid, Some(callback))?;
    platform.tell(Event::Change("accounts"));
    Ok(Json(view))
}

pub(super) async fn remove(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Params(which): Params<Which>,
) -> Result<Json<Value>, ControlError> {
    platform.world().set_callback(&appid, which.agentid, None)?;
    platform.tell(Event::Change("accounts"));
    Ok(Json(json!({ "deleted": appid })))
}

impl From<CallbackError> for ControlError {
    fn from(error: CallbackError) -> ControlError {
        let text = error.to_string();
        match error {
            CallbackError::Unknown(_) => ControlError::not_found(text),
            _ => ControlError::bad_request(text),
        }
    }
}
