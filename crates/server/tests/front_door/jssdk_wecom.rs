//! WeCom's pages: `wx.config` with the corporation's ticket, `wx.agentConfig` with the app's.

use serde_json::{Value, json};

use crate::harness::caller::encoded;
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{AGENT_TICKET, CORP_TICKET, FakeWechat, Reply, TICKET};
use crate::harness::script::{Script, is_signed};
use crate::harness::server::{Running, SECRET, local};
use crate::harness::wechat_pushes::APPID;

const PAGE: &str = "https://shop.example.com/oa?a=1";
const TOKEN: &str = "/cgi-bin/gettoken";

async fn scene(extra: &[(&str, &str)]) -> (Running, Database, FakeWechat) {
    let wechat = FakeWechat::start().await;
    let (server, database) = local(&wechat.url).await;
    server.register_cold("test", extra).await;
    (server, database, wechat)
}

fn target(pairs: &[(&str, &str)]) -> String {
    format!("/app/test/qyjs/config?{}", encoded(&[&[("url", PAGE)], pairs].concat()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_wecom_is_configured_for_the_corporation_and_for_the_app() {
    let (server, _database, wechat) = scene(&[("agentid", "1000002")]).await;
    let asked = async |pairs: &[(&str, &str)]| Script::read(&server.get(&target(pairs)).await);
    let tickets = [server.get("/app/test/qyjsapi").await, server.get("/app/test/qyjsapi?type=agent_config").await];
    let [corp, app] = [tickets[0].ticket(), tickets[1].ticket()];
    assert_ne!(corp, app);
    for _ in 0..2 {
        let script = asked(&[("apilist", "scanQRCode"), ("debug", "true")]).await;
        let config = script.signed();
        is_signed(config, &corp, PAGE);
        assert_eq!((&config["beta"], &config["appId"], &config["debug"]), (&json!(true), &json!(APPID), &json!(true)));
        let agent = &script.settings["agentConfig"];
        is_signed(agent, &app, PAGE);
        assert_eq!((&agent["corpid"], &agent["agentid"]), (&json!(APPID), &json!("1000002")));
        assert_eq!((&agent["jsApiList"], &config["jsApiList"]), (&json!(["scanQRCode"]), &json!(["scanQRCode"])));
        assert_eq!(script.settings["jweixin"], json!([format!("{}/open/js/jweixin-1.2.0.js", wechat.url)]));
        assert_eq!(script.settings["jwxwork"], json!([format!("{}/wwopen/js/jwxwork-1.0.0.js", wechat.url)]));
    }
    let script = asked(&[("agentid", "1000009")]).await;
    assert_eq!(script.settings["agentConfig"]["agentid"], "1000009");
    let fields = server.get(&target(&[("format", "json")])).await.json();
    is_signed(&fields, &corp, PAGE);
    is_signed(&fields["agentConfig"], &app, PAGE);
    server.get(&target(&[("agentid", "1\",x:\"")])).await.is_refusal(400, -10003);
    assert_eq!((wechat.calls(TOKEN), wechat.calls(CORP_TICKET), wechat.calls(AGENT_TICKET)), (1, 1, 1));
    assert_eq!(wechat.arrived(AGENT_TICKET)[0].parameter("type"), "agent_config");
    assert_eq!(wechat.calls(TICKET), 0, "no ticket of official accounts");
    let text = server.get(&target(&[])).await.text();
    assert!(![&*corp, &*app, SECRET].iter().any(|secret| text.contains(secret)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_agentid_only_the_corporation_is_configured() {
    let (server, _database, wechat) = scene(&[]).await;
    let script = Script::read(&server.get(&target(&[])).await);
    is_signed(script.signed(), &server.get("/app/test/qyjsapi").await.ticket(), PAGE);
    assert!(script.settings.get("agentConfig").is_none(), "{:?}", script.settings);
    assert_eq!(wechat.calls(AGENT_TICKET), 0);
    server.get("/app/test/qyjsapi?type=card").await.is_refusal(400, -10003);
    // On the path of official accounts it is one.
    let script =
        Script::read(&server.get(&format!("/app/test/js/config?agentid=1&{}", encoded(&[("url", PAGE)]))).await);
    is_signed(script.signed(), &server.get("/app/test/jsapi").await.ticket(), PAGE);
    assert!(script.signed().get("beta").is_none() && script.settings.get("agentConfig").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_wecom_is_known_by_its_looks() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    let pairs =
        [("key", "test"), ("appid", "ww0123456789abcdef"), ("secret", SECRET), ("check", "false"), ("agentid", "7")];
    server.register(&pairs).await;
    let corp = server.get("/app/test/qyjsapi").await.ticket();
    assert_eq!(server.get("/app/test/jsapi").await.ticket(), corp);
    for path in ["js", "qyjs"] {
        let script = Script::read(&server.get(&target(&[]).replace("qyjs", path)).await);
        is_signed(script.signed(), &corp, PAGE);
        assert_eq!((&script.signed()["beta"], &script.settings["agentConfig"]["agentid"]), (&json!(true), &json!("7")));
    }
    assert_eq!((wechat.calls(CORP_TICKET), wechat.calls(TICKET)), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_of_wecom_that_is_refused_is_told_and_a_dead_token_healed() {
    let (server, _database, wechat) = scene(&[("agentid", "1000002")]).await;
    wechat.next(CORP_TICKET, Reply::errcode(42001, "access_token expired"));
    is_signed(
        Script::read(&server.get(&target(&[])).await).signed(),
        &server.get("/app/test/qyjsapi").await.ticket(),
        PAGE,
    );
    assert_eq!(wechat.calls(TOKEN), 2);
    let (server, _database, wechat) = scene(&[("agentid", "1000002")]).await;
    wechat.always(AGENT_TICKET, Reply::errcode(60020, "not allow to access from your ip"));
    for pairs in [&[][..], &[("format", "json")]] {
        let answer = server.get(&target(pairs)).await;
        assert_eq!((answer.status, answer.errcode()), (200, 60020), "{}", answer.text());
    }
    let answer: Value = server.get("/app/test/qyjsapi").await.json();
    assert!(answer["ticket"].is_string(), "the other ticket is as good as ever");
}
