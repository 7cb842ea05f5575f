//! v2 as a merchant meets it: orders, queries, closing, payments by code, notifications.

use sandbox::AccountKind::Official;
use sandbox::{NewAccount, NewMerchant};
use serde_json::{Value, json};

use crate::client::Sandbox;
use crate::merchant::{Shop, accepted_v2, elements, fields, sign_v2};
use crate::receiver::Manner;

#[tokio::test]
async fn an_order_is_scanned_paid_and_notified() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let ordered = shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    assert_eq!((ordered["result_code"].as_str(), ordered["trade_type"].as_str()), ("SUCCESS", "NATIVE"));
    assert!(ordered["prepay_id"].starts_with("wx") && ordered["prepay_id"].len() == 36);
    let code = ordered["code_url"].clone();
    assert!(code.starts_with("weixin://wxpay/bizpayurl?pr="));

    let looked = sandbox.post("/sandbox/payments/look", &json!({ "order": { "code_url": code } })).await;
    let sheet = &looked["sheet"];
    assert_eq!((&sheet["total"], &sheet["description"]), (&json!(100), &json!("测试商品")));
    assert_eq!(sheet["merchant_name"], shop.merchant.name);
    let purse = json!({ "bank_type": "CMB_DEBIT", "coupons": [{ "amount": 10, "id": "10000" }] });
    let paid = sandbox.post("/sandbox/payments", &json!({ "order": { "code_url": code }, "purse": purse })).await;
    assert_eq!((&paid["result"], &paid["err_msg"]), (&json!("ok"), &json!("get_brand_wcpay_request:ok")));

    let notice = shop.notices().await.remove(0);
    assert_eq!((&notice["state"], &notice["subject"]), (&json!("acknowledged"), &json!("payment")));
    let got = elements(&shop.receiver.got()[0].body);
    assert_eq!(got["sign"], sign_v2(&got, &shop.merchant.v2_key));
    for (name, value) in [
        ("return_code", "SUCCESS"),
        ("result_code", "SUCCESS"),
        ("out_trade_no", "ORDER0001"),
        ("total_fee", "100"),
        ("cash_fee", "90"),
        ("coupon_fee", "10"),
        ("coupon_count", "1"),
        ("coupon_type_0", "CASH"),
        ("coupon_id_0", "10000"),
        ("coupon_fee_0", "10"),
        ("bank_type", "CMB_DEBIT"),
    ] {
        assert_eq!(got[name], value, "{name}");
    }
    assert_eq!(got["transaction_id"].len(), 28);
    let query = shop.call_v2("/pay/orderquery", fields([("out_trade_no", "ORDER0001")])).await;
    assert_eq!((query["trade_state"].as_str(), query["openid"].as_str()), ("SUCCESS", got["openid"].as_str()));
    assert_eq!(query["transaction_id"], got["transaction_id"]);
    let again = sandbox.post("/sandbox/payments", &json!({ "order": { "code_url": code } })).await;
    assert_eq!(again["refused"]["text"], "该订单已支付");
}

