//! Chapter ten: visitors log in; a round trip is spent once, a ticket taken once.

use futures::future::join_all;

use crate::engines::{Fresh, NOW};
use crate::messages::later;

pub(crate) async fn a_round_trip_is_spent_once(fresh: &Fresh) {
    let (here, there) = (fresh.open().await, fresh.open().await);
    let tries = (0..20).map(|number| {
        let store = if number % 2 == 0 { &here } else { &there };
        store.spend_round_trip([1; 16], later(300))
    });
    let first: Vec<bool> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(first.iter().filter(|first| **first).count(), 1);
    assert!(here.spend_round_trip([2; 16], later(600)).await.unwrap());
    assert_eq!(here.remove_old_logins(later(300)).await.unwrap(), 1);
    assert!(!there.spend_round_trip([2; 16], later(600)).await.unwrap());
}

pub(crate) async fn a_ticket_is_taken_once_by_its_registration_in_time(fresh: &Fresh) {
    let (here, there) = (fresh.open().await, fresh.open().await);
    here.keep_login([1; 16], "test", "{\"nickname\":\"🐼\"}".as_bytes(), later(60)).await.unwrap();
    assert!(there.take_login([1; 16], "other", NOW).await.unwrap().is_none());
    assert!(there.take_login([2; 16], "test", NOW).await.unwrap().is_none());
    assert!(there.take_login([1; 16], "test", later(60)).await.unwrap().is_none());
    let tries = (0..20).map(|number| {
        let store = if number % 2 == 0 { &here } else { &there };
        store.take_login([1; 16], "test", NOW)
    });
    let taken: Vec<_> = join_all(tries).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(
        taken.iter().map(|visitor| visitor.as_slice()).collect::<Vec<_>>(),
        ["{\"nickname\":\"🐼\"}".as_bytes()]
    );
    here.keep_login([3; 16], "test", b"{}", later(60)).await.unwrap();
    assert_eq!(here.remove_old_logins(later(60)).await.unwrap(), 1);
    assert!(here.take_login([3; 16], "test", NOW).await.unwrap().is_none());
}
