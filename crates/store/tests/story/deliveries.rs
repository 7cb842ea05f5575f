//! Chapter seven: what a backend still has to get waits its turn, in the hands of one node at a time.

use std::collections::HashSet;
use std::time::Duration;

use store::{BackendId, Delivery, DeliveryState, NodeId, Store, Timestamp};

use crate::engines::{Fresh, NOW};
use crate::messages::{HERE, THERE, Written, delivery, id, later, write};

const SHOP: BackendId = BackendId([1; 16]);
const DESK: BackendId = BackendId([2; 16]);

async fn owe(store: &Store, deliveries: Vec<Delivery>) {
    write(store, Written { deliveries, ..Written::default() }).await;
}

async fn both_alive(store: &Store) {
    store.beat(HERE, later(10_000)).await.unwrap();
    store.beat(THERE, later(10_000)).await.unwrap();
}

fn ids(deliveries: &[Delivery]) -> Vec<u32> {
    deliveries.iter().map(|one| u32::from_be_bytes(one.message_id.0[..4].try_into().unwrap())).collect()
}

fn state_at(deliveries: &[Delivery], number: u32) -> DeliveryState {
    deliveries.iter().find(|one| one.message_id == id(number)).unwrap().state
}

async fn all(store: &Store, numbers: impl Iterator<Item = u32>) -> Vec<Delivery> {
    store.deliveries(&numbers.map(id).collect::<Vec<_>>()).await.unwrap()
}

/// As both nodes' lanes do: take what is due, write down what became of each, give back the rest, for several backends at once.
pub(crate) async fn lanes_of_two_nodes_do_not_get_in_each_others_way(fresh: &Fresh) {
    const BACKENDS: u8 = 8;
    const MESSAGES: u32 = 5;
    let nodes = [fresh.open().await, fresh.open().await];
    both_alive(&nodes[0]).await;
    for round in 0..12_u32 {
        let numbers = round * MESSAGES..(round + 1) * MESSAGES;
        let owed = numbers.clone().flat_map(|number| {
            (1..=BACKENDS).map(move |backend| Delivery {
                position: backend.into(),
                ..delivery(number, BackendId([backend; 16]), 0)
            })
        });
        owe(&nodes[0], owed.collect()).await;
        let lane = |store: &Store, node: NodeId, backend: u8| {
            let (store, backend) = (store.clone(), BackendId([backend; 16]));
            async move {
                let mut brought = Vec::new();
                loop {
                    let batch = store.claim_deliveries(backend, node, later(100), 3).await.unwrap();
                    let is_over = batch.is_empty();
                    for mut delivery in batch {
                        delivery.state = DeliveryState::Delivered;
                        assert!(store.settle_delivery(&delivery, node).await.unwrap(), "it is this node's");
                        brought.push((delivery.message_id, delivery.position));
                    }
                    store.release_deliveries(node, Some(backend)).await.unwrap();
                    if is_over {
                        return brought;
                    }
                }
            }
        };
        let lanes =
            (1..=BACKENDS).flat_map(|backend| [lane(&nodes[0], HERE, backend), lane(&nodes[1], THERE, backend)]);
        let racing: tokio::task::JoinSet<Vec<_>> = lanes.collect();
        let brought = racing.join_all().await.concat();
        let once: HashSet<_> = brought.iter().copied().collect();
        let all = usize::from(BACKENDS) * MESSAGES as usize;
        assert_eq!((brought.len(), once.len()), (all, all), "round {round}");
    }
}

