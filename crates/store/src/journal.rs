//! The journal: writes of many requests share one transaction, and so one fsync.
//!
//! Whoever writes hands over an entry and waits until it is on disk. While one group is being committed the next one gathers:
//! groups are made of what is waiting, never by a timer, so a lone message is written at once and a crowd costs little
//! more. What must stay true: nobody is told "written" before the commit.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};
use tokio::sync::{mpsc, oneshot};

use crate::deliveries::{delivery_row, insert_new};
use crate::entities::{answers, messages};
use crate::messages::{answer_row, message_row};
use crate::{Answer, Delivery, Message, Store, StoreError};

/// Entries of one group: enough to make the cost of a commit small for each, and far below the number of parameters
/// that a statement may have.
const GROUP: usize = 128;
/// Bytes of one group, as a bound for databases that limit the size of a statement.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
/// Entries that wait; whoever comes then waits for a place.
const WAITING: usize = 1024;

/// An answer that is shared with the writer, which takes the newest state of it in the moment of writing: what happens while
/// an earlier group is being committed costs no second write.
pub type SharedAnswer = Arc<Mutex<Answer>>;

/// What came of writing an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whether it is the message's answer; false: another was there before, and stays.
    pub won: bool,
    /// Whether it was finished when it was written.
    pub finished: bool,
}

type Told<T> = oneshot::Sender<Result<T, StoreError>>;

enum Entry {
    Message(Arc<Message>, Told<bool>),
    Answer(SharedAnswer, Told<Written>),
    Update(SharedAnswer, Told<()>),
    Delivery(Box<Delivery>, Told<()>),
}

/// The side that hands over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal(mpsc::Sender<Entry>);

/// The side that writes: to be run as a task.
pub struct JournalWriter {
    store: Store,
    entries: mpsc::Receiver<Entry>,
}

impl Journal {
    /// A journal of this store.
    #[must_use]
    pub fn new(store: Store) -> (Self, JournalWriter) {
        let (sender, entries) = mpsc::channel(WAITING);
        (Self(sender), JournalWriter { store, entries })
    }

    /// Writes a message. False: it is known already, and stays as it is.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn message(&self, message: Arc<Message>) -> Result<bool, StoreError> {
        self.write(|told| Entry::Message(message, told)).await
    }

    /// Writes an answer, unless the message has one.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn answer(&self, answer: SharedAnswer) -> Result<Written, StoreError> {
        self.write(|told| Entry::Answer(answer, told)).await
    }

    /// Brings the attempts and the end of an answer, which is there, up to date.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn update(&self, answer: SharedAnswer) -> Result<(), StoreError> {
        self.write(|told| Entry::Update(answer, told)).await
    }

    /// Writes a delivery that is owed, unless it is known already.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn delivery(&self, delivery: Delivery) -> Result<(), StoreError> {
        self.write(|told| Entry::Delivery(Box::new(delivery), told)).await
    }

    async fn write<T>(&self, entry: impl FnOnce(Told<T>) -> Entry) -> Result<T, StoreError> {
        let (told, outcome) = oneshot::channel();
        self.0.send(entry(told)).await.map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable {
        problem: "the server is stopping".to_owned(),
        advice: "send it again, to the next one that runs",
    }
}

impl JournalWriter {
    /// Writes groups until `stop`, and then what is waiting.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut entries = Vec::with_capacity(GROUP);
        let mut stop = std::pin::pin!(stop);
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                count = self.entries.recv_many(&mut entries, GROUP) => {
                    if count == 0 {
                        return;
                    }
                }
                () = &mut stop, if !is_stopping => {
                    // Nothing new is let in; what is there is still written.
                    self.entries.close();
                    is_stopping = true;
                }
            }
            while !entries.is_empty() {
                let group = Group::take(&mut entries);
                let done = self.store.write_group(&group).await;
                group.tell(done);
            }
        }
    }
}

/// What is written in one transaction, and who waits for it.
#[derive(Default)]
struct Group {
    messages: Vec<(Arc<Message>, Told<bool>)>,
    answers: Vec<(Answer, Told<Written>)>,
    updates: Vec<(Answer, Told<()>)>,
    deliveries: Vec<(Box<Delivery>, Told<()>)>,
}

/// Which of a group were new.
struct New {
    messages: HashSet<usize>,
    answers: HashSet<usize>,
}

impl Group {
    fn take(entries: &mut Vec<Entry>) -> Self {
        let mut group = Self::default();
        let mut bytes = 0;
        let fitting = entries.iter().take_while(|entry| {
            let before = bytes;
            bytes += entry.bytes();
            before == 0 || bytes <= GROUP_BYTES
        });
        let fitting = fitting.count();
        for entry in entries.drain(..fitting) {
            match entry {
                Entry::Message(message, told) => group.messages.push((message, told)),
                Entry::Answer(answer, told) => group.answers.push((snapshot(&answer), told)),
                Entry::Update(answer, told) => group.updates.push((snapshot(&answer), told)),
                Entry::Delivery(delivery, told) => group.deliveries.push((delivery, told)),
            }
        }
        group
    }

