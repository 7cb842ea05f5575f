//! Trade bills of both APIs: the same table, behind a signed address or in the body.

use std::io::Read as _;

use flate2::read::GzDecoder;
use sandbox::KeyMode::Certificate;
use serde_json::json;
use sha1::{Digest as _, Sha1};

use crate::client::Sandbox;
use crate::merchant::{Shop, elements, fields};

/// The sandbox's day, as `20260101`, by what an order of today says.
async fn today(shop: &Shop<'_>) -> String {
    let query = shop.call_v2("/pay/orderquery", fields([("out_trade_no", "ORDER0001")])).await;
    query["time_end"].get(..8).expect("a day").to_owned()
}

#[tokio::test]
async fn a_day_is_listed_once_it_is_over() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v3(&sandbox, Certificate).await;
    shop.post_v3("/v3/pay/transactions/native", &shop.order_v3("ORDER0001")).await;
    shop.pay("ORDER0001", json!({ "coupons": [{ "amount": 10, "cash": false }] })).await;
    let refund = json!({
        "out_trade_no": "ORDER0001", "out_refund_no": "REFUND01",
        "amount": { "refund": 30, "total": 100, "currency": "CNY" },
    });
    assert_eq!(shop.post_v3("/v3/refund/domestic/refunds", &refund).await.0, 200);
    let day = today(&shop).await;
    let bill_v2 = async |day: &str, more: &[(&str, &str)]| {
        let mut wish = fields([("bill_date", day)]);
        wish.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        sandbox.send("POST", "/pay/downloadbill", &shop.signed_v2(wish)).await.body
    };
    let early = elements(&bill_v2(&day, &[]).await);
    assert_eq!((early["return_msg"].as_str(), early["error_code"].as_str()), ("Bill Creating", "20002"));
    sandbox.advance(2 * 86_400).await;
    let bill = bill_v2(&day, &[]).await;
    let lines: Vec<_> = bill.lines().collect();
    assert_eq!(lines.len(), 5, "{bill}");
    assert!(lines[0].starts_with("交易时间,公众账号ID,商户号") && lines[0].ends_with("订单金额,申请退款金额,费率备注"));
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    assert!([1, 2].iter().all(|row| cells(lines[*row]).len() == cells(lines[0]).len() && lines[*row].starts_with('`')));
    assert!(lines[1].contains(",`NATIVE,`SUCCESS,`OTHERS,`CNY,`0.90,`0.10,`0,`0,`0.00,"), "{}", lines[1]);
    assert!(
        lines[2].contains(",`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50")
            && lines[2].contains(",`REFUND01,`0.30,`0.00,`ORIGINAL,")
    );
    assert_eq!(lines[4], "`2,`0.90,`0.30,`0.00,`0.00360,`1.00,`0.30");
    assert_eq!(cells(bill_v2(&day, &[("bill_type", "SUCCESS")]).await.lines().next().unwrap()).len(), 20);
    assert_eq!(cells(bill_v2(&day, &[("bill_type", "REFUND")]).await.lines().next().unwrap()).len(), 29);
    let wrong = elements(&bill_v2(&day, &[("bill_type", "NONE")]).await);
    assert_eq!(wrong["return_msg"], "invalid bill_type");
    assert_eq!(elements(&bill_v2("20200101", &[]).await)["return_msg"], "No Bill Exist");

    let (year, rest) = day.split_at(4);
    let (month, number) = rest.split_at(2);
    let date = format!("{year}-{month}-{number}");
    let (status, made) = shop.get_v3(&format!("/v3/bill/tradebill?bill_date={date}&tar_type=GZIP")).await;
    assert_eq!((status, &made["hash_value"]), (200, &json!(hex::encode(Sha1::digest(&bill)))));
    let (_, target) = made["download_url"].as_str().unwrap().split_once("localhost").unwrap();
    let now = sandbox.get("/sandbox/clock").await["now"].as_u64().unwrap() / 1000;
    let headers = shop.headers_v3("GET", target, "", now);
    let mut connection = sandbox.connect().await;
    let headers: Vec<_> = headers.iter().map(String::as_str).chain(["connection: close"]).collect();
    connection.send("GET", target, &headers, "").await;
    let head = connection.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && !head.to_ascii_lowercase().contains("wechatpay"), "{head}");
    let mut unzipped = String::new();
    GzDecoder::new(&connection.rest().await[..]).read_to_string(&mut unzipped).expect("gzip");
    assert_eq!(unzipped, bill);
    sandbox.advance(300).await;
    assert_eq!(shop.get_v3(target).await.1["code"], "INVALID_REQUEST");
    let (status, none) = shop.get_v3("/v3/bill/tradebill?bill_date=2020-01-01").await;
    assert_eq!((status, &none["code"]), (400, &json!("NO_STATEMENT_EXIST")));
}
