//! Running it: health, metrics, request ids, a stop in order, a database that goes away.

use std::time::{Duration, Instant};

use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::{FakeWechat, Reply, STABLE};
use crate::harness::process::{Process, Program, serve};
use crate::harness::relay::Relay;
use crate::harness::server::{AT_ONCE, Flags, Running, local};

/// Told to stop, it ends well within ten seconds.
async fn ends_in_time(process: Process) {
    process.signal("TERM");
    let signalled = Instant::now();
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_requests_calls_and_refreshes_by_name() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("测试", &[]).await;
    for _ in 0..3 {
        server.token("测试").await;
    }
    server.get("/app/nobody/api").await;
    server.get("/nothing/with/a/HUSH").await;
    wechat.next(STABLE, Reply::errcode(45009, "quota"));
    server.get("/app/测试/api/new").await;
    let answer = server.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.text();
    for line in [
        r#"wechat_proxy_http_requests_total{route="/app/{key}/api",status="200"} 3"#,
        r#"wechat_proxy_http_requests_total{route="/app/{key}/api",status="404"} 1"#,
        r#"wechat_proxy_http_requests_total{route="/{file}/{*path}",status="404"} 1"#,
        r#"wechat_proxy_http_requests_total{route="/register",status="200"} 1"#,
        r#"wechat_proxy_upstream_calls_total{api="/cgi-bin/stable_token",errcode="0"} 1"#,
        r#"wechat_proxy_upstream_calls_total{api="/cgi-bin/stable_token",errcode="45009"} 1"#,
        r#"wechat_proxy_refreshes_total{kind="stable_token",outcome="ok"} 1"#,
        r#"wechat_proxy_refreshes_total{kind="stable_token",outcome="failed"} 1"#,
        r#"wechat_proxy_token_age_seconds{credential="stable_token:wx0123456789abcdef"}"#,
        r#"wechat_proxy_token_expires_in_seconds{credential="stable_token:wx0123456789abcdef"}"#,
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} in:\n{text}");
    }
    assert!(!text.contains("HUSH") && !text.contains("测试"), "no path and no key becomes a label:\n{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_a_request_id_and_a_good_one_comes_back() {
    let wechat = FakeWechat::start().await;
    let (server, _database) = local(&wechat.url).await;
    server.register_cold("test", &[]).await;
    server.token("test").await;
    for path in ["/app/test/api", "/app/test", "/app/nobody/api", "/nothing", "/register", "/healthz"] {
        let ids =
            [server.get(path).await, server.get(path).await].map(|answer| answer.header("x-request-id").to_owned());
        assert!(ids[0].len() == 16 && ids[0] != ids[1], "{path}: {ids:?}");
        let answer = server.with("x-request-id", "from-the-caller_1.2").get(path).await;
        assert_eq!(answer.header("x-request-id"), "from-the-caller_1.2", "{path}");
        let answer = server.with("x-request-id", "not good").get(path).await;
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_postgresql_goes_away_tokens_in_memory_are_served_and_it_recovers_by_itself() {
    if let Some(database) = Database::postgres().await {
        the_database_goes_away(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_mariadb_goes_away_tokens_in_memory_are_served_and_it_recovers_by_itself() {
    if let Some(database) = Database::mariadb().await {
        the_database_goes_away(&database).await;
    }
}

async fn the_database_goes_away(database: &Database) {
    let wechat = FakeWechat::start().await;
    let relay = Relay::to(&database.address()).await;
    let flags = Flags::new(database, &wechat.url).but("--database", &database.url_by(relay.address.port()));
    let server = Running::start(&flags).await;
    server.register_cold("test", &[]).await;
    let token = server.token("test").await;
    assert_eq!(server.get("/readyz").await.status, 200);

    relay.cut();
    eventually("it says that it is not ready", async || server.get("/readyz").await.status == 503).await;
    let refused = server.get("/readyz").await.is_refusal(503, -10016);
    assert!(refused.errmsg().contains("database"), "{}", refused.text());
    assert!(!refused.text().contains("te/st") && !refused.text().contains("te%2Fst"), "without the password");
    assert_eq!(server.get("/healthz").await.status, 200, "the process runs");
    let asked = Instant::now();
    assert_eq!(server.token("test").await, token, "what is in memory is served");
    assert!(asked.elapsed() < AT_ONCE);
    server.get("/app/never-loaded/api").await.is_refusal(503, -10016);
    server.get("/register?key=new&appid=wx1&secret=s&check=false").await.is_refusal(503, -10016);

    relay.mend();
    eventually("it is ready again", async || server.get("/readyz").await.status == 200).await;
    server.register_cold("new", &[]).await;
    assert_eq!(server.token("new").await, token);
    assert_eq!(wechat.calls(STABLE), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_a_request_in_flight_finish_and_ends_with_success() {
    for signal in ["TERM", "INT"] {
        let wechat = FakeWechat::start().await;
        let database = Database::sqlite();
        let mut process = serve(&Flags::new(&database, &wechat.url)).start();
        let caller = process.caller().await;
        caller.register_cold("test", &[]).await;
        wechat.close_the_door();
        let in_flight = caller.get("/app/test/api");
        let stopped = async {
            wechat.has_received(STABLE, 1).await;
            process.signal(signal);
            eventually("it stops accepting", async || caller.clone().try_get("/healthz").await.is_err()).await;
            wechat.open_the_door();
        };
        let (answer, ()) = tokio::join!(in_flight, stopped);
        assert!(wechat.is_good(&answer.token()), "the request is finished");
        assert_eq!(process.ended().await.code, Some(0));
        let mut next = serve(&Flags::new(&database, &wechat.url)).start();
        assert_eq!(next.caller().await.token("test").await, answer.token(), "and what it fetched is kept");
        assert_eq!(wechat.calls(STABLE), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_takes_at_most_ten_seconds_whatever_is_in_flight() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let mut process = serve(&Flags::new(&database, &wechat.url)).start();
    let caller = process.caller().await;
    caller.register_cold("test", &[]).await;
    wechat.always(STABLE, Reply::Hang);
    // A client that sends half a request and waits, one that sends nothing, and a request that waits for WeChat.
    let address = process.url().await.strip_prefix("http://").unwrap().to_owned();
    let mut slow = std::net::TcpStream::connect(&address).unwrap();
    std::io::Write::write_all(&mut slow, b"POST /register HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nkey")
        .unwrap();
    let _idle = std::net::TcpStream::connect(&address).unwrap();
    let waiting = async {
        // Whether it still gets an answer does not matter here.
        let _ = caller.try_get("/app/test/api").await;
    };
    let stopped = async {
        wechat.has_received(STABLE, 1).await;
        ends_in_time(process).await;
    };
    tokio::join!(waiting, stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_takes_at_most_ten_seconds_also_when_wechat_and_the_database_are_silent() {
    let Some(database) = Database::postgres().await else { return };
    let wechat = FakeWechat::start().await;
    let relay = Relay::to(&database.address()).await;
    let flags = Flags::new(&database, &wechat.url).but("--database", &database.url_by(relay.address.port()));
    let mut process = serve(&flags).start();
    let caller = process.caller().await;
    caller.register_cold("test", &[]).await;
    wechat.always(STABLE, Reply::Hang);
    let waiting = async {
        let _ = caller.try_get("/app/test/api").await;
    };
    let stopped = async {
        wechat.has_received(STABLE, 1).await;
        relay.silence();
        ends_in_time(process).await;
    };
    tokio::join!(waiting, stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_served_directly_with_http_1_and_2() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (database.folder().join("cert.pem"), database.folder().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let [cert, key] = [cert, key].map(|file| file.display().to_string());
    let flags = Flags::new(&database, &wechat.url).and("--tls-cert", &cert).and("--tls-key", &key);
    let server = Running::start(&flags).await;
    let url = server.url.replace("http://127.0.0.1", "https://localhost");
    for caller in Caller::trusting(&url, made.cert.pem().as_bytes()) {
        caller.register_cold("test", &[]).await;
        assert!(wechat.is_good(&caller.token("test").await));
        assert_eq!(caller.get("/app/test").await.status, 200);
    }
    assert!(server.try_get("/healthz").await.is_err(), "no plain HTTP there");
    let swapped = Flags::new(&database, &wechat.url).and("--tls-cert", &key).and("--tls-key", &cert);
    let ended = serve(&swapped).run().await;
    assert_eq!(ended.code, Some(64));
    assert!(ended.err.contains("--tls-cert") && ended.err.contains("no certificate"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_said_and_the_database_is_not_touched() {
    let wechat = FakeWechat::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let database = Database::sqlite();
    let ended = serve(&Flags::new(&database, &wechat.url).but("--listen", &address)).run().await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains(&address) && ended.err.contains("--listen"), "{}", ended.err);
    assert_eq!(std::fs::read_dir(database.folder()).unwrap().count(), 0, "nothing was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_written_is_said_with_what_to_do() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url);
    let server = Running::start(&flags).await;
    server.register_cold("test", &[]).await;
    server.stop().await;
    let before = database.bytes();
    let mut permissions = std::fs::metadata(database.folder()).unwrap().permissions();
    for (path, mode) in [("proxy.db", 0o444), ("master.key", 0o444), ("", 0o555)] {
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, mode);
        std::fs::set_permissions(database.folder().join(path), permissions.clone()).unwrap();
    }
    // Root may write everywhere; a copy of the program in a place for everyone is started as somebody else then.
    let home = tempfile::tempdir().unwrap();
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(home.path()).unwrap()) == 0;
    let program = if is_root {
        let copy = home.path().join("wechat-proxy");
        std::fs::copy(env!("CARGO_BIN_EXE_wechat-proxy"), &copy).unwrap();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        std::fs::set_permissions(home.path(), permissions.clone()).unwrap();
        Program::of(copy, &["serve"]).by_user(65534)
    } else {
        Program::new(&["serve"])
    };
    let ended = program.in_folder(std::path::Path::new("/")).flags(&flags).run().await;
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(database.folder(), permissions).unwrap();
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert!(ended.err.contains("writable"), "{}", ended.err);
    assert_eq!(database.bytes(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_be_reached_is_said_without_its_password() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    std::fs::write(database.master_key(), "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
    for url in ["postgres://proxy:HUSHPASSWORD@127.0.0.1:1/x", "mysql://proxy:HUSHPASSWORD@127.0.0.1:1/x"] {
        let flags = Flags::new(&database, &wechat.url).but("--database", url);
        let ended = serve(&flags).environment("RUST_LOG", "debug").run().await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains("check that it runs"), "{}", ended.err);
        assert!(!ended.err.contains("HUSH") && !ended.out.contains("HUSH"), "{}", ended.err);
    }
}
