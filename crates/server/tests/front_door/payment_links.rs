//! Public mode: a visitor's link is the team's own, and everything else needs the api_key.

use hmac::{Hmac, KeyInit, Mac};
use sandbox::KeyMode;
use sha2::Sha256;

use crate::harness::caller::encoded;
use crate::harness::server::Flags;
use crate::harness::shop::{Bank, Shop};

/// The rule, written down once more: sorted `k=v` joined by `&`, `&key=` and the api_key, HMAC-SHA256, upper-case hex.
fn signed(pairs: &[(&str, &str)], api_key: &str) -> String {
    let mut sorted: Vec<(&str, &str)> = pairs.iter().copied().filter(|(_, value)| !value.is_empty()).collect();
    sorted.sort_unstable();
    let mut text: String = sorted.iter().map(|(name, value)| format!("{name}={value}&")).collect();
    text.push_str(&format!("key={api_key}"));
    let mut mac = Hmac::<Sha256>::new_from_slice(api_key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex::encode_upper(mac.finalize().into_bytes())
}

fn seconds(ahead: i64) -> String {
    use engine::clock::{Clock, SystemClock};
    (SystemClock.now().as_seconds() + ahead).to_string()
}

async fn public() -> Shop {
    Shop::with(KeyMode::Certificate, Bank::v3, Flags::public).await
}

#[tokio::test]
async fn a_visitor_needs_a_signed_link() {
    let shop = public().await;
    let now = seconds(0);
    let link = [("fee", "1"), ("name", "茶"), ("out_trade_no", "signed-0001"), ("timestamp", &now)];
    let sign = signed(&link, &shop.api_key);
    let with = |pairs: &[(&str, &str)], sign: &str| {
        let mut pairs = pairs.to_vec();
        pairs.push(("sign", sign));
        format!("/app/test/pay/qrcode?{}", encoded(&pairs))
    };
    let picture = shop.server.get(&with(&link, &sign)).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, "image/png"), "{}", picture.text());
    shop.server.get(&format!("/app/test/pay/qrcode?{}", encoded(&link))).await.is_refusal(403, -10034);
    for changed in [
        [("fee", "2"), ("name", "茶"), ("out_trade_no", "signed-0001"), ("timestamp", &*now)],
        [("fee", "1"), ("name", "茶x"), ("out_trade_no", "signed-0001"), ("timestamp", &now)],
        [("fee", "1"), ("name", "茶"), ("out_trade_no", "signed-0002"), ("timestamp", &now)],
        [("fee", "1"), ("name", "茶"), ("out_trade_no", "signed-0001"), ("timestamp", "1")],
    ] {
        shop.server.get(&with(&changed, &sign)).await.is_refusal(403, -10034);
    }
    let mut more = link.to_vec();
    more.push(("call", "/echo"));
    shop.server.get(&with(&more, &sign)).await.is_refusal(403, -10034);
    more[4] = ("fee", "1");
    shop.server.get(&with(&more, &sign)).await.is_refusal(403, -10034);
    for bad in ["", "0", &sign.to_lowercase(), &signed(&link, "another key"), &format!("{sign}0")] {
        shop.server.get(&with(&link, bad)).await.is_refusal(403, -10034);
    }
}

#[tokio::test]
async fn a_link_is_good_for_an_hour() {
    let shop = public().await;
    for (ahead, good) in [(-3500, true), (-3700, false), (3700, false)] {
        let at = seconds(ahead);
        let link = [("fee", "1"), ("timestamp", at.as_str())];
        let sign = signed(&link, &shop.api_key);
        let answer = shop.server.get(&format!("/app/test/pay/qrcode?{}&sign={sign}", encoded(&link))).await;
        assert_eq!(answer.status, if good { 200 } else { 403 }, "{ahead}: {}", answer.text());
    }
    for bad in ["", "now", "1e9"] {
        let link = [("fee", "1"), ("timestamp", bad)];
        let sign = signed(&link, &shop.api_key);
        shop.server.get(&format!("/app/test/pay/qrcode?{}&sign={sign}", encoded(&link))).await.is_refusal(403, -10034);
    }
}

/// The rule joins without escaping: a text of a visitor's in `attach` must not become another price.
#[tokio::test]
async fn a_value_cannot_become_another_parameter() {
    let shop = public().await;
    let now = seconds(0);
    let link = [("attach", "x&fee=1&goods_tag="), ("fee", "100"), ("timestamp", now.as_str())];
    let sign = signed(&link, &shop.api_key);
    shop.server.get(&format!("/app/test/pay/qrcode?{}&sign={sign}", encoded(&link))).await.is_refusal(403, -10034);
    let split = [("attach", "x"), ("fee", "1"), ("goods_tag", "&fee=100"), ("timestamp", now.as_str())];
    assert_eq!(signed(&split, &shop.api_key), sign, "the two read the same");
    shop.server.get(&format!("/app/test/pay/qrcode?{}&sign={sign}", encoded(&split))).await.is_refusal(403, -10034);
}

#[tokio::test]
async fn the_team_shows_its_api_key_instead() {
    let shop = public().await;
    let team = shop.server.caller.bearer(&shop.api_key);
    for path in ["/pay?fee=1", "/pay/qrcode?fee=1"] {
        assert_eq!(team.get(&format!("/app/test{path}")).await.status, 200, "{path}");
    }
    let number = team.get("/app/test/pay?fee=1").await.json()["out_trade_no"].as_str().unwrap().to_owned();
    for path in ["", "/query", "/close", "/refund", "/refund/query"] {
        let target = format!("/app/test/pay{path}?fee=1&out_trade_no={number}&out_refund_no=R1");
        shop.server.get(&target).await.is_refusal(401, -10010);
        shop.server.caller.bearer("wxp_wrong").get(&target).await.is_refusal(401, -10010);
    }
    for path in ["/admin/orders", "/admin/pay/refused", "/admin/orders/x"] {
        shop.server.get(path).await.is_refusal(401, -10009);
    }
    // Who is told must be allowed.
    team.get("/app/test/pay?fee=1&call=http%3A%2F%2Fevil.example%2F").await.is_refusal(403, -10023);
}

/// WeChat needs no key: its signature is what counts.
#[tokio::test]
async fn notifications_need_nothing_but_their_signature() {
    let shop = public().await;
    let answer = shop.server.post_json("/app/test/pay/notify", &serde_json::json!({})).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(answer.json()["code"], "FAIL");
}

/// What anybody may send must not cost more than it is worth.
#[tokio::test]
async fn a_flood_of_parameters_is_refused_at_once() {
    let shop = public().await;
    let many: String = (0..60_000).map(|number| format!("a{number}&")).collect();
    let body = format!("sign=A&timestamp=1&{many}");
    let begin = std::time::Instant::now();
    for path in ["/app/test/pay/js", "/app/test/pay/qrcode"] {
        let form = Some("application/x-www-form-urlencoded");
        let answer = shop.server.send(reqwest::Method::POST, path, form, body.clone().into()).await;
        answer.is_refusal(400, -10003);
    }
    assert!(begin.elapsed() < crate::harness::server::AT_ONCE);
}
