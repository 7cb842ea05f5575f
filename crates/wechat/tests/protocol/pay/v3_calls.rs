//! Requests of API v3, and what pages and apps are given.

use serde_json::json;
use wechat::pay::credentials::{MAX_OAEP_PLAIN, PrivateKey, PublicKey};
use wechat::pay::{Method, OutRefundNo, PaymentNo, RefundNo, TradeType, v3};

use super::*;

fn request_stamp() -> Stamp {
    Stamp { at: AT, nonce: REQUEST_NONCE.to_owned() }
}

fn number() -> OutTradeNo {
    OutTradeNo::parse("TEST20260101000002").unwrap()
}

#[test]
fn the_vectors_are_signed_alike() {
    let target = "/v3/pay/transactions/native";
    let text = v3::request_text(Method::Post, target, &request_stamp(), ORDER_V3_BODY.as_bytes());
    assert_eq!(
        (text.len(), sha256(&text)),
        (287, "5785ff871501ad1d7ce1d37dded8484b13df0b7726c261185f7349ea15a0944a".to_owned())
    );
    assert_eq!(PrivateKey::parse(MERCHANT_KEY).unwrap().sign(&text), ORDER_V3_SIGNATURE);

    let call = merchant_v3().query(APPID, &PaymentNo::OutTradeNo(number()), &request_stamp());
    assert_eq!(call.target, "/v3/pay/transactions/out-trade-no/TEST20260101000002?mchid=1900000109");
    let expected = format!(
        "WECHATPAY2-SHA256-RSA2048 mchid=\"1900000109\",nonce_str=\"{REQUEST_NONCE}\",timestamp=\"1767234896\",\
         serial_no=\"{MERCHANT_SERIAL}\",signature=\"{QUERY_V3_SIGNATURE}\""
    );
    assert_eq!(header(&call, "Authorization"), Some(expected.as_str()));
}

#[test]
fn pages_and_apps_get_the_vectors_parameters() {
    let prepay_id = "wx01103456000000testonly000000000001";
    let page = merchant_v3().jsapi_parameters(APPID, prepay_id, &stamp());
    let expected = json!({
        "appId": APPID, "timeStamp": "1767234896", "nonceStr": NONCE, "package": format!("prepay_id={prepay_id}"),
        "signType": "RSA", "paySign": JSAPI_V3_SIGN,
    });
    assert_eq!(serde_json::to_value(page).unwrap(), expected);
    let app = merchant_v3().app_parameters(APPID, prepay_id, &stamp());
    let expected = json!({
        "appid": APPID, "partnerid": MCH_ID, "prepayid": prepay_id, "package": "Sign=WXPay", "noncestr": NONCE,
        "timestamp": "1767234896", "sign": APP_V3_SIGN,
    });
    assert_eq!(serde_json::to_value(app).unwrap(), expected);
}

#[test]
fn a_call_is_signed_over_what_is_sent_and_says_what_it_speaks() {
    let call = merchant_v3().order(&order(TradeType::Native), &stamp()).unwrap();
    assert_eq!(
        (call.method, call.target.as_str(), call.client_certificate),
        (Method::Post, "/v3/pay/transactions/native", false)
    );
    assert_eq!(header(&call, "Accept"), Some("application/json"));
    assert_eq!(header(&call, "Content-Type"), Some("application/json"));
    assert!(header(&call, "User-Agent").unwrap().starts_with("wechat-proxy/"));
    assert_eq!(header(&call, "Wechatpay-Serial"), Some(PUBLIC_KEY_ID));
    let authorization = header(&call, "Authorization").unwrap();
    let signature = authorization.split_once("signature=\"").unwrap().1.strip_suffix('"').unwrap();
    let text = v3::request_text(Method::Post, &call.target, &stamp(), &call.body);
    assert_eq!(signature, PrivateKey::parse(MERCHANT_KEY).unwrap().sign(&text));

    let without_key = Merchant::from(keyless_v3(false).with_certificates(vec![certificate()]));
    let call = without_key.query(APPID, &PaymentNo::TransactionId("4200".to_owned()), &stamp());
    assert_eq!(header(&call, "Wechatpay-Serial"), None);
    assert_eq!((call.method, call.body.len(), header(&call, "Content-Type")), (Method::Get, 0, None));
    assert_eq!(call.target, "/v3/pay/transactions/id/4200?mchid=1900000109");
}

