//! `/pay`, `/pay/qrcode`, `/pay/js`: from a URL to an order that can be paid, the same for both versions of WeChat Pay.

use serde_json::{Value, json};

use crate::harness::caller::encoded;
use crate::harness::pictures::scanned_png;
use crate::harness::shop::{PAID, Shop, history, register};

/// Whatever the version, a caller sees the same members; but for the `prepay_id` that v3 does not give with a QR code.
#[tokio::test]
async fn an_order_looks_the_same_in_both_versions() {
    let mut shapes: Vec<Vec<Vec<String>>> = Vec::new();
    for shop in Shop::both().await {
        let mut members = Vec::new();
        for more in [
            &[("trade_type", "NATIVE")] as &[_],
            &[("openid", shop.bank.payer.as_str())],
            &[("trade_type", "MWEB")],
            &[("trade_type", "APP")],
        ] {
            let json = shop.order(more).await.json();
            let names = json.as_object().unwrap_or_else(|| panic!("{json}")).keys();
            members.push(names.filter(|name| *name != "prepay_id").cloned().collect::<Vec<_>>());
        }
        shapes.push(members);
    }
    assert_eq!(shapes[0], shapes[1]);
    for (names, wanted) in shapes[0].iter().zip(["code_url", "out_trade_no", "mweb_url", "app"]) {
        assert!(names.iter().any(|name| name == wanted), "{wanted} in {names:?}");
    }
}

#[tokio::test]
async fn what_was_asked_for_is_what_wechat_gets() {
    for shop in Shop::both().await {
        let number = shop.ordered(&[("attach", "a=1&b=\"2\""), ("fee", "1"), ("goods_tag", "TEA")]).await;
        let order = shop.bank.order(&number).await;
        assert_eq!(order["total"].as_i64().or(order["total_fee"].as_i64()), Some(1), "{order}");
        let text = order.to_string();
        assert!(text.contains("茶 & 点心") && text.contains("a=1&b="), "{text}");
        assert!(text.contains(&format!("{}/app/test/pay/notify", shop.server.url)), "{text}");
    }
}

#[tokio::test]
async fn a_qr_code_holds_the_code_url() {
    for shop in Shop::both().await {
        let asked = [("out_trade_no", "picture-0001")];
        let picture = shop.ask("/pay/qrcode", &asked).await;
        assert_eq!((picture.status, picture.header("content-type")), (200, "image/png"), "{}", picture.text());
        let (_, read) = scanned_png(&picture);
        assert!(read.starts_with("weixin://wxpay/bizpayurl"), "{read}");
        let json = shop.order(&asked).await.json();
        assert_eq!(json["code_url"], *read, "the same number is the same order, and its code stays good");
        let svg = shop.ask("/pay/qrcode", &[("format", "svg"), ("size", "100")]).await;
        assert!(svg.text().starts_with("<svg"), "{}", svg.text());
    }
}

#[tokio::test]
async fn a_page_gets_what_wechats_client_takes() {
    for shop in Shop::both().await {
        let payer = shop.bank.post("/sandbox/payments/look", &json!({"order": {"code_url": "x"}})).await;
        assert!(payer["refused"].is_object(), "{payer}");
        let answer = shop.ask("/pay/js", &[("openid", shop.bank.payer.as_str())]).await;
        let request = answer.json();
        let mut names: Vec<&str> = request.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["appId", "nonceStr", "package", "paySign", "signType", "timeStamp"], "{request}");
        let purse = json!({"openid": shop.bank.payer});
        let paid = shop.bank.post("/sandbox/payments", &json!({"order": {"request": request}, "purse": purse})).await;
        assert_eq!(paid["result"], "ok", "{paid}");
        shop.backend.has_received(PAID, 1).await;
        assert_eq!(shop.backend.only(PAID).json()["openid"], *shop.bank.payer);
    }
}

