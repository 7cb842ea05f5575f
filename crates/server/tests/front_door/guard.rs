//! Who gets in: public and local servers, scopes, api_keys, and what guessing gets.

use http::Method;

use crate::harness::caller::{Answer, Caller};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::FakeWechat;
use crate::harness::server::{ADMIN, Flags, Running, local, public};

/// The paths of operators.
const OPERATORS: [(&str, &str); 6] = [
    ("GET", "/register?key=new&appid=wx0123456789abcdef&secret=s&check=false"),
    ("POST", "/register?key=new&appid=wx0123456789abcdef&secret=s&check=false"),
    ("GET", "/admin/apps"),
    ("GET", "/admin/apps/test"),
    ("DELETE", "/admin/apps/new"),
    ("GET", "/metrics"),
];

/// The paths of a team's servers, below `/app/KEY`.
const TEAMS: [(&str, &str); 12] = [
    ("GET", ""),
    ("GET", "/api"),
    ("POST", "/api"),
    ("GET", "/api/new"),
    ("POST", "/api/new"),
    ("GET", "/qyapi"),
    ("POST", "/qyapi"),
    ("GET", "/qyapi/new"),
    ("GET", "/jsapi"),
    ("POST", "/jsapi"),
    ("GET", "/js/card"),
    ("POST", "/js/card"),
];

const ANYONE: [(&str, &str); 4] =
    [("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/qrcode?path=a"), ("GET", "/echo")];

