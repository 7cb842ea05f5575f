//! What WeChat does when a person pays: shows the sheet, takes the password, or hears that nobody wants to.
//!
//! Called for the phone (control API, JSSDK bridge) and for the H5 page. The payer is the phone's user unless somebody
//! else is named.

use serde::Deserialize;

use crate::clock::Time;
use crate::merchant::{Coupon, Means, Order, Paying, Refused, Sheet};
use crate::world::World;

/// How the phone's user pays when nothing else is said.
const BALANCE: &str = "OTHERS";

/// What somebody pays with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Purse {
    /// Who pays; absent: the phone's user.
    pub(crate) openid: Option<String>,
    /// `OTHERS` is the balance.
    pub(crate) bank_type: Option<String>,
    pub(crate) coupons: Vec<Coupon>,
}

/// The sheet of what is named, or why there is none.
pub(crate) fn look(world: &mut World, means: &Means, openid: Option<&str>) -> Result<Sheet, Refused> {
    let now = world.clock.now();
    let order = world.merchants.named(means, now)?.clone();
    Ok(sheet(world, &order, openid, now))
}

/// Pays what is named, and shows the sheet as it was before.
pub(crate) fn pay(world: &mut World, means: &Means, purse: Purse) -> Result<Sheet, Refused> {
    let now = world.clock.now();
    let order = world.merchants.named(means, now)?.clone();
    pay_order(world, &order, purse)
}

/// Pays an order, and shows the sheet as it was before.
pub(crate) fn pay_order(world: &mut World, order: &Order, purse: Purse) -> Result<Sheet, Refused> {
    let now = world.clock.now();
    let sheet = sheet(world, order, purse.openid.as_deref(), now);
    let bank_type = purse.bank_type.unwrap_or_else(|| BALANCE.to_owned());
    let paying = Paying { openid: sheet.payer.clone(), bank_type, coupons: purse.coupons };
    world.merchants.pay(&order.mch_id, &order.out_trade_no, paying, now)?;
    Ok(sheet)
}

/// The sheet of an order.
pub(crate) fn sheet(world: &mut World, order: &Order, openid: Option<&str>, now: Time) -> Sheet {
    let phone = world.accounts.get(&order.appid).map(|holder| holder.people.phone().to_owned());
    let payer = openid.map(ToOwned::to_owned).or(phone);
    let payer = payer.unwrap_or_else(|| world.merchants.stranger(&order.appid));
    world.merchants.sheet(order, payer, now)
}
