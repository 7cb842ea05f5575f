//! Chapter thirteen: refunds are found by their order and by what WeChat calls it, and asked about by one node at a
//! time.

use std::collections::HashSet;

use store::{
    MAX_PAY_NAME_BYTES, NodeId, OrderId, PayVersion, PaymentChange, Refund, RefundId, RefundState, Store, StoreError,
    Timestamp,
};

use crate::engines::Fresh;
use crate::messages::{HERE, THERE, later};
use crate::orders::order;

/// A refund of an order that is not stored yet; created with its order, due a minute later.
pub(crate) fn refund(of: u32, number: u32) -> Refund {
    let order = order(of, 0);
    let out_refund_no = format!("R{number:06}");
    Refund {
        id: RefundId::of(&order.mch_id, &out_refund_no),
        order: order.id,
        app_key: order.app_key,
        appid: order.appid,
        mch_id: order.mch_id,
        out_trade_no: order.out_trade_no,
        transaction_id: format!("42{of:06}"),
        out_refund_no,
        refund_id: String::new(),
        total_fee: 100,
        refund_fee: 10,
        version: PayVersion::V3,
        state: RefundState::Asking,
        content: [8; 32],
        request: br#"{"reason":"x"}"#.to_vec(),
        answer: None,
        created_at: order.created_at,
        updated_at: order.created_at,
        due_at: Some(later(60)),
        step: 0,
        revision: 0,
    }
}

pub(crate) async fn ask(store: &Store, refunds: impl IntoIterator<Item = Refund>) {
    for refund in refunds {
        assert!(change(store, &refund).await, "{}", refund.out_refund_no);
    }
}

async fn change(store: &Store, refund: &Refund) -> bool {
    store.change_payment(&PaymentChange { refund: Some(refund), ..PaymentChange::default() }).await.unwrap()
}

fn numbers(refunds: &[Refund]) -> Vec<u32> {
    refunds.iter().map(|refund| refund.out_refund_no.trim_start_matches('R').parse().unwrap()).collect()
}

pub(crate) async fn a_refund_comes_back_as_it_was_stored(fresh: &Fresh) {
    let store = fresh.open().await;
    let every_byte: Vec<u8> = (0..=255).cycle().take(512 * 1024).collect();
    let longest = |fill: &str| fill.repeat(MAX_PAY_NAME_BYTES);
    let full = Refund {
        id: RefundId([0xff; 16]),
        order: OrderId([0xfe; 16]),
        app_key: "键".repeat(64),
        appid: longest("a"),
        mch_id: longest("m"),
        out_trade_no: longest("t"),
        transaction_id: longest("w"),
        out_refund_no: longest("r"),
        refund_id: longest("5"),
        total_fee: i64::MAX,
        refund_fee: i64::MAX - 1,
        version: PayVersion::V2,
        state: RefundState::Abnormal,
        content: std::array::from_fn(|place| u8::try_from(place * 8).unwrap()),
        request: every_byte.clone(),
        answer: Some(every_byte),
        created_at: Timestamp::from_millis(-1),
        updated_at: Timestamp::from_millis(1),
        due_at: Some(Timestamp::from_millis(3)),
        step: 77,
        revision: 0,
    };
    ask(&store, [full.clone(), refund(1, 1)]).await;
    // Too long to be shown when it differs.
    assert!(store.refund(full.id).await.unwrap().unwrap() == Refund { revision: 1, ..full.clone() });
    assert_eq!(store.refund(refund(1, 2).id).await.unwrap(), None);
    let states = [
        RefundState::Asking,
        RefundState::Processing,
        RefundState::Succeeded,
        RefundState::Closed,
        RefundState::Abnormal,
        RefundState::Refused,
    ];
    for (seen, state) in (1..).zip(states) {
        let next = Refund { state, revision: seen, ..refund(1, 1) };
        assert!(change(&store, &next).await);
        let stored = store.refund(next.id).await.unwrap();
        assert_eq!(stored, Some(Refund { revision: seen + 1, ..next }));
    }
    let too_long = |text: &str| format!("{text}x");
    let bad = [
        Refund { app_key: "k".repeat(257), ..refund(1, 9) },
        Refund { appid: too_long(&full.appid), ..refund(1, 9) },
        Refund { mch_id: too_long(&full.mch_id), ..refund(1, 9) },
        Refund { out_trade_no: too_long(&full.out_trade_no), ..refund(1, 9) },
        Refund { transaction_id: too_long(&full.transaction_id), ..refund(1, 9) },
        Refund { out_refund_no: too_long(&full.out_refund_no), ..refund(1, 9) },
        Refund { refund_id: too_long(&full.refund_id), ..refund(1, 9) },
    ];
    for (place, refund) in bad.iter().enumerate() {
        let change = PaymentChange { refund: Some(refund), ..PaymentChange::default() };
        let refused = store.change_payment(&change).await;
        assert!(matches!(refused, Err(StoreError::TooLong { .. })), "{place}: {refused:?}");
    }
}

