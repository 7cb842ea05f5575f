//! Followers of an official account: the list of them, remarks, tags.

use sandbox::AccountKind::{MiniProgram, Official};
use serde_json::{Value, json};

use crate::client::errcode;
use crate::shop::Shop;

impl Shop {
    /// One more follower, a second later.
    async fn follower(&self, openid: &str) {
        self.sandbox.advance(1).await;
        self.sandbox.set_user(&self.account.appid, openid, &json!({ "following": true })).await;
    }

    async fn info(&self, openid: &str) -> Value {
        self.get("/cgi-bin/user/info", &format!("&openid={openid}")).await
    }
}

#[tokio::test]
async fn followers_are_listed_page_by_page_in_the_order_in_which_they_came() {
    let shop = Shop::open(Official).await;
    for openid in ["oC", "oA", "oB", "oGone"] {
        shop.follower(openid).await;
    }
    shop.sandbox.set_user(&shop.account.appid, "oGone", &json!({ "following": false })).await;
    let list = async |after: &str| shop.get("/cgi-bin/user/get", &format!("&next_openid={after}")).await;
    let all = list("").await;
    let expected = json!([shop.openid, "oC", "oA", "oB"]);
    assert_eq!(all, json!({ "total": 4, "count": 4, "data": { "openid": expected }, "next_openid": "oB" }));
    shop.patch(&json!({ "followers_page": 3 })).await;
    let first = list("").await;
    assert_eq!((&first["total"], &first["count"], &first["next_openid"]), (&json!(4), &json!(3), &json!("oA")));
    assert_eq!(list("oA").await["data"]["openid"], json!(["oB"]));
    assert_eq!(list("oB").await, json!({ "total": 4, "count": 0, "next_openid": "" }));
    assert_eq!(errcode(&list("oNobody").await), 40003);
    assert_eq!(errcode(&Shop::open(MiniProgram).await.get("/cgi-bin/user/get", "").await), 48001);
    assert_eq!(errcode(&shop.sandbox.get("/cgi-bin/user/get").await), 41001);
    let wrong = json!({ "followers_page": 10_001 });
    let path = format!("/sandbox/accounts/{}", shop.account.appid);
    assert_eq!(shop.sandbox.control("PATCH", &path, &wrong).await.status, 400);
}

#[tokio::test]
async fn a_remark_stays_with_the_follower() {
    let shop = Shop::open(Official).await;
    let path = "/cgi-bin/user/info/updateremark";
    let remark = |openid: &str, remark: &str| json!({ "openid": openid, "remark": remark });
    assert_eq!(shop.info(&shop.openid).await["remark"], "");
    assert_eq!(errcode(&shop.call(path, &remark(&shop.openid, "老客户")).await), 0);
    assert_eq!(shop.info(&shop.openid).await["remark"], "老客户");
    assert_eq!(errcode(&shop.call(path, &remark("oNobody", "x")).await), 40003);
    assert_eq!(errcode(&shop.call(path, &remark(&shop.openid, &"x".repeat(30))).await), 40097);
    assert_eq!(errcode(&shop.call(path, &json!({ "openid": shop.openid })).await), 47001);
    assert_eq!(errcode(&shop.call(path, &remark(&shop.openid, "")).await), 0);
    assert_eq!(shop.info(&shop.openid).await["remark"], "");
}

#[tokio::test]
async fn tags_are_made_given_and_taken() {
    let shop = Shop::open(Official).await;
    shop.follower("oA").await;
    let create = async |name: &str| shop.call("/cgi-bin/tags/create", &json!({ "tag": { "name": name } })).await;
    let made = create("广东").await;
    assert_eq!(made["tag"], json!({ "id": 100, "name": "广东" }));
    assert_eq!(errcode(&create("广东").await), 45157);
    assert_eq!(errcode(&create(&"x".repeat(31)).await), 45158);
    let change = async |what: &str, openids: Value, tagid: u64| {
        let path = format!("/cgi-bin/tags/members/batch{what}");
        errcode(&shop.call(&path, &json!({ "openid_list": openids, "tagid": tagid })).await)
    };
    assert_eq!(change("tagging", json!([shop.openid, "oA"]), 100).await, 0);
    assert_eq!(change("tagging", json!([shop.openid]), 2).await, 0);
    assert_eq!(change("tagging", json!([shop.openid]), 7).await, 45159);
    assert_eq!(change("tagging", json!([shop.openid, "oNobody"]), 100).await, 40003);
    assert_eq!(change("tagging", json!([]), 100).await, 40032);
    assert_eq!(change("tagging", json!(vec!["oA"; 51]), 100).await, 40032);
    let listed = shop.get("/cgi-bin/tags/get", "").await;
    let tag = |id: u64, name: &str, count: u64| json!({ "id": id, "name": name, "count": count });
    assert_eq!(listed["tags"], json!([tag(2, "星标组", 1), tag(100, "广东", 2)]));
    assert_eq!(shop.info(&shop.openid).await["tagid_list"], json!([2, 100]));
    assert_eq!(shop.call("/cgi-bin/tags/getidlist", &json!({ "openid": "oA" })).await["tagid_list"], json!([100]));
    assert_eq!(change("untagging", json!(["oA"]), 100).await, 0);
    assert_eq!(shop.info("oA").await["tagid_list"], json!([]));
    for number in 0..19 {
        let id = create(&number.to_string()).await["tag"]["id"].as_u64().unwrap();
        assert_eq!(change("tagging", json!([shop.openid]), id).await, if number < 18 { 0 } else { 45059 });
    }
}
