//! The example pages: for any registration, and the one of payment as the `call` of a login.

use std::time::Duration;

use http::Method;

use crate::harness::browser::Browser;
use crate::harness::caller::Answer;
use crate::harness::html::Page;
use crate::harness::login_scene::{LoginScene, link, plain_link};

const JSPAY: &str = "/example/jspay.html";
const JSAPI: &str = "/example/jsapi.html";

async fn posted(visitor: &Browser, target: &str, body: &str) -> Answer {
    visitor.caller.send(Method::POST, target, Some("text/plain"), body.as_bytes().to_vec()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_are_for_the_registration_that_is_named() {
    let scene = LoginScene::public(&[]).await;
    for page in [JSPAY, JSAPI] {
        let answer = scene.server.get(page).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
        assert_eq!((answer.header("x-content-type-options"), answer.header("set-cookie")), ("nosniff", ""));
        // The JSSDK needs the whole Referer on pages of the same site.
        assert_ne!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.text().contains("<script src=\"/app/test/js/config"), "{}", answer.text());
        for (key, path) in [
            ("other", "/app/other/"),
            ("%E6%B5%8B", "/app/%E6%B5%8B/"),
            ("%22%3E%3Cscript%3Ex", "/app/%22%3E%3Cscript%3Ex/"),
        ] {
            let answer = scene.server.get(&format!("{page}?key={key}")).await;
            let text = answer.text();
            assert!(answer.status == 200 && text.contains(&format!("<script src=\"{path}js/config")), "{text}");
            assert!(!text.contains("/app/test/") && !text.contains("<script>x"), "{text}");
        }
    }
    let answer = scene.server.send(Method::HEAD, JSAPI, None, Vec::new()).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_login_the_page_knows_who_pays() {
    for (scene, own, secure) in [
        (LoginScene::local(&[]).await, None, ""),
        (LoginScene::public(&[]).await, Some("https://wx.example.com"), "; Secure"),
    ] {
        let own = own.map_or_else(|| scene.server.url.clone(), str::to_owned);
        let answer = scene.log_in(&link("/auth/info", &[("call", &format!("{JSPAY}?key=test"))]), "CODE").await;
        let form = Page::read(&answer).form();
        assert_eq!(form.action, format!("{own}{JSPAY}?key=test"));
        let answer = posted(&scene.visitor, &format!("{JSPAY}?key=test"), &form.body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("o-CODE"), "{}", answer.text());
        let cookie = answer.header("set-cookie");
        assert_eq!(cookie, format!("openid=o-CODE; Path=/app/test/; Max-Age=86400; HttpOnly; SameSite=Lax{secure}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_signed_for_this_registration_makes_nobody_somebody() {
    let scene = LoginScene::local(&[]).await;
    scene.operator.register_cold("other", &[]).await;
    let answer = scene.log_in(&link("/auth", &[("call", JSPAY)]), "CODE").await;
    let body = Page::read(&answer).form().body;
    let json = body.trim_end();
    let forged = [
        String::new(),
        "openid=o-victim".to_owned(),
        "{\"openid\":\"o-victim\"}".to_owned(),
        json.replace("o-CODE", "o-victim"),
        json.replace("\"sign\":\"", "\"sign\":\"0"),
        json.replace("\"openid\":\"o-CODE\"", "\"openid\":\"o-CODE\",\"openid\":\"o-victim\""),
        json.replace("\"nonce\"", "\"x\":{},\"nonce\""),
        "[".repeat(10_000),
    ];
    for forged in &forged {
        let answer = posted(&scene.visitor, JSPAY, forged).await;
        nobody_is_known(&answer);
        assert!(answer.text().contains("log in again"), "{forged}: {}", answer.text());
    }
    nobody_is_known(&posted(&scene.visitor, &format!("{JSPAY}?key=other"), &body).await);
    posted(&scene.visitor, &format!("{JSPAY}?key=nobody"), &body).await.is_refusal(404, -10004);
    // What was made for another page of this registration.
    let elsewhere = Page::read(&scene.log_in(&plain_link("/auth"), "CODE").await).form().body;
    nobody_is_known(&posted(&scene.visitor, JSPAY, &elsewhere).await);
    // The visitor said no: the page says so.
    let led = scene.begin(&link("/auth", &[("call", JSPAY)])).await;
    let denied = Page::read(&scene.visitor.open(&led.refused()).await).form().body;
    let answer = posted(&scene.visitor, JSPAY, &denied).await;
    nobody_is_known(&answer);
    assert!(answer.text().contains("access_denied"), "{}", answer.text());
    // As it was sent it is good, but not for ever.
    assert_eq!(
        posted(&scene.visitor, JSPAY, &body).await.header("set-cookie").split(';').next(),
        Some("openid=o-CODE")
    );
    scene.clock.turn(Duration::from_secs(301));
    nobody_is_known(&posted(&scene.visitor, JSPAY, &body).await);
    // The last one: what is not read to its end ends the connection.
    let answer = posted(&scene.visitor, JSPAY, &"x".repeat(70_000)).await;
    assert_eq!((answer.is_refusal(413, -10007).status, answer.header("set-cookie")), (413, ""));
}

/// The page, for nobody.
fn nobody_is_known(answer: &Answer) {
    assert_eq!((answer.status, answer.header("set-cookie")), (200, ""), "{}", answer.text());
    assert!(!answer.text().contains("o-CODE") && !answer.text().contains("o-victim"), "{}", answer.text());
}
