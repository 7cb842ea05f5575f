//! Chapter six: messages and answers are found again, taken over, and removed when they are old.
//!
//! It also makes the messages that the other chapters about callbacks are told with.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use store::{
    Answer, BackendId, Delivery, DeliveryState, Journal, LateReply, LateReplyState, MAX_LABEL_BYTES, Message,
    MessageFilter, MessageId, MessageState, NodeId, Recipient, Store, Timestamp,
};

use crate::engines::{Fresh, NOW};

pub(crate) const HERE: NodeId = NodeId([1; 16]);
pub(crate) const THERE: NodeId = NodeId([2; 16]);

pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

/// An id of which the number is the first thing that sorts.
pub(crate) fn id(number: u32) -> MessageId {
    let mut id = [0xee; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    MessageId(id)
}

/// A text message that `HERE` received so many seconds after [`NOW`].
pub(crate) fn message(number: u32, seconds: u64) -> Message {
    Message {
        id: id(number),
        app_key: "测试".into(),
        appid: "wx1".into(),
        received_at: later(seconds),
        node: HERE,
        msg_type: "text".into(),
        event: String::new(),
        openid: "oUser".into(),
        request: br#"{"calls":[]}"#.to_vec(),
        body: format!("<xml><n>{number}</n></xml>").into(),
    }
}

/// An answer that was decided when the message came, finished a second later.
pub(crate) fn answer(number: u32, reply: Option<&str>) -> Answer {
    Answer {
        message_id: id(number),
        decided_at: NOW,
        reply: reply.map(|reply| reply.as_bytes().to_vec()),
        reply_from: reply.map(|_| 0),
        given_to: None,
        finished_at: Some(later(1)),
        attempts: b"[]".to_vec(),
    }
}

pub(crate) fn unfinished(number: u32) -> Answer {
    Answer { finished_at: None, ..answer(number, None) }
}

/// A delivery that is due so many seconds after [`NOW`].
pub(crate) fn delivery(number: u32, backend: BackendId, seconds: u64) -> Delivery {
    Delivery {
        message_id: id(number),
        position: 0,
        backend,
        received_at: NOW,
        state: DeliveryState::Pending(later(seconds)),
        step: 0,
        sent: 1,
        unreachable: false,
        attempts: b"[]".to_vec(),
    }
}

/// What a journal writes, all of it at once.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) messages: Vec<Message>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) deliveries: Vec<Delivery>,
}

/// Writes it as the engine does, in one life of a journal.
pub(crate) async fn write(store: &Store, written: Written) {
    let (journal, writer) = Journal::new(store.clone());
    let stop = tokio::sync::Notify::new();
    let handing_over = async {
        let messages = written.messages.into_iter().map(|message| journal.message(Arc::new(message)));
        for done in futures::future::join_all(messages).await {
            assert!(done.unwrap());
        }
        let answers = written.answers.into_iter().map(|answer| journal.answer(Arc::new(Mutex::new(answer))));
        for done in futures::future::join_all(answers).await {
            assert!(done.unwrap().won);
        }
        let deliveries = written.deliveries.into_iter().map(|delivery| journal.delivery(delivery));
        for done in futures::future::join_all(deliveries).await {
            done.unwrap();
        }
        stop.notify_one();
    };
    tokio::join!(handing_over, writer.run(stop.notified()));
}

fn numbers(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(|message| u32::from_be_bytes(message.id.0[..4].try_into().unwrap())).collect()
}

