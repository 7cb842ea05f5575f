//! Chapter eight: of all late replies to a message one is kept, and one node at a time sends it.

use std::collections::HashSet;
use std::slice::from_ref;
use std::time::Duration;

use store::{LateReply, LateReplyState, NodeId, Store};

use crate::engines::{Fresh, NOW};
use crate::messages::{HERE, THERE, id, later};

fn late(number: u32, seconds: u64) -> LateReply {
    LateReply {
        message_id: id(number),
        reply_from: 1,
        created_at: NOW,
        state: LateReplyState::Pending(later(seconds)),
        tries: 0,
        sent: 0,
        pieces: br#"{"bodies":["{}"]}"#.to_vec(),
        outcome: Vec::new(),
    }
}

fn ids(replies: &[LateReply]) -> Vec<u32> {
    replies.iter().map(|one| u32::from_be_bytes(one.message_id.0[..4].try_into().unwrap())).collect()
}

async fn keep(store: &Store, replies: impl IntoIterator<Item = LateReply>) {
    for reply in replies {
        assert!(store.insert_late_reply(&reply).await.unwrap());
    }
}

pub(crate) async fn one_late_reply_of_each_backend_is_kept(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    for number in 0..3 {
        let replies: tokio::task::JoinSet<Option<u32>> = (0..20u32)
            .map(|tries| {
                let store = nodes[usize::try_from(tries % 2).unwrap()].clone();
                let reply = LateReply { tries, ..late(number, 0) };
                async move { store.insert_late_reply(&reply).await.unwrap().then_some(tries) }
            })
            .collect();
        let kept: Vec<u32> = replies.join_all().await.into_iter().flatten().collect();
        assert_eq!(kept.len(), 1, "{kept:?}");
        let stored = nodes[1].late_replies(&[id(number)]).await.unwrap();
        assert_eq!(stored, [LateReply { tries: kept[0], ..late(number, 0) }]);
    }
    let unsendable = LateReply { state: LateReplyState::Failed, ..late(9, 0) };
    assert!(nodes[0].insert_late_reply(&unsendable).await.unwrap());
    assert!(!nodes[1].insert_late_reply(&late(9, 0)).await.unwrap(), "the first stays, whatever became of it");
    // Of another backend, and made before it: they come in the order in which they were made.
    let earlier =
        LateReply { reply_from: late(9, 0).reply_from + 1, created_at: NOW - Duration::from_secs(1), ..late(9, 0) };
    assert!(nodes[1].insert_late_reply(&earlier).await.unwrap());
    assert_eq!(nodes[0].late_replies(&[id(9), id(10)]).await.unwrap(), [earlier, unsendable]);
}

pub(crate) async fn two_nodes_take_each_late_reply_once(fresh: &Fresh) {
    let nodes = [fresh.open().await, fresh.open().await];
    for node in [HERE, THERE] {
        nodes[0].beat(node, later(10_000)).await.unwrap();
    }
    assert_eq!(nodes[0].next_late_reply().await.unwrap(), None);
    keep(&nodes[0], (0..30).map(|number| late(number, u64::from(40 - number)))).await;
    keep(&nodes[0], [late(99, 500)]).await;
    assert_eq!(nodes[1].next_late_reply().await.unwrap(), Some(later(11)));
    let claim_all = |store: &Store, node: NodeId| {
        let store = store.clone();
        async move {
            let mut taken = Vec::new();
            loop {
                let batch = ids(&store.claim_late_replies(node, later(100), 4).await.unwrap());
                // Due in the opposite order of their numbers.
                assert!(batch.is_sorted_by(|one, next| one > next), "{batch:?}");
                if batch.is_empty() {
                    return taken;
                }
                taken.extend(batch);
            }
        }
    };
    let racing: tokio::task::JoinSet<Vec<u32>> =
        [claim_all(&nodes[0], HERE), claim_all(&nodes[1], THERE)].into_iter().collect();
    let taken: Vec<u32> = racing.join_all().await.into_iter().flatten().collect();
    let once: HashSet<u32> = taken.iter().copied().collect();
    assert_eq!((taken.len(), once), (30, (0..30).collect()));
}

pub(crate) async fn a_late_reply_goes_on_where_it_was_left(fresh: &Fresh) {
    let store = fresh.open().await;
    store.beat(HERE, later(15)).await.unwrap();
    store.beat(THERE, later(1000)).await.unwrap();
    keep(&store, [late(1, 0), late(2, 0), late(3, 0)]).await;
    let mut mine = store.claim_late_replies(HERE, NOW, 9).await.unwrap();
    mine.sort_by_key(|reply| reply.message_id);
    assert_eq!(ids(&mine), [1, 2, 3]);

    // One piece is sent, and it stays here; the second is sent as a whole; the third waits for a better moment.
    let one_piece = LateReply { sent: 1, ..mine[0].clone() };
    assert!(store.settle_late_reply(&one_piece, HERE, true).await.unwrap());
    assert!(!store.settle_late_reply(&one_piece, THERE, true).await.unwrap(), "who does not have it");
    let sent = LateReply { sent: 2, state: LateReplyState::Sent, outcome: b"{}".to_vec(), ..mine[1].clone() };
    assert!(store.settle_late_reply(&sent, HERE, false).await.unwrap());
    let state = LateReplyState::Pending(later(5));
    let again = LateReply { tries: 1, state, outcome: br#"{"errcode":-1}"#.to_vec(), ..mine[2].clone() };
    assert!(store.settle_late_reply(&again, HERE, false).await.unwrap());

    assert!(store.claim_late_replies(THERE, later(4), 9).await.unwrap().is_empty());
    assert_eq!(store.claim_late_replies(THERE, later(5), 9).await.unwrap(), from_ref(&again));
    assert!(store.claim_late_replies(THERE, later(14), 9).await.unwrap().is_empty(), "HERE is still alive");
    assert_eq!(store.claim_late_replies(THERE, later(15), 9).await.unwrap(), from_ref(&one_piece));
    let mut known = store.late_replies(&[id(1), id(2), id(3)]).await.unwrap();
    known.sort_by_key(|reply| reply.message_id);
    assert_eq!(known, [one_piece, sent, again]);
    assert_eq!(store.next_late_reply().await.unwrap(), Some(NOW), "whoever has it");
}
