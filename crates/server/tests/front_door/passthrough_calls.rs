//! Calls below `/app/KEY/…`: what of a request reaches WeChat, and what of an answer comes back.

use http::Method;
use serde_json::json;

use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE};
use crate::harness::server::{Flags, Running, SECRET, local, public};

const INFO: &str = "/cgi-bin/user/info";
const MENU: &str = "/cgi-bin/menu/create";

#[tokio::test]
async fn a_call_needs_no_token_and_keeps_everything_else() {
    let wechat = FakeWechat::start().await;
    wechat.always(MENU, Reply::Json(json!({"errcode": 0, "errmsg": "ok"})));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let token = server.token("test").await;
    let target = "/app/test/cgi-bin/menu/create?lang=zh_CN&x=%E6%B5%8B+1&access_token=an-old-one&y";
    let body = r#"{"button":[{"name":"菜单"}]}"#;
    let answer = server.send(Method::POST, target, Some("application/json"), body.into()).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"errcode": 0, "errmsg": "ok"})));
    let call = &wechat.arrived(MENU)[0];
    assert_eq!((call.method.as_str(), call.body.as_str()), ("POST", body));
    assert_eq!(call.query, format!("access_token={token}&lang=zh_CN&x=%E6%B5%8B+1&y"));
    assert_eq!(call.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn what_is_for_the_proxy_stays_here() {
    let wechat = FakeWechat::start().await;
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let (server, _database) = public(&wechat.url).await;
    let operator = server.bearer(crate::harness::server::ADMIN);
    let api_key = operator.register_cold("test", &[]).await;
    assert_eq!(server.get("/app/test/cgi-bin/user/info").await.is_refusal(401, -10010).status, 401);
    server.bearer("wrong").get("/app/test/cgi-bin/user/info").await.is_refusal(401, -10010);
    let team = server.bearer(&api_key).with("cookie", "a=b").with("x-forwarded-for", "203.0.113.7");
    let team = team
        .with("connection", "x-hop")
        .with("x-hop", "1")
        .with("wechatmp-appid", "wx1")
        .with("accept-encoding", "gzip");
    assert_eq!(team.get("/app/test/cgi-bin/user/info?openid=o").await.json(), json!({"subscribe": 1}));
    let call = &wechat.arrived(INFO)[0];
    for gone in ["authorization", "cookie", "x-forwarded-for", "x-hop", "connection", "accept-encoding", "x-request-id"]
    {
        assert_eq!(call.header(gone), None, "{gone}");
    }
    assert_eq!(call.header("host"), Some(wechat.url.trim_start_matches("http://")));
    assert_eq!(call.header("wechatmp-appid"), Some("wx1"));
    assert!(!call.query.contains(&api_key));
}

#[tokio::test]
async fn answers_come_back_as_they_are() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    wechat.next(INFO, Reply::errcode(48001, "api unauthorized rid: 1-2-3"));
    let refused = server.get("/app/test/cgi-bin/user/info").await;
    assert_eq!(
        (refused.status, refused.errcode(), refused.errmsg().as_str()),
        (200, 48001, "api unauthorized rid: 1-2-3")
    );
    wechat.next(INFO, Reply::Http(412, "<html>precondition</html>"));
    let status = server.get("/app/test/cgi-bin/user/info").await;
    assert_eq!((status.status, status.text().as_str()), (412, "<html>precondition</html>"));
    wechat.next(INFO, Reply::Page("image/png", "not really"));
    let page = server.get("/app/test/cgi-bin/user/info").await;
    assert_eq!((page.header("content-type"), page.text().as_str()), ("image/png", "not really"));
    let cookies = "HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nstrict-transport-security: max-age=1\r\nx-theirs: 1\r\ncontent-length: 2\r\n\r\n{}";
    wechat.next(INFO, Reply::Raw(cookies.to_owned()));
    let answer = server.get("/app/test/cgi-bin/user/info").await;
    assert_eq!(
        (answer.header("set-cookie"), answer.header("strict-transport-security"), answer.header("x-theirs")),
        ("", "", "1")
    );
    assert_ne!(answer.header("x-request-id"), "");
}

#[tokio::test]
async fn any_method_of_any_api_passes_and_our_own_paths_do_not() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for (method, path) in
        [(Method::PUT, "/wxa/x/y"), (Method::DELETE, "/v1/things/1"), (Method::PATCH, "/shop/order.get")]
    {
        wechat.always(path, Reply::Json(json!({})));
        assert_eq!(server.send(method.clone(), &format!("/app/test{path}"), None, Vec::new()).await.status, 200);
        assert_eq!(wechat.arrived(path)[0].method, method.as_str());
    }
    let before = wechat.all_calls();
    for path in [
        "/nonsense",
        "/js/nonsense",
        "/pay/qrcod",
        "/api/new/er",
        "/login/x/y",
        "/cgi-bin",
        "/qyapi/cgi-bin",
        "/cgi-bin/..",
    ] {
        let answer = server.get(&format!("/app/test{path}")).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.text());
    }
    server.get("/app/nobody/cgi-bin/user/info").await.is_refusal(404, -10004);
    assert_eq!(wechat.all_calls(), before);
}

