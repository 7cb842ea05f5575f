//! What backends get of WeChat's messages: body, parameters, headers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::backend::{Arrived, Does};
use crate::harness::scene::Scene;
use crate::harness::wechat_pushes::{
    ACCOUNT, AES, APPID, Pusher, TOKEN, USER, event, fresh_msg_id, message, now, signature, text,
};

/// What a Standard Webhooks library does, with the secret that the README tells: `whsec_` and base64 of the api_key.
fn verifies(api_key: &str, arrived: &Arrived) -> bool {
    let (id, at) = (arrived.header("webhook-id"), arrived.header("webhook-timestamp"));
    assert!(now().abs_diff(at.parse().unwrap()) < 300, "webhook-timestamp {at}");
    let mut mac = Hmac::<Sha256>::new_from_slice(api_key.as_bytes()).unwrap();
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(&arrived.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    arrived.header("webhook-signature").split(' ').any(|given| given == expected)
}

/// What a backend that verifies plain mode itself does.
fn has_wechats_signature(arrived: &Arrived) -> bool {
    let [timestamp, nonce] = ["timestamp", "nonce"].map(|name| arrived.parameter(name));
    arrived.parameter("signature") == signature(&[TOKEN, &timestamp, &nonce])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_message_arrives_byte_for_byte_with_all_that_wechat_said() {
    let scene = Scene::plain().await;
    // Unusual but right: a declaration, white space, an element that nobody knows, both kinds of text.
    let odd = message(
        "text",
        "\n\t<Content><![CDATA[<b>]]]]><![CDATA[>&中文🙂]]></Content> <New a=\"1\">&lt;x&gt;</New>",
        fresh_msg_id(),
    );
    let odd = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{odd}\r\n");
    let push = scene.pusher.push(&odd);
    let calls = ["/a", "/b?k=v&appid=mine&signature=mine", "/c?"];
    let url = scene.url(&calls) + "&unknown=1%202&late=0&patience=3#";
    let answer = push.to(&scene.server, url.trim_end_matches('#')).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "success"));
    assert!(answer.header("content-type").starts_with("text/plain"), "{}", answer.header("content-type"));

    let ids: Vec<String> = ["/a", "/b", "/c"]
        .iter()
        .map(|path| {
            let arrived = scene.backend.only(path);
            assert_eq!((arrived.method.as_str(), arrived.text()), ("POST", odd.clone()));
            assert_eq!(arrived.header("content-type"), "text/xml; charset=utf-8");
            assert_eq!(arrived.header("x-wechat-attempt"), "1");
            assert!(verifies(&scene.api_key, &arrived), "{:?}", arrived.headers);
            assert!(!verifies("another key", &arrived));
            arrived.header("webhook-id").to_owned()
        })
        .collect();
    assert!(ids[0].starts_with("msg_") && ids.iter().all(|id| *id == ids[0]), "one message, one id: {ids:?}");

    let arrived = scene.backend.only("/a");
    assert!(has_wechats_signature(&arrived));
    let ours = [("unknown".to_owned(), "1 2".to_owned())].into_iter().chain(push.query.clone());
    let expected: Vec<_> = ours.chain([("appid".to_owned(), APPID.to_owned())]).collect();
    assert_eq!(arrived.parameters(), expected, "what is WeChat's travels on, what is for the proxy does not");
    assert!(scene.backend.only("/b").query.starts_with("k=v&appid=mine&signature=mine&unknown=1+2&signature="));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_message_arrives_as_if_it_had_never_been() {
    let scene = Scene::safe().await;
    let text = text("你好 & <b>");
    for compatible in [false, true] {
        let (path, body) =
            if compatible { ("/compatible", text.replace("你好", "好")) } else { ("/safe", text.clone()) };
        let body = body.replace("<MsgId>", if compatible { "<MsgId>9" } else { "<MsgId>8" });
        let push = if compatible { scene.pusher.compatible(&body) } else { scene.pusher.push(&body) };
        let answer = push.to(&scene.server, &scene.url(&[path])).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "success"), "not encrypted");
        let arrived = scene.backend.only(path);
        assert_eq!(arrived.text(), body);
        assert!(has_wechats_signature(&arrived) && verifies(&scene.api_key, &arrived));
        assert_eq!(arrived.parameter("openid"), USER);
        assert_eq!(arrived.parameter("appid"), APPID);
        for gone in ["encrypt_type", "msg_signature"] {
            assert!(!arrived.query.contains(gone), "an SDK would decrypt again: {}", arrived.query);
        }
    }
    // In compatible mode only the encrypted part was signed: what stands beside it is nobody's word.
    let (real, forged) =
        (message("text", "<Content>real</Content>", 1), message("text", "<Content>forged</Content>", 2));
    let encrypt = scene.pusher.encrypt(real.as_bytes());
    let body = forged.replace("</xml>", &format!("<Encrypt>{encrypt}</Encrypt></xml>"));
    let push = scene.pusher.signed(Some(&encrypt), body.as_bytes(), now());
    assert_eq!(push.to(&scene.server, &scene.url(&["/forged"])).await.status, 200);
    assert_eq!(scene.backend.only("/forged").text(), real);
}

