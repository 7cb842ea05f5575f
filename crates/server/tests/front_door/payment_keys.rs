//! Keys: what is pasted is recognised, a wrong one named; certificates are downloaded and rotate, a public key needs
//! none.

use std::time::Duration;

use sandbox::KeyMode;
use serde_json::json;

use crate::harness::server::Flags;
use crate::harness::shop::{Bank, Shop};

#[tokio::test]
async fn a_merchant_with_a_public_key_never_asks_for_certificates() {
    let shop = Shop::with(KeyMode::PublicKey, Bank::v3_public_key, |flags: Flags| flags).await;
    shop.paid(&[]).await;
    assert_eq!(shop.bank.calls("/v3/certificates").await, 0);
}

#[tokio::test]
async fn a_merchant_without_one_is_told_to_register_it() {
    let shop = Shop::with(KeyMode::PublicKey, Bank::v3, |flags: Flags| flags).await;
    let answer = shop.order(&[("out_trade_no", "no-key-0001")]).await;
    answer.is_refusal(504, -10032);
    // One question, not one for every order.
    shop.order(&[("out_trade_no", "no-key-0002")]).await;
    assert_eq!(shop.bank.calls("/v3/certificates").await, 1);
}

#[tokio::test]
async fn certificates_are_downloaded_once_and_rotate() {
    let shop = Shop::v3().await;
    for _ in 0..3 {
        shop.paid(&[]).await;
    }
    assert_eq!(shop.bank.calls("/v3/certificates").await, 1);
    shop.bank.change(&json!({"rotation": "new"})).await;
    // The new one signs before anybody has seen it.
    shop.wait(Duration::from_secs(61));
    shop.paid(&[]).await;
    assert_eq!(shop.bank.calls("/v3/certificates").await, 2);
    shop.bank.change(&json!({"rotation": "either"})).await;
    for _ in 0..4 {
        shop.paid(&[]).await;
    }
    assert_eq!(shop.bank.calls("/v3/certificates").await, 2);
    let metrics = shop.server.get("/metrics").await.text();
    assert!(metrics.contains("wechat_proxy_pay_certificate_expires_in_seconds{"), "{metrics}");
}

/// A merchant that changes over: answers by the public key, callbacks by either, and both verified.
#[tokio::test]
async fn a_merchant_in_migration_verifies_by_both() {
    let shop = Shop::with(KeyMode::Certificate, Bank::v3, |flags: Flags| flags).await;
    shop.paid(&[]).await;
    shop.bank.change(&json!({"key_mode": "both"})).await;
    let merchant = shop.bank.v3_public_key();
    crate::harness::shop::register(&shop.operator(), "test", &shop.bank, &merchant).await;
    for callbacks_with in ["certificate", "public_key", "certificate", "public_key"] {
        shop.bank.change(&json!({"callbacks_with": callbacks_with})).await;
        shop.paid(&[]).await;
    }
    let fresh = Shop::with(KeyMode::Both, Bank::v3_public_key, |flags: Flags| flags).await;
    for callbacks_with in ["public_key", "certificate", "public_key", "certificate"] {
        fresh.bank.change(&json!({"callbacks_with": callbacks_with})).await;
        fresh.paid(&[]).await;
    }
    assert!(fresh.bank.calls("/v3/certificates").await <= 1);
}

/// The public key is registered before WeChat's switch is started: answers are still signed by the certificate.
#[tokio::test]
async fn a_public_key_that_is_registered_early_does_no_harm() {
    let shop = Shop::with(KeyMode::Certificate, Bank::v3_public_key, |flags: Flags| flags).await;
    shop.paid(&[]).await;
    shop.paid(&[]).await;
    assert_eq!(shop.bank.calls("/v3/certificates").await, 1);
}

