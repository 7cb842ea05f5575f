//! Chapter four: changes travel to the other nodes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use secrecy::SecretString;
use store::{App, CHANGE_OVERLAP, ChangeReader, Failure, NewValue, Subject};

use crate::engines::{Fresh, NOW, app};

pub(crate) async fn every_write_is_announced(fresh: &Fresh) {
    let store = fresh.open().await;
    let mut reader = ChangeReader::start(&store, NOW).await.unwrap();
    let heard = async |reader: &mut ChangeReader| reader.step(&store, NOW).await.unwrap();
    let (test, token) = (Subject::App("测试 ".into()), Subject::Credential("token:wx1".into()));
    assert_eq!(heard(&mut reader).await, []);

    let stored = App { expires_at: Some(NOW), ..app("测试 ", "wx1") };
    store.insert_app(&stored).await.unwrap();
    assert_eq!(heard(&mut reader).await, only(&test));
    store.insert_app(&stored).await.unwrap();
    assert_eq!(heard(&mut reader).await, [], "nothing was stored");
    store.update_app(&stored).await.unwrap();
    store.update_app(&App { revision: 2, ..stored.clone() }).await.unwrap();
    assert_eq!(heard(&mut reader).await, only(&test), "each subject once a step");
    store.remove_app("测试 ", NOW).await.unwrap();
    assert_eq!(heard(&mut reader).await, only(&test));
    store.insert_app(&stored).await.unwrap();
    store.remove_expired_apps(NOW).await.unwrap();
    assert_eq!(heard(&mut reader).await, only(&test));

    let until = NOW + Duration::from_secs(15);
    let new = NewValue {
        value: SecretString::from("v"),
        issued_at: NOW,
        expires_at: until,
        refresh_at: until,
        forced_at: None,
    };
    let failure = Failure { errcode: None, text: "timeout".into(), count: 1, failed_at: NOW, retry_at: until };
    store.claim_credential("token:wx1", "wx1", "a", 0, NOW, until).await.unwrap();
    assert_eq!(heard(&mut reader).await, [], "a claim is nobody else's business");
    store.complete_credential("token:wx1", "a", &new).await.unwrap();
    assert_eq!(heard(&mut reader).await, only(&token));
    store.claim_credential("token:wx1", "wx1", "a", 1, NOW, until).await.unwrap();
    store.fail_credential("token:wx1", "a", &failure).await.unwrap();
    assert_eq!(heard(&mut reader).await, only(&token));
    store.clear_failures("wx1", NOW).await.unwrap();
    assert_eq!(heard(&mut reader).await, only(&token));
    store.clear_failures("wx1", NOW).await.unwrap();
    assert_eq!(heard(&mut reader).await, [], "there was none left");
    store.insert_app(&app("last", "wx1")).await.unwrap();
    store.remove_app("last", NOW).await.unwrap();
    assert!(heard(&mut reader).await.contains(&token), "with the last registration its credentials go");
}

pub(crate) async fn concurrent_writers_are_all_heard(fresh: &Fresh) {
    const WRITERS: usize = 16;
    const EACH: usize = 40;
    let nodes = [fresh.open().await, fresh.open().await, fresh.open().await];
    let done = Arc::new(AtomicBool::new(false));
    let mut reader = ChangeReader::start(&nodes[2], NOW).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = nodes[writer % 2].clone();
        writers.spawn(async move {
            for number in 0..EACH {
                let key = format!("{writer}/{number}");
                assert!(store.insert_app(&app(&key, "wx1")).await.unwrap());
                // A transaction that is undone, so that numbers have gaps.
                let wrong = App { revision: 9, ..app(&key, "wx1") };
                assert!(!store.update_apps(&[app(&key, "wx1"), wrong]).await.unwrap());
            }
        });
    }
    let listening = {
        let (store, done) = (nodes[2].clone(), done.clone());
        async move {
            let mut heard = Vec::new();
            loop {
                let last = done.load(Ordering::SeqCst);
                heard.extend(reader.step(&store, NOW).await.unwrap());
                if last {
                    return heard;
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    };
    let writing = async {
        writers.join_all().await;
        done.store(true, Ordering::SeqCst);
    };
    let (heard, ()) = tokio::join!(listening, writing);
    assert_eq!(heard.len(), WRITERS * EACH, "each once");
    assert_eq!(heard.into_iter().collect::<HashSet<_>>().len(), WRITERS * EACH, "and every one");
}

pub(crate) async fn a_late_commit_is_heard(fresh: &Fresh) {
    if fresh.is_sqlite() {
        return; // One writer at a time: numbers become visible in their order.
    }
    let store = fresh.open().await;
    let beside = fresh.beside().await;
    let slow = beside.begin().await.unwrap();
    let subject = if beside.get_database_backend() == DbBackend::Postgres { r"'\x736c6f77'" } else { "x'736c6f77'" };
    let sql = format!("INSERT INTO changes (kind, subject, changed_at) VALUES (1, {subject}, 0)");
    slow.execute_unprepared(&sql).await.unwrap();

    // This reader begins while the slow one is under way, and a faster one gets past it.
    let mut reader = ChangeReader::start(&store, NOW).await.unwrap();
    store.insert_app(&app("fast", "wx1")).await.unwrap();
    assert_eq!(reader.step(&store, NOW).await.unwrap(), [Subject::App("fast".into())]);
    assert_eq!(reader.step(&store, NOW).await.unwrap(), []);
    slow.commit().await.unwrap();
    let in_time = NOW + CHANGE_OVERLAP / 2;
    assert_eq!(reader.step(&store, in_time).await.unwrap(), [Subject::App("slow".into())]);
    assert_eq!(reader.step(&store, in_time).await.unwrap(), []);

    // A transaction that is undone leaves a gap, which is given up after a while.
    let undone = beside.begin().await.unwrap();
    undone.execute_unprepared(&sql).await.unwrap();
    undone.rollback().await.unwrap();
    store.insert_app(&app("after the gap", "wx1")).await.unwrap();
    assert_eq!(reader.step(&store, in_time).await.unwrap().len(), 1);
    assert_eq!(reader.step(&store, in_time + CHANGE_OVERLAP).await.unwrap(), []);
    let settled = store.newest_change().await.unwrap();
    assert!(format!("{reader:?}").contains(&format!("settled: {settled}")), "{reader:?}");
}

pub(crate) async fn pruning_keeps_the_count(fresh: &Fresh) {
    let store = fresh.open().await;
    assert_eq!(store.newest_change().await.unwrap(), 0);
    for (key, seconds) in [("a", 0), ("b", 10), ("c", 20)] {
        let updated_at = NOW + Duration::from_secs(seconds);
        store.insert_app(&App { updated_at, ..app(key, "wx1") }).await.unwrap();
    }
    let newest = store.newest_change().await.unwrap();
    assert_eq!(store.prune_changes(NOW + Duration::from_secs(10)).await.unwrap(), 1);
    assert_eq!(store.changes_after(0, 10).await.unwrap().len(), 2);
    assert_eq!(store.prune_changes(NOW + Duration::from_secs(3600)).await.unwrap(), 1);
    let left = store.changes_after(0, 10).await.unwrap();
    assert_eq!((left.len(), left[0].id), (1, newest));
    assert_eq!(left[0].subject, Subject::App("c".into()));
}

fn only(subject: &Subject) -> Vec<Subject> {
    vec![subject.clone()]
}
