//! Whose reply WeChat gets: every combination of what three backends can do, judged by an oracle of its own.
//!
//! The rule: the first reply in the order of the `call` parameters, as soon as it is certain; a backend that hangs keeps it
//! uncertain until WeChat's last try must be answered.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};

use crate::harness::backend::{Backend, Does};
use crate::harness::eventually;
use crate::harness::scene::Scene;
use crate::harness::wechat_pushes::{element, text};

/// How long a slow backend takes: well within WeChat's five seconds, well after the fast ones.
const SLOW: Duration = Duration::from_millis(1500);

/// When WeChat's last try is answered at the earliest, if backends hang.
const LAST_MOMENT: Duration = Duration::from_millis(4400);

/// Messages that are under way at once, so that a slow machine is not late with the slow replies.
const AT_ONCE: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    FastReply,
    SlowReply,
    SlowEmpty,
    Empty,
    Error,
    Refused,
    Hang,
}

const KINDS: [Kind; 7] =
    [Kind::FastReply, Kind::SlowReply, Kind::SlowEmpty, Kind::Empty, Kind::Error, Kind::Refused, Kind::Hang];

/// What WeChat must get.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    /// The place of the backend whose reply it is; `None`: `success`.
    from: Option<usize>,
    /// Nothing can be known before the last moment.
    at_the_last_moment: bool,
}

fn expected(kinds: [Kind; 3]) -> Expected {
    let replies = |kind: &Kind| matches!(kind, Kind::FastReply | Kind::SlowReply);
    let from = kinds.iter().position(replies);
    let before = &kinds[..from.unwrap_or(kinds.len())];
    Expected { from, at_the_last_moment: before.contains(&Kind::Hang) }
}

fn does(kind: Kind, place: usize) -> Does {
    match kind {
        Kind::FastReply => Does::text(&format!("reply {place}")),
        Kind::SlowReply => Does::text(&format!("reply {place}")).after(SLOW),
        Kind::SlowEmpty => Does::nothing().after(SLOW),
        Kind::Empty => Does::text("success"),
        Kind::Error => Does::status(500),
        Kind::Refused | Kind::Hang => Does::Hang,
    }
}

/// One case from the message to WeChat's answer. Each has backends of its own: paths.
async fn play(scene: &Scene, down: &Backend, kinds: [Kind; 3]) {
    let paths: Vec<String> =
        (0..3).map(|place| format!("/{kinds:?}/{place}").replace([' ', '[', ']', ','], "")).collect();
    let calls: Vec<String> = (0..3)
        .map(|place| {
            scene.backend.always(&paths[place], does(kinds[place], place));
            if kinds[place] == Kind::Refused { down.at(&paths[place]) } else { scene.backend.at(&paths[place]) }
        })
        .collect();
    let url = scene.url(&calls.iter().map(String::as_str).collect::<Vec<_>>()) + "&patience=1&late=0";
    let push = scene.pusher.push(&text("hi"));
    let begin = Instant::now();
    let answer = push.to(&scene.server, &url).await;
    let took = begin.elapsed();

    let wanted = expected(kinds);
    let given = answer.text();
    let from = element(&given, "Content").map(|content| content.strip_prefix("reply ").unwrap().parse().unwrap());
    assert_eq!((answer.status, from), (200, wanted.from), "{kinds:?}: {given}");
    assert!(from.is_some() || given == "success", "{kinds:?}: {given}");
    assert_eq!(took >= LAST_MOMENT, wanted.at_the_last_moment, "{kinds:?}: answered after {took:?}");
    for place in (0..3).filter(|place| kinds[*place] != Kind::Refused) {
        // WeChat may have its answer before the others have the message.
        eventually("all get it", async || !scene.backend.arrived(&paths[place]).is_empty()).await;
        let arrived = scene.backend.arrived(&paths[place]);
        let first = arrived.iter().filter(|request| request.header("x-wechat-attempt") == "1").count();
        assert_eq!(first, 1, "{kinds:?}: all get it, once");
        assert!(arrived[0].at - begin < LAST_MOMENT, "{kinds:?}: and not one after the other");
    }
}

fn all_cases() -> impl Iterator<Item = [Kind; 3]> {
    KINDS.into_iter().flat_map(|a| KINDS.into_iter().flat_map(move |b| KINDS.into_iter().map(move |c| [a, b, c])))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_reply_in_order_counts_whatever_the_others_do() {
    let (scene, down) = (Scene::plain().await, Backend::down_from_the_start().await);
    // Those that wait for the last moment first: the others are played meanwhile.
    let (slow, quick): (Vec<_>, Vec<_>) = all_cases().partition(|kinds| expected(*kinds).at_the_last_moment);
    assert_eq!((slow.len(), quick.len()), (93, 250), "all 343 of them");
    let play_all =
        |cases: Vec<[Kind; 3]>| stream::iter(cases).for_each_concurrent(AT_ONCE, |kinds| play(&scene, &down, kinds));
    tokio::join!(play_all(slow), play_all(quick));
}
