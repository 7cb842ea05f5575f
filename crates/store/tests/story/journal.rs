//! Chapter five: many requests write at once, in few commits, and nobody is told "written" too early.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::join_all;
use sea_orm::{ConnectionTrait, Statement};
use store::{
    Answer, BackendId, Delivery, DeliveryState, Journal, JournalWriter, Message, Recipient, Store, StoreError, Written,
};
use tokio::sync::Notify;
use tokio::task::unconstrained;

use crate::engines::{Fresh, NOW};
use crate::messages::{answer, delivery, id, later, message, unfinished};

/// Hands over first, so that everything waits when the journal begins to write; then writes until all is done.
async fn gathered<T>(writer: JournalWriter, handing_over: impl Future<Output = T>) -> T {
    let stop = Notify::new();
    let all = async {
        // Else the runtime would let the writer begin when so many have been handed over.
        let done = unconstrained(handing_over).await;
        stop.notify_one();
        done
    };
    // Polled in this order.
    let (done, ()) = tokio::join!(biased; all, writer.run(stop.notified()));
    done
}

/// A journal that runs beside the test until it is told to stop.
struct Beside {
    journal: Journal,
    stop: Arc<Notify>,
    task: tokio::task::JoinSet<()>,
}

impl Beside {
    fn start(store: &Store) -> Self {
        let (journal, writer) = Journal::new(store.clone());
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let task = [writer.run(async move { stopped.notified().await })].into_iter().collect();
        Self { journal, stop, task }
    }

    async fn end(self) {
        self.stop.notify_one();
        self.task.join_all().await;
    }
}

fn shared(answer: Answer) -> Arc<Mutex<Answer>> {
    Arc::new(Mutex::new(answer))
}

pub(crate) async fn what_waits_together_is_one_commit(fresh: &Fresh) {
    let store = fresh.open().await;
    let before = commits(fresh).await;
    let (journal, writer) = Journal::new(store.clone());
    // Each message three times, as WeChat's tries that arrive together.
    let numbers = (0..300u32).map(|number| number / 3);
    let tries = numbers.clone().map(|number| journal.message(Arc::new(message(number, 0))));
    let new: Vec<bool> = gathered(writer, join_all(tries)).await.into_iter().map(Result::unwrap).collect();
    let mut won: HashMap<u32, u32> = HashMap::new();
    for (number, _) in numbers.zip(&new).filter(|(_, new)| **new) {
        *won.entry(number).or_default() += 1;
    }
    assert_eq!((won.len(), won.values().max()), (100, Some(&1)), "one of three is new");
    for number in 0..100 {
        assert_eq!(store.message(id(number)).await.unwrap().unwrap(), message(number, 0));
    }
    if let (Some(before), Some(after)) = (before, commits(fresh).await) {
        assert_eq!(after - before, 3, "300 entries, 128 at once at most");
    }
}

/// How often something was committed: SQLite's log marks the end of each transaction. PostgreSQL marks each message's
/// row with the transaction that made it. MariaDB tells nothing that other tests do not change too.
async fn commits(fresh: &Fresh) -> Option<usize> {
    if let Some(path) = fresh.url.sqlite_path() {
        let log = std::fs::read(format!("{}-wal", path.display())).unwrap_or_default();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        let page = usize::try_from(number(log.get(8..12).unwrap_or(&[0; 4]))).unwrap();
        let frames = log.get(32..).unwrap_or_default().chunks_exact(24 + page);
        return Some(frames.filter(|frame| number(&frame[4..8]) != 0).count());
    }
    let beside = fresh.beside().await;
    if beside.get_database_backend() != sea_orm::DbBackend::Postgres {
        return None;
    }
    let sql = "SELECT COUNT(DISTINCT CAST(xmin AS TEXT)) FROM messages";
    let row = beside.query_one_raw(Statement::from_string(beside.get_database_backend(), sql)).await.unwrap().unwrap();
    usize::try_from(row.try_get_by_index::<i64>(0).unwrap()).ok()
}

pub(crate) async fn two_journals_at_once_and_one_of_them_has_it(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    let journals = [Beside::start(&nodes[0]), Beside::start(&nodes[1])];
    for round in 0..5u32 {
        let ids = round * 40..(round + 1) * 40;
        let write = |journal: &Journal| {
            let journal = journal.clone();
            let ids = ids.clone();
            async move { join_all(ids.map(|number| journal.message(Arc::new(message(number, 0))))).await }
        };
        let both = tokio::join!(write(&journals[0].journal), write(&journals[1].journal));
        for (number, (one, two)) in ids.clone().zip(both.0.into_iter().zip(both.1)) {
            assert_ne!(one.unwrap(), two.unwrap(), "exactly one of the two has message {number}");
        }
        let answers = |journal: &Journal, reply: &'static str| {
            let journal = journal.clone();
            let ids = ids.clone();
            async move { join_all(ids.map(|number| journal.answer(shared(answer(number, Some(reply)))))).await }
        };
        let both = tokio::join!(answers(&journals[0].journal, "one"), answers(&journals[1].journal, "two"));
        for (number, (one, two)) in ids.clone().zip(both.0.into_iter().zip(both.1)) {
            let (one, two) = (one.unwrap().won, two.unwrap().won);
            assert_ne!(one, two, "exactly one answers message {number}");
            let stored = nodes[0].answer(id(number)).await.unwrap().unwrap().reply.unwrap();
            assert_eq!(stored, if one { &b"one"[..] } else { b"two" });
        }
    }
    for journal in journals {
        journal.end().await;
    }
}

