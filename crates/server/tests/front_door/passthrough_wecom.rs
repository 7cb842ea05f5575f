//! WeCom: several agents of one corporation as several keys, and what goes to which of WeChat's hosts.

use serde_json::{Value, json};

use crate::harness::databases::Database;
use crate::harness::fake_wechat::{FakeWechat, Reply};
use crate::harness::playground::Playground;
use crate::harness::server::{Flags, Running, SECRET};

const CORP: &str = "ww0123456789abcdef";
const GETTOKEN: &str = "/cgi-bin/gettoken";

/// A server whose two hosts are two fakes: (api, qyapi).
async fn two_hosts() -> (FakeWechat, FakeWechat, Running, Database) {
    let (api, qyapi, database) = (FakeWechat::start().await, FakeWechat::start().await, Database::sqlite());
    let server = Running::start(&Flags::new(&database, &api.url).but("--qyapi-url", &qyapi.url)).await;
    (api, qyapi, server, database)
}

async fn register(server: &Running, key: &str, secret: &str) {
    server.register(&[("key", key), ("appid", CORP), ("secret", secret), ("check", "false")]).await;
}

#[tokio::test]
async fn calls_below_qyapi_go_to_wecom_with_the_agents_token() {
    let (api, qyapi, server, _database) = two_hosts().await;
    register(&server, "agent", SECRET).await;
    let path = "/cgi-bin/user/get";
    qyapi.always(path, Reply::Json(json!({"errcode": 0, "userid": "u"})));
    // A corporation's id says whose API is meant, so the shorter path does as well.
    for below in
        ["/qyapi/cgi-bin/user/get?userid=u", "/cgi-bin/user/get?userid=u", "/qyapi//cgi-bin/./user/get?userid=u"]
    {
        assert_eq!(server.raw_get(&format!("/app/agent{below}")).await["userid"], "u", "{below}");
    }
    let token = server.get("/app/agent/qyapi").await.token();
    assert!(qyapi.arrived(path).iter().all(|call| call.query == format!("access_token={token}&userid=u")));
    assert_eq!((api.all_calls(), qyapi.calls(GETTOKEN)), (0, 1));
}

#[tokio::test]
async fn an_old_corp_with_an_id_like_an_accounts_is_reached_below_qyapi() {
    let (api, qyapi, server, _database) = two_hosts().await;
    server.register_cold("old", &[]).await;
    qyapi.always("/cgi-bin/user/get", Reply::Json(json!({"errcode": 0})));
    api.always("/cgi-bin/user/get", Reply::Json(json!({"total": 1})));
    assert_eq!(server.get("/app/old/qyapi/cgi-bin/user/get").await.json(), json!({"errcode": 0}));
    assert_eq!(server.get("/app/old/cgi-bin/user/get").await.json(), json!({"total": 1}));
}

#[tokio::test]
async fn scopes_name_wecoms_paths_as_they_stand_below_the_key() {
    let (_api, qyapi, server, _database) = two_hosts().await;
    let pairs =
        [("key", "agent"), ("appid", CORP), ("secret", SECRET), ("check", "false"), ("call", "/qyapi/cgi-bin/message")];
    server.register(&pairs).await;
    qyapi.always("/cgi-bin/message/send", Reply::Json(json!({"errcode": 0})));
    assert_eq!(server.post_json("/app/agent/qyapi/cgi-bin/message/send", &json!({})).await.errcode(), 0);
    server.get("/app/agent/qyapi/cgi-bin/user/get").await.is_refusal(403, -10011);
    server.get("/app/agent/qyapi/cgi-bin/message/../user/get").await.is_refusal(403, -10011);
}

/// The sandbox keeps WeCom's rule that a token of one agent is none of another's.
#[tokio::test]
async fn two_agents_of_one_corp_work_side_by_side() {
    let playground = Playground::start().await;
    let (corpid, secrets) = playground.corp().await;
    let database = Database::sqlite();
    let server = Running::start(&Flags::new(&database, &playground.url)).await;
    for (key, secret) in ["a", "b"].into_iter().zip(&secrets) {
        server.register(&[("key", key), ("appid", &corpid), ("secret", secret)]).await;
    }
    let tokens = [server.get("/app/a/qyapi").await.token(), server.get("/app/b/qyapi").await.token()];
    assert_ne!(tokens[0], tokens[1]);
    for (key, secret) in ["a", "b"].into_iter().zip(&secrets) {
        let ips = server.get(&format!("/app/{key}/qyapi/cgi-bin/getcallbackip")).await;
        assert!(ips.json()["ip_list"].is_array(), "{}", ips.text());
        // And as an SDK sees it.
        let virtual_token = server.get(&format!("{GETTOKEN}?corpid={corpid}&corpsecret={secret}")).await;
        assert_eq!((virtual_token.errcode(), virtual_token.expires_in()), (0, 7200));
        let token = virtual_token.token();
        assert!(!tokens.contains(&token));
        let ips = server.get(&format!("/cgi-bin/getcallbackip?access_token={token}")).await;
        assert!(ips.json()["ip_list"].is_array(), "{}", ips.text());
        let ticket = server.get(&format!("/cgi-bin/get_jsapi_ticket?access_token={token}")).await;
        assert_eq!((ticket.errcode(), ticket.ticket()), (0, server.get(&format!("/app/{key}/qyjsapi")).await.ticket()));
        let ticket = server.get(&format!("/cgi-bin/ticket/get?type=agent_config&access_token={token}")).await;
        let own = server.get(&format!("/app/{key}/qyjsapi?type=agent_config")).await.ticket();
        assert_eq!((ticket.errcode(), ticket.ticket()), (0, own));
    }
    assert_eq!(playground.calls(GETTOKEN).await, 2, "one for each agent");
    // One agent's token dies; the other's callers notice nothing, and its own neither.
    playground.control("/sandbox/tokens/kill", &json!({"access_token": tokens[0]})).await;
    let healed: Value = server.get("/app/a/qyapi/cgi-bin/getcallbackip").await.json();
    assert!(healed["ip_list"].is_array(), "{healed}");
    assert_eq!(server.get("/app/b/qyapi").await.token(), tokens[1]);
    assert_ne!(server.get("/app/a/qyapi").await.token(), tokens[0]);
}
