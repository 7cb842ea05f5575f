//! The command line: configuration, registrations beside a running server, check, sandbox.

use std::path::Path;

use crate::harness::caller::Caller;
use crate::harness::databases::Database;
use crate::harness::eventually;
use crate::harness::fake_wechat::{FakeWechat, STABLE};
use crate::harness::playground::Playground;
use crate::harness::process::{Ended, Process, Program, serve};
use crate::harness::server::{Flags, SECRET};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_a_list_and_exit_code_64_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    let wrong = Program::new(&["serve", "--listen", "nowhere", "--tls-cert", "c.pem"]).in_folder(home.path());
    let wrong = wrong.environment("WECHAT_PROXY_LOG", "xml").environment("WECHAT_PROXY_DATABASE", "redis://HUSH@x");
    let ended = wrong.run().await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(64), ""));
    let problems: Vec<&str> = ended.err.lines().filter(|line| line.contains("  - ")).collect();
    assert_eq!(problems.len(), 4, "{}", ended.err);
    for place in ["--listen", "--tls-cert", "WECHAT_PROXY_LOG", "WECHAT_PROXY_DATABASE"] {
        assert!(problems.iter().any(|problem| problem.contains(&format!("- {place}"))), "{place}: {}", ended.err);
    }
    assert!(!ended.err.contains("HUSH"), "{}", ended.err);
    for wrong in [&["serve", "--lisen", "x"][..], &["nonsense"], &["app", "add"], &["app", "add", "key"]] {
        assert_eq!(Program::new(wrong).in_folder(home.path()).run().await.code, Some(64), "{wrong:?}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");

    let reachable = Program::new(&["serve", "--listen", "0.0.0.0:0"]).in_folder(home.path()).run().await;
    assert_eq!(reachable.code, Some(64));
    assert!(reachable.err.contains("--public-url") && reachable.err.contains("--open"), "{}", reachable.err);
    for right in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        assert_eq!(Program::new(right).run().await.code, Some(0), "{right:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_beats_the_environment_which_beats_the_config_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("options.toml");
    let text = "listen = '127.0.0.2:0'\ndatabase = 'sqlite://from-file.db'\nlog = 'json'\n";
    std::fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let program = || Program::new(&["--config", &file]).in_folder(home.path());
    let mut from_file = program().start();
    assert!(from_file.url().await.starts_with("http://127.0.0.2:"));
    let mut from_environment = program().environment("WECHAT_PROXY_LISTEN", "127.0.0.3:0").start();
    assert!(from_environment.url().await.starts_with("http://127.0.0.3:"));
    let flagged = Program::new(&["--config", &file, "--listen", "127.0.0.4:0"]).in_folder(home.path());
    let mut from_flag = flagged.environment("WECHAT_PROXY_LISTEN", "127.0.0.3:0").start();
    assert!(from_flag.url().await.starts_with("http://127.0.0.4:"));
    assert!(home.path().join("from-file.db").exists() && home.path().join("wechat-proxy.key").exists());
    assert!(from_flag.err().lines().all(|line| line.starts_with('{')), "{}", from_flag.err());
}

async fn app(flags: &Flags, arguments: &[&str]) -> Ended {
    Program::new(&[&["app"], arguments].concat()).flags(flags).run().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_made_on_the_command_line_are_noticed_by_a_running_server() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url);
    let mut process = serve(&flags).start();
    let server = process.caller().await;
    server.get("/app/测试/api").await.is_refusal(404, -10004);

    let secret =
        Program::new(&["app", "add", "key=测试", "appid=wx1", "secret=-", "call=/api", "token=HUSH"]).flags(&flags);
    let added = secret.input(&format!("{SECRET}\n")).run().await;
    assert_eq!(added.code, Some(0), "{}", added.err);
    assert!(added.out.contains("registered 测试") && added.out.contains("api_key"), "{}", added.out);
    assert_eq!(wechat.calls(STABLE), 1, "it was checked");
    eventually("it is there", async || server.get("/app/测试/api").await.status == 200).await;
    assert_eq!(wechat.calls(STABLE), 1, "and its token with it");
    server.get("/app/测试/jsapi").await.is_refusal(403, -10011);

    let changed = app(&flags, &["add", "key=测试", "appid=wx1", &format!("secret={SECRET}"), "call="]).await;
    assert!(changed.out.contains("changed 测试") && !changed.out.contains("api_key"), "{}{}", changed.out, changed.err);
    eventually("the change is there", async || server.get("/app/测试/jsapi").await.status == 200).await;

    let listed = app(&flags, &["list"]).await;
    assert_eq!((listed.code, listed.out.as_str()), (Some(0), "测试\twx1\n"));
    let shown = app(&flags, &["show", "测试"]).await;
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown, server.get("/app/测试").await.json());
    assert_eq!(shown["token"], "********");

    assert_eq!(app(&flags, &["remove", "测试"]).await.code, Some(0));
    eventually("it is gone", async || server.get("/app/测试/api").await.status == 404).await;
    for missing in [&["remove", "测试"][..], &["show", "测试"]] {
        let ended = app(&flags, missing).await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.err.contains("no registration is named '测试'"), "{}", ended.err);
    }
    let wrong = app(&flags, &["add", "key=a/b", "appid=", "secret=x"]).await;
    assert_eq!(wrong.code, Some(64));
    assert!(wrong.err.contains("key must hold") && wrong.err.contains("appid is missing"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_token_is_shown_once_by_the_first_public_server() {
    let wechat = FakeWechat::start().await;
    let database = Database::sqlite();
    let flags = Flags::new(&database, &wechat.url).and("--public-url", "https://wx.example.com");
    // Other commands on the same configuration come first, and must not use the one showing up.
    assert_eq!(app(&flags, &["list"]).await.code, Some(0));
    Program::new(&["check"]).flags(&flags).run().await;

    let mut first = serve(&flags).start();
    let server = first.caller().await;
    first.says("shown this once").await;
    first.says("\n    ").await;
    first.says("\n\n").await;
    let out = first.out();
    let token = out.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
    assert_eq!(server.bearer(token).get("/metrics").await.status, 200, "{out}");
    server.get("/metrics").await.is_refusal(401, -10009);
    assert!(!first.err().contains(token), "the log does not have it");
    first.kill().await;

    let mut second = serve(&flags).start();
    let server = second.caller().await;
    assert_eq!(server.bearer(token).get("/metrics").await.status, 200);
    assert!(!second.out().contains(token) && !second.out().contains("shown this once"), "{}", second.out());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_is_wrong_and_what_to_do() {
    let platform = Playground::start().await;
    let account = platform.official();
    let database = Database::sqlite();
    let flags = Flags::new(&database, &platform.url);
    let check =
        async |language: &str| Program::new(&["check"]).flags(&flags).environment("LC_ALL", language).run().await;
    let empty = check("en_US.UTF-8").await;
    assert_eq!(empty.code, Some(0), "{}", empty.out);
    assert!(
        empty.out.contains("no account is registered yet") && empty.out.contains("no server listens"),
        "{}",
        empty.out
    );

    let secret = format!("secret={}", account.secret);
    let appid = format!("appid={}", account.appid);
    assert_eq!(app(&flags, &["add", "key=good", &appid, &secret]).await.code, Some(0));
    let good = check("en_US.UTF-8").await;
    assert_eq!(good.code, Some(0), "{}", good.out);
    assert!(good.out.contains("appid and secret are good"), "{}", good.out);
    assert!(check("zh_CN.UTF-8").await.out.contains("appid 和 secret 正确"));

    let other = platform.official();
    let path = format!("/sandbox/accounts/{}", other.appid);
    let list = br#"{"ip_allow_list":["203.0.113.1"]}"#.to_vec();
    Caller::of(&platform.url).send(http::Method::PATCH, &path, None, list).await;
    let (appid, secret) = (format!("appid={}", other.appid), format!("secret={}", other.secret));
    assert_eq!(app(&flags, &["add", "key=blocked", &appid, &secret, "check=false"]).await.code, Some(0));
    let bad = check("en_US.UTF-8").await;
    assert_eq!(bad.code, Some(1), "{}", bad.out);
    assert!(bad.out.contains("FAIL") && bad.out.contains("40164"), "{}", bad.out);
    assert!(bad.out.contains("add 127.0.0.1 to the IP allow list"), "it names the address: {}", bad.out);
    assert!(!bad.out.contains(&other.secret), "{}", bad.out);

    let nowhere = Flags::new(&database, "http://127.0.0.1:1");
    let unreachable = Program::new(&["check"]).flags(&nowhere).run().await;
    assert_eq!(unreachable.code, Some(1));
    assert!(unreachable.out.contains("cannot be reached"), "{}", unreachable.out);
}

/// Runs a line as a person would who copied it.
async fn typed(line: &str) -> String {
    let ended =
        Program::of("/bin/sh".into(), &["-c", &line.replacen("curl ", "curl -sS --noproxy '*' ", 1)]).run().await;
    assert_eq!((ended.code, ended.signal), (Some(0), None), "{line}: {}", ended.err);
    ended.out
}

/// The same, until the proxy has heard of the payment that it is about: WeChat tells it a moment later.
async fn typed_when_paid(line: &str) -> String {
    let mut answer = String::new();
    eventually(line, async || {
        answer = typed(line).await;
        !answer.contains("\"errcode\":-10031,")
    })
    .await;
    answer
}

async fn every_printed_line_works(sandbox: &mut Process) {
    sandbox.says("Ctrl-C").await;
    let out = sandbox.out();
    let lines: Vec<&str> = out.lines().map(str::trim).filter(|line| line.starts_with("curl ")).collect();
    assert!(lines.len() >= 6, "{out}");
    let mut answers = Vec::new();
    for line in &lines {
        let answer = typed_when_paid(line).await;
        let json: serde_json::Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{line}: {answer}"));
        assert_eq!(json["errcode"].as_i64().unwrap_or(0), 0, "{line}: {answer}");
        answers.push(json);
    }
    let token = |number: usize| answers[number]["access_token"].as_str().unwrap();
    assert_eq!(token(0), token(1), "the same token twice");
    assert_ne!(token(2), token(0), "a new one");
    assert!(answers.iter().any(|answer| answer["ticket"].is_string()));
    assert!(answers.iter().any(|answer| answer["key"] == "测试" && answer["api_key"].is_string()));
    let of_the_new_key = lines.iter().position(|line| line.contains("/app/测试/api")).unwrap();
    assert_eq!(token(of_the_new_key), token(2), "the account is the same");
    assert!(answers.iter().any(|answer| answer["trade_state"] == "SUCCESS"), "{answers:?}");
    let refund = lines.iter().position(|line| line.contains("/pay/refund?")).unwrap();
    assert_eq!((&answers[refund]["out_refund_no"], &answers[refund]["refund_fee"]), (&"demo0001r".into(), &1.into()));
    pays_over_both_versions(&out).await;
}

/// The demo merchant has what refunds over API v2 need as well: TLS, and a certificate.
async fn pays_over_both_versions(out: &str) {
    let url = |path: &str| {
        let words = out.split_whitespace().map(|word| word.trim_matches('\''));
        let found = words.filter(|word| word.contains(path)).map(|word| word.replace("/app/test/", "/app/v2/"));
        found.map(|word| word.replace("demo0001", "demo0002")).next().unwrap_or_else(|| panic!("{path} in {out}"))
    };
    let order = typed(&format!("curl '{}'", url("/app/test/pay?"))).await;
    assert!(order.contains("weixin://wxpay/bizpayurl"), "{order}");
    typed(&format!("curl -X POST '{}'", url("/orders/demo0001/pay"))).await;
    let refund = typed_when_paid(&format!("curl '{}'", url("/pay/refund?"))).await;
    assert!(refund.contains("\"refund_fee\":1") && refund.contains("\"return_msg\":\"OK\""), "{refund}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_prints_lines_that_work_as_printed_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0"];
    let mut sandbox = Program::new(&arguments).in_folder(home.path()).start();
    every_printed_line_works(&mut sandbox).await;
    sandbox.signal("INT");
    let ended = sandbox.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_does_not_mind_the_environment_of_a_real_server() {
    let home = tempfile::tempdir().unwrap();
    let real = home.path().join("real.db");
    let missing = Path::new("/nothing/here.pem").display().to_string();
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0"];
    let mut sandbox = Program::new(&arguments)
        .environment("WECHAT_PROXY_PUBLIC_URL", "https://wx.example.com")
        .environment("WECHAT_PROXY_ADMIN_TOKEN", "real")
        .environment("WECHAT_PROXY_DATABASE", &format!("sqlite://{}", real.display()))
        .environment("WECHAT_PROXY_MASTER_KEY", &missing)
        .environment("WECHAT_PROXY_TLS_CERT", &missing)
        .environment("WECHAT_PROXY_TLS_KEY", &missing)
        .environment("WECHAT_PROXY_API_URL", "http://127.0.0.1:1")
        .start();
    every_printed_line_works(&mut sandbox).await;
    assert!(!real.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_alone_runs_without_a_proxy() {
    let mut alone = Program::new(&["sandbox", "--platform-only", "--platform-listen", "127.0.0.1:0"]).start();
    alone.says("/sandbox/").await;
    let out = alone.out();
    let (_, rest) = out.split_once("http://").unwrap();
    let address = rest.split_whitespace().next().unwrap();
    let platform = Caller::of(&format!("http://{address}"));
    assert_eq!(platform.get("/cgi-bin/token?grant_type=client_credential&appid=x&secret=y").await.errcode(), 40013);
    let tls = platform.get("/sandbox/tls").await.json();
    assert!(out.contains(tls["url"].as_str().unwrap()) && out.contains("/sandbox/ca.pem"), "{tls}: {out}");
    let refused = Program::new(&["sandbox", "--platform-listen", "0.0.0.0:0"]).run().await;
    assert!(refused.code != Some(0) && refused.err.contains("loopback"), "{}", refused.err);
}
