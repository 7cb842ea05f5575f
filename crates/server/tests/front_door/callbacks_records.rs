//! Records of messages: listed, read and replayed, by HTTP and on the command line.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::backend::{Backend, Does};
use crate::harness::caller::encoded;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::process::{Ended, Program};
use crate::harness::scene::Scene;
use crate::harness::server::Flags;
use crate::harness::wechat_pushes::{APPID, Pusher, TOKEN, USER, event, fresh_msg_id, message, now, text};

fn ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

/// Brings a message to a path of its own, and gives its id.
async fn bring(scene: &Scene, message: &str, path: &str, does: Does) -> String {
    // No two in the same millisecond: between those, the order is not by time.
    tokio::time::sleep(Duration::from_millis(2)).await;
    let answer = scene.reply_to(message, path, does).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    tokio::time::sleep(Duration::from_millis(2)).await;
    scene.backend.only(path).header("webhook-id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_says_what_came_what_each_backend_did_and_what_wechat_was_answered() {
    let scene = Scene::safe().await;
    let begin = f64::from(u32::try_from(now()).unwrap());
    let body = text("hi");
    scene.backend.always("/good", Does::text("ho"));
    scene.backend.always("/bad", Does::status(500));
    let secret = scene.backend.at("/bad?password=HUSH#x").replace("http://", "http://user:HUSH@");
    let answer = scene.pusher.push(&body).to(&scene.server, &scene.json_url(&[&secret, "/good?key=HUSH"])).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = scene.backend.only("/good").header("webhook-id").to_owned();
    let record = scene.server.record_in(&id, "delivering").await;
    let bad = scene.backend.arrived("/bad").remove(0);
    assert!(bad.query.starts_with("password=HUSH&") && bad.header("authorization").starts_with("Basic "), "{bad:?}");

    let expected = json!({"id": id, "key": "test", "appid": APPID, "type": "text", "event": "", "openid": USER});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&record[name], value, "{name}");
    }
    let received = record["received_at"].as_f64().unwrap();
    assert!((begin..begin + 60.0).contains(&received), "{received}");
    assert_eq!(record["answer"]["backend"], 1);
    assert!(record["answer"]["body"].as_str().unwrap().contains("<![CDATA[ho]]>"), "in plain text: {record}");
    assert!(record["answer"]["decided_at"].as_f64().unwrap() >= received);
    let [bad, good] = record["backends"].as_array().unwrap().as_slice() else { panic!("two backends: {record}") };
    assert_eq!((&bad["url"], &good["url"]), (&json!(scene.backend.at("/bad")), &json!(scene.backend.at("/good"))));
    assert_eq!((&bad["state"], &good["state"]), (&json!("pending"), &json!("taken")));
    let tried = &good["attempts"][0];
    assert_eq!((&tried["status"], &tried["attempt"], &tried["reply"]), (&json!(200), &json!(1), &json!("text")));
    assert!(
        tried["at"].as_f64().unwrap() >= received && tried["ms"].is_u64() && tried.get("error").is_none(),
        "{tried}"
    );
    assert_eq!(bad["attempts"].as_array().unwrap().len(), 1, "{bad}");
    assert_eq!(record["body"], scene.backend.only("/good").text(), "as the backends got it");
    assert!(!record.to_string().contains("HUSH"), "{record}");
    let listed = scene.server.messages(&[]).await;
    assert_eq!((ids(&listed), listed[0].get("body")), (vec![id], None));
    assert!(!listed[0].to_string().contains("HUSH"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_found_by_what_they_are() {
    let scene = Scene::plain().await;
    let other =
        [("key", "other"), ("appid", "wxffffffffffffffff"), ("secret", "s"), ("check", "false"), ("token", TOKEN)];
    scene.server.register(&other).await;
    let done = bring(&scene, &text("hi"), "/done", Does::text("ho")).await;
    let image =
        bring(&scene, &message("image", "", fresh_msg_id()).replace(USER, "oOTHER"), "/image", Does::nothing()).await;
    let click = bring(&scene, &event("CLICK", "<EventKey>k</EventKey>"), "/click", Does::nothing()).await;
    let owed = bring(&scene, &text("hi"), "/owed", Does::status(500)).await;
    let refused = bring(&scene, &text("hi"), "/refused", Does::status(410)).await;
    let foreign =
        scene.pusher.push(&text("hi")).to(&scene.server, &scene.url(&["/foreign"]).replace("/test/", "/other/")).await;
    assert_eq!(foreign.status, 200);
    let foreign = scene.backend.only("/foreign").header("webhook-id").to_owned();
    tokio::time::sleep(Duration::from_millis(2)).await;
    scene.backend.close_the_door("/open");
    let (push, url) = (scene.pusher.push(&text("hi")), scene.url(&["/open"]));
    tokio::select! {
        answer = push.to(&scene.server, &url) => panic!("answered before the backend did: {}", answer.text()),
        () = scene.backend.has_received("/open", 1) => {}
    }
    let open = scene.backend.only("/open").header("webhook-id").to_owned();
    for (id, state) in
        [(&done, "done"), (&owed, "delivering"), (&refused, "done"), (&open, "forwarding"), (&foreign, "done")]
    {
        scene.server.record_in(id, state).await;
    }

    let all = [&open, &foreign, &refused, &owed, &click, &image, &done];
    let (soon, before, ago) = ((now() + 60).to_string(), (now() - 3600).to_string(), (now() - 60).to_string());
    let without = |out: &[&String]| all.into_iter().filter(|id| !out.contains(id)).collect::<Vec<_>>();
    type Case<'a> = (Vec<(&'a str, &'a str)>, Vec<&'a String>);
    let cases: Vec<Case<'_>> = vec![
        (vec![], all.to_vec()),
        (vec![("key", "other")], vec![&foreign]),
        (vec![("key", "test")], without(&[&foreign])),
        (vec![("key", "nobody")], vec![]),
        (vec![("appid", APPID)], without(&[&foreign])),
        (vec![("appid", "wxffffffffffffffff"), ("key", "")], vec![&foreign]),
        (vec![("type", "image")], vec![&image]),
        (vec![("type", "event")], vec![&click]),
        (vec![("event", "CLICK")], vec![&click]),
        (vec![("event", "click")], vec![]),
        (vec![("openid", "oOTHER")], vec![&image]),
        (vec![("openid", USER), ("type", "text"), ("key", "test")], vec![&open, &refused, &owed, &done]),
        (vec![("state", "forwarding")], vec![&open]),
        (vec![("state", "delivering")], vec![&owed]),
        (vec![("state", "done")], without(&[&open, &owed])),
        (vec![("state", "dead")], vec![]),
        (vec![("since", &ago), ("until", &soon)], all.to_vec()),
        (vec![("since", &soon)], vec![]),
        (vec![("until", &before)], vec![]),
        (vec![("state", "done"), ("openid", "oOTHER"), ("since", &ago)], vec![&image]),
    ];
    for (filter, expected) in cases {
        let found = ids(&scene.server.messages(&filter).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}, the newest first");
    }
    for wrong in ["state=lost", "since=yesterday", "until=x", "limit=0", "limit=501", "limit=x", "after=msg_1"] {
        scene.server.get(&format!("/admin/messages?{wrong}")).await.is_refusal(400, -10003);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_hold_every_message_once() {
    let scene = Scene::plain().await;
    // At once, so that some have the same millisecond.
    let bring = (0..23).map(|number| {
        let message =
            if number % 2 == 0 { text("hi") } else { event("CLICK", &format!("<EventKey>{number}</EventKey>")) };
        async move { message }
    });
    let messages = futures::future::join_all(bring).await;
    let answers = futures::future::join_all(messages.iter().map(|message| scene.bring(message, &["/a"]))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));

    let whole = ids(&scene.server.messages(&[]).await);
    assert_eq!(whole.len(), 23);
    for (filter, count) in [(None, 23), (Some(("type", "text")), 12), (Some(("event", "CLICK")), 11)] {
        for limit in ["1", "5", "23"] {
            let mut found = Vec::new();
            let mut next = String::new();
            loop {
                let page: Vec<_> = filter.into_iter().chain([("limit", limit), ("after", next.as_str())]).collect();
                let answer = scene.server.get(&format!("/admin/messages?{}", encoded(&page))).await.json();
                let records = answer["messages"].as_array().unwrap().clone();
                assert!(records.len() <= limit.parse().unwrap(), "{limit}");
                found.extend(ids(&records));
                let Some(after) = answer["next"].as_str() else { break };
                after.clone_into(&mut next);
            }
            assert_eq!(found.len(), count, "{filter:?} by {limit}");
            let expected: Vec<_> = whole.iter().filter(|id| found.contains(id)).cloned().collect();
            assert_eq!(found, expected, "in the same order, none twice");
        }
    }
    // A page after a message that is not kept is not the first page again.
    let after = format!("/admin/messages?after=msg_{}", "0".repeat(32));
    let answer = scene.server.get(&after).await;
    assert!(answer.status == 404 || answer.json()["messages"] == json!([]), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_sends_the_same_message_again_to_all_or_to_one() {
    let scene = Scene::safe().await;
    let body = text("hi");
    assert_eq!(scene.bring(&body, &["/a?k=v", "/b"]).await.status, 200);
    let first = scene.backend.only("/a");
    let id = first.header("webhook-id").to_owned();
    scene.server.record_in(&id, "done").await;
    let replay = |query: &'static str| {
        let target = format!("/admin/messages/{id}/replay{query}");
        let server = &scene.server;
        async move { server.post_form(&target, &[]).await }
    };
    assert_eq!(replay("").await.json(), json!({"success": true, "id": id}));
    scene.backend.has_received("/a", 2).await;
    scene.backend.has_received("/b", 2).await;
    scene.server.record_in(&id, "done").await;
    assert_eq!(replay("?backend=1").await.status, 200);
    scene.backend.has_received("/b", 3).await;
    let record = scene.server.record_in(&id, "done").await;

    let attempts = |path: &str| -> Vec<String> {
        let arrived = scene.backend.arrived(path);
        assert!(arrived.iter().all(|request| request.header("webhook-id") == id && request.text() == body));
        arrived.iter().map(|request| request.header("x-wechat-attempt").to_owned()).collect()
    };
    assert_eq!(attempts("/a"), ["1", "2"], "the count goes on");
    assert_eq!(attempts("/b"), ["1", "2", "3"]);
    let again = scene.backend.arrived("/a").remove(1);
    assert_eq!(
        (again.query.as_str(), again.header("content-type")),
        (first.query.as_str(), first.header("content-type"))
    );
    assert!(!again.header("webhook-signature").is_empty());
    let recorded = |place: usize| record["backends"][place]["attempts"].as_array().unwrap().len();
    assert_eq!((recorded(0), recorded(1)), (2, 3), "{record}");

    replay("?backend=2").await.is_refusal(404, -10026);
    replay("?backend=x").await.is_refusal(400, -10003);
    let unknown = format!("msg_{}", "0".repeat(32));
    scene.server.get(&format!("/admin/messages/{unknown}")).await.is_refusal(404, -10026);
    scene.server.post_form(&format!("/admin/messages/{unknown}/replay"), &[]).await.is_refusal(404, -10026);
    for malformed in ["msg_", "msg_xyz", "0", unknown.strip_prefix("msg_").unwrap(), "%ff"] {
        let answer = scene.server.get(&format!("/admin/messages/{malformed}")).await;
        assert!(matches!(answer.status, 400 | 404), "{malformed}: {}", answer.text());
    }
    assert_eq!(scene.server.get(&format!("/admin/messages/{id}/replay")).await.status, 405, "a link replays nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_reaches_a_backend_that_is_back_and_one_that_wanted_no_more() {
    let scene = Scene::plain().await;
    let down = Backend::start().await;
    down.go_down().await;
    scene.backend.next("/gone", Does::status(410));
    assert_eq!(scene.bring(&text("hi"), &[&down.at("/down"), "/gone"]).await.text(), "success");
    let id = scene.backend.only("/gone").header("webhook-id").to_owned();
    scene.server.record_in(&id, "delivering").await;
    down.come_up();
    let answer = scene.server.post_form(&format!("/admin/messages/{id}/replay"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    down.has_received("/down", 1).await;
    scene.backend.has_received("/gone", 2).await;
    let record = scene.server.record_in(&id, "done").await;
    let states: Vec<&Value> = record["backends"].as_array().unwrap().iter().map(|backend| &backend["state"]).collect();
    assert_eq!(states, ["taken", "taken"], "{record}");
    assert_eq!(down.only("/down").header("x-wechat-attempt"), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callbacks_are_counted_by_what_they_were_answered() {
    let scene = Scene::plain().await;
    scene.reply_to(&text("hi"), "/reply", Does::text("ho")).await;
    scene.reply_to(&text("hi"), "/nothing", Does::nothing()).await;
    scene.reply_to(&text("hi"), "/error", Does::status(500)).await;
    scene.pusher.push(&text("hi")).without("signature").to(&scene.server, &scene.url(&["/a"])).await;
    let metrics = scene.server.get("/metrics").await.text();
    for line in [
        "wechat_proxy_callbacks_total{outcome=\"reply\"} 1",
        "wechat_proxy_callbacks_total{outcome=\"success\"} 2",
        "wechat_proxy_callbacks_total{outcome=\"refused\"} 1",
        "wechat_proxy_backend_tries_total{outcome=\"taken\"} 2",
        "wechat_proxy_backend_tries_total{outcome=\"http_status\"} 1",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} in {metrics}");
    }
}

async fn command(flags: &Flags, arguments: &[&str]) -> Ended {
    let ended = Program::new(&[&["message"], arguments].concat()).flags(flags).run().await;
    assert!(!ended.out.contains("HUSH") && !ended.err.contains("HUSH"), "{ended:?}");
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_does_the_same_beside_a_running_server() {
    let wechat = FakeWechat::start().await;
    let scene = Scene::plain().await;
    let flags = Flags::new(&scene.database, &wechat.url);
    let empty = command(&flags, &["list"]).await;
    assert_eq!((empty.code, empty.out.as_str()), (Some(0), ""), "{}", empty.err);

    scene.backend.always("/b", Does::text("ho"));
    let push = Pusher::plain().push(&text("hi"));
    assert_eq!(push.to(&scene.server, &scene.url(&["/a?password=HUSH", "/b"])).await.status, 200);
    let said = scene.backend.only("/a").header("webhook-id").to_owned();
    let clicked = bring(&scene, &event("CLICK", "<EventKey>k</EventKey>"), "/click", Does::nothing()).await;
    for id in [&said, &clicked] {
        scene.server.record_in(id, "done").await;
    }
    let listed = command(&flags, &["list"]).await;
    let lines: Vec<Vec<&str>> = listed.out.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((listed.code, lines.len()), (Some(0), 2), "{}{}", listed.out, listed.err);
    assert_eq!((lines[0][0], &lines[0][2..]), (&*clicked, &["test", "CLICK", USER, "done", "success"][..]));
    assert_eq!((lines[1][0], &lines[1][2..]), (&*said, &["test", "text", USER, "done", "reply of backend 1"][..]));
    let filtered =
        command(&flags, &["list", "--event", "CLICK", "--state", "done", "--limit", "5", "--key", "test"]).await;
    assert!(filtered.out.starts_with(&clicked) && filtered.out.lines().count() == 1, "{}", filtered.out);
    let rest = command(&flags, &["list", "--after", &clicked]).await;
    assert!(rest.out.starts_with(&said) && rest.out.lines().count() == 1, "{}", rest.out);

    let shown = command(&flags, &["show", &said]).await;
    let shown: Value = serde_json::from_str(&shown.out).unwrap_or_else(|_| panic!("{shown:?}"));
    assert_eq!(shown, scene.server.record(&said).await);

    let replayed = command(&flags, &["replay", &said, "--backend", "1"]).await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.err);
    scene.backend.has_received("/b", 2).await;
    assert_eq!(scene.backend.arrived("/b")[1].header("x-wechat-attempt"), "2");
    assert_eq!(scene.backend.calls("/a"), 1);

    let unknown = format!("msg_{}", "0".repeat(32));
    for (arguments, code) in [
        (&["show", &*unknown][..], 1),
        (&["replay", &unknown], 1),
        (&["replay", &said, "--backend", "9"], 1),
        (&["show", "x"], 64),
        (&["list", "--state", "lost"], 64),
        (&["list", "--limit", "0"], 64),
        (&["replay"], 64),
    ] {
        let ended = command(&flags, arguments).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(code), ""), "{arguments:?}: {}", ended.err);
        assert!(!ended.err.is_empty(), "{arguments:?} says why");
    }
}
