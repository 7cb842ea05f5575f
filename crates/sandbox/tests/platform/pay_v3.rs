//! v3 as a merchant meets it: orders, queries, closing, certificates, callbacks, signatures of both sides.

use sandbox::KeyMode::{Both, Certificate, PublicKey};
use serde_json::json;

use crate::client::Sandbox;
use crate::merchant::{APPID, Shop, der, fields, sign_v2};

#[tokio::test]
async fn an_order_is_paid_and_notified() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    let (status, ordered) = shop.post_v3("/v3/pay/transactions/native", &shop.order_v3("ORDER0001")).await;
    assert_eq!(status, 200, "{ordered}");
    let code = ordered["code_url"].as_str().unwrap();
    let query = format!("/v3/pay/transactions/out-trade-no/ORDER0001?mchid={}", shop.merchant.mch_id);
    let (_, unpaid) = shop.get_v3(&query).await;
    assert_eq!((&unpaid["trade_state"], &unpaid["amount"]["total"]), (&json!("NOTPAY"), &json!(100)));
    let paid = sandbox.post("/sandbox/payments", &json!({ "order": { "code_url": code } })).await;
    assert_eq!(paid["result"], "ok");
    assert_eq!(shop.notices().await[0]["state"], "acknowledged");
    let told = shop.opened(&shop.receiver.got()[0]);
    assert_eq!((&told["trade_state"], &told["out_trade_no"]), (&json!("SUCCESS"), &json!("ORDER0001")));
    assert_eq!(told["amount"], json!({ "total": 100, "payer_total": 100, "currency": "CNY", "payer_currency": "CNY" }));
    let (status, found) = shop.get_v3(&query).await;
    assert_eq!((status, &found), (200, &told));
    let by_id =
        format!("/v3/pay/transactions/id/{}?mchid={}", told["transaction_id"].as_str().unwrap(), shop.merchant.mch_id);
    assert_eq!(shop.get_v3(&by_id).await, (200, told));
    let (status, error) = shop.post_v3("/v3/pay/transactions/native", &shop.order_v3("ORDER0001")).await;
    assert_eq!((status, &error["code"]), (400, &json!("ORDERPAID")));
}

#[tokio::test]
async fn closing_answers_204_and_is_signed() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    shop.post_v3("/v3/pay/transactions/native", &shop.order_v3("ORDER0001")).await;
    let body = json!({ "mchid": shop.merchant.mch_id });
    let close = "/v3/pay/transactions/out-trade-no/ORDER0001/close";
    assert_eq!(shop.post_v3(close, &body).await, (204, json!(null)));
    let (status, error) = shop.post_v3(close, &body).await;
    assert_eq!((status, &error["code"]), (400, &json!("ORDER_CLOSED")));
    let (status, error) = shop.post_v3("/v3/pay/transactions/out-trade-no/ORDER0009/close", &body).await;
    assert_eq!((status, &error["code"]), (404, &json!("ORDER_NOT_EXIST")));
}

#[tokio::test]
async fn requests_are_checked_in_wechats_order() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    let (target, body) = ("/v3/pay/transactions/native", shop.order_v3("ORDER0001").to_string());
    let now = sandbox.get("/sandbox/clock").await["now"].as_u64().unwrap() / 1000;
    let headers = shop.headers_v3("POST", target, &body, now);
    let send = async |headers: Vec<String>, body: &str| shop.send_with("POST", target, body, &headers).await;

    let without = |name: &str| headers.iter().filter(|header| !header.starts_with(name)).cloned().collect::<Vec<_>>();
    for name in ["Accept", "User-Agent", "Content-Type"] {
        let answer = send(without(name), &body).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("PARAM_ERROR")), "{name}");
    }
    let replaced = |from: &str, to: &str| headers.iter().map(|header| header.replace(from, to)).collect::<Vec<_>>();
    let unsigned = |answer: &crate::client::Answer, text: &str| {
        assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("SIGN_ERROR")), "{answer:?}");
        assert!(answer.json()["message"].as_str().unwrap().contains(text), "{answer:?}");
        assert!(answer.header("wechatpay-signature").is_none() && answer.header("request-id").is_some());
    };
    unsigned(&send(without("Authorization"), &body).await, "Authorization值格式错误");
    unsigned(&send(replaced("nonce_str=", "nonce="), &body).await, "Authorization值格式错误");
    unsigned(&send(replaced(&shop.merchant.serial, &"A".repeat(40)), &body).await, "商户证书序列号有误");
    unsigned(&send(replaced(&shop.merchant.mch_id, "1000000001"), &body).await, "商户证书序列号有误");
    unsigned(&send(shop.headers_v3("POST", target, &body, now - 301), &body).await, "timestamp");
    unsigned(&send(headers.clone(), &format!("{body} ")).await, "验签失败");

    let answer = shop.send_v3("POST", target, &body, Some(&"B".repeat(40))).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (400, Some("PARAM_ERROR")));
    assert_eq!(send(headers, &body).await.status, 200);
}

