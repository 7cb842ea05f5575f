//! What the program does: one file for each command, and what they share.
//!
//! People read standard output (banners, lists, the new admin token); the log goes to standard error.

mod app;
mod check;
mod message;
mod order;
mod sandbox;
mod serve;

use std::io::Write;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::cli::{AppCommand, Cli, Command, MessageCommand, Options, OrderCommand};
use crate::config::{self, Config};
use crate::logging;
use crate::server::StartError;

/// Reads the configuration and runs the command.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let Cli { command, mut options } = cli;
    let command = match command.unwrap_or(Command::Serve) {
        Command::Serve => Job::Serve,
        Command::App(command) => Job::App(command),
        Command::Message(command) => Job::Message(command),
        Command::Order(command) => Job::Order(command),
        Command::Check => Job::Check,
        Command::Sandbox(wanted) => match sandbox::prepare(&mut options, &wanted) {
            Ok(prepared) => Job::Sandbox(prepared),
            Err(code) => return code,
        },
    };
    run_with(&options, command)
}

/// A command that is ready to be done.
enum Job {
    Serve,
    Sandbox(sandbox::Prepared),
    App(AppCommand),
    Message(MessageCommand),
    Order(OrderCommand),
    Check,
}

fn run_with(options: &Options, job: Job) -> ExitCode {
    // The sandbox never follows the settings of a real server that stand in the environment.
    let is_sandbox = matches!(job, Job::Sandbox(_));
    let environment = |name: &str| std::env::var(name).ok().filter(|_| !is_sandbox);
    let config = match Config::read(options, &environment) {
        Ok(config) => config,
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return misconfigured(&problems);
        }
    };
    logging::start(config.log);
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the runtime could not be started: {error}")),
    };
    let code = runtime.block_on(async {
        match job {
            Job::Serve => serve::run(&config).await,
            Job::Sandbox(prepared) => sandbox::run(&config, prepared).await,
            Job::App(command) => app::run(&config, command).await,
            Job::Message(command) => message::run(&config, command).await,
            Job::Order(command) => order::run(&config, command).await,
            Job::Check => check::run(&config).await,
        }
    });
    // Not dropped: that would wait for a name lookup that the operating system does not finish.
    runtime.shutdown_background();
    code
}

/// One thread where there is one core (or `TOKIO_WORKER_THREADS=1`): without work stealing it is faster there.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let asked = std::env::var("TOKIO_WORKER_THREADS").ok().and_then(|text| text.parse::<usize>().ok());
    let threads = asked.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let mut builder = match threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

/// Ends with SIGTERM or Ctrl-C.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "waits for a signal for as long as the process lives")]
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping: finishing what is under way");
        told.cancel();
    });
    Ok(stop)
}

/// A line for people on standard output. That nobody reads it is no reason to fail.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// A line for people on standard error.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "wechat-proxy: {line}");
}

/// A server that cannot start. Files that the configuration names wrongly are mistakes of the configuration.
fn cannot_start(error: &StartError) -> ExitCode {
    match error {
        StartError::MasterKey(_) | StartError::Tls(_) => misconfigured(&[error.to_string()]),
        StartError::Store(_) | StartError::Client(_) => failed(&error.to_string()),
    }
}

/// A wrong configuration: all that is wrong with it, and an exit code of its own.
fn misconfigured(problems: &[String]) -> ExitCode {
    complain("the configuration is wrong, nothing was started:");
    problems.iter().for_each(|problem| complain(&format!("  - {problem}")));
    ExitCode::from(config::EXIT_CODE)
}

fn failed(reason: &str) -> ExitCode {
    complain(reason);
    ExitCode::FAILURE
}
