//! `wechat-proxy app …`: registrations on the command line, in the database itself. A running server notices within a
//! second.

use std::io::Read;
use std::process::ExitCode;

use engine::Engine;
use engine::apps::Registration;
use engine::apps::view::View;
use secrecy::ExposeSecret;

use super::{complain, failed, say};
use crate::cli::AppCommand;
use crate::config::EXIT_CODE;
use crate::{Config, Server};

/// So many registrations are read at once.
const PAGE: u64 = 500;

/// Does what the command says.
pub(super) async fn run(config: &Config, command: AppCommand) -> ExitCode {
    let engine = match Server::engine_only(config).await {
        Ok(engine) => engine,
        Err(error) => return failed(&error.to_string()),
    };
    let done = match command {
        AppCommand::Add { key, appid, secret, parameters } => {
            let flags = [("key", key), ("appid", appid), ("secret", secret)];
            let flags = flags.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}")));
            add(&engine, &flags.chain(parameters).collect::<Vec<_>>()).await
        }
        AppCommand::List => list(&engine).await,
        AppCommand::Show { key } => show(&engine, &key).await,
        AppCommand::Remove { key } => remove(&engine, &key).await,
    };
    engine.store.close().await;
    done.unwrap_or_else(|reason| failed(&reason))
}

async fn add(engine: &Engine, parameters: &[String]) -> Result<ExitCode, String> {
    let mut pairs = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').ok_or("parameters are given as NAME=VALUE, like key=test")?;
        let value = if value == "-" { from_standard_input(name)? } else { value.to_owned() };
        pairs.push((name.to_owned(), value));
    }
    let registration = match Registration::parse(&pairs) {
        Ok(registration) => registration,
        Err(problems) => {
            problems.iter().for_each(|problem| complain(&problem.to_string()));
            return Ok(ExitCode::from(EXIT_CODE));
        }
    };
    let receipt = engine.registrar.register(&registration).await.map_err(|error| error.to_string())?;
    say(&format!("{} {}", if receipt.created { "registered" } else { "changed" }, receipt.key));
    if let Some(api_key) = receipt.api_key {
        say(&format!("api_key (shown this once): {}", api_key.expose_secret()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A secret from standard input appears neither in the shell's history nor in the list of processes.
fn from_standard_input(name: &str) -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| format!("{name}: standard input: {error}"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn list(engine: &Engine) -> Result<ExitCode, String> {
    let mut after: Option<String> = None;
    loop {
        let apps = engine.registrar.list(after.as_deref(), PAGE).await.map_err(|error| error.to_string())?;
        let Some(last) = apps.last() else { return Ok(ExitCode::SUCCESS) };
        after = Some(last.key.clone());
        apps.iter().for_each(|app| say(&format!("{}\t{}", app.key, app.appid)));
    }
}

async fn show(engine: &Engine, key: &str) -> Result<ExitCode, String> {
    let now = engine.clock.now();
    let found = engine.directory.find(key, now).await.map_err(|error| error.to_string())?;
    let registered = found.ok_or_else(|| format!("no registration is named '{key}'"))?;
    let view = serde_json::to_string_pretty(&View::of(&registered.app, now)).map_err(|error| error.to_string())?;
    say(&view);
    Ok(ExitCode::SUCCESS)
}

async fn remove(engine: &Engine, key: &str) -> Result<ExitCode, String> {
    if !engine.registrar.remove(key).await.map_err(|error| error.to_string())? {
        return Err(format!("no registration is named '{key}'"));
    }
    say(&format!("removed {key}"));
    Ok(ExitCode::SUCCESS)
}