#[tokio::test]
async fn fields_are_checked_and_named() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    for (field, value) in [
        ("/amount/total", json!("100")),
        ("/amount/total", json!(0)),
        ("/amount/currency", json!("XYZ")),
        ("/description", json!("x".repeat(128))),
        ("/description", json!("😀")),
        ("/description", json!(null)),
        ("/out_trade_no", json!("a b c d e f")),
        ("/notify_url", json!("https://shop.example.com/n?a=1")),
        ("/notify_url", json!("http://shop.example.com/n")),
        ("/time_expire", json!("2026-01-01 10:00:00")),
        ("/appid", json!(1)),
    ] {
        let mut order = shop.order_v3("ORDER0001");
        *order.pointer_mut(field).unwrap_or(&mut json!(null)) = value.clone();
        if field == "/time_expire" {
            order["time_expire"] = value.clone();
        }
        let (status, error) = shop.post_v3("/v3/pay/transactions/native", &order).await;
        assert_eq!((status, &error["code"]), (400, &json!("PARAM_ERROR")), "{field} {value}");
        assert_eq!(
            (&error["detail"]["field"], &error["detail"]["location"]),
            (&json!(field), &json!("body")),
            "{error}"
        );
    }
    let mut order = shop.order_v3("ORDER0001");
    order["detail"] = json!({ "goods_detail": [{ "merchant_goods_id": "g", "quantity": 1 }] });
    let (_, error) = shop.post_v3("/v3/pay/transactions/native", &order).await;
    assert_eq!(error["detail"]["field"], "/detail/goods_detail/0/unit_price");
    let (_, error) = shop.post_v3("/v3/pay/transactions/jsapi", &shop.order_v3("ORDER0001")).await;
    assert_eq!(error["detail"]["field"], "/payer/openid");
    let (_, error) = shop.post_v3("/v3/pay/transactions/h5", &shop.order_v3("ORDER0001")).await;
    assert_eq!(error["detail"]["field"], "/scene_info/payer_client_ip");
    let mut other = shop.order_v3("ORDER0001");
    other["mchid"] = json!("1000000001");
    assert_eq!(shop.post_v3("/v3/pay/transactions/native", &other).await.0, 400);
    let mut other = shop.order_v3("ORDER0001");
    other["appid"] = json!("wx7777777777777777");
    assert_eq!(shop.post_v3("/v3/pay/transactions/native", &other).await.1["code"], "APPID_MCHID_NOT_MATCH");
    shop.change(json!({ "trade_types": ["JSAPI"] })).await;
    let (status, error) = shop.post_v3("/v3/pay/transactions/native", &shop.order_v3("ORDER0001")).await;
    assert_eq!((status, &error["code"]), (403, &json!("NO_AUTH")));
    assert_eq!(shop.get_v3("/v3/nothing").await.0, 404);
}

#[tokio::test]
async fn certificates_are_listed_rotated_and_replaced_by_the_public_key() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Both).await;
    let (_, list) = shop.get_v3("/v3/certificates").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    let entry = &list["data"][0];
    assert_eq!(entry["serial_no"], shop.merchant.platform_serial);
    let pem = shop.unsealed(&entry["encrypt_certificate"]).expect("a good tag");
    assert_eq!(der(&pem), der(&shop.files().platform_certificate));
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----\n"));

    let named = shop.send_v3("GET", "/v3/certificates", "", Some(&shop.merchant.public_key_id)).await;
    shop.check(&named);
    assert_eq!(named.header("wechatpay-serial"), Some(shop.merchant.public_key_id.as_str()));
    shop.change(json!({ "rotation": "new" })).await;
    let rotated = shop.send_v3("GET", "/v3/certificates", "", None).await;
    let serials = rotated.json()["data"].as_array().unwrap().clone();
    assert_eq!(serials.len(), 2);
    assert_eq!(rotated.header("wechatpay-serial"), serials[1]["serial_no"].as_str());
    shop.change(json!({ "rotation": "off", "key_mode": "public_key" })).await;
    let (status, none) = shop.get_v3("/v3/certificates").await;
    assert_eq!((status, &none["code"]), (404, &json!("RESOURCE_NOT_EXISTS")));
    assert!(none["message"].as_str().unwrap().starts_with("无可用的平台证书"));
}