pub(crate) async fn refunds_are_found_by_what_they_belong_to(fresh: &Fresh) {
    let store = fresh.open().await;
    let nameless = |number| Refund { order: OrderId::UNKNOWN, out_trade_no: String::new(), ..refund(1, number) };
    ask(
        &store,
        [
            Refund { created_at: later(5), ..refund(1, 1) },
            Refund { created_at: later(3), ..refund(1, 2) },
            Refund { transaction_id: String::new(), ..refund(2, 3) },
            Refund { created_at: later(4), ..nameless(4) },
            Refund { mch_id: "1900000110".into(), ..nameless(5) },
        ],
    )
    .await;
    let of = async |number| numbers(&store.refunds_of(order(number, 0).id).await.unwrap());
    assert_eq!((of(1).await, of(2).await, of(3).await), (vec![2, 1], vec![3], vec![]), "the oldest first");
    let known_as = async |name: &str| numbers(&store.refunds_of_transaction("1900000109", name).await.unwrap());
    assert_eq!(known_as("42000001").await, [2, 4, 1], "of this merchant, with the order's number or without");
    assert!(known_as("42000002").await.is_empty());
    assert!(known_as("").await.is_empty(), "nothing is not a name");
    assert_eq!(store.count_undecided_refunds().await.unwrap(), 5);
}

pub(crate) async fn two_nodes_take_each_due_refund_once(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    nodes[0].beat(HERE, later(10_000)).await.unwrap();
    nodes[0].beat(THERE, later(1000)).await.unwrap();
    assert_eq!(nodes[0].next_due_refund().await.unwrap(), None);
    let due = |number: u32, seconds: u64| Refund { due_at: Some(later(seconds)), ..refund(1, number) };
    ask(&nodes[0], (0..20).map(|number| due(number, u64::from(40 - number)))).await;
    ask(&nodes[0], [due(98, 5000), Refund { due_at: None, ..refund(1, 99) }]).await;
    assert_eq!(nodes[1].next_due_refund().await.unwrap(), Some(later(21)));
    let claim_all = |store: &Store, node: NodeId| {
        let store = store.clone();
        async move {
            let mut taken = Vec::new();
            loop {
                let batch = numbers(&store.claim_due_refunds(node, later(100), 3).await.unwrap());
                assert!(batch.len() <= 3 && batch.is_sorted_by(|one, next| one > next), "{batch:?}");
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
    assert_eq!((taken.len(), once), (20, (0..20).collect()));

    nodes[0].release_payments(HERE).await.unwrap();
    nodes[0].release_payments(THERE).await.unwrap();
    assert_eq!(nodes[0].claim_due_refunds(THERE, later(100), 99).await.unwrap().len(), 20);
    let one = nodes[0].refund(refund(1, 7).id).await.unwrap().unwrap();
    assert!(change(&nodes[0], &Refund { due_at: Some(later(200)), step: 1, ..one }).await);
    assert_eq!(numbers(&nodes[1].claim_due_refunds(HERE, later(200), 99).await.unwrap()), [7], "let go by its change");
    assert!(nodes[1].claim_due_refunds(HERE, later(999), 99).await.unwrap().is_empty());
    assert_eq!(nodes[1].claim_due_refunds(HERE, later(1000), 99).await.unwrap().len(), 19, "THERE is dead");
}
