//! Chapter eleven: a step of a payment is written whole, once, by whoever was first; and what it says is told once.

use store::{
    BackendId, Delivery, DeliveryState, Message, MessageFilter, MessageState, News, Order, OrderId, OrderState,
    PaymentChange, Recipient, Refund, RefundState, Store, StoreError,
};

use crate::engines::{Fresh, NOW};
use crate::messages::{HERE, delivery, id, later, message, rows_of};
use crate::orders::{event, order, place, stored};
use crate::refunds::refund;

const SHOP: BackendId = BackendId([1; 16]);
const DESK: BackendId = BackendId([2; 16]);

/// The news that this message is, for two backends.
fn news(number: u32) -> News {
    let message = Message { msg_type: "pay".into(), ..message(number, 3) };
    let to = |position, backend| Delivery { position, sent: 0, ..delivery(number, backend, 3) };
    News { message, deliveries: vec![to(0, SHOP), to(1, DESK)] }
}

async fn change(store: &Store, order: &Order) -> bool {
    store.change_payment(&PaymentChange { order: Some(order), ..PaymentChange::default() }).await.unwrap()
}

async fn change_refund(store: &Store, refund: &Refund) -> bool {
    store.change_payment(&PaymentChange { refund: Some(refund), ..PaymentChange::default() }).await.unwrap()
}

pub(crate) async fn of_many_who_place_one_order_exactly_one_does(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    for number in 0..3u32 {
        let placing: tokio::task::JoinSet<Option<i64>> = (0..30i64)
            .map(|fee| {
                let store = nodes[usize::try_from(fee % 2).unwrap()].clone();
                async move {
                    let order = Order { total_fee: fee, ..order(number, 0) };
                    let events = [event(number, u8::try_from(fee).unwrap(), "placed", 0)];
                    let news = news(1000 * number + u32::try_from(fee).unwrap());
                    let change =
                        PaymentChange { order: Some(&order), refund: None, events: &events, news: Some(&news) };
                    store.change_payment(&change).await.unwrap().then_some(fee)
                }
            })
            .collect();
        let won: Vec<i64> = placing.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{won:?}");
        let expected = Order { total_fee: won[0], revision: 1, ..order(number, 0) };
        assert_eq!(stored(&nodes[1], number).await, expected);
        let events = nodes[0].order_events(expected.id, 99).await.unwrap();
        assert_eq!(events, [event(number, u8::try_from(won[0]).unwrap(), "placed", 0)], "those who lost wrote none");
    }
    assert_eq!(rows_of(fresh, "messages").await, 3, "nor did they tell anybody");
}

async fn refund_of(store: &Store) -> Refund {
    store.refund(refund(1, 1).id).await.unwrap().unwrap()
}

pub(crate) async fn no_change_is_lost_among_many(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    place(&nodes[0], [order(1, 0)]).await;
    assert!(change_refund(&nodes[0], &refund(1, 1)).await);
    let first_seen = (stored(&nodes[0], 1).await, refund_of(&nodes[0]).await);
    // Each adds one fen to the order and two to its refund, and tries until it was first. At the beginning all see the
    // same.
    let adding: tokio::task::JoinSet<u32> = (0..24u8)
        .map(|number| {
            let store = nodes[usize::from(number % 2)].clone();
            let (mut order, mut refund) = first_seen.clone();
            async move {
                let events = [event(1, number, "refunded", u64::from(number))];
                for tries in 1.. {
                    order.total_fee += 1;
                    refund.refund_fee += 2;
                    let change =
                        PaymentChange { order: Some(&order), refund: Some(&refund), events: &events, news: None };
                    if store.change_payment(&change).await.unwrap() {
                        return tries;
                    }
                    (order, refund) = (stored(&store, 1).await, refund_of(&store).await);
                }
                unreachable!("it tries on")
            }
        })
        .collect();
    let tries: u32 = adding.join_all().await.into_iter().sum();
    assert!(tries >= 24 + 23, "of those who saw the same one succeeds: {tries}");
    let expected = Order { total_fee: order(1, 0).total_fee + 24, revision: 25, ..order(1, 0) };
    assert_eq!(stored(&nodes[0], 1).await, expected);
    let expected = Refund { refund_fee: refund(1, 1).refund_fee + 48, revision: 25, ..refund(1, 1) };
    assert_eq!(nodes[0].refund(expected.id).await.unwrap(), Some(expected));
    assert_eq!(nodes[0].order_events(order(1, 0).id, 99).await.unwrap().len(), 24, "one for each who succeeded");
}