#[tokio::test]
async fn who_names_the_public_key_too_early_gets_the_certificate() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    let answer = shop.send_v3("GET", "/v3/certificates", "", Some(&shop.merchant.public_key_id)).await;
    shop.check(&answer);
    assert_eq!(answer.header("wechatpay-serial"), Some(shop.merchant.platform_serial.as_str()));
    let unknown = shop.send_v3("GET", "/v3/certificates", "", Some("PUB_KEY_ID_0000000000000000000000000000")).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (400, &json!("PARAM_ERROR")));
}

#[tokio::test]
async fn callbacks_are_signed_with_the_key_that_is_chosen() {
    let sandbox = Sandbox::start().await;
    for (mode, with, public) in [
        (Certificate, "public_key", false),
        (Both, "certificate", false),
        (Both, "public_key", true),
        (PublicKey, "certificate", true),
    ] {
        let shop = Shop::v3(&sandbox, mode).await;
        shop.change(json!({ "callbacks_with": with })).await;
        let answer =
            shop.send_v3("POST", "/v3/pay/transactions/native", &shop.order_v3("ORDER0001").to_string(), None).await;
        assert_eq!(answer.status, 200);
        shop.pay("ORDER0001", json!({})).await;
        shop.notices().await;
        let got = shop.receiver.got().remove(0);
        shop.opened(&got);
        assert_eq!(got.header("wechatpay-serial") == Some(&shop.merchant.public_key_id), public, "{mode:?} {with}");
    }
}

#[tokio::test]
async fn a_page_pays_with_the_signature_of_the_merchants_key() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    let mut order = shop.order_v3("ORDER0001");
    order["payer"] = json!({ "openid": "oTest0only0openid0000000000A" });
    let (_, ordered) = shop.post_v3("/v3/pay/transactions/jsapi", &order).await;
    let package = format!("prepay_id={}", ordered["prepay_id"].as_str().unwrap());
    let signature = shop.sign_v3(&format!("{APPID}\n1767234896\nn\n{package}\n"));
    let request = |signature: &str| {
        json!({ "request": {
            "appId": APPID, "timeStamp": "1767234896", "nonceStr": "n", "package": package,
            "signType": "RSA", "paySign": signature,
        } })
    };
    let pay = async |signature: &str| {
        let body = json!({ "order": request(signature), "purse": { "openid": "oTest0only0openid0000000000A" } });
        sandbox.post("/sandbox/payments", &body).await
    };
    assert_eq!(pay("AAAA").await["refused"]["text"], "支付验证签名失败");
    assert_eq!(pay(&signature).await["result"], "ok");
}

#[tokio::test]
async fn an_app_pays_with_what_its_server_signed() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    let (_, ordered) = shop.post_v3("/v3/pay/transactions/app", &shop.order_v3("ORDER0001")).await;
    let v3 = ordered["prepay_id"].as_str().unwrap().to_owned();
    let v2 = shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0002", "APP")).await["prepay_id"].clone();
    let request = |prepay: &str| {
        fields([
            ("appid", APPID),
            ("partnerid", &shop.merchant.mch_id),
            ("prepayid", prepay),
            ("package", "Sign=WXPay"),
            ("noncestr", "n"),
            ("timestamp", "1767234896"),
        ])
    };
    let by_v3 = shop.sign_v3(&format!("{APPID}\n1767234896\nn\n{v3}\n"));
    let by_v2 = sign_v2(&request(&v2), &shop.merchant.v2_key);
    for (prepay, sign) in [(&v3, by_v3), (&v2, by_v2)] {
        for (sign, result) in [("AAAA", "fail"), (sign.as_str(), "ok")] {
            let mut app = request(prepay);
            app.insert("sign".into(), sign.into());
            let paid = sandbox.post("/sandbox/payments", &json!({ "order": { "app": app } })).await;
            assert_eq!(paid["result"], result, "{paid}");
        }
    }
}
