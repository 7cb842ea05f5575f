//! Chapter twelve: orders are found again, asked about by one node at a time, and what happened to each is written
//! down.
//!
//! It also makes the orders that the other chapters about payment are told with.

use std::collections::HashSet;

use store::{
    MAX_PAY_NAME_BYTES, NodeId, Order, OrderEvent, OrderFilter, OrderId, OrderState, PayVersion, PaymentChange, Store,
    StoreError, Timestamp,
};

use crate::engines::Fresh;
use crate::messages::{HERE, THERE, later, rows_of};

const MERCHANT: &str = "1900000109";

/// An order that is not stored yet; it was created so many seconds after the beginning, and is due a minute after it.
pub(crate) fn order(number: u32, seconds: u64) -> Order {
    let out_trade_no = format!("T{number:06}");
    Order {
        id: OrderId::of(MERCHANT, &out_trade_no),
        app_key: "测试".into(),
        appid: "wx1".into(),
        mch_id: MERCHANT.into(),
        out_trade_no,
        version: PayVersion::V3,
        trade_type: "NATIVE".into(),
        total_fee: 100,
        openid: String::new(),
        transaction_id: String::new(),
        state: OrderState::Unpaid,
        content: [9; 32],
        request: br#"{"description":"x"}"#.to_vec(),
        answer: None,
        answered_at: None,
        created_at: later(seconds),
        updated_at: later(seconds),
        paid_at: None,
        due_at: Some(later(60)),
        step: 0,
        revision: 0,
    }
}

/// Something that happened to the order of this number.
pub(crate) fn event(number: u32, id: u8, kind: &str, seconds: u64) -> OrderEvent {
    OrderEvent {
        order: order(number, 0).id,
        id: [id; 16],
        at: later(seconds),
        kind: kind.into(),
        detail: br#"{"by":"test"}"#.to_vec(),
    }
}

/// Stores orders that are not stored yet.
pub(crate) async fn place(store: &Store, orders: impl IntoIterator<Item = Order>) {
    for order in orders {
        assert!(change(store, &order).await, "{:?}", order.out_trade_no);
    }
}

pub(crate) async fn stored(store: &Store, number: u32) -> Order {
    store.order(order(number, 0).id).await.unwrap().unwrap()
}

async fn change(store: &Store, order: &Order) -> bool {
    store.change_payment(&PaymentChange { order: Some(order), ..PaymentChange::default() }).await.unwrap()
}

fn numbers(orders: &[Order]) -> Vec<u32> {
    orders.iter().map(|order| order.out_trade_no.trim_start_matches('T').parse().unwrap()).collect()
}

/// An order in which everything is as long as it may be.
fn full() -> Order {
    let every_byte: Vec<u8> = (0..=255).cycle().take(512 * 1024).collect();
    let longest = |fill: &str| fill.repeat(MAX_PAY_NAME_BYTES);
    Order {
        id: OrderId([0xff; 16]),
        app_key: "键".repeat(64),
        appid: longest("a"),
        mch_id: longest("m"),
        out_trade_no: longest("t"),
        version: PayVersion::V2,
        trade_type: longest("j"),
        total_fee: i64::MAX,
        openid: longest("o"),
        transaction_id: longest("w"),
        state: OrderState::Paid,
        content: std::array::from_fn(|place| u8::try_from(place * 8).unwrap()),
        request: every_byte.clone(),
        answer: Some(every_byte),
        answered_at: Some(Timestamp::from_millis(i64::MAX)),
        created_at: Timestamp::from_millis(-1),
        updated_at: Timestamp::from_millis(1),
        paid_at: Some(Timestamp::from_millis(2)),
        due_at: Some(Timestamp::from_millis(3)),
        step: 77,
        revision: 0,
    }
}