pub(crate) async fn two_nodes_take_each_row_once_and_the_longest_due_first(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    both_alive(&nodes[0]).await;
    // Written in another order than that of their turns; the last ten are not due yet, or another backend's.
    let mut owed: Vec<Delivery> = (0..60).map(|number| delivery(number, SHOP, u64::from(number))).collect();
    owed.extend((60..65).map(|number| delivery(number, SHOP, 500)));
    owed.extend((65..70).map(|number| delivery(number, DESK, 0)));
    owed.sort_by_key(|delivery| delivery.message_id.0[3].reverse_bits());
    owe(&nodes[0], owed).await;

    let claim_all = |store: &Store, node: NodeId| {
        let store = store.clone();
        async move {
            let mut taken = Vec::new();
            loop {
                let batch = store.claim_deliveries(SHOP, node, later(100), 7).await.unwrap();
                assert!(batch.len() <= 7);
                assert!(batch.is_sorted_by_key(due_at), "{batch:?}");
                if batch.is_empty() {
                    return taken;
                }
                taken.extend(batch);
            }
        }
    };
    let racing: tokio::task::JoinSet<Vec<Delivery>> =
        [claim_all(&nodes[0], HERE), claim_all(&nodes[1], THERE)].into_iter().collect();
    let taken: Vec<u32> = racing.join_all().await.iter().flat_map(|taken| ids(taken)).collect();
    let once: HashSet<u32> = taken.iter().copied().collect();
    assert_eq!((taken.len(), once), (60, (0..60).collect()));
    assert_eq!(nodes[0].backends_with_due_deliveries(later(100), &[]).await.unwrap(), [DESK]);
    let mut both = nodes[0].backends_with_due_deliveries(later(500), &[]).await.unwrap();
    both.sort();
    assert_eq!(both, [SHOP, DESK]);
    assert_eq!(nodes[0].backends_with_due_deliveries(later(500), &[DESK]).await.unwrap(), [SHOP]);
    assert_eq!(nodes[1].count_pending_deliveries().await.unwrap(), 70, "taken is not done");
}

/// As after an outage, in which all were moved on together.
pub(crate) async fn rows_that_are_due_together_are_taken_by_age(fresh: &Fresh) {
    let store = fresh.open().await;
    both_alive(&store).await;
    let aged = |number: u32| {
        let received_at = NOW - Duration::from_secs(u64::from(number * 7 % 10));
        Delivery { received_at, ..delivery(number, SHOP, 0) }
    };
    owe(&store, (0..10).map(aged).collect()).await;
    let taken = store.claim_deliveries(SHOP, HERE, NOW, 4).await.unwrap();
    let ages: Vec<Duration> = taken.iter().map(|one| NOW.since(one.received_at)).collect();
    assert_eq!(ages, [9, 8, 7, 6].map(Duration::from_secs), "the oldest four");
}

fn due_at(delivery: &Delivery) -> Timestamp {
    match delivery.state {
        DeliveryState::Pending(at) => at,
        other => panic!("{other:?} is not due"),
    }
}

pub(crate) async fn who_has_a_delivery_settles_it_and_nobody_else(fresh: &Fresh) {
    let store = fresh.open().await;
    both_alive(&store).await;
    owe(&store, (1..=4).map(|number| delivery(number, SHOP, 0)).collect()).await;
    let mine = store.claim_deliveries(SHOP, HERE, NOW, 9).await.unwrap();
    assert_eq!(mine.len(), 4);
    let done = |number: usize, state| Delivery {
        state,
        step: 1,
        sent: 2,
        unreachable: true,
        attempts: b"[2]".to_vec(),
        ..mine[number].clone()
    };
    let delivered = done(0, DeliveryState::Delivered);
    assert!(!store.settle_delivery(&delivered, THERE).await.unwrap());
    assert!(store.settle_delivery(&delivered, HERE).await.unwrap());
    assert!(!store.settle_delivery(&delivered, HERE).await.unwrap(), "it was let go");
    let again = done(1, DeliveryState::Pending(later(30)));
    assert!(store.settle_delivery(&again, HERE).await.unwrap());
    assert!(store.settle_delivery(&done(2, DeliveryState::Dead), HERE).await.unwrap());
    assert!(store.settle_delivery(&done(3, DeliveryState::Refused), HERE).await.unwrap());

    assert_eq!(store.count_pending_deliveries().await.unwrap(), 1);
    assert_eq!(store.next_delivery().await.unwrap(), Some(later(30)));
    assert!(store.claim_deliveries(SHOP, THERE, later(29), 9).await.unwrap().is_empty());
    assert_eq!(store.claim_deliveries(SHOP, THERE, later(30), 9).await.unwrap(), std::slice::from_ref(&again));
    assert_eq!(store.next_delivery().await.unwrap(), Some(later(30)), "whoever has it");
    let known = all(&store, 1..=4).await;
    assert_eq!(known, [delivered, again, done(2, DeliveryState::Dead), done(3, DeliveryState::Refused)]);
}

