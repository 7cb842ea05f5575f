//! Chapter nine: nodes say that they are alive, and are missed when they do not.

use store::NodeId;

use crate::engines::{Fresh, NOW};
use crate::messages::{HERE, THERE, later};

const THIRD: NodeId = NodeId([3; 16]);

pub(crate) async fn a_node_is_alive_until_the_moment_it_named(fresh: &Fresh) {
    let store = fresh.open().await;
    assert!(!store.is_alive(HERE, NOW).await.unwrap());
    assert_eq!(store.dead_nodes(later(1000)).await.unwrap(), []);
    store.beat(HERE, later(15)).await.unwrap();
    assert!(store.is_alive(HERE, later(14)).await.unwrap());
    assert!(!store.is_alive(HERE, later(15)).await.unwrap());
    assert_eq!(store.dead_nodes(later(14)).await.unwrap(), []);
    assert_eq!(store.dead_nodes(later(15)).await.unwrap(), [(HERE, later(15))]);
    store.beat(HERE, later(20)).await.unwrap();
    assert!(store.is_alive(HERE, later(15)).await.unwrap());
    // A node that leaves names this moment.
    store.beat(HERE, later(16)).await.unwrap();
    assert!(!store.is_alive(HERE, later(16)).await.unwrap());
    store.forget_node(HERE).await.unwrap();
    store.forget_node(HERE).await.unwrap();
    assert_eq!(store.dead_nodes(later(1000)).await.unwrap(), []);
}

pub(crate) async fn only_on_a_database_for_one_node_the_others_are_ended(fresh: &Fresh) {
    let store = fresh.open().await;
    store.beat(HERE, later(15)).await.unwrap();
    store.beat(THERE, later(15)).await.unwrap();
    store.beat(THIRD, later(3)).await.unwrap();
    store.end_other_nodes(HERE, later(5)).await.unwrap();
    assert!(store.is_alive(HERE, later(14)).await.unwrap());
    assert_eq!(store.is_alive(THERE, later(5)).await.unwrap(), !fresh.is_sqlite());
    let mut dead = store.dead_nodes(later(5)).await.unwrap();
    dead.sort_by_key(|(_, until)| *until);
    // The third was gone before: what it left is looked for from that moment on.
    let expected = [(THIRD, later(3)), (THERE, later(5))];
    assert_eq!(dead, if fresh.is_sqlite() { &expected[..] } else { &expected[..1] });
}
