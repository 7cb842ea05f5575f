//! `/sandbox/accounts`: make, look at, change and delete accounts.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::ControlError;
use super::input::Body;
use super::state::{AccountView, view};
use crate::account::{Account, AccountError, Agent, NewAccount, NewAgent};
use crate::platform::Platform;
use crate::settings::Patch;
use crate::shared_world::Event;

/// All accounts.
#[derive(Serialize)]
pub(super) struct Accounts {
    accounts: Vec<AccountView>,
}

pub(super) async fn list(State(platform): State<Platform>) -> Json<Accounts> {
    let world = platform.world();
    Json(Accounts { accounts: world.accounts_in_order().into_iter().map(|holder| view(&world, holder)).collect() })
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Body(wish): Body<NewAccount>,
) -> Result<(StatusCode, Json<Account>), ControlError> {
    Ok((StatusCode::CREATED, Json(platform.create_account(wish)?)))
}

pub(super) async fn read(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
) -> Result<Json<AccountView>, ControlError> {
    shown(&platform, &appid)
}

pub(super) async fn change(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Body(patch): Body<Patch>,
) -> Result<Json<AccountView>, ControlError> {
    if let Some(problem) = patch.problem() {
        return Err(ControlError::bad_request(problem));
    }
    let patched = platform.world().patch_account(&appid, patch);
    patched.ok_or_else(|| unknown(&appid))??;
    platform.tell(Event::Change("accounts"));
    shown(&platform, &appid)
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
) -> Result<Json<Value>, ControlError> {
    if !platform.world().remove_account(&appid) {
        return Err(unknown(&appid));
    }
    platform.tell(Event::Change("accounts"));
    Ok(Json(json!({ "deleted": appid })))
}

pub(super) async fn create_agent(
    State(platform): State<Platform>,
    Path(corpid): Path<String>,
    Body(wish): Body<NewAgent>,
) -> Result<(StatusCode, Json<Agent>), ControlError> {
    let created = platform.world().create_agent(&corpid, wish);
    let agent = created.ok_or_else(|| unknown(&corpid))??;
    platform.tell(Event::Change("accounts"));
    Ok((StatusCode::CREATED, Json(agent)))
}

/// There is no such account.
pub(super) fn unknown(appid: &str) -> ControlError {
    ControlError::not_found(format!("there is no account {appid:?}; GET /sandbox/accounts lists those that there are"))
}

fn shown(platform: &Platform, appid: &str) -> Result<Json<AccountView>, ControlError> {
    let world = platform.world();
    let holder = world.accounts.get(appid).ok_or_else(|| unknown(appid))?;
    Ok(Json(view(&world, holder)))
}

impl From<AccountError> for ControlError {
    fn from(error: AccountError) -> ControlError {
        let text = error.to_string();
        match error {
            AccountError::Taken(_) | AccountError::AgentTaken(_) => ControlError::conflict(text),
            _ => ControlError::bad_request(text),
        }
    }
}
