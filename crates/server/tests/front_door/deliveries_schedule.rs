//! Deliveries in real time: what a backend did not take comes again after five seconds, also after a restart.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::backend::{Backend, Does};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::process::serve;
use crate::harness::scene::Scene;
use crate::harness::server::Flags;
use crate::harness::wechat_pushes::{Pusher, TOKEN, callback_url, now, text};

/// The first pause of the schedule, a tenth shorter.
const FIRST_PAUSE: Duration = Duration::from_millis(4500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pause_is_five_seconds() {
    tokio::join!(
        what_a_backend_did_not_take_comes_again_after_five_seconds(),
        a_backend_that_is_back_gets_what_waited_as_soon_as_it_takes_another_message(),
        a_restart_keeps_the_schedule(),
    );
}

async fn what_a_backend_did_not_take_comes_again_after_five_seconds() {
    let scene = Scene::safe().await;
    let broken = [Does::status(500), Does::status(404), Does::Drop, Does::Half("half".into()), Does::status(302)];
    let paths: Vec<String> = (0..broken.len()).map(|number| format!("/{number}")).collect();
    for (path, does) in paths.iter().zip(broken) {
        scene.backend.next(path, does);
    }
    let message = text("hi");
    let url = scene.json_url(&paths.iter().map(String::as_str).collect::<Vec<_>>()) + "&late=0";
    let push = scene.pusher.push(&message);
    assert_eq!(push.to(&scene.server, &url).await.text(), "success", "nobody had a reply");
    let mut id = String::new();
    for path in &paths {
        scene.backend.has_received(path, 2).await;
        let arrived = scene.backend.arrived(path);
        let (first, second) = (&arrived[0], &arrived[1]);
        assert!(second.at - first.at > FIRST_PAUSE, "{path}: after {:?}", second.at - first.at);
        assert_eq!((first.text(), &first.query), (second.text(), &second.query), "{path}: the same again");
        id = first.header("webhook-id").to_owned();
        assert_eq!(second.header("webhook-id"), id);
        assert_eq!((first.header("x-wechat-attempt"), second.header("x-wechat-attempt")), ("1", "2"));
    }
    let record = scene.server.record_in(&id, "done").await;
    for backend in record["backends"].as_array().unwrap() {
        assert_eq!(
            (&backend["state"], backend["attempts"].as_array().unwrap().len()),
            (&json!("taken"), 2),
            "{backend}"
        );
    }
    assert!(paths.iter().all(|path| scene.backend.calls(path) == 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_says_410_gets_the_message_never_again() {
    let scene = Scene::plain().await;
    scene.backend.always("/gone", Does::status(410));
    assert_eq!(scene.bring(&text("hi"), &["/gone"]).await.text(), "success");
    let id = scene.backend.only("/gone").header("webhook-id").to_owned();
    let record = scene.server.record_in(&id, "done").await;
    assert_eq!((&record["backends"][0]["state"], &record["backends"][0]["next_at"]), (&json!("refused"), &Value::Null));
}

async fn a_backend_that_is_back_gets_what_waited_as_soon_as_it_takes_another_message() {
    let scene = Scene::plain().await;
    scene.backend.always("/a", Does::status(503));
    let mut waiting = Vec::new();
    // Few enough that the backend is not thought to be down.
    for number in 0..2 {
        let message = text(&format!("number {number}"));
        assert_eq!(scene.bring(&message, &["/a"]).await.text(), "success");
        waiting.push(message);
    }
    // Each has failed again, and has half a minute to wait.
    scene.backend.has_received("/a", 4).await;
    scene.backend.always("/a", Does::text("success"));
    let begin = Instant::now();
    let last = text("the last");
    assert_eq!(scene.bring(&last, &["/a"]).await.text(), "success");
    scene.backend.has_received("/a", 7).await;
    assert!(begin.elapsed() < Duration::from_secs(20), "before their time: {:?}", begin.elapsed());
    waiting.insert(0, last);
    let arrived: Vec<String> = scene.backend.arrived("/a").iter().skip(4).map(|request| request.text()).collect();
    assert_eq!(arrived, waiting, "by age, behind the one that found out");
}

/// A delivery has its time on disk: a restart makes it neither sooner nor later.
async fn a_restart_keeps_the_schedule() {
    let (wechat, backend, database) = (FakeWechat::start().await, Backend::start().await, Database::sqlite());
    let flags = Flags::new(&database, &wechat.url);
    let mut first = serve(&flags).start();
    let caller = first.caller().await;
    caller.register_cold("test", &[("token", TOKEN)]).await;
    backend.next("/a", Does::status(500));
    let url = callback_url("/app/test/msg", &[&backend.at("/a")]);
    assert_eq!(Pusher::plain().push(&text("hi")).to(&caller, &url).await.text(), "success");
    let id = backend.only("/a").header("webhook-id").to_owned();
    let pending = caller.record_in(&id, "delivering").await;
    let next_at = pending["backends"][0]["next_at"].as_f64().unwrap();
    first.kill().await;

    let mut second = serve(&flags).start();
    let caller = second.caller().await;
    assert_eq!(caller.record(&id).await["backends"][0]["next_at"], next_at, "as it was");
    backend.has_received("/a", 2).await;
    assert!(now() as f64 + 1.0 >= next_at, "not before its time");
    let arrived = backend.arrived("/a");
    assert_eq!((arrived.len(), arrived[1].header("x-wechat-attempt")), (2, "2"));
    caller.record_in(&id, "done").await;
}
