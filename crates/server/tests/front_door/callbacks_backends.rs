//! Backends that do not do what they should: what WeChat gets then, and what is written down.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::backend::{Backend, Does};
use crate::harness::scene::Scene;
use crate::harness::wechat_pushes::{PATIENCE, text};

/// What a backend did with its first try, as it is shown.
async fn first_try(scene: &Scene, id: &str, state: &str) -> (Value, Value) {
    let record = scene.server.record_in(id, state).await;
    let backend = record["backends"][0].clone();
    assert_eq!(backend["attempts"][0]["attempt"], 1, "{record}");
    (backend["attempts"][0].clone(), backend)
}

/// Brings a message to a backend at `call` and to one that answers, whose reply must count; gives the message's id.
async fn the_next_answers(scene: &Scene, call: &str) -> String {
    scene.backend.always("/next", Does::text("mine"));
    let before = scene.backend.calls("/next");
    let answer = scene.bring(&text("hi"), &[call, "/next"]).await;
    assert!(answer.text().contains("<![CDATA[mine]]>"), "{call}: {}", answer.text());
    let arrived = scene.backend.arrived("/next");
    assert_eq!(arrived.len(), before + 1);
    arrived[before].header("webhook-id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_that_is_no_success_is_a_failure_and_its_body_no_reply() {
    let scene = Scene::plain().await;
    for status in [300, 304, 400, 401, 403, 404, 405, 413, 422, 429, 500, 501, 502, 503, 504, 599] {
        let path = format!("/{status}");
        scene.backend.always(&path, Does::Say(status, "text/plain", b"hello".to_vec()));
        let id = the_next_answers(&scene, &path).await;
        let (tried, backend) = first_try(&scene, &id, "delivering").await;
        assert_eq!((&tried["status"], &backend["state"]), (&status.into(), &"pending".into()), "{backend}");
        let pause = backend["next_at"].as_f64().unwrap() - tried["at"].as_f64().unwrap();
        assert!((4.4..20.0).contains(&pause), "again after about 5 s, not {pause} s");
        let error = tried["error"].as_str().unwrap();
        assert!(error.contains(&status.to_string()), "{error}");
    }
    // It wants no more of it.
    scene.backend.always("/410", Does::Say(410, "text/plain", b"hello".to_vec()));
    let id = the_next_answers(&scene, "/410").await;
    let (tried, backend) = first_try(&scene, &id, "done").await;
    assert_eq!((&tried["status"], &backend["state"]), (&410.into(), &"refused".into()), "{backend}");
    assert!(backend.get("next_at").is_none(), "{backend}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redirects_are_not_followed() {
    let scene = Scene::plain().await;
    let elsewhere = Backend::start().await;
    for status in [301, 302, 303, 307, 308] {
        let path = format!("/{status}");
        scene.backend.always(&path, Does::Redirect(status, elsewhere.at("/secret")));
        let id = the_next_answers(&scene, &path).await;
        let (tried, _) = first_try(&scene, &id, "delivering").await;
        assert_eq!(tried["status"], status);
    }
    assert_eq!(elsewhere.all_calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_are_failures() {
    let scene = Scene::plain().await;
    let down = Backend::down_from_the_start().await;
    let half = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    scene.backend.always("/drop", Does::Drop);
    scene.backend.always("/half", Does::Half("half of this".to_owned()));
    scene.backend.always("/chunk", Does::Raw(half.into()));
    scene.backend.always("/garbage", Does::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()));
    scene.backend.always("/head", Does::Raw(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()));
    for call in ["/drop", "/half", "/chunk", "/garbage", "/head", &down.at("/down"), "http://no-such-host.invalid/x"] {
        let id = the_next_answers(&scene, call).await;
        let (tried, backend) = first_try(&scene, &id, "delivering").await;
        assert_eq!((tried.get("status"), &backend["state"]), (None, &"pending".into()), "{call}: {backend}");
        assert!(!tried["error"].as_str().unwrap().is_empty(), "{call}: {backend}");
        assert!(!tried["error"].as_str().unwrap().contains("signature="), "no query in it: {backend}");
    }
    // What ends by the end of the connection is whole.
    scene
        .backend
        .always("/old", Does::Raw(b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold but well".to_vec()));
    let answer = scene.bring(&text("hi"), &["/old"]).await;
    assert!(answer.text().contains("<![CDATA[old but well]]>"), "{}", answer.text());
    let whole = format!("{half}6\r\n world\r\n0\r\n\r\n");
    scene.backend.always("/chunks", Does::Raw(whole.into()));
    let answer = scene.bring(&text("hi"), &["/chunks"]).await;
    assert!(answer.text().contains("<![CDATA[hello world]]>"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_too_long_is_no_reply_but_the_message_has_arrived() {
    let scene = Scene::plain().await;
    for (path, length) in [("/long", 300 * 1024), ("/longer", 20 * 1024 * 1024)] {
        scene.backend.always(path, Does::Say(200, "text/plain", vec![b'x'; length]));
        let id = the_next_answers(&scene, path).await;
        let (tried, backend) = first_try(&scene, &id, "done").await;
        assert_eq!((&tried["status"], &backend["state"]), (&200.into(), &"taken".into()), "{backend}");
        assert!(tried["unused"].as_str().unwrap().contains("longer"), "{backend}");
    }
    // An answer without an end is as good as one that is too long.
    let endless = [b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n".to_vec(), vec![b'x'; 1024 * 1024]].concat();
    scene.backend.always("/endless", Does::Raw(endless));
    let id = the_next_answers(&scene, "/endless").await;
    let (tried, _) = first_try(&scene, &id, "done").await;
    assert!(tried["unused"].as_str().unwrap().contains("longer"), "{tried}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_trickles_or_hangs_holds_nobody_up_longer_than_wechat_waits() {
    let scene = Scene::plain().await;
    let forever = "x".repeat(100_000);
    scene.backend.always("/trickle", Does::Trickle(forever, Duration::from_millis(100)));
    scene.backend.always("/hang", Does::Hang);
    scene.backend.always("/next", Does::text("mine"));
    let bring = async |calls: &[&str], wanted: &str| {
        let begin = Instant::now();
        let url = scene.url(calls) + "&patience=1&late=0";
        let answer = scene.pusher.push(&text("hi")).try_to(&scene.server, &url).await;
        let answer = answer.unwrap_or_else(|| panic!("{calls:?}: WeChat had to hang up"));
        assert!(answer.text().contains(wanted), "{calls:?}: {}", answer.text());
        begin.elapsed()
    };
    let (first, second, third, fourth) = tokio::join!(
        bring(&["/trickle", "/next"], "<![CDATA[mine]]>"),
        bring(&["/hang", "/trickle"], "success"),
        bring(&["/next", "/hang", "/trickle"], "<![CDATA[mine]]>"),
        bring(&["/hang", "/hang", "/next"], "<![CDATA[mine]]>"),
    );
    let waited = Duration::from_millis(4400)..PATIENCE;
    for took in [first, second, fourth] {
        assert!(waited.contains(&took), "until the last moment, not {took:?}");
    }
    assert!(third < waited.start, "what is decided is not held up: {third:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_backend_twice_gets_the_message_twice() {
    let scene = Scene::plain().await;
    scene.backend.always("/a", Does::Tell(|request| request.parameter("part")));
    let answer = scene.bring(&text("hi"), &["/a?part=", "/a?part=two", "/a?part=three"]).await;
    assert!(answer.text().contains("<![CDATA[two]]>"), "{}", answer.text());
    scene.backend.has_received("/a", 3).await;
}