pub(crate) async fn a_message_comes_back_as_it_was_stored(fresh: &Fresh) {
    let store = fresh.open().await;
    let every_byte: Vec<u8> = (0..=255).cycle().take(1024 * 1024).collect();
    let stored = Message {
        app_key: "键".repeat(64),
        appid: "x".repeat(128),
        msg_type: "x".repeat(MAX_LABEL_BYTES),
        // 126 bytes fit, the 43rd character does not.
        event: "事".repeat(43),
        // One byte, then characters of four: the cut falls into the middle of one.
        openid: format!("o{}", "😀".repeat(40)),
        request: every_byte.clone(),
        body: every_byte.into(),
        ..message(1, 0)
    };
    write(&store, Written { messages: vec![stored.clone(), message(2, 0)], ..Written::default() }).await;
    let cut = Message { event: "事".repeat(42), openid: format!("o{}", "😀".repeat(31)), ..stored };
    // Too long to be shown when it differs.
    assert!(store.message(id(1)).await.unwrap().unwrap() == cut);
    assert_eq!(store.message(id(2)).await.unwrap().unwrap(), message(2, 0));
    assert_eq!(store.message(id(3)).await.unwrap(), None);
    assert_eq!(store.answer(id(1)).await.unwrap(), None);
    let all = MessageFilter::default;
    let asked = [
        MessageFilter { app_key: Some("键".repeat(64)), ..all() },
        MessageFilter { appid: Some("x".repeat(128)), ..all() },
        MessageFilter { event: Some("事".repeat(43)), ..all() },
        MessageFilter { openid: Some(format!("o{}", "😀".repeat(40))), ..all() },
        MessageFilter { openid: Some(cut.openid.clone()), ..all() },
    ];
    for (place, filter) in asked.iter().enumerate() {
        let found = store.messages(filter, None, 9).await.unwrap();
        assert!(found == [cut.clone()], "question {place} finds {} messages", found.len());
    }
}

pub(crate) async fn all_who_want_the_answer_are_told_the_same_holder(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    let finished = Answer { given_to: Some(Recipient::Wechat), finished_at: Some(NOW), ..answer(4, Some("finished")) };
    let given = Answer { given_to: Some(Recipient::User), ..answer(2, Some("given")) };
    write(
        &nodes[0],
        Written {
            messages: vec![message(1, 0), message(2, 0)],
            answers: vec![answer(1, Some("r")), given],
            ..Written::default()
        },
    )
    .await;
    let takers = (0..50).map(|number| {
        let store = nodes[number % 2].clone();
        let to = if number % 3 == 0 { Recipient::User } else { Recipient::Wechat };
        async move { store.give_answer(id(1), to).await.unwrap() }
    });
    let told: tokio::task::JoinSet<Option<Recipient>> = takers.collect();
    let told = told.join_all().await;
    assert!(told[0].is_some() && told.iter().all(|holder| *holder == told[0]), "{told:?}");
    let stored = nodes[1].answer(id(1)).await.unwrap().unwrap();
    assert_eq!(stored, Answer { given_to: told[0], ..answer(1, Some("r")) });
    let asked = nodes[0].give_answer(id(2), Recipient::Wechat).await.unwrap();
    assert_eq!(asked, Some(Recipient::User), "it was given when it was written");
    assert_eq!(nodes[0].give_answer(id(3), Recipient::Wechat).await.unwrap(), None, "there is none");
    // What WeChat should have got is taken back, and its message is not finished; what a user has stays.
    nodes[0].take_answer_back(id(2)).await.unwrap();
    assert_eq!(nodes[1].answer(id(2)).await.unwrap().unwrap().given_to, Some(Recipient::User));
    write(&nodes[0], Written { messages: vec![message(4, 0)], answers: vec![finished], ..Written::default() }).await;
    nodes[0].take_answer_back(id(4)).await.unwrap();
    let again = Answer { finished_at: None, ..answer(4, Some("finished")) };
    assert_eq!(nodes[1].answer(id(4)).await.unwrap().unwrap(), again);
    assert_eq!(nodes[0].answers(&[id(1), id(2), id(3)]).await.unwrap().len(), 2);
}