#[tokio::test]
async fn a_script_sets_the_variable_that_was_asked_for() {
    let shop = Shop::v3().await;
    let script = shop.ask("/pay/js", &[("openid", shop.bank.payer.as_str()), ("var", "wxpay")]).await;
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    let text = script.text();
    let json = text.strip_prefix("var wxpay = ").and_then(|rest| rest.trim_end().strip_suffix(';')).unwrap();
    assert_eq!(serde_json::from_str::<Value>(json).unwrap()["signType"], "RSA");
    for bad in ["1a", "a-b", "a.b", "alert(1)//", "var x"] {
        shop.ask("/pay/js", &[("openid", shop.bank.payer.as_str()), ("var", bad)]).await.is_refusal(400, -10003);
    }
}

#[tokio::test]
async fn the_cookie_says_who_pays() {
    let shop = Shop::v2().await;
    let visitor = shop.server.caller.with("cookie", &format!("a=b; openid={}; c=d", shop.bank.payer));
    let answer = visitor.get("/app/test/pay/js?fee=7&out_trade_no=cookie-0001").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(shop.bank.order("cookie-0001").await["openid"], *shop.bank.payer);
    shop.ask("/pay/js", &[]).await.is_refusal(400, -10003);
    // A program that asks for an order is no visitor: its cookies mean nothing.
    let native = visitor.get("/app/test/pay?fee=7").await.json();
    assert!(native["code_url"].is_string(), "{native}");
}

#[tokio::test]
async fn the_names_of_2017_still_work() {
    let shop = Shop::v2().await;
    let call = shop.backend.at(PAID);
    let query =
        encoded(&[("total_fee", "3"), ("body", "旧参数"), ("notify_url", &call), ("out_trade_no", "old-000001")]);
    let answer = shop.server.get(&format!("/app/test/pay?{query}")).await.json();
    assert_eq!((&answer["return_code"], &answer["result_code"]), (&json!("SUCCESS"), &json!("SUCCESS")), "{answer}");
    shop.bank.pay("old-000001").await;
    assert_eq!(shop.told("old-000001").await["total_fee"], 3);
}

#[tokio::test]
async fn the_same_number_is_the_same_order_and_nothing_else() {
    for shop in Shop::both().await {
        let same = [("out_trade_no", "number-0001"), ("attach", "x")];
        let first = shop.order(&same).await.json();
        let again = shop.order(&same).await.json();
        assert_eq!(first, again);
        let path = if shop.record("number-0001").await["version"] == "v2" {
            "/pay/unifiedorder"
        } else {
            "/v3/pay/transactions/native"
        };
        assert_eq!(shop.bank.calls(path).await, 1, "what WeChat answered is good for two hours");
        for other in [("attach", "y"), ("fee", "101"), ("name", "x"), ("trade_type", "MWEB"), ("goods_tag", "z")] {
            let mut asked = vec![("out_trade_no", "number-0001"), other];
            if other.0 != "attach" {
                asked.push(("attach", "x"));
            }
            shop.order(&asked).await.is_refusal(409, -10030);
        }
        register(
            &shop.operator(),
            "other",
            &shop.bank,
            &[("mch_id", shop.bank.merchant.mch_id.clone()), ("mch_key", shop.bank.merchant.v2_key.clone())],
        )
        .await;
        let other = shop.server.get("/app/other/pay?fee=100&out_trade_no=number-0001").await;
        other.is_refusal(409, -10030);
        shop.server.get("/app/other/pay/query?out_trade_no=number-0001").await.is_refusal(404, -10033);
    }
}

#[tokio::test]
async fn an_order_that_is_over_cannot_be_placed_again() {
    for shop in Shop::both().await {
        shop.paid(&[("out_trade_no", "over-00001")]).await;
        shop.order(&[("out_trade_no", "over-00001")]).await.is_refusal(409, -10031);
        let number = shop.ordered(&[("out_trade_no", "over-00002")]).await;
        let closed = shop.server.get(&format!("/app/test/pay/close?out_trade_no={number}")).await;
        assert_eq!(closed.json()["trade_state"], "CLOSED", "{}", closed.text());
        shop.order(&[("out_trade_no", "over-00002")]).await.is_refusal(409, -10031);
        assert_eq!(history(&shop.record(&number).await), ["placed", "answered", "closed"]);
    }
}

