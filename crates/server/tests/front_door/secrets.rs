//! No secret where it does not belong: the bytes of the database, the logs, what is shown, errors.

use crate::harness::caller::{Caller, encoded};
use crate::harness::databases::Database;
use crate::harness::fake_wechat::{CLASSIC, FakeWechat, Reply, STABLE, TICKET};
use crate::harness::merchant_files::{certificate_and_key, line_of, private_key};
use crate::harness::process::serve;
use crate::harness::server::Flags;

/// Secrets that are given, each recognisable.
fn given() -> [(&'static str, &'static str); 7] {
    [
        ("secret", "HUSHsecret0123456789abcdef012345"),
        ("token", "HUSHcallbacktoken"),
        ("aes", "HUSHaesabcdefghijklmnopqrstuvwxyz0123456789"),
        ("mch_key", "HUSHmchkey"),
        ("apiv3_key", "HUSHapiv3key0123456789abcdef0123"),
        ("mch_private_key", private_key()),
        ("mch_cert", certificate_and_key()),
    ]
}
const ADMIN: &str = "HUSHadmintoken0123456789";

/// Says where it was found, but not what.
fn none_of(secrets: &[String], bytes: &[u8], place: &str) {
    for (number, secret) in secrets.iter().enumerate() {
        let found = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        let around = found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(120)..at]).into_owned());
        assert_eq!(around, None, "secret {number} ({}…) is in {place}, after this", secret.get(..8).unwrap());
    }
}

async fn live_a_life(server: &Caller, wechat: &FakeWechat) -> Vec<String> {
    let operator = server.bearer(ADMIN);
    let mut pairs = vec![("key", "test"), ("appid", "wx0123456789abcdef")];
    pairs.extend(given());
    let registered = operator.register(&pairs).await;
    let mut secrets: Vec<String> = given().iter().take(5).map(|(_, value)| (*value).to_owned()).collect();
    // A key is stored in one form, however it was pasted: its lines are looked for.
    secrets.push(line_of(private_key()).to_owned());
    secrets.extend([ADMIN.to_owned(), registered["api_key"].as_str().unwrap().to_owned()]);
    let rotated = operator.post_form("/register", &[&pairs[..], &[("rotate", "api_key")]].concat()).await;
    secrets.push(rotated.json()["api_key"].as_str().unwrap().to_owned());
    let team = server.bearer(secrets.last().unwrap());
    let token = team.token("test").await;
    let renewed = team.get(&format!("/app/test/api/new?access_token={token}")).await.token();
    secrets.extend([token, renewed]);
    secrets.push(team.get("/app/test/jsapi").await.ticket());
    secrets.push(team.get("/app/test/js/card").await.ticket());
    secrets.push(team.get("/app/test/qyapi").await.token());
    operator.register(&[&pairs[..], &[("token_mode", "classic")]].concat()).await;
    secrets.push(team.token("test").await);
    secrets.extend(live_as_an_sdk(&server.with("x-sdk", "1"), &team, wechat, &secrets).await);
    everything_goes_wrong(&operator, &team, wechat, &pairs, &secrets).await;
    secrets
}

/// Virtual tokens, calls that pass through well and badly, and a user of a mini program; gives what is secret of them.
async fn live_as_an_sdk(sdk: &Caller, team: &Caller, wechat: &FakeWechat, known: &[String]) -> Vec<String> {
    const SESSION_KEY: &str = "SFVTSHNlc3Npb25rZXk9PQ==";
    let shown = [("grant_type", "client_credential"), ("appid", "wx0123456789abcdef"), given()[0]];
    let virtual_token = sdk.get(&format!("{CLASSIC}?{}", encoded(&shown))).await.token();
    let dead = Reply::errcode(40001, "invalid credential");
    for reply in [Reply::Json(serde_json::json!({"a": 1})), dead, Reply::Half, Reply::Drop, Reply::Http(500, "failed")]
    {
        wechat.next("/cgi-bin/user/info", reply);
        let answer = sdk.get(&format!("/cgi-bin/user/info?openid=o&access_token={virtual_token}")).await;
        none_of(known, &answer.body, "an answer to an SDK");
    }
    sdk.get(&format!("/cgi-bin/user/info?access_token={virtual_token}x")).await;
    let session = serde_json::json!({"openid": "o", "session_key": SESSION_KEY});
    wechat.next("/sns/jscode2session", Reply::Json(session));
    let user = team.get("/app/test/login?js_code=HUSHjscode").await.json();
    assert_eq!(user["session_key"], SESSION_KEY);
    let session = user["session"].as_str().unwrap().to_owned();
    let pairs = [("session", session.as_str()), ("encryptedData", "HUSHdata"), ("iv", "HUSHiv")];
    team.post_form("/app/test/login/decrypt", &pairs).await;
    vec![virtual_token, SESSION_KEY.to_owned(), session]
}