pub(crate) async fn an_order_comes_back_as_it_was_stored(fresh: &Fresh) {
    let store = fresh.open().await;
    let full = full();
    place(&store, [full.clone(), order(1, 0)]).await;
    // Too long to be shown when it differs.
    assert!(store.order(full.id).await.unwrap().unwrap() == Order { revision: 1, ..full.clone() });
    assert_eq!(stored(&store, 1).await, Order { revision: 1, ..order(1, 0) });
    assert_eq!(store.order(order(2, 0).id).await.unwrap(), None);
    // All of a row is replaced, also by nothing.
    assert!(change(&store, &Order { id: full.id, revision: 1, due_at: None, ..order(3, 0) }).await);
    let replaced = store.order(full.id).await.unwrap().unwrap();
    assert_eq!(replaced, Order { id: full.id, revision: 2, due_at: None, ..order(3, 0) });
    let states = [
        OrderState::Placing,
        OrderState::Unpaid,
        OrderState::Paid,
        OrderState::Refunded,
        OrderState::Closed,
        OrderState::Refused,
    ];
    for (seen, state) in (1..).zip(states) {
        assert!(change(&store, &Order { state, revision: seen, ..order(1, 0) }).await);
        assert_eq!(stored(&store, 1).await.state, state);
    }
}

pub(crate) async fn names_that_do_not_fit_are_refused(fresh: &Fresh) {
    let store = fresh.open().await;
    let full = full();
    let too_long = |text: &str| format!("{text}x");
    let bad = [
        Order { app_key: "k".repeat(257), ..order(9, 0) },
        Order { appid: too_long(&full.appid), ..order(9, 0) },
        Order { mch_id: too_long(&full.mch_id), ..order(9, 0) },
        Order { out_trade_no: too_long(&full.out_trade_no), ..order(9, 0) },
        Order { trade_type: too_long(&full.trade_type), ..order(9, 0) },
        Order { openid: too_long(&full.openid), ..order(9, 0) },
        Order { transaction_id: too_long(&full.transaction_id), ..order(9, 0) },
    ];
    for (place, order) in bad.iter().enumerate() {
        let change = PaymentChange { order: Some(order), ..PaymentChange::default() };
        let refused = store.change_payment(&change).await;
        assert!(matches!(refused, Err(StoreError::TooLong { .. })), "{place}: {refused:?}");
    }
}