#[test]
fn an_order_is_translated() {
    let mut order = order(TradeType::Jsapi);
    let detail = r#"{"cost_price":600,"receipt_id":"wx123",
        "goods_detail":[{"goods_id":"g1","wxpay_goods_id":"1001","goods_name":"n","quantity":1,"price":500}]}"#;
    order.others = others([
        ("attach", "shop-1"),
        ("goods_tag", "WXG"),
        ("device_info", "WEB"),
        ("detail", detail),
        ("fee_type", "CNY"),
        ("time_start", "20260101103456"),
        ("time_expire", "20260101113456"),
        ("limit_pay", "no_credit"),
        ("receipt", "Y"),
        ("profit_sharing", "N"),
        ("product_id", "p"),
        ("version", "1.0"),
        ("scene_info", r#"{"store_info":{"id":"S1","name":"腾讯大厦"}}"#),
        ("openid", "another"),
    ]);
    let call = merchant_v3().order(&order, &stamp()).unwrap();
    assert_eq!(call.target, "/v3/pay/transactions/jsapi");
    let expected = json!({
        "appid": APPID, "mchid": MCH_ID, "description": "测试商品", "out_trade_no": "TEST20260101000001",
        "notify_url": "https://pay.example.com/notify/wechat", "amount": { "total": 100, "currency": "CNY" },
        "payer": { "openid": OPENID }, "attach": "shop-1", "goods_tag": "WXG",
        "time_expire": "2026-01-01T11:34:56+08:00", "limit_pay": ["no_credit"], "support_fapiao": true,
        "settle_info": { "profit_sharing": false },
        "scene_info": {
            "payer_client_ip": "203.0.113.7", "device_id": "WEB", "store_info": { "id": "S1", "name": "腾讯大厦" },
        },
        "detail": {
            "cost_price": 600, "invoice_id": "wx123",
            "goods_detail": [{
                "merchant_goods_id": "g1", "wechatpay_goods_id": "1001", "goods_name": "n", "quantity": 1,
                "unit_price": 500,
            }],
        },
    });
    assert_eq!(json(&call.body), expected);
}