async fn call(caller: &Caller, (method, target): (&str, &str)) -> Answer {
    caller.send(Method::from_bytes(method.as_bytes()).unwrap(), target, None, Vec::new()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_paths_of_a_public_server_need_the_admin_token() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    let operator = server.bearer(ADMIN);
    let api_key = operator.register_cold("test", &[]).await;
    for route in OPERATORS {
        let refused = call(&server, route).await.is_refusal(401, -10009);
        assert!(refused.header("www-authenticate").contains("Bearer"));
        call(&server.bearer("wrong"), route).await.is_refusal(401, -10009);
        call(&server.bearer(&api_key), route).await.is_refusal(401, -10009);
        call(&server.basic(ADMIN, "wrong"), route).await.is_refusal(401, -10009);
    }
    for route in OPERATORS {
        for operator in [server.bearer(ADMIN), server.basic("whoever", ADMIN)] {
            // What the DELETE removed is there again.
            operator.register_cold("new", &[]).await;
            assert_eq!(call(&operator, route).await.status, 200, "{route:?}");
        }
    }
    for route in ANYONE {
        assert_eq!(call(&server, route).await.status, 200, "{route:?}");
    }
    call(&server, ("GET", "/nothing/here")).await.is_refusal(404, -10001);
    call(&server, ("PUT", "/register")).await.is_refusal(405, -10002);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teams_paths_of_a_public_server_need_the_api_key_of_that_registration() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    let operator = server.bearer(ADMIN);
    let api_key = operator.register_cold("test", &[]).await;
    let others_key = operator.register_cold("other", &[]).await;
    // Cold and from memory: the answers that are ready ask the same guard.
    for (round, (method, path)) in [1, 2].into_iter().flat_map(|round| TEAMS.map(|route| (round, route))) {
        let route = (method, &*format!("/app/test{path}"));
        // Each wrong one from an address of its own, so that they do not add up to too many.
        let stranger = server.with("x-forwarded-for", &format!("203.0.113.{}", path.len() * 2 + round));
        let refused = call(&stranger, route).await.is_refusal(401, -10010);
        assert!(refused.header("www-authenticate").contains("Basic"));
        call(&stranger.bearer("wrong"), route).await.is_refusal(401, -10010);
        call(&stranger.bearer(&others_key), route).await.is_refusal(401, -10010);
        call(&stranger.bearer(ADMIN), route).await.is_refusal(401, -10010);
        call(&stranger.basic("other", &api_key), route).await.is_refusal(401, -10010);
        let unknown = call(&stranger, (method, &format!("/app/unknown{path}"))).await;
        assert_eq!(unknown.text(), refused.text(), "who has no key does not learn which names exist");
        for team in [stranger.bearer(&api_key), stranger.basic("test", &api_key)] {
            let answer = call(&team, route).await;
            assert_eq!((answer.status, answer.text().contains("errcode")), (200, false), "{round} {route:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_guesses_waits_and_others_do_not() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    let guesser = server.with("x-forwarded-for", "198.51.100.1, 203.0.113.9");
    let api_key = server.bearer(ADMIN).register_cold("test", &[]).await;
    for number in 0..20 {
        guesser.bearer(&format!("guess-{number}")).get("/metrics").await.is_refusal(401, -10009);
    }
    let refused = guesser.bearer("guess").get("/metrics").await.is_refusal(429, -10012);
    assert!((1..=60).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
    guesser.bearer("guess").get("/app/test/api").await.is_refusal(429, -10012);
    assert_eq!(guesser.bearer(ADMIN).get("/metrics").await.status, 200, "the right admin token is never held up");
    assert_eq!(guesser.bearer(&api_key).get("/app/test/api").await.status, 200, "a right api_key is never held up");

    // Only the last entry counts, which our own reverse proxy wrote; those before it anybody can invent.
    let liar = server.with("x-forwarded-for", "198.51.100.77, 203.0.113.9");
    liar.bearer("guess").get("/metrics").await.is_refusal(429, -10012);
    let other = server.with("x-forwarded-for", "203.0.113.9, 203.0.113.10");
    assert_eq!(other.bearer(ADMIN).get("/metrics").await.status, 200);
    assert_eq!(server.bearer(ADMIN).get("/metrics").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_nobody_runs_into_the_limit() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    for _ in 0..60 {
        server.get("/metrics").await.is_refusal(401, -10009);
    }
    assert_eq!(server.bearer(ADMIN).get("/metrics").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_server_answers_only_to_loopback_names() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    server.token("test").await;
    let teams = TEAMS.map(|(method, path)| (method, format!("/app/test{path}")));
    let teams: Vec<(&str, &str)> = teams.iter().map(|(method, path)| (*method, path.as_str())).collect();
    for route in OPERATORS.iter().chain(&ANYONE).chain(&teams) {
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080"] {
            let refused = call(&server.with("host", host), *route).await.is_refusal(403, -10008);
            assert!(refused.errmsg().contains("--public-url"), "it says what to do");
        }
        call(&server.with("x-forwarded-for", "203.0.113.9"), *route).await.is_refusal(403, -10008);
    }
    for host in ["localhost:8080", "127.0.0.1", "[::1]:80", "wx.localhost"] {
        assert_eq!(server.with("host", host).get("/app/test/api").await.status, 200, "{host}");
    }
    let page = server.with("origin", "https://evil.example");
    page.get("/register?key=x&appid=wx1&secret=s&check=false").await.is_refusal(403, -10019);
    server.with("sec-fetch-site", "cross-site").get("/admin/apps").await.is_refusal(403, -10019);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_server_asks_for_nothing_whatever_it_is_called() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let server = Running::start(&Flags::new(&database, &wechat.url).but("--listen", "0.0.0.0:0").with("--open")).await;
    let neighbour = server.with("host", "192.168.1.20:8080").with("x-forwarded-for", "192.168.1.30");
    neighbour.register_cold("test", &[]).await;
    for (method, path) in TEAMS {
        assert_eq!(call(&neighbour, (method, &format!("/app/test{path}"))).await.status, 200, "{path}");
    }
    assert_eq!(neighbour.get("/metrics").await.status, 200);
    neighbour.with("origin", "https://evil.example").get("/admin/apps").await.is_refusal(403, -10019);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_covers_whole_segments() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[("call", "/js"), ("call", "/api/")]).await;
    // Warmed by a registration that may do everything: the ready answers ask for the scope as well.
    server.register_cold("free", &[]).await;
    for path in ["/api", "/jsapi", "/qyapi"] {
        assert_eq!(server.get(&format!("/app/free{path}")).await.status, 200);
    }
    for (path, status) in
        [("/js/card", 200), ("/api", 200), ("/api/new", 200), ("", 200), ("/jsapi", 403), ("/qyapi", 403)]
    {
        for _ in 0..2 {
            let answer = server.get(&format!("/app/test{path}")).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
    }
    let refused = server.get("/app/test/jsapi").await.is_refusal(403, -10011);
    assert!(refused.errmsg().contains("call=/jsapi"), "it says what to do: {}", refused.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_api_key_overlaps_and_a_revoked_one_ends_at_once() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = public(&wechat.url).await;
    let operator = server.bearer(ADMIN);
    let status = async |key: &str| server.bearer(key).get("/app/test/api").await.status;
    let first = operator.register_cold("test", &[]).await;
    assert_eq!(operator.register_cold("test", &[]).await, "", "told once");
    let unicode = operator.register_cold("测试", &[]).await;
    assert_eq!(server.basic("测试", &unicode).get("/app/测试/api").await.status, 200);
    let second = operator.register_cold("test", &[("rotate", "api_key")]).await;
    assert_ne!(first, second);
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    let until = operator.get("/admin/apps/test").await.json()["previous_api_key_until"].as_i64().unwrap();
    let now = operator.get("/admin/apps/test").await.json()["updated_at"].as_i64().unwrap();
    assert_eq!(until - now, 24 * 3600);
    let third = operator.register_cold("test", &[("rotate", "api_key")]).await;
    assert_eq!(
        (status(&first).await, status(&second).await, status(&third).await),
        (200, 200, 200),
        "each has its day"
    );
    let last = operator.register_cold("test", &[("rotate", "api_key"), ("revoke", "true")]).await;
    assert_eq!((status(&first).await, status(&second).await, status(&third).await), (401, 401, 401));
    assert_eq!(status(&last).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allow_is_checked_when_it_is_registered() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    for bad in ["https://shop.example.com", "shop.example.com/path", "*", "*.com", "a b", "shop.example.com:0"] {
        let pairs = [("key", "test"), ("appid", "wx1"), ("secret", "s"), ("check", "false"), ("allow", bad)];
        let refused = server.post_form("/register", &pairs).await.is_refusal(400, -10003);
        assert!(refused.errmsg().contains("allow"), "{bad}: {}", refused.text());
    }
    server.get("/app/test").await.is_refusal(404, -10004);
    server
        .register_cold("test", &[("allow", "Shop.Example.com"), ("allow", "10.0.0.5:9000"), ("allow", "[::1]:9000")])
        .await;
    let shown = server.get("/app/test").await.json()["allow"].clone();
    assert_eq!(shown, serde_json::json!(["shop.example.com", "10.0.0.5:9000", "[::1]:9000"]));
}