pub(crate) async fn orders_are_listed_by_what_is_asked_for(fresh: &Fresh) {
    let store = fresh.open().await;
    let of = |number: u32, key: &str, state, kind: &str| Order {
        app_key: key.into(),
        state,
        trade_type: kind.into(),
        ..order(number, u64::from(number))
    };
    let text = |text: &str| text.to_owned();
    place(
        &store,
        [
            Order { openid: text("oA"), ..of(1, "测试", OrderState::Unpaid, "JSAPI") },
            Order { openid: text("oa"), transaction_id: text("42a"), ..of(2, "测试", OrderState::Paid, "JSAPI") },
            Order { appid: text("wx2"), transaction_id: text("42A"), ..of(3, "test", OrderState::Paid, "NATIVE") },
            Order { mch_id: text("1900000110"), ..of(4, "Test", OrderState::Closed, "NATIVE") },
            of(5, "test", OrderState::Placing, "native"),
        ],
    )
    .await;
    let all = OrderFilter::default;
    let is = |value: &str| Some(value.to_owned());
    let cases = [
        (all(), vec![5, 4, 3, 2, 1]),
        (OrderFilter { app_key: is("test"), ..all() }, vec![5, 3]),
        (OrderFilter { appid: is("wx1"), ..all() }, vec![5, 4, 2, 1]),
        (OrderFilter { mch_id: is(MERCHANT), ..all() }, vec![5, 3, 2, 1]),
        (OrderFilter { out_trade_no: is("T000004"), ..all() }, vec![4]),
        (OrderFilter { out_trade_no: is("t000004"), ..all() }, vec![]),
        (OrderFilter { transaction_id: is("42A"), ..all() }, vec![3]),
        (OrderFilter { state: Some(OrderState::Paid), ..all() }, vec![3, 2]),
        (OrderFilter { state: Some(OrderState::Refunded), ..all() }, vec![]),
        (OrderFilter { trade_type: is("NATIVE"), ..all() }, vec![4, 3]),
        (OrderFilter { openid: is("oA"), ..all() }, vec![1]),
        (OrderFilter { since: Some(later(3)), ..all() }, vec![5, 4, 3]),
        (OrderFilter { until: Some(later(3)), ..all() }, vec![2, 1]),
        (OrderFilter { since: Some(later(2)), until: Some(later(4)), app_key: is("test"), ..all() }, vec![3]),
        (OrderFilter { app_key: is("' OR 1=1 --"), ..all() }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(numbers(&store.orders(&filter, None, 9).await.unwrap()), expected, "{filter:?}");
    }
    assert_eq!(store.count_undecided_orders().await.unwrap(), 5, "whatever their states");
}

pub(crate) async fn pages_of_orders_follow_each_other_without_gaps(fresh: &Fresh) {
    let store = fresh.open().await;
    // Three in each second, so that pages end between orders of the same moment.
    place(&store, (0..20).map(|number| order(number, u64::from(number / 3)))).await;
    let mut expected = store.orders(&OrderFilter::default(), None, 99).await.unwrap();
    assert!(expected.is_sorted_by_key(|order| std::cmp::Reverse((order.created_at, order.id))));
    let mut seen = Vec::new();
    let mut last: Option<Order> = None;
    loop {
        let page = store.orders(&OrderFilter::default(), last.as_ref(), 4).await.unwrap();
        assert!(page.len() <= 4);
        seen.extend(page.iter().cloned());
        let Some(end) = page.last() else { break };
        // What comes meanwhile is newer, and on no page behind; what changes meanwhile keeps its place.
        place(&store, [order(1000 + u32::try_from(seen.len()).unwrap(), 100)]).await;
        last = Some(Order { updated_at: later(200), ..end.clone() });
    }
    assert_eq!(numbers(&seen), numbers(&expected));
    expected.sort_by_key(|order| order.out_trade_no.clone());
    assert_eq!(numbers(&expected), (0..20).collect::<Vec<u32>>());
}

pub(crate) async fn two_nodes_take_each_due_order_once(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    for node in [HERE, THERE] {
        nodes[0].beat(node, later(10_000)).await.unwrap();
    }
    assert_eq!(nodes[0].next_due_order().await.unwrap(), None);
    let due = |number: u32, seconds: u64| Order { due_at: Some(later(seconds)), ..order(number, 0) };
    place(&nodes[0], (0..30).map(|number| due(number, u64::from(40 - number)))).await;
    place(&nodes[0], [due(98, 500), Order { due_at: None, ..order(99, 0) }]).await;
    assert_eq!(nodes[1].next_due_order().await.unwrap(), Some(later(11)));
    assert!(nodes[0].claim_due_orders(HERE, later(10), 9).await.unwrap().is_empty());
    let claim_all = |store: &Store, node: NodeId| {
        let store = store.clone();
        async move {
            let mut taken = Vec::new();
            loop {
                let batch = numbers(&store.claim_due_orders(node, later(100), 4).await.unwrap());
                // Due in the opposite order of their numbers.
                assert!(batch.len() <= 4 && batch.is_sorted_by(|one, next| one > next), "{batch:?}");
                if batch.is_empty() {
                    return taken;
                }
                taken.extend(batch);
            }
        }
    };
    let racing: tokio::task::JoinSet<Vec<u32>> =
        [claim_all(&nodes[0], HERE), claim_all(&nodes[1], THERE)].into_iter().collect();
    let taken: Vec<u32> = racing.join_all().await.into_iter().flatten().collect();
    let once: HashSet<u32> = taken.iter().copied().collect();
    assert_eq!((taken.len(), once), (30, (0..30).collect()));
    assert_eq!(nodes[0].next_due_order().await.unwrap(), Some(later(11)), "whoever has it");
    assert_eq!(nodes[0].count_undecided_orders().await.unwrap(), 31, "taken is not decided");
}

pub(crate) async fn what_a_node_has_is_its_own_until_it_is_changed_let_go_or_the_node_dead(fresh: &Fresh) {
    let store = fresh.open().await;
    store.beat(HERE, later(100)).await.unwrap();
    store.beat(THERE, later(10_000)).await.unwrap();
    place(&store, (1..=3).map(|number| order(number, 0))).await;
    let take = async |node, seconds: u64| {
        let mut taken = numbers(&store.claim_due_orders(node, later(seconds), 9).await.unwrap());
        taken.sort_unstable();
        taken
    };
    assert_eq!(take(HERE, 60).await, [1, 2, 3]);
    assert!(take(HERE, 61).await.is_empty(), "it has them already");
    assert!(take(THERE, 61).await.is_empty());
    // One is asked about again later, one is decided, the third stays in hand.
    let again = Order { due_at: Some(later(70)), step: 1, ..stored(&store, 1).await };
    assert!(change(&store, &again).await);
    assert!(change(&store, &Order { due_at: None, state: OrderState::Closed, ..stored(&store, 2).await }).await);
    assert!(take(THERE, 69).await.is_empty());
    assert_eq!(take(THERE, 70).await, [1]);
    assert_eq!(stored(&store, 1).await, Order { revision: 2, ..again }, "to take it is no change");
    store.release_payments(THERE).await.unwrap();
    assert_eq!(take(THERE, 99).await, [1], "what it let go, and nothing of another's");
    assert_eq!(take(THERE, 100).await, [3], "HERE is dead");
    store.release_payments(HERE).await.unwrap();
    assert!(take(HERE, 100).await.is_empty(), "they are no longer its own");
}

pub(crate) async fn what_happened_is_told_in_the_order_of_time(fresh: &Fresh) {
    let store = fresh.open().await;
    place(&store, [order(1, 0), order(2, 0)]).await;
    let events = [
        event(1, 9, "placed", 1),
        event(1, 3, "answered", 2),
        event(1, 4, "notified", 2),
        OrderEvent { detail: (0..=255).cycle().take(128 * 1024).collect(), ..event(1, 1, &"k".repeat(32), 3) },
    ];
    let shuffled: Vec<OrderEvent> = [3, 2, 0, 1].into_iter().map(|place| events[place].clone()).collect();
    let change = PaymentChange { events: &shuffled, ..PaymentChange::default() };
    assert!(store.change_payment(&change).await.unwrap());
    assert!(store.change_payment(&change).await.unwrap(), "the same again is no conflict");
    assert!(store.order_events(order(1, 0).id, 99).await.unwrap() == events);
    assert!(store.order_events(order(1, 0).id, 3).await.unwrap() == events[..3], "the first");
    assert_eq!(store.order_events(order(2, 0).id, 99).await.unwrap(), []);
}

pub(crate) async fn what_happens_often_is_written_down_a_few_times(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    place(&nodes[0], [order(1, 0), order(2, 0)]).await;
    let adding: tokio::task::JoinSet<bool> = (0..40u8)
        .map(|number| {
            let store = nodes[usize::from(number % 2)].clone();
            async move { store.add_order_event(&event(1, number, "notified", 1), 5).await.unwrap() }
        })
        .collect();
    assert_eq!(adding.join_all().await.into_iter().filter(|added| *added).count(), 5);
    let kept = nodes[0].order_events(order(1, 0).id, 99).await.unwrap();
    assert_eq!(kept.len(), 5);
    assert!(nodes[0].add_order_event(&kept[0], 5).await.unwrap(), "it is there already");
    assert!(nodes[0].add_order_event(&event(1, 50, "queried", 1), 5).await.unwrap(), "of another kind");
    assert!(nodes[0].add_order_event(&event(2, 0, "notified", 1), 5).await.unwrap(), "of another order");
    assert!(!nodes[0].add_order_event(&event(2, 1, "notified", 1), 0).await.unwrap());
    assert!(!nodes[0].add_order_event(&event(3, 1, "notified", 1), 5).await.unwrap(), "there is no such order");
    assert_eq!(rows_of(fresh, "order_events").await, 7);
    assert_eq!(stored(&nodes[0], 1).await, Order { revision: 1, ..order(1, 0) }, "the order is as it was");
    let long = event(1, 60, &"k".repeat(33), 1);
    assert!(matches!(nodes[0].add_order_event(&long, 5).await, Err(StoreError::TooLong { limit: 32, .. })));
}