/// As bytes on a connection: clients put paths in order before they send them.
async fn raw(server: &Running, target: &str) -> String {
    server.raw(&format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn a_path_is_put_in_order_before_it_is_judged_and_sent() {
    let wechat = FakeWechat::start().await;
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[("call", "/cgi-bin/user")]).await;
    let inside = [
        "/app/test/cgi-bin/user/info",
        "/app/test//cgi-bin///user/info",
        "/app/test/cgi-bin/./user/info/",
        "/app/test/cgi-bin/menu/../user/info",
        "/app/test/cgi-bin/menu/%2e%2e/user/info",
        "/app/test/%63gi-bin/user/info",
    ];
    for (number, target) in inside.iter().enumerate() {
        let answer = raw(&server, target).await;
        assert!(answer.ends_with(r#"{"subscribe":1}"#), "{target}: {answer}");
        assert_eq!(wechat.calls(INFO), number + 1, "{target}");
    }
    let before = wechat.all_calls();
    let outside = [
        ("/app/test/cgi-bin/user/../menu/create", "-10011"),
        ("/app/test/cgi-bin/user/%2e%2e/menu/create", "-10011"),
        ("/app/test/cgi-bin/user/.%2E/menu/create", "-10011"),
        ("/app/test/cgi-bin/userinfo/x", "-10011"),
        ("/app/test/CGI-BIN/user/info", "-10011"),
        ("/app/test/cgi-bin/user/../../../x", "-10035"),
        ("/app/test/cgi-bin/user%2f..%2fmenu/create", "-10035"),
        ("/app/test/cgi-bin/user/%252e%252e/menu/create", "-10035"),
        ("/app/test/cgi-bin/user/..%5cmenu", "-10035"),
        ("/app/test/cgi-bin/user/%00", "-10035"),
        ("/app/test/cgi-bin/user/http://evil.example/x", "-10035"),
        ("/app/test/cgi-bin/user/@evil.example/x", "-10035"),
        ("/app/test/http://evil.example/cgi-bin/x", "-10035"),
        ("/app/test//evil.example/cgi-bin/x", "-10011"),
    ];
    for (target, errcode) in outside {
        let answer = raw(&server, target).await;
        assert!(answer.contains(&format!("\"errcode\":{errcode},")), "{target}: {answer}");
    }
    assert_eq!(wechat.all_calls(), before, "nothing went on");
}

#[tokio::test]
async fn another_host_in_the_target_is_not_asked() {
    let (wechat, other) = (FakeWechat::start().await, FakeWechat::start().await);
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let foreign = raw(&server, "http://evil.example/app/test/cgi-bin/user/info").await;
    assert!(foreign.contains("\"errcode\":-10008,"), "{foreign}");
    // In absolute form the host is ours to judge, the target still WeChat's.
    raw(&server, &format!("{}/app/test/cgi-bin/user/info", other.url)).await;
    assert_eq!(other.all_calls(), 0);
}

#[tokio::test]
async fn calls_with_secret_get_the_accounts_own() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let exchange = "/sns/oauth2/access_token";
    server.get(&format!("/app/test{exchange}?code=C&appid=x&secret=y")).await;
    let call = &wechat.arrived(exchange)[0];
    assert_eq!((call.parameter("appid").as_str(), call.parameter("secret").as_str()), ("wx0123456789abcdef", SECRET));
    assert_eq!((call.parameter("code").as_str(), call.parameter("grant_type").as_str()), ("C", "authorization_code"));
    assert_eq!(call.parameter("access_token"), "");
    // A visitor's own token is not the account's.
    server.get("/app/test/sns/userinfo?access_token=WEB&openid=o").await;
    assert_eq!(wechat.arrived("/sns/userinfo")[0].query, "access_token=WEB&openid=o");
    assert_eq!(wechat.calls(STABLE), 0);
}

#[tokio::test]
async fn no_caller_fetches_the_accounts_token_from_wechat() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for path in ["/cgi-bin/token", "/CGI-BIN/Token", "/cgi-bin/./token", "/cgi-bin/%74oken"] {
        let answer = raw(&server, &format!("/app/test{path}?grant_type=client_credential")).await;
        assert!(answer.contains("\"access_token\":"), "{path}: {answer}");
    }
    let other = server.get("/app/test/cgi-bin/token?grant_type=client_credential&appid=wx9").await;
    assert_eq!(other.errcode(), 40013);
    assert_eq!((wechat.calls("/cgi-bin/token"), wechat.calls(STABLE)), (0, 1));
}

#[tokio::test]
async fn tickets_come_from_memory() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let own = server.get("/app/test/jsapi").await.ticket();
    for _ in 0..3 {
        let answer = server.get("/app/test/cgi-bin/ticket/getticket?type=jsapi").await;
        assert_eq!((answer.errcode(), answer.ticket()), (0, own.clone()));
    }
    assert_eq!(wechat.calls(crate::harness::fake_wechat::TICKET), 1);
}

#[tokio::test]
async fn every_node_passes_calls_on_with_the_same_token() {
    let (wechat, database) = (FakeWechat::start().await, Database::sqlite());
    wechat.always(INFO, Reply::Json(json!({"subscribe": 1})));
    let one = Running::start(&Flags::new(&database, &wechat.url)).await;
    one.register_cold("test", &[]).await;
    let two = Running::start(&Flags::new(&database, &wechat.url)).await;
    let both: [&Caller; 2] = [&one.caller, &two.caller];
    for node in both {
        assert_eq!(node.get("/app/test/cgi-bin/user/info").await.status, 200);
    }
    let calls = wechat.arrived(INFO);
    assert_eq!((calls[0].query.clone(), wechat.calls(STABLE)), (calls[1].query.clone(), 1));
}
