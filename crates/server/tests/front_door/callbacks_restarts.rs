//! Promises 3 and 4 against kill -9: what got a success answer reaches every backend, and nobody is answered twice.
//!
//! A real process on one SQLite file is killed at random moments under load and started again, fifty times.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::backend::{Arrived, Backend, Does};
use crate::harness::caller::{Answer, Caller};
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::process::{Process, serve};
use crate::harness::server::Flags;
use crate::harness::wechat_pushes::{PATIENCE, Pusher, TOKEN, callback_url, element, fresh_msg_id, message, text};

const KILLS: usize = 50;
const CLIENTS: usize = 20;
/// How often WeChat tries.
const TRIES: usize = 3;
/// How long WeChat waits between a try that failed at once and the next, at most: until the server is there again.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

const STEADY: &str = "/steady";
const FLAKY: &str = "/flaky";
const SEND: &str = "/cgi-bin/message/custom/send";

/// What became of one message on WeChat's side.
struct Fate {
    msg_id: u64,
    /// The success answers: `success` or the text of a reply. More than one when a try was repeated.
    answers: Vec<String>,
}

/// The number of a message: its `MsgId`.
fn msg_id(arrived: &Arrived) -> u64 {
    element(&arrived.text(), "MsgId").unwrap().parse().unwrap()
}

/// A reply that no other request gets: which message, and the how manyth.
fn unlike_any_other(arrived: &Arrived) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}/{}", msg_id(arrived), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Of the first requests one of five gets 503, and a few, only in the beginning, 500; others are slow.
fn flaky(place: usize) -> Does {
    match place {
        _ if place % 5 == 4 => Does::status(503),
        _ if place % 50 == 7 && place < 150 => Does::status(500),
        _ if place % 3 == 1 => Does::nothing().after(Duration::from_millis(30)),
        _ => Does::nothing(),
    }
}

/// A success answer as WeChat takes it; `None`: it tries again.
fn taken(answer: Option<Answer>) -> Option<String> {
    let answer = answer.filter(|answer| answer.status == 200)?;
    let text = answer.text();
    Some(element(&text, "Content").map_or(text.clone(), str::to_owned))
}

/// WeChat with one user after the other: three tries for each message, and now and then one more after the answer.
async fn keep_sending(mut server: watch::Receiver<Option<Caller>>, done: Arc<Mutex<Vec<Fate>>>, url: String) {
    let pusher = Pusher::plain();
    for number in 0.. {
        let msg_id = fresh_msg_id();
        let text = message("text", "<Content><![CDATA[hi]]></Content>", msg_id);
        let mut answers = Vec::new();
        let (mut tries, repeats) = (0, usize::from(number % 4 == 0));
        while answers.len() <= repeats && tries < TRIES + answers.len() {
            tries += 1;
            let Some(caller) = server.borrow_and_update().clone() else { return };
            match taken(pusher.push(&text).try_to(&caller, &url).await) {
                Some(answer) => answers.push(answer),
                // The next process, or the same one a little later.
                None => drop(tokio::time::timeout(BETWEEN_TRIES, server.changed()).await),
            }
        }
        done.lock().unwrap().push(Fate { msg_id, answers });
    }
}

/// Random enough, and the same again for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_times_kill_9_and_nothing_acknowledged_is_lost() {
    let (wechat, backend, database) = (FakeWechat::start().await, Backend::start().await, Database::sqlite());
    backend.always(STEADY, Does::Tell(unlike_any_other));
    let plan: Vec<Does> = (0..1000).map(flaky).collect();
    plan.iter().for_each(|does| backend.next(FLAKY, does.clone()));
    let flags = Flags::new(&database, &wechat.url);
    let mut process = serve(&flags).start();
    let caller = process.caller().await;
    caller.register_cold("test", &[("token", TOKEN)]).await;
    let url = callback_url("/app/test/msg", &[&backend.at(STEADY), &backend.at(FLAKY)]);

    let (server, seen) = watch::channel(Some(caller));
    let done = Arc::new(Mutex::new(Vec::new()));
    let clients: JoinSet<()> =
        (0..CLIENTS).map(|_| keep_sending(seen.clone(), Arc::clone(&done), url.clone())).collect();
    let began = Instant::now();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(50 + dice.below(350))).await;
        process.kill().await;
        process = started_again(&flags, &process).await;
        server.send_replace(Some(process.caller().await));
    }
    let killed = began.elapsed();
    server.send_replace(None);
    clients.join_all().await;
    let caller = process.caller().await;
    eventually("everything is delivered", async || {
        let mut left = 0;
        for state in ["forwarding", "delivering"] {
            left += caller.messages(&[("state", state), ("limit", "1")]).await.len();
        }
        left == 0
    })
    .await;

    let fates = std::mem::take(&mut *done.lock().unwrap());
    let acknowledged: Vec<&Fate> = fates.iter().filter(|fate| !fate.answers.is_empty()).collect();
    let sent = fates.len();
    eprintln!("{KILLS} kills in {killed:?}, {sent} messages, {} acknowledged", acknowledged.len());
    assert!(acknowledged.len() > 100, "there was some load");
    everybody_has_it(&acknowledged, &backend, &plan);
    everybody_is_answered_once(&acknowledged, &wechat).await;
}