#[test]
fn an_order_may_use_v3s_own_names() {
    let mut order = order(TradeType::App);
    order.others = others([
        ("support_fapiao", "false"),
        ("settle_info", r#"{"profit_sharing":true}"#),
        ("limit_pay", r#"["no_balance","no_debit"]"#),
        ("time_expire", "2026-01-01T03:34:56Z"),
    ]);
    let call = merchant_v3().order(&order, &stamp()).unwrap();
    let body = json(&call.body);
    assert_eq!((call.target.as_str(), &body["support_fapiao"]), ("/v3/pay/transactions/app", &json!(false)));
    assert_eq!(body["settle_info"], json!({ "profit_sharing": true }));
    assert_eq!(body["limit_pay"], json!(["no_balance", "no_debit"]));
    assert_eq!(body["time_expire"], "2026-01-01T11:34:56+08:00");
    assert_eq!(body["payer"], Value::Null);
}

#[test]
fn a_scene_in_a_browser_is_translated() {
    let h5 = |scene: &str| {
        let mut order = order(TradeType::Mweb);
        order.others = others([("scene_info", scene)]);
        merchant_v3().order(&order, &stamp())
    };
    let wap = h5(r#"{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"店"}}"#).unwrap();
    assert_eq!(wap.target, "/v3/pay/transactions/h5");
    let expected = json!({ "type": "Wap", "app_url": "https://shop.example.com", "app_name": "店" });
    assert_eq!(json(&wap.body)["scene_info"]["h5_info"], expected);
    let ios = h5(r#"{"h5_info":{"type":"IOS","app_name":"店","bundle_id":"com.example"}}"#).unwrap();
    assert_eq!(json(&ios.body)["scene_info"]["h5_info"]["type"], "iOS");
    for wrong in [r#"{"store_info":{"id":"1"}}"#, "Wap", "[]", r#"{"h5_info":null}"#] {
        assert_eq!(h5(wrong).unwrap_err().name, "scene_info", "{wrong}");
    }
}

#[test]
fn what_v3_has_no_place_for_is_named() {
    let refused = |name: &str, value: &str| {
        let mut order = order(TradeType::Native);
        order.others = others([(name, value)]);
        merchant_v3().order(&order, &stamp()).unwrap_err()
    };
    for (name, value) in [
        ("something", "1"),
        ("detail", "iPad mini"),
        ("receipt", "perhaps"),
        ("profit_sharing", "2"),
        ("attach", "谢谢😀"),
        ("limit_pay", "[1"),
    ] {
        assert_eq!(refused(name, value).name, name);
    }
    assert!(refused("attach", "😀").to_string().contains("emoji"));
    assert!(refused("something", "1").to_string().starts_with("something: "));
    let mut order = order(TradeType::Native);
    order.body = "😀".to_owned();
    assert_eq!(merchant_v3().order(&order, &stamp()).unwrap_err().name, "body");
    assert!(merchant_v2().order(&order, &stamp()).is_ok());
}

#[test]
fn a_refund_is_translated() {
    let mut refund = refund();
    refund.notify_url = Some("https://pay.example.com/refund".to_owned());
    refund.others = others([
        ("refund_desc", "商品已售完"),
        ("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS"),
        ("refund_fee_type", "CNY"),
        ("goods_detail", r#"[{"goods_id":"g1","price":1,"refund_amount":1,"refund_quantity":1}]"#),
    ]);
    let call = merchant_v3().refund(&refund, &stamp()).unwrap();
    assert_eq!((call.target.as_str(), call.client_certificate), ("/v3/refund/domestic/refunds", false));
    let expected = json!({
        "out_trade_no": "TEST20260101000001", "out_refund_no": "R@20260101000001", "reason": "商品已售完",
        "notify_url": "https://pay.example.com/refund", "funds_account": "AVAILABLE",
        "amount": { "total": 100, "refund": 30, "currency": "CNY" },
        "goods_detail": [{ "merchant_goods_id": "g1", "unit_price": 1, "refund_amount": 1, "refund_quantity": 1 }],
    });
    assert_eq!(json(&call.body), expected);
    refund.others = others([("something", "1")]);
    assert_eq!(merchant_v3().refund(&refund, &stamp()).unwrap_err().name, "something");
}

#[test]
fn numbers_are_safe_in_paths() {
    let close = merchant_v3().close(APPID, &OutTradeNo::parse("a|b*c-_").unwrap(), &stamp());
    assert_eq!(close.target, "/v3/pay/transactions/out-trade-no/a%7Cb%2Ac-_/close");
    assert_eq!(json(&close.body), json!({ "mchid": MCH_ID }));
    let id = PaymentNo::TransactionId("../x?y#z".to_owned());
    let query = merchant_v3().query(APPID, &id, &stamp());
    assert_eq!(query.target, "/v3/pay/transactions/id/..%2Fx%3Fy%23z?mchid=1900000109");
}

#[test]
fn a_refund_is_found_by_the_merchants_number_only() {
    let merchant = merchant_v3();
    let by_number = RefundNo::OutRefundNo(OutRefundNo::parse("R@1").unwrap());
    assert_eq!(merchant.query_refund(APPID, &by_number, &stamp()).unwrap().target, "/v3/refund/domestic/refunds/R%401");
    let others = [
        (RefundNo::RefundId("50".to_owned()), "refund_id"),
        (RefundNo::Payment(PaymentNo::OutTradeNo(number())), "out_trade_no"),
        (RefundNo::Payment(PaymentNo::TransactionId("4200".to_owned())), "transaction_id"),
    ];
    for (number, name) in others {
        let error = merchant.query_refund(APPID, &number, &stamp()).unwrap_err();
        assert!(error.name == name && error.what.contains("out_refund_no"), "{error}");
    }
}

#[test]
fn fields_for_one_reader_only_are_encrypted() {
    let platform = PrivateKey::parse(PLATFORM_KEY).unwrap();
    assert_eq!(platform.decrypt(ENCRYPTED_FIELD).unwrap().as_slice(), "张三".as_bytes());
    assert!(PrivateKey::parse(MERCHANT_KEY).unwrap().decrypt(ENCRYPTED_FIELD).is_none());
    assert!(platform.decrypt("AAAA").is_none() && platform.decrypt("!").is_none());
    let key = PublicKey::parse(PUBLIC_KEY).unwrap();
    for length in [0, 1, MAX_OAEP_PLAIN] {
        let plain = vec![7; length];
        assert_eq!(*platform.decrypt(&key.encrypt(&plain).unwrap()).unwrap(), plain);
    }
    assert_eq!(key.encrypt(&[7; MAX_OAEP_PLAIN + 1]), None);
    let both = keyless_v3(true).with_certificates(vec![certificate()]);
    assert_eq!(both.encryption_key().unwrap().0, PUBLIC_KEY_ID);
    let certificate_only = keyless_v3(false).with_certificates(vec![certificate()]);
    assert_eq!(certificate_only.encryption_key().unwrap().0, PLATFORM_SERIAL);
    assert!(keyless_v3(false).encryption_key().is_none());
}
