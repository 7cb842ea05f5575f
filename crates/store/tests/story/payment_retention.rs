//! Chapter fifteen: payments that are long over are forgotten with all that belongs to them, and nothing else is.

use store::{Order, OrderId, OrderState, PaymentChange, Refund, RefundState, Store, Timestamp};

use crate::engines::Fresh;
use crate::messages::{later, rows_of};
use crate::orders::{event, order, place};
use crate::refunds::{ask, refund};
use crate::refused_notices::notice;

/// An order that is decided.
fn decided(number: u32, state: OrderState, seconds: u64) -> Order {
    Order { state, due_at: None, ..order(number, seconds) }
}

fn over(of: u32, number: u32) -> Refund {
    Refund { state: RefundState::Succeeded, due_at: None, ..refund(of, number) }
}

async fn remove_all(store: &Store, paid_before: Timestamp, others_before: Timestamp) -> u64 {
    let mut removed = 0;
    loop {
        match store.remove_old_payments(paid_before, others_before).await.unwrap() {
            0 => return removed,
            some => removed += some,
        }
    }
}

async fn left(store: &Store, numbers: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut left = Vec::new();
    for number in numbers {
        if store.order(order(number, 0).id).await.unwrap().is_some() {
            left.push(number);
        }
    }
    left
}

pub(crate) async fn each_kind_has_its_own_time(fresh: &Fresh) {
    let store = fresh.open().await;
    place(
        &store,
        [
            decided(1, OrderState::Paid, 10),
            decided(2, OrderState::Refunded, 10),
            decided(3, OrderState::Closed, 10),
            decided(4, OrderState::Refused, 10),
            decided(5, OrderState::Unpaid, 10),
            decided(6, OrderState::Placing, 10),
            // Not decided, whatever its state says.
            order(7, 10),
            Order { state: OrderState::Paid, ..order(8, 10) },
            // Changed later: its time counts from there.
            Order { updated_at: later(20), ..decided(9, OrderState::Closed, 10) },
            Order { updated_at: later(20), ..decided(10, OrderState::Refunded, 10) },
        ],
    )
    .await;
    let numbers = || 1..=10;
    assert_eq!(remove_all(&store, later(10), later(10)).await, 0, "before it");
    assert_eq!(remove_all(&store, later(0), later(11)).await, 4);
    assert_eq!(left(&store, numbers()).await, [1, 2, 7, 8, 9, 10]);
    assert_eq!(remove_all(&store, later(11), later(0)).await, 2);
    assert_eq!(left(&store, numbers()).await, [7, 8, 9, 10]);
    assert_eq!(remove_all(&store, later(21), later(20)).await, 1);
    assert_eq!(left(&store, numbers()).await, [7, 8, 9]);
    assert_eq!(remove_all(&store, Timestamp::MAX, Timestamp::MAX).await, 1);
    assert_eq!(left(&store, numbers()).await, [7, 8]);
}

pub(crate) async fn refunds_are_remembered_as_long_as_their_order(fresh: &Fresh) {
    let store = fresh.open().await;
    place(&store, (1..=3).map(|number| decided(number, OrderState::Refunded, 0))).await;
    // 1 goes back on its way, 2 has changed lately; 4 was placed by somebody else; nobody knows what 5 to 7 belong to.
    let nameless = |refund| Refund { order: OrderId::UNKNOWN, ..refund };
    ask(
        &store,
        [
            over(1, 1),
            refund(1, 11),
            over(2, 2),
            over(3, 3),
            over(4, 4),
            nameless(over(5, 5)),
            nameless(refund(6, 6)),
            nameless(Refund { updated_at: later(50), ..over(7, 7) }),
        ],
    )
    .await;
    let seen = store.order(order(2, 0).id).await.unwrap().unwrap();
    let change = Order { updated_at: later(50), ..seen };
    assert!(store.change_payment(&PaymentChange { order: Some(&change), ..PaymentChange::default() }).await.unwrap());

    assert_eq!(remove_all(&store, later(0), Timestamp::MAX).await, 0, "they count as paid");
    assert_eq!(remove_all(&store, later(50), later(0)).await, 3, "order 3, refunds 4 and 5");
    assert_eq!(left(&store, 1..=3).await, [1, 2]);
    let mut kept = Vec::new();
    for (of, number) in [(1, 1), (1, 11), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7)] {
        if store.refund(refund(of, number).id).await.unwrap().is_some() {
            kept.push(number);
        }
    }
    assert_eq!(kept, [1, 11, 2, 6, 7]);
    // The money is back: now the first may go, with both of its refunds.
    let seen = store.refund(refund(1, 11).id).await.unwrap().unwrap();
    let back = Refund { state: RefundState::Succeeded, due_at: None, ..seen };
    assert!(store.change_payment(&PaymentChange { refund: Some(&back), ..PaymentChange::default() }).await.unwrap());
    assert_eq!(remove_all(&store, later(50), later(0)).await, 1);
    assert_eq!((left(&store, 1..=3).await, rows_of(fresh, "refunds").await), (vec![2], 3));
}

