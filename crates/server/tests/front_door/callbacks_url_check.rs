//! The GET with which WeChat checks a callback URL before it is saved in the account's console.

use http::Method;

use crate::harness::backend::Does;
use crate::harness::caller::{Answer, encoded};
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::scene::Scene;
use crate::harness::server::local;
use crate::harness::wechat_pushes::{AES, Pusher, TOKEN, now, signature};

/// The example of the documents for official accounts: years old.
const OFFICIAL: [(&str, &str); 4] = [
    ("signature", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
    ("timestamp", "1714036504"),
    ("nonce", "1514711492"),
    ("echostr", "4375120948345356249"),
];

/// The example of WeCom's sample code.
const WECOM: [(&str, &str); 4] = [
    ("msg_signature", "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"),
    ("timestamp", "1409659589"),
    ("nonce", "263014780"),
    ("echostr", "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="),
];

fn is_echo(answer: &Answer, text: &str) {
    assert_eq!((answer.status, answer.text().as_str()), (200, text));
    assert_eq!(answer.body, text.as_bytes(), "no quotes, no line feed");
}

fn but<'a>(pairs: &[(&'a str, &'a str)], name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    pairs.iter().map(|pair| if pair.0 == name { (pair.0, value) } else { *pair }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_check_with_a_good_signature_is_answered_with_its_echostr() {
    let scene = Scene::plain().await;
    for url in [scene.url(&["/a"]), scene.json_url(&["/a", "/b"])] {
        is_echo(&scene.server.get(&format!("{url}&{}", encoded(&OFFICIAL))).await, "4375120948345356249");
    }
    // The same in safe mode: official accounts do not encrypt the echostr.
    scene.server.register_cold("safe", &[("token", TOKEN), ("aes", AES)]).await;
    let url = format!("/app/safe/msg?call=http%3A%2F%2F127.0.0.1%2F&{}", encoded(&OFFICIAL));
    is_echo(&scene.server.get(&url).await, "4375120948345356249");

    let (at, nonce) = (now().to_string(), "a-nonce&more=中");
    let signed = signature(&[TOKEN, &at, nonce]);
    let query = [("timestamp", &*at), ("nonce", nonce), ("echostr", "<b>&\"中文+%"), ("signature", &signed)];
    let answer = scene.server.get(&format!("{}&{}", scene.url(&["/a"]), encoded(&query))).await;
    is_echo(&answer, "<b>&\"中文+%");
    assert!(answer.header("content-type").starts_with("text/plain"), "no browser takes it for a page");
    assert_eq!(scene.backend.all_calls(), 0, "no backend is asked what is known here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_check_that_is_not_wechats_is_refused() {
    let scene = Scene::plain().await;
    let url = scene.url(&["/a"]);
    let forged = [
        but(&OFFICIAL, "signature", "f464b24fc39322e44b38aa78f5edd27bd1441697"),
        but(&OFFICIAL, "signature", ""),
        but(&OFFICIAL, "signature", "f464b24fc39322e44b38aa78f5edd27bd144169"),
        but(&OFFICIAL, "timestamp", "1714036505"),
        but(&OFFICIAL, "nonce", "1514711493"),
        OFFICIAL[1..].to_vec(),
        OFFICIAL[..3].to_vec(),
        Vec::new(),
    ];
    for query in forged {
        let refusal = scene.server.get(&format!("{url}&{}", encoded(&query))).await.is_refusal(403, -10020);
        assert!(!refusal.text().contains("4375120948345356249"), "nothing is echoed: {}", refusal.text());
    }
    let mixed = [&OFFICIAL[..], &[("signature", "0000")]].concat();
    is_echo(&scene.server.get(&format!("{url}&{}", encoded(&mixed))).await, "4375120948345356249");
    assert_eq!(scene.backend.all_calls(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wecoms_echostr_is_decrypted() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let wecom = [("appid", "wx5823bf96d3bd56c7"), ("secret", "s"), ("check", "false"), ("token", "QDG6eK")];
    server.register(&[&wecom[..], &[("key", "corp"), ("aes", AES)]].concat()).await;
    server.register(&[&wecom[..], &[("key", "no aes")]].concat()).await;
    let url =
        |key: &str, query: &[(&str, &str)]| format!("/app/{key}/msg?call=http%3A%2F%2F127.0.0.1%2F&{}", encoded(query));
    is_echo(&server.get(&url("corp", &WECOM)).await, "1616140317555161061");
    // Some write the base64 of the echostr as it is.
    let raw = url("corp", &WECOM[..3]) + "&echostr=" + WECOM[3].1;
    is_echo(&server.get(&raw).await, "1616140317555161061");

    let tampered = WECOM[3].1.replace("P9n", "P9m");
    server.get(&url("corp", &but(&WECOM, "echostr", &tampered))).await.is_refusal(403, -10020);
    server.get(&url("corp", &but(&WECOM, "nonce", "1"))).await.is_refusal(403, -10020);
    let refusal = server.get(&url("no%20aes", &WECOM)).await.is_refusal(400, -10021);
    assert!(refusal.errmsg().contains("EncodingAESKey"), "{}", refusal.text());

    // Signed with the token, but made for another corp.
    let other = Pusher::wecom("QDG6eK", AES, "wxOTHER").encrypt(b"42");
    let signed = signature(&["QDG6eK", "1", "2", &other]);
    let query = [("msg_signature", &*signed), ("timestamp", "1"), ("nonce", "2"), ("echostr", &other)];
    server.get(&url("corp", &query)).await.is_refusal(400, -10021);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_the_backends_are_asked_in_order_until_one_says_something() {
    let scene = Scene::unverified().await;
    let backend = &scene.backend;
    backend.always("/empty", Does::nothing());
    backend.always("/error", Does::status(500));
    backend.always("/elsewhere", Does::Redirect(302, backend.at("/first")));
    backend.always("/first", Does::Tell(|request| request.parameter("echostr")));
    backend.always("/second", Does::text("of the second"));
    let url = scene.url(&["/empty", "/error", "/elsewhere", "/first?mine=1", "/second"]);
    let url = format!("{url}&{}", encoded(&OFFICIAL));
    is_echo(&scene.server.get(&url).await, "4375120948345356249");
    assert_eq!(
        ["/empty", "/error", "/elsewhere", "/first", "/second"].map(|path| backend.calls(path)),
        [1, 1, 1, 1, 0]
    );
    let asked = backend.only("/first");
    assert_eq!(asked.method, "GET");
    assert!(asked.query.starts_with("mine=1&"), "{}", asked.query);
    for (name, value) in OFFICIAL {
        assert_eq!(asked.parameter(name), value);
    }
    assert_eq!(asked.parameter("call"), "", "the backends do not see each other");

    let nobody = scene.url(&["/empty", "/error", "http://127.0.0.1:1/secret?HUSH=HUSH"]);
    let refusal = scene.server.get(&format!("{nobody}&{}", encoded(&OFFICIAL))).await.is_refusal(504, -10024);
    assert!(refusal.errmsg().contains("500") && !refusal.text().contains("HUSH"), "{}", refusal.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_cannot_work_is_said_when_the_url_is_entered() {
    let scene = Scene::plain().await;
    scene.server.register_cold("open", &[]).await;
    for key in ["test", "open"] {
        for call in ["ftp%3A%2F%2Fa%2F", "nonsense"] {
            let url = format!("/app/{key}/msg?{}&call={call}", encoded(&OFFICIAL));
            let refusal = scene.server.get(&url).await.is_refusal(400, -10022);
            assert!(refusal.errmsg().contains("call number 1"), "{}", refusal.text());
        }
    }
    let url = format!("/app/test/msg?call=http%3A%2F%2Fa%2F&call=%2F%2Fb%2F&{}", encoded(&OFFICIAL));
    let refusal = scene.server.get(&url).await.is_refusal(400, -10022);
    assert!(refusal.errmsg().contains("call number 2"), "{}", refusal.text());
    // Where messages go may be registered later; but somebody must know the token.
    let refusal = scene.server.get(&format!("/app/open/msg?{}", encoded(&OFFICIAL))).await.is_refusal(400, -10022);
    assert!(refusal.errmsg().contains("msg_call"), "{}", refusal.text());
    is_echo(&scene.server.get(&format!("/app/test/msg?{}", encoded(&OFFICIAL))).await, "4375120948345356249");

    scene.server.get(&format!("/app/nobody/msg?{}", encoded(&OFFICIAL))).await.is_refusal(404, -10004);
    let put = scene.server.send(Method::PUT, "/app/test/msg", None, Vec::new()).await;
    assert_eq!(put.status, 405, "{}", put.text());
}
