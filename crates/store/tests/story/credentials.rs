//! Chapter three: tokens are renewed.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use store::{DueCredential, Failure, Lease, NewValue, Store, StoreError, Timestamp, fingerprint};

use crate::engines::{Fresh, NOW, app};

const LEASE: Duration = Duration::from_secs(15);

fn later(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn value(text: &str) -> NewValue {
    NewValue {
        value: SecretString::from(text),
        issued_at: NOW,
        expires_at: later(7200),
        refresh_at: later(6600),
        forced_at: None,
    }
}

fn failure(count: u32, retry_at: Timestamp) -> Failure {
    let text = "invalid appsecret, view more at …\0 rid: 😀".into();
    Failure { errcode: Some(40125), text, count, failed_at: NOW, retry_at }
}

async fn claim(store: &Store, id: &str, owner: &str, version: i64, now: Timestamp) -> bool {
    store.claim_credential(id, "wx1", owner, version, now, now + LEASE).await.unwrap()
}

pub(crate) async fn one_of_fifty_claimants_wins(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    for version in 0..3 {
        let mut claimants = tokio::task::JoinSet::new();
        for number in 0..50 {
            let store = nodes[number % 2].clone();
            claimants.spawn(async move {
                let owner = format!("owner {number}");
                claim(&store, "token:wx1", &owner, version, NOW).await.then_some(owner)
            });
        }
        let winners: Vec<String> = claimants.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "version {version}: {winners:?}");
        let seen = nodes[0].credential("token:wx1").await.unwrap().unwrap();
        assert_eq!(seen.lease, Some(Lease { owner: winners[0].clone(), until: NOW + LEASE }));

        for loser in (0..50).map(|number| format!("owner {number}")).filter(|owner| *owner != winners[0]) {
            assert!(!nodes[1].complete_credential("token:wx1", &loser, &value("loser's")).await.unwrap());
        }
        let new = value(&format!("value {version}"));
        assert!(nodes[0].complete_credential("token:wx1", &winners[0], &new).await.unwrap());
        assert!(!nodes[0].complete_credential("token:wx1", &winners[0], &new).await.unwrap(), "only once");
        let seen = nodes[1].credential("token:wx1").await.unwrap().unwrap();
        assert_eq!(seen.value.unwrap().expose_secret(), format!("value {version}"));
        assert_eq!((seen.version, seen.lease, seen.refresh_at), (version + 1, None, later(6600)));
        assert!(!claim(&nodes[0], "token:wx1", "late", version, NOW).await, "who has not seen the new value");
    }
}

pub(crate) async fn a_lease_is_taken_over_after_its_end(fresh: &Fresh) {
    let store = fresh.open().await;
    assert!(claim(&store, "token:wx1", "dies", 0, NOW).await);
    assert!(!claim(&store, "token:wx1", "waits", 0, later(14)).await);
    assert!(!claim(&store, "token:wx1", "dies", 0, later(14)).await, "not even the owner");
    assert!(claim(&store, "token:wx1", "waits", 0, later(15)).await);
    assert!(!store.complete_credential("token:wx1", "dies", &value("too late")).await.unwrap());
    assert!(!store.fail_credential("token:wx1", "dies", &failure(1, later(60))).await.unwrap());
    store.release_credential("token:wx1", "dies").await.unwrap();
    let forced = NewValue { forced_at: Some(later(16)), ..value("in time") };
    assert!(store.complete_credential("token:wx1", "waits", &forced).await.unwrap());
    let seen = store.credential("token:wx1").await.unwrap().unwrap();
    assert_eq!((seen.value.unwrap().expose_secret(), seen.forced_at), ("in time", Some(later(16))));

    // Nothing stays of a claim that created the credential and is given back.
    assert!(claim(&store, "new", "gives back", 0, NOW).await);
    store.release_credential("new", "another").await.unwrap();
    assert!(store.credential("new").await.unwrap().is_some());
    store.release_credential("new", "gives back").await.unwrap();
    assert!(store.credential("new").await.unwrap().is_none());

    // What no registration needs is removed, but not under somebody's hands.
    assert!(claim(&store, "unused", "a", 0, NOW).await);
    store.remove_credential("unused", 0, later(14)).await.unwrap();
    assert!(store.complete_credential("unused", "a", &value("v")).await.unwrap(), "it was held");
    store.remove_credential("unused", 0, later(14)).await.unwrap();
    assert!(store.credential("unused").await.unwrap().is_some(), "it has another version by now");
    store.remove_credential("unused", 1, later(14)).await.unwrap();
    assert!(store.credential("unused").await.unwrap().is_none());

    // A lease that is given back is free at once.
    assert!(claim(&store, "token:wx1", "gives back", 1, later(20)).await);
    store.release_credential("token:wx1", "gives back").await.unwrap();
    assert!(claim(&store, "token:wx1", "next", 1, later(20)).await);
    assert!(store.complete_credential("token:wx1", "next", &value("unforced")).await.unwrap());
    let seen = store.credential("token:wx1").await.unwrap().unwrap();
    assert_eq!((seen.version, seen.forced_at), (2, Some(later(16))));

    assert!(store.credential("TOKEN:wx1").await.unwrap().is_none());
    let long = "x".repeat(store::MAX_CREDENTIAL_ID_BYTES + 1);
    let refused = store.claim_credential(&long, "wx1", "o", 0, NOW, NOW).await;
    assert!(matches!(refused, Err(StoreError::TooLong { .. })));
    let longest = "x".repeat(store::MAX_CREDENTIAL_ID_BYTES);
    let owner = "o".repeat(store::MAX_OWNER_BYTES);
    assert!(claim(&store, &longest, &owner, 0, NOW).await);
    assert!(store.complete_credential(&longest, &owner, &value("v")).await.unwrap());
}