pub(crate) async fn old_payments_go_some_hundred_at_a_time_with_all_that_belongs_to_them(fresh: &Fresh) {
    let store = fresh.open().await;
    // The last is young.
    for number in 0..620u32 {
        let state = if number % 2 == 0 { OrderState::Closed } else { OrderState::Refused };
        let order = decided(number, state, if number == 619 { 1000 } else { u64::from(number % 7) });
        let events = [event(number, 1, "placed", 1), event(number, 2, "closed", 2)];
        let refund = over(number, number);
        let refund = (number % 100 == 19).then_some(&refund);
        let change = PaymentChange { order: Some(&order), refund, events: &events, news: None };
        assert!(store.change_payment(&change).await.unwrap());
        store.keep_refused_notice(&notice(number, "test", u64::from(number)), 9999).await.unwrap();
    }
    let first = store.remove_old_payments(later(0), later(600)).await.unwrap();
    assert_eq!(first, 1000, "five hundred orders and as many notices");
    assert_eq!(remove_all(&store, later(0), later(600)).await, 219);
    for (table, rows) in [("orders", 1), ("order_events", 2), ("refunds", 1), ("refused_notices", 20)] {
        assert_eq!(rows_of(fresh, table).await, rows, "{table}");
    }
    assert_eq!(left(&store, [0, 618, 619]).await, [619]);
}

/// Two nodes clean up while orders change: what was changed in the last moment stays whole.
pub(crate) async fn what_changes_while_it_is_removed_is_kept_whole_or_gone(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    for number in 0..40 {
        let order = decided(number, OrderState::Paid, 0);
        let events = [event(number, 1, "placed", 0)];
        let change = PaymentChange { order: Some(&order), events: &events, ..PaymentChange::default() };
        assert!(nodes[0].change_payment(&change).await.unwrap());
    }
    let removing = nodes.iter().cloned().map(|store| async move { remove_all(&store, later(10), later(10)).await });
    let removing: tokio::task::JoinSet<u64> = removing.collect();
    let changing: tokio::task::JoinSet<Option<u32>> = (0..40u32)
        .map(|number| {
            let store = nodes[usize::try_from(number % 2).unwrap()].clone();
            async move {
                let order = Order { revision: 1, updated_at: later(99), ..decided(number, OrderState::Refunded, 0) };
                let events = [event(number, 2, "refunded", 1)];
                let refund = refund(number, number);
                let change = PaymentChange { order: Some(&order), refund: Some(&refund), events: &events, news: None };
                store.change_payment(&change).await.unwrap().then_some(number)
            }
        })
        .collect();
    let mut changed: Vec<u32> = changing.join_all().await.into_iter().flatten().collect();
    changed.sort_unstable();
    let removed: u64 = removing.join_all().await.into_iter().sum();
    assert_eq!(usize::try_from(removed).unwrap() + changed.len(), 40);
    assert_eq!(left(&nodes[0], 0..40).await, changed);
    let rows = i64::try_from(changed.len()).unwrap();
    assert_eq!((rows_of(fresh, "order_events").await, rows_of(fresh, "refunds").await), (2 * rows, rows));
}
