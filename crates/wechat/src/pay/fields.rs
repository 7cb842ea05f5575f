//! v2's flat names as JSON: the one shape of answers and notifications.
//!
//! Both versions end here: v2 with what it said, v3 with what its objects mean in v2's names. What must stay true: a
//! field that is an amount or a count by its name is a JSON integer, all others are texts; nothing is empty.

use serde_json::{Map, Value};

/// Fields that belong to the transport, not to what was said.
const TRANSPORT: [&str; 4] = ["sign", "sign_type", "nonce_str", "req_info"];

/// Whether a field is a number by its name: `total_fee`, `coupon_fee_0`, `coupon_refund_count_0`.
pub(super) fn is_number(name: &str) -> bool {
    let mut name = name;
    while let Some((front, index)) = name.rsplit_once('_') {
        if index.is_empty() || !index.bytes().all(|b| b.is_ascii_digit()) {
            break;
        }
        name = front;
    }
    name.ends_with("_fee") || name.ends_with("_count")
}

/// Adds a field, as text or number by its name, unless it is empty or belongs to the transport.
pub(super) fn add(fields: &mut Map<String, Value>, name: &str, value: &str) {
    if value.is_empty() || TRANSPORT.contains(&name) {
        return;
    }
    let number = value.parse::<i64>().ok().filter(|_| is_number(name));
    let value = number.map_or_else(|| Value::from(value), Value::from);
    fields.insert(name.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_by_name() {
        for name in ["total_fee", "coupon_fee_0", "coupon_count", "coupon_refund_fee_0_11", "refund_count"] {
            assert!(is_number(name), "{name}");
        }
        for name in ["fee_type", "refund_fee_type", "coupon_id_0", "out_trade_no", "time_end", "", "_0", "fee"] {
            assert!(!is_number(name), "{name}");
        }
    }

    #[test]
    fn what_is_empty_or_of_the_transport_is_left_out() {
        let mut fields = Map::new();
        for (name, value) in [("attach", ""), ("sign", "X"), ("nonce_str", "n"), ("total_fee", "7"), ("cash_fee", "x")]
        {
            add(&mut fields, name, value);
        }
        assert_eq!(Value::Object(fields), serde_json::json!({ "total_fee": 7, "cash_fee": "x" }));
    }
}
