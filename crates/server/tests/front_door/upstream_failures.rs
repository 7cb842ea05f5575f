//! WeChat fails: what callers get, and how often WeChat is asked, for each way to fail. A good token stays.

use std::time::Instant;

use crate::harness::caller::Caller;
use crate::harness::eventually;
use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE};
use crate::harness::server::{AT_ONCE, Flags, Running, local};

/// What a caller gets.
enum Gets {
    /// WeChat's refusal as it is, with HTTP 200.
    WechatsWords(i64),
    /// The proxy's own error: HTTP 502, with these words in it.
    Unreachable(&'static str),
}

/// Cold: all who ask at once get the same error, and WeChat is asked once. Then with a good token: it is kept.
async fn what_happens_when(reply: Reply, gets: Gets) {
    let wechat = FakeWechat::start().await;
    wechat.always(STABLE, reply.clone());
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for answer in server.at_once(100, "/app/test/api").await {
        match gets {
            Gets::WechatsWords(errcode) => {
                assert_eq!((answer.status, answer.errcode()), (200, errcode), "{}", answer.text());
            }
            Gets::Unreachable(words) => {
                answer.is_refusal(502, -10014);
                assert!(answer.errmsg().contains(words), "{words}: {}", answer.text());
            }
        }
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=1000).contains(&wait), "{wait}");
    }
    assert_eq!(wechat.calls(STABLE), 1, "one question for all");
    it_is_remembered_or_backed_off(&server, &wechat, &gets).await;

    let good = FakeWechat::start().await;
    let (server, _database) = local(&good.url).await;
    server.register_cold("test", &[]).await;
    let token = server.token("test").await;
    good.always(STABLE, reply);
    let refreshed = server.get(&format!("/app/test/api/new?access_token={token}")).await;
    assert_ne!(refreshed.errcode(), 0, "no new one is to be had: {}", refreshed.text());
    let asked = Instant::now();
    assert_eq!(server.token("test").await, token, "the good one is served on");
    assert!(asked.elapsed() < AT_ONCE);
    assert_eq!(good.calls(STABLE), 2);
}