pub(crate) async fn a_failure_keeps_the_value_and_stops_those_who_have_not_seen_it(fresh: &Fresh) {
    let store = fresh.open().await;
    assert!(claim(&store, "t", "a", 0, NOW).await);
    assert!(store.complete_credential("t", "a", &value("good")).await.unwrap());
    assert!(claim(&store, "t", "a", 1, NOW).await);
    let failed = failure(3, later(300));
    assert!(store.fail_credential("t", "a", &failed).await.unwrap());

    let seen = store.credential("t").await.unwrap().unwrap();
    assert_eq!(seen.value.unwrap().expose_secret(), "good");
    assert_eq!((seen.expires_at, seen.refresh_at), (Some(later(7200)), later(300)));
    assert_eq!((seen.failure, seen.lease, seen.version), (Some(failed), None, 2));

    assert!(!claim(&store, "t", "b", 1, later(1)).await, "b read it before the failure");
    assert!(claim(&store, "t", "b", 2, later(300)).await);
    assert!(store.complete_credential("t", "b", &value("better")).await.unwrap());
    assert_eq!(store.credential("t").await.unwrap().unwrap().failure, None);
}

pub(crate) async fn what_is_due(fresh: &Fresh) {
    let store = fresh.open().await;
    assert_eq!(store.next_due(Timestamp::ZERO).await.unwrap(), None);
    for (id, refresh) in [("soon", 10), ("later", 20), ("unused", 5)] {
        assert!(claim(&store, id, "a", 0, NOW).await);
        let new = NewValue { refresh_at: later(refresh), ..value(id) };
        assert!(store.complete_credential(id, "a", &new).await.unwrap());
    }
    let many: Vec<String> = (0..1200).map(|number| format!("unknown {number}")).collect();
    store.mark_used(&many, later(2)).await.unwrap();
    store.mark_used(&["soon", "later", "soon", "😀"], later(2)).await.unwrap();
    store.mark_used(&["soon"], later(1)).await.unwrap();
    assert_eq!(store.credential("soon").await.unwrap().unwrap().used_at, later(2), "it never goes back");

    let due = async |now, used_since| {
        let due: Vec<DueCredential> = store.due_credentials(now, used_since, 10).await.unwrap();
        due.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(due(later(4), NOW).await, Vec::<String>::new());
    assert_eq!(due(later(20), NOW).await, ["unused", "soon", "later"]);
    assert_eq!(due(later(20), later(2)).await, ["soon", "later"]);
    assert_eq!(store.due_credentials(later(20), NOW, 1).await.unwrap()[0].appid, "wx1");
    assert_eq!(store.next_due(NOW).await.unwrap(), Some(later(5)));
    assert_eq!(store.next_due(later(1)).await.unwrap(), Some(later(10)));

    // What somebody renews is not due until the lease is over.
    assert!(claim(&store, "soon", "b", 1, later(10)).await);
    assert_eq!(due(later(24), later(2)).await, ["later"]);
    assert_eq!(due(later(25), later(2)).await, ["later", "soon"]);
    store.release_credential("soon", "b").await.unwrap();
    assert_eq!(due(later(10), later(2)).await, ["soon"]);

    // And what failed not before its time.
    assert!(claim(&store, "soon", "b", 1, later(10)).await);
    assert!(store.fail_credential("soon", "b", &failure(1, later(100))).await.unwrap());
    assert_eq!(due(later(99), later(2)).await, ["later"]);
    assert_eq!(due(later(100), later(2)).await, ["later", "soon"]);
}

pub(crate) async fn clearing_and_forgetting(fresh: &Fresh) {
    let store = fresh.open().await;
    for (id, appid) in [("failed", "wx1"), ("held", "wx1"), ("other's", "wx2")] {
        assert!(store.claim_credential(id, appid, "a", 0, NOW, NOW + LEASE).await.unwrap());
        assert!(store.fail_credential(id, "a", &failure(1, later(3600))).await.unwrap());
    }
    assert!(claim(&store, "held", "b", 1, NOW).await);
    store.clear_failures("wx1", later(1)).await.unwrap();

    let seen = store.credential("failed").await.unwrap().unwrap();
    assert_eq!((seen.failure, seen.refresh_at, seen.version), (None, later(1), 1));
    let due = store.due_credentials(later(1), NOW, 10).await.unwrap();
    assert_eq!(due, [DueCredential { id: "failed".into(), appid: "wx1".into() }]);
    assert!(store.credential("other's").await.unwrap().unwrap().failure.is_some());

    store.insert_app(&app("one", "wx1")).await.unwrap();
    store.insert_app(&app("last", "wx1")).await.unwrap();
    assert_eq!(store.remove_app("one", later(2)).await.unwrap().unwrap().credentials, [""; 0]);
    assert!(store.credential("failed").await.unwrap().is_some(), "the other registration needs it");
    assert_eq!(store.remove_app("last", later(2)).await.unwrap().unwrap().credentials, ["failed", "held"]);
    assert!(store.credential("failed").await.unwrap().is_none());
    assert!(!store.complete_credential("held", "b", &value("for nobody")).await.unwrap());
    assert!(store.credential("other's").await.unwrap().is_some());
}

pub(crate) async fn a_credential_is_found_by_its_newest_value(fresh: &Fresh) {
    let (store, there) = (fresh.open().await, fresh.open().await);
    let found = async |text: &str| there.credential_with_fingerprint(fingerprint(&text.into())).await.unwrap();
    assert!(claim(&store, "token:wx1", "a", 0, NOW).await);
    assert_eq!(found("").await, None, "a claim without a value");
    assert!(store.complete_credential("token:wx1", "a", &value("first")).await.unwrap());
    assert_eq!(found("first").await.as_deref(), Some("token:wx1"));

    // A failure keeps the value, a renewal replaces it, and who lost the lease changes nothing.
    assert!(claim(&store, "token:wx1", "a", 1, NOW).await);
    assert!(store.fail_credential("token:wx1", "a", &failure(1, later(60))).await.unwrap());
    assert_eq!(found("first").await.as_deref(), Some("token:wx1"));
    assert!(claim(&store, "token:wx1", "a", 2, later(60)).await);
    assert!(!store.complete_credential("token:wx1", "b", &value("loser's")).await.unwrap());
    assert!(store.complete_credential("token:wx1", "a", &value("second")).await.unwrap());
    assert_eq!((found("first").await, found("loser's").await), (None, None));
    assert_eq!(found("second").await.as_deref(), Some("token:wx1"));

    // Two with the same value: the first by its bytes. And none when the credential is gone.
    assert!(claim(&store, "token:Wx1", "a", 0, NOW).await);
    assert!(store.complete_credential("token:Wx1", "a", &value("second")).await.unwrap());
    assert_eq!(found("second").await.as_deref(), Some("token:Wx1"));
    for (id, version) in [("token:wx1", 3), ("token:Wx1", 1)] {
        store.remove_credential(id, version, later(100)).await.unwrap();
    }
    assert_eq!(found("second").await, None);
}