    /// Whoever stopped waiting is not told.
    fn tell(self, done: Result<New, StoreError>) {
        match done {
            Ok(new) => {
                for (place, (_, told)) in self.messages.into_iter().enumerate() {
                    let _ = told.send(Ok(new.messages.contains(&place)));
                }
                for (place, (answer, told)) in self.answers.into_iter().enumerate() {
                    let won = new.answers.contains(&place);
                    let _ = told.send(Ok(Written { won, finished: answer.finished_at.is_some() }));
                }
                for (_, told) in self.updates {
                    let _ = told.send(Ok(()));
                }
                for (_, told) in self.deliveries {
                    let _ = told.send(Ok(()));
                }
            }
            Err(error) => {
                self.messages.into_iter().for_each(|(_, told)| drop(told.send(Err(error.clone()))));
                self.answers.into_iter().for_each(|(_, told)| drop(told.send(Err(error.clone()))));
                self.updates.into_iter().for_each(|(_, told)| drop(told.send(Err(error.clone()))));
                self.deliveries.into_iter().for_each(|(_, told)| drop(told.send(Err(error.clone()))));
            }
        }
    }
}

impl Entry {
    /// About what it adds to a statement.
    fn bytes(&self) -> usize {
        match self {
            Self::Message(message, _) => message.body.len() + message.request.len(),
            Self::Answer(answer, _) | Self::Update(answer, _) => {
                let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
                answer.attempts.len() + answer.reply.as_ref().map_or(0, Vec::len)
            }
            Self::Delivery(delivery, _) => delivery.attempts.len(),
        }
    }
}

fn snapshot(answer: &SharedAnswer) -> Answer {
    answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Store {
    async fn write_group(&self, group: &Group) -> Result<New, StoreError> {
        self.database
            .write(|tx| async move {
                let tx = &*tx;
                let messages = new_messages(tx, group).await?;
                let answers = new_answers(tx, group).await?;
                update_answers(tx, group).await?;
                if !group.deliveries.is_empty() {
                    let rows = group.deliveries.iter().map(|(delivery, _)| delivery_row(delivery));
                    insert_new(tx, rows.collect()).await?;
                }
                Ok(New { messages, answers })
            })
            .await
    }
}

/// Looks first and inserts what is missing: so every database says which were new. Another node that inserts the same in
/// this moment makes the whole transaction start again.
async fn new_messages(tx: &DatabaseTransaction, group: &Group) -> Result<HashSet<usize>, DbErr> {
    let ids: Vec<Vec<u8>> = group.messages.iter().map(|(message, _)| message.id.0.to_vec()).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let known = messages::Entity::find().select_only().column(messages::Column::Id);
    let known = known.filter(messages::Column::Id.is_in(padded(&ids))).into_tuple().all(tx).await?;
    let new = unknown(ids, known);
    let rows: Vec<_> = places(&group.messages, &new).map(|(message, _)| message_row(message)).collect();
    if !rows.is_empty() {
        messages::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(new)
}

async fn new_answers(tx: &DatabaseTransaction, group: &Group) -> Result<HashSet<usize>, DbErr> {
    let ids: Vec<Vec<u8>> = group.answers.iter().map(|(answer, _)| answer.message_id.0.to_vec()).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let known = answers::Entity::find().select_only().column(answers::Column::MessageId);
    let known = known.filter(answers::Column::MessageId.is_in(padded(&ids))).into_tuple().all(tx).await?;
    let new = unknown(ids, known);
    let rows: Vec<_> = places(&group.answers, &new).map(|(answer, _)| answer_row(answer)).collect();
    if !rows.is_empty() {
        answers::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(new)
}

/// The same ids, the last one repeated until there are 1, 2, 4, 8 … of them: so there are few texts of statements, and the
/// database has each of them prepared.
fn padded(ids: &[Vec<u8>]) -> impl Iterator<Item = Vec<u8>> {
    let missing = ids.len().next_power_of_two() - ids.len();
    ids.iter().chain(ids.last().into_iter().cycle().take(missing)).cloned()
}

/// The places of those that are not known; of two with the same id, the first.
fn unknown(ids: Vec<Vec<u8>>, known: Vec<Vec<u8>>) -> HashSet<usize> {
    let mut known: HashSet<Vec<u8>> = known.into_iter().collect();
    ids.into_iter().enumerate().filter_map(|(place, id)| known.insert(id).then_some(place)).collect()
}

fn places<'a, T>(all: &'a [T], wanted: &'a HashSet<usize>) -> impl Iterator<Item = &'a T> {
    all.iter().enumerate().filter(|(place, _)| wanted.contains(place)).map(|(_, one)| one)
}

/// The rows are there: inserting them again changes them, in one statement for all.
async fn update_answers(tx: &DatabaseTransaction, group: &Group) -> Result<(), DbErr> {
    if group.updates.is_empty() {
        return Ok(());
    }
    // The last state of each: PostgreSQL refuses to change one row twice in a statement.
    let mut seen = HashSet::new();
    let newest = group.updates.iter().rev().filter(|(answer, _)| seen.insert(answer.message_id));
    let rows: Vec<_> = newest.map(|(answer, _)| answer_row(answer)).collect();
    let again = OnConflict::column(answers::Column::MessageId)
        .update_columns([answers::Column::FinishedAt, answers::Column::Attempts])
        .to_owned();
    answers::Entity::insert_many(rows).on_conflict(again).exec_without_returning(tx).await.map(drop)
}