#[tokio::test]
async fn a_wrong_key_is_named_and_nothing_is_stored() {
    let shop = Shop::v2().await;
    let bank = &shop.bank;
    let [key, cert, public] = ["apiclient_key.pem", "apiclient_cert.pem", "pub_key.pem"].map(|name| bank.file(name));
    let platform = bank.file("platform_cert.pem");
    let one_line = key.replace('\n', " ");
    let escaped = key.replace('\n', "\\n");
    for (name, value) in [("mch_private_key", &one_line), ("mch_private_key", &escaped), ("mch_serial", &cert)] {
        let good = register_with(&shop, &[(name, value)]).await;
        assert_eq!(good.status, 200, "{name}: {}", good.text());
    }
    for (name, value, says) in [
        ("mch_private_key", cert.as_str(), "certificate"),
        ("mch_private_key", public.as_str(), "public key"),
        ("mch_private_key", "not a key at all", "apiclient_key.pem"),
        ("pay_public_key", key.as_str(), "private key"),
        ("pay_public_key", platform.as_str(), "certificate"),
        ("mch_cert", cert.as_str(), "private key"),
        ("mch_cert", public.as_str(), "apiclient_cert"),
        ("apiv3_key", "too short", "32"),
        ("apiv3_key", key.as_str(), "private key"),
        ("mch_key", key.as_str(), "private key"),
        ("mch_serial", key.as_str(), "serial"),
    ] {
        let refused = register_with(&shop, &[(name, value)]).await.is_refusal(400, -10003);
        assert!(refused.errmsg().contains(name) && refused.errmsg().contains(says), "{name}: {}", refused.errmsg());
        assert!(!refused.errmsg().contains(key.lines().nth(3).unwrap()), "{}", refused.errmsg());
    }
}

async fn register_with(shop: &Shop, more: &[(&str, &str)]) -> crate::harness::caller::Answer {
    let account = &shop.bank.account;
    let required = [("key", "test"), ("appid", &*account.appid), ("secret", &*account.secret), ("check", "false")];
    shop.operator().post_form("/register", &[&required, more].concat()).await
}

#[tokio::test]
async fn check_proves_the_keys() {
    let shop = Shop::v3().await;
    let flags = Flags::new(&shop.database, &shop.bank.url);
    let ended =
        crate::harness::process::Program::new(&["check"]).flags(&flags).environment("LC_ALL", "C.UTF-8").run().await;
    assert!(ended.out.contains("API v3"), "{}{}", ended.out, ended.err);
    register_with(&shop, &[("apiv3_key", "0123456789abcdef0123456789abcdef"), ("mch_serial", "ABCDEF")]).await;
    let ended = crate::harness::process::Program::new(&["check"]).flags(&flags).run().await;
    assert!(ended.code != Some(0) && ended.out.contains("mch_serial"), "{}{}", ended.out, ended.err);
}

#[tokio::test]
async fn orders_are_listed_and_shown_on_the_command_line() {
    let shop = Shop::v2().await;
    let number = shop.paid(&[]).await;
    shop.has_state(&number, "paid").await;
    let flags = Flags::new(&shop.database, &shop.bank.url);
    let run = async |arguments: &[&str]| crate::harness::process::Program::new(arguments).flags(&flags).run().await;
    let listed = run(&["order", "list", "--state", "paid", "--key", "test"]).await;
    assert!(listed.out.contains(&number) && listed.out.lines().count() == 1, "{}{}", listed.out, listed.err);
    assert_eq!(run(&["order", "list", "--state", "closed"]).await.out, "");
    let shown = run(&["order", "show", &number]).await;
    let json: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((&json["state"], &json["total_fee"]), (&json!("paid"), &json!(100)), "{json}");
    assert_eq!(run(&["order", "show", json["id"].as_str().unwrap()]).await.out, shown.out);
    assert_eq!(run(&["order", "show", "nobodys"]).await.code, Some(1));
    assert_eq!(run(&["order", "list", "--state", "odd"]).await.code, Some(64));
    for bad in ["state=odd", "limit=0", "after=x", "since=yesterday"] {
        shop.server.get(&format!("/admin/orders?{bad}")).await.is_refusal(400, -10003);
    }
    let page = shop.server.get("/admin/orders?limit=1").await.json();
    assert_eq!(page["next"], page["orders"][0]["id"], "{page}");
}
