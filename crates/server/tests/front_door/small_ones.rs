//! `/qrcode` and `/echo`.

use http::Method;
use serde_json::json;

use crate::harness::caller::{Answer, encoded};
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::pictures::{scanned_png, scanned_svg};
use crate::harness::server::local;

fn scanned_svg_file(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (200, "image/svg+xml"));
    scanned_svg(&answer.text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qr_code_says_what_it_was_asked_to_say() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let long = format!("https://example.com/{}", "长".repeat(300));
    for text in ["weixin://wxpay/bizpayurl?pr=NwY5Mz9&groupid=00", "https://wx.example.com/app/测试?a=b&c=d#e", &long]
    {
        let query = encoded(&[("path", text)]);
        assert_eq!(scanned_png(&server.get(&format!("/qrcode?{query}")).await), (256, text.to_owned()));
        assert_eq!(scanned_png(&server.get(&format!("/qrcode?{query}&size=1000&format=png")).await).1, text);
        assert_eq!(scanned_svg_file(&server.get(&format!("/qrcode?{query}&format=svg&size=64")).await), text);
        assert_eq!(scanned_png(&server.post_form("/qrcode", &[("path", text)]).await).1, text);
        assert_eq!(scanned_png(&server.post_json("/qrcode", &json!({"path": text, "size": 512})).await).0, 512);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_and_texts_are_bounded_and_bad_ones_are_explained() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    assert_eq!(scanned_png(&server.get("/qrcode?path=a&size=2048").await), (2048, "a".to_owned()));
    for query in ["", "?path=", "?path=a&size=2049", "?path=a&size=31", "?path=a&size=-1", "?path=a&size=9999999999999"]
    {
        server.get(&format!("/qrcode{query}")).await.is_refusal(400, -10003);
    }
    server.get("/qrcode?path=a&format=gif").await.is_refusal(400, -10003);
    let too_long = "x".repeat(3000);
    server.get(&format!("/qrcode?path={too_long}")).await.is_refusal(400, -10003);
    server.get(&format!("/qrcode?path={}&size=32", "x".repeat(300))).await.is_refusal(400, -10003);
    server.get("/qrcode?path=%ff").await.is_refusal(400, -10003);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_says_what_it_was_sent() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let told = server.with("x-mine", "yes").bearer("HUSH").get("/echo?a=1&a=2&b=测试").await;
    assert_eq!(told.json()["query"], json!([["a", "1"], ["a", "2"], ["b", "测试"]]));
    assert_eq!((&told.json()["method"], &told.json()["headers"]["x-mine"]), (&json!("GET"), &json!("yes")));
    assert!(!told.text().contains("HUSH"), "credentials are not echoed");

    let xml = "<xml><ToUserName>测试</ToUserName></xml>";
    let echoed = server.send(Method::POST, "/echo", Some("text/xml"), xml.into()).await;
    assert_eq!((echoed.text().as_str(), echoed.header("content-type")), (xml, "text/xml; charset=utf-8"));
    let script = "<script>alert(1)</script>";
    let echoed = server.send(Method::POST, "/echo", Some("text/html"), script.into()).await;
    assert_eq!(echoed.header("content-type"), "application/octet-stream", "no browser runs it");
    assert_eq!(echoed.header("x-content-type-options"), "nosniff");

    let megabyte = vec![b'x'; 1024 * 1024];
    assert_eq!(server.send(Method::POST, "/echo", None, megabyte.clone()).await.body.len(), megabyte.len());
    let more = [megabyte, vec![b'x']].concat();
    server.send(Method::POST, "/echo", None, more).await.is_refusal(413, -10007);
}