pub(crate) async fn a_change_is_written_whole_or_not_at_all(fresh: &Fresh) {
    let store = fresh.open().await;
    place(&store, [order(1, 0)]).await;
    assert!(change_refund(&store, &refund(1, 1)).await);
    let seen = (stored(&store, 1).await, store.refund(refund(1, 1).id).await.unwrap().unwrap());
    let refunded = Order { state: OrderState::Refunded, ..seen.0.clone() };
    let back = Refund { state: RefundState::Succeeded, ..seen.1.clone() };
    let events = [event(1, 1, "refunded", 1)];
    let news = news(7);
    let whole = PaymentChange { order: Some(&refunded), refund: Some(&back), events: &events, news: Some(&news) };

    let outdated = [
        (Order { revision: 0, ..refunded.clone() }, back.clone()),
        (Order { revision: 2, ..refunded.clone() }, back.clone()),
        (Order { revision: -1, ..refunded.clone() }, back.clone()),
        (Order { id: order(2, 0).id, ..refunded.clone() }, back.clone()),
        (refunded.clone(), Refund { revision: 0, ..back.clone() }),
        (refunded.clone(), Refund { revision: 2, ..back.clone() }),
        (refunded.clone(), Refund { id: refund(1, 9).id, ..back.clone() }),
        (Order { revision: 0, ..order(3, 0) }, Refund { revision: 7, ..back.clone() }),
    ];
    for (place, (order, refund)) in outdated.iter().enumerate() {
        let change = PaymentChange { order: Some(order), refund: Some(refund), ..whole };
        assert!(!store.change_payment(&change).await.unwrap(), "{place}");
    }
    let long = event(1, 1, &"k".repeat(33), 1);
    let failing = PaymentChange { events: std::slice::from_ref(&long), ..whole };
    assert!(matches!(store.change_payment(&failing).await, Err(StoreError::TooLong { limit: 32, .. })));
    assert_eq!(stored(&store, 1).await, seen.0);
    assert_eq!(store.refund(seen.1.id).await.unwrap().as_ref(), Some(&seen.1));
    for (table, rows) in [("orders", 1), ("refunds", 1), ("order_events", 0), ("messages", 0), ("deliveries", 0)] {
        assert_eq!(rows_of(fresh, table).await, rows, "{table}");
    }

    assert!(store.change_payment(&whole).await.unwrap());
    assert_eq!(stored(&store, 1).await, Order { revision: 2, ..refunded.clone() });
    assert_eq!(store.refund(back.id).await.unwrap(), Some(Refund { revision: 2, ..back.clone() }));
    assert_eq!(store.order_events(refunded.id, 9).await.unwrap(), events);
    assert_eq!(store.message(id(7)).await.unwrap(), Some(news.message.clone()));
    assert_eq!(store.deliveries(&[id(7)]).await.unwrap(), news.deliveries);
    // As after an answer to a commit that was lost on its way: whoever did it is told that it is done.
    assert!(!store.change_payment(&whole).await.unwrap());
    assert!(store.change_payment(&PaymentChange::default()).await.unwrap(), "nothing is always written");
}

pub(crate) async fn backends_are_told_once(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    place(&nodes[0], (0..20).map(|number| order(number, 0))).await;
    // Twenty changes, none in another's way, that all say the same.
    let telling: tokio::task::JoinSet<bool> = (0..20u32)
        .map(|number| {
            let store = nodes[usize::try_from(number % 2).unwrap()].clone();
            async move {
                let paid = Order { state: OrderState::Paid, ..stored(&store, number).await };
                let mut news = news(7);
                news.message.received_at = later(u64::from(number));
                news.deliveries[1].step = number;
                let change = PaymentChange { order: Some(&paid), news: Some(&news), ..PaymentChange::default() };
                store.change_payment(&change).await.unwrap()
            }
        })
        .collect();
    assert_eq!(telling.join_all().await, [true; 20], "what is known already is no conflict");
    for (table, rows) in [("messages", 1), ("answers", 1), ("deliveries", 2)] {
        assert_eq!(rows_of(fresh, table).await, rows, "{table}");
    }
    let told = nodes[0].message(id(7)).await.unwrap().unwrap();
    let owed = nodes[0].deliveries(&[id(7)]).await.unwrap();
    assert_eq!(later(u64::from(owed[1].step)), told.received_at, "all of it is of the same change");

    let answer = nodes[0].answer(id(7)).await.unwrap().unwrap();
    assert_eq!((answer.reply, answer.given_to), (None, Some(Recipient::Wechat)));
    assert_eq!((answer.decided_at, answer.finished_at), (told.received_at, Some(told.received_at)));
    let unfinished = nodes[1].unfinished_messages(HERE, NOW, later(999), 9).await.unwrap();
    assert_eq!(unfinished, [], "nobody takes it for a callback that was left half-way");
    assert_eq!(in_state(&nodes[0], MessageState::Delivering).await, [id(7)]);

    // Delivered, it stays so when the same is said again, even to another backend.
    nodes[0].beat(HERE, later(9999)).await.unwrap();
    for backend in [SHOP, DESK] {
        let taken = nodes[0].claim_deliveries(backend, HERE, later(99), 9).await.unwrap();
        assert_eq!(taken.len(), 1, "due at once");
        let done = Delivery { state: DeliveryState::Delivered, ..taken[0].clone() };
        assert!(nodes[0].settle_delivery(&done, HERE).await.unwrap());
    }
    let mut again = news(7);
    again.deliveries.push(Delivery { position: 2, ..delivery(7, BackendId([3; 16]), 3) });
    let again = PaymentChange { news: Some(&again), ..PaymentChange::default() };
    assert!(nodes[1].change_payment(&again).await.unwrap());
    assert_eq!(nodes[0].next_delivery().await.unwrap(), None);
    assert_eq!(in_state(&nodes[0], MessageState::Done).await, [id(7)]);

    let to_nobody = News { deliveries: Vec::new(), ..news(8) };
    assert!(nodes[0].change_payment(&PaymentChange { news: Some(&to_nobody), ..again }).await.unwrap());
    assert_eq!(in_state(&nodes[0], MessageState::Done).await.len(), 2);
}

