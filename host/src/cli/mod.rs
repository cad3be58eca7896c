//! The command line.

mod check;
mod decide;
mod inspect;
mod report;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A reverse proxy that asks a WebAssembly component which upstream each request goes to, and how to connect to it.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  it could not be done: a file cannot be read, an address is in use, ...
  2  wrong usage of the command line
  3  refused: the configuration, a module or a decision does not pass";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve traffic until SIGTERM, SIGQUIT or SIGINT; SIGHUP reads credentials again
    Run(ConfigFile),
    /// Check a configuration and load its modules, without serving
    Check(ConfigFile),
    /// Ask a module offline about one request, and show what it read, what it decided and what the host makes of it
    #[command(after_help = decide::EXAMPLES)]
    Decide(Box<decide::Arguments>),
    /// Show a module's imports, exports and needs, and what would refuse it
    Inspect(inspect::Arguments),
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "pointsman.toml")]
    config: PathBuf,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    /// The configuration, a module or a decision does not pass. What is wrong has been printed.
    Refused,
}

impl Cli {
    /// Runs the command. Its results go to standard output, its errors to standard error.
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::Run(file) => run::run(&file.config),
            Command::Check(file) => check::check(&file.config),
            Command::Decide(arguments) => decide::decide(&arguments),
            Command::Inspect(arguments) => inspect::inspect(&arguments),
        };
        match result {
            Ok(Outcome::Success) => ExitCode::SUCCESS,
            Ok(Outcome::Refused) => ExitCode::from(3),
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}

/// An error with its causes, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}
