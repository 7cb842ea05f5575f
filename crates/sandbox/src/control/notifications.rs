//! `/sandbox/notifications`: what WeChat Pay sent to merchants, each try, and once more by hand.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlError;
use super::input::{Body, Params};
use crate::merchant::{Job, Notice};
use crate::platform::Platform;

/// Records in one answer when nothing else is said, and at most.
const USUAL_LIMIT: usize = 100;
const MOST_LIMIT: usize = 5_000;
/// How long a call that waits waits, in real time.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    mch_id: Option<String>,
    out_trade_no: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
    /// Until nothing happens any more without the clock being turned.
    #[serde(default)]
    wait: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    #[serde(default)]
    wait: bool,
}

pub(super) async fn list(
    State(platform): State<Platform>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Value>, ControlError> {
    let limit = wanted.limit.unwrap_or(USUAL_LIMIT);
    if !(1..=MOST_LIMIT).contains(&limit) {
        return Err(ControlError::bad_request(format!("limit is from 1 to {MOST_LIMIT}; read on with after=ID")));
    }
    let fits = |notice: &Notice| {
        wanted.mch_id.as_deref().is_none_or(|mch_id| mch_id == notice.mch_id)
            && wanted.out_trade_no.as_deref().is_none_or(|number| number == notice.out_trade_no)
    };
    if wanted.wait {
        let ids: Vec<_> =
            platform.world().merchants.notices.list(fits, wanted.after, limit).iter().map(|n| n.id).collect();
        platform.notifier().quiet(&ids, LONGEST_WAIT).await;
    }
    let world = platform.world();
    let notices = &world.merchants.notices;
    Ok(Json(json!({ "notifications": notices.list(fits, wanted.after, limit), "last_id": notices.last_id() })))
}

pub(super) async fn read(
    State(platform): State<Platform>,
    Path(id): Path<String>,
    Params(waiting): Params<Waiting>,
) -> Result<Json<Notice>, ControlError> {
    let number = id.parse().map_err(|_| missing(&id))?;
    if waiting.wait {
        platform.notifier().quiet(&[number], LONGEST_WAIT).await;
    }
    let found = platform.world().merchants.notices.find(number).cloned();
    found.map(Json).ok_or_else(|| missing(&id))
}

/// Once more, at once; when the others come stays as it is.
pub(super) async fn resend(
    State(platform): State<Platform>,
    Path(id): Path<String>,
    Body(waiting): Body<Waiting>,
) -> Result<Json<Notice>, ControlError> {
    let number = id.parse().map_err(|_| missing(&id))?;
    {
        let mut world = platform.world();
        let notice = world.merchants.notices.find(number).ok_or_else(|| missing(&id))?;
        if notice.url.is_empty() {
            return Err(ControlError::conflict("the notification has no address; give notify_url with the refund"));
        }
        world.merchants.notices.find_mut(number).map(Notice::resend);
        world.merchants.add_job(Job::Resend(number));
    }
    platform.notifier().start_jobs();
    if waiting.wait {
        platform.notifier().quiet(&[number], LONGEST_WAIT).await;
    }
    let found = platform.world().merchants.notices.find(number).cloned();
    found.map(Json).ok_or_else(|| missing(&id))
}

fn missing(id: &str) -> ControlError {
    ControlError::not_found(format!("there is no notification {id}; GET /sandbox/notifications lists the latest"))
}