pub(crate) async fn what_a_node_left_unfinished_is_taken_over_once(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    // 1 too old, 2 finished, 3 answered but not finished, 4 not answered, 5 of another node, 6 the youngest.
    let mut messages: Vec<Message> = (1..=6).map(|number| message(number, u64::from(number))).collect();
    messages[4].node = THERE;
    messages.reverse();
    let answers = vec![answer(2, Some("r")), unfinished(3)];
    write(&nodes[0], Written { messages, answers, ..Written::default() }).await;
    let left = nodes[1].unfinished_messages(HERE, later(2), Timestamp::MAX, 10).await.unwrap();
    assert_eq!(numbers(&left), [3, 4, 6], "the oldest first");
    assert_eq!(numbers(&nodes[1].unfinished_messages(HERE, later(2), Timestamp::MAX, 2).await.unwrap()), [3, 4]);
    assert_eq!(numbers(&nodes[1].unfinished_messages(THERE, NOW, Timestamp::MAX, 10).await.unwrap()), [5]);

    let takers: tokio::task::JoinSet<bool> = (0..20u8)
        .map(|number| {
            let store = nodes[usize::from(number % 2)].clone();
            async move { store.take_over_message(id(4), HERE, NodeId([100 + number; 16])).await.unwrap() }
        })
        .collect();
    assert_eq!(takers.join_all().await.into_iter().filter(|taken| *taken).count(), 1);
    assert_eq!(numbers(&nodes[0].unfinished_messages(HERE, NOW, Timestamp::MAX, 10).await.unwrap()), [1, 3, 6]);
    assert!(nodes[0].take_over_message(id(3), HERE, HERE).await.unwrap(), "its own");
    assert!(!nodes[0].take_over_message(id(9), HERE, THERE).await.unwrap(), "no such message");
}

/// Five messages that differ in everything that can be filtered by.
async fn five_messages(store: &Store) {
    let of = |number: u32, key: &str, appid: &str, kind: (&str, &str), user: &str| Message {
        app_key: key.into(),
        appid: appid.into(),
        msg_type: kind.0.into(),
        event: kind.1.into(),
        openid: user.into(),
        ..message(number, u64::from(number))
    };
    let messages = vec![
        of(1, "测试", "wx1", ("text", ""), "oA"),
        of(2, "测试", "wx1", ("event", "CLICK"), "oA"),
        of(3, "test", "wx1", ("event", "click"), "oa"),
        of(4, "Test", "wx2", ("text", ""), "oA"),
        of(5, "test", "wx2", ("text", ""), "oB"),
    ];
    // 1 done, 2 answered but forwarded on, 3 a backend still gets it, 4 one never will, 5 nothing yet.
    let answers = vec![answer(1, None), unfinished(2), answer(3, None), answer(4, None)];
    let with = |number, position, state| Delivery { position, state, ..delivery(number, BackendId([1; 16]), 5) };
    let deliveries = vec![
        with(1, 0, DeliveryState::Delivered),
        with(1, 1, DeliveryState::Refused),
        with(2, 0, DeliveryState::Dead),
        with(3, 0, DeliveryState::Pending(later(5))),
        with(3, 1, DeliveryState::Dead),
        with(4, 0, DeliveryState::Delivered),
        with(4, 1, DeliveryState::Dead),
    ];
    write(store, Written { messages, answers, deliveries }).await;
}

/// A message is in one state, though a backend has it, another will get it and a third never will.
pub(crate) async fn every_message_is_in_one_state(fresh: &Fresh) {
    let store = fresh.open().await;
    five_messages(&store).await;
    let owed = delivery(5, BackendId([1; 16]), 5);
    write(&store, Written { deliveries: vec![owed], ..Written::default() }).await;
    let all = [MessageState::Forwarding, MessageState::Delivering, MessageState::Dead, MessageState::Done];
    let mut seen = Vec::new();
    for state in all {
        let filter = MessageFilter { state: Some(state), ..MessageFilter::default() };
        seen.push(numbers(&store.messages(&filter, None, 9).await.unwrap()));
    }
    assert_eq!(seen, [vec![2], vec![5, 3], vec![4], vec![1]], "owed counts before unfinished, that before dead");
}

