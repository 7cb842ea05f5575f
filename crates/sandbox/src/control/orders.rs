//! `/sandbox/merchants/{mch_id}/orders` and `…/refunds`: what was ordered, and what WeChat or the payer does with it.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ControlError;
use super::input::{Body, Params};
use super::merchants::unknown;
use crate::merchant::{NotClosed, Order, Refund, RefundState};
use crate::platform::Platform;
use crate::platform::payments::{self, Purse};
use crate::shared_world::Event;
use crate::world::World;

/// Records in one answer when nothing else is said, and at most.
const USUAL_LIMIT: usize = 100;
const MOST_LIMIT: usize = 5_000;

/// An order as the control API shows it.
#[derive(Serialize)]
struct OrderView {
    #[serde(flatten)]
    order: Order,
    trade_state: &'static str,
    code_url: Option<String>,
    /// Behind the address of the sandbox.
    mweb_url: Option<String>,
    expired: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderPatch {
    /// The payer is typing the password.
    paying: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settling {
    state: RefundState,
}

/// The latest, oldest first.
pub(super) async fn list(
    State(platform): State<Platform>,
    Path(mch_id): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Value>, ControlError> {
    let world = platform.world();
    world.merchants.get(&mch_id).ok_or_else(|| unknown(&mch_id))?;
    let mut orders: Vec<_> = world.merchants.orders_of(&mch_id).collect();
    orders.sort_by_key(|order| order.number);
    let skipped = orders.len().saturating_sub(limit(&wanted)?);
    let views: Vec<_> = orders.into_iter().skip(skipped).map(|order| view(&world, order)).collect();
    Ok(Json(json!({ "orders": views })))
}

pub(super) async fn read(
    State(platform): State<Platform>,
    Path((mch_id, number)): Path<(String, String)>,
) -> Result<Json<Value>, ControlError> {
    shown(&platform, &mch_id, &number)
}

pub(super) async fn change(
    State(platform): State<Platform>,
    Path((mch_id, number)): Path<(String, String)>,
    Body(patch): Body<OrderPatch>,
) -> Result<Json<Value>, ControlError> {
    {
        let mut world = platform.world();
        let order = world.merchants.order_mut(&mch_id, &number).ok_or_else(|| no_order(&number))?;
        order.paying = patch.paying;
    }
    changed(&platform);
    shown(&platform, &mch_id, &number)
}

/// Pays without a look at codes, prepay ids and signatures.
pub(super) async fn pay(
    State(platform): State<Platform>,
    Path((mch_id, number)): Path<(String, String)>,
    Body(purse): Body<Purse>,
) -> Result<Json<Value>, ControlError> {
    {
        let mut world = platform.world();
        let order = world.merchants.order(&mch_id, &number).cloned().ok_or_else(|| no_order(&number))?;
        payments::pay_order(&mut world, &order, purse)
            .map_err(|refused| ControlError::conflict(format!("{} ({})", refused.hint, refused.text)))?;
    }
    changed(&platform);
    shown(&platform, &mch_id, &number)
}

pub(super) async fn close(
    State(platform): State<Platform>,
    Path((mch_id, number)): Path<(String, String)>,
) -> Result<Json<Value>, ControlError> {
    {
        let mut world = platform.world();
        let now = world.clock.now();
        world.merchants.close(&mch_id, &number, now).map_err(|reason| match reason {
            NotClosed::Unknown => no_order(&number),
            NotClosed::Paid => ControlError::conflict("the order is paid and cannot be closed"),
            NotClosed::Closed => ControlError::conflict("the order is closed already"),
            NotClosed::Paying => ControlError::conflict("somebody is paying the order; PATCH it with paying: false"),
        })?;
    }
    changed(&platform);
    shown(&platform, &mch_id, &number)
}

/// The time to pay is over at once.
pub(super) async fn expire(
    State(platform): State<Platform>,
    Path((mch_id, number)): Path<(String, String)>,
) -> Result<Json<Value>, ControlError> {
    {
        let mut world = platform.world();
        let now = world.clock.now();
        let order = world.merchants.order_mut(&mch_id, &number).ok_or_else(|| no_order(&number))?;
        order.expires = now;
    }
    changed(&platform);
    shown(&platform, &mch_id, &number)
}

pub(super) async fn refunds(
    State(platform): State<Platform>,
    Path(mch_id): Path<String>,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Value>, ControlError> {
    let world = platform.world();
    world.merchants.get(&mch_id).ok_or_else(|| unknown(&mch_id))?;
    let refunds = world.merchants.refunds_of(&mch_id);
    let skipped = refunds.len().saturating_sub(limit(&wanted)?);
    Ok(Json(json!({ "refunds": refunds.into_iter().skip(skipped).collect::<Vec<_>>() })))
}

pub(super) async fn refund(
    State(platform): State<Platform>,
    Path((mch_id, number)): Path<(String, String)>,
) -> Result<Json<Refund>, ControlError> {
    let found = platform.world().merchants.refund(&mch_id, &number).cloned();
    found.map(Json).ok_or_else(|| no_refund(&number))
}

pub(super) async fn settle(
    State(platform): State<Platform>,
    Path((mch_id, number)): Path<(String, String)>,
    Body(settling): Body<Settling>,
) -> Result<Json<Refund>, ControlError> {
    if settling.state == RefundState::Processing {
        return Err(ControlError::bad_request("state is SUCCESS, CLOSED or ABNORMAL"));
    }
    let refund = {
        let mut world = platform.world();
        let now = world.clock.now();
        let settled = world.merchants.settle(&mch_id, &number, settling.state, now);
        let refund = world.merchants.refund(&mch_id, &number).cloned().ok_or_else(|| no_refund(&number))?;
        if !settled {
            return Err(ControlError::conflict(format!("the refund is {} already", refund.state.v3())));
        }
        refund
    };
    platform.notifier().start_jobs();
    platform.tell(Event::Change("refunds"));
    Ok(Json(refund))
}

fn limit(wanted: &Wanted) -> Result<usize, ControlError> {
    let limit = wanted.limit.unwrap_or(USUAL_LIMIT);
    let fits = (1..=MOST_LIMIT).contains(&limit);
    fits.then_some(limit).ok_or_else(|| ControlError::bad_request(format!("limit is from 1 to {MOST_LIMIT}")))
}

fn changed(platform: &Platform) {
    platform.notifier().start_jobs();
    platform.tell(Event::Change("orders"));
}

fn shown(platform: &Platform, mch_id: &str, number: &str) -> Result<Json<Value>, ControlError> {
    let world = platform.world();
    let order = world.merchants.order(mch_id, number).ok_or_else(|| no_order(number))?;
    Ok(Json(json!(view(&world, order))))
}

fn view(world: &World, order: &Order) -> OrderView {
    OrderView {
        trade_state: order.trade_state().0,
        code_url: order.code_url(),
        mweb_url: order.mweb_url(""),
        expired: order.is_expired(world.clock.now()),
        order: order.clone(),
    }
}

fn no_order(number: &str) -> ControlError {
    ControlError::not_found(format!("the merchant has no order {number:?}; GET …/orders lists those that it has"))
}

fn no_refund(number: &str) -> ControlError {
    ControlError::not_found(format!("the merchant has no refund {number:?}; GET …/refunds lists those that it has"))
}
