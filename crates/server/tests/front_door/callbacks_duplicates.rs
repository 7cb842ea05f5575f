//! Which pushes are the same message, and which are not.

use crate::harness::backend::Does;
use crate::harness::databases::Database;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::scene::Scene;
use crate::harness::server::{Flags, Running};
use crate::harness::wechat_pushes::{
    ACCOUNT, AES, APPID, Pusher, TOKEN, USER, element, event, fresh_msg_id, message, now, text,
};

/// How many of these pushes arrive at a backend.
async fn arrive(scene: &Scene, path: &str, messages: &[&str]) -> usize {
    for message in messages {
        let answer = scene.bring(message, &[path]).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "{message}");
    }
    scene.backend.calls(path)
}

fn created(message: &str) -> u64 {
    element(message, "CreateTime").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_told_apart_by_their_msgid() {
    for scene in [Scene::plain().await, Scene::safe().await] {
        let one = text("same");
        assert_eq!(arrive(&scene, "/again", &[&one, &one, &one]).await, 1, "new nonces, new encryption, one message");
        // Of the same user, in the same second, with the same text: but twice.
        let id = fresh_msg_id();
        let (first, second) =
            (message("text", "<Content>a</Content>", id), message("text", "<Content>a</Content>", id + 1));
        assert_eq!(arrive(&scene, "/next", &[&first, &second]).await, 2);
        // Whatever else is different: WeChat says that it is the same message.
        let id = fresh_msg_id();
        let (first, second) =
            (message("text", "<Content>a</Content>", id), message("text", "<Content>b</Content>", id));
        assert_eq!(arrive(&scene, "/id", &[&first, &second]).await, 1);
        let later = first.replacen(
            &format!("<CreateTime>{}", created(&first)),
            &format!("<CreateTime>{}", created(&first) + 5),
            1,
        );
        assert_eq!(arrive(&scene, "/id", &[&later]).await, 1, "with another CreateTime");
        // Ids beyond 2^53 that a number of JavaScript takes for the same.
        let (first, second) =
            (message("image", "", 9_007_199_254_740_992), message("image", "", 9_007_199_254_740_993));
        assert_eq!(arrive(&scene, "/large", &[&first, &second]).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_message_in_another_form_or_with_quotes_is_the_same() {
    let scene = Scene::plain().await;
    let id = fresh_msg_id();
    let bare = message("text", "<Content>a</Content>", id);
    let quoted = bare.replace(&id.to_string(), &format!("<![CDATA[{id}]]>"));
    assert_eq!(arrive(&scene, "/quoted", &[&bare, &quoted]).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_told_apart_by_all_they_say() {
    for scene in [Scene::plain().await, Scene::safe().await] {
        let at = now();
        let event = |name: &str, elements: &str| {
            format!(
                "<xml><ToUserName><![CDATA[{ACCOUNT}]]></ToUserName><FromUserName><![CDATA[{USER}]]></FromUserName>\
                 <CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[{name}]]></Event>{elements}</xml>"
            )
        };
        let view = event("VIEW", "<EventKey><![CDATA[http://a]]></EventKey><MenuId>1</MenuId>");
        assert_eq!(arrive(&scene, "/again", &[&view, &view, &view]).await, 1, "a try that is repeated");
        // Same user, same second, same event, same key: but another menu.
        let other_menu = view.replace("<MenuId>1<", "<MenuId>2<");
        let other_key = view.replace("http://a", "http://b");
        let other_event = view.replace("VIEW", "CLICK");
        assert_eq!(arrive(&scene, "/others", &[&other_menu, &other_key, &other_event]).await, 3);

        let code = |result: &str| {
            let inside =
                format!("<ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>{result}</ScanResult></ScanCodeInfo>");
            event("scancode_push", &format!("<EventKey>k</EventKey>{inside}"))
        };
        assert_eq!(arrive(&scene, "/codes", &[&code("1"), &code("2"), &code("1")]).await, 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_msgid_of_a_finished_job_is_not_the_id_of_a_message() {
    let scene = Scene::plain().await;
    let id = fresh_msg_id();
    let finished = |status: &str, user: &str| {
        let elements = format!("<MsgID>{id}</MsgID><Status><![CDATA[{status}]]></Status>");
        event("TEMPLATESENDJOBFINISH", &elements).replace(USER, user)
    };
    // The same job for two users; and a message whose MsgId happens to be the job's.
    let (one, other) = (finished("success", USER), finished("success", "oOTHER"));
    let said = message("text", "<Content>a</Content>", id);
    assert_eq!(arrive(&scene, "/jobs", &[&one, &other, &said, &one, &other, &said]).await, 3);
    // An event that has an element called MsgId, as some do: all of it counts.
    let elements = |key: &str| format!("<EventKey>{key}</EventKey><MsgId>{id}</MsgId>");
    let (one, other) = (event("CLICK", &elements("a")), event("CLICK", &elements("b")));
    assert_eq!(arrive(&scene, "/ids", &[&one, &other]).await, 2);
    // Messages without an id, as devices send: by all they say.
    let (one, other) =
        (message("device_text", "<Content>a</Content>", 0), message("device_text", "<Content>b</Content>", 0));
    assert_eq!(arrive(&scene, "/zero", &[&one, &other, &one]).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_msgid_of_two_accounts_or_two_agents_is_two_messages() {
    let scene = Scene::plain().await;
    let register =
        [("key", "other"), ("appid", "wxffffffffffffffff"), ("secret", "s"), ("check", "false"), ("token", TOKEN)];
    scene.server.register(&register).await;
    let message = text("hi");
    let url = scene.url(&["/accounts"]);
    for url in [&url, &url.replace("/test/", "/other/"), &url] {
        assert_eq!(scene.pusher.push(&message).to(&scene.server, url).await.status, 200);
    }
    assert_eq!(scene.backend.calls("/accounts"), 2);

    let corp = [("key", "corp"), ("appid", "wwcorp0123456789"), ("secret", "s"), ("check", "false")];
    scene.server.register(&[&corp[..], &[("token", TOKEN), ("aes", AES)]].concat()).await;
    let pusher = Pusher::wecom(TOKEN, AES, "wwcorp0123456789");
    let url = scene.url(&["/agents"]).replace("/test/", "/corp/");
    for agent in [1, 2, 1, 2] {
        let message = message.replace("</xml>", &format!("<AgentID>{agent}</AgentID></xml>"));
        assert_eq!(pusher.push(&message).to(&scene.server, &url).await.status, 200);
    }
    assert_eq!(scene.backend.calls("/agents"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_a_corp_reaches_each_of_its_apps() {
    let scene = Scene::plain().await;
    let corpid = "wwcorp0123456789";
    for key in ["one", "two"] {
        let app = [("key", key), ("appid", corpid), ("secret", key), ("check", "false")];
        scene.server.register(&[&app[..], &[("token", TOKEN), ("aes", AES)]].concat()).await;
    }
    let pusher = Pusher::wecom(TOKEN, AES, corpid);
    // It names no app, and both get the same bytes.
    let changed =
        event("change_external_contact", "<ChangeType>add_external_contact</ChangeType>").replace(ACCOUNT, corpid);
    for key in ["one", "two", "one", "two"] {
        let url = scene.url(&[&format!("/{key}")]).replace("/test/", &format!("/{key}/"));
        assert_eq!(pusher.push(&changed).to(&scene.server, &url).await.status, 200);
    }
    assert_eq!((scene.backend.calls("/one"), scene.backend.calls("/two")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_again_with_less_is_no_new_message() {
    // Somebody has seen WeChat's request and sends it again within the hour, changed where no signature covers it.
    for pusher in [Pusher::safe(), Pusher::wecom(TOKEN, AES, APPID)] {
        let scene = Scene::safe().await;
        for (path, message) in [("/text", text("hi")), ("/event", event("CLICK", "<EventKey>k</EventKey>"))] {
            let (push, url) = (pusher.push(&message), scene.url(&[path]));
            assert_eq!(push.to(&scene.server, &url).await.status, 200);
            let body = String::from_utf8(push.body.clone()).unwrap();
            let changed = [
                push.clone(),
                push.clone().without("signature"),
                push.clone().without("encrypt_type"),
                push.clone().without("signature").without("encrypt_type"),
                push.clone().without("openid"),
                push.clone().with("openid", "oOTHER").with("more", "1"),
                push.clone().with_body(body.replace("<Encrypt>", "<AgentID>7</AgentID><MsgId>7</MsgId><Encrypt>")),
                push.clone().with_body(body.replace("><Encrypt>", ">\n <Encrypt>")),
            ];
            for again in changed {
                let answer = again.to(&scene.server, &url).await;
                assert!(matches!(answer.status, 200 | 403), "{:?}: {}", again.query, answer.text());
                assert_eq!(scene.backend.calls(path), 1, "{:?}", again.query);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_verified_does_not_stand_in_for_what_somebody_did() {
    let scene = Scene::unverified().await;
    let message = text("hi");
    assert_eq!(arrive(&scene, "/a", &[&message, &message]).await, 1);
    // From now on WeChat's pushes are verified; what anybody sent before does not keep the real one away.
    scene.server.register_cold("test", &[("token", TOKEN)]).await;
    assert_eq!(arrive(&scene, "/a", &[&message, &message]).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_gets_the_stored_answer_also_after_a_restart() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    let scene = Scene::plain().await;
    let flags = Flags::new(&database, &wechat.url);
    let server = Running::start(&flags).await;
    server.register_cold("test", &[("token", TOKEN)]).await;
    scene.backend.next("/a", Does::text("first"));
    scene.backend.always("/a", Does::text("another"));
    let (message, url) = (text("hi"), scene.url(&["/a"]));
    let first = scene.pusher.push(&message).to(&server, &url).await;
    assert!(first.text().contains("<![CDATA[first]]>"), "{}", first.text());
    server.stop().await;

    let server = Running::start(&flags).await;
    let again = scene.pusher.push(&message).to(&server, &url).await;
    assert_eq!((again.status, again.text()), (200, first.text()));
    // Also when the backends are not the same any more: it is the message that counts.
    let elsewhere = scene.pusher.push(&message).to(&server, &scene.url(&["/b"])).await;
    assert_eq!(elsewhere.text(), first.text());
    assert_eq!((scene.backend.calls("/a"), scene.backend.calls("/b")), (1, 0));
}