async fn in_state(store: &Store, state: MessageState) -> Vec<store::MessageId> {
    let filter = MessageFilter { state: Some(state), ..MessageFilter::default() };
    store.messages(&filter, None, 9).await.unwrap().into_iter().map(|message| message.id).collect()
}

/// A notification of WeChat's may come while a node is asking: what it says counts, and the node is told that it was
/// late.
pub(crate) async fn who_asks_is_overtaken_by_who_knows(fresh: &Fresh) {
    let store = fresh.open().await;
    store.beat(HERE, later(9999)).await.unwrap();
    place(&store, [order(1, 0)]).await;
    assert!(change_refund(&store, &refund(1, 1)).await);
    let asked = store.claim_due_orders(HERE, later(60), 9).await.unwrap();
    let asked_refund = store.claim_due_refunds(HERE, later(60), 9).await.unwrap();
    let paid = Order { state: OrderState::Paid, due_at: None, paid_at: Some(later(1)), ..stored(&store, 1).await };
    let back = Refund { state: RefundState::Succeeded, due_at: None, ..asked_refund[0].clone() };
    assert!(change(&store, &paid).await);
    assert!(change_refund(&store, &back).await);
    let still_unpaid = Order { due_at: Some(later(90)), step: 1, ..asked[0].clone() };
    assert!(!change(&store, &still_unpaid).await);
    assert!(!change_refund(&store, &Refund { step: 1, ..asked_refund[0].clone() }).await);
    assert_eq!(stored(&store, 1).await, Order { revision: 2, ..paid });
    assert_eq!((store.next_due_order().await.unwrap(), store.next_due_refund().await.unwrap()), (None, None));
}

pub(crate) async fn what_belongs_to_no_known_order_has_no_events(fresh: &Fresh) {
    let store = fresh.open().await;
    let nameless = store::OrderEvent { order: OrderId::UNKNOWN, ..event(1, 1, "refunded", 1) };
    let refund = Refund { order: OrderId::UNKNOWN, ..refund(1, 1) };
    let events = [nameless.clone(), event(1, 2, "refunded", 2)];
    let change = PaymentChange { refund: Some(&refund), events: &events, ..PaymentChange::default() };
    assert!(store.change_payment(&change).await.unwrap());
    assert_eq!(rows_of(fresh, "order_events").await, 1);
    assert!(!store.add_order_event(&nameless, 9).await.unwrap());
    assert_eq!(store.refunds_of(OrderId::UNKNOWN).await.unwrap(), []);
}

pub(crate) async fn what_a_later_version_wrote_is_not_misread(fresh: &Fresh) {
    use sea_orm::ConnectionTrait;
    let store = fresh.open().await;
    place(&store, [order(1, 0)]).await;
    assert!(change_refund(&store, &refund(1, 1)).await);
    let beside = fresh.beside().await;
    for (table, column) in [("orders", "state"), ("orders", "version"), ("refunds", "state"), ("refunds", "version")] {
        let set = |value: &str| format!("UPDATE {table} SET {column} = {value}");
        beside.execute_unprepared(&set("99")).await.unwrap();
        let failed = match table {
            "orders" => store.order(order(1, 0).id).await.unwrap_err(),
            _ => store.refund(refund(1, 1).id).await.unwrap_err(),
        };
        assert!(matches!(failed, StoreError::Corrupt { .. }), "{table} {column}: {failed}");
        beside.execute_unprepared(&set("2")).await.unwrap();
    }
    assert!(store.order(order(1, 0).id).await.unwrap().is_some());
    beside.close().await.unwrap();
}
