//! Five seconds, three tries: WeChat hangs up and sends the same message again, and gets one answer, in time.
//!
//! WeChat's times are real here, so one test plays all stories at once.

use std::time::{Duration, Instant};

use crate::harness::backend::Does;
use crate::harness::caller::Answer;
use crate::harness::eventually;
use crate::harness::scene::Scene;
use crate::harness::wechat_pushes::{PATIENCE, Push, text};

/// How WeChat's tries of one message ended.
struct Told {
    tries: usize,
    answer: Option<Answer>,
}

/// Sends a message as WeChat does: up to three tries, each with a new nonce, each for five seconds.
async fn send(scene: &Scene, message: &str, url: &str) -> (Told, Push) {
    let mut push = scene.pusher.push(message);
    for tries in 1..=3 {
        push = scene.pusher.push(message);
        let begin = Instant::now();
        let answer = push.try_to(&scene.server, url).await;
        if let Some(answer) = answer.filter(|answer| answer.status == 200) {
            return (Told { tries, answer: Some(answer) }, push);
        }
        // Whatever else the server said, WeChat's next try comes when the time of this one is over.
        tokio::time::sleep(PATIENCE.saturating_sub(begin.elapsed())).await;
    }
    (Told { tries: 3, answer: None }, push)
}

/// A message to one backend: with which try the answer came, and what WeChat shows (`success`: nothing).
async fn story(scene: &Scene, path: &str, does: Does, parameters: &str) -> (usize, String) {
    scene.backend.always(path, does);
    let message = text(path);
    let url = scene.url(&[path]) + parameters;
    let (told, push) = send(scene, &message, &url).await;
    let answer = told.answer.unwrap_or_else(|| panic!("{path}: no try was answered"));
    let shown = |answer: &Answer, push: &Push| match answer.text().as_str() {
        "success" => "success".to_owned(),
        _ => scene.pusher.open(answer, push),
    };
    let given = shown(&answer, &push);
    assert_eq!(scene.backend.calls(path), 1, "{path}: forwarded once");

    // A duplicate, and two of them at once, get the same stored answer.
    let push = scene.pusher.push(&message);
    let (one, other) = tokio::join!(push.to(&scene.server, &url), push.to(&scene.server, &url));
    assert_eq!((shown(&one, &push), shown(&other, &push)), (given.clone(), given.clone()), "{path}");
    assert_eq!(scene.backend.calls(path), 1, "{path}: still forwarded once");
    (told.tries, given)
}

fn seconds(seconds: f32) -> Duration {
    Duration::from_secs_f32(seconds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_reaches_the_try_that_waits_and_the_last_one_is_answered_in_time() {
    let scene = Scene::safe().await;
    let after = |delay: f32| Does::text("hi").after(seconds(delay));
    let (first, second, third, never, once, twice, nothing) = tokio::join!(
        story(&scene, "/first", after(1.0), ""),
        story(&scene, "/second", after(7.0), ""),
        story(&scene, "/third", after(12.0), ""),
        story(&scene, "/never", Does::Hang, ""),
        story(&scene, "/once", Does::Hang, "&patience=1&late=0"),
        story(&scene, "/twice", after(16.0), "&patience=2&late=0"),
        story(&scene, "/nothing", Does::text("success").after(seconds(6.0)), ""),
    );
    let is_hi = |(tries, given): (usize, String), wanted: usize| {
        assert!(given.contains("<Content><![CDATA[hi]]></Content>"), "{given}");
        assert_eq!(tries, wanted, "with which try the reply came");
    };
    is_hi(first, 1);
    is_hi(second, 2);
    is_hi(third, 3);
    assert_eq!(never, (3, "success".to_owned()));
    assert_eq!(once, (1, "success".to_owned()));
    assert_eq!(twice, (2, "success".to_owned()));
    assert_eq!(nothing, (2, "success".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_between_two_tries_waits_for_the_next() {
    let scene = Scene::safe().await;
    scene.backend.always("/a", Does::text("hi"));
    scene.backend.close_the_door("/a");
    let (message, url) = (text("between"), scene.url(&["/a"]));
    let begin = Instant::now();
    let first = scene.pusher.push(&message);
    // WeChat loses the connection as soon as the message has arrived.
    tokio::select! {
        answer = first.to(&scene.server, &url) => panic!("answered before the backend did: {}", answer.text()),
        () = scene.backend.has_received("/a", 1) => {}
    }
    scene.backend.open_the_door("/a");
    let id = scene.backend.only("/a").header("webhook-id").to_owned();
    eventually("it is decided", async || scene.server.record(&id).await["answer"].is_object()).await;

    let second = scene.pusher.push(&message);
    let answer = second.to(&scene.server, &url).await;
    assert!(scene.pusher.open(&answer, &second).contains("<![CDATA[hi]]>"));
    assert!(begin.elapsed() < PATIENCE, "at once");
    assert_eq!((scene.backend.calls("/a"), scene.wechat.all_calls()), (1, 0), "and not sent to the user as well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_that_come_at_the_same_time_are_one_message_with_one_answer() {
    let scene = Scene::plain().await;
    scene.backend.always("/a", Does::Tell(|request| format!("nonce {}", request.parameter("nonce"))));
    scene.backend.close_the_door("/a");
    let (message, url) = (text("twice"), scene.url(&["/a"]));
    let (one, other) = (scene.pusher.push(&message), scene.pusher.push(&message));
    let ((), one, other) = tokio::join!(
        async {
            scene.backend.has_received("/a", 1).await;
            scene.backend.open_the_door("/a");
        },
        one.to(&scene.server, &url),
        other.to(&scene.server, &url),
    );
    assert!(one.text().contains("<![CDATA[nonce "), "{}", one.text());
    assert_eq!((one.status, one.text()), (other.status, other.text()));
    assert_eq!(scene.backend.calls("/a"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tries_of_many_messages_at_once_are_each_forwarded_once() {
    let scene = Scene::plain().await;
    scene.backend.always("/a", Does::Tell(|request| request.json()["Content"].as_str().unwrap().to_owned()));
    let url = scene.json_url(&["/a"]);
    let messages: Vec<String> = (0..50).map(|number| text(&format!("number {number}."))).collect();
    let tries = (0..150).map(|number| {
        let message = &messages[number % 50];
        let (push, url, server) = (scene.pusher.push(message), &url, &scene.server);
        async move { (number % 50, push.to(server, url).await) }
    });
    for (number, answer) in futures::future::join_all(tries).await {
        assert!(answer.text().contains(&format!("<![CDATA[number {number}.]]>")), "{}", answer.text());
    }
    assert_eq!(scene.backend.calls("/a"), 50);
}
