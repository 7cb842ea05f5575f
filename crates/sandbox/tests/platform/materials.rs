//! Permanent media: pictures of articles, materials.

use sandbox::AccountKind::{Official, Wecom};
use serde_json::{Value, json};

use crate::client::errcode;
use crate::shop::Shop;

impl Shop {
    async fn upload(&self, path: &str, more: &str, data: &str) -> Value {
        let form =
            format!("--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a\"\r\n\r\n{data}\r\n--b--\r\n");
        self.sandbox.send("POST", &format!("{path}?access_token={}{more}", self.token), &form).await.json()
    }
}

/// The beginning of a BMP, a GIF; a JPEG or PNG is no text.
const BMP: &str = "BM......";
const GIF: &str = "GIF89a...";

#[tokio::test]
async fn a_picture_of_an_article_has_an_address() {
    let shop = Shop::open(Official).await;
    let path = "/cgi-bin/media/uploadimg";
    assert_eq!(errcode(&shop.upload(path, "", "").await), 44001);
    assert_eq!(errcode(&shop.upload(path, "", GIF).await), 40005);
    assert_eq!(
        errcode(&shop.sandbox.send("POST", &format!("{path}?access_token={}", shop.token), "x").await.json()),
        41005
    );
    for shop in [shop, Shop::open(Wecom).await] {
        let token = &shop.token;
        let mut connection = shop.sandbox.connect().await;
        let begin = "--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a\"\r\n\r\n";
        let form = [begin.as_bytes(), b"\x89PNG\r\n\x1a\n", b"\r\n--b--\r\n"].concat();
        connection.send_bytes("POST", &format!("{path}?access_token={token}"), &form).await;
        let answer = connection.answer().await.expect("an answer").json();
        assert_eq!(errcode(&answer), 0);
        let url = answer["url"].as_str().expect("an address");
        let (_, target) = url.split_once("//localhost").expect("the sandbox's own address");
        let mut connection = shop.sandbox.connect().await;
        shop.sandbox.advance(4 * 86_400).await;
        connection.send("GET", target, &[], "").await;
        let head = connection.head().await.expect("a head");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: image/png"), "{head}");
    }
}

#[tokio::test]
async fn materials_are_kept_counted_and_deleted() {
    let shop = Shop::open(Official).await;
    let add = "/cgi-bin/material/add_material";
    assert_eq!(errcode(&shop.upload(add, "&type=song", BMP).await), 40004);
    assert_eq!(errcode(&shop.upload(add, "&type=image", "<svg>").await), 40005);
    let image = shop.upload(add, "&type=image", BMP).await;
    assert!(image["url"].as_str().unwrap().contains("/media/"));
    let voice = shop.upload(add, "&type=voice", "voice").await;
    let video = shop.upload(add, "&type=video", "video").await;
    assert!(voice.get("url").is_none());
    shop.push(&json!({ "text": "hi" })).await;
    assert_eq!(shop.send("image", json!({ "media_id": image["media_id"] })).await, 0, "it can be sent");
    let counted = shop.get("/cgi-bin/material/get_materialcount", "").await;
    assert_eq!(counted, json!({ "voice_count": 1, "video_count": 1, "image_count": 1, "news_count": 0 }));
    let read = format!("/cgi-bin/material/get_material?access_token={}", shop.token);
    let of = |medium: &Value| json!({ "media_id": medium["media_id"] }).to_string();
    let fetched = shop.sandbox.send("POST", &read, &of(&image)).await;
    assert_eq!((fetched.body.as_str(), fetched.header("content-type")), (BMP, Some("image/bmp")));
    assert_eq!(shop.sandbox.send("POST", &read, &of(&voice)).await.body, "voice");
    assert!(shop.sandbox.send("POST", &read, &of(&video)).await.json()["down_url"].is_string());
    let delete = json!({ "media_id": voice["media_id"] });
    assert_eq!(errcode(&shop.call("/cgi-bin/material/del_material", &delete).await), 0);
    assert_eq!(errcode(&shop.call("/cgi-bin/material/del_material", &delete).await), 40007);
    assert_eq!(errcode(&shop.call("/cgi-bin/material/get_material", &delete).await), 40007);
}
