//! The command line: parses the arguments and runs the command.

mod admin;
mod answers;
mod bench;
mod build;
mod check;
mod decide;
mod dev;
mod inspect;
mod new;
mod offline;
mod print;
mod reach;
mod reloads;
mod report;
mod run;
mod sdk;
mod successor;
mod table;
mod test;
mod user_cache;
mod wit;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pointsman_wasm::module;

use crate::log;

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
    /// Create a project: a folder with a router, a test, a configuration, and a page with the commands
    #[command(after_help = new::EXAMPLES)]
    New(new::Arguments),
    /// Build the module of a project, in any of the languages that have an SDK
    #[command(after_help = build::EXAMPLES)]
    Build(build::Arguments),
    /// Work with a project's copy of its SDK
    #[command(after_help = sdk::EXAMPLES)]
    Sdk(sdk::Arguments),
    /// Write the WIT package, the contract between the proxy and modules
    #[command(after_help = wit::EXAMPLES)]
    Wit(wit::Arguments),
    /// Serve traffic until SIGTERM or SIGINT; SIGHUP reloads the configuration, SIGUSR1 reopens the
    /// access log, SIGUSR2 upgrades the program
    Run(run::Arguments),
    /// Check a configuration and load its modules, without serving
    Check(ConfigFile),
    /// Run a project's native tests, and the tests next to its modules: a line for each
    #[command(after_help = test::EXAMPLES)]
    Test(test::Arguments),
    /// Evaluate one request offline, and show the module's reads, its decision, and the result of the host's checks
    #[command(after_help = decide::EXAMPLES)]
    Decide(Box<decide::Arguments>),
    /// Measure a module's decisions, each way in which a proxy makes them, and compare two builds
    #[command(after_help = bench::EXAMPLES)]
    Bench(bench::Arguments),
    /// Show a module's imports, exports and needs, and why it would be refused
    Inspect(inspect::Arguments),
    /// Run a module during development: prints every decision, and reloads saved files
    #[command(after_help = dev::EXAMPLES)]
    Dev(Box<dev::Arguments>),
    /// Inspect a running proxy, and control the versions that it serves
    #[command(after_help = admin::HELP)]
    Admin(Box<admin::Arguments>),
    /// Build a module read from standard input; `run` starts this for each module
    #[command(name = module::BUILD_COMMAND, hide = true)]
    BuildModule,
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "pointsman.toml")]
    config: PathBuf,
}

/// The result of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    /// A configuration, a module or a decision was refused. The reason has been printed.
    Refused,
}

/// Ends a proxy that a signal stops before it is ready: there is nothing to wait for.
fn stopped_early(signal: &'static str) -> ! {
    tracing::info!(signal, "stopped before the proxy was ready");
    log::finish();
    std::process::exit(0)
}

impl Cli {
    /// Runs the command. Results go to standard output, errors to standard error.
    pub fn run(self) -> ExitCode {
        let result = match self.command {
            Command::New(arguments) => new::new(&arguments),
            Command::Build(arguments) => build::build(&arguments),
            Command::Sdk(arguments) => sdk::sdk(&arguments),
            Command::Wit(arguments) => wit::wit(&arguments),
            Command::Run(arguments) => run::run(&arguments),
            Command::Check(file) => check::check(&file.config),
            Command::Test(arguments) => test::test(&arguments),
            Command::Bench(arguments) => bench::bench(&arguments),
            Command::Decide(arguments) => decide::decide(&arguments),
            Command::Inspect(arguments) => inspect::inspect(&arguments),
            Command::Dev(arguments) => dev::dev(&arguments),
            Command::Admin(arguments) => admin::admin(&arguments),
            Command::BuildModule => match module::serve_build() {
                Ok(code) => std::process::exit(code),
                Err(error) => Err(error),
            },
        };
        match result {
            Ok(Outcome::Success) => ExitCode::SUCCESS,
            Ok(Outcome::Refused) => ExitCode::from(3),
            Err(error) => {
                eprintln!("error: {}", pointsman_rules::text::chain(error.as_ref()));
                ExitCode::FAILURE
            }
        }
    }
}
