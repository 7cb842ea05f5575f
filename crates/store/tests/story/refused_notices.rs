//! Chapter fourteen: notifications that were not believed are kept for a look, the newest few of each registration.

use store::{OrderId, RefusedNotice, Store, StoreError};

use crate::engines::Fresh;
use crate::messages::{later, rows_of};
use crate::orders::order;

/// A notice that came so many seconds after the beginning, of which the number is its id.
pub(crate) fn notice(number: u32, key: &str, seconds: u64) -> RefusedNotice {
    let mut id = [0xaa; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    RefusedNotice {
        id,
        app_key: key.into(),
        order: None,
        at: later(seconds),
        reason: "bad_signature".into(),
        detail: br#"{"from":"203.0.113.9"}"#.to_vec(),
    }
}

async fn keep(store: &Store, notice: RefusedNotice, at_most: u64) {
    store.keep_refused_notice(&notice, at_most).await.unwrap();
}

async fn kept(store: &Store, key: Option<&str>, order: Option<OrderId>) -> Vec<u32> {
    let notices = store.refused_notices(key, order, 999).await.unwrap();
    notices.iter().map(|notice| u32::from_be_bytes(notice.id[..4].try_into().unwrap())).collect()
}

pub(crate) async fn the_newest_of_each_registration_are_kept(fresh: &Fresh) {
    let store = fresh.open().await;
    let about = |number, order| RefusedNotice { order: Some(order), ..notice(number, "test", 2) };
    let (one, two) = (order(1, 0).id, order(2, 0).id);
    for notice in [about(1, one), about(2, two), notice(3, "Test", 5), notice(4, "测试", 1)] {
        keep(&store, notice, 3).await;
    }
    let full = RefusedNotice {
        app_key: "键".repeat(64),
        reason: "r".repeat(64),
        detail: (0..=255).cycle().take(128 * 1024).collect(),
        ..about(5, one)
    };
    keep(&store, full.clone(), 3).await;
    assert!(store.refused_notices(Some(&full.app_key), None, 9).await.unwrap() == [full.clone()]);
    assert_eq!(kept(&store, None, None).await, [3, 5, 2, 1, 4], "the newest first");
    assert_eq!(kept(&store, Some("test"), None).await, [2, 1]);
    assert_eq!(kept(&store, None, Some(one)).await, [5, 1]);
    assert_eq!(kept(&store, Some("test"), Some(one)).await, [1]);
    assert_eq!(store.refused_notices(None, None, 2).await.unwrap().len(), 2);

    keep(&store, notice(6, "test", 9), 3).await;
    keep(&store, notice(6, "test", 9), 3).await;
    assert_eq!(kept(&store, Some("test"), None).await, [6, 2, 1], "the same again is the same");
    keep(&store, notice(7, "test", 9), 3).await;
    assert_eq!(kept(&store, Some("test"), None).await, [7, 6, 2]);
    keep(&store, notice(8, "test", 0), 3).await;
    assert_eq!(kept(&store, Some("test"), None).await, [7, 6, 2], "it is older than those that stay");
    assert_eq!(kept(&store, Some("Test"), None).await, [3], "others' stay as they are");

    let long = [
        RefusedNotice { app_key: "k".repeat(257), ..notice(9, "", 0) },
        RefusedNotice { reason: "r".repeat(65), ..notice(9, "", 0) },
    ];
    for notice in long {
        let refused = store.keep_refused_notice(&notice, 3).await;
        assert!(matches!(refused, Err(StoreError::TooLong { .. })), "{refused:?}");
    }
}

pub(crate) async fn a_flood_leaves_no_more_than_the_bound(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    let flood: tokio::task::JoinSet<()> = (0..120u32)
        .map(|number| {
            let store = nodes[usize::try_from(number % 2).unwrap()].clone();
            async move { keep(&store, notice(number, "test", u64::from(number)), 110).await }
        })
        .collect();
    flood.join_all().await;
    // Those that came together may have overlooked each other; whoever comes next sees to it.
    keep(&nodes[0], notice(120, "test", 120), 110).await;
    assert_eq!(kept(&nodes[1], None, None).await, (11..=120).rev().collect::<Vec<u32>>());
    // The bound is lowered: one call does not do all of the work.
    keep(&nodes[0], notice(121, "test", 121), 2).await;
    assert_eq!(rows_of(fresh, "refused_notices").await, 11);
    keep(&nodes[0], notice(122, "test", 122), 2).await;
    assert_eq!(kept(&nodes[1], None, None).await, [122, 121]);
}
