//! Chapter fourteen: calls to WeChat are counted, by many nodes at once.

use store::{ApiUse, MAX_API_BYTES, StoreError};

use crate::engines::{Fresh, NOW};

fn used(day: i64, key: &str, api: &str, calls: u64, refused: u64) -> ApiUse {
    ApiUse { day, key: key.into(), api: api.into(), calls, refused }
}

pub(crate) async fn what_many_nodes_count_at_once_is_added_up(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    let today = ApiUse::day_of(NOW);
    let places: Vec<(String, String)> =
        (0..10).flat_map(|key| (0..4).map(move |api| (format!("k{key}"), format!("/cgi-bin/{api}")))).collect();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..12_usize {
        let store = nodes[number % 2].clone();
        let mut counts: Vec<ApiUse> = places.iter().map(|(key, api)| used(today, key, api, 3, 1)).collect();
        // Each in another order, as the maps of nodes have them.
        counts.rotate_left(number * 7 % places.len());
        if number % 3 == 0 {
            counts.reverse();
        }
        writers.spawn(async move {
            for _ in 0..4 {
                store.add_api_usage(&counts).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let rows = nodes[0].api_usage(today, today, None, 1000).await.unwrap();
    assert_eq!(rows.len(), places.len());
    assert!(rows.iter().all(|row| (row.calls, row.refused) == (12 * 4 * 3, 12 * 4)), "{rows:?}");
}

pub(crate) async fn the_newest_day_comes_first_and_what_was_called_most(fresh: &Fresh) {
    let store = fresh.open().await;
    store.add_api_usage(&[]).await.unwrap();
    let rows = [
        used(20, "公众号", "/cgi-bin/b", 5, 0),
        used(20, "Test", "/cgi-bin/a", 7, 7),
        used(20, "test", "/cgi-bin/a", 5, 1),
        used(19, "test", "/cgi-bin/a", 9, 0),
        used(18, "test", "/cgi-bin/A", u64::from(u32::MAX) + 1, 2),
    ];
    store.add_api_usage(&rows).await.unwrap();
    // The same place twice in one call, and on top of what is there.
    store.add_api_usage(&[used(18, "test", "/cgi-bin/A", 1, 0), used(18, "test", "/cgi-bin/A", 1, 1)]).await.unwrap();

    let most = used(18, "test", "/cgi-bin/A", u64::from(u32::MAX) + 3, 3);
    let sorted = [rows[1].clone(), rows[2].clone(), rows[0].clone(), rows[3].clone(), most];
    assert_eq!(store.api_usage(0, 100, None, 100).await.unwrap(), sorted);
    assert_eq!(store.api_usage(0, 100, None, 2).await.unwrap(), sorted[..2]);
    assert_eq!(store.api_usage(18, 19, None, 100).await.unwrap(), sorted[3..]);
    assert_eq!(store.api_usage(18, 20, Some("test"), 2).await.unwrap(), [sorted[1].clone(), sorted[3].clone()]);
    assert_eq!(store.api_usage(18, 20, Some("TEST"), 9).await.unwrap(), []);
    assert_eq!(store.api_usage(20, 18, None, 9).await.unwrap(), []);
}

pub(crate) async fn counts_that_do_not_fit_are_refused_together(fresh: &Fresh) {
    let store = fresh.open().await;
    let longest = [used(1, &"k".repeat(256), &"/".repeat(MAX_API_BYTES), 1, 0)];
    store.add_api_usage(&longest).await.unwrap();
    assert_eq!(store.api_usage(1, 1, None, 9).await.unwrap(), longest);
    for long in [used(2, &"k".repeat(257), "/a", 1, 0), used(2, "k", &"/".repeat(MAX_API_BYTES + 1), 1, 0)] {
        let error = store.add_api_usage(&[used(2, "k", "/a", 1, 0), long]).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLong { .. }), "{error}");
    }
    assert_eq!(store.api_usage(2, 2, None, 9).await.unwrap(), []);
}

pub(crate) async fn old_days_are_forgotten(fresh: &Fresh) {
    let store = fresh.open().await;
    let rows: Vec<ApiUse> = (1..=4).map(|day| used(day, "k", "/a", 1, 0)).collect();
    store.add_api_usage(&rows).await.unwrap();
    assert_eq!(store.prune_api_usage(3).await.unwrap(), 2);
    assert_eq!(store.prune_api_usage(3).await.unwrap(), 0);
    let left: Vec<i64> = store.api_usage(0, 9, None, 9).await.unwrap().iter().map(|row| row.day).collect();
    assert_eq!(left, [4, 3]);
}
