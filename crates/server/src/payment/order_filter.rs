//! Which orders are meant: the same parameters for `/admin/orders` and for `wechat-proxy order list`.

use engine::payment::records::STATES;
use store::{OrderFilter, OrderId, OrderState};

use crate::message_filter::moment;

/// How many orders a page holds, unless `limit` says otherwise.
const PAGE: u64 = 50;

/// The most that a page holds.
const MAX_PAGE: u64 = 500;

/// A page of orders that is asked for.
pub(crate) struct OrderPage {
    pub(crate) filter: OrderFilter,
    pub(crate) after: Option<OrderId>,
    pub(crate) limit: u64,
}

impl OrderPage {
    /// Reads the parameters `key`, `appid`, `mch_id`, `out_trade_no`, `transaction_id`, `state`, `type`, `openid`,
    /// `since`, `until`, `after`, `limit`; `value` gives each, and `None` for one that is missing or empty.
    ///
    /// # Errors
    /// A sentence about the first that makes no sense.
    pub(crate) fn read(value: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let filter = OrderFilter {
            app_key: value("key"),
            appid: value("appid"),
            mch_id: value("mch_id"),
            out_trade_no: value("out_trade_no"),
            transaction_id: value("transaction_id"),
            state: value("state").map(|text| state(&text)).transpose()?,
            trade_type: value("type"),
            openid: value("openid"),
            since: value("since").map(|text| moment("since", &text)).transpose()?,
            until: value("until").map(|text| moment("until", &text)).transpose()?,
        };
        let after = value("after").map(|text| id(&text)).transpose()?;
        let limit = match value("limit").map(|text| text.parse()) {
            None => PAGE,
            Some(Ok(limit @ 1..=MAX_PAGE)) => limit,
            Some(_) => return Err(format!("limit is a number from 1 to {MAX_PAGE}")),
        };
        Ok(Self { filter, after, limit })
    }
}

/// Reads an order's id.
///
/// # Errors
/// A sentence.
pub(crate) fn id(text: &str) -> Result<OrderId, String> {
    text.parse().map_err(|error: store::NoOrderId| error.to_string())
}

fn state(text: &str) -> Result<OrderState, String> {
    let known = STATES.iter().find(|(name, _)| *name == text).map(|(_, state)| *state);
    known.ok_or_else(|| format!("state is one of {}", STATES.map(|(name, _)| name).join(", ")))
}