pub(crate) async fn what_was_not_tried_is_given_back(fresh: &Fresh) {
    let store = fresh.open().await;
    both_alive(&store).await;
    owe(&store, vec![delivery(1, SHOP, 0), delivery(2, DESK, 0), delivery(3, SHOP, 0)]).await;
    let claim = async |backend, node| ids(&store.claim_deliveries(backend, node, NOW, 1).await.unwrap());
    assert_eq!(claim(SHOP, HERE).await.len(), 1);
    assert_eq!(claim(SHOP, THERE).await.len(), 1);
    assert_eq!(claim(DESK, HERE).await, [2]);
    store.release_deliveries(HERE, Some(SHOP)).await.unwrap();
    assert!(claim(DESK, THERE).await.is_empty(), "another backend's stays");
    assert_eq!(claim(SHOP, THERE).await.len(), 1, "the one that HERE had");
    assert!(claim(SHOP, THERE).await.is_empty(), "the one that THERE had stays");
    store.release_deliveries(HERE, None).await.unwrap();
    assert_eq!(claim(DESK, THERE).await, [2]);
}

pub(crate) async fn what_a_dead_node_has_is_anybodys(fresh: &Fresh) {
    let store = fresh.open().await;
    store.beat(HERE, later(15)).await.unwrap();
    store.beat(THERE, later(100)).await.unwrap();
    owe(&store, vec![delivery(1, SHOP, 0), delivery(2, SHOP, 1)]).await;
    let mine = store.claim_deliveries(SHOP, HERE, later(5), 9).await.unwrap();
    assert_eq!(mine.len(), 2);
    assert!(store.claim_deliveries(SHOP, THERE, later(14), 9).await.unwrap().is_empty());
    assert_eq!(store.backends_with_due_deliveries(later(14), &[]).await.unwrap(), []);
    assert_eq!(store.backends_with_due_deliveries(later(15), &[]).await.unwrap(), [SHOP]);
    let taken = store.claim_deliveries(SHOP, THERE, later(15), 9).await.unwrap();
    assert_eq!(ids(&taken), [1, 2]);
    let done = Delivery { state: DeliveryState::Delivered, ..mine[0].clone() };
    assert!(!store.settle_delivery(&done, HERE).await.unwrap(), "its node was thought to be dead: another has it");
    assert!(store.settle_delivery(&done, THERE).await.unwrap());
    // A node that was forgotten is as dead as one whose time is over.
    store.forget_node(THERE).await.unwrap();
    assert_eq!(ids(&store.claim_deliveries(SHOP, HERE, later(16), 9).await.unwrap()), [2]);
    // A node that comes to life again keeps what nobody has taken.
    store.beat(HERE, later(50)).await.unwrap();
    assert!(store.claim_deliveries(SHOP, NodeId([3; 16]), later(49), 9).await.unwrap().is_empty());
}