#[tokio::test]
async fn calls_are_checked_in_wechats_order() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let order = || shop.order_v2("ORDER0001", "NATIVE");
    let said = async |body: String| elements(&sandbox.send("POST", "/pay/unifiedorder", &body).await.body);
    for (body, text) in [
        (String::new(), "post数据为空"),
        ("<xml>".into(), "XML格式错误"),
        ("<!DOCTYPE xml [<!ENTITY a \"b\">]><xml><a>&a;</a></xml>".into(), "XML格式错误"),
        ("<xml><a><b>1</b></a></xml>".into(), "XML格式错误"),
        ("<xml><appid>wx1</appid></xml>".into(), "缺少参数mch_id"),
    ] {
        let answer = said(body.clone()).await;
        assert_eq!((answer["return_code"].as_str(), answer["return_msg"].as_str()), ("FAIL", text), "{body}");
        assert!(!answer.contains_key("sign"));
    }
    let other = NewMerchant { appids: vec!["wx7777777777777777".into()], ..NewMerchant::default() };
    sandbox.platform.create_merchant(other).expect("a merchant");
    for (name, value, text) in [
        ("mch_id", "1000000001", "商户号mch_id不存在"),
        ("appid", "wx0000000000000009", "AppID不存在，请检查后再试"),
        ("appid", "wx7777777777777777", "商户号mch_id与appid不匹配"),
        ("sign", "0123456789ABCDEF0123456789ABCDEF", "签名错误，请检查后再试"),
        ("sign_type", "SHA1", "签名错误，请检查后再试"),
        ("total_fee", "0", "参数错误:total_fee"),
        ("total_fee", "1.00", "参数错误:total_fee"),
        ("out_trade_no", "bad number", "参数错误:out_trade_no"),
        ("notify_url", "https://shop.example.com/n?a=1", "参数错误:notify_url"),
        ("trade_type", "MICRO", "参数错误:trade_type"),
        ("product_id", "", "参数错误:product_id"),
        ("spbill_create_ip", "here", "参数错误:spbill_create_ip"),
        ("body", "", "缺少参数body"),
    ] {
        let mut wrong = order();
        wrong.insert(name.into(), value.into());
        let answer = said(shop.signed_v2(wrong)).await;
        assert_eq!(answer["return_msg"], text, "{name}={value}");
    }
    let get = sandbox.send("GET", "/pay/unifiedorder", "").await;
    assert_eq!(elements(&get.body)["return_msg"], "请使用post方法");
    assert_eq!(sandbox.last_call().await["note"], "FAIL 请使用post方法");
}

#[tokio::test]
async fn the_same_number_is_the_same_order() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let order = |name: &str, value: &str| {
        let mut order = shop.order_v2("ORDER0001", "NATIVE");
        order.insert(name.into(), value.into());
        order
    };
    let first = shop.call_v2("/pay/unifiedorder", order("nonce_str", "a")).await;
    let second = shop.call_v2("/pay/unifiedorder", order("nonce_str", "b")).await;
    assert_eq!(second["result_code"], "SUCCESS");
    assert_ne!(first["code_url"], second["code_url"]);
    let look =
        async |code: &str| sandbox.post("/sandbox/payments/look", &json!({ "order": { "code_url": code } })).await;
    assert_eq!(look(&first["code_url"]).await["refused"]["text"], "二维码已失效，请刷新后重新扫码");
    assert!(look(&second["code_url"]).await["sheet"].is_object());
    for (name, value) in [("total_fee", "101"), ("body", "other"), ("trade_type", "MWEB"), ("attach", "x")] {
        let refused = shop.call_v2("/pay/unifiedorder", order(name, value)).await;
        assert_eq!(refused["err_code"], "INVALID_REQUEST", "{name}");
    }
    sandbox.advance(7200).await;
    assert_eq!(look(&second["code_url"]).await["refused"]["text"], "二维码已失效，请刷新后重新扫码");
    let closed = shop.call_v2("/pay/closeorder", fields([("out_trade_no", "ORDER0001")])).await;
    assert_eq!(closed["result_code"], "SUCCESS");
    let again = shop.call_v2("/pay/closeorder", fields([("out_trade_no", "ORDER0001")])).await;
    assert_eq!(again["err_code"], "ORDERCLOSED");
    let reused = shop.call_v2("/pay/unifiedorder", order("nonce_str", "c")).await;
    assert_eq!(reused["err_code"], "ORDERCLOSED");
    let query = shop.call_v2("/pay/orderquery", fields([("out_trade_no", "ORDER0001")])).await;
    assert_eq!(query["trade_state"], "CLOSED");
    let unknown = shop.call_v2("/pay/orderquery", fields([("out_trade_no", "ORDER0002")])).await;
    assert_eq!(unknown["err_code"], "ORDERNOTEXIST");
}

