//! `/sandbox/accounts/{appid}/templates`: the templates of template messages and subscription messages, as an operator
//! would choose them on WeChat's page.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::accounts::unknown;
use super::input::Body;
use crate::chat::{NotAdded, Template};
use crate::platform::Platform;
use crate::shared_world::Event;

/// Longest id, title and content, in characters.
const LONGEST_ID: usize = 128;
const LONGEST_CONTENT: usize = 2_000;
/// What a template is when nothing else is said.
const USUAL_TITLE: &str = "订单通知";
const USUAL_CONTENT: &str = "商品：{{thing1.DATA}}\n金额：{{amount2.DATA}}\n时间：{{time3.DATA}}";

/// A wish for a template; everything is optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTemplate {
    template_id: Option<String>,
    title: Option<String>,
    /// With `{{NAME.DATA}}` where values belong.
    content: Option<String>,
}

pub(super) async fn list(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
) -> Result<Json<Value>, ControlError> {
    let world = platform.world();
    let holder = world.accounts.get(&appid).ok_or_else(|| unknown(&appid))?;
    Ok(Json(json!({ "templates": holder.templates.all() })))
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Path(appid): Path<String>,
    Body(wish): Body<NewTemplate>,
) -> Result<(StatusCode, Json<Template>), ControlError> {
    let title = wish.title.unwrap_or_else(|| USUAL_TITLE.to_owned());
    let content = wish.content.unwrap_or_else(|| USUAL_CONTENT.to_owned());
    let long = |text: &str, most: usize| text.is_empty() || text.chars().count() > most;
    if wish.template_id.as_ref().is_some_and(|id| long(id, LONGEST_ID)) || long(&title, LONGEST_ID) {
        return Err(ControlError::bad_request(format!("template_id and title have 1 to {LONGEST_ID} characters")));
    }
    if long(&content, LONGEST_CONTENT) {
        return Err(ControlError::bad_request(format!("content has 1 to {LONGEST_CONTENT} characters")));
    }
    let template = {
        let mut world = platform.world();
        let holder = world.accounts.get_mut(&appid).ok_or_else(|| unknown(&appid))?;
        holder.templates.add(wish.template_id, title, content).map_err(refused)?
    };
    platform.tell(Event::Change("accounts"));
    Ok((StatusCode::CREATED, Json(template)))
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Path((appid, id)): Path<(String, String)>,
) -> Result<Json<Value>, ControlError> {
    let removed = platform.world().accounts.get_mut(&appid).ok_or_else(|| unknown(&appid))?.templates.remove(&id);
    if !removed {
        return Err(ControlError::not_found(format!(
            "there is no template {id:?}; GET …/templates lists those there are"
        )));
    }
    platform.tell(Event::Change("accounts"));
    Ok(Json(json!({ "deleted": id })))
}

fn refused(reason: NotAdded) -> ControlError {
    match reason {
        NotAdded::TooMany => ControlError::conflict("the account has 25 templates already, as many as WeChat allows"),
        NotAdded::Taken => ControlError::conflict("there is a template with that id already"),
    }
}
