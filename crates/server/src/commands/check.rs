//! `wechat-proxy check`: what is wrong, and what to do about it. Exits 1 when something does not work.

use std::process::ExitCode;
use std::time::Duration;

use engine::check::{Finding, Grade, Language};
use tokio::net::TcpStream;

use super::{cannot_start, say};
use crate::{Config, Server};

/// How long the server itself may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks everything and tells what was found.
pub(super) async fn run(config: &Config) -> ExitCode {
    let language = language();
    let engine = match Server::engine_only(config).await {
        Ok(engine) => engine,
        Err(error) => return cannot_start(&error),
    };
    let mut findings = engine::check::run(&engine, language).await;
    findings.push(listening(config, language).await);
    engine.store.close().await;
    findings.iter().for_each(tell);
    let is_bad = findings.iter().any(|finding| finding.grade == Grade::Bad);
    if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn listening(config: &Config, language: Language) -> Finding {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(config.listen)).await;
    let runs = matches!(connected, Ok(Ok(_)));
    let address = config.listen;
    let seen = match (language, runs) {
        (Language::Chinese, true) => format!("{address} 上有服务在监听"),
        (Language::English, true) => format!("a server listens on {address}"),
        (Language::Chinese, false) => format!("{address} 上没有服务在监听"),
        (Language::English, false) => format!("no server listens on {address}"),
    };
    let start = match language {
        Language::Chinese => "用 wechat-proxy serve 启动",
        Language::English => "start it with wechat-proxy serve",
    };
    let grade = if runs { Grade::Good } else { Grade::Warning };
    Finding { grade, seen, advice: (!runs).then(|| start.to_owned()) }
}

fn tell(finding: &Finding) {
    let mark = match finding.grade {
        Grade::Good => "ok  ",
        Grade::Warning => "warn",
        Grade::Bad => "FAIL",
    };
    say(&format!("{mark}  {}", finding.seen));
    if let Some(advice) = &finding.advice {
        say(&format!("      → {advice}"));
    }
}

/// Chinese where the locale says so, else English.
fn language() -> Language {
    let locale =
        ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    match locale {
        Some(locale) if locale.starts_with("zh") => Language::Chinese,
        _ => Language::English,
    }
}