#[tokio::test]
async fn a_paid_order_is_not_closed_and_an_expired_one_not_paid() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    let paying = sandbox.control("PATCH", &shop.at("/orders/ORDER0001"), &json!({ "paying": true })).await;
    paying.ok();
    let close = || shop.call_v2("/pay/closeorder", fields([("out_trade_no", "ORDER0001")]));
    assert_eq!(close().await["err_code"], "FREQUENCY_LIMITED");
    shop.pay("ORDER0001", json!({})).await;
    assert_eq!(close().await["err_code"], "ORDERPAID");
    let reused = shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    assert_eq!(reused["err_code"], "ORDERPAID");

    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0002", "NATIVE")).await;
    sandbox.control("POST", &shop.at("/orders/ORDER0002/expire"), &json!({})).await.ok();
    let refused = sandbox.control("POST", &shop.at("/orders/ORDER0002/pay"), &json!({})).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    let query = shop.call_v2("/pay/orderquery", fields([("out_trade_no", "ORDER0002")])).await;
    assert_eq!(query["trade_state"], "NOTPAY");
}

#[tokio::test]
async fn answers_and_notifications_are_signed_as_the_order_was() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let mut order = shop.order_v2("ORDER0001", "NATIVE");
    order.insert("sign_type".into(), "HMAC-SHA256".into());
    let ordered = shop.call_v2("/pay/unifiedorder", order).await;
    assert_eq!(ordered["sign"].len(), 64);
    shop.change(json!({ "notice_faults": [{ "kind": "md5" }] })).await;
    shop.receiver.then([Manner::Say(500, String::new())]);
    shop.pay("ORDER0001", json!({})).await;
    shop.notices().await;
    sandbox.advance(15).await;
    shop.notices().await;
    let got: Vec<_> = shop.receiver.got().iter().map(|got| elements(&got.body)).collect();
    assert_eq!((got[0]["sign"].len(), got[1]["sign"].len()), (32, 64));
    assert!(got.iter().all(|got| got["sign"] == sign_v2(got, &shop.merchant.v2_key)));
    assert_eq!((got[0].get("sign_type"), got[1]["sign_type"].as_str()), (None, "HMAC-SHA256"));
}

#[tokio::test]
async fn a_page_pays_with_a_good_pay_sign_and_the_right_person() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let wanted = NewAccount { appid: Some(crate::merchant::APPID.into()), ..NewAccount::of(Official) };
    let account = sandbox.platform.create_account(wanted).expect("an account");
    let phone =
        sandbox.get(&format!("/sandbox/accounts/{}", account.appid)).await["phone"].as_str().unwrap().to_owned();
    let mut order = shop.order_v2("ORDER0001", "JSAPI");
    order.insert("openid".into(), "oNobody".into());
    let refused = shop.call_v2("/pay/unifiedorder", order.clone()).await;
    assert_eq!(refused["return_msg"], "appid和openid不匹配");
    order.insert("openid".into(), phone.clone());
    let prepay = shop.call_v2("/pay/unifiedorder", order).await["prepay_id"].clone();
    let package = format!("prepay_id={prepay}");
    let request = |changes: &[(&str, &str)]| {
        let mut request = fields([
            ("appId", crate::merchant::APPID),
            ("timeStamp", "1767234896"),
            ("nonceStr", "n"),
            ("package", &package),
            ("signType", "MD5"),
        ]);
        let sign = sign_v2(&request, &shop.merchant.v2_key);
        request.insert("paySign".into(), sign);
        request.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        json!({ "request": request })
    };
    for (changes, text) in [
        ([("paySign", "0")], "支付验证签名失败"),
        ([("signType", "HMAC-SHA256")], "支付验证签名失败"),
        ([("appId", "wx1")], "appid与订单不匹配"),
        ([("nonceStr", "")], "调用支付JSAPI缺少参数"),
        ([("package", "prepay_id=wx0")], "支付验证失败"),
    ] {
        let answer = sandbox.post("/jsbridge/pay", &request(&changes)).await;
        assert_eq!(answer["err_msg"], "get_brand_wcpay_request:fail", "{changes:?}");
        assert_eq!(answer["err_desc"], text, "{changes:?}");
    }
    let sheet = sandbox.post("/jsbridge/pay", &request(&[])).await;
    assert_eq!(sheet["sheet"]["payer"], phone);
    let decide = async |decision: &str| {
        let mut body = request(&[]);
        body["decision"] = json!(decision);
        sandbox.post("/jsbridge/pay/decide", &body).await
    };
    assert_eq!(decide("cancel").await["err_msg"], "get_brand_wcpay_request:cancel");
    let stranger = json!({ "order": request(&[]), "purse": { "openid": "oSomebodyElse" } });
    let refused = sandbox.post("/sandbox/payments", &stranger).await;
    assert_eq!(refused["refused"]["text"], "下单账号与支付账号不一致，请核实后再支付");
    assert_eq!(decide("pay").await["err_msg"], "get_brand_wcpay_request:ok");
    assert_eq!(
        elements(&{
            shop.notices().await;
            shop.receiver.got()[0].body.clone()
        })["openid"],
        phone
    );
}