/// WeChat's own example of a push in JSON.
fn in_json(msg_id: u64) -> String {
    let create_time = now();
    json!({
        "ToUserName": ACCOUNT, "FromUserName": USER, "CreateTime": create_time, "MsgType": "text",
        "Content": "this is a test", "MsgId": msg_id,
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_in_json_arrives_byte_for_byte_and_is_answered_in_json() {
    for scene in [Scene::plain().await, Scene::safe().await] {
        let body = in_json(fresh_msg_id()).replace(",\"", " , \"");
        let push = scene.pusher.push(&body);
        scene.backend.always("/a", Does::json(&json!({"MsgType": "text", "Content": "hi"})));
        let answer = push.to(&scene.server, &scene.json_url(&["/a"])).await;
        let arrived = scene.backend.only("/a");
        assert_eq!((arrived.text(), arrived.header("content-type")), (body, "application/json; charset=utf-8"));
        assert!(verifies(&scene.api_key, &arrived) && has_wechats_signature(&arrived));
        assert!(answer.header("content-type").starts_with("application/json"), "{}", answer.header("content-type"));
        let reply =
            if answer.text().contains("\"Encrypt\"") { scene.pusher.open(&answer, &push) } else { answer.text() };
        let reply: Value = serde_json::from_str(&reply).unwrap();
        assert_eq!((&reply["ToUserName"], &reply["FromUserName"]), (&json!(USER), &json!(ACCOUNT)));
        assert_eq!((&reply["MsgType"], &reply["Content"]), (&json!("text"), &json!("hi")));
        assert!(reply["CreateTime"].is_u64(), "{reply}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_json_a_message_has_the_names_and_types_of_wechats_own_json() {
    let scene = Scene::safe().await;
    let elements = "<SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum><![CDATA[5a75]]></PicMd5Sum></item></PicList>\
                    </SendPicsInfo><EventKey><![CDATA[201]]></EventKey><Ticket></Ticket>";
    let pushed = event("pic_weixin", elements);
    assert_eq!(scene.pusher.push(&pushed).to(&scene.server, &scene.json_url(&["/event"])).await.status, 200);
    let arrived = scene.backend.only("/event");
    assert_eq!(arrived.header("content-type"), "application/json; charset=utf-8");
    assert!(verifies(&scene.api_key, &arrived), "the signature covers the JSON");
    let event = arrived.json();
    assert_eq!((&event["ToUserName"], &event["MsgType"]), (&json!(ACCOUNT), &json!("event")));
    assert!(event["CreateTime"].is_u64() && event.get("xml").is_none(), "{event}");
    assert_eq!(event["EventKey"], "201", "what was a string stays one");
    assert_eq!(event["Ticket"], "");
    assert_eq!(event["SendPicsInfo"], json!({"Count": 1, "PicList": {"item": [{"PicMd5Sum": "5a75"}]}}));

    let id = fresh_msg_id();
    let pushed = message("text", "<Content><![CDATA[1]]></Content>", id);
    assert_eq!(scene.pusher.push(&pushed).to(&scene.server, &scene.json_url(&["/text"])).await.status, 200);
    let arrived = scene.backend.only("/text");
    assert!(arrived.text().contains(&format!("\"MsgId\":{id}")), "all 64 bits: {}", arrived.text());
    assert_eq!(arrived.json()["Content"], "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_api_key_signs_beside_the_new_one() {
    let scene = Scene::plain().await;
    let rotated = [("key", "test"), ("appid", APPID), ("secret", "x"), ("check", "false"), ("rotate", "api_key")];
    let new = scene.server.register(&rotated).await["api_key"].as_str().unwrap().to_owned();
    assert_eq!(scene.bring(&text("hi"), &["/a"]).await.status, 200);
    let arrived = scene.backend.only("/a");
    assert!(verifies(&new, &arrived) && verifies(&scene.api_key, &arrived));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_verified_here_passes_on_as_it_is() {
    let scene = Scene::unverified().await;
    assert!(scene.server.get("/app/test").await.json()["callbacks"].as_str().unwrap().starts_with("not verified"));
    // Plain, with a signature of a token that only the backend knows.
    let push = Pusher::plain().with_token("its own").push(&text("hi"));
    scene.backend.always("/plain", Does::json(&json!({"MsgType": "text", "Content": "ho"})));
    let answer = push.to(&scene.server, &scene.url(&["/plain"])).await;
    assert!(answer.text().contains("<![CDATA[ho]]>"), "{}", answer.text());
    let arrived = scene.backend.only("/plain");
    assert_eq!((arrived.body.clone(), arrived.header("x-wechat-attempt")), (push.body.clone(), "1"));
    assert_eq!(arrived.parameters()[..push.query.len()], push.query[..]);
    assert!(verifies(&scene.api_key, &arrived));

    // Encrypted: the backend decrypts, and its encrypted reply goes back as it is.
    let push = Pusher::safe().push(&text("hush"));
    let reply = "<xml><Encrypt><![CDATA[whatever]]></Encrypt><Nonce>1</Nonce></xml>\n";
    scene.backend.always("/sealed", Does::xml(reply));
    let answer = push.to(&scene.server, &scene.json_url(&["/sealed"])).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, reply));
    let arrived = scene.backend.only("/sealed");
    assert_eq!((arrived.body.clone(), arrived.header("content-type")), (push.body.clone(), "text/xml"));
    assert_eq!(arrived.parameters()[..push.query.len()], push.query[..], "with encrypt_type and msg_signature");
    // And what is no message at all.
    let answer = push.with_body("no XML, no JSON").to(&scene.server, &scene.url(&["/anything"])).await;
    assert_eq!((answer.status, scene.backend.only("/anything").text().as_str()), (200, "no XML, no JSON"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_but_no_aes_what_is_encrypted_passes_on_as_it_is_but_only_from_wechat() {
    let scene = Scene::plain().await;
    let shown = scene.server.get("/app/test").await.json()["callbacks"].as_str().unwrap().to_owned();
    assert!(shown.starts_with("verified;") && shown.contains("aes"), "{shown}");
    let backend_decrypts = Pusher::safe();
    let push = backend_decrypts.push(&text("hush"));
    let reply = backend_decrypts.encrypt(b"<xml></xml>");
    let reply = format!("<xml><Encrypt><![CDATA[{reply}]]></Encrypt></xml>");
    scene.backend.always("/a", Does::xml(&reply));
    for url in [scene.url(&["/a"]), scene.json_url(&["/a"])] {
        let answer = push.to(&scene.server, &url).await;
        assert_eq!((answer.status, answer.text()), (200, reply.clone()));
    }
    let arrived = scene.backend.only("/a");
    assert_eq!((arrived.body.clone(), arrived.parameter("encrypt_type")), (push.body.clone(), "aes".to_owned()));
    assert_eq!(arrived.parameter("msg_signature"), push.parameter("msg_signature"));
    assert_eq!(arrived.parameter("appid"), APPID);
    assert!(verifies(&scene.api_key, &arrived));

    let forged = backend_decrypts.with_token("guessed").push(&text("x"));
    forged.to(&scene.server, &scene.url(&["/a"])).await.is_refusal(403, -10020);
    let tampered = backend_decrypts.push(&text("x")).with("msg_signature", &"0".repeat(40));
    tampered.to(&scene.server, &scene.url(&["/a"])).await.is_refusal(403, -10020);
    let wecom = Pusher::wecom(TOKEN, AES, APPID);
    assert_eq!(wecom.push(&text("x")).to(&scene.server, &scene.url(&["/wecom"])).await.status, 200);
    wecom.with_token("guessed").push(&text("x")).to(&scene.server, &scene.url(&["/a"])).await.is_refusal(403, -10020);
    assert_eq!((scene.backend.calls("/a"), scene.backend.calls("/wecom")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wecoms_messages_are_decrypted_and_answered() {
    let scene = Scene::safe().await;
    let corp = [("key", "corp"), ("appid", "wx5823bf96d3bd56c7"), ("secret", "s"), ("check", "false")];
    scene.server.register(&[&corp[..], &[("token", "QDG6eK"), ("aes", AES)]].concat()).await;
    let pusher = Pusher::wecom("QDG6eK", AES, "wx5823bf96d3bd56c7");
    let body = "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>\n<FromUserName><![CDATA[mycreate]]></FromUserName>\n\
                <CreateTime>1409659813</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[hello]]></Content>\n\
                <MsgId>4561255354251345929</MsgId>\n<AgentID>218</AgentID>\n</xml>";
    let push = pusher.push(body);
    scene.backend.always("/a", Does::text("hi"));
    let url = scene.url(&["/a"]).replace("/test/", "/corp/");
    let answer = push.to(&scene.server, &url).await;
    let reply = pusher.open(&answer, &push);
    assert!(reply.contains("<ToUserName><![CDATA[mycreate]]></ToUserName>"), "{reply}");
    assert!(reply.contains("<FromUserName><![CDATA[wx5823bf96d3bd56c7]]></FromUserName>"), "{reply}");
    let arrived = scene.backend.only("/a");
    assert_eq!((arrived.text().as_str(), arrived.parameter("appid").as_str()), (body, "wx5823bf96d3bd56c7"));
    assert_eq!(arrived.parameter("nonce"), push.parameter("nonce"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_urls_may_be_of_any_script() {
    let scene = Scene::plain().await;
    let register = [("key", "测试 号"), ("appid", APPID), ("secret", "s"), ("check", "false"), ("token", TOKEN)];
    scene.server.register(&register).await;
    let calls = ["/回调/a%2Fb?名=值&plus=a+b%2Bc&and=x%26y&empty=&flag", "/a//b/../c/./d"];
    let url = scene.url(&calls).replace("/test/", "/%E6%B5%8B%E8%AF%95%20%E5%8F%B7/");
    assert_eq!(scene.pusher.push(&text("hi")).to(&scene.server, &url).await.status, 200);
    let arrived = scene.backend.only("/%E5%9B%9E%E8%B0%83/a%2Fb");
    let own = "%E5%90%8D=%E5%80%BC&plus=a+b%2Bc&and=x%26y&empty=&flag&signature=";
    assert!(arrived.query.starts_with(own), "the backend's own query is left as it is: {}", arrived.query);
    assert_eq!(scene.backend.calls("/a//c/d"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_components_own_events_are_taken_too() {
    let scene = Scene::safe().await;
    // They have AppId in the envelope, and neither MsgType nor users.
    let ticket = format!(
        "<xml><AppId>{APPID}</AppId><CreateTime>{}</CreateTime><InfoType><![CDATA[component_verify_ticket]]></InfoType>\
         <ComponentVerifyTicket><![CDATA[ticket@@@x]]></ComponentVerifyTicket></xml>",
        now()
    );
    let encrypt = scene.pusher.encrypt(ticket.as_bytes());
    let envelope = format!("<xml><AppId>{APPID}</AppId><Encrypt>{encrypt}</Encrypt></xml>");
    for _ in 0..2 {
        let push = scene.pusher.signed(Some(&encrypt), envelope.as_bytes(), now()).without("openid");
        let answer = push.to(&scene.server, &scene.json_url(&["/a"])).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "success"));
    }
    assert_eq!(scene.backend.only("/a").json()["ComponentVerifyTicket"], "ticket@@@x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_registration_counts_from_the_next_message() {
    let scene = Scene::plain().await;
    assert_eq!(scene.bring(&text("hi"), &["/a"]).await.status, 200);
    scene.server.register_cold("test", &[("token", "CCCCC")]).await;
    scene.bring(&text("hi"), &["/a"]).await.is_refusal(403, -10020);
    let pusher = Pusher::safe().with_token("CCCCC");
    assert_eq!(pusher.push(&text("hi")).to(&scene.server, &scene.url(&["/sealed"])).await.status, 200);
    scene.server.register_cold("test", &[("aes", AES)]).await;
    assert_eq!(pusher.push(&text("hi")).to(&scene.server, &scene.url(&["/a"])).await.status, 200);
    Pusher::plain()
        .with_token("CCCCC")
        .push(&text("hi"))
        .to(&scene.server, &scene.url(&["/a"]))
        .await
        .is_refusal(403, -10020);
    scene.server.register_cold("test", &[("token", ""), ("aes", "")]).await;
    assert_eq!(scene.bring(&text("hi"), &["/a"]).await.status, 200, "nobody verifies any more");
    scene.server.send(http::Method::DELETE, "/admin/apps/test", None, Vec::new()).await;
    scene.bring(&text("hi"), &["/a"]).await.is_refusal(404, -10004);
    assert_eq!((scene.backend.calls("/a"), scene.backend.calls("/sealed")), (3, 1));
    assert_eq!(scene.server.messages(&[("key", "test")]).await.len(), 4, "what came is still on record");
}
