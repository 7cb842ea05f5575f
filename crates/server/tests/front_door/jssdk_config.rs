//! `/js/config`: for which address is signed, and what the script brings.

use serde_json::{Value, json};

use crate::harness::caller::{Answer, Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE, TICKET};
use crate::harness::script::{Script, is_signed};
use crate::harness::server::{Running, SECRET, local};
use crate::harness::wechat_pushes::APPID;

const PATH: &str = "/app/test/js/config";
const PAGE: &str = "https://shop.example.com/goods?id=1&x=%E7%A0%81%20";

fn target(pairs: &[(&str, &str)]) -> String {
    format!("{PATH}?{}", encoded(pairs))
}

async fn scene() -> (Running, Database, FakeWechat) {
    let wechat = FakeWechat::start().await;
    let (server, database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    (server, database, wechat)
}

/// The script for a page that names its address, checked.
async fn signed_for(server: &Caller, named: &str, page: &str) -> Value {
    let script = Script::read(&server.get(&target(&[("url", named)])).await);
    let ticket = server.get("/app/test/jsapi").await.ticket();
    is_signed(script.signed(), &ticket, page);
    assert_eq!((&script.settings["url"], &script.settings["given"]), (&json!(page), &json!(true)));
    script.signed().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_names_its_address_is_signed_for_letter_by_letter() {
    let (server, _database, wechat) = scene().await;
    let config = signed_for(&server, PAGE, PAGE).await;
    let names: Vec<&String> = config.as_object().unwrap().keys().collect();
    let expected = ["appId", "debug", "jsApiList", "nonceStr", "openTagList", "signature", "timestamp"];
    assert_eq!(names, expected);
    assert_eq!((&config["debug"], &config["appId"]), (&json!(false), &json!(APPID)));
    let list = |name: &str| config[name].as_array().unwrap().clone();
    for api in [
        "checkJsApi",
        "updateAppMessageShareData",
        "chooseImage",
        "scanQRCode",
        "chooseWXPay",
        "addCard",
        "getLocation",
    ] {
        assert!(list("jsApiList").contains(&json!(api)), "{api}");
    }
    assert!(list("jsApiList").len() > 40 && list("openTagList").contains(&json!("wx-open-launch-weapp")));
    for (named, page) in [
        ("https://shop.example.com/a#/route?b=1", "https://shop.example.com/a"),
        ("https://shop.example.com/?a=1&amp;b=2", "https://shop.example.com/?a=1&b=2"),
        ("https://shop.example.com", "https://shop.example.com"),
        ("https://shop.example.com/", "https://shop.example.com/"),
        ("http://SHOP.example.com:8080/A/../b?", "http://SHOP.example.com:8080/A/../b?"),
        ("https://shop.example.com/码?a=\"'<>` {}|\\^", "https://shop.example.com/码?a=\"'<>` {}|\\^"),
        (
            "https://shop.example.com/</script><script>x()</script>",
            "https://shop.example.com/</script><script>x()</script>",
        ),
        ("https://shop.example.com/\u{2028}\u{2029}🐼", "https://shop.example.com/\u{2028}\u{2029}🐼"),
    ] {
        let signed = signed_for(&server, named, page).await;
        assert_ne!(signed["nonceStr"], config["nonceStr"], "each has its own");
    }
    assert_eq!((wechat.calls(STABLE), wechat.calls(TICKET)), (1, 1));
    for no_url in
        ["shop.example.com/a", "javascript:alert(1)", "file:///a", "//a.example/", "/a", "http://", "https://a\r\nb/"]
    {
        server.get(&target(&[("url", no_url)])).await.is_refusal(400, -10003);
    }
    server.get(&target(&[("url", &format!("https://a.example/{}", "x".repeat(4096)))])).await.is_refusal(400, -10003);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_referer_is_believed_when_it_is_whole_and_else_the_script_asks_again() {
    let (server, _database, wechat) = scene().await;
    let from = async |referer: &str| Script::read(&server.with("referer", referer).get(PATH).await);
    let ticket = server.get("/app/test/jsapi").await.ticket();
    for (referer, page) in [
        (PAGE, PAGE),
        ("https://shop.example.com/goods", "https://shop.example.com/goods"),
        // Browsers write no HTML into it: this is the address.
        ("https://shop.example.com/?a=1&amp;b=2", "https://shop.example.com/?a=1&amp;b=2"),
        ("https://shop.example.com/?", "https://shop.example.com/?"),
        ("http://127.0.0.1:9000/%22%3C", "http://127.0.0.1:9000/%22%3C"),
    ] {
        let script = from(referer).await;
        is_signed(script.signed(), &ticket, page);
        // The script compares it with its page: a Referer can be that of a frame, or be shortened by a policy.
        assert_eq!((&script.settings["url"], &script.settings["given"]), (&json!(page), &json!(false)));
    }
    // Browsers tell other sites no more than the origin, or nothing.
    for referer in [
        "https://shop.example.com/",
        "https://shop.example.com",
        "null",
        "about:client",
        "android-app://com.tencent.mm/",
        "",
    ] {
        let script = from(referer).await;
        assert_eq!((script.config, &script.settings["url"]), (None, &json!("")), "{referer}");
    }
    let none = server.get(PATH).await;
    assert_eq!(Script::read(&none).config, None);
    // Then it comes back so: with the address, for the fields alone, across origins.
    let source = format!("{}{PATH}", server.url);
    assert_eq!(Script::read(&none).settings["source"], source.as_str());
    for part in ["format=json&url=\" + encodeURIComponent(url", "XMLHttpRequest", "location.href.split(\"#\")[0]"] {
        assert!(none.text().contains(part), "{part}: {}", none.text());
    }
    assert_eq!(Script::read(&none).settings["jweixin"], json!([format!("{}/open/js/jweixin-1.6.0.js", wechat.url)]));
    // What is named counts before it.
    let script = Script::read(&server.with("referer", "https://other.example/x").get(&target(&[("url", PAGE)])).await);
    is_signed(script.signed(), &ticket, PAGE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fields_alone_are_json() {
    let (server, _database, _wechat) = scene().await;
    let answer = server.get(&target(&[("url", PAGE), ("format", "json")])).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json; charset=utf-8"));
    assert_eq!((answer.header("cache-control"), answer.header("x-content-type-options")), ("no-store", "nosniff"));
    let ticket = server.get("/app/test/jsapi").await.ticket();
    is_signed(&answer.json(), &ticket, PAGE);
    assert_eq!(answer.json().as_object().unwrap().len(), 7);
    let by_referer = server.with("referer", PAGE).get(&target(&[("format", "json")])).await;
    is_signed(&by_referer.json(), &ticket, PAGE);
    let refused = server.with("referer", "https://a.example/").get(&target(&[("format", "json")])).await;
    assert!(refused.is_refusal(400, -10003).errmsg().contains("url is missing"));
    server.get(&target(&[("url", PAGE), ("format", "xml")])).await.is_refusal(400, -10003);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_what_it_wants_and_only_names_get_into_the_script() {
    let (server, _database, _wechat) = scene().await;
    let asked = async |pairs: &[(&str, &str)]| {
        let pairs = [&[("url", PAGE)], pairs].concat();
        Script::read(&server.get(&target(&pairs)).await).signed().clone()
    };
    for (text, debug) in [("true", true), ("1", true), ("false", false), ("0", false), ("", false)] {
        assert_eq!(asked(&[("debug", text)]).await["debug"], debug, "{text}");
    }
    let config =
        asked(&[("apilist", "chooseImage, scanQRCode,,hideMenuItems"), ("apilist", "a:b_c-1.2"), ("opentaglist", "")])
            .await;
    assert_eq!(config["jsApiList"], json!(["chooseImage", "scanQRCode", "hideMenuItems", "a:b_c-1.2"]));
    assert_eq!(config["openTagList"].as_array().unwrap().len(), 4);
    let config = asked(&[("opentaglist", "wx-open-subscribe")]).await;
    assert_eq!(config["openTagList"], json!(["wx-open-subscribe"]));
    assert!(config["jsApiList"].as_array().unwrap().len() > 40);
    for (name, value) in [
        ("apilist", "choose Image"),
        ("apilist", "a\"]});alert(1);//"),
        ("apilist", "</script>"),
        ("opentaglist", "wx-open-\u{e9}"),
        ("apilist", &"x".repeat(65)),
        ("apilist", &"x,".repeat(201)),
        ("debug", "yes"),
        ("debug", "1);alert(1"),
    ] {
        let refused = server.get(&target(&[("url", PAGE), (name, value)])).await.is_refusal(400, -10003);
        assert!(refused.errmsg().contains(name), "{}", refused.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_memory_by_post_as_form_and_json_it_is_the_same() {
    let (server, _database, wechat) = scene().await;
    let pairs = [("url", PAGE), ("debug", "true"), ("apilist", "scanQRCode")];
    let cold = server.get(&target(&pairs)).await;
    let ready = server.get(&target(&pairs)).await;
    let form = server.post_form(PATH, &pairs).await;
    let json = server.post_json(PATH, &json!({"url": PAGE, "debug": true, "apilist": ["scanQRCode"]})).await;
    let ticket = server.get("/app/test/jsapi").await.ticket();
    let shape = |answer: &Answer| {
        let mut script = Script::read(answer);
        is_signed(script.signed(), &ticket, PAGE);
        let mut config = script.config.take().unwrap();
        for changing in ["nonceStr", "signature", "timestamp"] {
            config.as_object_mut().unwrap().remove(changing);
        }
        script.settings.as_object_mut().unwrap().remove("source");
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        (config, script.settings, names)
    };
    for other in [&ready, &form, &json] {
        assert_eq!(shape(other), shape(&cold));
    }
    assert_eq!((wechat.calls(STABLE), wechat.calls(TICKET)), (1, 1));
    for query in ["?url=x", "?url=https://a.example/&debug=x", "?url=%ff", "?format=json"] {
        let (got, posted) =
            (server.get(&format!("{PATH}{query}")).await, server.post_form(&format!("{PATH}{query}"), &[]).await);
        assert_eq!((got.status, got.text()), (400, posted.text()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_pages_at_once_cost_one_ticket() {
    let (server, _database, wechat) = scene().await;
    let answers = server.at_once(100, &target(&[("url", PAGE)])).await;
    let ticket = server.get("/app/test/jsapi").await.ticket();
    for answer in &answers {
        is_signed(Script::read(answer).signed(), &ticket, PAGE);
    }
    assert_eq!((wechat.calls(STABLE), wechat.calls(TICKET)), (1, 1));
    for answer in answers {
        assert!(!answer.text().contains(&ticket) && !answer.text().contains(SECRET), "the ticket stays here");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_ticket_the_page_gets_wechats_words() {
    let (server, _database, wechat) = scene().await;
    wechat.always(TICKET, Reply::errcode(48001, "api unauthorized rid: 1"));
    for pairs in [&[("url", PAGE)][..], &[("url", PAGE), ("format", "json")]] {
        let answer = server.with("origin", "https://shop.example.com").get(&target(pairs)).await;
        assert_eq!((answer.status, answer.errcode()), (200, 48001));
        // The page's own script reads it and tells; no browser runs it.
        assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example.com");
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    // A page that has to ask again still gets the script: it will tell.
    assert_eq!(Script::read(&server.get(PATH).await).config, None);
}
