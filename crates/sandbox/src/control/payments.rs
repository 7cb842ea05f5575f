//! `/sandbox/payments`: what the phone's user does with a code, a prepay id, an H5 address or a page's request.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::input::Body;
use crate::merchant::{Means, Refused, Sheet};
use crate::platform::Platform;
use crate::platform::payments::{self, Purse};
use crate::shared_world::Event;

/// What the person decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    #[default]
    Pay,
    Cancel,
}

/// By what the order is named, and who looks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Looking {
    order: Means,
    #[serde(default)]
    openid: Option<String>,
}

/// By what the order is named, what is decided, and with what it is paid.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deciding {
    order: Means,
    #[serde(default)]
    decision: Decision,
    #[serde(default)]
    purse: Purse,
}

/// The pay sheet: `{"sheet":…}`, or `{"refused":{"text","hint"}}` when the client shows none.
pub(super) async fn look(State(platform): State<Platform>, Body(looking): Body<Looking>) -> Json<Value> {
    let looked = payments::look(&mut platform.world(), &looking.order, looking.openid.as_deref());
    Json(match looked {
        Ok(sheet) => json!({ "sheet": sheet }),
        Err(refused) => json!({ "refused": refused }),
    })
}

/// What came of it: `result` is `ok`, `cancel` or `fail`, and `err_msg` what a page gets to see.
pub(super) async fn decide(State(platform): State<Platform>, Body(deciding): Body<Deciding>) -> Json<Value> {
    let Deciding { order, decision, purse } = deciding;
    let decided: Result<(&str, Sheet), Refused> = {
        let mut world = platform.world();
        match decision {
            Decision::Pay => payments::pay(&mut world, &order, purse).map(|sheet| ("ok", sheet)),
            Decision::Cancel => {
                payments::look(&mut world, &order, purse.openid.as_deref()).map(|sheet| ("cancel", sheet))
            }
        }
    };
    platform.notifier().start_jobs();
    platform.tell(Event::Change("orders"));
    let err_msg = |word: &str| format!("get_brand_wcpay_request:{word}");
    Json(match decided {
        Ok((word, sheet)) => json!({ "result": word, "err_msg": err_msg(word), "sheet": sheet }),
        Err(refused) => json!({ "result": "fail", "err_msg": err_msg("fail"), "refused": refused }),
    })
}