pub(crate) async fn what_waits_for_a_backend_that_is_down_keeps_its_step(fresh: &Fresh) {
    let store = fresh.open().await;
    both_alive(&store).await;
    let at_step = |number, step, seconds| Delivery { step, ..delivery(number, SHOP, seconds) };
    let old = Delivery { received_at: NOW - Duration::from_secs(9), ..at_step(5, 9, 0) };
    let owed = vec![
        at_step(1, 0, 0),
        at_step(2, 9, 0),
        at_step(3, 1, 50),
        Delivery { backend: DESK, ..at_step(4, 1, 0) },
        old.clone(),
    ];
    owe(&store, owed.clone()).await;
    let dead_before = NOW - Duration::from_secs(5);
    let postpone = async |due_at| store.postpone_deliveries(SHOP, later(10), due_at, dead_before).await.unwrap();
    // What is in the hands of a living node is left alone.
    assert_eq!(ids(&store.claim_deliveries(SHOP, THERE, later(10), 1).await.unwrap()), [5]);
    postpone(later(130)).await;
    let put_off =
        |place: usize| Delivery { unreachable: true, state: DeliveryState::Pending(later(130)), ..owed[place].clone() };
    let wanted = [put_off(0), put_off(1), owed[2].clone(), owed[3].clone(), old.clone()];
    assert_eq!(all(&store, 1..=5).await, wanted, "3 is not due, 4 is another backend's, THERE has 5");

    // What a dead one had is let go; what is too old is over.
    store.beat(THERE, later(10)).await.unwrap();
    postpone(later(60)).await;
    let over = Delivery { unreachable: true, state: DeliveryState::Dead, ..old };
    assert_eq!(all(&store, 5..=5).await, [over]);
    store.beat(THERE, later(10_000)).await.unwrap();
    assert_eq!(ids(&store.claim_deliveries(SHOP, HERE, later(130), 9).await.unwrap()), [3, 1, 2]);
}

pub(crate) async fn a_backend_that_is_back_gets_what_did_not_reach_it_by_age(fresh: &Fresh) {
    let store = fresh.open().await;
    both_alive(&store).await;
    let unreached = |number: u32, age: u64, backend| Delivery {
        received_at: NOW - Duration::from_secs(age),
        unreachable: true,
        ..delivery(number, backend, 3600)
    };
    let owed = vec![
        unreached(1, 10, SHOP),
        unreached(2, 30, SHOP),
        unreached(3, 20, SHOP),
        unreached(4, 10, DESK),
        // It was there, and did not want this one.
        Delivery { unreachable: false, ..unreached(5, 40, SHOP) },
        Delivery { state: DeliveryState::Dead, ..unreached(6, 50, SHOP) },
    ];
    owe(&store, owed).await;
    let mut unreached = store.unreached_backends().await.unwrap();
    unreached.sort();
    assert_eq!(unreached, [SHOP, DESK]);
    assert_eq!(store.pull_deliveries(SHOP).await.unwrap(), 3);
    assert_eq!(store.pull_deliveries(SHOP).await.unwrap(), 0, "they are due already");
    assert_eq!(store.next_delivery().await.unwrap(), Some(NOW - Duration::from_secs(30)));
    assert_eq!(ids(&store.claim_deliveries(SHOP, HERE, NOW, 9).await.unwrap()), [2, 3, 1], "the oldest first");
    let known = all(&store, 4..=6).await;
    assert_eq!((known[0].state, known[1].state), (DeliveryState::Pending(later(3600)), known[0].state));
    assert_eq!(known[2].state, DeliveryState::Dead);
}

pub(crate) async fn what_is_over_can_be_renewed(fresh: &Fresh) {
    let store = fresh.open().await;
    both_alive(&store).await;
    let over = |number, state| Delivery {
        state,
        step: 10,
        sent: 11,
        unreachable: true,
        attempts: b"[11]".to_vec(),
        ..delivery(number, SHOP, 0)
    };
    owe(&store, vec![over(1, DeliveryState::Dead), over(2, DeliveryState::Refused), over(3, DeliveryState::Delivered)])
        .await;
    let again: Vec<Delivery> = (1..=4).map(|number| delivery(number, SHOP, 7)).collect();
    store.renew_deliveries(&again).await.unwrap();
    store.renew_deliveries(&[]).await.unwrap();
    let known = all(&store, 1..=4).await;
    for one in &known[..3] {
        assert_eq!((one.state, one.step, one.unreachable), (DeliveryState::Pending(later(7)), 0, false));
        assert_eq!((one.sent, &one.attempts[..]), (11, &b"[11]"[..]), "what is known of the tries is kept");
    }
    assert_eq!(known[3], again[3], "one that was taken at the first try has no row before");
    assert_eq!(store.claim_deliveries(SHOP, HERE, later(7), 9).await.unwrap().len(), 4);
    assert_eq!(state_at(&known, 3), DeliveryState::Pending(later(7)));
}
