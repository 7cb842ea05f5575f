//! When WeChat is asked about an order or a refund of which it says nothing.

use std::time::Duration;

use store::{Order, Timestamp};

use super::ask::OrderAsk;

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// Seconds after an order was made at which it is asked about: WeChat Pay's recommendation up to half an hour, then
/// ever more rarely, because an order without `time_expire` can be paid for seven days.
const ORDER_AGES: [u64; 20] = [
    5,
    30,
    MINUTE,
    3 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    16 * HOUR,
    DAY,
    2 * DAY,
    3 * DAY,
    4 * DAY,
    5 * DAY,
    6 * DAY,
    7 * DAY,
    ORDER_LIFE,
];

/// After this age an order is closed if nobody has paid: its seven days, and some minutes for clocks.
pub(super) const ORDER_LIFE: u64 = 7 * DAY + 10 * MINUTE;

/// After `time_expire`, how long a payment that was begun in time may take.
pub(super) const AFTER_EXPIRY: Duration = Duration::from_secs(2 * MINUTE);

/// Seconds after a refund was asked for (WeChat Pay: from one minute on; bank cards take up to three working days).
const REFUND_AGES: [u64; 15] = [
    MINUTE,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    3 * DAY,
    5 * DAY,
    7 * DAY,
    10 * DAY,
    15 * DAY,
    20 * DAY,
    30 * DAY,
];

/// When an order of this age is asked about next; `None`: its time is over.
pub(super) fn next_query(created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    next(&ORDER_AGES, created_at, now)
}

/// When a refund of this age is asked about next; `None`: a person has to see to it.
pub(super) fn next_refund_query(created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    next(&REFUND_AGES, created_at, now)
}

fn next(ages: &[u64], created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    ages.iter().map(|age| created_at + Duration::from_secs(*age)).find(|at| *at > now)
}

/// The end that the team gave an order, if it did.
pub(super) fn expires_at(order: &Order) -> Option<Timestamp> {
    let asked: OrderAsk = serde_json::from_slice(&order.request).ok()?;
    let text = asked.others.get("time_expire")?;
    let seconds = wechat::pay::time::parse_compact(text).or_else(|| wechat::pay::time::parse_rfc3339(text));
    seconds.map(Timestamp::from_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_asked_about_as_wechat_recommends_and_to_its_end() {
        let made = Timestamp::from_seconds(1_000_000);
        let mut now = made;
        let mut ages = Vec::new();
        while let Some(at) = next_query(made, now) {
            ages.push(at.since(made).as_secs());
            now = at;
        }
        assert_eq!(ages.get(..7), Some([5, 30, 60, 180, 300, 600, 1800].as_slice()));
        assert_eq!(ages.last(), Some(&ORDER_LIFE));
        assert!(ages.is_sorted());
    }
}
