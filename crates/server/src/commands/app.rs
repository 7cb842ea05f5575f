//! `wechat-proxy app …`: registrations on the command line, in the database itself. A running server notices within a
//! second.

use std::io::Read;
use std::process::ExitCode;

use engine::Engine;
use engine::apps::Registration;
use engine::apps::view::View;
use secrecy::ExposeSecret;

use super::{cannot_start, complain, failed, say};
use crate::cli::AppCommand;
use crate::config::EXIT_CODE;
use crate::{Config, Server};

/// So many registrations are read at once.
const PAGE: u64 = 500;

/// Does what the command says.
pub(super) async fn run(config: &Config, command: AppCommand) -> ExitCode {
    // First the parameters: a mistake in them must not leave a new database behind.
    let work = match Work::of(command) {
        Ok(work) => work,
        Err(problems) => {
            problems.iter().for_each(|problem| complain(problem));
            return ExitCode::from(EXIT_CODE);
        }
    };
    let engine = match Server::engine_only(config).await {
        Ok(engine) => engine,
        Err(error) => return cannot_start(&error),
    };
    let done = match work {
        Work::Add(registration) => add(&engine, &registration).await,
        Work::List => list(&engine).await,
        Work::Show(key) => show(&engine, &key).await,
        Work::Remove(key) => remove(&engine, &key).await,
    };
    engine.store.close().await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failed(&reason),
    }
}

/// A command whose parameters are right.
enum Work {
    Add(Registration),
    List,
    Show(String),
    Remove(String),
}

impl Work {
    fn of(command: AppCommand) -> Result<Self, Vec<String>> {
        Ok(match command {
            AppCommand::Add { key, appid, secret, parameters } => {
                let flags = [("key", key), ("appid", appid), ("secret", secret)];
                let flags = flags.into_iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}")));
                Self::Add(registration(&flags.chain(parameters).collect::<Vec<_>>())?)
            }
            AppCommand::List => Self::List,
            AppCommand::Show { key } => Self::Show(key),
            AppCommand::Remove { key } => Self::Remove(key),
        })
    }
}

fn registration(parameters: &[String]) -> Result<Registration, Vec<String>> {
    let pairs = pairs(parameters).map_err(|problem| vec![problem])?;
    Registration::parse(&pairs).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn pairs(parameters: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let (name, value) = parameter.split_once('=').ok_or("parameters are given as NAME=VALUE, like key=test")?;
        let value = if value == "-" { from_standard_input(name)? } else { value.to_owned() };
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

async fn add(engine: &Engine, registration: &Registration) -> Result<(), String> {
    let receipt = engine.registrar.register(registration).await.map_err(|error| error.to_string())?;
    say(&format!("{} {}", if receipt.created { "registered" } else { "changed" }, receipt.key));
    if let Some(api_key) = receipt.api_key {
        say(&format!("api_key (shown this once): {}", api_key.expose_secret()));
    }
    Ok(())
}

/// A secret from standard input appears neither in the shell's history nor in the list of processes.
fn from_standard_input(name: &str) -> Result<String, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| format!("{name}: standard input: {error}"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn list(engine: &Engine) -> Result<(), String> {
    let mut after: Option<String> = None;
    loop {
        let apps = engine.registrar.list(after.as_deref(), PAGE).await.map_err(|error| error.to_string())?;
        let Some(last) = apps.last() else { return Ok(()) };
        after = Some(last.key.clone());
        apps.iter().for_each(|app| say(&format!("{}\t{}", app.key, app.appid)));
    }
}

async fn show(engine: &Engine, key: &str) -> Result<(), String> {
    let now = engine.clock.now();
    let found = engine.directory.find(key, now).await.map_err(|error| error.to_string())?;
    let registered = found.ok_or_else(|| format!("no registration is named '{key}'"))?;
    let view = serde_json::to_string_pretty(&View::of(&registered.app, now)).map_err(|error| error.to_string())?;
    say(&view);
    Ok(())
}

async fn remove(engine: &Engine, key: &str) -> Result<(), String> {
    if !engine.registrar.remove(key).await.map_err(|error| error.to_string())? {
        return Err(format!("no registration is named '{key}'"));
    }
    say(&format!("removed {key}"));
    Ok(())
}
