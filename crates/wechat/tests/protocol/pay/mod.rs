//! WeChat Pay: both versions of the API against vectors, samples of the documents, and whatever could be forged.

mod credentials;
mod recognition;
mod v2_answers;
mod v2_calls;
mod v2_notices;
mod v3_answers;
mod v3_calls;
mod v3_certificates;
mod v3_errors;
mod v3_notices;
mod vectors;

use std::collections::BTreeMap;

use serde_json::Value;
use wechat::pay::credentials::{PlatformCertificate, PrivateKey, PublicKey};
use wechat::pay::{
    Call, Fee, Merchant, Order, OutRefundNo, OutTradeNo, PaymentNo, Received, Refund, SignatureHeaders, Stamp,
    TradeType, v2, v3,
};

use vectors::*;

/// The time of most vectors, in Unix seconds.
const AT: i64 = 1_767_234_896;

const NONCE: &str = "TESTNONCE0000000000000000000000A";

fn stamp() -> Stamp {
    Stamp { at: AT, nonce: NONCE.to_owned() }
}

fn merchant_v2() -> Merchant {
    v2::Merchant::new(MCH_ID, MCH_KEY.into()).unwrap().into()
}

/// With both kinds of keys.
fn merchant_v3() -> Merchant {
    keyless_v3(true).with_certificates(vec![certificate()]).into()
}

/// Without certificates, with or without WeChat Pay's public key.
fn keyless_v3(public_key: bool) -> v3::Merchant {
    let key = PrivateKey::parse(MERCHANT_KEY).unwrap();
    let public_key = public_key.then(|| (PUBLIC_KEY_ID.to_owned(), PublicKey::parse(PUBLIC_KEY).unwrap()));
    v3::Merchant::new(MCH_ID, MERCHANT_SERIAL, &key, &APIV3_KEY.into(), public_key).unwrap()
}

fn certificate() -> PlatformCertificate {
    PlatformCertificate::parse(PLATFORM_CERTIFICATE).unwrap()
}

fn order(trade_type: TradeType) -> Order {
    Order {
        appid: APPID.to_owned(),
        out_trade_no: OutTradeNo::parse("TEST20260101000001").unwrap(),
        trade_type,
        total_fee: Fee::parse("100").unwrap(),
        body: "测试商品".to_owned(),
        openid: (trade_type == TradeType::Jsapi).then(|| OPENID.to_owned()),
        client_ip: "203.0.113.7".to_owned(),
        notify_url: "https://pay.example.com/notify/wechat".to_owned(),
        others: BTreeMap::new(),
    }
}

fn refund() -> Refund {
    Refund {
        appid: APPID.to_owned(),
        payment: PaymentNo::OutTradeNo(OutTradeNo::parse("TEST20260101000001").unwrap()),
        out_refund_no: OutRefundNo::parse("R@20260101000001").unwrap(),
        total_fee: Fee::parse("100").unwrap(),
        refund_fee: Fee::parse("30").unwrap(),
        notify_url: None,
        others: BTreeMap::new(),
    }
}

fn others<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The elements of a request or notification of API v2.
fn elements(body: &[u8]) -> BTreeMap<String, String> {
    let document = wechat::xml::read(body).unwrap();
    let pairs = document.children.iter().map(|child| (child.name.to_string(), child.scalar().unwrap().to_owned()));
    pairs.collect()
}

/// A document of API v2 with these elements, signed by MD5.
fn signed_xml(pairs: &[(&str, &str)]) -> Vec<u8> {
    xml(pairs, &v2::md5(pairs.iter().copied(), MCH_KEY))
}

fn xml(pairs: &[(&str, &str)], sign: &str) -> Vec<u8> {
    let element = |(name, value): &(&str, &str)| format!("<{name}><![CDATA[{value}]]></{name}>");
    let elements: String = pairs.iter().map(element).collect();
    format!("<xml>{elements}<sign><![CDATA[{sign}]]></sign></xml>").into_bytes()
}

/// The pairs of a signed text `a=1&b=2`, whose values have no `&`.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    text.split('&').map(|pair| pair.split_once('=').unwrap()).collect()
}

/// What API v2 sends: nothing but a body.
fn plain(status: u16, body: &[u8]) -> Received<'_> {
    Received { status, headers: SignatureHeaders::default(), body }
}

/// What API v3 sends, signed by the platform's key.
fn signed(status: u16, body: &[u8]) -> Received<'_> {
    let text = v3::response_text(&AT.to_string(), ANSWER_NONCE, body);
    let signature = PrivateKey::parse(PLATFORM_KEY).unwrap().sign(&text);
    Received { status, headers: headers(PLATFORM_SERIAL, AT, ANSWER_NONCE, &signature), body }
}

fn headers(serial: &str, at: i64, nonce: &str, signature: &str) -> SignatureHeaders {
    SignatureHeaders {
        serial: Some(serial.to_owned()),
        timestamp: Some(at.to_string()),
        nonce: Some(nonce.to_owned()),
        signature: Some(signature.to_owned()),
        signature_type: None,
    }
}

fn header<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}