pub(crate) async fn messages_are_listed_by_what_is_asked_for(fresh: &Fresh) {
    let store = fresh.open().await;
    five_messages(&store).await;
    let all = MessageFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let state = |state| MessageFilter { state: Some(state), ..all() };
    let cases = [
        (all(), vec![5, 4, 3, 2, 1]),
        (MessageFilter { app_key: text("test"), ..all() }, vec![5, 3]),
        (MessageFilter { appid: text("wx1"), ..all() }, vec![3, 2, 1]),
        (MessageFilter { msg_type: text("event"), ..all() }, vec![3, 2]),
        (MessageFilter { event: text("CLICK"), ..all() }, vec![2]),
        (MessageFilter { openid: text("oA"), ..all() }, vec![4, 2, 1]),
        (MessageFilter { since: Some(later(3)), ..all() }, vec![5, 4, 3]),
        (MessageFilter { until: Some(later(3)), ..all() }, vec![2, 1]),
        (MessageFilter { since: Some(later(2)), until: Some(later(4)), ..all() }, vec![3, 2]),
        (MessageFilter { openid: text("oA"), appid: text("wx1"), msg_type: text("text"), ..all() }, vec![1]),
        (MessageFilter { app_key: text("' OR 1=1 --"), ..all() }, vec![]),
        (state(MessageState::Forwarding), vec![5, 2]),
        (state(MessageState::Delivering), vec![3]),
        (state(MessageState::Dead), vec![4]),
        (state(MessageState::Done), vec![1]),
        (MessageFilter { openid: text("oB"), ..state(MessageState::Done) }, vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(numbers(&store.messages(&filter, None, 9).await.unwrap()), expected, "{filter:?}");
    }
}

pub(crate) async fn pages_follow_each_other_without_gaps(fresh: &Fresh) {
    let store = fresh.open().await;
    // Three in each second, so that pages end between messages of the same moment.
    let messages = (0..20).map(|number| message(number, u64::from(number / 3))).collect();
    write(&store, Written { messages, ..Written::default() }).await;
    let mut seen = Vec::new();
    let mut last: Option<Message> = None;
    loop {
        let page = store.messages(&MessageFilter::default(), last.as_ref(), 4).await.unwrap();
        seen.extend(numbers(&page));
        let Some(end) = page.last() else { break };
        // What comes meanwhile is newer, and on no page behind.
        let number = 1000 + u32::try_from(seen.len()).unwrap();
        write(&store, Written { messages: vec![message(number, 100)], ..Written::default() }).await;
        last = Some(end.clone());
    }
    let expected: Vec<u32> = (0..20).rev().collect();
    assert_eq!(seen, expected);
}

pub(crate) async fn old_messages_go_with_all_that_belongs_to_them(fresh: &Fresh) {
    let store = fresh.open().await;
    let numbers = 0..620u32;
    // The first two still have something to get or to say; the last one is young.
    let age = |number: u32| if number == 619 { 1000 } else { u64::from(number % 7) };
    let backend = BackendId([1; 16]);
    let owed = |number: u32| match number {
        0 | 1 => delivery(number, backend, 9999),
        _ => Delivery { state: DeliveryState::Dead, ..delivery(number, backend, 0) },
    };
    let written = Written {
        messages: numbers.clone().map(|number| message(number, age(number))).collect(),
        answers: numbers.clone().map(|number| answer(number, Some("r"))).collect(),
        deliveries: numbers.clone().map(owed).collect(),
    };
    write(&store, written).await;
    for number in [0, 2, 619] {
        let late = LateReply {
            message_id: id(number),
            reply_from: 0,
            created_at: NOW,
            state: LateReplyState::Sent,
            tries: 0,
            sent: 1,
            pieces: Vec::new(),
            outcome: Vec::new(),
        };
        assert!(store.insert_late_reply(&late).await.unwrap());
    }
    let mut removed = 0;
    loop {
        match store.remove_old_messages(later(1000)).await.unwrap() {
            0 => break,
            some => removed += some,
        }
    }
    assert_eq!(removed, 617);
    for (table, rows) in [("messages", 3), ("answers", 3), ("deliveries", 3), ("late_replies", 2)] {
        assert_eq!(rows_of(fresh, table).await, rows, "{table}");
    }
    for number in [0, 1, 619] {
        assert!(store.message(id(number)).await.unwrap().is_some(), "{number}");
    }
}

pub(crate) async fn rows_of(fresh: &Fresh, table: &str) -> i64 {
    let beside = fresh.beside().await;
    let sql = Statement::from_string(beside.get_database_backend(), format!("SELECT COUNT(*) FROM {table}"));
    beside.query_one_raw(sql).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}