#[tokio::test]
async fn twenty_who_ask_at_once_get_one_order() {
    for shop in Shop::both().await {
        let asks = (0..20).map(|_| shop.order(&[("out_trade_no", "at-once-0001")]));
        let answers = futures::future::join_all(asks).await;
        let first = answers[0].json();
        assert!(first["code_url"].is_string(), "{first}");
        assert!(answers.iter().all(|answer| answer.json() == first));
        assert_eq!(shop.bank.orders().await.len(), 1);
    }
}

#[tokio::test]
async fn what_cannot_be_an_order_is_refused_before_wechat_hears_of_it() {
    for shop in Shop::both().await {
        for bad in [
            &[("fee", "")] as &[_],
            &[("fee", "0")],
            &[("fee", "-1")],
            &[("fee", "1.5")],
            &[("fee", "1e3")],
            &[("fee", "一")],
            &[("fee", "100000001")],
            &[("fee", "99999999999999999999")],
            &[("out_trade_no", "short")],
            &[("out_trade_no", "with space")],
            &[("out_trade_no", "x234567890123456789012345678901234")],
            &[("trade_type", "CASH")],
            &[("trade_type", "JSAPI")],
            &[("appid", "wx9999999999999999")],
            &[("mch_id", "1999999999")],
            &[("total_fee", "7")],
            &[("attach", "1"), ("attach", "2")],
            &[("openid", "not an openid")],
        ] {
            let answer = shop.order(bad).await;
            assert_eq!((answer.status, answer.errcode()), (400, -10003), "{bad:?}: {}", answer.text());
        }
        shop.order(&[("call", "ftp://x/")]).await.is_refusal(400, -10022);
        assert!(shop.bank.orders().await.is_empty());
    }
}

#[tokio::test]
async fn what_signs_never_passes_through() {
    for shop in Shop::both().await {
        let forged =
            [("sign", "AAAA"), ("sign_type", "HMAC-SHA256"), ("nonce_str", "x"), ("mch_key", "k"), ("key", "k")];
        let number = shop.ordered(&forged).await;
        shop.bank.pay(&number).await;
        shop.told(&number).await;
    }
}

#[tokio::test]
async fn a_registration_without_a_merchant_says_what_is_missing() {
    let shop = Shop::v2().await;
    shop.server.register_cold("poor", &[]).await;
    let told = shop.server.get("/app/poor/pay?fee=1").await.is_refusal(400, -10029);
    assert!(told.errmsg().contains("mch_id") && told.errmsg().contains("/register"), "{}", told.errmsg());
    shop.server.register_cold("half", &[("mch_id", "1900000109")]).await;
    assert!(shop.server.get("/app/half/pay?fee=1").await.is_refusal(400, -10029).errmsg().contains("mch_key"));
    for path in ["query?out_trade_no=123456", "close?out_trade_no=123456", "refund?out_trade_no=123456&out_refund_no=1"]
    {
        shop.server.get(&format!("/app/half/pay/{path}")).await.is_refusal(400, -10029);
    }
}

#[tokio::test]
async fn wechats_refusal_keeps_its_shape_and_its_words() {
    for shop in Shop::both().await {
        shop.bank.change(&json!({"trade_types": ["JSAPI"]})).await;
        let answer = shop.order(&[("out_trade_no", "refused-0001")]).await;
        assert_eq!((answer.status, answer.errcode()), (200, -10028), "{}", answer.text());
        let json = answer.json();
        assert_eq!((&json["result_code"], &json["err_code"]), (&json!("FAIL"), &json!("NOAUTH")), "{json}");
        assert!(json["err_code_des"].as_str().is_some_and(|text| !text.is_empty()), "{json}");
        // Nothing exists under this number, so it can be asked for again when the product is there, and otherwise.
        shop.bank.change(&json!({"trade_types": ["JSAPI", "NATIVE"]})).await;
        shop.ordered(&[("out_trade_no", "refused-0001"), ("fee", "7")]).await;
        assert_eq!(shop.record("refused-0001").await["total_fee"], 7);
        assert_eq!(history(&shop.record("refused-0001").await), ["placed", "refused", "placed again", "answered"]);
    }
}
