//! The binary: reads the command line and the configuration, and does what they say.

use std::process::ExitCode;

use clap::Parser;
use server::cli::Cli;
use server::{commands, config};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no mistakes; everything else is a wrong configuration.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(config::EXIT_CODE) } else { ExitCode::SUCCESS };
        }
    };
    commands::run(cli)
}