async fn started_again(flags: &Flags, dead: &Process) -> Process {
    let log = dead.err();
    assert!(!log.contains("panicked"), "{log}");
    let mut process = serve(flags).start();
    process.url().await;
    process
}

fn everybody_has_it(acknowledged: &[&Fate], backend: &Backend, plan: &[Does]) {
    for path in [STEADY, FLAKY] {
        let arrived = backend.arrived(path);
        // What the flaky one was told to do with its requests is known by their order.
        let is_taken = |place: usize| match plan.get(place).filter(|_| path == FLAKY) {
            Some(Does::Say(status, ..)) => *status == 200,
            _ => true,
        };
        let taken =
            arrived.iter().enumerate().filter(|(place, _)| is_taken(*place)).map(|(_, request)| msg_id(request));
        let taken: Vec<u64> = taken.collect();
        let have: HashSet<u64> = taken.iter().copied().collect();
        let lost: Vec<u64> = acknowledged.iter().map(|fate| fate.msg_id).filter(|id| !have.contains(id)).collect();
        assert_eq!(lost, [0; 0], "{path} never got these");
        eprintln!("{path}: {} messages, {} of them more than once", have.len(), taken.len() - have.len());
        let mut ids: HashMap<u64, HashSet<String>> = HashMap::new();
        for request in &arrived {
            ids.entry(msg_id(request)).or_default().insert(request.header("webhook-id").to_owned());
        }
        assert!(ids.values().all(|ids| ids.len() == 1), "a duplicate is known by its webhook-id");
    }
}

/// The replies that reached each user: by WeChat's tries, or as a customer-service message.
fn replies(acknowledged: &[&Fate], wechat: &FakeWechat) -> HashMap<u64, HashSet<String>> {
    let mut replies: HashMap<u64, HashSet<String>> = HashMap::new();
    for fate in acknowledged {
        let said = fate.answers.iter().filter(|answer| *answer != "success");
        replies.entry(fate.msg_id).or_default().extend(said.cloned());
    }
    for call in wechat.arrived(SEND) {
        let body: serde_json::Value = serde_json::from_str(&call.body).unwrap();
        let text = body["text"]["content"].as_str().unwrap().to_owned();
        let msg_id = text.split('/').next().unwrap().parse().unwrap();
        replies.entry(msg_id).or_default().insert(text);
    }
    replies
}

/// The steady backend always has a reply: each user gets one, and none gets two.
async fn everybody_is_answered_once(acknowledged: &[&Fate], wechat: &FakeWechat) {
    eventually("everybody has a reply", async || {
        let replies = replies(acknowledged, wechat);
        acknowledged.iter().all(|fate| !replies[&fate.msg_id].is_empty())
    })
    .await;
    let replies = replies(acknowledged, wechat);
    let twice: Vec<_> = replies.iter().filter(|(_, said)| said.len() > 1).collect();
    assert!(twice.is_empty(), "answered twice: {twice:?}");
    eprintln!("{} replies, {} of them late", replies.len(), wechat.calls(SEND));
}

/// WeChat's second try comes to the next process: it knows that it is the second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_try_after_a_restart_is_known_as_the_last_and_the_message_brought_again() {
    tokio::join!(the_next_process_goes_on("KILL"), the_next_process_goes_on("TERM"));
}

async fn the_next_process_goes_on(signal: &str) {
    let (wechat, backend, database) = (FakeWechat::start().await, Backend::start().await, Database::sqlite());
    let flags = Flags::new(&database, &wechat.url);
    let mut first = serve(&flags).start();
    let caller = first.caller().await;
    caller.register_cold("test", &[("token", TOKEN)]).await;
    backend.always("/a", Does::text("late"));
    backend.close_the_door("/a");
    let url = callback_url("/app/test/msg", &[&backend.at("/a")]) + "&patience=2";
    let (pusher, message) = (Pusher::plain(), text("hi"));
    let (begin, push) = (Instant::now(), pusher.push(&message));
    let (answer, ()) = tokio::join!(push.try_to(&caller, &url), async {
        backend.has_received("/a", 1).await;
        first.signal(signal);
    });
    assert!(answer.is_none_or(|answer| answer.status != 200), "nobody has a reply");
    let signalled = Instant::now();
    first.ended().await;
    assert!(signalled.elapsed() < Duration::from_secs(10));

    let mut second = serve(&flags).start();
    let caller = second.caller().await;
    tokio::time::sleep(PATIENCE.saturating_sub(begin.elapsed())).await;
    let last = pusher.push(&message).to(&caller, &url).await;
    assert_eq!(last.text(), "success", "an earlier try would be told to come again");
    backend.has_received("/a", 2).await;
    backend.open_the_door("/a");
    wechat.has_received(SEND, 1).await;
    let attempts: Vec<String> =
        backend.arrived("/a").iter().map(|request| request.header("x-wechat-attempt").to_owned()).collect();
    assert_eq!(attempts, ["1", "2"]);
}
