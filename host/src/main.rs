//! The binary: parses arguments and exits. What the commands do is in `pointsman::cli`.

use std::process::ExitCode;

use clap::Parser;
use pointsman::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
