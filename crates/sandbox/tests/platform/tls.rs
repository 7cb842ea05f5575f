//! The TLS address as merchants meet it: with their certificate, with somebody else's, without.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sandbox::MerchantFiles;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Answer, Sandbox, within};
use crate::merchant::{Shop, elements, fields};

/// One call over TLS, with a client certificate or without.
pub(crate) async fn send(sandbox: &Sandbox, files: Option<&MerchantFiles>, target: &str, body: &str) -> Answer {
    let ca = sandbox.send("GET", "/sandbox/ca.pem", "").await.body;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
    let config = config.with_root_certificates(roots);
    let config = match files {
        None => config.with_no_client_auth(),
        Some(files) => {
            let certificate = CertificateDer::from_pem_slice(files.certificate.as_bytes()).expect("a certificate");
            let key = PrivateKeyDer::from_pem_slice(files.private_key.as_bytes()).expect("a key");
            config.with_client_auth_cert(vec![certificate], key).expect("a pair")
        }
    };
    let stream = TcpStream::connect(sandbox.tls).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.expect("TLS");
    let length = body.len();
    let head =
        format!("POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n");
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.expect("a request");
    let mut received = Vec::new();
    // The other side may close without saying so first.
    within(stream.read_to_end(&mut received)).await.ok();
    let text = String::from_utf8(received).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

#[tokio::test]
async fn refunds_of_v2_want_the_merchants_own_certificate() {
    let sandbox = Sandbox::start().await;
    let (shop, other) = (Shop::v2(&sandbox).await, Shop::v2(&sandbox).await);
    let files = |shop: &Shop<'_>| sandbox.platform.merchant_files(&shop.merchant.mch_id).expect("its files");
    shop.call_v2("/pay/unifiedorder", shop.order_v2("ORDER0001", "NATIVE")).await;
    shop.pay("ORDER0001", json!({})).await;
    let refund = fields([
        ("out_trade_no", "ORDER0001"),
        ("out_refund_no", "REFUND01"),
        ("total_fee", "100"),
        ("refund_fee", "30"),
    ]);
    let body = shop.signed_v2(refund);
    let target = "/secapi/pay/refund";
    for answer in [sandbox.send("POST", target, &body).await, send(&sandbox, None, target, &body).await] {
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains("<title>400 No required SSL certificate was sent</title>"), "{}", answer.body);
    }
    let wrong = send(&sandbox, Some(&files(&other)), target, &body).await;
    assert_eq!(elements(&wrong.body)["return_msg"], "证书验证失败");
    let accepted = elements(&send(&sandbox, Some(&files(&shop)), target, &body).await.body);
    assert_eq!((accepted["result_code"].as_str(), accepted["refund_fee"].as_str()), ("SUCCESS", "30"));
    assert_eq!(accepted["refund_id"].len(), 29);
}

#[tokio::test]
async fn everything_else_is_there_with_tls_too_and_says_where() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    let body = shop.signed_v2(shop.order_v2("ORDER0001", "MWEB"));
    let ordered = elements(&send(&sandbox, None, "/pay/unifiedorder", &body).await.body);
    let pages = format!("http://localhost:{}/cgi-bin/mmpayweb-bin/checkmweb?", sandbox.address.port());
    assert!(ordered["mweb_url"].starts_with(&pages), "{ordered:?}");
    let tls = sandbox.get("/sandbox/tls").await;
    assert_eq!(tls["url"], format!("https://{}", sandbox.tls));
    assert_eq!(sandbox.platform.ca_pem(), sandbox.send("GET", "/sandbox/ca.pem", "").await.body);
    sandbox.post("/sandbox/reset", &json!({})).await;
    assert_eq!(sandbox.get("/sandbox/tls").await, tls);
}

#[tokio::test]
async fn merchants_download_their_files() {
    let sandbox = Sandbox::start().await;
    let shop = Shop::v2(&sandbox).await;
    for (file, begin) in [
        ("apiclient_cert.pem", "-----BEGIN CERTIFICATE-----"),
        ("apiclient_key.pem", "-----BEGIN PRIVATE KEY-----"),
        ("pub_key.pem", "-----BEGIN PUBLIC KEY-----"),
        ("platform_cert.pem", "-----BEGIN CERTIFICATE-----"),
    ] {
        let answer = sandbox.send("GET", &shop.at(&format!("/files/{file}")), "").await;
        assert!(answer.status == 200 && answer.body.starts_with(begin), "{file}");
    }
    let mut connection = sandbox.connect().await;
    connection.send("GET", &shop.at("/files/apiclient_cert.p12"), &["connection: close"], "").await;
    let received = connection.rest().await;
    let body = received.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let file = &received[body..];
    // One DER sequence, as long as it says.
    assert_eq!((&file[..2], usize::from(file[2]) * 256 + usize::from(file[3]) + 4), (&[0x30, 0x82][..], file.len()));
    assert_eq!(sandbox.send("GET", &shop.at("/files/other"), "").await.status, 404);
}