fn but<'a>(pairs: &[(&'a str, &'a str)], replaced: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    pairs.iter().map(|&(name, old)| (name, if name == replaced { value } else { old })).collect()
}

/// Errors, each of which could hold something.
async fn everything_goes_wrong(
    operator: &Caller,
    team: &Caller,
    wechat: &FakeWechat,
    pairs: &[(&str, &str)],
    secrets: &[String],
) {
    let mut answers =
        vec![team.get("/app/test").await, operator.get("/admin/apps").await, operator.get("/metrics").await];
    answers.push(operator.post_form("/register", &but(pairs, "appid", "wx_other")).await);
    answers.push(operator.post_form("/register", &but(pairs, "key", "a/b")).await);
    answers.push(operator.post_form("/register", &[pairs, &[("secret", "HUSHtwice")]].concat()).await);
    answers.push(operator.get(&format!("/register?{}&expires=never", encoded(pairs))).await);
    answers.push(team.bearer("HUSHwrongkey").get("/app/test/api").await);
    answers.push(team.basic("test", "HUSHwrongpassword").get("/app/test/api").await);
    answers.push(operator.get("/echo?a=b").await);
    for reply in [Reply::Http(500, "HUSH"), Reply::Drop, Reply::Half, Reply::Cut, Reply::Page("text/html", "HUSH")] {
        for path in [STABLE, CLASSIC, TICKET] {
            wechat.next(path, reply.clone());
        }
        answers.push(team.get("/app/test/api/new").await);
        let appid = format!("wx_{}", answers.len());
        let mut unproven = but(pairs, "appid", &appid);
        unproven[0].1 = "another";
        answers.push(operator.post_form("/register", &unproven).await);
    }
    for answer in answers {
        none_of(secrets, &answer.body, "an answer");
        none_of(&["HUSH".to_owned()], &answer.body, "an answer");
        none_of(secrets, format!("{:?}", answer.headers).as_bytes(), "headers of an answer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_the_database_files_the_log_or_an_answer() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url).and("--public-url", "https://wx.example.com");
    let program = serve(&flags).environment("RUST_LOG", "debug").environment("WECHAT_PROXY_ADMIN_TOKEN", ADMIN);
    let mut process = program.start();
    let server = process.caller().await;
    let mut secrets = live_a_life(&server, &wechat).await;
    secrets.push("HUSH".to_owned());
    assert!(secrets.iter().all(|secret| secret.len() >= 4) && secrets.len() >= 16);

    // While it runs, with what is only in the write-ahead log.
    let files = std::fs::read_dir(database.folder()).unwrap().map(|file| file.unwrap().file_name());
    assert!(files.into_iter().any(|name| name == "proxy.db-wal"));
    none_of(&secrets, &database.bytes(), "the database files");
    assert!(database.bytes().windows(4).any(|window| window == b"test"), "the search would find something");
    process.signal("TERM");
    let ended = process.ended().await;
    none_of(&secrets, &database.bytes(), "the database files after the end");
    none_of(&secrets, ended.out.as_bytes(), "standard output");
    none_of(&secrets, ended.err.as_bytes(), "the log");
    assert!(ended.err.contains("DEBUG") && ended.err.contains("registered"), "the log says something: {}", ended.err);
    assert!(!ended.err.contains("/register?"), "no query string of /register");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_with_secrets_are_for_their_owner_alone() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let mut process = serve(&Flags::new(&database, &wechat.url)).start();
    process.caller().await.register_cold("test", &[]).await;
    for file in std::fs::read_dir(database.folder()).unwrap().map(|file| file.unwrap()) {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", file.path().display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_a_shared_database_is_not_in_the_log() {
    let Some(database) = Database::postgres().await else { return };
    let wechat = FakeWechat::start().await;
    let url = url::Url::parse(&database.url).unwrap();
    let encoded = url.password().unwrap().to_owned();
    let plain = percent_encoding::percent_decode_str(&encoded).decode_utf8().unwrap().into_owned();
    let mut process = serve(&Flags::new(&database, &wechat.url)).environment("RUST_LOG", "debug").start();
    process.caller().await.register_cold("test", &[]).await;
    process.signal("TERM");
    let ended = process.ended().await;
    none_of(&[encoded, plain, database.url.clone()], format!("{}{}", ended.out, ended.err).as_bytes(), "the log");
}