async fn it_is_remembered_or_backed_off(server: &Caller, wechat: &FakeWechat, gets: &Gets) {
    let asked = Instant::now();
    let mut requests = 0;
    while asked.elapsed().as_millis() < 900 {
        assert_ne!(server.get("/app/test/api").await.errcode(), 0);
        requests += 1;
    }
    assert!(requests >= 3, "errors are answered from memory: {requests}");
    match gets {
        Gets::WechatsWords(_) => assert_eq!(wechat.calls(STABLE), 1, "a refusal is not asked for again"),
        Gets::Unreachable(_) => assert!(wechat.calls(STABLE) <= 2, "{} calls for {requests}", wechat.calls(STABLE)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_500() {
    what_happens_when(Reply::Http(500, "<html>bad</html>"), Gets::Unreachable("HTTP status 500")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_a_gateways_502() {
    what_happens_when(Reply::Http(502, ""), Gets::Unreachable("HTTP status 502")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_drops_the_connection() {
    what_happens_when(Reply::Drop, Gets::Unreachable("broke before the answer was whole")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_breaks_off_in_the_middle_of_the_answer() {
    what_happens_when(Reply::Half, Gets::Unreachable("broke before the answer was whole")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_sends_half_an_answer_as_if_it_were_all() {
    what_happens_when(Reply::Cut, Gets::Unreachable("not what WeChat's documents promise")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_html() {
    let page = Reply::Page("text/html", "<html><h1>Please log in to this network</h1></html>");
    what_happens_when(page, Gets::Unreachable("not what WeChat's documents promise")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_an_empty_200() {
    what_happens_when(Reply::Page("application/json", ""), Gets::Unreachable("documents promise")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_a_token_without_a_life() {
    let reply = Reply::Json(serde_json::json!({"access_token": "80_x", "expires_in": 0}));
    what_happens_when(reply, Gets::Unreachable("expires_in")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_40013() {
    what_happens_when(Reply::errcode(40013, "invalid appid rid: 1-2-3"), Gets::WechatsWords(40013)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_45009() {
    let words = "reach max api daily quota limit rid: 1-2-3";
    what_happens_when(Reply::errcode(45009, words), Gets::WechatsWords(45009)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_40164() {
    let words = "invalid ip 120.244.112.8 ipv6 ::ffff:120.244.112.8, not in whitelist rid: 1-2-3";
    what_happens_when(Reply::errcode(40164, words), Gets::WechatsWords(40164)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_busy_for_a_moment() {
    let wechat = FakeWechat::start().await;
    wechat.next(STABLE, Reply::errcode(-1, "system error"));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    assert_eq!(server.get("/app/test/api").await.errcode(), -1);
    eventually("it is asked again by itself", async || {
        server.get("/app/test/api").await.status == 200 && server.get("/app/test/api").await.errcode() == 0
    })
    .await;
    assert_eq!(wechat.calls(STABLE), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_never_answers() {
    let wechat = FakeWechat::start().await;
    wechat.next(STABLE, Reply::Hang);
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    for answer in server.at_once(100, "/app/test/api").await {
        let refused = answer.is_refusal(502, -10014);
        assert!(refused.errmsg().contains("gave no answer within"), "{}", refused.text());
    }
    assert_eq!(wechat.calls(STABLE), 1);
    eventually("and then works again", async || server.get("/app/test/api").await.status == 200).await;
    assert_eq!(wechat.calls(STABLE), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_never_answers_a_refresh_and_the_good_token_is_served_meanwhile() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let token = server.token("test").await;
    wechat.next(STABLE, Reply::Hang);
    let target = format!("/app/test/api/new?access_token={token}");
    let (refreshed, ()) = tokio::join!(server.get(&target), async {
        wechat.has_received(STABLE, 2).await;
        for _ in 0..20 {
            assert_eq!(server.token("test").await, token);
        }
    });
    refreshed.is_refusal(502, -10014);
    assert_eq!(server.token("test").await, token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_not_there() {
    let wechat = FakeWechat::start().await;
    let url = wechat.url.clone();
    let address = url.strip_prefix("http://").unwrap().to_owned();
    drop(wechat);
    let free = async || std::net::TcpStream::connect(&address).is_err();
    eventually("its port is closed", free).await;
    let (server, _database) = local(&url).await;
    server.register_cold("test", &[]).await;
    let refused = server.get("/app/test/api").await.is_refusal(502, -10014);
    assert!(refused.errmsg().contains("no connection to"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_background_refresh_that_fails_is_tried_again_while_the_token_is_still_good() {
    let wechat = FakeWechat::start().await;
    wechat.next(STABLE, Reply::Issue(12));
    wechat.next(STABLE, Reply::Http(500, ""));
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    let first = server.token("test").await;
    eventually("the second try succeeds", async || {
        let answer = server.get("/app/test/api").await;
        assert!(wechat.is_good(&answer.token()), "{}", answer.text());
        answer.token() != first
    })
    .await;
    assert_eq!(wechat.calls(STABLE), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_outlives_a_restart() {
    let wechat = FakeWechat::start().await;
    wechat.always(STABLE, Reply::errcode(40125, "invalid appsecret rid: 1"));
    let database = crate::harness::databases::Database::sqlite();
    let flags = Flags::new(&database, &wechat.url);
    let first = Running::start(&flags).await;
    first.register_cold("test", &[]).await;
    assert_eq!(first.get("/app/test/api").await.errcode(), 40125);
    first.stop().await;
    let second = Running::start(&flags).await;
    assert_eq!(second.get("/app/test/api").await.errcode(), 40125);
    assert_eq!(wechat.calls(STABLE), 1);
}