pub(crate) async fn the_first_answer_stays_and_is_brought_up_to_date(fresh: &Fresh) {
    let store = fresh.open().await;
    let (journal, writer) = Journal::new(store.clone());
    let first = shared(unfinished(1));
    let second = shared(answer(1, Some("too late")));
    let both = join_all([journal.answer(Arc::clone(&first)), journal.answer(second)]);
    // Still waiting: the writer takes the state that it has when it is written.
    let changed = async {
        let mut answer = first.lock().unwrap();
        answer.attempts = b"[1]".to_vec();
        answer.reply = Some("the newest".into());
    };
    let (told, ()) = gathered(writer, async { tokio::join!(biased; both, changed) }).await;
    let told: Vec<Written> = told.into_iter().map(Result::unwrap).collect();
    assert_eq!(told, [Written { won: true, finished: false }, Written { won: false, finished: true }]);
    let stored = Answer { attempts: b"[1]".to_vec(), reply: Some("the newest".into()), ..unfinished(1) };
    assert_eq!(store.answer(id(1)).await.unwrap().unwrap(), stored);

    // Attempts and end are brought up to date, and nothing else; of two updates the last counts.
    let (journal, writer) = Journal::new(store.clone());
    let update = |attempts: &str, seconds| {
        let attempts = attempts.as_bytes().to_vec();
        shared(Answer { attempts, finished_at: Some(later(seconds)), ..answer(1, Some("another")) })
    };
    assert_eq!(store.give_answer(id(1), Recipient::Wechat).await.unwrap(), Some(Recipient::Wechat));
    let updates = join_all([journal.update(update("[1,2]", 5)), journal.update(update("[1,2,3]", 6))]);
    let known = shared(answer(1, None));
    let (told, again) = gathered(writer, async { tokio::join!(biased; updates, journal.answer(known)) }).await;
    assert!(told.into_iter().all(|told| told.is_ok()));
    assert!(!again.unwrap().won);
    let given_to = Some(Recipient::Wechat);
    let updated = Answer { attempts: b"[1,2,3]".to_vec(), finished_at: Some(later(6)), given_to, ..stored };
    assert_eq!(store.answer(id(1)).await.unwrap().unwrap(), updated);
}

pub(crate) async fn a_delivery_that_is_known_stays_as_it_is(fresh: &Fresh) {
    let store = fresh.open().await;
    let backend = BackendId([7; 16]);
    let (journal, writer) = Journal::new(store.clone());
    let second = Delivery { position: 1, state: DeliveryState::Refused, ..delivery(1, backend, 0) };
    let new = join_all([delivery(1, backend, 5), second.clone()].map(|delivery| journal.delivery(delivery)));
    assert!(gathered(writer, new).await.into_iter().all(|done| done.is_ok()));
    let (journal, writer) = Journal::new(store.clone());
    let again = Delivery { state: DeliveryState::Dead, sent: 9, ..delivery(1, backend, 0) };
    gathered(writer, journal.delivery(again)).await.unwrap();
    assert_eq!(store.deliveries(&[id(1)]).await.unwrap(), [delivery(1, backend, 5), second]);
}

pub(crate) async fn what_is_large_fits(fresh: &Fresh) {
    let store = fresh.open().await;
    let (journal, writer) = Journal::new(store.clone());
    // More than MariaDB takes in one statement.
    let large = |number: u32| Message { body: vec![b'x'; 1024 * 1024].into(), ..message(number, 0) };
    let done = gathered(writer, join_all((0..20).map(|number| journal.message(Arc::new(large(number)))))).await;
    assert!(done.into_iter().all(Result::unwrap));
    assert!(store.message(id(19)).await.unwrap().unwrap() == large(19));
}

/// The database refuses in the middle: nobody is told "written", nothing is there, and the journal goes on.
pub(crate) async fn a_group_that_fails_is_written_by_nobody(fresh: &Fresh) {
    let store = fresh.open().await;
    let beside = fresh.beside().await;
    let journal = Beside::start(&store);
    assert!(journal.journal.message(Arc::new(message(1, 0))).await.unwrap());
    beside.execute_unprepared("ALTER TABLE answers RENAME TO answers_away").await.unwrap();
    let (new, answered) =
        tokio::join!(journal.journal.message(Arc::new(message(2, 0))), journal.journal.answer(shared(answer(2, None))));
    assert!(matches!(answered, Err(StoreError::Unavailable { .. })), "{answered:?}");
    beside.execute_unprepared("ALTER TABLE answers_away RENAME TO answers").await.unwrap();
    // Whether both were in one group decides whether the message is there: but it is what was told.
    assert_eq!(store.message(id(2)).await.unwrap().is_some(), new.is_ok());
    assert_eq!(store.answer(id(2)).await.unwrap(), None);
    assert!(journal.journal.answer(shared(answer(2, None))).await.unwrap().won);
    journal.end().await;
}

pub(crate) async fn at_the_end_what_waits_is_written_and_nothing_more_is_taken(fresh: &Fresh) {
    let store = fresh.open().await;
    let (journal, writer) = Journal::new(store.clone());
    let mut waiting: Vec<_> = (0..200).map(|number| Box::pin(journal.message(Arc::new(message(number, 0))))).collect();
    for one in &mut waiting {
        assert!(futures::poll!(unconstrained(one)).is_pending());
    }
    let (done, ()) = tokio::join!(join_all(waiting), writer.run(std::future::ready(())));
    assert!(done.into_iter().all(Result::unwrap), "all 200 are on disk");
    assert!(store.message(id(199)).await.unwrap().is_some());
    let refused = journal.message(Arc::new(message(200, 0))).await.unwrap_err();
    assert!(refused.to_string().contains("send it again"), "{refused}");
    assert_eq!(store.message(id(200)).await.unwrap(), None);
    assert_eq!(store.next_delivery().await.unwrap(), None);
    assert!(!store.is_alive(store::NodeId([1; 16]), NOW).await.unwrap());
}