#[tokio::test]
async fn an_h5_page_is_opened_and_pays() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let mweb = shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "MWEB")).await["mweb_url"].clone();
    let (_, target) = mweb.split_once("localhost").expect("the sandbox's own host");
    let page = sandbox.send("GET", &format!("{target}&redirect_url=https%3A%2F%2Fshop.example.com%2Fback"), "").await;
    assert!(page.status == 200 && page.body.contains("¥1.00") && page.body.contains("https://shop.example.com/back"));
    let (_, params) = target.split_once('?').unwrap();
    let form = format!("{params}&redirect_url=https%3A%2F%2Fshop.example.com%2Fback&decision=pay");
    let back = sandbox.send("POST", "/cgi-bin/mmpayweb-bin/decide", &form).await;
    assert_eq!((back.status, back.header("location")), (302, Some("https://shop.example.com/back")));
    assert_eq!(shop.notices().await[0]["state"], "acknowledged");
    let paid = sandbox.send("GET", target, "").await;
    assert!(paid.body.contains("该订单已支付"), "{}", paid.body);

    let mweb = shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0002", "MWEB")).await["mweb_url"].clone();
    let (_, target) = mweb.split_once("localhost").unwrap();
    sandbox.advance(300).await;
    assert!(sandbox.send("GET", target, "").await.body.contains("支付链接已失效"));
}

#[tokio::test]
async fn notifications_are_repeated_on_wechats_schedule_until_they_are_accepted() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    shop.receiver.then([
        Manner::Say(200, "success".into()),
        Manner::Say(200, "<xml><return_code>FAIL</return_code></xml>".into()),
        Manner::Redirect,
        Manner::HangUp,
        accepted_v2(),
    ]);
    shop.pay("ORDER0001", json!({})).await;
    let notice = shop.notices().await.remove(0);
    assert_eq!((&notice["state"], notice["tries"].as_array().unwrap().len()), (&json!("waiting"), 1));
    let mut before = notice["time"].as_u64().unwrap();
    for gap in [15, 15, 30, 180] {
        let notice = shop.notices().await.remove(0);
        assert_eq!(notice["next"].as_u64().unwrap(), before + gap * 1000);
        sandbox.advance(gap).await;
        before += gap * 1000;
    }
    let notice = shop.notices().await.remove(0);
    let outcomes: Vec<_> = notice["tries"].as_array().unwrap().iter().map(|tried| &tried["outcome"]).collect();
    assert_eq!(outcomes, ["rejected", "rejected", "redirect", "hung_up", "acknowledged"]);
    assert_eq!((&notice["state"], &notice["next"]), (&json!("acknowledged"), &Value::Null));
    let got = shop.receiver.got();
    assert_ne!(elements(&got[0].body)["nonce_str"], elements(&got[1].body)["nonce_str"]);
    let again =
        sandbox.post(&format!("/sandbox/notifications/{}/resend", notice["id"]), &json!({ "wait": true })).await;
    assert_eq!((again["tries"].as_array().unwrap().len(), &again["state"]), (6, &json!("acknowledged")));
}
